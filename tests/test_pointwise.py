"""The scalar formulas against NumPy and SciPy, over all magnitudes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit

from fastlr.kernels import pointwise
from fastlr.runtime.jit import CONTRACT, kernel

_FEW_ULP = 4
_TINY = 4e-308  # what stands for exp below -708

_magnitudes = np.concatenate([np.logspace(-300, 300, 241), np.linspace(1e-3, 720, 1999), [708, 744, 750, 1e300]])
MARGINS = np.concatenate([-_magnitudes[::-1], [-0.0, 0.0], _magnitudes])


@kernel(CONTRACT)
def _exp_negative(x, out):
    for i in range(x.size):
        out[i] = pointwise.exp_negative(x[i])


@kernel(CONTRACT)
def _log1p_unit(x, out):
    for i in range(x.size):
        out[i] = pointwise.log1p_unit(x[i])


@kernel(CONTRACT)
def _loss_residual_curvature(z, y, out):
    for i in range(z.size):
        out[0, i], out[1, i], out[2, i] = pointwise.loss_residual_curvature(z[i], y[i])


def jitted(loop, *arguments, rows=()):
    out = np.empty((*rows, arguments[0].size))
    loop(*arguments, out)
    return out


def losses(z, y):
    return jitted(_loss_residual_curvature, z, np.broadcast_to(y, z.shape).copy(), rows=(3,))


def expected_loss(z, y):
    """-y log p - (1 - y) log(1 - p): no term cancels another."""
    return -y * log_expit(z) - (1 - y) * log_expit(-z)


def test_exp_negative_is_exp():
    x = MARGINS[(MARGINS <= 0) & (MARGINS >= -708)]
    np.testing.assert_array_max_ulp(jitted(_exp_negative, x), np.exp(x), _FEW_ULP)


def test_exp_negative_stays_at_its_lowest_below_its_range():
    x = np.array([-708.5, -744.0, -750.0, -1e4, -1e300, -np.inf])
    result = jitted(_exp_negative, x)
    assert (result > 0).all()
    assert (result <= _TINY).all()


def test_log1p_unit_is_log1p():
    e = np.unique(np.concatenate([[0.0, 1.0, math.sqrt(2) - 1], np.logspace(-307, 0, 999), np.linspace(0, 1, 999)]))
    np.testing.assert_array_max_ulp(jitted(_log1p_unit, e), np.log1p(e), _FEW_ULP)


def test_sigmoid_is_expit():
    result = jitted(pointwise.sigmoid_array, MARGINS)
    np.testing.assert_allclose(result, expit(MARGINS), rtol=_FEW_ULP * 2.3e-16, atol=_TINY)
    assert ((result >= 0) & (result <= 1)).all()


@pytest.mark.parametrize("y", [0.0, 1.0, 0.25, 0.5])
def test_loss_residual_curvature_are_their_formulas(y):
    loss, residual, curvature = losses(MARGINS, y)
    expected = expected_loss(MARGINS, y)
    terms = expected if y in (0.0, 1.0) else expected + np.abs(MARGINS)  # max(z, 0) and y z cancel in part
    assert (np.abs(loss - expected) <= 1e-15 * terms + _TINY).all()
    np.testing.assert_allclose(residual, expit(MARGINS) - y, rtol=0, atol=3e-16)
    np.testing.assert_allclose(curvature, expit(MARGINS) * expit(-MARGINS), rtol=1.5e-15, atol=_TINY)


def test_loss_of_one_class_mirrors_the_other():
    positive, negative = losses(MARGINS, 1.0), losses(-MARGINS, 0.0)
    np.testing.assert_allclose(positive[0], negative[0], rtol=_FEW_ULP * 2.3e-16, atol=_TINY)
    np.testing.assert_allclose(positive[1], -negative[1], rtol=0, atol=3e-16)
    np.testing.assert_allclose(positive[2], negative[2], rtol=_FEW_ULP * 2.3e-16)


def test_derivatives_are_finite_differences():
    z, h = np.linspace(-30, 30, 241), 1e-4
    for y in (0.0, 0.3, 1.0):
        _, residual, curvature = losses(z, y)
        above, below = losses(z + h, y), losses(z - h, y)
        np.testing.assert_allclose((above[0] - below[0]) / (2 * h), residual, atol=1e-9)
        np.testing.assert_allclose((above[1] - below[1]) / (2 * h), curvature, atol=1e-9)


def test_nan_stays_nan_and_infinity_does_not_hide():
    assert np.isnan(losses(np.array([np.nan]), 1.0)).all()
    for z in (np.inf, -np.inf):
        for y in (0.0, 0.5, 1.0):
            assert not np.isfinite(losses(np.array([z]), y)[0]).any()
    assert np.isnan(jitted(pointwise.sigmoid_array, np.array([np.nan]))).all()
    assert np.isnan(jitted(_exp_negative, np.array([np.nan]))).all()
    assert np.isnan(jitted(_log1p_unit, np.array([np.nan]))).all()


@given(st.floats(-1e300, 1e300), st.floats(0, 1))
def test_any_margin_gives_finite_numbers_in_range(z, y):
    z = np.array([z])
    loss, residual, curvature = losses(z, y)[:, 0]
    assert math.isfinite(loss)
    assert loss >= -1e-15 * abs(z[0])
    assert -1 <= residual <= 1
    assert 0 <= curvature <= 0.25 * (1 + 1e-15)
    assert jitted(pointwise.sigmoid_array, z) == pytest.approx(expit(z), rel=1e-15, abs=_TINY)
