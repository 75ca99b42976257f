"""Drawn problems: dtype, layout, shape, kind of values, labels, weights and parameters, against plain NumPy.

A few hundred cases by default; ``HYPOTHESIS_PROFILE=nightly python -m pytest tests/test_fuzz.py`` draws thousands, of
all dtypes and solvers.
"""

import os
import warnings

import numpy as np
from conftest import DTYPES, Problem, assert_within
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, functional
from fastlr.solvers import SMOOTH

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
many = settings(max_examples=max(200, settings.default.max_examples))

# Each pair of dtype and order is compiled by itself, so that the default draws from those that other tests use.
FIT_DTYPES = DTYPES if NIGHTLY else ("float64", "float32", "uint8")
FIT_SOLVERS = ("auto", *SMOOTH) if NIGHTLY else ("auto", "newton_cg")


def strided(x):
    return x.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3]


def backwards(x):
    return x[::-1, ::-1].copy()[::-1, ::-1]


def protected(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "write-protected": protected,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
}

VALUES = {
    "normal": lambda rng, x: x,
    "shifted": lambda rng, x: x + 30,
    "large": lambda rng, x: x * 1e5,
    "small": lambda rng, x: x * 1e-5,
    "columns of all scales": lambda rng, x: x * 10.0 ** rng.integers(-4, 5, x.shape[1]),
    "one constant column": lambda rng, x: np.where(np.arange(x.shape[1]) == 0, 1.0, x),
    "constant": lambda rng, x: np.full_like(x, 2.0),
    "equal columns": lambda rng, x: np.repeat(x[:, :1], x.shape[1], axis=1),
    "equal rows": lambda rng, x: np.repeat(x[: len(x) // 2 + 1], 2, axis=0)[: len(x)],
    "mostly zero": lambda rng, x: x * (rng.random(x.shape) < 0.1),
    "negative zero": lambda rng, x: np.where(x > 0, x, -0.0),
    "one outlier": lambda rng, x: np.where(np.arange(x.size).reshape(x.shape) == 0, 1e4, x),
}

LABELS = {"int": [0, 1], "signs": [-1, 1], "bool": [False, True], "float": [2.0, 7.0], "words": ["no", "yes"]}

WEIGHTS = {
    "none": lambda rng, n: None,
    "ones": lambda rng, n: np.ones(n),
    "counts": lambda rng, n: rng.integers(1, 5, n),
    "uneven": lambda rng, n: 10.0 ** rng.uniform(-4, 4, n),
    "some zero": lambda rng, n: np.where(np.arange(n) % 3 == 2, 0.0, rng.random(n) + 0.1),
    "float32": lambda rng, n: (rng.random(n) + 0.1).astype("float32"),
}


@st.composite
def features(draw, dtypes, min_samples=4):
    """X as a caller may have it, and a generator for what goes with it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(min_samples, 70)), draw(st.integers(1, 40))
    dtype = draw(st.sampled_from(dtypes))
    x = VALUES[draw(st.sampled_from(sorted(VALUES)))](rng, rng.normal(size=shape))
    if dtype == "bool":
        x = x > 0
    elif dtype in ("int8", "uint8"):
        limits = np.iinfo(dtype)
        x = np.clip(np.rint(x * 40), limits.min, limits.max)
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    return LAYOUTS[layout](x.astype(dtype)), rng


def value_gradient_hessian(x, y, s, l2, coef):
    """Mean loss with a penalty, in plain NumPy; x has a column of ones at the end, which is not penalised."""
    sign = 2 * y - 1
    margin = sign * (x @ coef)  # so that small losses are exact
    penalty = np.append(np.full(len(coef) - 1, l2), 0.0)
    value = s @ np.logaddexp(0.0, -margin) + 0.5 * penalty @ coef**2
    gradient = x.T @ (-s * sign * expit(-margin)) + penalty * coef
    return value, gradient, (x.T * (s * expit(margin) * expit(-margin))) @ x + np.diag(penalty)


def least_value(x, y, s, l2, fit_intercept):
    """Value that Newton's method with halved steps reaches, written independently of the package."""
    free = np.append(np.ones(x.shape[1] - 1, bool), fit_intercept)
    coef = np.zeros(x.shape[1])
    value, gradient, hessian = value_gradient_hessian(x, y, s, l2, coef)
    for _ in range(200):
        step = np.zeros_like(coef)
        step[free] = np.linalg.lstsq(hessian[np.ix_(free, free)], -gradient[free], rcond=1e-14)[0]
        for _ in range(60):
            trial = value_gradient_hessian(x, y, s, l2, coef + step)
            if trial[0] < value:
                break
            step *= 0.5
        else:
            return value
        coef, (value, gradient, hessian) = coef + step, trial
    return value


@many
@given(
    features(FIT_DTYPES),
    st.sampled_from(sorted(LABELS)),
    st.sampled_from(sorted(WEIGHTS)),
    st.sampled_from([None, "balanced", "dict"]),
    st.floats(-4, 4),
    st.booleans(),
    st.sampled_from(FIT_SOLVERS),
    st.sampled_from([1e-3, 1e-6]),
    st.sampled_from([1, 2]),
)
def test_fits_reach_the_optimum_of_plain_newton(
    drawn, kind, weights, class_weight, log_C, intercept, solver, tol, n_jobs
):
    x, rng = drawn
    if not NIGHTLY and x.shape[0] <= x.shape[1]:
        assume(x.dtype == np.float64)
    y = rng.integers(0, 2, len(x))
    y[:2] = 0, 1  # which have weight
    sample_weight = WEIGHTS[weights](rng, len(x))
    names = np.array(LABELS[kind])
    factors = {names[0].item(): 2.0, names[1].item(): 0.5} if class_weight == "dict" else class_weight
    before = x.tobytes()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegression(
            C=10.0**log_C, fit_intercept=intercept, class_weight=factors, solver=solver, tol=tol, n_jobs=n_jobs
        ).fit(x, names[y], sample_weight)
    assert x.tobytes() == before
    assert {item.category for item in caught} <= {ConvergenceWarning}
    np.testing.assert_array_equal(model.classes_, np.unique(names))
    np.testing.assert_array_equal(model.predict(x), names[(model.decision_function(x) > 0).astype(int)])
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], expit(model.decision_function(x)), rtol=1e-6)

    s = np.ones(len(x)) if sample_weight is None else sample_weight.astype(np.float64)
    if class_weight == "balanced":
        s = s * np.where(y, s.sum() / (2 * (s @ y)), s.sum() / (2 * (s @ (1 - y))))
    elif class_weight == "dict":
        s = s * np.where(y, 0.5, 2.0)
    l2, with_ones = 10.0**-log_C / s.sum(), np.column_stack([x.astype(np.float64), np.ones(len(x))])
    coef = np.append(model.coef_[0], model.intercept_).astype(np.float64)
    reached = value_gradient_hessian(with_ones, y, s / s.sum(), l2, coef)[0]
    least = least_value(with_ones, y, s / s.sum(), l2, intercept)
    # Coefficients of float32 are rounded once more, after the certificate.
    rounding = np.abs(with_ones) @ np.abs(coef) * 1e-7 if model.coef_.dtype == np.float32 else 0.0
    slack = np.mean(rounding) + 1e-9 * least
    assert model.gap_ <= tol or caught
    if not caught:
        assert reached <= least * (1 + tol) + slack
    assert least <= reached + slack  # so that the yardstick is one


