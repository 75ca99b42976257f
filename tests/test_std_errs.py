"""Standard errors of many fits: those of single fits, and none where there are none."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from test_inference import fitted, make_data

import fastlr
from fastlr import fit_many

CS = [1e-2, 1.0, np.inf]


def alone(X, y, weight=None, C=np.inf, fit_intercept=True):
    """[std_errs, intercept_std_err] of one fit, by `inference`."""
    model = fitted(X, y, weight, C=C, fit_intercept=fit_intercept)
    errors = fastlr.inference(model, X, y, sample_weight=weight).std_err
    return np.roll(errors, -1) if fit_intercept else np.append(errors, 0.0)


def errors_of(fits, *place):
    return np.append(fits.std_errs[place], fits.intercept_std_errs[place])


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, np.float32, sparse.csr_array])
@pytest.mark.parametrize(("n_samples", "n_features"), [(200, 4), (1_500, 6), (40, 50)])
def test_they_are_those_of_single_fits(kind, fit_intercept, n_samples, n_features):
    X, y, rng = make_data(n_samples, n_features)
    X = kind(X)
    weights = rng.integers(0, 4, (2, n_samples)).astype(float)
    Cs = CS if n_samples > n_features else CS[:2]
    fits = fit_many(X, y, Cs=Cs, sample_weight=weights, tol=1e-13, fit_intercept=fit_intercept, std_errs=True)
    assert fits.std_errs.shape == fits.coefs.shape
    assert fits.intercept_std_errs.shape == fits.intercepts.shape
    for k, weight in enumerate(weights):
        for i, C in enumerate(Cs):
            np.testing.assert_allclose(errors_of(fits, k, i), alone(X, y, weight, C, fit_intercept), rtol=1e-5)


def test_of_targets_and_of_folds():
    X, y, rng = make_data(300)
    y = np.column_stack([y, rng.permutation(y)])
    rows = np.arange(300)
    folds = [(rows[rows % 2 == k], rows[rows % 2 != k]) for k in range(2)]
    fits = fit_many(X, y, Cs=[1.0], folds=folds, tol=1e-13, std_errs=True)
    for j in range(2):
        for k, (train, _) in enumerate(folds):
            np.testing.assert_allclose(errors_of(fits, 2 * j + k, 0), alone(X[train], y[train, j], C=1.0), rtol=1e-6)


def test_a_weight_is_as_many_copies():
    X, y, rng = make_data(150)
    weight = rng.integers(0, 4, 150)
    rows = np.repeat(np.arange(150), weight)
    weighted = fit_many(X, y, Cs=CS, sample_weight=weight, tol=1e-13, std_errs=True)
    copied = fit_many(X[rows], y[rows], Cs=CS, tol=1e-13, std_errs=True)
    for i in range(len(CS)):
        np.testing.assert_allclose(errors_of(weighted, 0, i), errors_of(copied, 0, i), rtol=1e-6)


def test_they_are_not_there_unless_asked_for():
    X, y, _ = make_data()
    fits = fit_many(X, y, Cs=[1.0])
    assert fits.std_errs is None
    assert fits.intercept_std_errs is None


def has_errors(fits):
    finite = np.isfinite(fits.std_errs)
    assert (finite.all(axis=(2, 3)) == finite.any(axis=(2, 3))).all()
    assert (np.isfinite(fits.intercept_std_errs[..., 0]) == finite.all(axis=(2, 3))).all()
    assert not np.isnan(fits.std_errs).any()
    return finite.all(axis=(2, 3)).tolist()


def test_collinear_columns_have_none_without_a_penalty():
    X, y, _ = make_data()
    X[:, 3] = X[:, 0] - 2 * X[:, 1]
    with pytest.warns(ConvergenceWarning, match="1 of 2 fits failed. set 0, C=inf: no standard errors: .*collinear"):
        fits = fit_many(X, y, Cs=[1.0, np.inf], std_errs=True)
    assert has_errors(fits) == [[True, False]]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_separated_samples_have_none_without_a_penalty(share, kind):
    X, y, rng = make_data()
    chosen = rng.random(len(y)) < share
    X[:, 2] = np.where(chosen, 2.0 * y - 1.0, 0.0)
    with pytest.warns(ConvergenceWarning, match="1 of 2 fits failed. set 0, C=inf: .*separated"):
        fits = fit_many(kind(X), y, Cs=[1.0, np.inf], std_errs=True)
    assert has_errors(fits) == [[True, False]]


def test_columns_that_separate_some_samples_are_named():
    X, y, rng = make_data()
    X[:, 2] = (rng.random(len(y)) < 0.3) * y
    with pytest.warns(ConvergenceWarning, match="1 of 1 fits failed.*separated, along columns 2 of X"):
        fit_many(X, y, Cs=[np.inf])


def test_a_set_that_leaves_a_class_without_weight_has_none():
    X, y, _ = make_data()
    weights = np.stack([np.ones(len(y)), y == 1])
    with pytest.warns(ConvergenceWarning, match="1 of 2 fits failed. set 1, C=1: no standard errors: a class"):
        fits = fit_many(X, y, Cs=[1.0], sample_weight=weights, std_errs=True)
    assert has_errors(fits) == [[True], [False]]


def test_fits_without_a_certificate_have_none():
    X, y, _ = make_data()
    with pytest.warns(ConvergenceWarning, match="1 of 1 fits failed"):
        fits = fit_many(X, y, Cs=[1.0], max_iter=1, tol=1e-14, std_errs=True)
    assert has_errors(fits) == [[False]]


def test_what_they_are_not_for_is_refused():
    X, y, _ = make_data(n_classes=3)
    with pytest.raises(ValueError, match="std_errs are for two classes, got 3"):
        fit_many(X, y, std_errs=True)
    with pytest.raises(ValueError, match="without an L1 penalty, got l1_ratio="):
        fit_many(X, y > 0, l1_ratio=0.5, std_errs=True)
    with pytest.raises(ValueError, match="10001 parameters, more than std_errs are for"):
        fit_many(sparse.csr_array((len(y), 10_000)), y > 0, std_errs=True)
    with pytest.raises(TypeError, match="std_errs"):
        fit_many(X, y > 0, std_errs="yes")
