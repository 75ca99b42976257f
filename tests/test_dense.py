"""Every pass over a dense X against its twin in NumPy, and against itself said differently."""

import tracemalloc

import numpy as np
import pytest
from conftest import (
    DTYPES,
    ORDERS,
    WEIGHTS,
    Problem,
    assert_within,
    dense_passes,
    make_problem,
    random_features,
    random_targets,
    random_weights,
)
from hypothesis import given
from hypothesis import strategies as st

from fastlr import reference
from fastlr._validation import check_features
from fastlr.kernels import dense
from fastlr.runtime.blocks import block_rows, count_blocks, guarded_empty, hessian_block_rows

# One to many rows and features; all remainders of the unrolled loops, chunks, tiles and panels; several blocks.
SMALL = [(1, 1), (1, 5), (5, 1), (2, 3), (3, 2), (4, 4), (6, 18), (17, 16), (33, 31), (64, 64), (65, 67), (131, 3)]
LARGE = [(259, 5), (513, 33), (1030, 2), (400, 351), (1301, 97), (5000, 7), (70, 1100), (70, 4100), (3, 50_001)]
THREADED = (2603, 97)

shapes = pytest.mark.parametrize("shape", SMALL + LARGE, ids=lambda shape: "x".join(map(str, shape)))
dtypes = pytest.mark.parametrize("dtype", DTYPES)
orders = pytest.mark.parametrize("order", ORDERS)
weighted = pytest.mark.parametrize("weights", WEIGHTS)


def with_scale(dtype):
    """Factor of all features that suits a dtype."""
    return {"uint8": 1 / 255, "int8": 0.37, "float32": 2.5}.get(dtype, 1.0)


def compare_hessian(problem, hessian):
    ones = problem.with_ones
    expected = reference.hessian(problem.effective, problem.sample_weight, problem.coef)
    absolute = np.abs(ones)
    curvature = reference.curvature(reference.raw_prediction(problem.effective, problem.coef)) * problem.weights
    bound = problem.curvature_bound() + problem.rtol * curvature
    assert_within(hessian, expected, absolute.T @ (bound[:, None] * absolute))
    np.testing.assert_array_equal(hessian, hessian.T)


# ------------------------------------------------------------------------------------------------ twins in NumPy


@shapes
@dtypes
@orders
@weighted
def test_passes_equal_their_numpy_twins(shape, dtype, order, weights):
    problem = make_problem(*shape, dtype, order, weights, with_scale(dtype))
    X, coef, weight = problem.effective, problem.coef, problem.sample_weight
    design = problem.design()

    loss, gradient = design.loss_gradient(coef)
    expected_loss, expected_gradient = reference.loss_gradient(X, problem.y, weight, coef)
    assert_within(loss, expected_loss, problem.loss_bound())
    assert_within(gradient, expected_gradient, problem.gradient_bound())
    z = reference.raw_prediction(X, coef)
    assert_within(design.raw, z, problem.margin_bound())
    assert_within(design.curvature, reference.curvature(z) * problem.weights, problem.curvature_bound())

    direction = np.random.default_rng(3).normal(size=coef.size) * np.abs(coef).max()
    product = design.hessian_product(direction)
    along = np.abs(problem.with_ones) @ np.abs(direction)
    bound = problem.curvature_bound() * along + problem.weights * problem.margin_bound(direction) / 4
    assert_within(
        product, reference.hessian_product(X, weight, coef, direction), np.abs(problem.with_ones).T @ (2 * bound)
    )

    raw = reference.raw_prediction(X, direction)
    assert_within(design.raw_prediction(direction), raw, problem.margin_bound(direction))

    coefficients = np.random.default_rng(4).normal(size=len(X))
    assert_within(
        design.transposed_product(coefficients),
        problem.with_ones.T @ coefficients,
        4 * problem.rtol * (np.abs(problem.with_ones).T @ np.abs(coefficients)),
    )


@pytest.mark.parametrize("shape", [*SMALL, (259, 5), (513, 33), (1301, 97), (5000, 7), (40, 300)])
@dtypes
@orders
@weighted
def test_hessian_equals_its_numpy_twin(shape, dtype, order, weights):
    problem = make_problem(*shape, dtype, order, weights, with_scale(dtype))
    design = problem.design()
    design.loss_gradient(problem.coef)
    compare_hessian(problem, design.hessian())
    again = problem.coef / 2
    design.loss_gradient(again)
    compare_hessian(problem.but(coef=again), design.hessian())


