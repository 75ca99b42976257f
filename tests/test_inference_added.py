"""Columns added to a model: score tests against plain NumPy, fits against fits of the larger model."""

import numpy as np
import pytest
from scipy import sparse
from test_inference import fitted, infer, log_likelihood, make_data, probabilities, scores

import fastlr


def score_by_hand(params, X, y):
    """u^T I^-1 u of a model with all the columns, at parameters."""
    p, u = probabilities(params, X)[:, 1:], scores(params, X, y).sum(axis=0)
    X1 = np.column_stack([np.ones(len(X)), X])
    information = sum(np.kron(np.diag(p_i) - np.outer(p_i, p_i), np.outer(x, x)) for p_i, x in zip(p, X1, strict=True))
    return u @ np.linalg.solve(information, u)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_scores_are_those_of_the_larger_model(n_classes):
    X, y, rng = make_data(n_classes=n_classes)
    Z = rng.normal(size=(len(y), 3)) + X[:, :1]
    result = infer(X, y)
    params = np.column_stack([np.atleast_2d(result.coef), np.zeros((n_classes - 1, 3))])
    test = result.score_test(Z)
    assert test.df == 3 * (n_classes - 1)
    np.testing.assert_allclose(test.statistic, score_by_hand(params, np.column_stack([X, Z]), y), rtol=1e-6)
    scan = result.score_scan(np.column_stack([Z, X[:, 0] + 2, np.ones(len(y)), np.zeros(len(y))]))
    for j in range(3):
        one = result.score_test(Z[:, [j]])
        np.testing.assert_allclose([scan.statistic[j], scan.p_value[j]], [one.statistic, one.p_value], rtol=1e-9)
    assert (scan.statistic[3:] == 0).all() and (scan.p_value[3:] == 1).all()  # X has those
    for kind in (sparse.csr_array(Z), np.asfortranarray(Z)):
        np.testing.assert_allclose(result.score_scan(kind).statistic, scan.statistic[:3], rtol=1e-9)
        np.testing.assert_allclose(result.score_test(kind).statistic, test.statistic, rtol=1e-9)
    with pytest.raises(ValueError, match="collinear"):
        result.score_test(X[:, :1])
    with pytest.raises(ValueError, match="Z must have a row"):
        result.score_scan(Z[1:])
    with pytest.raises(ValueError, match="Z must be finite"):
        result.score_scan(np.where(Z > 1, np.nan, Z))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_of_counts_are_those_of_copies(n_classes):
    X, y, rng = make_data(n_classes=n_classes)
    Z, counts = rng.normal(size=(len(y), 2)), rng.integers(0, 3, len(y))
    copies = np.repeat(np.arange(len(y)), counts)
    expected = infer(X[copies], y[copies])
    weighted = infer(X, y, counts)
    for name in ("score_test", "score_scan", "fit_added"):
        actual = getattr(weighted, name)(Z)
        for one, other in zip(actual, getattr(expected, name)(Z[copies]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)


def test_offsets_and_no_intercept():
    X, y, rng = make_data()
    Z, offset = rng.normal(size=(len(y), 2)), rng.normal(size=len(y))
    both = np.column_stack([X, Z])
    larger = fitted(both, y, fit_intercept=False)
    result = fastlr.inference(fitted(X, y, fit_intercept=False), X, y)
    fits = result.fit_added(Z)
    assert result.score_scan(np.ones((len(y), 1))).statistic[0] > 0.0  # the intercept that is not there
    full = fastlr.inference(larger, both, y)
    one = fastlr.inference(fitted(both[:, :5], y, fit_intercept=False), both[:, :5], y)
    np.testing.assert_allclose([fits.coef[0], fits.std_err[0]], [one.coef[-1], one.std_err[-1]], rtol=1e-7)
    assert fits.statistic[0] < full.lr_test(result).statistic
    moved = fastlr.inference(fastlr.LogisticRegression(C=np.inf).fit(X, y, offset=offset), X, y, offset=offset)
    larger = fastlr.LogisticRegression(C=np.inf).fit(both[:, :5], y, offset=offset)
    larger = fastlr.inference(larger, both[:, :5], y, offset=offset)
    fits = moved.fit_added(Z[:, :1])
    np.testing.assert_allclose(fits.coef[0], larger.coef[-1], rtol=1e-7)
    np.testing.assert_allclose(fits.statistic[0], larger.lr_test(moved).statistic, rtol=1e-7)
    np.testing.assert_allclose(moved.score_scan(Z[:, :1]).statistic, moved.score_test(Z[:, :1]).statistic, rtol=1e-9)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes, n_samples", [(2, 200), (3, 200), (2, 2_000)])
def test_fits_are_those_of_the_larger_model(n_classes, n_samples, kind):
    X, y, rng = make_data(n_samples, n_classes=n_classes)
    Z = np.column_stack([rng.normal(size=(n_samples, 2)), X[:, 0] - X[:, 1]])
    result = infer(kind(X), y)
    fits = result.fit_added(kind(Z))
    assert fits.df == n_classes - 1
    for j in range(2):
        larger = infer(np.column_stack([X, Z[:, j]]), y)
        np.testing.assert_allclose(fits.coef[j], larger.coef[..., -1], rtol=1e-6)
        np.testing.assert_allclose(fits.std_err[j], larger.std_err[..., -1], rtol=1e-6)
        expected = 2 * (log_likelihood(larger.coef, np.column_stack([X, Z[:, j]]), y) - result.log_likelihood)
        np.testing.assert_allclose(fits.statistic[j], expected, rtol=1e-6)
    assert np.all(fits.coef[2] == 0) and np.all(np.isinf(fits.std_err[2])) and fits.p_value[2] == 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_column_that_separates_samples_has_a_test_and_no_estimate(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    Z = np.zeros((len(y), 2))
    Z[np.flatnonzero(y == 0)[:9], 0] = 1
    Z[np.flatnonzero(y == 1)[:9], 1] = -1
    fits = infer(X, y).fit_added(Z)
    assert (fits.coef[0] == -np.inf).all() and np.isinf(fits.std_err[0]).all()
    if n_classes == 2:
        assert fits.coef[1] == -np.inf
    assert (fits.p_value < 0.01).all()
    with pytest.raises(ValueError, match="without a penalty"):
        fastlr.inference(fitted(X, y, C=1.0), X, y).fit_added(Z)
