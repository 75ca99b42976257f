"""Passes, objective and certificate of many classes: against NumPy, finite differences, and the case of two classes."""

import numpy as np
import pytest
from conftest import WEIGHTS, Asked, Passes, assert_within, random_features, random_weights
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, special
from sklearn.datasets import load_iris
from test_csr import csr_of, make_sparse_problem
from test_objective import exact_minimum, labelled

from fastlr import LogisticRegression, reference
from fastlr._validation import check_features, check_sample_weight, check_sparse_features
from fastlr.fits.one import fit_path, quiet_team
from fastlr.fits.problem import Problem
from fastlr.linalg.blas import single_threaded_blas
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.dense import DenseMatrix
from fastlr.matrices.small import SmallMatrix
from fastlr.objectives.penalties import L2
from fastlr.objectives.softmax import SoftmaxObjective
from fastlr.runtime.blocks import softmax_block_rows
from fastlr.runtime.team import Rest, Team
from fastlr.solvers import MULTICLASS, SOLVERS

# (samples, features, classes): one of each, several tiles, several blocks.
SHAPES = [(1, 1, 3), (9, 1, 3), (40, 7, 4), (300, 33, 3), (70, 200, 5), (1301, 12, 10), (37, 5, 101)]
THREADED = (2603, 60, 7)

# What fits read: dtype and layout of X, and what the products are computed in.
KINDS = {
    "float64-C": ("float64", "C", np.float64),
    "float64-F": ("float64", "F", np.float64),
    "float32-C": ("float32", "C", np.float32),
    "float32-F": ("float32", "F", np.float32),
    "float32-C in float64": ("float32", "C", np.float64),
    "uint8-C": ("uint8", "C", np.float64),
    "uint8-F": ("uint8", "F", np.float64),
    "csr-float64-int32": ("float64", "int32", np.float64),
    "csr-float32-int32": ("float32", "int32", np.float64),
    "csr-float64-int64": ("float64", "int64", np.float64),
}
FEW_KINDS = ("float64-C", "float32-F", "csr-float64-int32")
SMALL = "in NumPy"  # what small problems of any dtype take

kinds = pytest.mark.parametrize("kind", KINDS)
few_kinds = pytest.mark.parametrize("kind", [*FEW_KINDS, SMALL])
weighted = pytest.mark.parametrize("weights", WEIGHTS)
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def softmax_objective_of(passes, *, l2=0.0, fit_intercept=True):
    return Asked(SoftmaxObjective(passes.matrix, passes.loss, L2(l2), fit_intercept))


class SoftmaxProblem:
    """X as a caller has it, classes, weights or None, coefficients of shape (n_classes, n_features + 1)."""

    def __init__(self, X, classes, coef, sample_weight=None, dtype=np.float64):
        """`dtype` is what products are computed in; None for the design of small problems."""
        self.X, self.classes, self.coef, self.sample_weight, self.dtype = X, classes, coef, sample_weight, dtype
        # Sums of float32 products are those of BLAS, over the features and over the rows of a tile.
        self.rtol = 4e-6 if dtype == np.float32 else 1e-12

    def design(self, n_threads=1):
        X = check_sparse_features(self.X) if sparse.issparse(self.X) else check_features(self.X)
        weight = check_sample_weight(self.sample_weight, len(self.classes))
        loss = SoftmaxLoss(self.classes, len(self.coef), weight)
        team = Team(n_threads, rest=Rest(np.inf))
        if self.dtype is None:
            return Passes(SmallMatrix(X), loss)
        return Passes(
            CSRMatrix(X, team=team) if sparse.issparse(X) else DenseMatrix(X, dtype=self.dtype, team=team), loss
        )

    def objective(self, **parameters):
        return softmax_objective_of(self.design(), **parameters)

    @property
    def dense(self):
        """X in float64, what the expectations are formed from."""
        return (self.X.toarray() if sparse.issparse(self.X) else self.X).astype(np.float64)

    @property
    def with_ones(self):
        """[X 1] in float64."""
        return np.column_stack([self.dense, np.ones(len(self.classes))])

    @property
    def absolute(self):
        return np.abs(self.with_ones)

    @property
    def weights(self):
        return np.ones(len(self.classes)) if self.sample_weight is None else self.sample_weight

    def margin_bound(self, coef=None):
        """Bound on the rounding of the raw predictions of each sample."""
        coef = self.coef if coef is None else coef
        return self.rtol * (self.absolute @ np.abs(coef).T).max(axis=1) + 1e-300

    def loss_bound(self):
        """Bound on the rounding of the summed loss: its derivatives' absolute values have a sum of at most 2."""
        return float((self.weights * (2 * self.margin_bound() * (1 + self.rtol) + self.rtol)).sum())

    def probability_bound(self):
        """Bound on the rounding of each weighted probability: changes of z by d change it by d / 2 at most."""
        return self.weights * (np.minimum(1.0, self.margin_bound()) + 2 * self.rtol)

    def product_bound(self, direction):
        """Bound on the rounding of each weighted p * (t - p . t)."""
        largest = (self.absolute @ np.abs(direction).T).max(axis=1)
        return 4 * self.probability_bound() * largest + 2 * self.weights * self.margin_bound(direction)


