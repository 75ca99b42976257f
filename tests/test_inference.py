"""Standard errors, tests and tables: identities, and expectations of plain NumPy and SciPy."""

import pickle

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.linalg import sqrtm
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastlr
from fastlr import LogisticRegression
from fastlr.matrices.dense import DenseMatrix

HC = ("HC0", "HC1", "HC2", "HC3")


def make_data(n_samples=200, n_features=4, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) + 1.0
    p = softmax(X @ rng.normal(size=(n_features, n_classes)) / 2, axis=1)
    y = (rng.random(n_samples)[:, None] > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return X, y, rng


def fitted(X, y, sample_weight=None, **parameters):
    return LogisticRegression(**{"C": np.inf, **parameters}).fit(X, y, sample_weight)


def infer(X, y, sample_weight=None, **options):
    return fastlr.inference(fitted(X, y, sample_weight), X, y, sample_weight=sample_weight, **options)


def log_likelihood(params, X, y):
    """Of many classes or two, the first the base; plain NumPy, as are the functions below."""
    raw = probabilities(params, X, log=True)
    return raw[np.arange(len(y)), y].sum()


def probabilities(params, X, log=False):
    X1 = np.column_stack([np.ones(len(X)), X])
    raw = np.column_stack([np.zeros(len(X)), X1 @ np.atleast_2d(params).T])
    log_p = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
    return log_p if log else np.exp(log_p)


def scores(params, X, y):
    X1 = np.column_stack([np.ones(len(X)), X])
    residual = (np.arange(probabilities(params, X).shape[1]) == y[:, None]) - probabilities(params, X)
    return (residual[:, 1:, None] * X1[:, None, :]).reshape(len(X), -1)


def differences(function, params, step=1e-5):
    """Central differences of a function of a vector, a row for each entry."""
    steps = step * np.eye(len(params))
    return np.array([(function(params + d) - function(params - d)) / (2 * step) for d in steps])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_covariance_is_the_inverse_of_differences_of_the_gradient(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    result = infer(X, y)
    shape = result.coef.shape
    information = -differences(lambda v: scores(v.reshape(shape), X, y).sum(axis=0), result.coef.ravel())
    np.testing.assert_allclose(result.covariance @ information, np.eye(result.coef.size), atol=1e-7)
    np.testing.assert_allclose(result.information, information, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(result.log_likelihood, log_likelihood(result.coef, X, y), rtol=1e-13)
    np.testing.assert_allclose(scores(result.coef, X, y).sum(axis=0), 0, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_robust_covariances_are_sums_of_outer_products_of_scores(n_classes):
    X, y, rng = make_data(n_classes=n_classes)
    groups = rng.choice(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"], len(y))
    n, k = len(y), (n_classes - 1) * 5
    result = infer(X, y)
    B, u = result.covariance, scores(result.coef, X, y)
    hc0 = B @ u.T @ u @ B
    summed = np.array([u[groups == g].sum(axis=0) for g in np.unique(groups)])
    G = len(summed)
    clustered = G / (G - 1) * (n - 1) / (n - k) * B @ summed.T @ summed @ B
    np.testing.assert_allclose(infer(X, y, cov_type="HC0").covariance, hc0, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(infer(X, y, cov_type="HC1").covariance, n / (n - k) * hc0, rtol=1e-9, atol=1e-14)
    actual = infer(X, y, cov_type="cluster", groups=groups).covariance
    np.testing.assert_allclose(actual, clustered, rtol=1e-9, atol=1e-14)


def test_leverages_of_hc2_and_hc3_are_the_diagonal_of_the_hat_matrix():
    X, y, _ = make_data(60)
    result = infer(X, y)
    X1, p = np.column_stack([np.ones(len(X)), X]), probabilities(result.coef, X)[:, 1]
    root = np.sqrt(p * (1 - p))[:, None] * X1
    h = np.diag(root @ np.linalg.inv(root.T @ root) @ root.T)
    for cov_type, power in (("HC2", 0.5), ("HC3", 1.0)):
        u = scores(result.coef, X, y) / (1 - h[:, None]) ** power
        expected = result.covariance @ u.T @ u @ result.covariance
        np.testing.assert_allclose(infer(X, y, cov_type=cov_type).covariance, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("weights", ["frequency", "precision"])
def test_residuals_of_many_classes_are_without_their_own_pull(weights):
    X, y, rng = make_data(80, n_features=2, n_classes=4)
    weight = rng.integers(0, 4, 80).astype(float)
    result = infer(X, y, weight, weights=weights)
    p, X1 = probabilities(result.coef, X)[:, 1:], np.column_stack([np.ones(80), X])
    for cov_type, power in (("HC2", 0.5), ("HC3", 1.0)):
        meat = 0.0
        for i in np.flatnonzero(weight):
            copies, share = (weight[i], 1.0) if weights == "frequency" else (1.0, weight[i])
            design = np.kron(np.eye(3), X1[i])
            own = np.eye(3) - share * (np.diag(p[i]) - np.outer(p[i], p[i])) @ design @ result.covariance @ design.T
            left = share * ((y[i] == [1, 2, 3]) - p[i]) @ np.linalg.inv(sqrtm(own) if power == 0.5 else own).T
            meat = meat + copies * np.outer(left @ design, left @ design)
        actual = infer(X, y, weight, weights=weights, cov_type=cov_type).covariance
        np.testing.assert_allclose(actual, result.covariance @ meat @ result.covariance, rtol=1e-8)


@pytest.mark.parametrize("n_samples", [200, 1_500])  # NumPy's passes, and compiled ones
@pytest.mark.parametrize("cov_type", ["nonrobust", *HC, "cluster"])
def test_a_frequency_of_k_is_k_copies(cov_type, n_samples):
    X, y, rng = make_data(n_samples)
    counts, groups = rng.integers(0, 4, n_samples), rng.integers(0, 20, n_samples)
    copies = np.repeat(np.arange(n_samples), counts)
    clusters = {"groups": groups} if cov_type == "cluster" else {}
    weighted = infer(X, y, counts, cov_type=cov_type, **clusters)
    clusters = {"groups": groups[copies]} if cov_type == "cluster" else {}
    repeated = infer(X[copies], y[copies], cov_type=cov_type, **clusters)
    for name in ("coef", "std_err", "log_likelihood", "log_likelihood_null", "aic", "bic", "pseudo_r2", "df_resid"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-8, err_msg=name)


def test_weights_of_precision_are_part_of_the_score_and_not_of_n():
    X, y, rng = make_data()
    weight = rng.exponential(size=len(y)) * (rng.random(len(y)) > 0.1)
    result = infer(X, y, weight, weights="precision", cov_type="HC1")
    n, u = np.count_nonzero(weight), weight[:, None] * scores(result.coef, X, y)
    B = np.linalg.inv(result.information)
    np.testing.assert_allclose(result.covariance, n / (n - 5) * B @ u.T @ u @ B, rtol=1e-9, atol=1e-14)
    assert result.n_samples == n
    assert infer(X, y, weight).n_samples == pytest.approx(weight.sum())


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC3", "cluster"])
def test_every_kind_of_features_gives_the_same_table(cov_type):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 5, (1_500, 6)).astype(np.uint8)
    y = (rng.random(1_500) < expit(X @ rng.normal(size=6) / 4 - 0.3)).astype(int)
    options = {"cov_type": cov_type, "groups": rng.integers(0, 50, 1_500) if cov_type == "cluster" else None}
    expected = infer(X.astype(np.float64), y, **options)
    kinds = [X, np.asfortranarray(X, dtype=np.float64), X.astype(np.float32), sparse.csr_array(X.astype(np.float64))]
    for kind in kinds:
        actual = infer(kind, y, **options)
        np.testing.assert_allclose(actual.coef, expected.coef, rtol=1e-9)
        np.testing.assert_allclose(actual.std_err, expected.std_err, rtol=1e-9)


def test_many_classes_with_another_base_are_contrasts_of_the_same_numbers():
    X, y, _ = make_data(n_classes=3)
    y = np.array(["a", "b", "c"])[y]
    first, second = infer(X, y, cov_type="HC0"), infer(X, y, base="b", cov_type="HC0")
    np.testing.assert_allclose(second.coef[0], -first.coef[0], rtol=1e-7)  # a against b, b against a
    np.testing.assert_allclose(second.coef[1], first.coef[1] - first.coef[0], rtol=1e-7)
    np.testing.assert_allclose(second.std_err[0], first.std_err[0], rtol=1e-7)
    contrast = np.column_stack([-np.eye(5), np.eye(5)])
    variance = (contrast @ first.covariance @ contrast.T).diagonal()
    np.testing.assert_allclose(second.std_err[1] ** 2, variance, rtol=1e-7)
    assert second.compared.tolist() == ["a", "c"]


def test_two_of_many_classes_are_two_classes():
    # A multinomial fit to two classes is the binary one, with any number of ways to spell it.
    X, y, _ = make_data(n_classes=2)
    result = infer(X, y)
    model = SklearnLogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(X, y)
    np.testing.assert_allclose(result.coef[1:], model.coef_[0], rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_penalty_is_said_to_approximate_and_costs_degrees_of_freedom(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    model = fitted(X, y, C=0.05)
    result = fastlr.inference(model, X, y)
    shape = result.coef.shape

    def gradient(v):  # of the penalised log-likelihood: coefficients of all classes sum to 0, which |W| prefers
        params = np.vstack([np.zeros(5), v.reshape(-1, 5)])
        W = params - params.mean(axis=0) if n_classes > 2 else params
        pull = W[1:] / 0.05
        pull[:, 0] = 0.0
        return scores(v.reshape(shape), X, y).sum(axis=0) - pull.ravel()

    np.testing.assert_allclose(gradient(result.coef.ravel()), 0, atol=1e-6)
    curvature = -differences(gradient, result.coef.ravel())
    np.testing.assert_allclose(result.covariance @ curvature, np.eye(result.coef.size), atol=1e-6)
    np.testing.assert_allclose(result.effective_df, np.trace(result.covariance @ result.information))
    assert result.effective_df < result.coef.size
    assert "approximate" in str(result.summary())
    for refused in (result.lr_test, result.score_test, lambda: result.score_scan(X)):
        with pytest.raises(ValueError, match="without a penalty"):
            refused()


def test_without_an_intercept_the_null_model_has_nothing():
    X, y, _ = make_data()
    model = fitted(X, y, fit_intercept=False)
    result = fastlr.inference(model, X, y)
    assert result.names == ["x0", "x1", "x2", "x3"]
    np.testing.assert_allclose(result.log_likelihood_null, len(y) * np.log(0.5))
    assert result.lr_test().df == result.df_model == 4
    root = np.sqrt(expit(X @ result.coef) * expit(-X @ result.coef))[:, None] * X
    np.testing.assert_allclose(result.covariance, np.linalg.inv(root.T @ root), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_likelihood_ratio_of_nested_models(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    large, small = infer(X, y), infer(X[:, :2], y)
    test = large.lr_test(small)
    expected = 2 * (log_likelihood(large.coef, X, y) - log_likelihood(small.coef, X[:, :2], y))
    np.testing.assert_allclose(test.statistic, expected, rtol=1e-8)
    assert test.df == 2 * (n_classes - 1)
    np.testing.assert_allclose(test.p_value, stats.chi2.sf(expected, test.df), rtol=1e-7)
    share = np.bincount(y) / len(y)
    null = (np.bincount(y) * np.log(share)).sum()
    np.testing.assert_allclose(large.lr_test().statistic, 2 * (large.log_likelihood - null), rtol=1e-8)
    with pytest.raises(ValueError, match="other must be"):
        small.lr_test(large)
    with pytest.raises(ValueError, match="other must be"):
        large.lr_test(infer(X[:100, :2], y[:100]))
    with pytest.raises(TypeError, match="other must be"):
        large.lr_test(3)


def test_wald_tests_by_names_and_by_matrices():
    X, y, _ = make_data(n_classes=3)
    result = infer(X, y, cov_type="HC0")
    np.testing.assert_allclose(result.wald_test(np.eye(10)).df, 10)
    one = result.wald_test(np.eye(10)[3])
    np.testing.assert_allclose([one.statistic, one.p_value], [result.z[0, 3] ** 2, result.p_values[0, 3]], rtol=1e-9)
    R, q = np.array([[0, 1, -1, 0, 0, 0, 0, 0, 0, 2.0], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]]), [0.3, -1.0]
    left = R @ result.coef.ravel() - q
    expected = left @ np.linalg.inv(R @ result.covariance @ R.T) @ left
    np.testing.assert_allclose(result.wald_test(R, q).statistic, expected, rtol=1e-9)
    assert result.wald_test(["x0", "x2"]) == result.wald_test(np.eye(10)[[1, 3, 6, 8]])
    assert result.wald_test("x0") == result.wald_test(["x0"])
    wrong = [
        (["x9"], 0, "R must hold names"),
        (np.eye(4), 0, "R must hold finite"),
        ([np.nan] * 10, 0, "R must hold finite"),
        (np.eye(10), [1, 2], "q must be"),
        (np.ones((2, 10)), 0, "singular"),
        (np.zeros(10), 0, "singular"),
    ]
    for R, q, words in wrong:
        with pytest.raises(ValueError, match=words):
            result.wald_test(R, q)


def test_fewer_clusters_than_restrictions_are_no_test():
    X, y, rng = make_data()
    result = infer(X, y, cov_type="cluster", groups=rng.integers(0, 3, len(y)))
    assert result.wald_test("x0").p_value > 0
    with pytest.raises(ValueError, match="singular"):
        result.wald_test(["x0", "x1", "x2", "x3"])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_score_test_of_all_features_starts_from_the_null_model(n_classes):
    X, y, _ = make_data(n_classes=n_classes)
    result = infer(X, y)
    null = np.zeros((n_classes - 1, 5))
    null[:, 0] = np.log(np.bincount(y)[1:] / np.bincount(y)[0])
    information = -differences(lambda v: scores(v.reshape(null.shape), X, y).sum(axis=0), null.ravel())
    u = scores(null, X, y).sum(axis=0)
    test = result.score_test()
    np.testing.assert_allclose(test.statistic, u @ np.linalg.solve(information, u), rtol=1e-6)
    assert test.df == 4 * (n_classes - 1)


def test_intervals_and_odds_ratios():
    X, y, _ = make_data()
    result = infer(X, y)
    half = stats.norm.ppf(0.95) * result.std_err
    ends = np.column_stack([result.coef - half, result.coef + half])
    np.testing.assert_allclose(result.conf_int(0.9), ends, rtol=1e-12)
    np.testing.assert_allclose(result.odds_ratios(0.9)[:, 1:], np.exp(ends), rtol=1e-12)
    np.testing.assert_allclose(result.odds_ratios()[:, 0], np.exp(result.coef), rtol=1e-12)
    for level in (0, 1, 1.5, np.nan):
        with pytest.raises(ValueError, match="level"):
            result.conf_int(level)


def test_pseudo_r2_of_two_classes():
    X, y, _ = make_data()
    result = infer(X, y)
    n, change = len(y), result.log_likelihood_null - result.log_likelihood
    p = probabilities(result.coef, X)[:, 1]
    r2 = result.pseudo_r2
    np.testing.assert_allclose(r2.mcfadden, -change / -result.log_likelihood_null, rtol=1e-9)
    np.testing.assert_allclose(r2.cox_snell, 1 - np.exp(2 * change / n), rtol=1e-9)
    np.testing.assert_allclose(r2.nagelkerke, r2.cox_snell / (1 - np.exp(2 * result.log_likelihood_null / n)))
    np.testing.assert_allclose(r2.tjur, p[y == 1].mean() - p[y == 0].mean(), rtol=1e-9)


def test_float32_and_a_loose_tol_give_the_digits_of_the_optimum():
    X, y, _ = make_data(3_000)
    exact = infer(X.astype(np.float32).astype(np.float64), y)
    for model in (fitted(X.astype(np.float32), y), fitted(X.astype(np.float32), y, tol=1e-3)):
        result = fastlr.inference(model, X.astype(np.float32), y)
        np.testing.assert_allclose(result.coef, exact.coef, rtol=1e-9)
        np.testing.assert_allclose(result.std_err, exact.std_err, rtol=1e-9)


def test_what_float32_rounds_of_columns_far_from_0_is_no_other_optimum():
    X, y, _ = make_data(1_500, 2)
    X = (0.01 * X + 1_000.0).astype(np.float32)
    model = fitted(X, y)
    result = fastlr.inference(model, X, y)
    centred = infer(X.astype(np.float64) - 1_000.0, y)
    np.testing.assert_allclose(result.coef[1:], centred.coef[1:], rtol=1e-5)
    model.intercept_ = model.intercept_ + 1.0
    with pytest.raises(ValueError, match="standard errors from the optimum"):
        fastlr.inference(model, X, y)


def test_few_hessians_of_all_rows_lead_to_a_table(monkeypatch):
    """Some steps of a fit keep one, the last of which lead to the last digits; a table takes one, at the optimum."""
    X, y, _ = make_data(n_samples=20_000, n_features=60)
    sizes = []
    sandwich = DenseMatrix.sandwich

    def counted(self, loss):
        sizes.append(len(self.X))
        return sandwich(self, loss)

    monkeypatch.setattr(DenseMatrix, "sandwich", counted)
    model = fitted(X, y)
    assert sizes.count(len(X)) < model.n_iter_[0]
    sizes.clear()
    result = fastlr.inference(model, X, y)
    assert sizes == [len(X)]
    gradient = scores(result.coef, X, y).sum(axis=0)
    assert gradient @ result.covariance @ gradient < 1e-16


def test_models_of_other_kinds_and_class_weights():
    X, y, _ = make_data()
    balanced = fastlr.inference(fitted(X, y, class_weight={0: 1, 1: 3}), X, y)
    weighted = infer(X, y, np.where(y == 1, 3, 1))
    np.testing.assert_allclose(balanced.std_err, weighted.std_err, rtol=1e-9)
    theirs = SklearnLogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(fastlr.inference(fastlr.from_sklearn(theirs), X, y).coef, infer(X, y).coef, rtol=1e-7)
    options = {"l1_ratios": [0.0], "use_legacy_attributes": False, "scoring": None}
    searched = fastlr.LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, **options).fit(X, y)
    single = fastlr.inference(fitted(X, y, C=searched.C_), X, y)
    np.testing.assert_allclose(fastlr.inference(searched, X, y).std_err, single.std_err, rtol=1e-7)
    np.testing.assert_allclose(fastlr.inference(fitted(X, y).sparsify(), X, y).std_err, infer(X, y).std_err)


def test_output_shows_the_numbers():
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data(n_classes=3)
    X = pd.DataFrame(X, columns=["age", "a_b & c", "<x>", "w"])
    y = np.array(["low", "mid", "high"])[y]
    result = infer(X, y)
    frame = result.to_frame(0.9)
    assert frame.index.tolist()[:2] == [("low", "const"), ("low", "age")]
    np.testing.assert_array_equal(frame["coef"], result.coef.ravel())
    np.testing.assert_array_equal(frame[["lower", "upper"]], result.conf_int(0.9).reshape(-1, 2))
    text = str(result.summary(0.9))
    assert f"{result.std_err[1, 2]:#.4g}" in text and "[0.05" in text and "class mid" in text
    assert max(map(len, text.splitlines())) < 120
    assert "&lt;x&gt;" in result._repr_html_() and "<x>" not in result._repr_html_()
    assert r"a\_b \& c" in result.to_latex()
    assert infer(X, (y == "low").astype(int)).to_frame().index.tolist()[0] == "const"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_forest_has_a_line_for_each_odds_ratio(n_classes, tmp_path):
    pytest.importorskip("matplotlib")
    X, y, _ = make_data(n_classes=n_classes)
    result = infer(X, y)
    ax = fastlr.plotting.plot_forest(result, level=0.9)
    ratios = result.odds_ratios(0.9).reshape(n_classes - 1, 5, 3)[:, 1:].reshape(-1, 3)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [("" if n_classes == 2 else f"{k}: ") + f"x{j}" for k in range(1, n_classes) for j in range(4)]
    (line, _, (bars,)) = ax.containers[0]
    np.testing.assert_allclose(line.get_xdata(), ratios[:, 0])
    np.testing.assert_allclose([part[:, 0] for part in bars.get_segments()], ratios[:, 1:])
    ax.figure.savefig(tmp_path / "forest.png")
    assert len(fastlr.plotting.plot_forest(result, intercept=True).get_yticks()) == 5 * (n_classes - 1)


def test_a_pickled_table_leaves_the_data_behind():
    X, y, _ = make_data(2_000)
    result = infer(X, y)
    size = len(pickle.dumps(result))
    assert size < 10_000 < X.nbytes
    other = pickle.loads(pickle.dumps(result))
    assert str(other.summary()) == str(result.summary())
    assert other.wald_test("x0") == result.wald_test("x0")
    with pytest.raises(ValueError, match="stayed behind"):
        other.score_test()


def test_data_that_are_not_the_models_are_refused():
    X, y, rng = make_data()
    model = fitted(X, y)
    weight = rng.exponential(size=len(y))
    cases = [
        ((X[:, :3], y), {}, "features"),
        ((X[:, ::-1], y), {}, "standard errors from the optimum"),
        ((X[:150], y[:150]), {}, "standard errors from the optimum"),
        ((X, y), {"sample_weight": weight}, "standard errors from the optimum"),
        ((X, y[1:]), {}, "inconsistent numbers of samples"),
        ((X, y), {"sample_weight": weight[1:]}, "sample_weight"),
        ((X, y + 1), {}, "model's classes"),
        ((X, np.zeros(len(y))), {}, "one class"),
        ((X, y), {"cov_type": "HC4"}, "cov_type"),
        ((X, y), {"weights": "analytic"}, "weights"),
        ((X, y), {"cov_type": "cluster"}, "groups"),
        ((X, y), {"groups": y}, "groups"),
        ((X, y), {"cov_type": "cluster", "groups": y[1:]}, "groups"),
        ((X, y), {"cov_type": "cluster", "groups": np.zeros(len(y))}, "two groups"),
        ((X, y), {"cov_type": "cluster", "groups": np.where(y, np.nan, 1.0)}, "groups"),
        ((X, y), {"cov_type": "cluster", "groups": np.array([None, 1] * 100, object)}, "groups"),
        ((X, y), {"base": 7}, "base"),
        ((X, y), {"base": 1}, "base"),
        ((np.where(X > 2, np.inf, X), y), {}, "infinity"),
    ]
    for data, options, words in cases:
        with pytest.raises(ValueError, match=words):
            fastlr.inference(model, *data, **options)
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    search = GridSearchCV(LogisticRegression(), {"C": [1.0, np.inf]}, cv=2).fit(X, y)
    others = (SklearnLogisticRegression().fit(X, y), "from_sklearn"), (pipe, r"pipe\[-1\]"), (search, "best_estimator_")
    for other, words in others:
        with pytest.raises(TypeError, match=words):
            fastlr.inference(other, X, y)
    np.testing.assert_array_equal(fastlr.inference(pipe[-1], pipe[:-1].transform(X), y).classes, [0, 1])
    with pytest.raises(ValueError, match="L1"):
        fastlr.inference(fitted(X, y, C=1.0, l1_ratio=0.5), X, y)


def test_sizes_that_have_no_table_are_refused():
    X, y, _ = make_data(20, n_features=30)
    penalised = fitted(X, y, C=1.0)
    for options in ({"cov_type": "HC1"}, {"cov_type": "cluster", "groups": np.arange(20)}):
        with pytest.raises(ValueError, match="more samples than parameters"):
            fastlr.inference(penalised, X, y, **options)
    assert np.isfinite(fastlr.inference(penalised, X, y, cov_type="HC3").std_err).all()
    wide = sparse.random(20, 10_000, density=0.01, random_state=0, format="csr")
    with pytest.raises(ValueError, match="10001 parameters"):
        fastlr.inference(fitted(wide, y, C=1.0), wide, y)


def test_weights_that_leave_a_class_out_are_refused():
    X, y, _ = make_data(n_classes=3)
    weight = (y > 0).astype(float)
    with pytest.raises(ValueError, match="no weight to the classes"):
        infer(X, y, weight)


@pytest.mark.filterwarnings("ignore:Columns are collinear")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_collinear_columns_are_named(n_classes):
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data(n_classes=n_classes)
    X = pd.DataFrame(X, columns=list("abcd")).assign(total=lambda f: f.a + 2 * f.b - 3, again=lambda f: f.c)
    with pytest.raises(ValueError, match=r"^total, again: collinear"):
        infer(X, y)
    for constant in (0.0, 3.0):
        with pytest.raises(ValueError, match=r"^same: collinear"):
            infer(X[list("ab")].assign(same=constant), y)
    with pytest.warns(match="separated"), pytest.raises(ValueError, match="separated"):
        infer(np.random.default_rng(0).normal(size=(10, 20)), y[:10])
    table = fastlr.inference(fitted(X, y, C=1.0), X, y)
    assert np.isfinite(table.std_err).all()


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("along", ["columns", "any direction"])
def test_separated_classes_are_refused(n_classes, along):
    rng = np.random.default_rng(0)
    y = np.arange(60) % n_classes
    X = np.eye(n_classes)[y] * 5 + rng.uniform(-1, 1, (60, n_classes))
    if along == "any direction":
        X = rng.normal(size=(200, 4))
        y = (X @ rng.normal(size=(4, n_classes))).argmax(axis=1)
    with pytest.warns(match="perfectly separated"):
        model = fitted(X, y)
    with pytest.raises(ValueError, match="the classes are perfectly separated"):
        fastlr.inference(model, X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_samples", [300, 5_000])
def test_columns_along_which_some_samples_are_separated_are_named(n_classes, n_samples):
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data(n_samples, n_classes=n_classes)
    X = pd.DataFrame(X, columns=list("abcd"))
    always = X.assign(always=np.where(y == 1, np.arange(n_samples) % 9 == 1, 0))  # where it is 1, y is 1
    table = infer(X.assign(mostly=np.where(y != 0, np.arange(n_samples) % 9 < 4, np.arange(n_samples) % 9 < 2)), y)
    assert np.isfinite(table.p_values).all()
    model = LogisticRegression(C=np.inf)
    with pytest.warns(ConvergenceWarning, match=f"separated{'' if n_classes == 2 else ' from 0, 2'}, along always:"):
        model.fit(always, y)
    with pytest.raises(ValueError, match="some samples are perfectly separated, along always:"):
        fastlr.inference(model, always, y)
    assert np.isfinite(fastlr.inference(fitted(always, y, C=1.0), always, y).p_values).all()


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [None, "firth"])
def test_intervals_cover_the_truth_as_often_as_they_say(penalty):
    rng = np.random.default_rng(0)
    n_tables, truth = 1_000, np.array([-0.5, 1.0])
    X = rng.normal(size=(120, 1))
    covered = np.zeros((n_tables, 2, 2))
    for k in range(n_tables):
        y = (rng.random(len(X)) < expit(truth[0] + truth[1] * X[:, 0])).astype(int)
        model = LogisticRegression(penalty="firth") if penalty else LogisticRegression(C=np.inf)
        result = fastlr.inference(model.fit(X, y), X, y)
        for kind, ends in enumerate((result.conf_int(0.9), result.profile_conf_int(level=0.9))):
            covered[k, kind] = (ends[:, 0] < truth) & (truth < ends[:, 1])
    spread = np.sqrt(0.9 * 0.1 / n_tables)
    assert np.abs(covered.mean(axis=0) - 0.9).max() < 4 * spread


def test_p_values_beyond_what_is_printed_are_said_to_be_small():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5_000, 2))
    result = infer(X, (rng.random(5_000) < expit(3 * X[:, 0])).astype(int))
    lines = str(result.summary()).splitlines()
    assert result.p_values[1] < 1e-100 and " <0.001 " in next(line for line in lines if line.startswith("x0"))
    assert f"{result.p_values[2]:.3f}" in next(line for line in lines if line.startswith("x1"))
    assert "&lt;0.001" in result._repr_html_() and r"\textless{}0.001" in result.to_latex()


@pytest.mark.parametrize("kind", ["text", "categories", "dates"])
def test_columns_of_a_frame_that_hold_no_numbers_are_named(kind):
    pd = pytest.importorskip("pandas")
    X, y, _ = make_data()
    column = {
        "text": np.where(y == 1, "a", "b"),
        "categories": pd.Categorical(np.where(y == 1, "a", "b")),
        "dates": pd.Timestamp("2020-01-01"),
    }[kind]
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(
        (TypeError, ValueError), match=r"categories in columns job: encode them, with pandas.get_dummies"
    ):
        fitted(frame.assign(job=column), y)
    objects = frame.assign(d=frame["d"].astype(object))  # which hold numbers
    np.testing.assert_array_equal(fitted(objects, y).coef_, fitted(frame, y).coef_)