@pytest.mark.parametrize("shape", [(1, 1), (30, 70), (700, 3_001)])
@dtypes
@orders
def test_products_with_the_transposed_are_its_numpy_twins(shape, dtype, order):
    problem = make_problem(*shape, dtype, order, None, with_scale(dtype))
    a = np.random.default_rng(0).normal(size=(3, shape[0]))
    found = problem.design().matrix.transposed(a)
    assert_within(found, a @ problem.effective, 1e-13 * (np.abs(a) @ np.abs(problem.effective)))


@pytest.mark.parametrize("shape", [*SMALL, (259, 5), (400, 351), (70, 4100), (3, 50_001), (129, 1025), (200, 513)])
@dtypes
@orders
def test_gram_equals_its_numpy_twin(shape, dtype, order):
    problem = make_problem(*shape, dtype, order, None, with_scale(dtype))
    X = problem.effective
    gram = problem.design().gram()
    assert_within(gram, X @ X.T, 2 * problem.rtol * (np.abs(X) @ np.abs(X.T)))
    np.testing.assert_array_equal(gram, gram.T)


@dtypes
@orders
@weighted
def test_loss_residual_equals_the_pass_it_spares(dtype, order, weights):
    problem = make_problem(67, 13, dtype, order, weights, with_scale(dtype))
    design = problem.design()
    loss, gradient = design.loss_gradient(problem.coef)
    raw, curvature, n_passes = design.raw.copy(), design.curvature.copy(), design.n_passes
    again, residual, second = design.loss.at(raw)
    assert design.n_passes == n_passes
    np.testing.assert_allclose(again, loss, rtol=1e-14)
    np.testing.assert_allclose(residual.sum(), gradient[-1], rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(second, curvature)
    np.testing.assert_array_equal(design.curvature, curvature)
    expected = problem.weights * (reference.sigmoid(raw) - problem.y)
    np.testing.assert_allclose(residual, expected, rtol=0, atol=problem.weights.max() * np.finfo(np.float64).eps)


def test_every_pass_is_counted():
    problem = make_problem(20, 6)
    design = problem.design()
    design.loss_gradient(problem.coef)
    design.raw_prediction(problem.coef)
    design.hessian_product(problem.coef)
    design.transposed_product(np.ones(20))
    design.hessian()
    design.gram()
    assert design.n_passes == 6


# ------------------------------------------------------------------------------------------------------- layouts


@pytest.mark.parametrize("shape", [(67, 13), (1301, 97), (70, 1100)])
@dtypes
@weighted
def test_both_layouts_agree_to_rounding(shape, dtype, weights):
    problem = make_problem(*shape, dtype, "C", weights)
    one, other = problem.design(), problem.but(X=np.asfortranarray(problem.X)).design()
    (loss, gradient), (other_loss, other_gradient) = one.loss_gradient(problem.coef), other.loss_gradient(problem.coef)
    assert_within(loss, other_loss, 2 * problem.loss_bound())
    assert_within(gradient, other_gradient, 2 * problem.gradient_bound())


@dtypes
def test_features_by_samples_is_samples_by_features_in_the_other_order(dtype):
    problem = make_problem(*THREADED, dtype, "F", "random")
    rows_of_features = np.ascontiguousarray(problem.X.T)
    view = problem.but(X=rows_of_features.T)
    design, same = problem.design(), view.design()
    assert np.shares_memory(same.X, rows_of_features)
    assert same.X.flags.f_contiguous
    loss, gradient = design.loss_gradient(problem.coef)
    same_loss, same_gradient = same.loss_gradient(problem.coef)
    assert loss == same_loss
    assert gradient.tobytes() == same_gradient.tobytes()


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1)])
@dtypes
def test_a_single_row_or_column_is_the_same_in_any_order_and_with_any_stride(shape, dtype):
    problem = make_problem(*shape, dtype, "C", None)
    wide = np.zeros((2 * shape[0], 3 * shape[1]), problem.X.dtype)
    wide[::2, ::3] = problem.X
    loss, gradient = problem.design().loss_gradient(problem.coef)
    for X in (np.asfortranarray(problem.X), wide[::2, ::3], np.ascontiguousarray(problem.X.T).T):
        design = problem.but(X=X).design()
        assert_within(design.loss_gradient(problem.coef)[0], loss, problem.loss_bound())
        assert_within(design.loss_gradient(problem.coef)[1], gradient, problem.gradient_bound())
        compare_hessian(problem, design.hessian())
        full = problem.effective
        np.testing.assert_allclose(design.gram(), full @ full.T, rtol=problem.rtol)