@many
@given(features(DTYPES, min_samples=1), st.sampled_from([0.0, 1e-3, 1.0, 50.0]), st.booleans())
def test_passes_of_the_study_are_plain_numpys(drawn, size, soft):
    x, rng = drawn
    y = rng.random(len(x)) if soft else rng.integers(0, 2, len(x)).astype(np.float64)
    spread = size / max(1.0, float(np.abs(x.astype(np.float64)).max()) * np.sqrt(x.shape[1]))
    problem = Problem(x, y, None, np.append(rng.normal(size=x.shape[1]) * spread, 0.3))
    w, b = problem.coef[:-1, None], problem.coef[-1]
    cost, gradients = functional.forward_backward_propagation(w, b, x.T, y[None, :])
    z = problem.with_ones @ problem.coef
    assert_within(cost * len(x), np.sum(np.logaddexp(0.0, z) - y * z), problem.loss_bound())
    gradient = np.append(gradients["derivative_weight"][:, 0], gradients["derivative_bias"]) * len(x)
    assert_within(gradient, problem.with_ones.T @ (expit(z) - y), problem.gradient_bound())
    clear = np.abs(z) > problem.margin_bound()
    np.testing.assert_array_equal(functional.predict(w, b, x.T)[0, clear], (z > 0)[clear])