def kind_of(kind):
    return ("float64", "C", None) if kind == SMALL else KINDS[kind]


def make_softmax_problem(shape, kind="float64-C", weights=None, seed=0):
    """A random problem whose raw predictions are of order 3; every class occurs where there are samples enough."""
    n_samples, n_features, n_classes = shape
    rng = np.random.default_rng([seed, *shape])
    dtype, layout, products = kind_of(kind)
    if kind.startswith("csr"):
        X = make_sparse_problem(shape[:2], dtype, layout, seed=seed).X
    else:
        X = random_features(rng, *shape[:2], dtype, layout)
    largest = max(1.0, float(np.abs(X).max()) / 2)
    coef = rng.normal(size=(n_classes, n_features + 1)) * 3.0 / (np.sqrt(n_features) * largest)
    coef[:, -1] = rng.normal(size=n_classes)
    classes = rng.permutation(np.arange(n_samples) % n_classes)
    return SoftmaxProblem(X, classes, coef, random_weights(rng, n_samples) if weights else None, products)


def random_direction(problem, seed=3):
    return np.random.default_rng(seed).normal(size=problem.coef.shape) * np.abs(problem.coef).max()


# ------------------------------------------------------------------------------------------------ twins in NumPy


def check_passes(problem):
    X, classes, weight, coef = problem.dense, problem.classes, problem.sample_weight, problem.coef
    design, direction = problem.design(), random_direction(problem)

    loss, gradient = design.loss_gradient(coef)
    expected_loss, expected_gradient = reference.softmax_loss_gradient(X, classes, weight, coef)
    assert_within(loss, expected_loss, problem.loss_bound())
    assert_within(gradient, expected_gradient, problem.probability_bound() @ problem.absolute)

    product = design.hessian_product(direction)
    expected_product = reference.softmax_hessian_product(X, weight, coef, direction)
    assert_within(product, expected_product, problem.product_bound(direction) @ problem.absolute)

    hessian = design.intercept_hessian()
    expected = reference.softmax_intercept_hessian(X, weight, coef)
    assert_within(hessian, expected, 2 * problem.probability_bound().sum())
    np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=problem.rtol * problem.weights.sum())

    if coef.size <= 1_000:
        hessian = design.matrix.class_sandwich(design.loss, coef)
        np.testing.assert_array_equal(hessian, hessian.T)
        product = (hessian @ direction.ravel()).reshape(coef.shape)
        assert_within(product, expected_product, 4 * problem.product_bound(direction) @ problem.absolute)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@kinds
@weighted
def test_passes_equal_their_numpy_twins(shape, kind, weights):
    check_passes(make_softmax_problem(shape, kind, weights))


@pytest.mark.parametrize("shape", [(40, 3_000, 3), (5_000, 3, 4)], ids=str)
@few_kinds
def test_long_rows_and_long_columns_equal_their_numpy_twins(shape, kind):
    check_passes(make_softmax_problem(shape, kind, "random"))


@st.composite
def softmax_problems(draw):
    shape = draw(st.integers(1, 300)), draw(st.integers(1, 40)), draw(st.integers(3, 12))
    problem = make_softmax_problem(
        shape, draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(WEIGHTS)), draw(st.integers(0, 2**32))
    )
    problem.coef *= draw(st.sampled_from([0.0, 1e-3, 1.0, 300.0]))
    problem.classes = np.random.default_rng(0).integers(0, draw(st.integers(1, shape[2])), shape[0])
    return problem


@given(softmax_problems())
def test_any_problem_equals_its_numpy_twin(problem):
    check_passes(problem)


def test_the_twin_is_the_formula_in_more_digits():
    problem = make_softmax_problem((40, 7, 4), weights="random")
    z = (problem.dense @ problem.coef[:, :-1].T + problem.coef[:, -1]).astype(np.longdouble)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    own = np.eye(4)[problem.classes]
    loss, gradient = reference.softmax_loss_gradient(problem.X, problem.classes, problem.sample_weight, problem.coef)
    assert loss == pytest.approx(float(-problem.weights @ np.log((p * own).sum(axis=1))), rel=1e-14)
    ones = np.column_stack([problem.X, np.ones(40)])
    np.testing.assert_allclose(gradient, ((p - own) * problem.weights[:, None]).T.astype(float) @ ones, rtol=1e-12)


def test_every_pass_is_counted():
    design = make_softmax_problem((40, 7, 4)).design()
    design.loss_gradient(np.zeros((4, 8)))
    design.hessian_product(np.ones((4, 8)))
    design.intercept_hessian()
    assert design.n_passes == 3
    design.separates(np.ones((4, 8)))
    assert design.n_passes == 4


# ------------------------------------------------------------------------------------------- itself, said differently


