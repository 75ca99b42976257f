"""The estimator: scikit-learn's optimum, its interface, and the promises of its own."""

import pickle
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_backend
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from test_objective import exact_minimum
from test_solvers import zipf_one_hot

from fastlr import LogisticRegression
from fastlr.solvers import SMOOTH


@parametrize_with_checks([LogisticRegression()])
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)


def labelled(n_samples, n_features, seed=0):
    """Correlated features with unequal scales, and labels that no hyperplane separates."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = rng.normal(size=(n_samples, n_features)) @ (np.eye(n_features) + 0.3 * rng.normal(size=(n_features,) * 2))
    z = X @ rng.normal(size=n_features) / np.sqrt(n_features) + 0.5
    y = (rng.random(n_samples) < expit(z)).astype(int)
    y[:4] = [0, 1, 0, 1]
    return X, y


def mean_objective(model, X, y, C, weight):
    """scikit-learn's objective over C and the sum of the weights, in plain NumPy."""
    z = X.astype(np.float64) @ model.coef_[0] + model.intercept_[0]
    loss = np.logaddexp(0.0, z) - y * z
    penalty = 0.0 if np.isinf(C) else model.coef_[0] @ model.coef_[0] / (2 * C * weight.sum())
    return weight @ loss / weight.sum() + penalty


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(300, 7), (40, 90)])
def test_optimum_is_scikit_learns(shape, weighted, C, fit_intercept):
    if np.isinf(C) and shape[0] < shape[1]:
        pytest.skip("separable: there is no optimum")
    X, y = labelled(*shape)
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else np.ones(len(y))
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight if weighted else None)
    theirs = SklearnLogisticRegression(
        C=C, fit_intercept=fit_intercept, tol=1e-10, solver="newton-cholesky", max_iter=1000
    ).fit(X, y, weight if weighted else None)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-6)
    reached = mean_objective(ours, X, y, C, weight)
    assert reached == pytest.approx(ours.objective_, rel=1e-12)
    assert reached <= mean_objective(theirs, X, y, C, weight) * (1 + 1e-12)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5}])
def test_class_weights_are_scikit_learns(class_weight):
    X, y = labelled(200, 5)
    ours = LogisticRegression(class_weight=class_weight, tol=1e-12).fit(X, y)
    theirs = SklearnLogisticRegression(class_weight=class_weight, tol=1e-10, solver="newton-cholesky").fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("shape", [(500, 12), (30, 60)])
def test_tol_is_met_and_bounds_the_true_gap_whatever_the_solver(solver, shape):
    X, y = labelled(*shape)
    weight = np.ones(len(y))
    best = LogisticRegression(tol=1e-13).fit(X, y)
    least = mean_objective(best, X, y, 1.0, weight)
    for tol in (1e-2, 1e-5, 1e-8):
        model = LogisticRegression(solver=solver, tol=tol).fit(X, y)
        assert model.solver_ == solver
        true_gap = (mean_objective(model, X, y, 1.0, weight) - least) / least
        assert true_gap <= model.gap_ * (1 + 1e-6) + 1e-13
        assert model.gap_ <= tol


@pytest.mark.parametrize("solver", ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"])
def test_every_solver_name_of_scikit_learn_reaches_the_same_optimum(solver):
    X, y = labelled(100, 4)
    model = LogisticRegression(solver=solver).fit(X, y)
    assert model.solver_ in SMOOTH
    assert (model.coef_ == LogisticRegression().fit(X, y).coef_).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "bool"])
def test_features_of_every_dtype_give_the_fit_of_their_float64_copy(dtype, order):  # sk#8769, sk#34903
    X, y = labelled(400, 9)
    X = np.asarray(X > 0 if dtype == "bool" else np.clip(30 * X, 0, 127), dtype=dtype, order=order)
    X.flags.writeable = False
    model = LogisticRegression(tol=1e-9).fit(X, y)
    expected = LogisticRegression(tol=1e-12).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=2e-4, atol=1e-6)
    raw = X.astype(float) @ expected.coef_[0] + expected.intercept_
    np.testing.assert_allclose(model.decision_function(X), raw, rtol=1e-3, atol=1e-3)
    assert model.coef_.dtype == (np.float32 if dtype == "float32" else np.float64)


