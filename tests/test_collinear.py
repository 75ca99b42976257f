"""Collinear columns without a penalty: one warning, which names them, and the coefficients of least norm."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, fit_many
from fastlr.objectives import base

KINDS = {"C": np.asarray, "F": np.asfortranarray, "csr": sparse.csr_array, "float32": np.float32}
TWINS = {
    "a multiple": (lambda x: 2 * x[:, 0], "x0, x3"),
    "a difference": (lambda x: x[:, 1] - 3 * x[:, 2], "x1, x2, x3"),
    "a constant": (lambda x: np.full(len(x), 7.0), "x3, the intercept"),
}


def make_data(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, 3)).astype(float)  # exact in float32
    return X, (rng.random(n_samples) < 1 / (1 + np.exp(1 - X[:, 0] / 4))).astype(int), rng


def fit(X, y, weight=None, **parameters):
    """The fit, and the warning's words."""
    with pytest.warns(ConvergenceWarning, match="collinear") as caught:
        model = LogisticRegression(C=np.inf, tol=1e-12, **parameters).fit(X, y, weight)
    [warning] = caught
    assert warning.filename == __file__
    return model, str(warning.message)


def is_silent(X, y, weight=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LogisticRegression(C=np.inf, **parameters).fit(X, y, weight)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_samples", [300, 3_000])
def test_columns_are_named_and_coefficients_are_those_of_least_norm(n_samples, kind, twin):
    X, y, _ = make_data(n_samples)
    made, names = TWINS[twin]
    model, words = fit(KINDS[kind](np.column_stack([X, made(X)])), y)
    assert f"collinear, {names}: " in words
    # As X's own fit has no choice, those of the same predictions are w0 + a v, with the shortest of least norm.
    plain = is_silent(X, y, tol=1e-12)
    start = np.append(plain.coef_[0], 0.0)
    relation = np.append(np.linalg.lstsq(np.column_stack([X, np.ones(n_samples)]), made(X), rcond=None)[0], -1.0)
    moved = np.delete(relation, 3)
    shift = -(start @ moved) / (moved @ moved)
    np.testing.assert_allclose(model.coef_[0], start + shift * moved, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, plain.intercept_ + shift * relation[3], rtol=1e-4, atol=1e-5)


def test_all_dummies_beside_an_intercept():
    X, y, rng = make_data(500)
    dummies = np.eye(4)[rng.integers(0, 4, 500)]
    model, words = fit(np.column_stack([X, dummies, X[:, :1]]), y)
    assert "x0, x3, x4, x5, x6, x7, the intercept: " in words
    assert abs(model.coef_[0, 3:7].sum()) < 1e-9
    assert model.coef_[0, 0] == pytest.approx(model.coef_[0, 7])
    is_silent(np.column_stack([X, dummies]), y, fit_intercept=False)


def test_weights_decide_which_samples_tell_columns_apart():
    X, y, _ = make_data(300)
    X[:, 2] = np.where(np.arange(300) < 40, X[:, 2], X[:, 1])
    is_silent(X, y)
    _, words = fit(X, y, np.where(np.arange(300) < 40, 0.0, 1.0))
    assert "x1, x2: " in words


def test_columns_that_only_lie_far_from_zero_and_columns_of_zeros_are_none():
    X, y, rng = make_data(3_000)
    is_silent(np.column_stack([X, 1.6e9 + 1e3 * rng.normal(size=3_000)]), y)
    model = is_silent(np.column_stack([X, np.zeros(3_000)]), y)
    assert model.coef_[0, 3] == 0.0


def test_with_a_penalty_and_for_separated_classes_nothing_is_said_of_them():
    X, y, _ = make_data(300)
    twins = np.column_stack([X, X[:, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogisticRegression(C=1e3).fit(twins, y)
    for separating in (y, y * (np.arange(300) < 50)):
        twins[:, 1] = separating
        with pytest.warns(ConvergenceWarning, match="separated") as caught:
            LogisticRegression(C=np.inf).fit(twins, y)
        assert len(caught) == 1


def test_of_many_fits_coefficients_are_of_least_norm_too():
    X, y, _ = make_data(300)
    twins = np.column_stack([X, 2 * X[:, 0]])
    fits = fit_many(twins, y, Cs=[1.0, np.inf], tol=1e-12)
    np.testing.assert_allclose(fits.coefs[0, 1], fit(twins, y)[0].coef_, rtol=1e-6)


def test_columns_that_are_fine_are_not_looked_at(monkeypatch):
    X, y, _ = make_data(3_000)
    monkeypatch.setattr(base, "idle_directions", None)
    is_silent(X, y)


@pytest.mark.parametrize("solver", ["auto", "newton_cg", "preconditioned_lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes, n_samples", [(2, 2_000), (3, 300), (3, 2_000)])
def test_whatever_solver_ran_and_however_many_classes(n_classes, n_samples, kind, solver):
    X, y, rng = make_data(n_samples)
    y = y + (rng.random(n_samples) < 0.3) * (n_classes - 2)
    plain = is_silent(X, y, tol=1e-12)
    twins = KINDS[kind](np.column_stack([X, 2 * X[:, 0]]))
    model, words = fit(twins, y, solver=solver)
    assert "collinear, x0, x3: " in words
    for place, share in ((0, 0.2), (3, 0.4)):  # w = (w0 + 2 w3) is (1, 2) / 5 of what it was where |w| is least
        np.testing.assert_allclose(model.coef_[:, place], share * plain.coef_[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.coef_[:, 1:3], plain.coef_[:, 1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, plain.intercept_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_samples_that_differ(n_classes):
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 25)), 2 * n_classes, axis=0)
    y = np.tile(np.arange(n_classes), 20)
    model, _ = fit(X, y)
    rest = model.coef_ - np.linalg.lstsq(X - X.mean(axis=0), (X - X.mean(axis=0)) @ model.coef_.T, rcond=None)[0].T
    np.testing.assert_allclose(rest, 0, atol=1e-8)  # nothing that X cannot see
    np.testing.assert_allclose(model.predict_proba(X), 1 / n_classes, atol=1e-5)


def test_sparse_columns_beyond_those_that_a_hessian_is_formed_of():
    X = sparse.random(3_000, 600, density=0.05, random_state=0, format="csr")
    y = np.random.default_rng(0).integers(0, 2, 3_000)
    is_silent(X, y)
    for tol in (1e-6, 1e-12):  # to a certificate, and to what the solver cannot certify
        with pytest.warns(ConvergenceWarning, match="are collinear, x5, x9, x600: ") as caught:
            LogisticRegression(C=np.inf, tol=tol).fit(sparse.hstack([X, X[:, [5]] - X[:, [9]]], format="csr"), y)
        assert len(caught) == 1


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("solver", ["auto", "newton_cg", "preconditioned_lbfgs"])
@pytest.mark.parametrize("n_samples", [300, 3_000])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_that_rounding_of_float32_alone_sets_apart(n_classes, n_samples, solver):
    X, y, rng = make_data(n_samples)
    y = y + (rng.random(n_samples) < 0.3) * (n_classes - 2)
    made_up = np.column_stack([X, X[:, 0] + X[:, 1] - 3 * X[:, 2], np.eye(3)[rng.integers(0, 3, n_samples)]])
    rounded = standardised(made_up).astype(np.float32)
    assert np.linalg.matrix_rank(rounded.astype(float)) == 7
    model, words = fit(rounded, y, solver=solver)
    assert "collinear, x0, x1, x2, x3, x4, x5, x6: " in words
    plain = is_silent(np.column_stack([X, made_up[:, 4:6]]), y, tol=1e-12)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-6)
    assert np.abs(model.coef_).max() < 10


@pytest.mark.parametrize("n_classes", [3, 5])
def test_a_subsample_in_which_a_column_is_constant_leads_nowhere_far(n_classes):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.eye(4)[rng.integers(0, 4, 9_000)], rng.normal(size=(9_000, 3)), np.zeros(9_000)])
    X[rng.choice(9_000, 2 * n_classes, replace=False), 7] = 1
    y = (X @ rng.normal(size=(8, n_classes)) / 2 + rng.gumbel(size=(9_000, n_classes))).argmax(axis=1)
    y[X[:, 7] == 1] = np.repeat(np.arange(n_classes), 2)
    model, words = fit(standardised(X), y, solver="preconditioned_lbfgs")
    assert "collinear, x0, x1, x2, x3: " in words
    plain = is_silent(X[:, 1:], y, tol=1e-12)
    assert model.objective_ == pytest.approx(plain.objective_, rel=1e-6)
    assert model.n_passes_ < 90