@few_kinds
@weighted
def test_gradient_equals_finite_differences(kind, weights):
    problem = make_softmax_problem((37, 5, 4), kind, weights)
    problem.dtype = problem.dtype and np.float64
    design = problem.design()
    gradient = design.loss_gradient(problem.coef)[1]
    h = 1e-5
    for place in np.ndindex(gradient.shape):
        e = np.zeros(gradient.shape)
        e[place] = h
        slope = (design.loss_gradient(problem.coef + e)[0] - design.loss_gradient(problem.coef - e)[0]) / (2 * h)
        assert slope == pytest.approx(gradient[place], rel=1e-6, abs=1e-7)


@few_kinds
@weighted
def test_hessian_product_equals_a_difference_of_gradients(kind, weights):
    problem = make_softmax_problem((37, 5, 4), kind, weights)
    problem.dtype = problem.dtype and np.float64
    design, direction, h = problem.design(), random_direction(problem), 1e-5
    above = design.loss_gradient(problem.coef + h * direction)[1]
    below = design.loss_gradient(problem.coef - h * direction)[1]
    design.loss_gradient(problem.coef)
    np.testing.assert_allclose(design.hessian_product(direction), (above - below) / (2 * h), rtol=1e-6, atol=1e-6)


@few_kinds
@weighted
def test_intercept_hessian_is_made_of_products_with_the_intercepts(kind, weights):
    problem = make_softmax_problem((300, 5, 4), kind, weights)
    problem.dtype = problem.dtype and np.float64
    design = problem.design()
    design.loss_gradient(problem.coef)
    hessian = design.intercept_hessian()
    for k in range(4):
        direction = np.zeros(problem.coef.shape)
        direction[k, -1] = 1.0
        np.testing.assert_allclose(design.hessian_product(direction)[:, -1], hessian[k], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(hessian.sum(axis=0), 0.0, atol=1e-10)


@few_kinds
@weighted
def test_adding_the_same_to_all_classes_changes_no_loss(kind, weights):
    problem = make_softmax_problem((300, 5, 4), kind, weights)
    shift = np.random.default_rng(1).normal(size=problem.coef.shape[1]) / np.abs(problem.dense).max()
    moved = SoftmaxProblem(problem.X, problem.classes, problem.coef + shift, problem.sample_weight, problem.dtype)
    loss, gradient = problem.design().loss_gradient(problem.coef)
    moved_loss, moved_gradient = moved.design().loss_gradient(moved.coef)
    assert_within(moved_loss, loss, problem.loss_bound() + moved.loss_bound())
    bound = (problem.probability_bound() + moved.probability_bound()) @ problem.absolute
    assert_within(moved_gradient, gradient, bound)
    assert_within(gradient.sum(axis=0), 0.0 * shift, 4 * bound)


@few_kinds
def test_permuting_classes_permutes_gradients(kind):
    problem = make_softmax_problem((300, 5, 4), kind, "random")
    order = np.array([2, 0, 3, 1])  # class k is called order[k] now
    coef = np.empty_like(problem.coef)
    coef[order] = problem.coef
    other = SoftmaxProblem(problem.X, order[problem.classes], coef, problem.sample_weight, problem.dtype)
    loss, gradient = problem.design().loss_gradient(problem.coef)
    other_loss, other_gradient = other.design().loss_gradient(coef)
    assert_within(other_loss, loss, 2 * problem.loss_bound())
    assert_within(other_gradient[order], gradient, 2 * problem.probability_bound() @ problem.absolute)


@few_kinds
@weighted
def test_two_classes_are_the_binary_loss_of_the_difference(kind, weights):
    problem = make_softmax_problem((300, 5, 2), kind, weights)
    y = problem.classes.astype(float)
    loss, gradient = problem.design().loss_gradient(problem.coef)
    difference = problem.coef[1] - problem.coef[0]
    expected, slope = reference.loss_gradient(problem.dense, y, problem.sample_weight, difference)
    assert_within(loss, expected, 2 * problem.loss_bound())
    bound = 2 * problem.probability_bound() @ problem.absolute
    assert_within(gradient[1], slope, bound)
    assert_within(gradient[0], -slope, bound)


@kinds
def test_weight_k_equals_k_copies_and_weight_zero_an_absent_row(kind):
    problem = make_softmax_problem((67, 5, 4), kind)
    counts = np.random.default_rng(5).integers(0, 4, 67)
    rows = np.repeat(np.arange(67), counts)
    assert (counts == 0).any()
    heavy = SoftmaxProblem(problem.X, problem.classes, problem.coef, counts.astype(float), problem.dtype)
    X = problem.X[rows] if kind.startswith("csr") else np.asarray(problem.X[rows], order=KINDS[kind][1])
    copies = SoftmaxProblem(X, problem.classes[rows], problem.coef, None, problem.dtype)
    assert heavy.design().weight_sum == copies.design().weight_sum
    (loss, gradient), (same_loss, same_gradient) = (p.design().loss_gradient(p.coef) for p in (heavy, copies))
    assert_within(loss, same_loss, 2 * copies.loss_bound())
    assert_within(gradient, same_gradient, 2 * copies.probability_bound() @ copies.absolute)


# -------------------------------------------------------------------------------------------------------- extremes


@few_kinds
@weighted
@pytest.mark.parametrize("magnitude", [1e15, 1e30, 1e300])
def test_huge_raw_predictions_and_ties_give_finite_sums(kind, weights, magnitude):
    # Raw predictions of +-magnitude and 0; two classes always tie.
    rng = np.random.default_rng(7)
    X = rng.choice([-1.0, 0.0, 1.0], size=(200, 3))
    X[:, 1:] = 0.0
    dtype, layout, products = kind_of(kind)
    if magnitude > 1e30 and products == np.float32:
        pytest.skip("infinite in float32")
    X = sparse.csr_array(X) if kind.startswith("csr") else np.asarray(X, dtype=dtype, order=layout)
    coef = np.zeros((4, 4))
    coef[1, 0], coef[2, 0], coef[3, 0] = magnitude, magnitude, -magnitude
    weight = random_weights(rng, 200) if weights else None
    problem = SoftmaxProblem(X, rng.integers(0, 4, 200), coef, weight, products)
    design = problem.design()
    loss, gradient = design.loss_gradient(coef)
    z = problem.dense @ coef[:, :-1].T
    p = (z == z.max(axis=1, keepdims=True)).astype(float)
    p /= p.sum(axis=1, keepdims=True)
    own = np.eye(4)[problem.classes]
    losses = z.max(axis=1) - (z * own).sum(axis=1)
    expected = problem.weights @ np.where(losses > 0, losses, np.log((z == 0).sum(axis=1).clip(2)))
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(
        gradient, ((p - own) * problem.weights[:, None]).T @ problem.with_ones, rtol=1e-5, atol=1e-4
    )
    assert np.isfinite(design.intercept_hessian()).all()
    assert np.isfinite(design.hessian_product(np.ones((4, 4)))).all()


@few_kinds
def test_small_losses_keep_their_digits(kind):
    # A sample far on the right side: loss log(1 + rest), rest so small that 1 + rest has lost its digits.
    dtype, layout, products = kind_of(kind)
    X = np.ones((1, 1))
    X = sparse.csr_array(X) if kind.startswith("csr") else np.asarray(X, dtype=dtype, order=layout)
    for own in range(3):
        for margin in (20.0, 50.0, 80.0 if products == np.float32 else 300.0):
            coef = np.array([[0.0, -margin], [0.0, -margin - 0.5], [0.0, -margin - 1.0]])
            coef[own] = [0.25, -0.25]
            loss, gradient = SoftmaxProblem(X, np.array([own]), coef, None, products).design().loss_gradient(coef)
            others = np.exp(np.delete(coef.sum(axis=1), own))
            rtol = 1e-4 if products == np.float32 else 1e-12
            assert loss == pytest.approx(np.log1p(others.sum()), rel=rtol, abs=0.0)
            np.testing.assert_allclose(np.delete(gradient[:, -1], own), others / (1 + others.sum()), rtol=rtol)


@pytest.mark.parametrize("kind", [*KINDS, SMALL])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_found_by_the_pass_that_meets_it(kind, bad):
    if kind.startswith("uint8"):
        pytest.skip("holds numbers only")
    for place in (0, 100, -1):
        problem = make_softmax_problem((300, 5, 4), kind, "random")
        if kind.startswith("csr"):
            problem.X.data[place] = bad
        else:
            problem.X[place, place % 5] = bad
        for coef in (problem.coef, 0 * problem.coef, np.ones((4, 6)), np.abs(problem.coef), -np.abs(problem.coef)):
            with pytest.raises(ValueError, match="X must be finite"):
                problem.design().loss_gradient(coef)


# ------------------------------------------------------------------------------------------------ arrays and threads


@pytest.mark.parametrize("kind", FEW_KINDS)
def test_any_number_of_threads_gives_the_same_bits(kind):
    problem = make_softmax_problem((20_000, 60, 7) if kind.startswith("csr") else THREADED, kind, "random")
    direction = random_direction(problem)
    results = []
    for n_threads in (1, 2, 3, 7):
        design = problem.design(n_threads)
        with design.team:
            loss, gradient = design.loss_gradient(problem.coef)
            parts = [np.float64(loss), gradient, design.hessian_product(direction), design.intercept_hessian()]
            assert bool(design.team._threads) == (n_threads > 1)
        results.append([part.tobytes() for part in parts])
    assert all(result == results[0] for result in results)


@kinds
@pytest.mark.parametrize("n_threads", [1, 3])
def test_inputs_are_never_written_to(kind, n_threads):
    problem = make_softmax_problem(THREADED, kind, "random")
    X = problem.X
    inputs = [X.data, X.indices, X.indptr] if kind.startswith("csr") else [X]
    inputs += [problem.classes, problem.sample_weight, problem.coef]
    before = [array.tobytes(order="K") for array in inputs]
    design = problem.design(n_threads)
    with design.team:
        objective = softmax_objective_of(design, l2=0.1)
        _, gradient = objective.loss_gradient(problem.coef)
        objective.gap_bound(gradient)
        objective.preconditioner()(gradient)
        objective.separates(problem.coef)
    assert [array.tobytes(order="K") for array in inputs] == before


def test_wide_indices_and_read_only_arrays_give_the_same_bits():
    problem = make_softmax_problem((300, 20, 4), "csr-float64-int32", "random")
    X = problem.X
    expected = problem.design().loss_gradient(problem.coef)[1]
    locked = [array.copy() for array in (X.data, X.indices, X.indptr)]
    for array in locked:
        array.flags.writeable = False
    wide = [X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)]
    for arrays in (locked, wide):
        problem.X = csr_of(*arrays, X.shape)
        assert problem.design().loss_gradient(problem.coef)[1].tobytes() == expected.tobytes()