def test_number_of_threads_cannot_be_seen_in_the_result():  # sk#24615
    X, y = labelled(6_000, 60)
    models = [LogisticRegression(n_jobs=n_jobs, tol=1e-9).fit(X, y) for n_jobs in (1, 2, 3, 7)]
    wide = [LogisticRegression(n_jobs=n_jobs).fit(X[:70].repeat(60, axis=1), y[:70]) for n_jobs in (1, 2, 3)]
    assert len({model.coef_.tobytes() + model.intercept_.tobytes() for model in models}) == 1
    assert len({model.coef_.tobytes() for model in wide}) == 1


def test_probabilities_are_expit_of_the_decision_function():
    X, y = labelled(100, 4)
    model = LogisticRegression().fit(X, y)
    raw = model.decision_function(X * 50)
    proba = model.predict_proba(X * 50)
    np.testing.assert_array_equal(proba[:, 1], expit(raw))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X * 50)), proba, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X * 50), (raw > 0).astype(int))


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [-1, 1], [3.0, 7.0], [np.int8(2), np.int8(5)]])
def test_labels_of_any_kind(labels):
    X, y = labelled(80, 3)
    named = np.array(labels)[y]
    model = LogisticRegression().fit(X, named)
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.predict(X), np.array(labels)[LogisticRegression().fit(X, y).predict(X)])
    assert model.coef_.tobytes() == LogisticRegression().fit(X, y).coef_.tobytes()


def test_weight_k_is_k_copies_and_weight_zero_is_absence():  # sk#29419, sk#16298
    X, y = labelled(90, 4)
    k = np.random.default_rng(0).integers(0, 4, len(y))
    k[:4] = 1
    for options in ({}, {"class_weight": "balanced"}):
        weighted = LogisticRegression(tol=1e-12, **options).fit(X, y, sample_weight=k)
        copied = LogisticRegression(tol=1e-12, **options).fit(X.repeat(k, axis=0), y.repeat(k))
        np.testing.assert_allclose(weighted.coef_, copied.coef_, rtol=1e-7)
        np.testing.assert_allclose(weighted.intercept_, copied.intercept_, rtol=1e-7)


def test_penalty_none_is_infinite_C():
    X, y = labelled(300, 4)
    assert (LogisticRegression(penalty=None).fit(X, y).coef_ == LogisticRegression(C=np.inf).fit(X, y).coef_).all()


@pytest.mark.parametrize("shape", [(500, 8), (30, 60)])
def test_warm_start_starts_from_the_last_coefficients(shape):
    X, y = labelled(*shape)
    model = LogisticRegression(warm_start=True, tol=1e-8).fit(X, y)
    cold = model.n_iter_[0]
    assert model.fit(X, y).n_iter_[0] <= 1 < cold
    nearby = model.set_params(C=1.05).fit(X, y)
    assert nearby.n_iter_[0] < cold
    np.testing.assert_allclose(nearby.coef_, LogisticRegression(C=1.05, tol=1e-8).fit(X, y).coef_, rtol=1e-3, atol=1e-5)