@dtypes
@orders
def test_inputs_with_gaps_read_only_or_mapped_give_the_same_bits(dtype, order, tmp_path):
    problem = make_problem(67, 13, dtype, order, "random")
    expected = problem.design().loss_gradient(problem.coef)[1].tobytes()

    def bits(X):
        return problem.but(X=X).design().loss_gradient(problem.coef)[1].tobytes()

    locked = problem.X.copy(order="K")
    locked.flags.writeable = False
    np.save(tmp_path / "X.npy", problem.X)
    assert bits(locked) == expected
    assert bits(np.load(tmp_path / "X.npy", mmap_mode="r")) == expected
    if order == "C":
        assert bits(np.repeat(problem.X, 2, axis=1)[:, ::2]) == expected
        assert bits(problem.X[::-1].copy()[::-1]) == expected


@dtypes
@orders
@pytest.mark.parametrize("n_threads", [1, 3])
def test_inputs_are_never_written_to(dtype, order, n_threads):
    problem = make_problem(*THREADED, dtype, order, "random", 0.5)
    inputs = (problem.X, problem.y, problem.sample_weight, problem.coef)
    before = [array.tobytes(order="K") for array in inputs]
    with problem.threaded(n_threads) as design:
        design.loss_gradient(problem.coef)
        design.raw_prediction(problem.coef)
        design.hessian_product(problem.coef)
        design.hessian()
        design.gram()
        design.transposed_product(problem.y)
    assert [array.tobytes(order="K") for array in inputs] == before


@pytest.mark.parametrize("dtype", DTYPES)
@orders
def test_no_copy_of_features_is_made(dtype, order):
    problem = make_problem(200, 20_000, dtype, order)
    assert np.shares_memory(problem.design().X, problem.X)
    problem.design().loss_gradient(problem.coef)  # compiled now
    tracemalloc.start()
    try:
        design = problem.design()
        design.loss_gradient(problem.coef)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    copy_as_float = 4 * problem.X.size
    assert peak < copy_as_float / 8
    # n_features x n_blocks numbers of a gradient, and a dozen vectors.
    assert peak < 8 * 20_000 * (count_blocks(200, block_rows(200, 20_000)) + 12) + 100_000


# ------------------------------------------------------------------------------------------------------- threads


@dtypes
@orders
def test_any_number_of_threads_gives_the_same_bits(dtype, order):
    problem = make_problem(*THREADED, dtype, order, "random", 0.5)
    wide = make_problem(230, 1100, dtype, order)
    assert problem.X.size > 250_000  # smaller ones run inline
    results = []
    for n_threads in (1, 2, 3, 7):
        with problem.threaded(n_threads) as design:
            loss, gradient = design.loss_gradient(problem.coef)
            assert bool(design.team._threads) == (n_threads > 1)
            parts = [np.float64(loss), gradient, design.raw.copy(), design.curvature.copy()]
            parts += [design.hessian_product(problem.coef), design.hessian()]
            assert bool(design.team._threads) == (n_threads > 1)
            parts += [design.raw_prediction(problem.coef), design.transposed_product(problem.y), design.gram()]
        with wide.threaded(n_threads) as design:
            parts += [*design.loss_gradient(wide.coef), design.gram()]
        results.append([np.asarray(part).tobytes() for part in parts])
    assert all(result == results[0] for result in results)


