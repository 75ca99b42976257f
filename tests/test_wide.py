"""Many fits on one Gram matrix: where each starts, and what certifies it."""

import numpy as np
import pytest
from conftest import logistic_objective, small_passes
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, fit_many
from fastlr.fits.wide import SetPath, _Path, certify
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.gram import GramMatrix
from fastlr.matrices.small import SmallMatrix
from fastlr.objectives import relative_gap
from fastlr.objectives.logistic import LogisticObjective
from fastlr.objectives.penalties import L2, penalty_of
from fastlr.solvers import gram_newton
from fastlr.solvers.gram_newton import GramNewton, descend

CS = np.logspace(-3, 3, 7)


def make(n_samples=40, n_features=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * np.linspace(0.3, 2.0, n_features)
    y = (X @ rng.normal(size=n_features) + rng.logistic(size=n_samples) > 0).astype(np.float64)
    return X, y, rng.exponential(size=n_samples)


def newton_of(X, y, weight, fit_intercept=True):
    loss = LogisticLoss(y, weight, compiled=False)
    return GramNewton(LogisticObjective(GramMatrix(X @ X.T), loss, L2(1.0), fit_intercept), None)


def optimum(newton, C):
    newton.change_penalty(penalty_of(C, 0.0, newton.objective.loss.weight_sum))
    descend(newton, tol=1e-15, max_iter=100)
    return np.append(newton.point.a, newton.point.b)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_tangent_is_the_derivative_of_the_optimum_along_log_C(fit_intercept):
    newton = newton_of(*make(), fit_intercept)
    step = 1e-3
    before, after = (optimum(newton, 2.0 * np.exp(way * step)) for way in (-1.0, 1.0))
    optimum(newton, 2.0)
    a, b = newton.tangent()
    expected = (after - before) / (2.0 * step)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.append(a, b), expected, atol=1e-3 * scale)


def test_the_tangent_makes_up_for_a_factor_of_an_earlier_point():
    newton = newton_of(*make())
    optimum(newton, 2.0)
    newton._steering = None
    expected = np.append(*newton.tangent())
    newton._steering = gram_newton._Steering(
        newton.K, 1.0, newton.objective.penalty.strength, 1.1 * newton.point.D, True
    )
    newton._steers_well = True
    assert np.linalg.norm(np.append(*newton.tangent()) - expected) < 0.02 * np.linalg.norm(expected)


def test_the_path_goes_on_along_a_parabola():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(3, 5)), rng.normal(size=3)

    class Point:
        def __init__(self, t):
            self.a, self.b = np.array([1.0, t, t * t]) @ A, np.array([1.0, t, t * t]) @ B

    def tangent(t):
        return np.array([0.0, 1.0, 2 * t]) @ A, np.array([0.0, 1.0, 2 * t]) @ B

    path = _Path()
    assert path.ahead(0.0) is None
    path.add(-1.0, Point(-1.0), tangent(-1.0))
    a, b = path.ahead(0.5)  # one point: along the tangent
    np.testing.assert_allclose(a, Point(-1.0).a + 1.5 * tangent(-1.0)[0])
    for t, ahead in ((-0.4, 1.3), (0.7, 2.0), (0.7, 2.5)):  # a C may occur twice
        path.add(t, Point(t), tangent(t))
        a, b = path.ahead(ahead)
        if t > -0.4 and ahead == 2.5:
            np.testing.assert_allclose(a, Point(t).a + (ahead - t) * tangent(t)[0])
        else:
            np.testing.assert_allclose(a, Point(ahead).a)
            assert b == pytest.approx(Point(ahead).b)
    path.add(1.0, Point(1.0), None)
    assert path.ahead(2.0) is None


@pytest.mark.parametrize("other", [(np.full(40, 1e3), 0.0), (np.full(40, np.nan), 0.0), (np.zeros(40), np.inf)])
def test_a_prediction_that_misleads_is_not_followed(other):
    newton = newton_of(*make())
    optimum(newton, 1.0)
    a = newton.point.a
    with np.errstate(all="ignore"):
        newton.change_penalty(L2(newton.objective.penalty.strength / 10.0), other)
    assert newton.point.a is a


@pytest.mark.parametrize("C", [1e-2, 1.0, 1e4])
def test_a_step_ends_where_the_objective_is_all_but_smallest_along_it(C):
    X, y, weight = make()
    newton = newton_of(X, y, weight)
    newton.change_penalty(penalty_of(C, 0.0, weight.sum()))
    for _ in range(4):
        before = newton.point
        newton.step()
        da, db = newton.point.a - before.a, newton.point.b - before.b
        slopes = [p.alpha @ (X @ (X.T @ da) + db) + newton._l2 * (p.linear @ da) for p in (before, newton.point)]
        assert abs(slopes[1]) <= 0.11 * abs(slopes[0])
        np.testing.assert_allclose(newton.point.linear, X @ (X.T @ newton.point.a), atol=1e-10)


def test_fits_along_a_path_take_fewer_steps_than_fits_alone():
    X, y, _ = make()
    fits = fit_many(X, y, Cs=CS, tol=1e-8)
    alone = [LogisticRegression(C=C, tol=1e-8).fit(X, y) for C in CS]
    assert 2 * fits.n_iters.sum() < sum(model.n_iter_[0] for model in alone)
    for coef, model in zip(fits.coefs[0], alone, strict=True):
        np.testing.assert_allclose(coef, model.coef_, rtol=1e-2, atol=1e-3)


