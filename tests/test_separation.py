"""Samples that are separated along some columns only: one warning, which names them."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, inference
from fastlr.fits import undetermined
from fastlr.objectives import softmax

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


@pytest.mark.parametrize("offset", [-8.0, 15.0, 30.0])
def test_offsets_count_for_who_is_far(offset):
    X, y, _ = make_data()
    X[:, 2] = 0
    X[np.flatnonzero(y)[:30], 2] = 1
    model, offsets = LogisticRegression(C=np.inf), offset * X[:, 2]
    with pytest.warns(ConvergenceWarning, match="separated, along x2:.*firth"):
        model.fit(X, y, offset=offsets)
    with pytest.raises(ValueError, match="perfectly separated, along x2"):
        inference(model, X, y, offset=offsets)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_of_many_classes_that_are_separated_there_is_no_table(cov_type):
    for seed in range(12):
        X, _, rng = make_data(80, seed)
        X = (X[:, :2] > 0.5).astype(float)
        y = (3.0 * X @ rng.normal(size=(2, 4)) + rng.gumbel(size=(80, 4))).argmax(axis=1)
        y[X[:, 0] == 1] = np.maximum(y[X[:, 0] == 1], 1)  # nobody there is of the first class
        if len(np.unique(y)) < 3:
            continue
        with pytest.warns(ConvergenceWarning, match="separated"):
            model = LogisticRegression(C=np.inf).fit(X, y)
        with pytest.raises(ValueError, match="perfectly separated"):
            inference(model, X, y, cov_type=cov_type)


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


def is_separated(X, y):
    """Whether a linear program finds coefficients that move no sample away from its class, and some towards it."""
    X1, classes = np.column_stack([X, np.ones(len(X))]), np.unique(y)
    leads = []
    for other in classes:
        rows = np.flatnonzero(y != other)
        lead = np.zeros((len(rows), len(classes), X1.shape[1]))
        lead[range(len(rows)), np.searchsorted(classes, y[rows])] = X1[rows]
        lead[:, np.searchsorted(classes, other)] = -X1[rows]
        leads.append(lead.reshape(len(rows), -1))
    leads = np.concatenate(leads)
    bounds = np.repeat([0.0, 1.0], len(leads))
    best = linprog(-leads.sum(axis=0), A_ub=np.concatenate([-leads, leads]), b_ub=bounds, bounds=(None, None))
    return best.fun < -1e-6


def drawn_table(seed):
    """Few samples, or columns of few values: some tables are separated, some are not."""
    rng = np.random.default_rng(seed)
    n_samples, n_features, n_classes = rng.choice([15, 40, 120]), rng.integers(1, 5), rng.choice([2, 3, 4])
    X = rng.integers(-2, 3, (n_samples, n_features)) if seed % 3 else rng.random((n_samples, n_features)) < 0.2
    raw = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n_samples, n_classes))
    if seed % 2:
        X = X @ np.linalg.qr(rng.normal(size=(n_features, n_features)))[0]
    return X.astype(float), raw.argmax(axis=1)


def words_of(X, y, **parameters):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LogisticRegression(C=np.inf, **parameters).fit(X, y)
    assert len(caught) <= 1
    return " ".join(str(warning.message) for warning in caught)


@pytest.mark.parametrize("solver", ["auto", "newton_cg"])
def test_a_linear_program_agrees(solver):
    count = 0
    for seed in range(60):
        X, y = drawn_table(seed)
        if len(np.unique(y)) > 1 and np.linalg.matrix_rank(X - X.mean(axis=0)) == X.shape[1]:
            expected = is_separated(X, y)
            count += expected
            assert ("separated" in words_of(X, y, solver=solver)) == expected, seed
    assert 10 < count < 40


@pytest.mark.parametrize("most", [3_000, 0], ids=["Hessian", "conjugate gradients"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_samples", [300, 3_000])
def test_of_many_classes_columns_are_named_and_classes(n_samples, kind, most, monkeypatch):
    monkeypatch.setattr(undetermined, "LARGEST_FACTOR", most)
    monkeypatch.setattr(softmax, "FACTORED_FEATURES", most)
    X, _, rng = make_data(n_samples)
    y = (X[:, :3] + rng.gumbel(size=(n_samples, 3))).argmax(axis=1)
    names = np.array(["ash", "elm", "oak"])
    assert words_of(KINDS[kind](X), names[y]) == ""
    X[:, 2] = (rng.random(n_samples) < 0.3) & (y != 1)
    words = words_of(KINDS[kind](X), names[y])
    assert words.startswith("Some samples are perfectly separated from elm, along x2:")
    X[:, 2] = (rng.random(n_samples) < 0.3) & (y == 1)
    assert "separated from ash, oak, along x2:" in words_of(KINDS[kind](X), names[y])


@pytest.mark.parametrize("shape", [(400, 10, 2), (60, 90, 2), (400, 8, 5), (1_500, 600, 2)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_ends_once_its_loss_leaves_no_sample_on_the_wrong_side(kind, shape):
    n_samples, n_features, n_classes = shape
    rng = np.random.default_rng(n_samples)
    X = rng.normal(size=(n_samples, n_features))
    y = (X @ rng.normal(size=(n_features, n_classes))).argmax(axis=1)
    weight = rng.uniform(0.5, 2.0, n_samples) * (rng.random(n_samples) < 0.9)
    with pytest.warns(ConvergenceWarning, match="separated by a hyperplane"):
        model = LogisticRegression(C=np.inf).fit(KINDS[kind](X), y, sample_weight=weight)
    assert model.score(X[weight > 0], y[weight > 0]) == 1.0
    assert model.n_passes_ < 100  # to a loss of 0 it is hundreds


def test_a_small_loss_by_offsets_or_of_proportions_is_no_separation():
    X, y, _ = make_data(100)
    by_offsets = LogisticRegression(C=np.inf).fit(X, y, offset=8.0 * (2 * y - 1))
    of_proportions = LogisticRegression(C=np.inf).fit(
        np.sign(X), np.where(X[:, 0] > 0, 1 - 1e-4, 1e-4), proportions=True
    )
    for model in by_offsets, of_proportions:
        assert model.objective_ < 0.5 * np.log(2) / 100
        assert model.gap_ <= 1e-6


def test_a_class_without_weight_is_none_that_is_named():
    X, _, rng = make_data(600)
    y = (X[:, :4] + rng.gumbel(size=(600, 4))).argmax(axis=1)
    X[:, 2] = (rng.random(600) < 0.3) & (y != 2)
    with pytest.warns(ConvergenceWarning, match="separated from 2, along x2:"):
        LogisticRegression(C=np.inf).fit(X, y, (y != 1).astype(float))


def test_more_columns_than_a_hessian_is_for():
    rng = np.random.default_rng(0)
    X = sparse.random(4_000, 3_500, density=0.0005, random_state=1, format="csr", data_rvs=np.ones)
    y = rng.integers(0, 2, 4_000)
    assert "separated" in words_of(X, y, max_iter=500)
    blocks = sparse.kron(sparse.eye_array(1_750), np.array([[1, 0], [0, 1], [1, 1.0]])).tocsr()
    twice = sparse.vstack([blocks, blocks]).tocsr()
    assert words_of(twice, np.repeat([0, 1], blocks.shape[0])) == ""


def table_of_factors(seed, levels, n_samples):
    """All dummies of each factor, which are collinear, and columns far from zero; four classes."""
    rng = np.random.default_rng(seed)
    dummies = [np.eye(n_levels)[rng.integers(0, n_levels, n_samples)] for n_levels in levels]
    X = np.column_stack([*dummies, 1900 + 20 * rng.normal(size=(n_samples, 2))])
    raw = X[:, :-2] @ rng.normal(size=(X.shape[1] - 2, 4)) + rng.gumbel(size=(n_samples, 4))
    return X, raw.argmax(axis=1)


@pytest.mark.parametrize("seed, levels, n_samples", [(1, (3, 2), 24), (5, (3, 2), 24), (0, (40, 3, 3), 700)])
def test_where_columns_are_collinear_too_it_is_found_before_all_steps_are_taken(seed, levels, n_samples):
    X, y = table_of_factors(seed, levels, n_samples)
    assert is_separated(X[:60], y[:60])
    with pytest.warns(ConvergenceWarning, match="Some samples are perfectly separated") as caught:
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert len(caught) == 1
    assert model.n_iter_[0] < 60


def test_steps_along_what_rounding_leaves_of_a_gradient_are_short():
    X, y = table_of_factors(6, (3, 2), 24)
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert np.abs(model.coef_).max() < 1e3
