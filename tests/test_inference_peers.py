"""Tables equal to those of statsmodels, on its own data."""

import warnings

import numpy as np
import pytest

import fastlr
from fastlr import LogisticRegression

pytest.importorskip("pandas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sm = pytest.importorskip("statsmodels.api")

RTOL = 1e-7


@pytest.fixture(autouse=True)
def _what_they_warn_of():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def data_of(name):
    """X and y of one of statsmodels' data sets."""
    data = getattr(sm.datasets, name).load_pandas()
    y = data.endog
    return data.exog, ((y > 0) if name == "fair" else y).astype(int)


def groups_of(y):
    return np.arange(len(y)) % 29


def both(name, cov_type, theirs="Logit", *, as_theirs=None):
    """Our table and theirs."""
    X, y = data_of(name)
    groups = groups_of(y)
    options = {"groups": groups} if cov_type == "cluster" else {}
    ours = fastlr.inference(LogisticRegression(C=np.inf).fit(X, y), X, y, cov_type=cov_type, **options)
    fit = {"cov_type": as_theirs or cov_type, "cov_kwds": options or None}
    if theirs == "GLM":
        model = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial())
        return ours, model.fit(tol=1e-14, **fit)
    return ours, getattr(sm, theirs)(y, sm.add_constant(X)).fit(disp=0, method="newton", tol=1e-14, **fit)


def assert_same_table(ours, theirs):
    for name, other in (("coef", "params"), ("std_err", "bse"), ("z", "tvalues"), ("p_values", "pvalues")):
        expected = np.asarray(getattr(theirs, other)).T
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=RTOL, atol=1e-300, err_msg=name)
    ends = np.asarray(theirs.conf_int()).reshape(*ours.coef.shape, 2)
    np.testing.assert_allclose(ours.conf_int(), ends, rtol=RTOL, atol=1e-9)
    np.testing.assert_allclose(ours.covariance, np.asarray(theirs.cov_params()), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ours.log_likelihood, theirs.llf, rtol=RTOL)
    np.testing.assert_allclose(ours.aic, theirs.aic, rtol=RTOL)
    assert ours.df_model == theirs.df_model


@pytest.mark.parametrize("name", ["spector", "fair"])
@pytest.mark.parametrize("theirs", ["Logit", "GLM"])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_two_classes(name, theirs, cov_type):
    ours, peer = both(name, cov_type, theirs)
    assert_same_table(ours, peer)
    np.testing.assert_allclose(ours.log_likelihood_null, peer.llnull, rtol=RTOL)
    if theirs == "Logit":
        np.testing.assert_allclose(ours.pseudo_r2.mcfadden, peer.prsquared, rtol=RTOL)
        np.testing.assert_allclose(ours.bic, peer.bic, rtol=RTOL)
        test = ours.lr_test()
        np.testing.assert_allclose(test.statistic, peer.llr, rtol=RTOL)
        np.testing.assert_allclose(np.log(test.p_value), np.log(peer.llr_pvalue), rtol=RTOL)


@pytest.mark.parametrize("cov_type", ["HC1", "HC2", "HC3"])
def test_they_give_hc0_whatever_hc_is_asked_for(cov_type):
    ours, peer = both("fair", "HC0", as_theirs=cov_type)
    assert_same_table(ours, peer)
    ours, _ = both("fair", cov_type)
    assert (ours.std_err > np.asarray(peer.bse)).all()


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_many_classes(cov_type):
    ours, peer = both("anes96", cov_type, "MNLogit")
    assert_same_table(ours, peer)
    np.testing.assert_allclose(ours.pseudo_r2.mcfadden, peer.prsquared, rtol=RTOL)


@pytest.mark.parametrize("weights", ["frequency", "precision"])
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_weights_of_glm(weights, cov_type):
    X, y = data_of("fair")
    weight = np.random.default_rng(0).integers(1, 5, len(y))
    groups = {"groups": groups_of(y)} if cov_type == "cluster" else {}
    model = LogisticRegression(C=np.inf).fit(X, y, weight)
    ours = fastlr.inference(model, X, y, sample_weight=weight, weights=weights, cov_type=cov_type, **groups)
    named = {"freq_weights" if weights == "frequency" else "var_weights": weight.astype(float)}
    peer = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial(), **named)
    peer = peer.fit(tol=1e-14, cov_type=cov_type, cov_kwds=groups or None)
    if weights == "frequency" and cov_type == "cluster":  # theirs counts rows in the correction, ours copies
        rows, copies, k = len(y), weight.sum(), len(ours.coef)
        ours.std_err *= np.sqrt((rows - 1) / (rows - k) / ((copies - 1) / (copies - k)))
        np.testing.assert_allclose(ours.std_err, peer.bse, rtol=RTOL)
        return
    np.testing.assert_allclose(ours.std_err, peer.bse, rtol=RTOL)
    np.testing.assert_allclose(ours.coef, peer.params, rtol=RTOL)


