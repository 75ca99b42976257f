"""Small fits of many classes in NumPy: what Newton's method asks of them, against the reference and scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.preprocessing import StandardScaler
from test_hard_softmax import geometric, objective_at

from fastlr import LogisticRegression, reference
from fastlr.fits import small
from fastlr.fits.problem import Problem
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices.small_classes import SmallClassSamples
from fastlr.objectives.penalties import L2

NO_WEIGHT, L2_STRENGTH = np.empty(0), 0.01


def asked(fit_intercept, weighted, seed=0):
    """X, classes, weights or None, coefficients, and what Newton's method asks of them, evaluated there."""
    rng = np.random.default_rng(seed)
    X, y = geometric(90, 4, 3, decades=0.5)
    weight = rng.integers(0, 3, len(y)).astype(float) if weighted else NO_WEIGHT
    samples = SmallClassSamples(X, SoftmaxLoss(y, 3, weight), L2_STRENGTH, fit_intercept)
    coef = 0.3 * rng.normal(size=(3, 5))
    coef -= coef.mean(axis=0)
    coef[:, -1] *= fit_intercept
    return X, y, weight if weighted else None, coef, samples


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alike", [True, False])
def test_value_gradient_and_hessian_are_those_of_the_reference(fit_intercept, weighted, alike):
    X, y, weight, coef, samples = asked(fit_intercept, weighted)
    coef[:, :-1] *= not alike  # then all samples have the same probabilities
    total = len(y) if weight is None else weight.sum()
    value, gradient = samples.loss_gradient(coef.ravel())
    loss, expected = reference.softmax_loss_gradient(X, y, weight, coef)
    ridge = np.append(np.full(4, L2_STRENGTH), 0.0)
    expected = expected / total + ridge * coef
    expected[:, -1] *= fit_intercept
    assert value == pytest.approx(loss / total + L2(L2_STRENGTH).value(coef[:, :-1]), rel=1e-13)
    np.testing.assert_allclose(gradient.reshape(3, 5), expected, rtol=1e-10, atol=1e-12)

    hessian = reference.softmax_hessian(X, weight, coef) / total + np.diag(np.tile(ridge, 3))
    direction = np.random.default_rng(1).normal(size=(3, 5))
    direction -= direction.mean(axis=0)  # equal changes of all classes have a curvature of their own here
    direction[:, -1] *= fit_intercept
    product = (hessian @ direction.ravel()).reshape(3, 5)
    product[:, -1] *= fit_intercept
    np.testing.assert_allclose((samples.hessian() @ direction.ravel()).reshape(3, 5), product, atol=1e-12)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_bounds_hold_and_come_close(fit_intercept):
    X, y, _, _, samples = asked(fit_intercept, False)
    C = 1.0 / (L2_STRENGTH * len(y))
    model = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-12).fit(X, y)
    optimum = np.column_stack([model.coef_, model.intercept_])
    for size in (1e-2, 1e-4):
        nearby = optimum + size * np.random.default_rng(0).normal(size=optimum.shape)
        nearby[:, -1] *= fit_intercept
        value, gradient = samples.loss_gradient(nearby.ravel())
        bound = samples.bound(gradient)
        assert value - objective_at(optimum, X, y, C) <= bound <= 1e3 * size**2


def test_a_class_that_is_far_off_has_no_bound():
    *_, samples = asked(True, False)
    _, gradient = samples.loss_gradient(np.array([[0.0] * 4 + [b] for b in (-8.0, 0.0, 8.0)]).ravel())
    assert samples.bound(gradient) == np.inf


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_the_optimum_is_scikit_learns_to_the_last_digits(load, C):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression(C=C).fit(X, y)
    theirs = SklearnLogisticRegression(C=C, solver="newton-cholesky", tol=1e-13).fit(X, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-6, atol=1e-9)
    assert model.solver_ == "newton_cholesky"
    assert model.n_passes_ == len(model.history_) <= 20  # a Hessian for each step, so few steps


def test_a_start_that_misleads_is_not_taken():
    X, y = load_iris(return_X_y=True)
    problem = Problem(X, y, 3, NO_WEIGHT, 1.0, True)
    start = 1e3 * np.random.default_rng(0).normal(size=(3, 5))
    ends = [small.solve_classes(problem, there, tol=1e-8, max_iter=100) for there in (None, start)]
    assert ends[1].converged
    np.testing.assert_allclose(ends[1].coef, ends[0].coef)


@pytest.mark.parametrize(
    ("shape", "n_classes", "is_small"),
    [((150, 4), 3, True), ((60, 120), 3, False), ((178, 13), 3, True), ((3_000, 4), 10, False), ((150, 4), 2, False)],
)
def test_where_hessians_hardly_show_there_is_one_for_each_step(shape, n_classes, is_small):
    problem = Problem(np.zeros(shape), np.zeros(shape[0], np.int64), n_classes, NO_WEIGHT, 1.0, True)
    assert small.suits_classes(problem) == is_small
