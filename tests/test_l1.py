"""L1 and elastic-net penalties, as users ask for them."""

import warnings
from itertools import islice

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as TheirRegression
from sklearn.linear_model import LogisticRegressionCV as TheirCV
from sklearn.model_selection import StratifiedKFold

import fastlr
from fastlr import LogisticRegression, LogisticRegressionCV, fit_many
from fastlr.objectives.penalties import ElasticNet, penalty_of
from fastlr.plotting import plot_cv, plot_path
from fastlr.runtime.blocks import sample_rows

NEWEST = {"use_legacy_attributes": False, "scoring": "neg_log_loss"}


@pytest.fixture(scope="module")
def data():
    X, y = load_breast_cancer(return_X_y=True)
    return ((X - X.mean(axis=0)) / X.std(axis=0))[:, :12], y


@pytest.fixture
def saga():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield {"solver": "saga", "tol": 1e-10, "max_iter": 20_000}


def value_of(model, X, y, C, l1_ratio):
    """The objective of scikit-learn's documentation, over the sum of the weights."""
    w, raw = model.coef_[0], model.decision_function(X)
    penalty = l1_ratio * np.abs(w).sum() + 0.5 * (1.0 - l1_ratio) * w @ w
    return np.logaddexp(0.0, np.where(y == 1, -raw, raw)).mean() + penalty / (C * len(y))


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_model_is_scikit_learns(data, saga, C, l1_ratio, fit_intercept):
    X, y = data
    options = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    model = LogisticRegression(tol=1e-12, **options).fit(X, y)
    theirs = TheirRegression(**saga, **options).fit(X, y)
    assert model.solver_ == "prox_newton" and model.gap_ <= 1e-12
    assert model.objective_ == pytest.approx(value_of(model, X, y, C, l1_ratio), rel=1e-12)
    assert model.objective_ <= value_of(theirs, X, y, C, l1_ratio) * (1.0 + 1e-12)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=2e-3)
    assert (model.coef_ == 0.0).any() or (C == 1.0 and l1_ratio < 1.0)


@pytest.mark.parametrize(
    "old, new",
    [
        ({"penalty": "l1", "solver": "liblinear"}, {"l1_ratio": 1.0}),
        ({"penalty": "l1", "l1_ratio": None, "solver": "saga"}, {"l1_ratio": 1.0}),
        ({"penalty": "elasticnet", "l1_ratio": 0.5, "solver": "saga"}, {"l1_ratio": 0.5}),
        ({"penalty": "l2", "solver": "newton-cd"}, {"l1_ratio": 0.0}),
        ({"solver": "newton-cd-gram", "l1_ratio": 1}, {"l1_ratio": 1.0}),
        ({"penalty": None}, {"C": np.inf}),
        ({"C": np.inf, "l1_ratio": 1.0}, {"C": np.inf}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_old_and_new_parameters_ask_for_the_same(data, old, new):
    X, y = data
    model = LogisticRegression(**old).fit(X, y)
    np.testing.assert_array_equal(model.coef_, LogisticRegression(**new).fit(X, y).coef_)
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"l1_ratio": 1.5}, "l1_ratio must be"),
        ({"l1_ratio": "all"}, "l1_ratio must be"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "l1_ratio must be specified"),
        ({"l1_ratio": 1.0, "solver": "newton_cholesky"}, "not for problems with l1_ratio=1"),
        ({"solver": "prox_newton"}, "not for problems without an L1 penalty"),
        ({"solver": "prox_newton", "l1_ratio": 1.0, "C": np.inf}, "not for problems without an L1 penalty"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(data, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LogisticRegression(**options).fit(*data)


def test_parameters_that_contradict_each_other_warn(data):
    for options in ({"penalty": "l1", "l1_ratio": 0.5}, {"penalty": "l2", "l1_ratio": 0.5}):
        with pytest.warns(UserWarning, match="Inconsistent values"):
            LogisticRegression(**options).fit(*data)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_matrix])
def test_every_kind_of_X(data, dtype, make):
    X, y = data
    whole = np.clip(10 * X + 50, 0, 255).astype(np.uint8)
    expected = LogisticRegression(C=0.1, l1_ratio=1.0, tol=1e-10).fit(whole.astype(np.float64), y)
    model = LogisticRegression(C=0.1, l1_ratio=1.0, tol=1e-6).fit(make(whole.astype(dtype)), y)
    assert model.gap_ <= 1e-6
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)
    np.testing.assert_array_equal(model.coef_ == 0.0, expected.coef_ == 0.0)
    assert model.coef_.dtype == (np.float32 if dtype == "float32" else np.float64)