def test_the_same_C_twice_is_the_same_fit_twice():
    X, y, _ = make()
    fits = fit_many(X, y, Cs=[0.1, 1.0, 1.0, 1.0, 10.0])
    np.testing.assert_array_equal(fits.coefs[0, 1], fits.coefs[0, 3])
    assert (fits.n_iters[0, 2:4] == 0).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_certifies_many_fits_certifies_one(fit_intercept):
    X, y, weight = make()
    newton = newton_of(X, y, weight, fit_intercept)
    ends = np.array([optimum(newton, C) for C in CS]) * (1.0 + 1e-3 * np.random.default_rng(1).normal(size=(7, 41)))
    a, b = ends[:, :-1], ends[:, -1] * fit_intercept
    b[3] += 100.0 * fit_intercept  # where no dual point is near
    penalties = [penalty_of(C, 0.0, weight.sum()) for C in CS]
    matrix, loss = SmallMatrix(X), LogisticLoss(y.astype(np.float64), weight, compiled=False)
    others = LogisticLoss(1.0 - y, np.ones(len(y)), compiled=False)
    paths = [SetPath(loss, penalties, a, b, None), SetPath(others, penalties[:2], a[:2], b[:2], None)]
    coefs, values, gaps = (part[:7] for part in certify(matrix, paths, fit_intercept))
    assert matrix.n_passes == 3
    np.testing.assert_allclose(coefs[:, :-1], a @ X)
    for coef, value, gap, penalty in zip(coefs, values, gaps, penalties, strict=True):
        objective = logistic_objective(small_passes(X, y, weight), l2=penalty.strength, fit_intercept=fit_intercept)
        expected, gradient = objective.loss_gradient(coef)
        assert value == pytest.approx(expected, rel=1e-12)
        assert gap == pytest.approx(relative_gap(objective.gap_bound(gradient), expected), rel=1e-9)
    assert list(np.isfinite(gaps)) == [True] * 3 + [not fit_intercept] + [True] * 3


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_the_precision_of_the_factor_cannot_be_seen_in_the_optimum(shift, monkeypatch):
    X, y, weight = make()
    X = X + shift  # the trace of M is then far beyond what float32 can hold
    dtypes = set()
    steering = gram_newton._Steering

    def seen(K, *arguments):
        dtypes.add(K.dtype.name)
        return steering(K, *arguments)

    monkeypatch.setattr(gram_newton, "_Steering", seen)
    newton = newton_of(X, y, weight)
    newton.change_penalty(penalty_of(1.0, 0.0, newton.objective.loss.weight_sum))
    gap, n_iter, _ = descend(newton, tol=1e-8, max_iter=100)
    assert gap <= 1e-8
    assert n_iter <= 20
    assert dtypes == ({"float64"} if shift else {"float32"})


@pytest.mark.parametrize("factor", [1e-25, 1e25])
def test_the_scale_of_x_costs_no_steps_where_its_squares_are_beyond_float32(factor):
    X, y, _ = make()
    with np.errstate(all="ignore"):
        plain, scaled = (
            logistic_objective(small_passes(scale * X, y, np.empty(0)), l2=0.01 * scale**2).solved(
                gram_newton.solve, tol=1e-8, max_iter=100
            )
            for scale in (1.0, factor)
        )
    assert scaled.converged
    assert scaled.n_iter == plain.n_iter
    np.testing.assert_allclose(scaled.coef[:-1] * factor, plain.coef[:-1], rtol=1e-3, atol=1e-4)


def test_one_gram_matrix_serves_all_targets():
    X, y, _ = make()
    one = fit_many(X, y, Cs=[0.1, 1.0]).n_passes
    both = fit_many(X, np.column_stack([y, 1.0 - y]), Cs=[0.1, 1.0]).n_passes
    assert both == 2 * one - 1


def test_certificates_of_some_sets_together_are_those_of_each_set_alone():
    X, y, _ = make()
    weights = np.random.default_rng(2).integers(0, 3, size=(11, len(y))).astype(np.float64)
    fits, again = (fit_many(X, y, Cs=CS, sample_weight=weights, n_jobs=n_jobs) for n_jobs in (1, 3))
    np.testing.assert_array_equal(fits.coefs, again.coefs)
    np.testing.assert_array_equal(fits.gaps, again.gaps)
    for k, weight in enumerate(weights):
        alone = fit_many(X, y, Cs=CS, sample_weight=weight[None])
        np.testing.assert_allclose(fits.coefs[k], alone.coefs[0], rtol=1e-9)
        np.testing.assert_allclose(fits.objectives[k], alone.objectives[0], rtol=1e-12)
        assert (fits.gaps[k] <= 1e-6).all()
    assert fits.n_passes < 11 * alone.n_passes


def test_wide_x_without_a_penalty_is_left_to_others():
    X, y, _ = make(15, 20)
    with pytest.warns(ConvergenceWarning, match="separated"):
        fits = fit_many(X, y, Cs=[np.inf])
    assert list(fits.failures) == [(0, 0)]