def test_raw_columns_from_1e_minus_8_to_1e8_converge_without_a_warning():  # sk#15556
    X, y = labelled(600, 17)
    scales = np.logspace(-8, 8, 17)
    model = LogisticRegression(C=np.inf, tol=1e-9).fit(X * scales, y)
    expected = LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_ * scales, expected.coef_, rtol=1e-3, atol=1e-5)
    assert LogisticRegression().fit(X * scales, y).gap_ <= 1e-6


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wide_table_of_raw_columns_goes_on_where_its_gram_matrix_is_singular_to_rounding(C, dtype):
    rng = np.random.default_rng(9)
    X = (rng.normal(size=(30, 85)) * np.repeat(np.logspace(-8, 8, 17), 5)).astype(dtype)
    y = np.arange(30) % 2
    model = LogisticRegression(C=C).fit(X, y)
    # From shape alone it would be gram_newton, which under a strong penalty may arrive.
    assert model.solver_ == "newton_cholesky" or C < 1.0
    assert model.gap_ <= 1e-6
    _, minimum = exact_minimum(X, y, None, 1 / (30 * C))
    assert abs(model.objective_ - minimum) <= 1e-6 * minimum


def test_a_fit_goes_on_in_float64_where_float32_is_not_exact_enough():
    X, y = zipf_one_hot(3_000, 60, 10)
    X = X.astype(np.float32)
    for tol in (1e-6, 1e-10):
        model = LogisticRegression(C=1e3, tol=tol).fit(X, y)
        assert model.gap_ <= tol
        _, minimum = exact_minimum(X, y, None, 1 / 3e6, dtype=np.float64)
        assert model.objective_ <= float(minimum) * (1 + tol + (1e-6 if tol == 1e-6 else 1e-12))
        passes = [record["n_passes"] for record in model.history_]
        assert passes == sorted(passes)


@pytest.mark.parametrize("seed", [0, 11])
def test_small_float32_gets_its_last_digits_in_float64(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4_000, 2)).astype(np.float32)
    y = (X[:, 0] + rng.logistic(size=4_000) > 0).astype(int)
    model = LogisticRegression(C=5e-4, tol=1e-8).fit(X, y)
    assert model.gap_ <= 1e-18 and model.n_iter_ < 20


@pytest.mark.parametrize("shift", [1e3, 1e4])
@pytest.mark.parametrize("C", [1.0, 100.0, np.inf])
def test_float32_columns_far_from_zero_are_not_certified_by_what_rounding_left_of_them(shift, C):
    X, y = labelled(400, 8)
    X = (X + shift).astype(np.float32)
    model = LogisticRegression(C=C).fit(X, y)
    assert model.gap_ <= 1e-6
    _, minimum = exact_minimum(X, y, None, 1 / (400 * C))
    assert mean_objective(model, X, y, C, np.ones(400)) <= float(minimum) * (1 + 1e-5)


def test_breast_cancer_as_it_is():
    X, y = load_breast_cancer(return_X_y=True)
    assert LogisticRegression().fit(X, y).score(X, y) > 0.94


@pytest.mark.filterwarnings("ignore:Columns are collinear")
def test_constant_and_collinear_columns_change_no_prediction():
    X, y = labelled(200, 4)
    wide = np.column_stack([X, np.ones(200), X[:, 0], X[:, 1] - X[:, 2]])
    for C in (1.0, np.inf):
        model = LogisticRegression(C=C, tol=1e-8).fit(wide, y)
        assert np.isfinite(model.coef_).all()
        assert abs(model.coef_[0, 4]) < 1e-4 or np.isinf(C)
    plain = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.decision_function(wide), plain.decision_function(X), rtol=1e-3, atol=1e-3)


def test_no_names_are_made_where_none_are_told(monkeypatch):
    def refuse(model):
        raise AssertionError("names of all features")

    X, y = labelled(200, 4)
    monkeypatch.setattr(LogisticRegression, "_names", refuse)
    LogisticRegression(C=np.inf).fit(X, y)
    with pytest.raises(AssertionError, match="names"):
        LogisticRegression(C=np.inf).fit(np.column_stack([X, X[:, 0]]), y)


def test_separable_classes_without_a_penalty_are_named():  # sm#39, sm#2282
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.warns(ConvergenceWarning, match="separated"):
        model = LogisticRegression(C=np.inf).fit(X, [0, 0, 1, 1])
    assert np.isfinite(model.coef_).all()
    assert (model.predict(X) == [0, 0, 1, 1]).all()


