"""Firth's penalty: values published for R's logistf, and what plain NumPy says."""

import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.special import expit

import fastlr
from fastlr import LogisticRegression

# Urinary tract infections (Heinze & Schemper 2002; Cytel, LogXact): age, oc, vic, vicl, vis, dia, case, and how many.
SEX2 = """0000100:1 0000101:1 0010000:2 0010001:14 0010100:1 0010101:3 0011000:8 0011001:10 0011100:18 0011101:12
0011111:1 0100000:42 0100001:44 0100011:3 0100100:1 0110000:1 0110001:15 0110011:1 0110101:2 0111000:5 0111001:7
0111100:6 0111101:3 1010001:2 1010101:1 1010111:1 1011000:2 1011001:1 1011100:4 1011111:1 1100000:14 1100001:5
1100100:1 1110000:1 1110001:3 1111100:2"""


def sex2():
    pairs = [pair.split(":") for pair in SEX2.split()]
    patterns, counts = np.array([[int(digit) for digit in pattern] for pattern, _ in pairs]), [int(n) for _, n in pairs]
    data = np.repeat(patterns, counts, axis=0).astype(float)
    return data[:, :6], data[:, 6].astype(int)


def penalised_loss(params, X, y, weight=1.0, offset=0.0):
    """Plain NumPy; intercept first."""
    X1 = np.column_stack([np.ones(len(X)), X])
    z = X1 @ params + offset
    p = expit(z)
    information = (weight * p * (1 - p) * X1.T) @ X1
    return np.sum(weight * (np.logaddexp(0, z) - y * z)) - 0.5 * np.linalg.slogdet(information)[1]


def test_the_table_of_logistf():
    # logistf 1.24's example: coefficients, ends of profile intervals, chi-squared and p of each.
    X, y = sex2()
    model = LogisticRegression(penalty="firth").fit(X, y)
    result = fastlr.inference(model, X, y)
    coef = [0.1202540, -1.1059817, -0.0688167, 2.2688723, -2.1114107, -0.7883172, 3.0960099]
    lower = [-0.8185559, -1.9737822, -0.9414437, 1.2730216, -3.2608611, -1.6080879, 0.7745681]
    upper = [1.0731178, -0.3074295, 0.7892021, 3.4354305, -1.1177368, 0.0151847, 8.0302932]
    p_values = [0.8020, 0.006143472, 0.8751911, 1.678877e-06, 1.237805e-05, 0.05449701, 0.004951873]
    np.testing.assert_allclose(result.coef, coef, rtol=2e-5)
    np.testing.assert_allclose(result.profile_conf_int(), np.column_stack([lower, upper]), rtol=1e-4)
    found = [result.lr_test(name).p_value for name in result.names]
    np.testing.assert_allclose(found, p_values, rtol=1e-3)
    np.testing.assert_allclose(result.lr_test().statistic, 49.09064, rtol=1e-5)
    assert result.lr_test().df == 6
    assert model.solver_ == "firth" and model.gap_ == np.inf
    assert "Firth" in str(result.summary())


@pytest.mark.parametrize("n_samples", [60, 1_500])
@pytest.mark.parametrize("kind", ["dense", "F", "csr", "float32"])
def test_the_optimum_is_that_of_plain_numpy(n_samples, kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 3)).astype(np.float32).astype(np.float64)
    y = (rng.random(n_samples) < expit(X[:, 0] - 1)).astype(int)
    weight, offset = rng.integers(0, 4, n_samples).astype(float), rng.normal(size=n_samples)
    kinds = {"dense": np.asarray, "F": np.asfortranarray, "csr": sparse.csr_array, "float32": np.float32}
    given = kinds[kind](X)
    model = LogisticRegression(penalty="firth").fit(given, y, weight, offset=offset)
    result = fastlr.inference(model, given, y, sample_weight=weight, offset=offset)
    options = {"method": "BFGS", "options": {"gtol": 1e-8}}
    best = optimize.minimize(penalised_loss, np.zeros(4), (X, y, weight, offset), **options)
    np.testing.assert_allclose(result.coef, best.x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.log_likelihood, -best.fun, rtol=1e-10)
    np.testing.assert_allclose(model.coef_[0], result.coef[1:], rtol=2e-2, atol=1e-3)
    X1 = np.column_stack([np.ones(n_samples), X])
    p = expit(X1 @ result.coef + offset)
    np.testing.assert_allclose(result.covariance, np.linalg.inv((weight * p * (1 - p) * X1.T) @ X1), rtol=1e-9)


