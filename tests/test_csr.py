"""Every pass over a sparse X against the same pass in NumPy over its dense copy."""

import itertools
import tracemalloc

import numpy as np
import pytest
from conftest import WEIGHTS, Problem, assert_within, csr_passes, random_targets, random_weights
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from fastlr import reference
from fastlr._validation import check_sample_weight, check_sparse_features
from fastlr.matrices.csr import CSRMatrix, compressed
from fastlr.runtime.blocks import entry_blocks
from fastlr.runtime.team import Rest, Team

# One row to several blocks; the last is large enough for threads.
SHAPES = [(1, 1), (1, 9), (9, 1), (64, 64), (65, 3), (70, 200), (1301, 40)]
THREADED = (6_000, 120)
INDICES = ("int32", "int64")

weighted = pytest.mark.parametrize("weights", WEIGHTS)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
index_dtypes = pytest.mark.parametrize("indices", INDICES)


def random_csr(rng, shape, dtype="float64", indices="int32", density=0.2):
    """A sparse matrix with empty rows and columns, entries of value 0, and columns in any order, some of them twice."""
    n_samples, n_features = shape
    counts = rng.binomial(n_features, density, n_samples) * (rng.random(n_samples) > 0.15)
    indptr = np.append(0, np.cumsum(counts)).astype(indices)
    used = rng.permutation(n_features)[: max(1, n_features * 4 // 5)]
    columns = rng.choice(used, indptr[-1]).astype(indices)
    # A sign for each column: bounds on rounding are formed from |X|, which entries that cancel would not show in.
    data = (np.abs(rng.normal(size=indptr[-1])) * rng.choice([-1, 1], n_features)[columns]).astype(dtype)
    data[rng.random(data.size) < 0.05] = 0.0
    return csr_of(data, columns, indptr, shape)


def csr_of(data, indices, indptr, shape):
    """CSR of these very arrays: SciPy's constructor may choose other types of indices or data."""
    X = sparse.csr_array(shape)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


class SparseProblem(Problem):
    """A `Problem` whose X is CSR; products are computed in float64 whatever the data are."""

    def __post_init__(self):
        self.rtol = 1e-12

    def design(self, n_threads=1):
        X = check_sparse_features(self.X)
        weight = check_sample_weight(self.sample_weight, len(self.y))
        return csr_passes(X, self.y, weight, team=Team(n_threads, rest=Rest(np.inf)))

    @property
    def effective(self):
        return self.X.toarray().astype(np.float64)

    @property
    def with_ones(self):
        return np.column_stack([self.effective, np.ones(len(self.y))])

    @property
    def weights(self):
        return np.ones(len(self.y)) if self.sample_weight is None else self.sample_weight


def make_sparse_problem(shape, dtype="float64", indices="int32", weights=None, density=0.2, seed=0):
    rng = np.random.default_rng([seed, *shape])
    X = random_csr(rng, shape, dtype, indices, density)
    # float32 data that occur twice would add up in float32 in the dense copy: quarters do so without rounding.
    X.data = np.round(4 * X.data) / X.dtype.type(4)
    spread = 3.0 / np.sqrt(max(1.0, density * shape[1]))
    weight = random_weights(rng, shape[0]) if weights else None
    coef = np.append(rng.normal(size=shape[1]) * spread, 0.7)
    return SparseProblem(X, random_targets(rng, shape[0]), weight, coef)


def all_passes(design, coef, direction):
    """What every pass returns and leaves, as a dict of copies."""
    loss, gradient = design.loss_gradient(coef)
    results = {"loss": np.float64(loss), "gradient": gradient}
    results |= {"raw": design.raw.copy(), "curvature": design.curvature.copy()}
    results["hessian_product"] = design.hessian_product(direction)
    results["hessian"] = design.hessian()
    results["first"], results["second"], results["total"] = design.column_moments()
    results["raw_prediction"] = design.raw_prediction(direction).copy()
    results["transposed_product"] = design.transposed_product(design.y)
    return results


# ------------------------------------------------------------------------------------------------------ CSR == dense


def check_passes(problem):
    """Every pass against NumPy over the dense copy of X."""
    X, coef, weight = problem.effective, problem.coef, problem.sample_weight
    absolute = np.abs(problem.with_ones)
    direction = np.random.default_rng(3).normal(size=coef.size) * np.abs(coef).max()
    results = all_passes(problem.design(), coef, direction)

    expected_loss, expected_gradient = reference.loss_gradient(X, problem.y, weight, coef)
    assert_within(results["loss"], expected_loss, problem.loss_bound())
    assert_within(results["gradient"], expected_gradient, problem.gradient_bound())
    z = reference.raw_prediction(X, coef)
    curvature = reference.curvature(z) * problem.weights
    assert_within(results["raw"], z, problem.margin_bound())
    assert_within(results["curvature"], curvature, problem.curvature_bound())

    bound = problem.curvature_bound() * (absolute @ np.abs(direction)) + problem.weights * problem.margin_bound(
        direction
    )
    expected = reference.hessian_product(X, weight, coef, direction)
    assert_within(results["hessian_product"], expected, absolute.T @ bound)
    bound = problem.curvature_bound() + problem.rtol * curvature
    assert_within(
        results["hessian"], reference.hessian(X, weight, coef), absolute.T @ (bound[:, None] * absolute) + 1e-300
    )
    np.testing.assert_array_equal(results["hessian"], results["hessian"].T)
    assert_within(results["first"], X.T @ curvature, np.abs(X).T @ bound)
    assert_within(results["total"], curvature.sum(), bound.sum())

    assert_within(results["raw_prediction"], reference.raw_prediction(X, direction), problem.margin_bound(direction))
    expected = problem.with_ones.T @ problem.y
    assert_within(results["transposed_product"], expected, problem.rtol * (absolute.T @ problem.y) + 1e-300)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@dtypes
@weighted
def test_passes_equal_those_over_the_dense_copy(shape, dtype, weights):
    check_passes(make_sparse_problem(shape, dtype, "int32", weights))


@dtypes
def test_wide_indices_give_the_bits_of_narrow_ones(dtype):
    problem = make_sparse_problem((700, 50), dtype, "int32", "random")
    X = problem.X
    wide = problem.but(X=csr_of(X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64), X.shape))
    mixed = problem.but(X=csr_of(X.data, X.indices, X.indptr.astype(np.int64), X.shape))
    expected = all_passes(problem.design(), problem.coef, problem.coef)
    for other in (wide, mixed):
        results = all_passes(other.design(), problem.coef, problem.coef)
        assert all(results[name].tobytes() == value.tobytes() for name, value in expected.items() if name != "total")


@weighted
def test_second_moments_are_those_of_the_columns(weights):
    # Of entries that are there once: the squares of two that add up are not those of their sum.
    problem = make_sparse_problem((300, 30), weights=weights)
    problem.X.sum_duplicates()
    design = problem.design()
    design.loss_gradient(problem.coef)
    h = design.curvature.copy()
    X = problem.effective
    first, second, total = design.column_moments()
    np.testing.assert_allclose(first, h @ X, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(second, h @ (X * X), rtol=1e-12, atol=1e-13)
    assert total == pytest.approx(h.sum(), rel=1e-13)


@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (30, 7), (40, 90)], ids=str)
def test_gram_is_that_of_the_dense_copy(shape, dtype):
    problem = make_sparse_problem(shape, dtype)
    X = problem.effective
    assert_within(problem.design().gram(), X @ X.T, 1e-13 * (np.abs(X) @ np.abs(X.T)))