def test_smallest_problems():
    model = LogisticRegression(tol=1e-12).fit([[0.0], [1.0]], [0, 1])
    # By symmetry b = -w/2; w solves w = sigmoid(-w/2), the stationarity of |w|^2/2 + 2 log(1 + exp(-w/2)).
    w = model.coef_[0, 0]
    assert w == pytest.approx(expit(-w / 2), rel=1e-6)
    assert model.intercept_[0] == pytest.approx(-w / 2, rel=1e-6)
    with pytest.raises(ValueError, match="one class"):
        LogisticRegression().fit([[1.0]], [0])


@pytest.mark.parametrize("shape", [(150, 6), (20, 30)])
@pytest.mark.parametrize(
    ("dtype", "factor"), [("float32", 1e20), ("float32", 1e37), ("float64", 1e30), ("float64", 1e150)]
)
def test_a_huge_column_is_as_good_as_one_without_a_penalty(shape, dtype, factor):  # sk#31888
    X, y = labelled(*shape)
    X = X.astype(dtype)
    scale = np.ones(shape[1], dtype)
    scale[0] = factor
    model = LogisticRegression().fit(X * scale, y)
    assert model.gap_ <= 1e-6
    # The factor of a column is that of its penalty: at 1e15 nothing is left of it.
    mild = LogisticRegression(tol=1e-9).fit(X.astype(np.float64) * np.where(scale > 1.0, 1e7, 1.0), y)
    raw = model.decision_function(X * scale)
    assert raw.dtype == dtype
    np.testing.assert_allclose(raw, X @ (mild.coef_[0] * np.where(scale > 1.0, 1e7, 1.0)) + mild.intercept_, atol=0.02)


@pytest.mark.parametrize("shape", [(150, 6), (20, 30)])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("n_huge", [1, None])
@pytest.mark.parametrize("factor", [1e160, 1e300, 1e307])
def test_numbers_whose_squares_overflow_give_one_warning_in_plain_words(shape, C, n_huge, factor):
    X, y = labelled(*shape)
    X[:, :n_huge] *= factor
    with pytest.warns() as caught:
        model = LogisticRegression(C=C).fit(X, y)
    assert [(warning.category, "Scale the columns of X" in str(warning.message)) for warning in caught] == [
        (ConvergenceWarning, True)
    ]
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.objective_)
    assert model.gap_ == np.inf


@pytest.mark.parametrize("factor", [1e-310, 1e-170, 1e-160, 1e-30])
def test_a_tiny_column_is_certified_only_if_its_squares_do_not_vanish(factor):
    X, y = labelled(150, 3)
    best = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y).objective_
    X[:, 0] *= factor
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert [warning.category for warning in caught] == [ConvergenceWarning] * int(model.gap_ == np.inf)
    assert model.objective_ <= best * (1 + 2 * model.gap_)
    assert (model.gap_ <= 1e-6) == (factor >= 1e-160)
    # With a penalty, a column of almost nothing is no column.
    without = LogisticRegression(tol=1e-10).fit(X[:, 1:], y)
    assert LogisticRegression().fit(X, y).objective_ == pytest.approx(without.objective_, rel=2e-6)


@pytest.mark.parametrize("solver", ["newton_cholesky", "newton_cg"])
def test_float32_without_a_penalty_is_certified_in_float64_where_float32_cannot(solver):
    X, y = labelled(300, 6)
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    X = X.astype(np.float32)
    model = LogisticRegression(C=np.inf, solver=solver).fit(X, y)
    best = LogisticRegression(C=np.inf, tol=1e-10).fit(X.astype(np.float64), y).objective_
    assert model.gap_ <= 1e-6
    assert (model.objective_ - best) / best <= model.gap_ + 1e-9