@given(st.integers(1, 10**7), st.integers(1, 10**5), st.integers(3, 1_000))
def test_gradients_of_all_blocks_stay_small(n_samples, n_features, n_classes):
    rows = softmax_block_rows(n_samples, n_features, n_classes)
    n_blocks = -(-n_samples // rows)
    assert rows % 4 == 0
    assert n_blocks * n_features * n_classes <= max(2 * n_features * n_classes, n_samples * n_features / 8)


# --------------------------------------------------------------------------------------------------------- objective


def exact_softmax(X, classes, weight, l2, coef, fit_intercept=True):
    """f and its gradient at coef in extended precision, as the textbook has them."""
    ones = np.column_stack([X, np.ones(len(X))]).astype(np.longdouble)
    share = (np.ones(len(X)) if weight is None else weight).astype(np.longdouble)
    share = share / share.sum()
    penalty = np.full(coef.shape, l2, np.longdouble)
    penalty[:, -1] = 0
    z = ones @ coef.T.astype(np.longdouble)
    rows = np.arange(len(X))
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1)
    own = np.eye(len(coef))[classes]
    value = share @ (np.log(total) - z[rows, classes]) + (penalty * coef * coef).sum() / 2
    gradient = ((e / total[:, None] - own) * share[:, None]).T @ ones + penalty * coef
    if not fit_intercept:
        gradient[:, -1] = 0
    return value, gradient