@weighted
def test_a_subsample_holds_these_rows(weights):
    problem = make_sparse_problem((300, 30), weights=weights)
    rows = np.array([0, 3, 4, 150, 151, 299])
    weight = None if weights is None else problem.sample_weight[rows] + 0.5
    if weights is not None:
        problem = problem.but(sample_weight=problem.sample_weight + 0.5)
    loss, gradient = problem.design().subsample(rows).loss_gradient(problem.coef)
    expected = reference.loss_gradient(problem.effective[rows], problem.y[rows], weight, problem.coef)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-11, atol=1e-12)


def test_loss_residual_equals_the_pass_it_spares():
    problem = make_sparse_problem((67, 13), weights="random")
    design = problem.design()
    loss, gradient = design.loss_gradient(problem.coef)
    n_passes = design.n_passes
    again, residual, _ = design.loss.at(design.raw.copy())
    assert design.n_passes == n_passes
    assert again == pytest.approx(loss, rel=1e-14)
    assert residual.sum() == pytest.approx(gradient[-1], rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(problem.effective.T @ residual, gradient[:-1], rtol=1e-11, atol=1e-12)


def test_every_pass_is_counted():
    problem = make_sparse_problem((20, 6))
    design = problem.design()
    all_passes(design, problem.coef, problem.coef)
    assert design.n_passes == 6
    design.gram()
    assert design.n_passes == 7


# -------------------------------------------------------------------------------------------------------- structure


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (200, 70)], ids=str)
@weighted
def test_a_matrix_without_entries_is_all_zero(shape, weights):
    problem = make_sparse_problem(shape, weights=weights)
    check_passes(problem.but(X=sparse.csr_array(shape)))


def test_rows_and_columns_without_entries():
    dense = np.zeros((300, 40))
    dense[7::13, 2::5] = np.random.default_rng(0).normal(size=dense[7::13, 2::5].shape)
    problem = make_sparse_problem(dense.shape, weights="random")
    check_passes(problem.but(X=sparse.csr_array(dense)))


