"""Offsets and proportions: columns held at a coefficient of 1, and samples of both classes."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.model_selection import KFold, cross_validate

import fastlr
from fastlr import LogisticRegression


def make_data(n_samples=400, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    offset = rng.normal(size=n_samples) * 2 + 0.5
    y = (rng.random(n_samples) < expit(X @ rng.normal(size=n_features) + offset)).astype(int)
    return X, y, offset, rng.exponential(size=n_samples)


def gradient(model, X, y, weight, offset, C):
    """Of scikit-learn's objective over C; intercept last."""
    X = X.toarray() if sparse.issparse(X) else X.astype(np.float64)
    w, b = model.coef_[0].astype(np.float64), model.intercept_[0]
    residual = weight * (expit(X @ w + b + offset) - y)
    return np.append(X.T @ residual + w / C, residual.sum())


@pytest.mark.parametrize("n_samples, n_features", [(400, 5), (3_000, 8), (60, 300), (3_000, 40)])
@pytest.mark.parametrize("C", [0.5, np.inf])
@pytest.mark.parametrize("proportions", [False, True])
def test_a_fit_is_at_the_optimum_with_the_offset_in_it(n_samples, n_features, C, proportions):
    if C == np.inf and n_samples < n_features:
        pytest.skip("separated")
    X, y, offset, weight = make_data(n_samples, n_features)
    y = 0.8 * y + 0.1 if proportions else y
    model = LogisticRegression(C=C, tol=1e-12).fit(X, y, weight, offset=offset, proportions=proportions)
    np.testing.assert_allclose(gradient(model, X, y, weight, offset, C), 0, atol=1e-4)
    assert model.gap_ <= 1e-12
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("solver", ["newton_cholesky", "newton_cg", "preconditioned_lbfgs", "gram_newton"])
@pytest.mark.parametrize("kind", ["C", "F", "csr", "float32"])
def test_every_solver_and_kind_of_features_takes_offsets(solver, kind):
    X, y, offset, weight = make_data(2_000, 12)
    X = {"csr": sparse.csr_array, "F": np.asfortranarray, "C": np.asarray, "float32": np.float32}[kind](X)
    if solver == "gram_newton":
        X, y, offset, weight = X[:150], y[:150], offset[:150], weight[:150]
    model = LogisticRegression(solver=solver, tol=1e-9).fit(X, y, weight, offset=offset)
    np.testing.assert_allclose(gradient(model, X, y, weight, offset, 1.0), 0, atol=2e-2)
    assert model.gap_ <= 1e-9


def test_an_l1_penalty_takes_offsets():
    X, y, offset, weight = make_data(2_000, 12)
    model = LogisticRegression(C=0.02, l1_ratio=1.0, tol=1e-10).fit(X, y, weight, offset=offset)
    slope = gradient(model, X, y, weight, offset, np.inf)
    inside = model.coef_[0] == 0
    assert 0 < inside.sum() < 12
    assert np.abs(slope[:-1][inside]).max() <= 50
    np.testing.assert_allclose(slope[:-1][~inside], -50 * np.sign(model.coef_[0][~inside]), rtol=1e-3)


def test_a_constant_offset_moves_the_intercept_alone():
    X, y, _, weight = make_data()
    plain = LogisticRegression(tol=1e-13).fit(X, y, weight)
    moved = LogisticRegression(tol=1e-13).fit(X, y, weight, offset=3)
    np.testing.assert_allclose(moved.intercept_, plain.intercept_ - 3, rtol=1e-6)
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-6)
    np.testing.assert_allclose(moved.objective_, plain.objective_, rtol=1e-9)


@pytest.mark.parametrize("n_samples", [300, 3_000])
def test_proportions_with_counts_are_the_events_they_count(n_samples):
    X, _, offset, _ = make_data(n_samples)
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 6, n_samples)
    events = rng.binomial(counts, expit(X[:, 0] + offset))
    share = events / np.maximum(counts, 1)
    options = {"proportions": True, "offset": offset}
    model = LogisticRegression(C=np.inf).fit(X, share, counts, **options)
    result = fastlr.inference(model, X, share, sample_weight=counts, **options)
    rows = np.repeat(np.arange(n_samples), 2)
    y, weight = np.tile([1, 0], n_samples), np.column_stack([events, counts - events]).ravel()
    twice = LogisticRegression(C=np.inf).fit(X[rows], y, weight, offset=offset[rows])
    split = fastlr.inference(twice, X[rows], y, sample_weight=weight, offset=offset[rows])
    for name in ("coef", "std_err", "p_values", "log_likelihood", "log_likelihood_null", "aic", "bic", "pseudo_r2"):
        np.testing.assert_allclose(getattr(result, name), getattr(split, name), rtol=1e-7, err_msg=name)
    np.testing.assert_allclose(result.score_test().statistic, split.score_test().statistic, rtol=1e-7)
    effects = result.marginal_effects(), split.marginal_effects()
    np.testing.assert_allclose(effects[0].effects, effects[1].effects, rtol=1e-7)
    np.testing.assert_allclose(effects[0].std_err, effects[1].std_err, rtol=1e-7)