def exact_softmax_hessian(X, weight, l2, coef, fit_intercept):
    """The Hessian of f over raveled coefficients, built class pair by class pair."""
    n_classes, m = coef.shape
    ones = np.column_stack([X, np.ones(len(X))])
    share = np.ones(len(X)) if weight is None else weight
    z = ones @ coef.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    hessian = np.empty((n_classes, m, n_classes, m))
    for k in range(n_classes):
        for j in range(n_classes):
            d = share / share.sum() * p[:, k] * ((k == j) - p[:, j])
            hessian[k, :, j, :] = ones.T @ (d[:, None] * ones)
    hessian = hessian.reshape(n_classes * m, -1)
    free = np.ones((n_classes, m))
    free[:, -1] = 0.0
    hessian += np.diag(l2 * free.ravel())
    if not fit_intercept:
        hessian *= np.outer(free, free)
    return hessian


@single_threaded_blas()
def exact_softmax_minimum(X, classes, n_classes, weight=None, l2=0.0, fit_intercept=True):
    """Coefficients and f at the optimum, by damped Newton steps until they gain nothing any more."""
    coef = np.zeros((n_classes, X.shape[1] + 1))
    value, gradient = exact_softmax(X, classes, weight, l2, coef, fit_intercept)
    for _ in range(100):
        hessian = exact_softmax_hessian(X, weight, l2, coef, fit_intercept)
        step = -np.linalg.lstsq(hessian, gradient.ravel().astype(float), rcond=1e-13)[0].reshape(coef.shape)
        length = 1.0
        while length > 1e-9:
            end = exact_softmax(X, classes, weight, l2, coef + length * step, fit_intercept)
            if end[0] < value:
                break
            length /= 2
        else:
            assert np.abs((gradient * step).sum()) <= 1e-16 * value, "the reference did not converge"
            return coef, value
        coef = coef + length * step
        value, gradient = end
    raise AssertionError("the reference did not converge")


def classified(n_samples, n_features, n_classes, seed=0, signal=1.5):
    """Correlated normal features, classes that no hyperplanes separate, weights a few of which are zero."""
    rng = np.random.default_rng([seed, n_samples, n_features, n_classes])
    X = rng.normal(size=(n_samples, n_features)) @ (np.eye(n_features) + 0.3 * rng.normal(size=(n_features,) * 2))
    z = X @ rng.normal(size=(n_features, n_classes)) * signal / np.sqrt(n_features) + rng.normal(size=n_classes) / 2
    classes = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    classes[:n_classes] = np.arange(n_classes)
    weight = rng.exponential(size=n_samples) * (rng.random(n_samples) > 0.1)
    weight[:n_classes] = 1.0
    return X, classes, weight


def softmax_objective(X, classes, weight=None, n_classes=None, **parameters):
    coef = np.zeros((n_classes or classes.max() + 1, X.shape[1] + 1))
    return SoftmaxProblem(X, classes, coef, weight).objective(**parameters)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@weighted