def test_small_work_starts_no_thread():
    problem = make_problem(100, 100)
    with problem.threaded(4) as design:
        design.loss_gradient(problem.coef)
        assert design.team._threads == {}


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
@pytest.mark.parametrize("shape", [1, 7, (3, 1000), (5, 2, 3)])
def test_guarded_arrays_have_unused_memory_on_either_side(shape, dtype):
    array = guarded_empty(shape, dtype)
    assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    whole = array.base
    before = array.ctypes.data - whole.ctypes.data
    after = whole.ctypes.data + whole.nbytes - array.ctypes.data - array.nbytes
    assert min(before, after) >= 4_096  # a page: more than a turn of any vectorised loop
    assert before % array.itemsize == 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_vectors_lie_apart_from_the_rows_they_are_read_with(dtype):
    # Rows of 4,096 numbers share the sets of a first-level cache, with one another and with a vector beside them.
    for offset in range(5):
        X = np.empty(300 * 4_096 + 8, dtype)[offset : offset - 8].reshape(300, 4_096)
        for vector in (dense.padded_vector(4_096, dtype, X), *dense.work_space(X, np.dtype(dtype))[1:]):
            apart = (vector.ctypes.data - X.ctypes.data) % 4_096
            assert 1_024 <= apart <= 3_072
            assert vector.ctypes.data % 64 == 0


@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_blocks_cover_all_rows_and_sums_stay_small(n_samples, n_features):
    for rows in (block_rows(n_samples, n_features), hessian_block_rows(n_samples, n_features)):
        n_blocks = count_blocks(n_samples, rows)
        assert rows % 4 == 0
        assert (n_blocks - 1) * rows < n_samples <= n_blocks * rows
        assert n_blocks * n_features <= max(n_features, n_samples * n_features / 32)


# ----------------------------------------------------------------------------------------------- what weights mean


@dtypes
@orders
def test_weight_k_equals_k_copies(dtype, order):
    problem = make_problem(67, 13, dtype, order)
    counts = np.random.default_rng(5).integers(0, 4, 67)
    counts[0] = 2
    heavy = problem.but(sample_weight=counts.astype(float))
    repeated = np.asarray(np.repeat(problem.X, counts, axis=0), order=order)
    copies = problem.but(X=repeated, y=np.repeat(problem.y, counts))
    one, other = heavy.design(), copies.design()
    (loss, gradient), (other_loss, other_gradient) = one.loss_gradient(problem.coef), other.loss_gradient(problem.coef)
    assert one.weight_sum == other.weight_sum
    assert_within(loss, other_loss, 2 * copies.loss_bound())
    assert_within(gradient, other_gradient, 2 * copies.gradient_bound())
    absolute = np.abs(copies.with_ones)
    assert_within(one.hessian(), other.hessian(), 2 * copies.rtol * (absolute.T @ absolute))


@dtypes
@orders
def test_weight_zero_equals_an_absent_row(dtype, order):
    problem = make_problem(67, 13, dtype, order, "random")
    present = problem.sample_weight > 0
    assert not present.all()
    fewer = problem.but(
        X=np.asarray(problem.X[present], order=order),
        y=problem.y[present],
        sample_weight=problem.sample_weight[present],
    )
    (loss, gradient), (other_loss, other_gradient) = (p.design().loss_gradient(p.coef) for p in (problem, fewer))
    assert_within(loss, other_loss, 2 * fewer.loss_bound())
    assert_within(gradient, other_gradient, 2 * fewer.gradient_bound())


def test_unit_weights_equal_no_weights():
    for order in ORDERS:
        problem = make_problem(131, 9, order=order)
        with_ones = problem.but(sample_weight=np.ones(131))
        (loss, gradient), (same_loss, same_gradient) = (p.design().loss_gradient(p.coef) for p in (problem, with_ones))
        assert_within(loss, same_loss, problem.loss_bound())
        assert_within(gradient, same_gradient, problem.gradient_bound())


# ------------------------------------------------------------------------------------------------ sums are sums