def test_inference_knows_offsets():
    # As if the offset were one more column, whose coefficient happens to be 1.
    X, y, offset, _ = make_data()
    with_column = np.column_stack([X, offset])
    free = LogisticRegression(C=np.inf, tol=1e-14).fit(with_column, y)
    scaled = offset * free.coef_[0, -1]
    model = LogisticRegression(C=np.inf).fit(X, y, offset=scaled)
    result = fastlr.inference(model, X, y, offset=scaled)
    column = fastlr.inference(free, with_column, y)
    np.testing.assert_allclose(result.coef, column.coef[:-1], rtol=1e-6)
    np.testing.assert_allclose(result.information, column.information[:-1, :-1], rtol=1e-6)
    np.testing.assert_allclose(result.log_likelihood, column.log_likelihood, rtol=1e-10)
    predicted = result.predict(X, offset=scaled).probability
    np.testing.assert_allclose(predicted, column.predict(with_column).probability, rtol=1e-6)
    np.testing.assert_allclose(result.diagnostics().probability, predicted, rtol=1e-6)
    own, theirs = result.marginal_effects(), column.marginal_effects()
    np.testing.assert_allclose(own.effects, theirs.effects[:-1], rtol=1e-6)
    given = result.marginal_effects(X, offset=scaled)
    np.testing.assert_allclose(own.effects, given.effects, rtol=1e-9)
    np.testing.assert_allclose(
        result.marginal_effects(at="mean").effects, column.marginal_effects(at="mean").effects[:-1], rtol=1e-6
    )
    null = LogisticRegression(C=np.inf).fit(np.zeros((len(y), 1)), y, offset=scaled)
    np.testing.assert_allclose(result.log_likelihood_null, -len(y) * null.objective_, rtol=1e-6)
    assert result.lr_test().df == 5
    with pytest.raises(ValueError, match="standard errors from the optimum"):
        fastlr.inference(model, X, y)


def test_separated_classes_are_so_whatever_the_offset():
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 1.0, (50, 1)) * np.where(np.arange(50) % 2, 1, -1)[:, None]
    offset = rng.normal(size=50) * 30
    with pytest.warns(match="perfectly separated"):
        LogisticRegression(C=np.inf).fit(X, np.arange(50) % 2, offset=offset)
    soft = np.where(np.arange(50) % 2, 0.9, 0.2)  # on the two sides, and with an optimum
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(X, soft, proportions=True)
    assert model.gap_ <= 1e-10


def test_what_is_refused():
    X, y, offset, _ = make_data()
    share = np.full(len(y), 0.5)
    cases = [
        ((X, y), {"offset": offset[1:]}, {}, ValueError, "offset must have shape"),
        ((X, y), {"offset": np.where(offset > 0, np.nan, 0.0)}, {}, ValueError, "offset must hold finite"),
        ((X, y), {"offset": ["a"] * len(y)}, {}, TypeError, "offset"),
        ((X, np.arange(len(y)) % 3), {"offset": offset}, {}, ValueError, "offset is for two classes"),
        ((X, share), {}, {}, ValueError, "continuous|one class"),
        ((X, y + 0.5), {"proportions": True}, {}, ValueError, r"y must lie in \[0, 1\]"),
        ((X, 0 * y), {"proportions": True}, {}, ValueError, "y must not be 0"),
        ((X, share), {"proportions": True}, {"class_weight": "balanced"}, ValueError, "class_weight"),
        ((X, share), {"proportions": "yes"}, {}, TypeError, "proportions"),
    ]
    for data, options, parameters, error, words in cases:
        model = LogisticRegression(**parameters)
        with pytest.raises(error, match=words):
            model.fit(*data, **options)
        assert not hasattr(model, "coef_")
    X3, y3 = X, np.arange(len(y)) % 3
    table = fastlr.inference(LogisticRegression(C=np.inf).fit(X3, y3), X3, y3)
    with pytest.raises(ValueError, match="offset is for two classes"):
        table.predict(X3, offset=offset)


def test_metadata_routing_brings_offsets_to_fits():
    X, y, offset, _ = make_data()
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression(C=np.inf).set_fit_request(offset=True)
        found = cross_validate(model, X, y, cv=KFold(4), params={"offset": offset}, return_estimator=True)
    for (train, _), fitted in zip(KFold(4).split(X), found["estimator"], strict=True):
        expected = LogisticRegression(C=np.inf).fit(X[train], y[train], offset=offset[train])
        np.testing.assert_array_equal(fitted.coef_, expected.coef_)
