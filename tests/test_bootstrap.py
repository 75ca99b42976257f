"""Bootstrap intervals: quantiles of fits that are made one by one, and what Efron shows of BCa."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from test_inference import fitted, infer, make_data

import fastlr
from fastlr import LogisticRegression
from fastlr._inference import bootstrap


def by_hand(X, y, n_draws, seed):
    """Estimates from the same draws, each a fit of its own to copies."""
    estimates = []
    for draw in range(n_draws):
        often = np.random.default_rng([seed, draw]).multinomial(len(y), np.full(len(y), 1 / len(y)))
        rows = np.repeat(np.arange(len(y)), often)
        model = fitted(X[rows], y[rows], tol=1e-10)
        W = np.column_stack([model.intercept_, model.coef_])
        estimates.append((W if len(W) == 1 else W[1:] - W[0]).ravel())
    return np.array(estimates)


@pytest.mark.parametrize("n_classes, n_samples", [(2, 200), (2, 2_000), (3, 200)])
def test_percentiles_are_those_of_fits_to_copies(n_classes, n_samples):
    X, y, _ = make_data(n_samples, n_features=2, n_classes=n_classes)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    expected = np.quantile(by_hand(X, y, 60, seed), [0.05, 0.95], axis=0)
    result = infer(X, y)
    actual = result.bootstrap_conf_int(60, level=0.9, kind="percentile", random_state=3)
    assert actual.shape == (*result.coef.shape, 2)
    np.testing.assert_allclose(actual.reshape(-1, 2).T, expected, rtol=1e-3, atol=1e-3)


def test_accelerations_are_about_those_of_the_jackknife():
    X, y, _ = make_data(60, n_features=1)
    result = infer(X, y)
    with result.at_optimum() as likelihood:
        actual = bootstrap.accelerations(likelihood, result.covariance, counts=True)
    estimates = np.array([infer(np.delete(X, i, 0), np.delete(y, i)).coef for i in range(60)])
    apart = estimates.mean(axis=0) - estimates
    np.testing.assert_allclose(actual, (apart**3).sum(axis=0) / (6 * (apart**2).sum(axis=0) ** 1.5), rtol=0.1)


@pytest.mark.parametrize("a", [0.0, 0.05])
@pytest.mark.parametrize("z0", [0.0, -0.2])
def test_bca_ends_are_exact_where_efron_shows_them_to_be(a, z0):
    # An estimate phi of N(phi - z0 s, s^2), s = 1 + a phi, seen through any rising function; here phi is 0.
    at = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    z = z0 + stats.norm.ppf([0.05, 0.95])
    actual = bootstrap.intervals(np.exp(at - z0)[:, None], np.ones(1), np.array([a]), "bca", 0.9)
    np.testing.assert_allclose(actual[0], np.exp(z / (1 - a * z)), rtol=1e-3)
    percentiles = bootstrap.intervals(np.exp(at)[:, None], np.ones(1), np.array([a]), "percentile", 0.9)
    np.testing.assert_allclose(percentiles[0], np.exp(stats.norm.ppf([0.05, 0.95])), rtol=1e-3)


def test_weights_and_what_is_refused():
    X, y, rng = make_data(150, n_features=2)
    counts = rng.integers(0, 3, 150)
    result = infer(X, y, counts)
    ends = result.bootstrap_conf_int(200, random_state=0)
    assert ((ends[:, 0] < result.coef) & (result.coef < ends[:, 1])).all()
    weight = rng.exponential(size=150)
    precise = infer(X, y, weight, weights="precision")
    assert np.isfinite(precise.bootstrap_conf_int(50, random_state=0)).all()
    with pytest.raises(ValueError, match="whole numbers"):
        infer(X, y, weight).bootstrap_conf_int(50)
    for options, words in (({"kind": "t"}, "kind"), ({"level": 2}, "level"), ({"n_draws": 1}, "n_draws")):
        with pytest.raises(ValueError, match=words):
            result.bootstrap_conf_int(**options)


@pytest.mark.parametrize("what", ["offset", "proportions", "firth"])
@pytest.mark.parametrize("n_samples", [150, 1_500])
def test_offsets_proportions_and_firths_penalty(n_samples, what):
    X, y, rng = make_data(n_samples, n_features=2)
    data = {}
    if what == "offset":
        data["offset"] = rng.normal(size=n_samples)
    elif what == "proportions":
        y, data["proportions"] = (y + rng.random(n_samples)) / 2, True
    kind = {"penalty": "firth"} if what == "firth" else {"C": np.inf}
    model = LogisticRegression(**kind, tol=1e-10)
    result = fastlr.inference(model.fit(X, y, **data), X, y, **data)
    actual = result.bootstrap_conf_int(20, kind="percentile", random_state=3)
    seed, estimates = int(np.random.RandomState(3).randint(2**31 - 1)), []
    for draw in range(20):
        often = np.random.default_rng([seed, draw]).multinomial(n_samples, np.full(n_samples, 1 / n_samples))
        one = clone(model).fit(X, y, often, **data)
        estimates.append(np.append(one.intercept_, one.coef_))
    np.testing.assert_allclose(actual.T, np.quantile(estimates, [0.025, 0.975], axis=0), rtol=1e-3, atol=1e-3)
    assert np.isfinite(result.bootstrap_conf_int(20, random_state=3)).all()


def test_draws_that_are_separated_are_left_out_with_a_warning():
    X = np.arange(8.0)[:, None]
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    result = infer(X, y)
    with pytest.warns(match=r"of 100 fits failed. draw"):
        ends = result.bootstrap_conf_int(100, kind="percentile", random_state=0)
    assert np.isfinite(ends).all()
    with pytest.warns(match="2 of 2 fits failed"), pytest.raises(ValueError, match="fewer than two draws"):
        result.bootstrap_conf_int(2, random_state=1)