@pytest.mark.parametrize("l2", [0.0, 0.3])
@intercepts
def test_value_and_derivatives_are_those_of_the_formula(form, weights, l2, fit_intercept):
    X, classes, weight = classified(60, 5, 4)
    weight = weight if weights else None
    coef = np.random.default_rng(1).normal(size=(4, 6))
    coef[:, -1] *= fit_intercept
    objective = softmax_objective(form(X), classes, weight, l2=l2, fit_intercept=fit_intercept)
    value, gradient = objective.loss_gradient(coef.ravel())
    expected, slope = exact_softmax(X, classes, weight, l2, coef, fit_intercept)
    assert value == pytest.approx(float(expected), rel=1e-13)
    np.testing.assert_allclose(gradient.reshape(4, 6), slope.astype(float), atol=1e-14)
    direction = np.random.default_rng(2).normal(size=24)
    expected = exact_softmax_hessian(X, weight, l2, coef, fit_intercept) @ direction
    if not fit_intercept:  # as if those of the intercepts were of the identity
        expected[5::6] = direction[5::6]
    np.testing.assert_allclose(objective.hessian_product(direction), expected, atol=1e-13)


@weighted
@pytest.mark.parametrize("l2", [1e-4, 0.01, 1.0])
@intercepts
def test_two_classes_are_the_binary_problem_with_half_the_penalty(weights, l2, fit_intercept):
    X, y, weight = labelled(120, 5)
    weight = weight if weights else None
    # At the optimum w_0 = -w_1: l2/2 (|w_0|^2 + |w_1|^2) is l2/4 |w|^2 of the difference w = w_1 - w_0.
    expected, minimum = exact_minimum(X, y, weight, l2 / 2, fit_intercept)
    for name in MULTICLASS:
        objective = softmax_objective(X, y.astype(int), weight, l2=l2, fit_intercept=fit_intercept)
        result = objective.solved(SOLVERS[name], tol=1e-13, max_iter=100)
        coef = result.coef.reshape(2, -1)
        assert result.value == pytest.approx(float(minimum), rel=1e-12)
        np.testing.assert_allclose(coef[1] - coef[0], expected.astype(float), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(coef[0, :-1], -coef[1, :-1], atol=1e-6)


# ------------------------------------------------------------------------------------------------------- certificate


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
@intercepts
def test_gap_bound_bounds_the_distance_from_the_optimum_at_any_point(form, use_weight, l2, fit_intercept):
    X, classes, weight = classified(80, 4, 3)
    weight = weight if use_weight else None
    optimum, minimum = exact_softmax_minimum(X, classes, 3, weight, l2, fit_intercept)
    objective = softmax_objective(form(X), classes, weight, l2=l2, fit_intercept=fit_intercept)
    rng = np.random.default_rng(5)
    free = np.append(np.ones(4), fit_intercept)
    alone = free * np.append(np.zeros(4), 1.0)
    points = [np.zeros((3, 5))]
    for distance in np.logspace(-6, 1, 8):
        points += [optimum + distance * rng.normal(size=(3, 5)) * which for which in (free, alone)]
    finite = 0
    for coef in points:
        value, _ = exact_softmax(X, classes, weight, l2, coef, fit_intercept)
        _, gradient = objective.loss_gradient(coef.ravel())
        bound = objective.gap_bound(gradient)
        assert bound >= float(value - minimum) * (1 - 1e-9) - 1e-16
        finite += np.isfinite(bound)
    assert finite >= 12
    _, gradient = objective.loss_gradient(optimum.ravel())
    assert objective.gap_bound(gradient) <= 1e-14 / min(l2, 1.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("use_weight", [False, True])
def test_gap_bound_is_no_less_than_the_duality_gap_of_its_dual_point(seed, use_weight):
    X, classes, weight = classified(60, 4, 3, seed)
    share = weight / weight.sum() if use_weight else np.full(60, 1 / 60)
    rng = np.random.default_rng(seed)
    feasible = 0
    for l2 in (1e-3, 0.1, 3.0):
        for size in (0.01, 0.3):
            objective = softmax_objective(X, classes, weight if use_weight else None, l2=l2)
            coef = rng.normal(size=(3, 5)) * size
            value, gradient = objective.loss_gradient(coef.ravel())
            bound = objective.gap_bound(gradient)
            if bound == np.inf:
                continue
            z = X @ coef[:, :-1].T + coef[:, -1]
            p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            blocks = share[:, None, None] * (p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :])
            t = np.linalg.lstsq(blocks.sum(axis=0), gradient.reshape(3, 5)[:, -1], rcond=1e-12)[0]
            q = p - p * (t - (p @ t)[:, None])
            assert (q >= 0).all()
            A = share[:, None] * (q - np.eye(3)[classes])
            np.testing.assert_allclose(A.sum(axis=0), 0.0, atol=1e-14)
            entropy = np.where(q > 0, q * np.log(np.where(q > 0, q, 1.0)), 0.0).sum(axis=1)
            dual = -share @ entropy - np.sum((A.T @ X) ** 2) / (2 * l2)
            assert bound >= (value - dual) * (1 - 1e-10) - 1e-14
            feasible += 1
    assert feasible >= 3


def test_gap_bound_says_nothing_without_a_penalty_or_far_from_dual_points():
    X, classes, _ = classified(60, 4, 3)
    coef = np.zeros((3, 5))
    objective = softmax_objective(X, classes)
    assert objective.gap_bound(objective.loss_gradient(coef.ravel())[1]) == np.inf
    objective = softmax_objective(X, classes, l2=0.1)
    coef[0, -1] = 30.0  # all p next to 0 or 1
    assert objective.gap_bound(objective.loss_gradient(coef.ravel())[1]) == np.inf


_MINIMA = {}


def minimum_over_classified(shape, use_weight, l2, fit_intercept):
    """The minimum over `classified(*shape)`, found once."""
    key = shape, use_weight, l2, fit_intercept
    if key not in _MINIMA:
        X, classes, weight = classified(*shape)
        weight = weight if use_weight else None
        _MINIMA[key] = float(exact_softmax_minimum(X, classes, shape[2], weight, l2, fit_intercept)[1])
    return _MINIMA[key]


def check_whole_way(name, form, shape, use_weight, l2, fit_intercept):
    """Bounds at every evaluation of a run hold, and it ends at the optimum."""
    X, classes, weight = classified(*shape)
    weight = weight if use_weight else None
    minimum = minimum_over_classified(shape, use_weight, l2, fit_intercept)
    objective = softmax_objective(form(X), classes, weight, l2=l2, fit_intercept=fit_intercept)
    bounds = []
    plain = objective.inner.loss_gradient

    def noted(coef):
        value, gradient = plain(coef)
        bounds.append((value, objective.inner.gap_bound(gradient)))
        return value, gradient

    objective.inner.loss_gradient = noted
    result = objective.solved(SOLVERS[name], tol=1e-12, max_iter=100)
    assert result.converged
    assert result.gap <= 1e-12
    assert result.value == pytest.approx(minimum, rel=2e-12)
    coef = result.coef.reshape(shape[2], -1)
    value, _ = exact_softmax(X, classes, weight, l2, coef, fit_intercept)
    assert result.value == pytest.approx(float(value), rel=1e-13)
    assert fit_intercept or not coef[:, -1].any()
    assert len(bounds) >= 3
    for value, bound in bounds:
        assert value - minimum <= bound * (1 + 1e-9) + 1e-14
    for record in result.history:
        assert (record["value"] - minimum) / minimum <= record["gap"] + 2e-13


@pytest.mark.parametrize("name", MULTICLASS)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shape", [(150, 5, 4), (30, 40, 3)], ids=str)
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
@intercepts
def test_gaps_bound_the_distance_along_the_whole_way(name, form, shape, use_weight, l2, fit_intercept):
    check_whole_way(name, form, shape, use_weight, l2, fit_intercept)


@pytest.mark.parametrize("name", MULTICLASS)
@intercepts
def test_one_factor_for_all_classes_leads_to_the_optimum_as_well(name, fit_intercept):
    check_whole_way(name, np.asarray, (70, 130, 3), True, 1e-2, fit_intercept)


@pytest.mark.parametrize("name", MULTICLASS)
@pytest.mark.parametrize("use_weight", [False, True])
@intercepts
def test_without_a_penalty_the_optimum_is_reached(name, use_weight, fit_intercept):
    X, classes, weight = classified(200, 4, 3)
    weight = weight if use_weight else None
    _, minimum = exact_softmax_minimum(X, classes, 3, weight, 0.0, fit_intercept)
    objective = softmax_objective(X, classes, weight, fit_intercept=fit_intercept)
    result = objective.solved(SOLVERS[name], tol=1e-8, max_iter=100)
    assert result.converged
    assert (result.value - float(minimum)) / float(minimum) <= 1e-8
    assert not objective.separates(result.coef)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_separates_sees_whether_all_that_weighs_is_right(form):
    X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [1.0, 1.0]])
    classes = np.array([0, 1, 2, 2])
    coef = np.column_stack([np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), np.zeros(3)])
    weight = np.array([1.0, 1.0, 1.0, 0.0])
    assert softmax_objective(form(X), classes, weight).separates(coef.ravel())
    assert not softmax_objective(form(X), classes).separates(coef.ravel())
    assert softmax_objective(form(X[:3]), classes[:3]).separates(coef.ravel())
    assert not softmax_objective(form(X[:3]), classes[:3]).separates(np.zeros(9))  # ties are not right