def test_coefficients_that_overflow_float32_are_an_error():
    X, y = labelled(150, 3)
    X = (X * 1e-41).astype(np.float32)
    with pytest.raises(ValueError, match="coefficients overflow float32"):
        LogisticRegression(C=np.inf).fit(X, y)
    assert LogisticRegression(C=np.inf).fit(X.astype(np.float64), y).gap_ <= 1e-6


@pytest.mark.parametrize("shape", [(150, 4), (20, 30)])
def test_the_size_of_all_weights_is_that_of_C(shape):
    X, y = labelled(*shape)
    ones = np.ones(len(y))
    for size, C in [(1e300, 1e-300), (1e306, 1e-307), (1e-300, 1e300), (1e-310, 1e300)]:
        expected = LogisticRegression(C=size * C, tol=1e-10).fit(X, y)
        model = LogisticRegression(C=C, tol=1e-10).fit(X, y, sample_weight=size * ones)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)
    # So strong a penalty that 1 / C is not a number leaves no coefficients.
    for options in ({"C": 1e-310}, {"C": 1e-200, "class_weight": {0: 1e-200, 1: 1e-200}}):
        model = LogisticRegression(**options).fit(X, y)
        assert np.abs(model.coef_).max() < 1e-300
        assert model.gap_ <= 1e-6


def test_a_penalty_of_next_to_nothing_is_none():
    X, y = labelled(150, 4)
    free = LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    for weight in (None, np.full(150, 1e300), np.full(150, 1e306)):
        model = LogisticRegression(C=1.0 if weight is not None else 1e300).fit(X, y, weight)
        assert model.gap_ <= 1e-6
        np.testing.assert_allclose(model.coef_, free.coef_, rtol=1e-2)


@pytest.mark.parametrize("shape", [(30, 4), (30, 50)])
@pytest.mark.parametrize("solver", ["auto", "newton_cholesky", "newton_cg"])
@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_where_the_gradient_is_zero_the_gap_is_zero(shape, solver, C, fit_intercept):
    y = np.arange(30) % 2
    model = LogisticRegression(C=C, fit_intercept=fit_intercept, solver=solver).fit(np.zeros(shape), y)
    assert model.gap_ == 0.0
    assert model.n_iter_[0] == 0
    assert not model.coef_.any()
    assert model.objective_ == pytest.approx(np.log(2.0), rel=1e-14)


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("factor", [0.0, -1.0, -30.0])
def test_a_warm_start_that_misleads_does_no_harm(solver, factor):
    X, y = labelled(40, 3 if solver == "newton_cholesky" else 60)
    model = LogisticRegression(solver=solver, warm_start=True, tol=1e-4).fit(X, y)
    model.fit(factor * X, y)
    assert model.gap_ <= 1e-4
    assert model.history_[0]["value"] <= np.log(2.0) * (1 + 1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(60, 5), (5, 60)])
def test_nan_and_infinity_are_refused_in_scikit_learns_words(shape, value):
    X, y = labelled(*shape)
    X[2, 3] = value
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        LogisticRegression().fit(X, y)