@dtypes
@orders
@weighted
@pytest.mark.parametrize("cut", [1, 30, 66])
def test_parts_add_up_to_the_whole(dtype, order, weights, cut):
    problem = make_problem(67, 13, dtype, order, weights)

    def part(rows):
        weight = None if weights is None else problem.sample_weight[rows]
        return Problem(np.asarray(problem.X[rows], order=order), problem.y[rows], weight, problem.coef)

    whole = problem.design()
    parts = [part(slice(None, cut)), part(slice(cut, None))]
    # A part may weigh nothing, which callers cannot ask for, but sums can.
    designs = [
        dense_passes(check_features(p.X), p.y, np.empty(0) if p.sample_weight is None else p.sample_weight)
        for p in parts
    ]
    losses, gradients = zip(*(design.loss_gradient(problem.coef) for design in designs), strict=True)
    loss, gradient = whole.loss_gradient(problem.coef)
    assert_within(sum(losses), loss, 2 * problem.loss_bound())
    assert_within(sum(gradients), gradient, 2 * problem.gradient_bound())
    hessian = sum(design.hessian() for design in designs)
    absolute = np.abs(problem.with_ones)
    assert_within(hessian, whole.hessian(), 2 * problem.rtol * (absolute.T @ (problem.weights[:, None] * absolute)))


@orders
@weighted
def test_gradient_equals_finite_differences(order, weights):
    problem = make_problem(37, 11, "float64", order, weights, 0.7)
    design = problem.design()
    gradient = design.loss_gradient(problem.coef)[1]
    h = 1e-5
    for k in range(12):
        e = np.zeros(12)
        e[k] = h
        slope = (design.loss_gradient(problem.coef + e)[0] - design.loss_gradient(problem.coef - e)[0]) / (2 * h)
        assert slope == pytest.approx(gradient[k], rel=1e-6, abs=1e-7)


@orders
@weighted
def test_hessian_product_equals_a_difference_of_gradients(order, weights):
    problem = make_problem(37, 11, "float64", order, weights, 0.7)
    design = problem.design()
    h, direction = 1e-5, np.random.default_rng(6).normal(size=12)
    above = design.loss_gradient(problem.coef + h * direction)[1]
    below = design.loss_gradient(problem.coef - h * direction)[1]
    design.loss_gradient(problem.coef)
    product = design.hessian_product(direction)
    np.testing.assert_allclose(product, (above - below) / (2 * h), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(product, design.hessian() @ direction, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int8"])
@orders
@weighted
def test_intercept_equals_a_column_of_ones(dtype, order, weights):
    problem = make_problem(67, 13, dtype, order, weights)
    ones = np.ones((67, 1), problem.X.dtype)
    extended = problem.but(X=np.asarray(np.hstack([problem.X, ones]), order=order), coef=np.append(problem.coef, 0.0))
    design, other = problem.design(), extended.design()
    loss, gradient = design.loss_gradient(problem.coef)
    other_loss, other_gradient = other.loss_gradient(extended.coef)
    assert_within(loss, other_loss, 2 * problem.loss_bound())
    assert_within(gradient, other_gradient[:-1], 2 * problem.gradient_bound())
    assert_within(gradient[-1], other_gradient[-1], 2 * problem.gradient_bound()[-1])
    absolute = np.abs(problem.with_ones)
    bound = 2 * problem.rtol * (absolute.T @ (problem.weights[:, None] * absolute))
    assert_within(design.hessian(), other.hessian()[:-1, :-1], bound)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int8"])
@orders
def test_scale_equals_scaled_features(dtype, order):
    problem = make_problem(67, 13, dtype, order, "random", 1 / 255)
    doubles = Problem(np.asarray(problem.effective, order=order), problem.y, problem.sample_weight, problem.coef)
    (loss, gradient), (other_loss, other_gradient) = (p.design().loss_gradient(p.coef) for p in (problem, doubles))
    assert_within(loss, other_loss, 2 * problem.loss_bound())
    assert_within(gradient, other_gradient, 2 * problem.gradient_bound())


# ------------------------------------------------------------------------------------------------------ extremes


@orders
@weighted
@pytest.mark.parametrize(
    ("dtype", "magnitude"), [("float64", 1e150), ("float64", 1e300), ("float32", 1e15), ("float32", 1e30)]
)
def test_huge_raw_predictions_give_finite_sums(dtype, magnitude, order, weights):
    rng = np.random.default_rng(7)
    X = np.asarray(rng.choice([-1.0, 1.0], size=(67, 3)), dtype=dtype, order=order)
    y = rng.integers(0, 2, 67).astype(float)
    coef = np.array([magnitude, 0.0, 0.0, 1.0])
    design = Problem(X, y, random_weights(rng, 67) if weights else None, coef).design()
    weight = design.sample_weight if weights else np.ones(67)
    loss, gradient = design.loss_gradient(coef)
    z = X[:, 0].astype(np.float64) * float(np.asarray(magnitude, dtype))
    wrong = (z > 0) != (y > 0)
    # Seen from here the loss is max(z, 0) - y z, the residual 1, 0 or -1.
    assert loss == pytest.approx((weight * np.abs(z) * wrong).sum(), rel=1e-6)
    residual = weight * np.sign(z) * wrong
    np.testing.assert_allclose(gradient[:-1], X.T.astype(np.float64) @ residual, rtol=1e-5, atol=1e-5)
    assert (design.curvature <= weight * 4e-308).all()
    assert np.isfinite(design.hessian()).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@orders
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (66, 12), (30, 7), (64, 12)])
def test_a_value_that_is_not_finite_is_found_by_the_pass_that_meets_it(dtype, order, bad, place):
    problem = make_problem(67, 13, dtype, order, "random")
    problem.X[place] = bad
    for coef in (problem.coef, np.zeros(14), np.ones(14)):
        for label in (0.0, 1.0, 0.5):
            design = problem.but(y=np.full(67, label)).design()
            for run in (design.loss_gradient, design.raw_prediction):
                with pytest.raises(ValueError, match="X must be finite"):
                    run(coef)
    with pytest.raises(ValueError, match="X must be finite"):
        problem.design().gram()