@kinds
@weighted
@pytest.mark.parametrize("l2", [0.0, 0.01])
@intercepts
def test_the_hessian_is_that_of_the_products_but_for_equal_changes_of_all_classes(kind, weights, l2, fit_intercept):
    problem = make_softmax_problem((90, 5, 4), kind, weights)
    objective = problem.objective(l2=l2, fit_intercept=fit_intercept)
    rng = np.random.default_rng(0)
    coef = problem.coef.copy()
    coef[:, -1] *= fit_intercept
    _, gradient = objective.loss_gradient(coef.ravel())
    hessian = objective.hessian()
    direction = rng.normal(size=coef.shape)
    direction -= direction.mean(axis=0)
    direction[:, -1] *= fit_intercept
    product = objective.hessian_product(direction.ravel())
    scale = problem.rtol * np.abs(hessian) @ np.abs(direction).ravel()
    assert_within(hessian @ direction.ravel(), product, 100 * scale)
    equal = np.tile(rng.normal(size=6), 4)
    assert equal @ hessian @ equal > 0.0
    gradient = gradient.reshape(coef.shape) * 1e-3
    bound = objective.gap_bound(gradient)
    assert objective.gap_bound(gradient, hessian) == pytest.approx(bound, rel=1e4 * problem.rtol)


