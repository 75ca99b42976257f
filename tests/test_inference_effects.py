"""Effects, predictions and diagnostics of a table: differences, and plain NumPy."""

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.special import expit, logit
from test_inference import differences, fitted, infer, make_data, probabilities

import fastlr


def mixed_data(n_classes=2, n_samples=150, seed=3):
    """Features of which the last but one is 0 and 1."""
    X, y, rng = make_data(n_samples, n_classes=n_classes, seed=seed)
    X[:, 2] = rng.random(n_samples) < 0.4
    X[:, 3] = np.abs(X[:, 3]) + 0.5
    return X, y, rng


def average(params, X, weight, *, kind, discrete):
    """Effects of shape (n_classes, n_features), by differences."""

    def response(X):
        return probabilities(params, X, log=kind.startswith("ey"))

    columns = []
    for j in range(X.shape[1]):
        if discrete and j == 2:
            low, high = X.copy(), X.copy()
            low[:, j], high[:, j] = 0, 1
            change = response(high) - response(low)
        else:
            h = 1e-5 * np.eye(X.shape[1])[j]
            change = (response(X + h) - response(X - h)) / 2e-5
            change = change * X[:, [j]] if kind.endswith("ex") else change
        columns.append(weight @ change / weight.sum())
    return np.array(columns).T