def test_the_error_uses_the_name_that_the_caller_knows():
    X = np.ones((3, 2))
    X[1, 1] = np.nan
    design = dense_passes(check_features(X), np.zeros(3), np.empty(0), name="x_train")
    with pytest.raises(ValueError, match="x_train"):
        design.loss_gradient(np.zeros(3))


@dtypes
@orders
@pytest.mark.parametrize("shape", [(130, 4096), (20_001, 11)])
def test_sums_of_many_equal_terms_do_not_drift(dtype, order, shape):
    # The worst case for rounding: white pixels, one label, equal weights.
    X = np.asarray(np.ones(shape), dtype=dtype, order=order)
    coef = np.append(np.full(shape[1], 0.01), 0.0)
    problem = Problem(X, np.zeros(shape[0]), None, coef)
    loss, gradient = problem.design().loss_gradient(coef)
    z = 0.01 * shape[1]
    assert loss == pytest.approx(shape[0] * np.logaddexp(0, z), rel=problem.rtol)
    np.testing.assert_allclose(gradient, shape[0] / (1 + np.exp(-z)), rtol=problem.rtol)


@st.composite
def problems(draw):
    n_samples, n_features = draw(st.integers(1, 300)), draw(st.integers(1, 70))
    dtype, order = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(ORDERS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = random_features(rng, n_samples, n_features, dtype, order)
    coef = rng.normal(size=n_features + 1)
    if X.dtype.kind == "f":
        # Numbers of very different size, in X and in the coefficients.
        decades = draw(st.sampled_from([0, 3] if dtype == "float32" else [0, 3, 40, 120]))
        X *= (10.0 ** rng.uniform(-decades, decades, X.shape)).astype(dtype)
        coef *= 10.0 ** rng.uniform(-decades, decades, coef.shape)
    X[rng.random(X.shape) < draw(st.sampled_from([0.0, 0.0, 0.5, 1.0]))] = 0
    weights = random_weights(rng, n_samples) if draw(st.booleans()) else None
    return Problem(X, random_targets(rng, n_samples), weights, coef, draw(st.sampled_from([1.0, 1 / 255, 3.0])))


@given(problems())
def test_any_problem_equals_its_numpy_twin(problem):
    design = problem.design()
    loss, gradient = design.loss_gradient(problem.coef)
    expected_loss, expected_gradient = reference.loss_gradient(
        problem.effective, problem.y, problem.sample_weight, problem.coef
    )
    assert_within(loss, expected_loss, problem.loss_bound())
    assert_within(gradient, expected_gradient, problem.gradient_bound())
    assert_within(
        design.raw_prediction(problem.coef),
        reference.raw_prediction(problem.effective, problem.coef),
        problem.margin_bound(),
    )
