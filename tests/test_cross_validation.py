"""Many fits that share X give what each alone gives, and choose as scikit-learn chooses."""

import inspect
import re
import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV as SklearnLogisticRegressionCV
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, StratifiedKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastlr import LogisticRegression, LogisticRegressionCV, fit_many
from fastlr.plotting import plot_cv

CS = [100.0, 0.01, 1.0]  # in no order
COMPARED = pytest.mark.skipif(
    "use_legacy_attributes" not in inspect.signature(SklearnLogisticRegressionCV).parameters,
    reason="the attributes are those of scikit-learn 1.8",
)
KINDS = ("small", "tall", "wide", "sparse", "softmax")


def cv_model(**parameters):
    """A model with the attributes and the scoring that scikit-learn's newest versions have."""
    newest = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    return LogisticRegressionCV(**{**newest, **parameters})


@parametrize_with_checks([cv_model(Cs=[0.01, 0.1], cv=3)])
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)


def make(kind, seed=0):
    """Features and labels that overlap; every row belongs to one of five groups."""
    rng = np.random.default_rng([seed, len(kind)])
    n_samples, n_features = (1_200, 6) if kind == "tall" else (40, 60) if kind.startswith("wide") else (150, 6)
    X = rng.normal(size=(n_samples, n_features)) * np.linspace(0.3, 2.0, n_features)
    z = X @ rng.normal(size=(n_features, 3)) / np.sqrt(n_features) + rng.gumbel(size=(n_samples, 3))
    y = np.array(["a", "b", "c"])[z.argmax(axis=1)] if kind.endswith("softmax") else (z[:, 0] > z[:, 1]).astype(int)
    return sparse.csr_array(X * (rng.random(X.shape) < 0.5)) if kind == "sparse" else X, y


def splits(X, y, n_splits=3):
    return list(StratifiedKFold(n_splits, shuffle=True, random_state=0).split(np.zeros(len(y)), y))


@pytest.mark.parametrize("kind", KINDS)
def test_each_fit_of_many_is_the_fit_alone_to_the_rows_of_its_fold(kind):
    X, y = make(kind)
    weight = np.random.default_rng(1).exponential(size=len(y))
    folds = splits(X, y)
    fits = fit_many(X, y, Cs=CS, folds=folds, sample_weight=weight, tol=1e-12)
    assert not fits.failures
    assert (fits.gaps <= 1e-12).all()
    for k, (train, _) in enumerate(folds):
        for i, C in enumerate(CS):
            alone = LogisticRegression(C=C, tol=1e-12).fit(X[train], y[train], weight[train])
            np.testing.assert_allclose(fits.coefs[k, i], alone.coef_, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(fits.intercepts[k, i], alone.intercept_, rtol=1e-4, atol=1e-5)
            assert fits.objectives[k, i] == pytest.approx(alone.objective_, rel=1e-10)


@COMPARED
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_scores_and_choice_are_scikit_learns(kind, fit_intercept):
    X, y = make(kind)
    options = {"Cs": 4, "cv": splits(X, y), "scoring": "neg_log_loss", "fit_intercept": fit_intercept}
    ours = cv_model(tol=1e-10, **options).fit(X, y)
    theirs = SklearnLogisticRegressionCV(
        tol=1e-10, max_iter=10_000, solver="newton-cg", l1_ratios=(0,), use_legacy_attributes=False, **options
    ).fit(X, y)
    assert ours.C_ == theirs.C_
    for name in ("scores_", "coefs_paths_", "Cs_", "coef_", "intercept_", "l1_ratios_", "l1_ratio_"):
        expected = getattr(theirs, name)
        assert np.shape(getattr(ours, name)) == np.shape(expected), name
        if name != "coefs_paths_" or fit_intercept:
            np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-3, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-4, atol=1e-6)
    assert ours.n_iter_.shape == theirs.n_iter_.shape == ours.gaps_.shape
    assert (ours.gaps_ <= 1e-10).all()
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-5)


def own_scorer(estimator, X, y):
    """Of another X than the one it is given: nothing may be taken from memory here."""
    return -np.abs(estimator.decision_function(X[::-1].copy())).max() + estimator.score(X, y)