BAD_PARAMETERS = [
    ("C", 0.0, ValueError),
    ("C", -1.0, ValueError),
    ("C", np.nan, ValueError),
    ("C", "1", TypeError),
    ("tol", -1.0, ValueError),
    ("tol", np.inf, ValueError),
    ("max_iter", -1, ValueError),
    ("max_iter", 1.5, TypeError),
    ("l1_ratio", -0.5, ValueError),
    ("l1_ratio", 2.0, ValueError),
    ("penalty", "l3", ValueError),
    ("dual", True, ValueError),
    ("dual", "no", TypeError),
    ("intercept_scaling", 2.0, ValueError),
    ("multi_class", "multinomial", ValueError),
    ("multi_class", "all", ValueError),
    ("solver", "newton", ValueError),
    ("n_jobs", "2", TypeError),
    ("class_weight", {0: -1.0, 1: 1.0}, ValueError),
    ("class_weight", {0: 0.0, 1: 0.0}, ValueError),
    ("class_weight", "equal", ValueError),
    ("fit_intercept", "no", TypeError),
    ("fit_intercept", 2, TypeError),
    ("fit_intercept", None, TypeError),
    ("warm_start", "yes", TypeError),
    ("warm_start", 0.0, TypeError),
    ("C", 10**400, ValueError),
    ("tol", 10**400, ValueError),
    ("penalty", np.array(["l2", "l1"]), ValueError),
    ("penalty", pd.NA, ValueError),
    ("solver", np.array(["auto", "lbfgs"]), ValueError),
    ("solver", np.array("auto"), ValueError),
    ("solver", None, ValueError),
    ("solver", pd.NA, ValueError),
    ("verbose", -1, ValueError),
    ("verbose", 1.5, TypeError),
    ("verbose", "1", TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_PARAMETERS)
def test_a_bad_parameter_is_named_and_leaves_the_estimator_as_it_was(name, value, error):
    X, y = labelled(40, 3)
    model = LogisticRegression().fit(X, y)
    before = {key: np.copy(item) for key, item in vars(model).items() if key.endswith("_") and key != "history_"}
    with pytest.raises(error, match=name):
        model.set_params(**{name: value}).fit(X, y)
    for key, item in before.items():
        np.testing.assert_array_equal(getattr(model, key), item)
    unfitted = LogisticRegression(**{name: value})
    with pytest.raises(error, match=name):
        unfitted.fit(X, y)
    assert not hasattr(unfitted, "coef_")


def test_flags_of_numpy_and_a_flag_for_verbose_are_accepted(capsys):
    X, y = labelled(40, 3)
    options = {"fit_intercept": np.bool_(False), "warm_start": np.True_}
    model = LogisticRegression(verbose=True, **options).fit(X, y)
    assert model.intercept_[0] == 0.0
    assert len(capsys.readouterr().out.splitlines()) == len(model.history_)
    LogisticRegression(verbose=np.False_, **options).fit(X, y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "weight", [[1.0] * 3, np.r_[-1.0, np.ones(39)], np.zeros(40), np.full(40, np.nan), np.ones((40, 1))]
)
def test_bad_sample_weights_are_named(weight):
    X, y = labelled(40, 3)
    with pytest.raises(ValueError, match="sample_weight"):
        LogisticRegression().fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("labels", [[3.0, 4.0], [3, 4], ["no", "yes"], [False, True]])
def test_a_single_class_is_named_as_the_user_wrote_it(labels):
    X, _ = labelled(40, 3)
    low, _ = labels
    with pytest.raises(ValueError, match=f"only one class: {low!r}$"):
        LogisticRegression().fit(X, np.full(40, low))


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_label_is_named(missing):
    X, y = labelled(40, 3)
    for labels in (["no", "yes"], [0, 1]):
        named = np.array(labels, dtype=object)[y]
        named[7] = missing
        with pytest.raises(ValueError, match=r"labels of one kind, with none missing|contains NaN"):
            LogisticRegression().fit(X, named)


def test_samples_of_zero_weight_do_not_hide_that_the_classes_are_separated():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0], [5.0]])
    with pytest.warns(ConvergenceWarning, match="separated"):
        LogisticRegression(C=np.inf).fit(X, [0, 0, 1, 1, 0], sample_weight=[1, 1, 2, 1, 0])


def test_a_fit_that_fails_leaves_all_attributes_as_they_were():
    X, y = labelled(40, 5)
    model, unfitted = LogisticRegression().fit(X, y), LogisticRegression()
    for estimator in (model, unfitted):
        before = set(vars(estimator))
        with pytest.raises(ValueError, match="one class"):
            estimator.fit(X[:, :3], np.zeros(40))
        assert set(vars(estimator)) == before
    assert model.n_features_in_ == 5
    assert model.predict(X).shape == (40,)


def test_too_few_steps_warn_and_tell_the_gap():
    X, y = labelled(200, 5)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        model = LogisticRegression(max_iter=1, tol=1e-12).fit(X, y)
    assert model.gap_ > 1e-12


