"""The passes over a small X are those of the compiled design, in float64 throughout."""

import numpy as np
import pytest
from conftest import DTYPES, ORDERS, WEIGHTS, assert_within, make_problem, small_passes
from scipy.special import expit

from fastlr import LogisticRegression, reference
from fastlr._validation import check_features, check_sample_weight
from fastlr.matrices import small as small_module
from fastlr.matrices.small import MAX_ENTRIES, MAX_SAMPLES, is_small

shapes = pytest.mark.parametrize("shape", [(1, 1), (17, 16), (131, 3), (9, 200)], ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
orders = pytest.mark.parametrize("order", ORDERS)
weighted = pytest.mark.parametrize("weights", WEIGHTS)


def small(problem):
    weight = check_sample_weight(problem.sample_weight, len(problem.X))
    return small_passes(check_features(problem.X), problem.y, weight)


def in_float64(problem):
    """The same problem, whose bounds are those of float64."""
    return problem.but(X=problem.X.astype(np.float64))


@shapes
@dtypes
@orders
@weighted
def test_passes_are_the_sums_they_stand_for(shape, dtype, order, weights):
    problem = make_problem(*shape, dtype, order, weights)
    exact, design = in_float64(problem), small(problem)
    ones, coef = exact.with_ones, problem.coef
    z = ones @ coef
    p = expit(z)

    loss, gradient = design.loss_gradient(coef)
    losses = np.logaddexp(0.0, z) - problem.y * z
    assert_within(loss, problem.weights @ losses, exact.loss_bound())
    assert_within(gradient, ones.T @ (problem.weights * (p - problem.y)), exact.gradient_bound())
    assert_within(design.raw, z, exact.margin_bound())
    d = problem.weights * p * (1 - p)
    assert_within(design.curvature, d, exact.curvature_bound())

    bound = exact.curvature_bound() + exact.rtol * d
    hessian = design.hessian()
    assert_within(hessian, ones.T @ (d[:, None] * ones), np.abs(ones).T @ (2 * bound[:, None] * np.abs(ones)))
    np.testing.assert_array_equal(hessian, hessian.T)
    direction = np.random.default_rng(3).normal(size=coef.size)
    product_bound = np.abs(ones).T @ (2 * bound * (np.abs(ones) @ np.abs(direction)))
    assert_within(design.hessian_product(direction), ones.T @ (d * (ones @ direction)), product_bound)

    X = exact.X
    assert_within(design.gram(), X @ X.T, exact.rtol * (np.abs(X) @ np.abs(X.T)))
    assert_within(design.raw_prediction(direction), ones @ direction, exact.margin_bound(direction))
    r = np.random.default_rng(4).normal(size=len(X))
    assert_within(design.transposed_product(r), ones.T @ r, exact.rtol * (np.abs(ones).T @ np.abs(r)))
    assert design.n_passes == 6


@weighted
def test_loss_residual_is_the_pass_it_spares_and_keeps_what_it_was_given(weights):
    problem = make_problem(67, 13, weights=weights)
    design = small(problem)
    loss, gradient = design.loss_gradient(problem.coef)
    raw, curvature = design.raw.copy(), design.curvature.copy()
    given = raw.copy()
    again, residual, second = design.loss.at(given)
    given[:] = 0.0
    assert again == loss
    np.testing.assert_allclose(residual.sum(), gradient[-1], rtol=1e-14)
    np.testing.assert_array_equal(second, curvature)
    np.testing.assert_array_equal(design.raw, raw)
    np.testing.assert_array_equal(design.curvature, curvature)
    np.testing.assert_allclose(residual, problem.weights * (expit(raw) - problem.y), atol=1e-13)


def test_a_subsample_is_the_design_of_its_rows():
    problem = make_problem(50, 6, weights="random")
    rows = np.array([1, 4, 9, 16, 25, 36, 49])
    part = problem.but(X=problem.X[rows], y=problem.y[rows], sample_weight=problem.sample_weight[rows])
    loss, gradient = small(problem).subsample(rows).loss_gradient(problem.coef)
    expected_loss, expected = reference.loss_gradient(part.X, part.y, part.sample_weight, problem.coef)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-13)
    assert_within(gradient, expected, part.gradient_bound())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("verb", ["loss_gradient", "raw_prediction", "gram"])
def test_nan_and_infinity_are_found_by_the_pass(verb, value):
    problem = make_problem(20, 4)
    problem.X[7, 2] = value
    arguments = () if verb == "gram" else (problem.coef,)
    with pytest.raises(ValueError, match="X must be finite"):
        getattr(small(problem), verb)(*arguments)


def test_overflow_of_finite_features_is_passed_on_without_a_word():
    problem = make_problem(20, 4)
    design = small(problem.but(X=problem.X * 1e300))
    assert not np.isfinite(design.loss_gradient(problem.coef * 1e100)[0])
    assert not np.isfinite(design.hessian()).all()


def test_the_shape_alone_decides():
    for n_samples, n_features, expected in (
        (MAX_SAMPLES, MAX_ENTRIES // MAX_SAMPLES, True),
        (MAX_SAMPLES, MAX_ENTRIES // MAX_SAMPLES + 1, False),
        (MAX_SAMPLES + 1, 1, False),
        (1, MAX_ENTRIES, True),
    ):
        for dtype in (np.float64, np.uint8):
            assert is_small(np.empty((n_samples, n_features), dtype)) is expected


@pytest.mark.parametrize("shape", [(300, 12), (40, 90)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_both_ways_give_the_same_fit(shape, dtype, monkeypatch):
    problem = make_problem(*shape, dtype)
    X, labels = problem.X, problem.y > 0.5
    one = LogisticRegression(tol=1e-12).fit(X, labels)
    monkeypatch.setattr(small_module, "MAX_ENTRIES", 0)
    other = LogisticRegression(tol=1e-12).fit(X, labels)
    # The compiled passes form products of float32 in float32.
    np.testing.assert_allclose(one.objective_, other.objective_, rtol=1e-7 if dtype == "float32" else 2e-12)
    rtol = 1e-5 if dtype != "float64" else 1e-6
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=rtol, atol=rtol * np.abs(other.coef_).max())
    np.testing.assert_allclose(one.decision_function(X), other.decision_function(X), rtol=1e-4, atol=1e-4)