def test_entries_in_any_order_and_entries_that_add_up():
    # The middle row is [5, 0, 2], said in three entries.
    data, columns = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([1, 2, 0, 0, 2], dtype=np.int32)
    X = csr_of(data, columns, np.array([0, 1, 4, 5], dtype=np.int32), (3, 3))
    np.testing.assert_array_equal(X.toarray(), [[0, 1, 0], [5, 0, 2], [0, 0, 4]])
    problem = SparseProblem(X, np.array([0.0, 1.0, 0.3]), None, np.array([0.5, -1.0, 2.0, 0.1]))
    check_passes(problem)
    design = problem.design()
    design.loss_gradient(np.zeros(4))
    ones = problem.with_ones
    np.testing.assert_allclose(design.hessian(), ones.T @ ones / 4, rtol=1e-14)


def test_one_column_many_times_in_a_row():
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, 50)
    indptr = np.append(0, np.cumsum(counts)).astype(np.int32)
    X = csr_of(rng.random(indptr[-1]), rng.integers(0, 2, indptr[-1]).astype(np.int32), indptr, (50, 3))
    check_passes(SparseProblem(X, random_targets(rng, 50), random_weights(rng, 50), np.array([1.0, -2.0, 0.5, 0.3])))


def test_entries_beyond_the_last_row_are_not_read():
    problem = make_sparse_problem((40, 8))
    X = problem.X
    padded = csr_of(
        np.append(X.data, [np.nan] * 5), np.append(X.indices, [10**6] * 5).astype(np.int32), X.indptr, X.shape
    )
    expected = all_passes(problem.design(), problem.coef, problem.coef)
    results = all_passes(problem.but(X=padded).design(), problem.coef, problem.coef)
    assert all(np.asarray(results[name]).tobytes() == np.asarray(value).tobytes() for name, value in expected.items())


@index_dtypes
@dtypes
@pytest.mark.parametrize("places", [[], [3], [0, 4, 5, 39]], ids=str)
def test_some_columns_are_copied_row_after_row(dtype, indices, places):
    X = random_csr(np.random.default_rng(3), (70, 40), dtype, indices)
    padded = csr_of(
        np.append(X.data, np.ones(5, dtype)), np.append(X.indices, [3] * 5).astype(indices), X.indptr, X.shape
    )
    some = CSRMatrix(check_sparse_features(padded)).columns(np.array(places, np.int64))
    assert some.X.dtype == dtype
    np.testing.assert_array_equal(some.X.toarray(), X.toarray()[:, places])
    data, rows, indptr = some.by_columns()
    by_columns = sparse.csc_array((data, rows.view(indices), indptr), shape=some.shape)
    np.testing.assert_allclose(by_columns.toarray(), X.toarray()[:, places], rtol=1e-6 if dtype == "float32" else 1e-15)
    assert all(len(set(rows[first:stop])) == stop - first for first, stop in itertools.pairwise(indptr))


@st.composite
def sparse_problems(draw):
    shape = draw(st.integers(1, 200)), draw(st.integers(1, 60))
    problem = make_sparse_problem(
        shape,
        draw(st.sampled_from(["float64", "float32"])),
        draw(st.sampled_from(INDICES)),
        draw(st.sampled_from(WEIGHTS)),
        draw(st.sampled_from([0.01, 0.3, 1.0])),
        draw(st.integers(0, 2**32)),
    )
    problem.X.data *= problem.X.dtype.type(draw(st.sampled_from([1.0, 2.0**40, 2.0**-40])))
    return problem


@given(sparse_problems())
def test_any_problem_equals_its_dense_copy(problem):
    check_passes(problem)


# ------------------------------------------------------------------------------------------------ arrays and threads


@dtypes
def test_any_number_of_threads_gives_the_same_bits(dtype):
    problem = make_sparse_problem(THREADED, dtype, "int32", "random")
    assert problem.X.nnz > 100_000  # smaller ones run inline
    results = []
    for n_threads in (1, 2, 3, 7):
        with problem.threaded(n_threads) as design:
            assert len(entry_blocks(design.arrays[2], design.shape[1])) > 2
            passes = all_passes(design, problem.coef, problem.coef)
            assert bool(design.team._threads) == (n_threads > 1)
        results.append([np.asarray(value).tobytes() for value in passes.values()])
    assert all(result == results[0] for result in results)


@dtypes
@index_dtypes
@pytest.mark.parametrize("n_threads", [1, 3])
def test_inputs_are_never_written_to(dtype, indices, n_threads):
    problem = make_sparse_problem(THREADED, dtype, indices, "random")
    inputs = (problem.X.data, problem.X.indices, problem.X.indptr, problem.y, problem.sample_weight, problem.coef)
    before = [array.tobytes() for array in inputs]
    with problem.threaded(n_threads) as design:
        all_passes(design, problem.coef, problem.coef)
        design.subsample(np.arange(0, 100, 3))
    assert [array.tobytes() for array in inputs] == before