def test_tests():
    ours, peer = both("fair", "HC0")
    R = np.eye(len(ours.coef))[[1, 3]]
    theirs = peer.wald_test(R, scalar=True)
    test = ours.wald_test(["rate_marriage", "yrs_married"])
    np.testing.assert_allclose([test.statistic, test.p_value], [theirs.statistic, theirs.pvalue], rtol=RTOL)
    ours, peer = both("fair", "nonrobust")
    Z = np.random.default_rng(0).normal(size=(len(peer.model.endog), 3))
    theirs = peer.score_test(exog_extra=Z)
    test = ours.score_test(Z)
    np.testing.assert_allclose([test.statistic], theirs.statistic, rtol=RTOL)
    np.testing.assert_allclose([test.p_value], theirs.pvalue, rtol=RTOL)


@pytest.mark.parametrize("name, theirs", [("spector", "Logit"), ("fair", "Logit"), ("anes96", "MNLogit")])
@pytest.mark.parametrize("kind", ["dydx", "eyex", "dyex", "eydx"])
def test_marginal_effects(name, theirs, kind):
    ours, peer = both(name, "nonrobust", theirs)
    if theirs == "MNLogit" and kind.endswith("ex"):
        pytest.skip("statsmodels raises an error there")
    dummy = kind.endswith("dx")
    for at in ("overall", "mean"):
        expected, actual = peer.get_margeff(at=at, method=kind, dummy=dummy), ours.marginal_effects(at=at, kind=kind)
        np.testing.assert_allclose(actual.effects.T, expected.margeff, rtol=RTOL, atol=1e-12)
        np.testing.assert_allclose(actual.std_err.T, expected.margeff_se, rtol=RTOL, atol=1e-12)


def test_predictions_and_diagnostics():
    ours, peer = both("spector", "HC0")
    X, _ = data_of("spector")
    expected, actual = peer.get_prediction(sm.add_constant(X)).summary_frame(), ours.predict(X)
    for name, theirs in (("probability", "predicted"), ("lower", "ci_lower"), ("upper", "ci_upper")):
        np.testing.assert_allclose(getattr(actual, name), expected[theirs], rtol=RTOL)
    ours, peer = both("fair", "nonrobust", "GLM")
    found, influence = ours.diagnostics(), peer.get_influence(observed=False)
    np.testing.assert_allclose(found.leverage, influence.hat_matrix_diag, rtol=RTOL)
    np.testing.assert_allclose(found.cook, influence.cooks_distance[0], rtol=RTOL)
    np.testing.assert_allclose(found.standardised_pearson, influence.resid_studentized, rtol=RTOL)
    np.testing.assert_allclose(found.deviance, peer.resid_deviance, rtol=RTOL)
    np.testing.assert_allclose(found.dispersion, peer.pearson_chi2 / peer.df_resid, rtol=RTOL)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "cluster"])
def test_proportions_with_counts(cov_type):
    data = sm.datasets.star98.load_pandas()
    X, counts = data.exog, data.endog.sum(axis=1).to_numpy()
    share = data.endog.iloc[:, 0].to_numpy() / counts
    groups = {"groups": groups_of(share)} if cov_type == "cluster" else {}
    model = LogisticRegression(C=np.inf).fit(X, share, counts, proportions=True)
    options = {"sample_weight": counts, "proportions": True, "weights": "precision", "cov_type": cov_type}
    ours = fastlr.inference(model, X, share, **options, **groups)
    peer = sm.GLM(data.endog, sm.add_constant(X), family=sm.families.Binomial())
    peer = peer.fit(tol=1e-15, cov_type=cov_type, cov_kwds=groups or None)
    np.testing.assert_allclose(ours.coef, peer.params, rtol=RTOL)
    np.testing.assert_allclose(ours.std_err, peer.bse, rtol=RTOL)
    np.testing.assert_allclose(ours.lr_test().statistic, peer.null_deviance - peer.deviance, rtol=RTOL)
    found = ours.diagnostics()
    np.testing.assert_allclose(found.deviance, peer.resid_deviance, rtol=RTOL)
    np.testing.assert_allclose(found.dispersion, peer.pearson_chi2 / peer.df_resid, rtol=RTOL)


def test_offsets():
    X, y = data_of("fair")
    offset = np.random.default_rng(0).normal(size=len(y))
    ours = fastlr.inference(LogisticRegression(C=np.inf).fit(X, y, offset=offset), X, y, offset=offset)
    peer = sm.Logit(y, sm.add_constant(X), offset=offset).fit(disp=0, tol=1e-14)
    assert_same_table(ours, peer)