@pytest.mark.parametrize("n_iris", [150, 60])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_small_problems_take_few_passes_to_the_last_digit(n_iris, C):
    X, y = load_iris(return_X_y=True)
    X, y = X[:: 150 // n_iris], y[:: 150 // n_iris]
    for form in (np.asarray, sparse.csr_array):
        model = LogisticRegression(C=C).fit(form(X), y)
        assert model.gap_ <= 1e-18
        assert model.n_passes_ <= 45


@pytest.mark.parametrize("floor", [0.1, 0.0])
@pytest.mark.parametrize("n_features", [5, 140])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@intercepts
def test_preconditioners_are_symmetric_and_positive_definite(n_features, form, fit_intercept, floor):
    X, classes, _ = classified(200, n_features, 4)
    objective = softmax_objective(form(X), classes, l2=0.01, fit_intercept=fit_intercept)
    rng = np.random.default_rng(0)
    objective.loss_gradient(0.1 * rng.normal(size=objective.n_coef))
    apply = objective.preconditioner(floor)
    one, other = rng.normal(size=(2, 4, n_features + 1))
    if not fit_intercept:
        one[:, -1] = other[:, -1] = 0.0
    one, other = one.ravel(), other.ravel()
    assert one @ apply(one) > 0.0
    assert one @ apply(other) == pytest.approx(other @ apply(one), rel=1e-9)
    if not fit_intercept:
        assert not apply(one).reshape(4, -1)[:, -1].any()


def test_all_classes_share_the_factor_that_zeros_give():
    X, classes, _ = classified(300, 5, 4)
    objective = softmax_objective(X, classes, l2=0.01)
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(4, 6))
    objective.loss_gradient(np.zeros(objective.n_coef))
    mapped = objective.preconditioner()(gradient.ravel()).reshape(4, 6)
    # The same curvature, 3/16, for every class.
    ones = np.column_stack([X, np.ones(300)])
    block = 3 / 16 * ones.T @ ones / 300 + 0.01 * np.diag([1, 1, 1, 1, 1, 0])
    expected = np.linalg.solve(block, gradient.T).T
    np.testing.assert_allclose(mapped, expected - expected.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_without_a_floor_every_class_has_the_factor_of_its_curvatures(dtype):
    X, classes, _ = classified(700, 140, 4)
    X = X.astype(np.float32).astype(np.float64)
    rng = np.random.default_rng(0)
    gradient, coef = rng.normal(size=(2, 4, 141))
    objective = SoftmaxProblem(X, classes, np.zeros((4, 141)), dtype=dtype).objective(l2=0.01)
    objective.loss_gradient(0.1 * coef.ravel())
    ones = np.column_stack([X, np.ones(700)])
    p = special.softmax(ones @ (0.1 * coef).T, axis=1)
    penalty = 0.01 * np.diag([1.0] * 140 + [0.0])
    centred = gradient - gradient.mean(axis=0)
    blocks = [(ones.T * h) @ ones / 700 + penalty for h in (p * (1 - p)).T]
    expected = np.stack([np.linalg.solve(block, row) for block, row in zip(blocks, centred, strict=True)])
    mapped = objective.preconditioner(0.0)(gradient.ravel()).reshape(4, 141)
    np.testing.assert_allclose(mapped, expected - expected.mean(axis=0), rtol=1e-2 if dtype == np.float32 else 1e-8)


@pytest.mark.parametrize("Cs", [np.logspace(-3, 3, 7), [1.0, 1.0, 0.1, 10.0, np.inf, 1e3], [1.0, 1.1, 1e6]])
def test_a_path_ends_at_the_optimum_of_each_C_in_whatever_order(Cs):
    X, classes, _ = classified(150, 5, 3)
    problem = Problem(X, classes, 3, np.empty(0), 1.0, True)
    with quiet_team(1) as team:
        path = list(fit_path(problem, Cs, tol=1e-9, max_iter=100, start=None, dtype=np.float64, team=team))
    for C, end in zip(Cs, path, strict=True):
        alone = LogisticRegression(C=C, tol=1e-10).fit(X, classes)
        assert end.result.converged
        assert end.result.value == pytest.approx(alone.objective_, rel=1e-8)


def test_a_path_goes_on_where_its_fits_lead():
    X, classes, _ = classified(3_000, 20, 5)
    problem = Problem(X, classes, 5, np.empty(0), 1.0, True)
    Cs = np.logspace(-3, 3, 20)
    with quiet_team(1) as team:
        path = list(fit_path(problem, Cs, tol=1e-6, max_iter=100, start=None, dtype=np.float64, team=team))
        one_by_one, start = 0, None
        for C in Cs:
            end = next(fit_path(problem, [C], tol=1e-6, max_iter=100, start=start, dtype=np.float64, team=team))
            start = end.result.coef
            one_by_one += end.n_passes
    assert sum(end.n_passes for end in path) < one_by_one