@dtypes
def test_read_only_and_mapped_arrays_give_the_same_bits(dtype, tmp_path):
    problem = make_sparse_problem((67, 13), dtype, "int32", "random")
    expected = all_passes(problem.design(), problem.coef, problem.coef)
    arrays = {"data": problem.X.data, "indices": problem.X.indices, "indptr": problem.X.indptr}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays]
    locked = [array.copy() for array in arrays.values()]
    for array in locked:
        array.flags.writeable = False
    spaced = [np.repeat(array, 2)[::2] for array in arrays.values()]
    for others in (mapped, locked, spaced):
        design = problem.but(X=csr_of(*others, problem.X.shape)).design()
        results = all_passes(design, problem.coef, problem.coef)
        assert all(
            np.asarray(results[name]).tobytes() == np.asarray(value).tobytes() for name, value in expected.items()
        )


@dtypes
@index_dtypes
def test_data_and_indices_are_read_where_they_lie(dtype, indices):
    problem = make_sparse_problem((2_000, 300), dtype, indices)
    X = problem.X
    assert check_sparse_features(X) is X
    data, columns, _ = compressed(X)
    assert np.shares_memory(data, X.data)
    assert np.shares_memory(columns, X.indices)
    assert not data.flags.writeable
    problem.design().loss_gradient(problem.coef)  # compiled now
    tracemalloc.start()
    try:
        problem.design().loss_gradient(problem.coef)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Some vectors of samples and features, and a gradient for each of a few blocks: less than the data would take.
    assert peak < X.data.nbytes / 2


def test_the_dense_copy_is_never_made():
    n_features = 2_000_000
    X = sparse.csr_array(([1.0, 2.0, 3.0], ([0, 1, 3], [0, n_features - 1, 5])), shape=(4, n_features))
    design = SparseProblem(X, np.array([0.0, 1.0, 1.0, 0.0]), None, np.zeros(n_features + 1)).design()
    _, gradient = design.loss_gradient(np.zeros(n_features + 1))
    assert gradient[[0, 5, n_features - 1, n_features]].tolist() == [0.5, 1.5, -1.0, 0.0]
    assert np.count_nonzero(gradient) == 3


@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 10**5), st.integers(1, 200))
def test_blocks_cover_all_rows_and_their_gradients_stay_small(seed, n_samples, n_features, n_classes):
    rng = np.random.default_rng(seed)
    indptr = np.append(0, np.cumsum(rng.integers(0, 3_000, n_samples) * (rng.random(n_samples) > 0.3)))
    starts = entry_blocks(indptr, n_features, n_classes)
    assert starts[0] == 0
    assert starts[-1] == n_samples
    assert (np.diff(starts) > 0).all()
    assert len(starts) - 1 <= max(2, indptr[-1] / (4 * n_features * n_classes))
    entries = np.diff(indptr[starts])
    # About as many entries each: none has more than its share and a row of the largest kind beyond it.
    if len(starts) > 2:
        assert entries.max() <= indptr[-1] / (len(starts) - 1) + 4 * n_samples + 3_000


# ---------------------------------------------------------------------------------------------------------- extremes


@pytest.mark.parametrize("magnitude", [1e150, 1e300])
@weighted
def test_huge_raw_predictions_give_finite_sums(magnitude, weights):
    problem = make_sparse_problem((67, 3), weights=weights)
    X = sparse.csr_array(np.random.default_rng(7).choice([-1.0, 0.0, 1.0], size=(67, 3)))
    coef = np.array([magnitude, 0.0, 0.0, 0.0])
    problem = problem.but(X=X, coef=coef, y=(problem.y > 0.5).astype(float))
    loss, gradient = problem.design().loss_gradient(coef)
    z = magnitude * problem.effective[:, 0]
    expected, slope = reference.loss_gradient(problem.effective, problem.y, problem.sample_weight, coef)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert loss >= (problem.weights * np.abs(z) * ((z > 0) != (problem.y > 0)))[z != 0].sum() * (1 - 1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12)


@dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_found_by_the_pass_that_meets_it(dtype, bad):
    problem = make_sparse_problem((67, 13), dtype, "int32", "random")
    for place in (0, problem.X.nnz // 2, problem.X.nnz - 1):
        data = problem.X.data.copy()
        data[place] = bad
        broken = problem.but(X=csr_of(data, problem.X.indices, problem.X.indptr, problem.X.shape))
        for coef in (problem.coef, np.zeros(14), np.ones(14)):
            for run in (broken.design().loss_gradient, broken.design().raw_prediction):
                with pytest.raises(ValueError, match="X must be finite"):
                    run(coef)
        with pytest.raises(ValueError, match="X must be finite"):
            broken.design().gram()