def test_inputs_are_never_written_to():
    X, y = labelled(300, 6)
    weight = np.linspace(0.5, 2, 300)
    before = X.tobytes(), y.tobytes(), weight.tobytes()
    LogisticRegression().fit(X, y, weight).predict_proba(X)
    assert before == (X.tobytes(), y.tobytes(), weight.tobytes())


def test_memory_maps_and_strided_arrays(tmp_path):  # sk#15924
    X, y = labelled(300, 6)
    np.save(tmp_path / "X.npy", X)
    expected = LogisticRegression().fit(X, y).coef_
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(LogisticRegression().fit(mapped, y).coef_, expected)
    np.testing.assert_array_equal(LogisticRegression().fit(X.repeat(2, axis=0)[::2], y).coef_, expected)
    for dtype in ("f8", "f4"):
        swapped, native = (LogisticRegression().fit(X.astype(order + dtype), y).coef_ for order in "><")
        assert swapped.dtype == native.dtype == dtype
        np.testing.assert_array_equal(swapped, native)
    np.testing.assert_array_equal(LogisticRegression().fit(X.tolist(), y.tolist()).coef_, expected)


def test_frames():
    X, y = labelled(100, 3)
    expected = LogisticRegression().fit(X, y).coef_
    for library in ("pandas", "polars"):
        frame = pytest.importorskip(library).DataFrame(dict(zip("abc", X.T, strict=True)))
        model = LogisticRegression().fit(frame, y)
        np.testing.assert_allclose(model.coef_, expected, rtol=1e-6)
        np.testing.assert_array_equal(model.feature_names_in_, ["a", "b", "c"])


def test_frames_go_in_and_out_of_a_pipeline():
    pandas = pytest.importorskip("pandas")
    X, y = labelled(100, 3)
    frame = pandas.DataFrame(X, columns=list("abc"))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas").fit(frame, y)
    np.testing.assert_array_equal(pipeline[-1].feature_names_in_, ["a", "b", "c"])
    np.testing.assert_allclose(
        pipeline.predict_proba(frame),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y).predict_proba(X),
        rtol=1e-9,
    )
    named = pandas.Series(np.where(y, "yes", "no"), index=range(5, 105))
    assert set(pipeline.fit(frame, named).predict(frame)) == {"yes", "no"}
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[["c", "a", "b"]])


def test_sample_weights_are_routed_through_pipelines_and_searches():
    X, y = labelled(120, 4)
    weight = np.random.default_rng(0).exponential(size=120)
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression(tol=1e-10).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        fitted = pipeline.fit(X, y, sample_weight=weight)
        search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2)
        search.fit(X, y, sample_weight=weight)
        with pytest.raises(UnsetMetadataPassedError):
            make_pipeline(LogisticRegression()).fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    expected = LogisticRegression(tol=1e-10).fit(scaled, y, weight)
    np.testing.assert_array_equal(fitted[-1].coef_, expected.coef_)
    expected = LogisticRegression(tol=1e-10, C=search.best_params_["logisticregression__C"]).fit(scaled, y, weight)
    np.testing.assert_array_equal(search.best_estimator_[-1].coef_, expected.coef_)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_validation_gives_the_same_in_workers_of_any_kind(backend):
    X, y = labelled(300, 5)
    expected = cross_val_score(LogisticRegression(), X, y, cv=3, scoring="neg_log_loss")
    with parallel_backend(backend, n_jobs=2):
        scores = cross_val_score(LogisticRegression(), X, y, cv=3, scoring="neg_log_loss", n_jobs=2)
    np.testing.assert_array_equal(scores, expected)


