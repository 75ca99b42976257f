"""Fits to sparse X that share passes: the passes against those of a fit alone, the fits against NumPy."""

import numpy as np
import pytest
from conftest import random_targets, random_weights
from sklearn.model_selection import StratifiedKFold
from test_csr import dtypes, index_dtypes, random_csr

from fastlr import LogisticRegression, LogisticRegressionCV, fit_many
from fastlr._validation import check_sparse_features
from fastlr.fits import lockstep
from fastlr.kernels.csr_many import LANES
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.csr_many import SharedPasses

SEARCH = {"cv": 5, "l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}


def shared(shape, n_fits, dtype="float64", indices="int32", seed=0):
    """Passes for some fits with weights of their own, their losses and coefficients, and X."""
    rng = np.random.default_rng([seed, *shape])
    X = check_sparse_features(random_csr(rng, shape, dtype, indices))
    y = random_targets(rng, shape[0])
    losses = [LogisticLoss(y, random_weights(rng, shape[0]) if k != 1 else np.empty(0)) for k in range(n_fits)]
    coefs = {k: rng.normal(size=(1, shape[1] + 1)) for k in range(n_fits)}
    return SharedPasses([CSRMatrix(X) for _ in losses], losses), losses, coefs, X


@pytest.mark.parametrize("n_fits", range(1, LANES + 1))
@pytest.mark.parametrize("shape", [(1, 1), (9, 3), (64, 64), (70, 200), (1_301, 40)])
@dtypes
@index_dtypes
def test_shared_passes_are_those_of_each_fit(shape, n_fits, dtype, indices):
    passes, losses, coefs, X = shared(shape, n_fits, dtype, indices)
    size = abs(X.astype(np.float64)).sum()
    for k, (value, gradient) in passes.sweep(coefs).items():
        alone = LogisticLoss(losses[k].y, losses[k].sample_weight)
        expected = CSRMatrix(X).sweep(alone, coefs[k])
        assert value == pytest.approx(expected[0], rel=1e-13)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-12, atol=1e-14 * (1.0 + size))
        for name in ("raw", "curvature"):
            np.testing.assert_allclose(getattr(losses[k], name), getattr(alone, name), rtol=1e-10, atol=1e-13)
    assert passes.n_passes == 1


def test_what_is_computed_for_a_fit_does_not_depend_on_the_others():
    passes, losses, coefs, _ = shared((1_301, 40), LANES)
    together = passes.sweep(coefs)
    raw = losses[2].raw.copy()
    losses[1].raw[:] = np.nan  # of a fit that is done
    for others in ((), (0,), (0, 3)):
        value, gradient = passes.sweep({k: coefs[k] for k in (*others, 2)})[2]
        assert value == together[2][0]
        assert (gradient == together[2][1]).all() and (losses[2].raw == raw).all()
    assert np.isnan(losses[1].raw).all()


def words(n_samples, n_features, seed=0):
    """Rows of unit length of words whose frequency falls, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    X = random_csr(rng, (n_samples, n_features), density=0.04)
    X.data = np.abs(X.data) / (1.0 + X.indices)[: X.data.size] ** 0.3
    X.sum_duplicates()
    y = (X @ rng.normal(size=n_features) + 0.5 * rng.logistic(size=n_samples) > 0.0).astype(int)
    return X, y


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_folds_have_the_fits_that_they_have_alone_and_read_x_less_often(fit_intercept):
    X, y = words(600, 700)
    Cs = np.array([0.1, 1.0, 10.0])
    folds = list(StratifiedKFold(5).split(X, y))
    many = fit_many(X, y, Cs=Cs, folds=folds, fit_intercept=fit_intercept, tol=1e-10)
    n_alone = 0
    for k, (train, _) in enumerate(folds):
        for i, C in enumerate(Cs):
            alone = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10).fit(X[train], y[train])
            n_alone += alone.n_passes_
            assert many.gaps[k, i] <= 1e-10
            assert many.objectives[k, i] == pytest.approx(alone.objective_, rel=3e-10)
            np.testing.assert_allclose(many.coefs[k, i], alone.coef_, rtol=1e-3, atol=1e-4)
    assert many.n_passes < 0.7 * n_alone


def test_number_of_threads_cannot_be_seen():
    X, y = words(600, 700)
    fits = [LogisticRegressionCV(Cs=4, n_jobs=n_jobs, **SEARCH).fit(X, y) for n_jobs in (1, 2, 3, 7)]
    for fit in fits[1:]:
        assert (fit.coefs_paths_ == fits[0].coefs_paths_).all() and (fit.coef_ == fits[0].coef_).all()


def test_groups_hold_each_set_once_and_are_alike():
    for n_sets in range(1, 30):
        for n_threads in (1, 2, 3, 8):
            groups = lockstep.groups_of(list(range(n_sets)), n_threads)
            sizes = [len(group) for group in groups]
            assert sorted(k for group in groups for k in group) == list(range(n_sets))
            assert max(sizes) <= LANES and max(sizes) - min(sizes) <= 1


def test_a_path_that_does_not_arrive_is_left_to_fits_alone(monkeypatch):
    X, y = words(600, 700)
    monkeypatch.setattr(lockstep, "plan", lambda *shape, **kind: [("preconditioned_lbfgs", 6)])
    fit = LogisticRegressionCV(Cs=4, tol=1e-9, **SEARCH).fit(X, y)
    assert (fit.gaps_ <= 1e-9).all()


def test_features_that_are_not_finite_are_refused():
    X, y = words(600, 700)
    X.data[11] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegressionCV(Cs=4, **SEARCH).fit(X, y)