@pytest.mark.parametrize("kind", ["tall", "wide", "softmax"])
@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_log_loss", "roc_auc_ovr", "f1_macro", own_scorer])
def test_scores_are_those_of_cross_val_score(kind, scoring):
    X, y = make(kind)
    scoring = "roc_auc" if scoring == "roc_auc_ovr" and kind != "softmax" else scoring
    folds = splits(X, y)
    model = cv_model(Cs=CS, cv=folds, scoring=scoring, tol=1e-11).fit(X, y)
    for i, C in enumerate(CS):
        alone = LogisticRegression(C=C, tol=1e-11)
        expected = cross_val_score(alone, X, y, cv=folds, scoring=scoring)
        np.testing.assert_allclose(model.scores_[:, 0, i], expected, rtol=1e-4)
    search = GridSearchCV(LogisticRegression(tol=1e-11), {"C": CS}, cv=folds, scoring=scoring).fit(X, y)
    assert model.C_ == search.best_params_["C"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-3, atol=1e-4)


@COMPARED
def test_sample_weights_weigh_in_the_fits_and_in_the_scores():
    X, y = make("tall")
    weight = np.random.default_rng(1).exponential(size=len(y))
    for scoring in (None, "neg_log_loss", "roc_auc"):
        options = {"Cs": [0.1, 10.0], "cv": splits(X, y), "scoring": scoring, "class_weight": "balanced"}
        ours = cv_model(tol=1e-12, **options).fit(X, y, weight)
        theirs = SklearnLogisticRegressionCV(
            tol=1e-10, solver="newton-cholesky", l1_ratios=(0,), use_legacy_attributes=False, **options
        ).fit(X, y, weight)
        np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-6)