def test_a_fitted_model_predicts_the_same_in_another_process(tmp_path):
    X, y = labelled(100, 3)
    model = LogisticRegression().fit(X, y)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((model, X)))
    code = (
        "import pickle, sys; path = sys.argv[1]; model, X = pickle.load(open(path + '.pickle', 'rb'));"
        "model.predict_proba(X).tofile(path + '.bin')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "model.bin").reshape(-1, 2), model.predict_proba(X))


def test_one_against_the_rest():
    X, _ = labelled(150, 4)
    y = np.digitize(X[:, 0] + 0.5 * np.random.default_rng(0).normal(size=150), [-0.5, 0.5])
    around = OneVsRestClassifier(LogisticRegression(tol=1e-10)).fit(X, y)
    for k, model in enumerate(around.estimators_):
        np.testing.assert_array_equal(model.coef_, LogisticRegression(tol=1e-10).fit(X, (y == k).astype(int)).coef_)
    assert around.score(X, y) > 0.6


def test_calibration_keeps_what_is_calibrated():
    X, y = labelled(2_000, 4)
    calibrated = CalibratedClassifierCV(LogisticRegression(), cv=3).fit(X, y)
    expected = LogisticRegression().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(calibrated.predict_proba(X), expected, atol=0.05)


def test_works_in_scikit_learns_tools():
    X, y = labelled(200, 5)
    model = LogisticRegression()
    assert clone(model).get_params() == model.get_params()
    fitted = make_pipeline(StandardScaler(), model).fit(X, y)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))
    assert cross_val_score(model, X, y).mean() > 0.5
    grid = {"C": [0.1, 1.0]}
    searches = [GridSearchCV(model, grid, n_jobs=n_jobs, cv=3).fit(X, y) for n_jobs in (1, 2)]
    np.testing.assert_array_equal(*[search.cv_results_["mean_test_score"] for search in searches])


@pytest.mark.parametrize("order", ["C", "F"])
def test_no_copy_of_small_integers_is_made(order):  # sk#8597, sk#5175
    rng = np.random.default_rng(0)
    X = np.asarray(rng.integers(0, 256, (50_000, 100), dtype=np.uint8), order=order)
    y = (X[:, 0] + rng.normal(0, 100, len(X)) > 128).astype(int)
    LogisticRegression(max_iter=30).fit(X, y)
    tracemalloc.start()
    try:
        LogisticRegression(max_iter=30).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Vectors of n_samples numbers, a subsample of an eighth, and a few n_features^2 matrices.
    assert peak < X.nbytes


@pytest.mark.parametrize("case", ["separated", "separated along a column", "collinear", "stopped"])
def test_warnings_point_at_the_line_that_called_fit(case):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = (X[:, 0] + rng.logistic(size=50) > 0).astype(int)
    model = LogisticRegression(C=np.inf)
    if case == "separated":
        y = (X[:, 0] > 0).astype(int)
    elif case == "separated along a column":
        y[:5] = 1
        X = np.column_stack([X, np.arange(50) < 5])
    elif case == "collinear":
        X = np.column_stack([X, 2.0 * X[:, 0]])
    else:
        model = LogisticRegression(C=1e6, max_iter=1, tol=1e-14)
    with pytest.warns(ConvergenceWarning) as told:
        model.fit(X, y)
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize("n_samples, n_classes, seed", [(1_500, 2, 3), (5_000, 2, 2), (6_000, 4, 6)])
def test_of_raw_collinear_columns_a_fit_that_has_arrived_says_so(n_samples, n_classes, seed):
    rng = np.random.default_rng(seed)
    whole = [(1, 10_001), (1900, 2000), (0, 2)]
    columns = [rng.integers(low, high, n_samples).astype(float) for low, high in whole]
    X = np.column_stack([*columns, rng.normal(680, 110, n_samples), rng.normal(2e5, 3e4, n_samples)])
    X = np.column_stack([X, X[:, 1] - X[:, 2]])
    near = (X - X.mean(axis=0)) / X.std(axis=0)
    raw = near @ rng.normal(size=(6, n_classes)) / 1.5
    y = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    model = LogisticRegression(C=1e4).fit(X, y)  # without a warning
    assert model.gap_ <= 1e-6