def test_a_warm_start_goes_on(data):
    X, y = data
    model = LogisticRegression(l1_ratio=1.0, warm_start=True).fit(X, y)
    assert model.fit(X, y).n_iter_ <= 1
    assert LogisticRegression(l1_ratio=1.0).fit(X, y).n_iter_ > 1
    model.sparsify()
    assert sparse.issparse(model.coef_) and model.fit(X, y).n_iter_ <= 1


@pytest.mark.parametrize("refit", [True, False])
def test_cross_validation_is_scikit_learns(data, saga, refit):
    X, y = data
    options = {"Cs": [0.01, 0.1], "cv": 3, "l1_ratios": np.array([0.0, 0.4, 1.0]), "refit": refit, **NEWEST}
    accepted = TheirCV().get_params()
    model = LogisticRegressionCV(tol=1e-10, **options).fit(X, y)
    if "use_legacy_attributes" not in accepted:
        pytest.skip("a scikit-learn with other attributes")
    theirs = TheirCV(**saga, **options).fit(X, y)
    assert model.scores_.shape == (3, 3, 2)
    np.testing.assert_allclose(model.scores_, theirs.scores_, atol=1e-5)
    np.testing.assert_allclose(model.coefs_paths_, theirs.coefs_paths_, atol=1e-3)
    assert (model.C_, model.l1_ratio_) == pytest.approx((theirs.C_, theirs.l1_ratio_))
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-3)
    assert (model.gaps_ <= 1e-10).all()