@COMPARED
@pytest.mark.skipif(sklearn.__version__.startswith("1.8."), reason="it fails there itself, without a new fit")
def test_without_refit_the_coefficients_are_the_mean_of_the_folds_best():
    X, y = make("tall")
    options = {"Cs": 4, "cv": splits(X, y), "scoring": "neg_log_loss", "refit": False}
    ours = cv_model(tol=1e-12, **options).fit(X, y)
    theirs = SklearnLogisticRegressionCV(
        tol=1e-10, solver="newton-cholesky", l1_ratios=(0,), use_legacy_attributes=False, **options
    ).fit(X, y)
    assert ours.C_ == pytest.approx(theirs.C_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_refit_starts_from_what_the_folds_have_in_common(kind):
    X, y = make(kind)
    everything = [(np.arange(len(y)), np.arange(len(y)))] * 2  # so that the mean of the folds is the optimum
    model = cv_model(Cs=[0.01, 1.0], cv=everything, tol=1e-4).fit(X, y)
    assert model.C_ == 1.0
    # No step was taken from there. A Gram matrix gives back w but for rounding.
    np.testing.assert_allclose(model.coef_, model.coefs_paths_[0, 0, 1, :, :-1], rtol=1e-6, atol=1e-9)


def test_a_scorer_with_a_positive_label_of_its_own_keeps_it():
    X, y = make("tall")
    y = np.array(["no", "yes"])[y]
    scoring = make_scorer(f1_score, pos_label="no")
    folds = splits(X, y)
    model = cv_model(Cs=[1.0], cv=folds, scoring=scoring).fit(X, y)
    expected = cross_val_score(LogisticRegression(), X, y, cv=folds, scoring=scoring)
    np.testing.assert_allclose(model.scores_[:, 0, 0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_folds_and_penalties_does_not_matter(kind):
    X, y = make(kind)
    folds = splits(X, y)
    fits = fit_many(X, y, Cs=CS, folds=folds, tol=1e-12)
    again = fit_many(X, y, Cs=CS[::-1], folds=folds[::-1], tol=1e-12)
    if kind == "tall":  # the place in a shared pass may decide how sums are rounded
        np.testing.assert_allclose(fits.coefs, again.coefs[::-1, ::-1], rtol=1e-6, atol=1e-7)
        return
    assert (fits.coefs == again.coefs[::-1, ::-1]).all()
    assert (fits.gaps == again.gaps[::-1, ::-1]).all()


@pytest.mark.parametrize("shape", [(6_000, 20), (60, 3_000)])
def test_number_of_threads_cannot_be_seen_in_the_result(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = (X[:, 0] + rng.normal(size=len(X)) > 0).astype(int)
    models = [cv_model(Cs=[0.01, 1.0], cv=3, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2, 3)]
    assert len({m.coefs_paths_.tobytes() + m.scores_.tobytes() + m.coef_.tobytes() for m in models}) == 1


@pytest.mark.parametrize("kind", ["tall", "wide", "sparse"])
def test_each_of_several_targets_is_fitted_as_it_is_alone(kind):
    X, y = make(kind)
    targets = np.column_stack([y, y[::-1], y ^ (np.arange(len(y)) % 7 == 0)])
    options = {"Cs": CS, "folds": splits(X, y), "class_weight": "balanced"}
    fits = fit_many(X, targets, **options)
    alone = [fit_many(X, target, **options) for target in targets.T]
    assert fits.coefs.shape[:2] == (9, 3)
    np.testing.assert_array_equal(fits.coefs, np.concatenate([part.coefs for part in alone]))
    np.testing.assert_array_equal(fits.gaps, np.concatenate([part.gaps for part in alone]))


def test_a_target_that_fails_is_named_by_its_place_and_leaves_the_others_as_they_are():
    X, y = make("small")
    separable = (X[:, 0] > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="set 1, C=inf: .*separated"):
        fits = fit_many(X, np.column_stack([y, separable, 1 - y]), Cs=[np.inf])
    assert list(fits.failures) == [(1, 0)]
    np.testing.assert_array_equal(fits.coefs[0], fit_many(X, y, Cs=[np.inf]).coefs[0])
    np.testing.assert_allclose(fits.coefs[2], -fits.coefs[0], rtol=1e-5)


def test_several_targets_must_have_the_same_two_classes():
    X, y = make("small")
    for targets in ([y, y + 1], [y, np.arange(len(y)) % 3], [np.arange(len(y)) % 3, np.arange(len(y)) % 3]):
        with pytest.raises(ValueError, match="y must hold the same two classes in each column"):
            fit_many(X, np.column_stack(targets))
    with pytest.raises(ValueError, match="one class"):
        fit_many(X, np.column_stack([y, np.zeros_like(y)]))


def test_a_set_of_weights_for_each_fit_and_repeated_rows():
    X, y = make("tall")
    weights = np.random.default_rng(2).integers(0, 3, (2, len(y)))
    fits = fit_many(X, y, Cs=[1.0], sample_weight=weights, tol=1e-12)
    rows = [np.repeat(np.arange(len(y)), weight) for weight in weights]
    copies = fit_many(X, y, Cs=[1.0], folds=[(row, None) for row in rows], tol=1e-12)
    for k, row in enumerate(rows):
        alone = LogisticRegression(tol=1e-12).fit(X[row], y[row])
        np.testing.assert_allclose(fits.coefs[k, 0], alone.coef_, rtol=1e-5)
    np.testing.assert_array_equal(fits.coefs, copies.coefs)
    assert fit_many(X, y, Cs=2).coefs.shape == (1, 2, 1, X.shape[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_without_one_of_the_classes_leaves_the_others_as_they_are_and_gives_it_no_probability(kind):
    X, y = make(kind)
    absent = y == y[0]
    folds = splits(X, y)
    rows = np.arange(len(y))
    model = cv_model(Cs=[0.1, 1.0], cv=[folds[0], (rows[~absent], rows), *folds[1:]], scoring="accuracy").fit(X, y)
    whole = cv_model(Cs=[0.1, 1.0], cv=folds, scoring="accuracy").fit(X, y)
    np.testing.assert_array_equal(model.scores_[[0, 2, 3]], whole.scores_)
    assert (model.gaps_ <= 1e-6).all()
    np.testing.assert_array_equal(model.classes_, whole.classes_)
    # Of these samples none of the absent class is right.
    assert (model.scores_[1] <= np.mean(~absent)).all()
    fits = fit_many(X, y, Cs=[0.1, 1.0], sample_weight=[(~absent).astype(float)])
    for i, C in enumerate([0.1, 1.0]):
        alone = LogisticRegression(C=C).fit(X, y, sample_weight=~absent)
        np.testing.assert_allclose(fits.coefs[0, i], alone.coef_, rtol=1e-2, atol=1e-3)
        assert (alone.predict_proba(X)[:, list(alone.classes_).index(y[0])] < 1e-15).all()


def test_scores_of_folds_that_lack_a_class_know_all_labels():
    X, y = load_iris(return_X_y=True)
    loss = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    for scoring in ("neg_log_loss", loss, "accuracy", "f1_macro", "balanced_accuracy", "recall_macro"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scores of labels that are not there
            model = cv_model(Cs=[1.0], cv=KFold(3), scoring=scoring).fit(X, y)
        assert np.isfinite(model.scores_).all()
    assert (model.scores_ == 0.0).all()  # no class that was held out as a whole is ever predicted


def test_where_no_fold_can_be_scored_the_first_of_the_penalties_is_taken_and_a_warning_says_so():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings(), pytest.warns(UserWarning, match="No fold could be scored"):
        warnings.filterwarnings("ignore", "Only one class")
        model = cv_model(Cs=CS, cv=KFold(3), scoring="roc_auc_ovr").fit(X, y)
    assert model.C_ == CS[0]
    assert np.isnan(model.scores_).all()


@pytest.mark.filterwarnings("ignore:.*l1_ratios", "ignore::DeprecationWarning:sklearn")
@pytest.mark.parametrize("kind", ["small", "softmax"])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("l1_ratios", [None, np.zeros(1)], ids=str)
def test_legacy_attributes_are_scikit_learns(kind, refit, l1_ratios):
    X, y = make(kind)
    options = {"Cs": 3, "cv": splits(X, y), "scoring": "accuracy", "refit": refit, "l1_ratios": l1_ratios}
    if "use_legacy_attributes" in inspect.signature(SklearnLogisticRegressionCV).parameters:
        options["use_legacy_attributes"] = True
    elif l1_ratios is not None:
        options.update(penalty="elasticnet", solver="saga")
    ours, theirs = (
        model(max_iter=10_000, **options).fit(X, y) for model in (LogisticRegressionCV, SklearnLogisticRegressionCV)
    )
    for name in ("scores_", "coefs_paths_", "C_", "l1_ratio_", "l1_ratios_", "n_iter_", "Cs_", "coef_", "intercept_"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        if isinstance(expected, dict):
            assert list(found) == list(expected), name
            for label, values in expected.items():
                assert found[label].shape == values.shape, name
                if name == "scores_":
                    np.testing.assert_allclose(found[label], values, atol=0.05)
        else:
            assert np.shape(found) == np.shape(expected), name
            if name in ("C_", "l1_ratio_", "l1_ratios_", "Cs_") and not (name == "l1_ratio_" and not refit):
                np.testing.assert_array_equal(found, expected, err_msg=name)


def test_defaults_are_those_of_the_installed_scikit_learn():
    ours, theirs = (inspect.signature(kind).parameters for kind in (LogisticRegressionCV, SklearnLogisticRegressionCV))
    assert set(theirs) <= set(ours)
    for name in ("l1_ratios", "scoring"):
        assert ours[name].default == theirs[name].default
    X, y = make("small")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegressionCV(cv=3).fit(X, y)
    messages = " ".join(str(warning.message) for warning in caught if warning.category is FutureWarning)
    for name in ("l1_ratios", "scoring", "use_legacy_attributes"):
        asks = name in theirs and isinstance(theirs[name].default, str) and theirs[name].default == "warn"
        assert bool(re.search(f"default value [^.]*{name}'? will change", messages)) == asks
    assert isinstance(model.scores_, dict) == (
        getattr(theirs.get("use_legacy_attributes"), "default", True) is not False
    )


@pytest.mark.parametrize("kind", ["tall", "wide"])
def test_a_fold_whose_classes_are_separable_fails_only_without_a_penalty(kind):
    X, y = make("tall")
    X = np.column_stack([X, np.where(y, 1.0, -1.0)])
    X[0], y[0] = X[1], 1 - y[1]  # twins with different labels: without one of them the classes are separable
    if kind == "wide":
        X = np.column_stack([X, np.zeros((len(X), 200))])
    rows = np.arange(len(y))
    with pytest.warns(ConvergenceWarning, match=r"1 of 4 fits failed. set 1, C=inf: .*perfectly separated"):
        fits = fit_many(X, y, Cs=[1.0, np.inf], sample_weight=[np.ones(len(y)), (rows > 0).astype(float)])
    assert list(fits.failures) == [(1, 1)]
    assert np.isinf(fits.gaps[1, 1])
    assert (fits.gaps[:, 0] <= 1e-6).all()
    assert np.isfinite(fits.coefs).all()


def test_groups_reach_the_splitter_through_metadata_routing():
    X, y = make("tall")
    groups = np.random.default_rng(3).integers(0, 4, len(y))
    splitter = GroupKFold(4)
    expected = cv_model(Cs=[0.1, 1.0], cv=list(splitter.split(X, y, groups))).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        model = cv_model(Cs=[0.1, 1.0], cv=splitter).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.scores_, expected.scores_)
    with pytest.raises(ValueError, match="Passing groups to fit is only supported if enable_metadata_routing=True"):
        cv_model(cv=splitter).fit(X, y, groups=groups)


def test_held_out_rows_do_not_touch_the_fit_whatever_they_hold():
    X, y = make("wide")
    train, test = splits(X, y)[0]
    other = X.copy()
    other[test] *= 100.0
    one = fit_many(X, y, Cs=[1.0], folds=[(train, test)], tol=1e-12)
    two = fit_many(other, y, Cs=[1.0], folds=[(train, test)], tol=1e-12)
    np.testing.assert_allclose(one.coefs, two.coefs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
def test_features_are_read_as_they_stand(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype == "bool" else 100, (200, 5)).astype(dtype)
    y = rng.integers(0, 2, 200)
    model = cv_model(Cs=3, cv=3, tol=1e-9).fit(X, y)
    expected = cv_model(Cs=3, cv=3, tol=1e-9).fit(X.astype(float), y)
    np.testing.assert_allclose(model.scores_, expected.scores_, rtol=1e-5)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Cs", 0),
        ("Cs", [1.0, -1.0]),
        ("Cs", [np.nan]),
        ("Cs", []),
        ("l1_ratios", (1.5,)),
        ("refit", "yes"),
        ("l1_ratios", "warning"),
        ("use_legacy_attributes", "no"),
        ("penalty", "l3"),
        ("solver", "newton"),
        ("dual", True),
        ("intercept_scaling", 2.0),
        ("multi_class", "multinomial"),
        ("tol", -1.0),
        ("cv", 1),
        ("cv", []),
        ("cv", [1.0]),
        ("cv", [([0, 1, 2], "x")]),
        ("cv", [([0.5], [1])]),
        ("scoring", "no such scorer"),
        ("scoring", np.zeros(2)),
        ("class_weight", {7: 1.0}),
    ],
)
def test_a_bad_parameter_leaves_the_estimator_as_it_was(parameter, value):
    X, y = make("tall")
    model = cv_model(Cs=2, cv=2).fit(X, y)
    before = dict(vars(model))
    model.set_params(**{parameter: value})
    with pytest.raises((ValueError, TypeError)):
        model.fit(X, y)
    assert {name: item for name, item in vars(model).items() if name.endswith("_")} == {
        name: item for name, item in before.items() if name.endswith("_")
    }


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("sample_weight", 1.0),
        ("sample_weight", np.ones((2, 3, 4))),
        ("folds", 5),
        ("folds", "x"),
        ("folds", []),
        ("folds", [1.0]),
        ("folds", {1: 2}),
        ("folds", [([1, 10**6], [2])]),
        ("Cs", [[1.0]]),
        ("Cs", None),
    ],
)
def test_a_bad_argument_of_fit_many_is_named(argument, value):
    X, y = make("small")
    with pytest.raises((ValueError, TypeError), match=argument):
        fit_many(X, y, **{argument: value})


def test_nan_in_features_is_reported_in_scikit_learns_words():
    for kind in ("tall", "wide", "sparse"):
        X, y = make(kind)
        (X.data if kind == "sparse" else X.ravel())[7] = np.nan
        with pytest.raises(ValueError, match="contains NaN"):
            cv_model(Cs=2, cv=2).fit(X, y)
        with pytest.raises(ValueError, match="contains NaN"):
            fit_many(X, y, Cs=2)


def test_other_splitters_give_a_row_of_scores_for_each_fold():
    X, y = make("wide")
    assert cv_model(Cs=2, cv=KFold(4)).fit(X, y).scores_.shape == (4, 1, 2)
    loo = cv_model(Cs=[0.1], cv=LeaveOneOut(), scoring="accuracy").fit(X, y)
    assert loo.scores_.shape == (len(y), 1, 1)


@pytest.mark.parametrize("kind", ["small", "wide", "sparse", "softmax"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_approximate_leave_one_out_is_near_the_true_one(kind, fit_intercept):
    X, y = make(kind)
    options = {"Cs": [0.01, 0.1, 1.0], "scoring": "neg_log_loss", "tol": 1e-12, "fit_intercept": fit_intercept}
    model = cv_model(cv="loo", **options).fit(X, y)
    true = cv_model(cv=LeaveOneOut(), **options).fit(X, y)
    assert model.scores_.shape == (1, 1, 3)
    assert model.C_ == true.C_
    # What there is to find out is how much worse than its own fit a sample fares.
    scores, expected = model.scores_[0, 0], true.scores_[:, 0].mean(axis=0)
    alone = [LogisticRegression(C=C, tol=1e-10, fit_intercept=fit_intercept).fit(X, y) for C in options["Cs"]]
    own = [one.predict_proba(X) for one in alone]
    columns = np.unique(y, return_inverse=True)[1]
    optimism = np.array([np.log(p[np.arange(len(y)), columns]).mean() for p in own]) - expected
    assert (np.abs(scores - expected) < 0.1 * optimism).all()
    np.testing.assert_allclose(model.coef_, true.coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["small", "softmax", "wide softmax"])
def test_approximate_leave_one_out_takes_weights(kind):
    X, y = make(kind)
    columns = np.unique(y, return_inverse=True)[1]
    weight = np.random.default_rng(1).integers(1, 3, len(y))
    options = {"Cs": [0.1], "scoring": "neg_log_loss", "tol": 1e-10}
    model = cv_model(cv="loo", **options).fit(X, y, weight)
    log_p, own = np.empty((2, len(y)))
    for i in range(len(y)):
        rest = np.delete(np.arange(len(y)), i)
        alone = LogisticRegression(C=0.1, tol=1e-10).fit(X[rest], y[rest], weight[rest])
        log_p[i] = alone.predict_log_proba(X[i : i + 1])[0, columns[i]]
        own[i] = model.predict_log_proba(X[i : i + 1])[0, columns[i]]
    expected = np.average(log_p, weights=weight)
    assert abs(model.scores_[0, 0, 0] - expected) < 0.1 * (np.average(own, weights=weight) - expected)


def test_approximate_leave_one_out_names_what_is_too_large():
    with pytest.raises(ValueError, match=r"3000 samples or features.* 3 classes"):
        cv_model(cv="loo").fit(np.zeros((1_001, 1_001)), np.arange(1_001) % 3)


def test_a_progress_bar_counts_all_fits(capsys):
    X, y = make("tall")
    fit_many(X, y, Cs=2, folds=splits(X, y), verbose=1)
    assert "6/6" in capsys.readouterr().err


def test_the_plot_knows_the_older_attributes():
    X, y = make("small")
    lines = [
        [line.get_xydata() for line in plot_cv(cv_model(Cs=3, cv=4, use_legacy_attributes=older).fit(X, y)).lines]
        for older in (False, True)
    ]
    np.testing.assert_equal(lines[0], lines[1])


def test_the_plot_shows_every_fold_the_mean_and_the_choice():
    pytest.importorskip("matplotlib")
    X, y = make("tall")
    model = cv_model(Cs=CS, cv=3).fit(X, y)
    ax = plot_cv(model)
    *folds, mean, chosen = ax.lines
    order = np.argsort(CS)
    for line, scores in zip(folds, model.scores_[:, 0, order], strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([np.sort(CS), scores]))
    np.testing.assert_allclose(mean.get_ydata(), model.scores_[:, 0, order].mean(axis=0))
    assert set(chosen.get_xdata()) == {model.C_}
    assert plot_cv(model, ax) is ax
