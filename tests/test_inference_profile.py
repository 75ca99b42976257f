"""Profile likelihoods: their roots by SciPy, and one parameter alone."""

import numpy as np
import pytest
from scipy import optimize, stats
from test_inference import infer, log_likelihood, make_data

import fastlr
from fastlr import LogisticRegression
from fastlr._inference import profile


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_ends_are_where_the_likelihood_ratio_is_the_quantile(n_classes, level):
    X, y, _ = make_data(60, n_features=2, n_classes=n_classes)
    result = infer(X, y)
    ends = result.profile_conf_int(level=level)
    assert ends.shape == (*result.coef.shape, 2)
    rows = result.coef.reshape(-1, 3)
    for row in range(n_classes - 1):
        for j in range(3):
            for end in ends.reshape(-1, 3, 2)[row, j]:

                def loss(free, row=row, j=j, end=end):
                    params = np.insert(free, row * 3 + j, end).reshape(rows.shape)
                    return -log_likelihood(params, X, y)

                start = np.delete(result.coef.ravel(), row * 3 + j)
                least = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-9}).fun
                statistic = 2 * (least + result.log_likelihood)
                np.testing.assert_allclose(statistic, stats.chi2.ppf(level, 1), rtol=1e-6)
    some = result.profile_conf_int(["x1"], level=level)
    np.testing.assert_allclose(some[..., 0, :], ends[..., 2, :], rtol=1e-7)


def test_a_large_sample_has_the_intervals_of_wald():
    X, y, _ = make_data(20_000, n_features=2)
    result = infer(X, y)
    wide = result.conf_int()[:, 1] - result.conf_int()[:, 0]
    assert (np.abs(result.profile_conf_int() - result.conf_int()) < 0.02 * wide[:, None]).all()


def test_tests_of_names_are_those_of_the_smaller_fit():
    X, y, _ = make_data(n_classes=3)
    result, smaller = infer(X, y), infer(X[:, [0, 2]], y)
    for names in (["x1", "x3"], ("x1", "x3")):
        test = result.lr_test(names)
        np.testing.assert_allclose(test.statistic, 2 * (result.log_likelihood - smaller.log_likelihood), rtol=1e-8)
        assert test.df == 4
    null = result.lr_test(["x0", "x1", "x2", "x3"])
    np.testing.assert_allclose(null.statistic, result.lr_test().statistic, rtol=1e-8)
    assert result.lr_test("x1").df == 2
    for names in ("x9", ["x9"], []):
        with pytest.raises(ValueError, match="names of parameters"):
            result.lr_test(names)
        with pytest.raises(ValueError, match="names must hold"):
            result.profile_conf_int(names)


def test_profiles_of_few_samples():
    # 3 events of 4 against 1 of 4: the intercept is at its best at -v / 2, and the profile has a formula.
    x, y = np.repeat([1.0, 0.0], [4, 4]), np.array([1, 1, 1, 0, 0, 0, 0, 1])

    def lack(v):
        loss = [2 * (3 * np.logaddexp(0, -t) + np.logaddexp(0, t)) for t in (v / 2, np.log(3))]
        return 2 * (loss[0] - loss[1]) - stats.chi2.ppf(0.999, 1)

    expected = [optimize.brentq(lack, *ends, xtol=1e-12) for ends in ((-20, 2), (2.5, 40))]
    np.testing.assert_allclose(infer(x[:, None], y).profile_conf_int("x0", 0.999)[0], expected, rtol=1e-7)
    with pytest.raises(ValueError, match="without a penalty"):
        penalised = LogisticRegression(C=1.0).fit(x[:, None], y)
        fastlr.inference(penalised, x[:, None], y).profile_conf_int()


@pytest.mark.parametrize("name, words", [("_MOST_STEPS", "ended .* standard errors"), ("_MOST_ENDS", "beyond reach")])
def test_what_is_not_found_is_an_error(name, words, monkeypatch):
    X, y, _ = make_data()
    result = infer(X, y)
    monkeypatch.setattr(profile, name, 0)
    with pytest.raises(ValueError, match=words):
        result.profile_conf_int("x0")
