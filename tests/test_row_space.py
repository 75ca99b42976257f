"""Many classes with fewer samples than features: fits in the row space of X are those to X."""

import numpy as np
import pytest
from conftest import DTYPES, ORDERS, random_features
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from fastlr import LogisticRegression, fit_many
from fastlr.fits import one
from fastlr.fits.problem import Problem
from fastlr.fits.row_space import RowSpace, has_small_row_space


def wide(n_samples=40, n_features=90, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    X = 0.5 * rng.normal(size=(n_classes, n_features))[y] + rng.normal(size=(n_samples, n_features))
    return X * np.linspace(0.1, 3.0, n_features) + 1.0, y


def problem_of(X, n_classes, l1_ratio=0.0):
    return Problem(X, np.arange(X.shape[0]) % n_classes, n_classes, np.empty(0), 1.0, True, l1_ratio)


@pytest.fixture
def spaces(monkeypatch):
    """The row spaces that fits make use of."""
    made = []

    def make(X):
        made.append(RowSpace(X))
        return made[-1]

    monkeypatch.setattr(one, "RowSpace", make)
    return made


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_coordinates_keep_predictions_and_lengths(dtype, order):
    rng = np.random.default_rng(0)
    X = random_features(rng, 9, 14, dtype, order)
    X[3] = X[5]  # of a smaller rank
    space, exact = RowSpace(X), X.astype(np.float64)
    coef = rng.normal(size=(3, 10))
    W = space.features(coef)
    np.testing.assert_allclose(exact @ W[:, :-1].T, space.X @ coef[:, :-1].T, atol=1e-12 * np.abs(exact).sum())
    np.testing.assert_allclose(np.linalg.norm(W, axis=1), np.linalg.norm(coef, axis=1), rtol=1e-13)
    np.testing.assert_allclose(space.coordinates(W), coef, atol=1e-13)
    # What is not in the row space changes no prediction, and is left out.
    W = rng.normal(size=(3, 15))
    raw = space.X @ space.coordinates(W)[:, :-1].T
    np.testing.assert_allclose(raw, exact @ W[:, :-1].T, atol=1e-12 * np.abs(exact).sum())


@pytest.mark.parametrize("C", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_fits_are_those_of_scikit_learn(spaces, weighted, fit_intercept, C):
    X, y = wide()
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-13).fit(X, y, weight)
    theirs = SklearnLogisticRegression(C=C, fit_intercept=fit_intercept, solver="newton-cg", tol=1e-9, max_iter=1_000)
    theirs.fit(X, y, weight)
    assert len(spaces) == 1
    scale = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4 * scale)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4 * scale)


def test_columns_of_any_scale_arrive(spaces):
    X, y = wide()
    X *= 10.0 ** np.random.default_rng(2).uniform(-4.0, 4.0, X.shape[1])
    for C in (1e-5, 1.0, 1e6):
        assert LogisticRegression(C=C).fit(X, y).gap_ <= 1e-6
    assert len(spaces) == 3


def test_a_warm_start_is_where_the_last_fit_ended(spaces):
    X, y = wide(60, 100)
    model = LogisticRegression(warm_start=True).fit(X, y)
    assert model.n_iter_ > 0
    assert model.fit(X, y).n_iter_ == 0
    assert len(spaces) == 2


def test_samples_without_weight_are_absent(spaces):
    X, y = wide()
    train = np.arange(0, 40, 3)
    fits = fit_many(X, y, Cs=[0.1, 10.0], folds=[(train, [1])], tol=1e-12)
    assert len(spaces) == 1
    for C, coef in zip(fits.Cs, fits.coefs[0], strict=True):
        alone = LogisticRegression(C=C, tol=1e-12).fit(X[train], y[train])
        np.testing.assert_allclose(coef, alone.coef_, atol=1e-5 * np.abs(coef).max())


def test_what_is_not_finite_is_told_of(spaces):
    X, y = wide()
    X[3, 7] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        LogisticRegression().fit(X, y)


def test_squares_that_overflow_are_no_infinity_of_X(spaces):
    X, y = wide()
    with pytest.warns(ConvergenceWarning, match="too large to be squared"):
        LogisticRegression().fit(X * 1e307, y)
    assert not np.isfinite(spaces[0].X).all()


@pytest.mark.parametrize(
    ("shape", "n_classes", "is_done"),
    [
        ((75, 100), 3, True),
        ((76, 100), 3, False),
        ((75, 100), 2, False),
        ((300, 20_000), 5, True),
        ((2_000, 4_000), 3, False),
        ((1_000, 9_001), 100, False),
    ],
)
def test_wide_X_of_many_classes_has_a_small_row_space(shape, n_classes, is_done):
    X = np.broadcast_to(1.0, shape)
    assert has_small_row_space(problem_of(X, n_classes), [1.0]) == is_done
    assert not has_small_row_space(problem_of(X, n_classes), [1.0, np.inf])
    assert not has_small_row_space(problem_of(X, n_classes, l1_ratio=0.5), [1.0])
    assert not has_small_row_space(problem_of(sparse.csr_array(shape), n_classes), [1.0])