def test_cross_validation_refuses_shares_by_name(data):
    for options, message in (
        ({"l1_ratios": (2.0,)}, "l1_ratios must be"),
        ({"l1_ratios": (0.5,), "cv": "loo"}, "l1_ratios=\\(0,\\)"),
        ({"l1_ratios": None, "penalty": "elasticnet"}, "l1_ratios must be specified"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            LogisticRegressionCV(**options, **NEWEST).fit(*data)


def test_many_fits_are_the_fits_one_by_one(data):
    X, y = data
    weights = np.random.default_rng(0).integers(0, 3, (3, len(y)))
    fits = fit_many(X, y, Cs=[0.03, 1.0, np.inf], l1_ratio=0.7, sample_weight=weights, tol=1e-9)
    for k, weight in enumerate(weights):
        for i, C in enumerate((0.03, 1.0)):
            model = LogisticRegression(C=C, l1_ratio=0.7, tol=1e-9).fit(X, y, weight)
            np.testing.assert_allclose(fits.coefs[k, i], model.coef_, atol=1e-4)
            np.testing.assert_array_equal(fits.coefs[k, i] == 0.0, model.coef_ == 0.0)


def test_a_path_begins_without_features_and_is_fits_one_by_one(data):
    X, y = data
    path = fastlr.path(X, y, Cs=8, ratio=1e-2, tol=1e-9)
    assert path.Cs[0] / path.Cs[-1] == pytest.approx(1e-2)
    assert path.n_active[0] == 0 and path.n_active[1] > 0 and (path.gaps <= 1e-9).all()
    assert path.deviances[0] == pytest.approx(0.0, abs=1e-9) and (np.diff(path.deviances) > 0.0).all()
    for C, coef, intercept in zip(path.Cs, path.coefs, path.intercepts, strict=True):
        model = LogisticRegression(C=C, l1_ratio=1.0, tol=1e-9).fit(X, y)
        np.testing.assert_allclose(coef.toarray(), model.coef_, atol=1e-3)
        np.testing.assert_allclose(intercept, model.intercept_, atol=1e-3)
    # No C below the first has a feature either: it is the largest that has none.
    above = LogisticRegression(C=path.Cs[0] * 1.01, l1_ratio=1.0).fit(X, y)
    assert np.count_nonzero(above.coef_) == 1


def test_a_path_ends_where_it_is_told(data):
    X, y = data
    whole = fastlr.path(X, y, Cs=30)
    some = fastlr.path(X, y, Cs=30, max_features=4)
    assert some.n_active[-1] >= 4 > some.n_active[:-1].max()
    np.testing.assert_array_equal(some.intercepts, whole.intercepts[: len(some.Cs)])
    half = fastlr.path(X, y, Cs=30, max_deviance=0.5)
    assert half.deviances[-1] >= 0.5 > half.deviances[-2]
    given = fastlr.path(sparse.csr_array(X), y, Cs=[1.0, 0.1], l1_ratio=0.5)
    np.testing.assert_array_equal(given.Cs, [0.1, 1.0])


def test_along_a_fine_path_over_sparse_features_a_fit_takes_a_step_and_a_pass_but_for_a_few():
    rng = np.random.default_rng(0)
    X = sparse.random_array((400, 600), density=0.1, rng=rng, format="csr")
    y = X @ (3.0 * rng.normal(size=600) * (np.arange(600) < 20)) + rng.logistic(size=400) > 0.0
    path = fastlr.path(X, y, Cs=50, ratio=0.1, tol=1e-4)
    assert path.gaps.max() <= 1e-4 and path.n_active[-1] > 100
    assert path.n_iters.sum() <= 1.1 * len(path.Cs) and path.n_passes <= 1.2 * len(path.Cs)


@pytest.mark.parametrize("options", [{"l1_ratio": 0.0}, {"ratio": 2.0}, {"Cs": 0}, {"max_features": -1}], ids=str)
def test_a_path_refuses_by_name(data, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        fastlr.path(*data, **options)


@pytest.fixture(scope="module")
def irises():
    return load_iris(return_X_y=True)


def softmax_value(model, X, y, C, l1_ratio):
    raw, W = model.decision_function(X), model.coef_
    losses = logsumexp(raw, axis=1) - raw[np.arange(len(y)), y]
    penalty = l1_ratio * np.abs(W).sum() + 0.5 * (1.0 - l1_ratio) * np.vdot(W, W)
    return losses.mean() + penalty / (C * len(y))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_many_classes_are_certified_and_no_worse_than_scikit_learns(irises, saga, l1_ratio, fit_intercept):
    X, y = irises
    options = {"C": 0.1, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    model = LogisticRegression(tol=1e-10, **options).fit(X, y)
    theirs = TheirRegression(**saga, **options).fit(X, y)
    assert model.solver_ == "prox_newton" and model.gap_ <= 1e-10
    assert model.objective_ == pytest.approx(softmax_value(model, X, y, 0.1, l1_ratio), rel=1e-12)
    assert model.objective_ <= softmax_value(theirs, X, y, 0.1, l1_ratio) * (1.0 + 1e-10)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-3)
    assert (model.coef_ == 0.0).any()
    assert abs(model.intercept_.sum()) <= 1e-12


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_gradients_of_many_classes_are_subgradients_of_the_penalty(l1_ratio, make):
    rng = np.random.default_rng(0)
    X, C = rng.normal(size=(200, 90)), 0.2  # more coefficients than one model has: working sets
    y = (X[:, :4] + rng.gumbel(size=(200, 4))).argmax(axis=1)
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, tol=1e-12).fit(make(X), y)
    residual = model.predict_proba(X) - np.eye(4)[y]
    gradient, W = residual.T @ X + (1.0 - l1_ratio) / C * model.coef_, model.coef_
    limit = l1_ratio / C
    np.testing.assert_allclose(gradient[W != 0.0], -limit * np.sign(W[W != 0.0]), atol=1e-4 * limit)
    assert np.abs(gradient).max() <= limit * (1.0 + 1e-4)
    np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize("n_classes", [3, 4, 5])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_what_classes_share_is_taken_off_at_once_however_weak_the_penalty(n_classes, l1_ratio):
    rng = np.random.default_rng(n_classes)
    X = np.clip(100 + 30 * rng.normal(size=(600, 12)), 0, 255).astype(np.uint8)
    y = np.argmax((X / 30.0) @ rng.normal(size=(12, n_classes)) / 2 + rng.gumbel(size=(600, n_classes)), axis=1)
    model = LogisticRegression(C=300.0, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-8, max_iter=30).fit(X, y)
    W, penalty = model.coef_, penalty_of(1.0, l1_ratio, 1.0)
    for shift in 1e-3 * np.abs(W).max() * np.array([-1, -1e-3, 1e-3, 1]):
        for j in range(W.shape[1]):
            assert penalty.value(W[:, j]) <= penalty.value(W[:, j] + shift) * (1 + 1e-12)


def test_features_of_few_samples_do_not_run_away_along_a_coarse_path():
    X, y = load_digits(return_X_y=True)  # some pixels are nearly always 0, so they are large, standardised
    X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    rows = next(islice(StratifiedKFold(3).split(X, y), 1, None))[0]
    assert (fastlr.path(X[rows], y[rows], Cs=[1e-4, 1e-2, 1.0], tol=1e-6).gaps <= 1e-6).all()


@pytest.mark.parametrize("n_classes", [2, 3, 4, 7])
@pytest.mark.parametrize("l2", [0.0, 1e-300, 0.3, 50.0])
def test_the_common_part_of_classes_is_where_the_penalty_is_least(n_classes, l2):
    W = np.random.default_rng(0).normal(size=(n_classes, 40)).round(1)  # some are equal
    penalty = ElasticNet(0.7, l2)
    shared = penalty.common_part(W)
    for j, w in enumerate(W.T):
        around = np.concatenate([w, np.linspace(w.min(), w.max(), 2_001)])
        least = min(penalty.value(w - c) for c in around)
        assert penalty.value(w - shared[j]) <= least * (1 + 1e-12)


def test_a_path_of_many_classes(irises):
    X, y = irises
    path = fastlr.path(X, y, Cs=6, tol=1e-8)
    assert path.n_active[0] == 0 < path.n_active[-1] and (path.gaps <= 1e-8).all()
    model = LogisticRegression(C=path.Cs[-1], l1_ratio=1.0, tol=1e-8).fit(X, y)
    assert path.objectives[-1] == pytest.approx(model.objective_, rel=1e-7)
    assert path.coefs[-1].shape == (3, 4)


@pytest.mark.parametrize("max_iter", [0, 1, 2])
@pytest.mark.parametrize("width", [1, 60], ids=["all features", "working sets"])
def test_too_few_steps_warn_and_leave_a_model(data, max_iter, width):
    X, y = data
    X = np.tile(X, width) + np.random.default_rng(0).normal(size=(len(y), 12 * width))
    with pytest.warns(ConvergenceWarning, match=f"max_iter={max_iter}"):
        model = LogisticRegression(l1_ratio=1.0, max_iter=max_iter).fit(X, y)
    assert model.n_iter_ == max_iter and np.isfinite(model.coef_).all() and model.gap_ > 1e-6


def test_a_path_is_drawn_with_its_largest_coefficients_by_name(data, irises):
    path = fastlr.path(*data, Cs=5)
    ax = plot_path(path, n_named=2)
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    ends = np.abs(path.coefs[-1].toarray()[0])
    assert len(ax.get_lines()) == np.count_nonzero(np.any([coef.toarray()[0] for coef in path.coefs], axis=0))
    np.testing.assert_array_equal(
        lines[f"feature {ends.argmax()}"], [coef.toarray()[0, ends.argmax()] for coef in path.coefs]
    )
    assert len(ax.get_legend().get_texts()) == 2
    many = plot_path(fastlr.path(*irises, Cs=3))
    assert any(", class " in text.get_text() for text in many.get_legend().get_texts())


@pytest.mark.parametrize("older", [False, True])
def test_the_scores_that_are_drawn_are_those_of_the_share_that_was_chosen(data, older):
    options = {**NEWEST, "use_legacy_attributes": older, "l1_ratios": np.array([0.0, 1.0]), "Cs": [1e-3, 1.0], "cv": 3}
    model = LogisticRegressionCV(**options).fit(*data)
    scores = LogisticRegressionCV(**{**options, "use_legacy_attributes": False}).fit(*data).scores_
    chosen = scores[:, [0.0, 1.0].index(np.ravel(model.l1_ratio_)[0])]
    drawn = [line.get_ydata() for line in plot_cv(model).get_lines()[:3]]
    np.testing.assert_array_equal(drawn, chosen)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_weight_on_a_few_rows_of_many(l1_ratio):
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(40_000, 30)), rng.integers(0, 2, 40_000), np.zeros(40_000)
    rows = np.setdiff1d(np.arange(40_000), sample_rows(40_000, 5_000))[:60]  # none of those that are sampled
    weight[rows] = 1.0
    model = LogisticRegression(l1_ratio=l1_ratio, tol=1e-9).fit(X, y, weight)
    np.testing.assert_allclose(
        model.coef_, LogisticRegression(l1_ratio=l1_ratio, tol=1e-9).fit(X[rows], y[rows]).coef_, atol=1e-4
    )


def test_a_path_of_one_class_alone(irises):
    X, y = irises
    path = fastlr.path(X, y, Cs=3, sample_weight=(y == 0).astype(float))
    assert (path.n_active == 0).all() and (path.deviances == 1.0).all()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_models_go_to_scikit_learn_with_their_penalty(data, l1_ratio):
    X, y = data
    theirs = LogisticRegression(C=0.1, l1_ratio=l1_ratio).fit(X, y).to_sklearn()
    assert (theirs.C, theirs.l1_ratio, theirs.solver) == (0.1, l1_ratio, "saga")
    search = LogisticRegressionCV(Cs=[0.1], cv=3, l1_ratios=(l1_ratio,), **NEWEST).fit(X, y).to_sklearn()
    assert (search.C, search.l1_ratio) == (0.1, l1_ratio)


def test_a_scorer_sees_the_share_of_each_model(data):
    X, y = data
    seen = set()

    def scorer(model, X, y):
        seen.add(model.l1_ratio)
        return 0.0

    options = {"Cs": [0.1], "cv": 3, "l1_ratios": (0.0, 0.5), "use_legacy_attributes": False}
    LogisticRegressionCV(scoring=scorer, **options).fit(X, y)
    assert seen == {0.0, 0.5}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_float32_rounds_too_much_a_fit_to_working_sets_goes_on_in_float64(n_classes):
    rng = np.random.default_rng(n_classes)
    X = (rng.normal(size=(40, 600)) * 10.0 ** rng.uniform(-1.0, 1.0, size=600)).astype(np.float32)
    y = np.arange(40) % n_classes
    model = LogisticRegression(l1_ratio=1.0, C=30.0, tol=1e-9).fit(X, y)
    assert model.gap_ <= 1e-9
    exact = LogisticRegression(l1_ratio=1.0, C=30.0, tol=1e-11).fit(X.astype(np.float64), y)
    assert model.objective_ == pytest.approx(exact.objective_, rel=1e-8)


def test_many_classes_in_float32_go_on_in_float64_where_steps_are_lost_in_rounding():
    rng = np.random.default_rng(2)
    X = np.where(rng.random((1_000, 48)) < 0.8, 0.0, rng.normal(size=(1_000, 48)) + rng.normal(size=48))
    y = np.argmax(0.5 * X @ rng.normal(size=(48, 4)) + rng.gumbel(size=(1_000, 4)), axis=1)
    model = LogisticRegression(C=10.0, l1_ratio=1.0).fit(X.astype(np.float32), y)
    assert model.gap_ <= 1e-6


@pytest.mark.parametrize("seed", [39, 51])  # coordinates that go back and forth; a damped last step
def test_many_classes_at_a_weak_penalty_are_certified(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 4)) * 10.0 ** rng.uniform(-4, 4, size=4)
    raw = X / np.abs(X).max(axis=0) @ rng.normal(size=(4, 8))
    y = np.argmax(raw * 6 + rng.gumbel(size=(50, 8)), axis=1)
    assert LogisticRegression(C=3e4, l1_ratio=1.0).fit(X, y).gap_ <= 1e-6