@pytest.mark.parametrize("kind", ["dydx", "eyex", "dyex", "eydx"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_effects_are_differences_and_their_errors_those_of_the_delta_method(kind, n_classes):
    X, y, rng = mixed_data(n_classes)
    weight = rng.integers(0, 3, len(y)).astype(float)
    result = infer(X, y, weight, cov_type="HC0")
    discrete = kind.endswith("dx")
    for at, rows, of_rows in (("overall", X, weight), ("mean", (weight @ X / weight.sum())[None], np.ones(1))):
        options = {"kind": kind, "discrete": discrete}
        expected = average(result.coef, rows, of_rows, **options)

        def effects(v, rows=rows, of_rows=of_rows, options=options):
            return average(v.reshape(result.coef.shape), rows, of_rows, **options).ravel()

        jacobian = differences(effects, result.coef.ravel(), 1e-4)
        std_err = np.sqrt(np.diag(jacobian.T @ result.covariance @ jacobian)).reshape(expected.shape)
        actual = result.marginal_effects(at=at, kind=kind)
        if n_classes == 2:
            expected, std_err = expected[1], std_err[1]
        np.testing.assert_allclose(actual.effects, expected, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(actual.std_err, std_err, rtol=1e-4, atol=1e-9)
        assert actual.is_discrete.tolist() == [False, False, discrete, False]
        assert actual.names == ["x0", "x1", "x2", "x3"]


def test_effects_of_other_samples_and_at_one_place():
    X, y, _ = mixed_data()
    result = infer(X, y)
    other = X[:40] + np.array([0.5, 0, 0, 0])
    expected = average(result.coef, other, np.ones(40), kind="dydx", discrete=True)[1]
    for kind in (other, sparse.csr_array(other), np.asfortranarray(other)):
        np.testing.assert_allclose(result.marginal_effects(kind).effects, expected, rtol=1e-5)
    place = np.array([0.3, -1.0, 0.0, 2.0])
    expected = average(result.coef, place[None], np.ones(1), kind="eydx", discrete=False)[1]
    actual = result.marginal_effects(at=place, kind="eydx", discrete=False)
    np.testing.assert_allclose(actual.effects, expected, rtol=1e-5)
    half = stats.norm.ppf(0.95) * actual.std_err
    narrow = result.marginal_effects(at=place, kind="eydx", discrete=False, level=0.9)
    np.testing.assert_allclose(narrow.upper - narrow.effects, half, rtol=1e-9)
    np.testing.assert_allclose(actual.p_values, 2 * stats.norm.sf(np.abs(actual.effects / actual.std_err)), rtol=1e-9)
    for at, words in (("median", "at must"), ([1.0], "at must"), ([np.nan] * 4, "at must")):
        with pytest.raises(ValueError, match=words):
            result.marginal_effects(at=at)
    with pytest.raises(ValueError, match="kind"):
        result.marginal_effects(kind="dy")
    with pytest.raises(ValueError, match="features"):
        result.marginal_effects(X[:, :2])


def test_effects_of_many_classes_sum_to_zero_and_follow_the_classes():
    X, y, _ = mixed_data(3)
    first, last = infer(X, y).marginal_effects(), infer(X, y, base=2).marginal_effects()
    np.testing.assert_allclose(first.effects.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(first.effects, last.effects, rtol=1e-7)
    np.testing.assert_allclose(first.std_err, last.std_err, rtol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_predictions_with_intervals_from_log_odds(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    result = infer(X, y, cov_type="HC1", base=None if n_classes == 2 else 1)
    shape = result.coef.shape
    others = np.arange(n_classes) if n_classes == 2 else np.array([1, 0, *range(2, n_classes)])  # the base is first

    def log_odds(v):
        p = probabilities(v.reshape(shape), X[:7])
        return logit(p[:, np.argsort(others)]).ravel()

    middle = log_odds(result.coef.ravel()).reshape(7, n_classes)
    jacobian = differences(log_odds, result.coef.ravel())
    std_err = np.sqrt(np.diag(jacobian.T @ result.covariance @ jacobian)).reshape(7, n_classes)
    actual = result.predict(X[:7], level=0.9)
    if n_classes == 2:
        middle, std_err = middle[:, 1], std_err[:, 1]
    quantile = stats.norm.ppf(0.95)
    np.testing.assert_allclose(actual.probability, expit(middle), rtol=1e-9)
    np.testing.assert_allclose(actual.std_err, std_err, rtol=1e-6)
    np.testing.assert_allclose(actual.lower, expit(middle - quantile * std_err), rtol=1e-6)
    np.testing.assert_allclose(actual.upper, expit(middle + quantile * std_err), rtol=1e-6)
    proba = fitted(X, y).predict_proba(X[:7])
    np.testing.assert_allclose(actual.probability, proba[:, 1] if n_classes == 2 else proba, rtol=1e-4)


def test_predictions_check_their_features():
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data()
    X = pd.DataFrame(X, columns=list("abcd"))
    result = infer(X, y)
    with pytest.raises(ValueError, match="feature names"):
        result.predict(X[list("dcba")])
    with pytest.raises(ValueError, match="NaN"):
        result.predict(X.assign(a=np.nan))


@pytest.mark.parametrize("C", [np.inf, 0.3])
def test_diagnostics_are_those_of_textbooks(C):
    X, y, rng = make_data(120)
    weight = rng.integers(1, 4, len(y)).astype(float)
    result = fastlr.inference(fitted(X, y, weight, C=C), X, y, sample_weight=weight)
    found = result.diagnostics()
    X1, p = np.column_stack([np.ones(len(X)), X]), probabilities(result.coef, X)[:, 1]
    root = np.sqrt(weight * p * (1 - p))[:, None] * X1
    penalty = np.diag([0.0, 1, 1, 1, 1]) / C
    h = np.diag(root @ np.linalg.inv(root.T @ root + penalty) @ root.T)
    pearson = np.sqrt(weight) * (y - p) / np.sqrt(p * (1 - p))
    deviance = np.sign(y - p) * np.sqrt(-2 * weight * np.where(y == 1, np.log(p), np.log(1 - p)))
    expected = {
        "probability": p,
        "leverage": h,
        "pearson": pearson,
        "deviance": deviance,
        "standardised_pearson": pearson / np.sqrt(1 - h),
        "standardised_deviance": deviance / np.sqrt(1 - h),
        "cook": pearson**2 * h / (1 - h) ** 2 / 5,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-7, err_msg=name)
    np.testing.assert_allclose(found.leverage.sum(), result.effective_df, rtol=1e-9)
    np.testing.assert_allclose(found.dispersion, (pearson**2).sum() / (weight.sum() - result.effective_df))


def test_hosmer_and_lemeshow():
    X, y, rng = make_data(400)
    found = infer(X, y).diagnostics()
    order = np.argsort(found.probability)
    statistic = 0
    for group in np.split(order, 8):
        p, events = found.probability[group], y[group].sum()
        statistic += (events - p.sum()) ** 2 / (p.sum() * (1 - p.mean()))
    test = found.hosmer_lemeshow(8)
    np.testing.assert_allclose(test.statistic, statistic, rtol=1e-9)
    np.testing.assert_allclose(test.p_value, stats.chi2.sf(statistic, 6), rtol=1e-9)
    counts = rng.integers(0, 3, len(y))
    copies = np.repeat(np.arange(len(y)), counts)
    weighted, repeated = infer(X, y, counts).diagnostics(), infer(X[copies], y[copies]).diagnostics()
    np.testing.assert_allclose(weighted.hosmer_lemeshow().statistic, repeated.hosmer_lemeshow().statistic, rtol=1e-6)
    with pytest.raises(ValueError, match="n_groups"):
        found.hosmer_lemeshow(2)
    binary = (X[:, :1] > 1).astype(float)
    with pytest.raises(ValueError, match="three are the least"):
        infer(binary, y).diagnostics().hosmer_lemeshow()
    with pytest.raises(ValueError, match="two classes"):
        infer(*make_data(n_classes=3)[:2]).diagnostics()