def test_without_an_intercept():
    X, y = sex2()
    model = LogisticRegression(penalty="firth", fit_intercept=False, tol=1e-12).fit(X, y)
    result = fastlr.inference(model, X, y)

    def loss(params):
        z, p = X @ params, expit(X @ params)
        return np.sum(np.logaddexp(0, z) - y * z) - 0.5 * np.linalg.slogdet((p * (1 - p) * X.T) @ X)[1]

    best = optimize.minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(result.coef, best.x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.log_likelihood_null, -loss(np.zeros(6)), rtol=1e-9)
    np.testing.assert_allclose(model.objective_, best.fun / len(y), rtol=1e-9)


def test_separated_classes_have_estimates_and_intervals():
    X = np.arange(8.0)[:, None]
    y = (X[:, 0] > 3).astype(int)
    model = LogisticRegression(penalty="firth").fit(X, y)
    result = fastlr.inference(model, X, y)
    best = optimize.minimize(penalised_loss, np.zeros(2), (X, y), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(result.coef, best.x, rtol=1e-4)
    lower, upper = result.profile_conf_int("x0")[0]
    assert 0 < lower < result.coef[1] < upper


def test_a_large_sample_has_the_estimates_of_maximum_likelihood():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    y = (rng.random(20_000) < expit(X[:, 0] - 1)).astype(int)
    ml = LogisticRegression(C=np.inf).fit(X, y)
    table = fastlr.inference(ml, X, y)
    firth = LogisticRegression(penalty="firth", tol=1e-12).fit(X, y)
    assert 0 < np.abs((firth.coef_ - ml.coef_) / table.std_err[1:]).max() < 0.02


def test_what_is_refused():
    X, y = sex2()
    model = LogisticRegression(penalty="firth")
    with pytest.raises(ValueError, match="two classes"):
        model.fit(X, np.arange(len(y)) % 3)
    with pytest.raises(ValueError, match=r"collinear.* \[6, 7\]"):
        model.fit(np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(y))]), y)
    with pytest.raises(ValueError, match=r"collinear.* \[6\]"):
        model.fit(np.column_stack([X, np.zeros(len(y))]), y)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.where(X > 0, np.inf, X), y)
    with pytest.warns(UserWarning, match="penalty=firth will ignore"):
        LogisticRegression(penalty="firth", C=2.0).fit(X, y)
    with pytest.warns(match="max_iter=2"):
        LogisticRegression(penalty="firth", max_iter=2).fit(X, y)
    result = fastlr.inference(model.fit(X, y), X, y)
    with pytest.raises(ValueError, match="standard errors from the optimum"):
        fastlr.inference(model, X[::2], y[::2])
    for refused in (result.score_test, lambda: result.score_scan(X), lambda: result.lr_test(result)):
        with pytest.raises(ValueError, match="without a penalty"):
            refused()
    with pytest.raises(ValueError, match="penalty"):
        options = {"scoring": None, "use_legacy_attributes": False, "l1_ratios": [0.0]}
        fastlr.LogisticRegressionCV(penalty="firth", **options).fit(X, y)
    with pytest.raises(ValueError, match='solver="newton_cg" is not for penalty="firth"'):
        LogisticRegression(penalty="firth", solver="newton_cg").fit(X, y)
