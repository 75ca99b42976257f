"""The objective against NumPy and finite differences; its certificate against the true distance from the optimum."""

import numpy as np
import pytest
from conftest import (
    DTYPES,
    ORDERS,
    WEIGHTS,
    assert_within,
    csr_passes,
    dense_passes,
    logistic_objective,
    make_problem,
    strength,
)
from scipy import sparse
from scipy.special import expit, xlogy

from fastlr import LogisticRegression, reference
from fastlr._validation import check_features, check_sparse_features
from fastlr.linalg.blas import single_threaded_blas
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.csr import CSRMatrix
from fastlr.objectives import relative_gap
from fastlr.objectives.penalties import L2
from fastlr.solvers._newton import Newton

SHAPES = [(1, 1), (7, 3), (40, 12), (12, 40)]

intercepts = pytest.mark.parametrize("fit_intercept", [True, False])
penalties = pytest.mark.parametrize("l2", [0.0, 1e-4, 0.3, 20.0])
orders = pytest.mark.parametrize("order", ORDERS)
weighted = pytest.mark.parametrize("weights", WEIGHTS)


# ------------------------------------------------------------------------------------------ the true optimum, by NumPy


def exact_derivatives(X, y, weight, l2, coef, fit_intercept=True, dtype=np.longdouble):
    """f, its gradient and its Hessian at [w, b], as the textbook has them."""
    ones = np.column_stack([X, np.ones(len(X))]).astype(dtype)
    share = (np.ones(len(X)) if weight is None else weight).astype(dtype)
    share /= share.sum()
    penalty = np.full(coef.size, l2, dtype)
    penalty[-1] = 0
    z = ones @ coef.astype(dtype)
    e = np.exp(-np.abs(z))
    p = np.where(z >= 0, 1, e) / (1 + e)
    value = share @ (np.log1p(e) + np.maximum(z, 0) - y * z) + (penalty * coef) @ coef / 2
    gradient = ones.T @ (share * (p - y)) + penalty * coef
    hessian = ones.T @ ((share * e / (1 + e) ** 2)[:, None] * ones) + np.diag(penalty)
    if not fit_intercept:
        gradient[-1] = hessian[-1] = hessian[:, -1] = 0
        hessian[-1, -1] = 1
    return value, gradient, hessian


@single_threaded_blas()
def exact_minimum(X, y, weight=None, l2=0.0, fit_intercept=True, dtype=np.longdouble):
    """[w, b] and f at the optimum, by damped Newton steps until they gain nothing any more.

    Sums are extended in precision where the platform has it; the steps are least-squares solutions in float64, on
    columns brought to one scale, so that collinear and badly scaled ones do no harm.
    """
    X = np.asarray(X, dtype=np.float64)
    coef = np.zeros(X.shape[1] + 1, dtype)
    value, gradient, hessian = exact_derivatives(X, y, weight, l2, coef, fit_intercept, dtype)
    for _ in range(200):
        diagonal = hessian.diagonal()
        scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
        scaled = (hessian * scale * scale[:, None]).astype(np.float64)
        step = -scale * np.linalg.lstsq(scaled, (scale * gradient).astype(np.float64), rcond=1e-15)[0]
        decrement = -gradient @ step
        length = dtype(1)
        while decrement > 4 * np.finfo(dtype).eps * value and length > 1e-12:
            end = exact_derivatives(X, y, weight, l2, coef + length * step, fit_intercept, dtype)
            if end[0] < value and end[0] <= value - 1e-4 * length * decrement:  # equal values are no progress
                break
            length /= 2
        else:
            return coef, value
        coef = coef + length * step
        value, gradient, hessian = end
    raise AssertionError("the reference did not converge")


def rounding(X, coef):
    """Bound on the rounding of f at [w, b] in float64: that of the raw predictions, whose derivatives are at most 1."""
    return 1e-15 * (2.0 + float(np.max(np.abs(X) @ np.abs(coef[:-1].astype(float)) + abs(float(coef[-1])))))


