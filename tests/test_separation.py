"""Samples that are separated along some columns only: one warning, which names them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression

KINDS = {"C": np.asarray, "F": np.asfortranarray, "csr": sparse.csr_array, "float32": np.float32}


def make_data(n_samples=3_000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, (rng.random(n_samples) < 1 / (1 + np.exp(-X[:, 0]))).astype(int), rng


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("event", [0, 1])
@pytest.mark.parametrize("n_ones", [1, 30])
def test_a_column_whose_ones_all_have_the_event_is_named(kind, event, n_ones):
    X, y, _ = make_data()
    X[:, 2] = 0
    X[np.flatnonzero(y == event)[:n_ones], 2] = 1
    with pytest.warns(ConvergenceWarning, match="separated, along x2:.*firth"):
        LogisticRegression(C=np.inf).fit(KINDS[kind](X), y)
    LogisticRegression(C=1e3).fit(KINDS[kind](X), y)


def test_categories_without_an_event_are_named():
    pd = pytest.importorskip("pandas")
    _, _, rng = make_data()
    category = rng.integers(0, 12, 3_000)
    y = (rng.random(3_000) < 0.2).astype(int)
    y[np.isin(category, [3, 7])] = 0
    X = pd.get_dummies(pd.Series(category).map("k{}".format), drop_first=True)
    with pytest.warns(ConvergenceWarning, match="separated, along k3, k7:"):
        LogisticRegression(C=np.inf).fit(X, y)


def test_a_direction_of_several_columns_and_one_of_continuous_ones():
    X, y, rng = make_data(400)
    edge = rng.random(400) < 0.5
    X[:, 3] = np.where(edge, 0.0, np.where(y == 1, 1.0, -1.0) * rng.exponential(size=400))
    for rotation in (np.eye(2), np.array([[1.0, 1.0], [-1.0, 1.0]])):
        Z = X.copy()
        Z[:, 2:] = X[:, 2:] @ rotation
        words = "along x3:" if rotation[0, 1] == 0 else "along x2, x3:"
        with pytest.warns(ConvergenceWarning, match=words):
            LogisticRegression(C=np.inf).fit(Z, y)


def test_weights_decide_who_counts():
    X, y, _ = make_data()
    X[:, 2] = np.arange(3_000) < 40
    weight = np.where((X[:, 2] == 1) & (y == 0), 0.0, 1.0)
    with pytest.warns(ConvergenceWarning, match="along x2:"):
        LogisticRegression(C=np.inf).fit(X, y, weight)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_samples_that_are_far_and_no_more_are_no_separation(scale):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4_000, 3)) * [6 * scale, 1, 1]
    y = (rng.random(4_000) < 1 / (1 + np.exp(-X[:, 0] / scale))).astype(int)
    model = LogisticRegression(C=np.inf).fit(X, y)
    assert np.abs(model.decision_function(X)).max() > 15
    share = np.where(X[:, 0] > 0, 0.9, 0.1)
    LogisticRegression(C=np.inf).fit(X, share, proportions=True)