def labelled(n_samples, n_features, seed=0, signal=2.0):
    """Normal features with correlated columns, and labels 0 and 1 that no hyperplane separates."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    mixing = np.eye(n_features) + 0.3 * rng.normal(size=(n_features, n_features))
    X = rng.normal(size=(n_samples, n_features)) @ mixing
    margins = X @ rng.normal(size=n_features)
    y = (rng.random(n_samples) < expit(signal * margins / margins.std() - 0.4)).astype(np.float64)
    return X, y, rng.exponential(size=n_samples) * (rng.random(n_samples) > 0.15)


def objective_of(X, y, weight=None, **parameters):
    weight = np.empty(0) if weight is None else weight
    return logistic_objective(dense_passes(check_features(X), y, weight), **parameters)


# ------------------------------------------------------------------------------------------------- value, derivatives


def objective_and_point(problem, l2, fit_intercept):
    coef = problem.coef.copy()
    if not fit_intercept:
        coef[-1] = 0.0
    return logistic_objective(problem.design(), l2=l2, fit_intercept=fit_intercept), coef


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "order"), [("float64", "F"), *((name, "C") for name in DTYPES)])
@weighted
@pytest.mark.parametrize("l2", [0.0, 0.3])
@intercepts
def test_value_and_derivatives_are_those_of_the_formula(shape, dtype, order, weights, l2, fit_intercept):
    problem = make_problem(*shape, dtype, order, weights)
    objective, coef = objective_and_point(problem, l2, fit_intercept)
    problem = problem.but(coef=coef)
    X, y, weight = problem.effective, problem.y, problem.sample_weight
    total = problem.weights.sum()
    penalised = np.append(np.ones(shape[1]), 0.0)

    value, gradient = objective.loss_gradient(coef)
    loss, slope = reference.loss_gradient(X, y, weight, coef)
    penalty = l2 / 2 * coef[:-1] @ coef[:-1]
    assert_within(value, loss / total + penalty, problem.loss_bound() / total + problem.rtol * penalty)
    expected = slope / total + l2 * penalised * coef
    bound = problem.gradient_bound() / total + problem.rtol * l2 * np.abs(coef)
    if not fit_intercept:
        expected[-1] = 0.0
    assert_within(gradient, expected, bound)

    ones = np.abs(problem.with_ones)
    curvature = problem.curvature_bound() + problem.rtol * problem.weights / 4
    bound = (ones.T @ (curvature[:, None] * ones)) / total + problem.rtol * l2
    expected = reference.hessian(X, weight, coef) / total + l2 * np.diag(penalised)
    if not fit_intercept:
        expected[-1] = expected[:, -1] = 0.0
        expected[-1, -1] = 1.0
    hessian = objective.hessian()
    assert_within(hessian, expected, bound)

    direction = np.random.default_rng(1).normal(size=coef.size) * np.append(np.ones(shape[1]), fit_intercept)
    assert_within(objective.hessian_product(direction), expected @ direction, 3 * bound @ np.abs(direction))


@orders
@weighted
@penalties
@intercepts
def test_gradient_is_the_difference_of_values_and_the_product_that_of_gradients(order, weights, l2, fit_intercept):
    problem = make_problem(60, 9, "float64", order, weights)
    objective, coef = objective_and_point(problem, l2, fit_intercept)
    for direction in np.random.default_rng(2).normal(size=(4, coef.size)):
        if not fit_intercept:
            direction[-1] = 0.0
        h = 1e-5
        above, gradient_above = objective.loss_gradient(coef + h * direction)
        below, gradient_below = objective.loss_gradient(coef - h * direction)
        _, gradient = objective.loss_gradient(coef)
        scale = 1.0 + np.abs(direction) @ (np.abs(gradient) + l2)
        assert gradient @ direction == pytest.approx((above - below) / (2 * h), abs=1e-8 * scale)
        np.testing.assert_allclose(
            objective.hessian_product(direction), (gradient_above - gradient_below) / (2 * h), atol=1e-7 * scale
        )


def test_without_an_intercept_the_product_is_that_with_the_hessian_for_any_direction():
    objective, coef = objective_and_point(make_problem(40, 5), 0.3, False)
    objective.loss_gradient(coef)
    hessian = objective.hessian()
    direction = np.random.default_rng(4).normal(size=6)
    np.testing.assert_allclose(objective.hessian_product(direction), hessian @ direction, rtol=1e-12)


@weighted
@intercepts
def test_the_preconditioner_is_the_inverse_of_a_diagonal_and_of_what_the_mean_row_bends(weights, fit_intercept):
    problem = make_problem(60, 5, "float64", "C", weights)
    X, weight = np.abs(problem.X) + 0.3, np.empty(0) if problem.sample_weight is None else problem.sample_weight
    passes = csr_passes(check_sparse_features(sparse.csr_array(X)), problem.y, weight)
    objective = logistic_objective(passes, l2=0.1, fit_intercept=fit_intercept)
    coef = np.append(problem.coef[:-1], 0.0)
    objective.loss_gradient(coef)
    p = expit(X @ coef[:-1])
    h = problem.weights * p * (1 - p) / problem.weights.sum()
    mean = h @ X / h.sum()
    hessian = np.diag(np.append(h @ (X - mean) ** 2 + 0.1, 0.0))
    along = np.append(mean, float(fit_intercept))
    hessian += h.sum() * np.outer(along, along)
    hessian[-1, -1] += not fit_intercept
    gradient = np.append(np.random.default_rng(3).normal(size=5), 0.7 * fit_intercept)
    mapped = objective.preconditioner()(gradient)
    np.testing.assert_allclose(mapped, np.linalg.solve(hessian, gradient), rtol=1e-10, atol=1e-13)


@weighted
@penalties
@intercepts
def test_slope_is_the_derivative_along_a_direction_and_reads_no_features(weights, l2, fit_intercept):
    problem = make_problem(60, 9, "float64", "C", weights)
    objective, coef = objective_and_point(problem, l2, fit_intercept)
    direction = np.random.default_rng(3).normal(size=coef.size) * np.append(np.ones(9), fit_intercept)
    objective.loss_gradient(coef)
    objective.remember()
    objective.loss_gradient(coef + direction)
    slope_at = objective.slopes(objective.rows(coef), objective.rows(direction))
    for length in (0.0, 0.3, 1.0, -2.0):
        _, gradient = objective.loss_gradient(coef + length * direction)
        passes = objective.design.n_passes
        slope = slope_at(length)
        assert objective.design.n_passes == passes
        assert slope == pytest.approx(gradient @ direction, rel=1e-11, abs=1e-11 * (1 + l2) * np.abs(direction).sum())


@pytest.mark.parametrize("b", [0.0, 20.0, 40.0, -80.0])
def test_the_hessian_keeps_the_digits_of_a_small_curvature_of_the_intercept(b):
    problem = make_problem(30, 5)
    coef = np.append(np.zeros(5), b)
    objective = logistic_objective(problem.design(), l2=3.0)
    objective.loss_gradient(coef)
    curvature = np.exp(-abs(b)) / (1 + np.exp(-abs(b))) ** 2
    assert objective.hessian()[-1, -1] == pytest.approx(curvature, rel=1e-10, abs=0.0)


@weighted
@pytest.mark.parametrize("l2", [0.01, 5.0])
def test_the_intercept_is_a_column_of_ones_left_unpenalised(weights, l2):
    # scikit-learn #9979: liblinear penalises it.
    problem = make_problem(30, 5, "float64", "C", weights)
    coef = problem.coef
    value, gradient = logistic_objective(problem.design(), l2=l2).loss_gradient(coef)
    with_column = problem.but(X=np.column_stack([problem.X, np.ones(30)]), coef=np.append(coef, 0.0))
    objective = logistic_objective(with_column.design(), l2=l2, fit_intercept=False)
    value_ones, gradient_ones = objective.loss_gradient(with_column.coef)
    assert value_ones - l2 / 2 * coef[-1] ** 2 == pytest.approx(value, rel=1e-13)
    gradient_ones[-2] -= l2 * coef[-1]
    np.testing.assert_allclose(gradient_ones[:-1], gradient, atol=1e-13 * (1 + l2))


@weighted
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e5, np.inf])
def test_C_weighs_the_summed_loss_against_half_the_squared_norm(weights, C):
    problem = make_problem(30, 5, "float64", "C", weights)
    total = problem.weights.sum()
    z = problem.X @ problem.coef[:-1] + problem.coef[-1]
    losses = problem.weights * (np.log1p(np.exp(z)) - problem.y * z)
    l2 = strength(C, total)
    value, _ = logistic_objective(problem.design(), l2=l2).loss_gradient(problem.coef)
    if C == np.inf:
        assert l2 == 0.0
        assert value == pytest.approx(losses.sum() / total, rel=1e-13)
    else:
        w = problem.coef[:-1]
        assert C * total * value == pytest.approx(C * losses.sum() + w @ w / 2, rel=1e-13)


@penalties
@intercepts
def test_weight_k_is_k_copies_and_weight_zero_is_absence(l2, fit_intercept):
    # scikit-learn #29419, #16298
    problem = make_problem(40, 6)
    counts = np.random.default_rng(4).integers(0, 4, 40)
    once = problem.but(sample_weight=counts.astype(float))
    copied = problem.but(X=np.repeat(problem.X, counts, axis=0), y=np.repeat(problem.y, counts))
    assert (counts == 0).any()
    results = []
    for each in (once, copied):
        objective, coef = objective_and_point(each, l2, fit_intercept)
        value, gradient = objective.loss_gradient(coef)
        results.append((value, gradient, objective.hessian(), objective.gap_bound(gradient)))
    for weighted_result, copied_result in zip(*results, strict=True):
        np.testing.assert_allclose(weighted_result, copied_result, rtol=1e-11, atol=1e-12 * (1 + l2))


# ------------------------------------------------------------------------------------------------------- certificate


def points_around(optimum, fit_intercept, seed=5):
    """Coefficients at distances from 1e-7 to 10, at zero, and along the intercept alone."""
    rng = np.random.default_rng(seed)
    free = np.append(np.ones(optimum.size - 1), fit_intercept)
    yield np.zeros(optimum.size)
    for distance in np.logspace(-7, 1, 9):
        yield optimum + distance * rng.normal(size=optimum.size) * free
        yield optimum + distance * free * np.append(np.zeros(optimum.size - 1), 1.0)


@pytest.mark.parametrize("shape", [(60, 5), (20, 45)], ids=str)
@orders
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [1e-5, 1e-2, 1.0, 100.0])
@intercepts
def test_gap_bound_bounds_the_distance_from_the_optimum_at_any_point(shape, order, use_weight, l2, fit_intercept):
    X, y, weight = labelled(*shape)
    weight = weight if use_weight else None
    optimum, minimum = exact_minimum(X, y, weight, l2, fit_intercept)
    objective = objective_of(np.asarray(X, order=order), y, weight, l2=l2, fit_intercept=fit_intercept)
    finite = 0
    for coef in points_around(optimum.astype(float), fit_intercept):
        value, _, _ = exact_derivatives(X, y, weight, l2, coef, fit_intercept)
        _, gradient = objective.loss_gradient(coef)
        bound = objective.gap_bound(gradient)
        assert bound >= float(value - minimum) * (1 - 1e-9) - 1e-17
        finite += np.isfinite(bound)
    assert finite >= 12
    _, gradient = objective.loss_gradient(optimum.astype(float))
    assert objective.gap_bound(gradient) <= 1e-14 / min(l2, 1.0)


@weighted
@pytest.mark.parametrize("seed", range(5))
def test_gap_bound_is_no_less_than_the_duality_gap_of_its_dual_point(weights, seed):
    problem = make_problem(50, 8, "float64", "C", weights, seed=seed)
    share = problem.weights / problem.weights.sum()
    rng = np.random.default_rng(seed)
    for l2 in (1e-3, 0.1, 3.0):
        objective = logistic_objective(problem.design(), l2=l2)
        coef = rng.normal(size=9) * rng.choice([0.01, 0.3])
        value, gradient = objective.loss_gradient(coef)
        bound = objective.gap_bound(gradient)
        p = expit(problem.with_ones @ coef)
        h = p * (1 - p)
        t = gradient[-1] / (share @ h)
        if abs(t) > 1:
            assert bound == np.inf
            continue
        assert bound >= (value - dual_value(problem, l2, p - t * h)) * (1 - 1e-10) - 1e-14


def dual_value(problem, l2, q):
    """What Fenchel duality says of the minimum, from probabilities that have the weighted mean of y."""
    share = problem.weights / problem.weights.sum()
    alpha = share * (q - problem.y)
    assert alpha.sum() == pytest.approx(0.0, abs=1e-15)
    conjugate = share @ (xlogy(q, q) + xlogy(1 - q, 1 - q))
    # Only targets 0 and 1 were usual in the literature; the conjugate at q - y is the same for any.
    return -conjugate - np.sum((problem.X.T @ alpha) ** 2) / (2 * l2)


@weighted
def test_the_gap_bound_that_takes_no_pass_is_no_less_than_the_duality_gap_of_its_dual_point(weights):
    outcomes = set()
    for seed in range(10):
        problem = make_problem(50, 8, "float64", "C", weights, seed=seed)
        share = problem.weights / problem.weights.sum()
        rng = np.random.default_rng(seed)
        weight = np.empty(0) if problem.sample_weight is None else problem.sample_weight
        passes = csr_passes(check_sparse_features(sparse.csr_array(problem.X)), problem.y, weight)
        objective = logistic_objective(passes, l2=0.1)
        coef = 0.1 * rng.normal(size=9)
        objective.loss_gradient(coef)
        objective.preconditioner()
        p = expit(problem.with_ones @ coef)
        kept = p * (1 - p)
        for distance in (0.01, 0.3, 3.0):
            coef = coef + distance * rng.normal(size=9)
            value, gradient = objective.loss_gradient(coef)
            before = objective.n_passes
            bound = objective.free_gap_bound(gradient)
            assert objective.n_passes == before
            p = expit(problem.with_ones @ coef)
            shift = gradient[-1] / (share @ kept) * kept
            outcomes.add(bound < np.inf)
            if (np.abs(shift) > p * (1 - p))[share > 0].any():
                assert bound == np.inf
            else:
                assert bound >= (value - dual_value(problem, 0.1, p - shift)) * (1 - 1e-10) - 1e-14
    assert outcomes == {True, False}


def test_the_gap_bound_that_takes_no_pass_ends_a_fit_to_sparse_x(monkeypatch):
    problem = make_problem(300, 30)
    X = sparse.csr_array(np.where(np.abs(problem.X) > np.median(np.abs(problem.X)), problem.X, 0.0))
    y = (problem.y > 0.5).astype(int)
    monkeypatch.setattr(CSRMatrix, "intercept_column", None)  # the pass that it spares
    model = LogisticRegression(C=0.1, solver="preconditioned_lbfgs", tol=1e-8).fit(X, y)
    assert model.gap_ <= 1e-8


@weighted
def test_the_gap_bound_from_two_gradients_is_no_less_than_the_duality_gap_of_its_dual_point(weights):
    outcomes = set()
    for seed in range(10):
        problem = make_problem(50, 8, "float64", "C", weights, seed=seed)
        share = problem.weights / problem.weights.sum()
        rng = np.random.default_rng(seed)
        objective = logistic_objective(problem.design(), l2=0.1)
        for distance in (0.01, 0.1, 0.3, 3.0):
            before = 0.1 * rng.normal(size=9)
            _, gradient_before = objective.loss_gradient(before)
            objective.remember()
            coef = before + distance * rng.normal(size=9)
            value, gradient = objective.loss_gradient(coef)
            bound = objective.inner.gap_since(*map(objective.rows, (coef, gradient, before, gradient_before)), 1e9)
            p, p_before = (expit(problem.with_ones @ at) for at in (coef, before))
            q = p + share @ (p - problem.y) / (share @ (p - p_before)) * (p_before - p)
            outcomes.add(bound < np.inf)
            if ((q < 0) | (q > 1)).any():
                assert bound == np.inf
            elif bound < np.inf:
                assert bound >= (value - dual_value(problem, 0.1, q)) * (1 - 1e-10) - 1e-14
    assert outcomes == {True, False}


def test_the_gap_bound_from_two_gradients_needs_what_an_intercept_and_a_penalty_need():
    problem = make_problem(50, 8)
    for options in ({"l2": 0.0}, {"l2": 0.1, "fit_intercept": False}):
        objective = logistic_objective(problem.design(), **options)
        places = 0.1 * problem.coef, 0.11 * problem.coef
        (_, gradient_before), (_, gradient) = map(objective.loss_gradient, places)
        known = map(objective.rows, (places[1], gradient, places[0], gradient_before))
        assert objective.inner.gap_since(*known, 1e9) == np.inf


def test_the_largest_change_is_that_of_all_samples_and_nan_where_one_is():
    loss = LogisticLoss(np.zeros(100_000), np.empty(0))
    loss.raw[:] = 1.0
    loss.remember()
    loss.raw[[3, 70_001, 99_999]] = 2.0, -3.5, 4.0
    assert loss.largest_change() == 4.5
    loss.raw[40_000] = np.nan
    assert np.isnan(loss.largest_change())


def test_gap_bound_takes_one_pass_or_none_with_the_column_at_hand():
    problem = make_problem(50, 8)
    objective = logistic_objective(problem.design(), l2=0.1)
    _, gradient = objective.loss_gradient(0.1 * problem.coef)
    hessian = objective.hessian()
    passes = objective.design.n_passes
    bound = objective.gap_bound(gradient, hessian)
    assert objective.design.n_passes == passes
    assert objective.gap_bound(gradient) == pytest.approx(bound, rel=1e-11)
    assert objective.design.n_passes == passes + 1


def test_gap_bound_without_an_intercept_is_the_squared_gradient_over_the_strong_convexity():
    problem = make_problem(50, 8)
    objective, coef = objective_and_point(problem, 0.1, False)
    _, gradient = objective.loss_gradient(coef)
    passes = objective.design.n_passes
    assert objective.gap_bound(gradient) == pytest.approx(gradient @ gradient / (2 * 0.1), rel=1e-13)
    assert objective.design.n_passes == passes


def test_gap_bound_is_infinite_where_nothing_can_be_said():
    problem = make_problem(50, 8)
    objective = logistic_objective(problem.design(), l2=0.0)
    _, gradient = objective.loss_gradient(problem.coef)
    assert objective.gap_bound(gradient) == np.inf
    objective = logistic_objective(problem.design(), l2=0.1)
    _, gradient = objective.loss_gradient(np.append(np.zeros(8), 30.0))  # all p near 1: no dual point is near
    assert objective.gap_bound(gradient) == np.inf


@pytest.mark.parametrize("shape", [(60, 5), (300, 20)], ids=str)
@orders
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [0.0, 1e-6, 1e-2, 1.0])
@intercepts
def test_the_decrement_bound_of_newton_steps_bounds_the_distance(shape, order, use_weight, l2, fit_intercept):
    X, y, weight = labelled(*shape, signal=1.0)
    weight = weight if use_weight else None
    optimum, minimum = exact_minimum(X, y, weight, l2, fit_intercept)
    objective = objective_of(np.asarray(X, order=order), y, weight, l2=l2, fit_intercept=fit_intercept)
    certified = 0
    saturated = optimum.astype(float) - 40.0 * np.append(np.zeros(shape[1]), fit_intercept)
    for start in (saturated, *points_around(optimum.astype(float), fit_intercept)):
        newton = Newton(objective.inner, objective.rows(start))
        for _ in range(6):
            newton.refresh()
            if not newton.step():
                break
            true, _, _ = exact_derivatives(X, y, weight, l2, newton.coef[0], fit_intercept)
            assert newton.step_gap >= float(true - minimum) - rounding(X, newton.coef[0])
            certified += newton.step_gap < 1e-12
    assert certified >= 6  # how many steps rounding leaves depends on the processor


def test_relative_gap_bounds_the_relative_distance():
    assert relative_gap(0.0, 2.0) == 0.0
    assert relative_gap(0.5, 2.0) == pytest.approx(0.5 / 1.5)
    assert relative_gap(2.0, 2.0) == relative_gap(3.0, 2.0) == relative_gap(np.inf, 2.0) == np.inf
    rng = np.random.default_rng(6)
    for value, share, excess in rng.random((50, 3)):
        minimum = share * value
        bound = (value - minimum) * (1 + excess)
        assert relative_gap(bound, value) >= (value - minimum) / minimum * (1 - 1e-12)


def test_a_subsample_keeps_the_penalty_and_the_intercept():
    problem = make_problem(60, 4, weights="random")
    rows = np.array([3, 4, 17, 40, 59])
    objective = logistic_objective(problem.design(), l2=0.2, fit_intercept=False)
    coef = np.append(problem.coef[:-1], 0.0)
    value, gradient = objective.subsample(rows).loss_gradient(coef)
    expected = exact_derivatives(
        problem.X[rows], problem.y[rows], problem.sample_weight[rows] + 0.0, 0.2, coef, fit_intercept=False
    )
    assert value == pytest.approx(float(expected[0]), rel=1e-13)
    np.testing.assert_allclose(gradient, expected[1].astype(float), atol=1e-14)


@pytest.mark.parametrize("strength", [0.0, 0.3, 20.0])
def test_a_penalty_is_convex_and_its_parts_fit_together(strength):
    penalty, rng = L2(strength), np.random.default_rng(7)
    W, V = rng.normal(size=(2, 3, 5))
    assert bool(penalty) == (strength > 0)
    slope = (penalty.value(W + 1e-6 * V) - penalty.value(W - 1e-6 * V)) / 2e-6
    assert slope == pytest.approx(np.vdot(penalty.gradient(W), V), abs=1e-7)
    bend = (np.vdot(penalty.gradient(W + V), V) - np.vdot(penalty.gradient(W), V)) / np.vdot(V, V)
    assert bend == pytest.approx(penalty.diagonal)
    # Fenchel and Young: the bound is the penalty's conjugate, seen from its gradient at W.
    missed = penalty.gradient(V) + rng.normal(size=W.shape)
    if strength:
        conjugate = penalty.dual_bound(np.vdot(missed, missed))
        assert penalty.value(W) + conjugate >= np.vdot(missed, W)
        assert penalty.value(W) + penalty.dual_bound(np.vdot(penalty.gradient(W), penalty.gradient(W))) == (
            pytest.approx(np.vdot(penalty.gradient(W), W))
        )
    else:
        assert penalty.dual_bound(1.0) == np.inf
