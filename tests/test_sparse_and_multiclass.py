"""The estimator with sparse X and with many classes: scikit-learn's optimum, its interface, and sound input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from test_csr import csr_of, make_sparse_problem
from test_softmax import classified, exact_softmax, minimum_over_classified

from fastlr import LogisticRegression
from fastlr._validation import check_sparse_features
from fastlr.estimators.classifier import raw_product
from fastlr.solvers import MULTICLASS, SMOOTH

FORMATS = ("csr", "csc", "coo", "bsr", "lil", "dok", "dia")

forms = pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def sparse_labelled(n_samples, n_features, seed=0, n_classes=2):
    """A sparse matrix with empty rows and columns, and classes that no hyperplanes separate."""
    X = make_sparse_problem((n_samples, n_features), seed=seed).X
    X.sum_duplicates()
    rng = np.random.default_rng([seed, n_classes])
    z = X @ rng.normal(size=(n_features, n_classes)) + rng.normal(size=n_classes) / 2
    y = (z + 2 * rng.gumbel(size=z.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def mean_objective(model, X, y, C, weight):
    """scikit-learn's objective over C and the sum of the weights, in plain NumPy; y holds numbers of classes."""
    raw = X.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
    if len(model.coef_) == 1:
        losses = np.logaddexp(0.0, raw[:, 0]) - y * raw[:, 0]
    else:
        losses = -log_softmax(raw, axis=1)[np.arange(len(y)), y]
    penalty = 0.0 if np.isinf(C) else (model.coef_.astype(np.float64) ** 2).sum() / (2 * C * weight.sum())
    return weight @ losses / weight.sum() + penalty


def centred(values):
    """Coefficients of many classes less what is common to all, which changes no probability."""
    return values - values.mean(axis=0) if len(values) > 1 else values


# ------------------------------------------------------------------------------------------- scikit-learn's optimum


@forms
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("shape", [(400, 9), (60, 90)], ids=str)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("weighted", [False, True])
@intercepts
def test_optimum_is_scikit_learns(form, n_classes, shape, C, weighted, fit_intercept):
    if np.isinf(C) and shape[0] < shape[1]:
        pytest.skip("separable: there is no optimum")
    if n_classes == 2 and form is np.asarray:
        pytest.skip("see test_linear_model.py")
    X, y = sparse_labelled(*shape, n_classes=n_classes)
    X = X.toarray() if form is np.asarray else X
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else np.ones(len(y))
    options = {"C": C, "fit_intercept": fit_intercept}
    ours = LogisticRegression(tol=1e-12, **options).fit(X, y, weight if weighted else None)
    theirs = SklearnLogisticRegression(tol=1e-9, solver="newton-cg", max_iter=1000, **options).fit(X, y, weight)
    reached = mean_objective(ours, X, y, C, weight)
    assert reached == pytest.approx(ours.objective_, rel=1e-12)
    assert reached <= mean_objective(theirs, X, y, C, weight) * (1 + 1e-11)
    np.testing.assert_allclose(centred(ours.coef_), centred(theirs.coef_), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(centred(ours.intercept_), centred(theirs.intercept_), rtol=1e-3, atol=1e-4)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape


@forms
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 2: 0.5}])
def test_class_weights_are_scikit_learns(form, class_weight):
    X, y, weight = classified(200, 5, 4)
    weight = weight + 0.1
    ours = LogisticRegression(class_weight=class_weight, tol=1e-12).fit(form(X), y, weight)
    factors = {k: class_weight.get(k, 1.0) for k in range(4)} if isinstance(class_weight, dict) else {}
    if not factors:  # all classes weigh the same, sample weights included
        factors = {k: weight.sum() / (4 * weight[y == k].sum()) for k in range(4)}
    by_hand = LogisticRegression(tol=1e-12).fit(form(X), y, weight * np.array([factors[k] for k in y]))
    np.testing.assert_allclose(ours.coef_, by_hand.coef_, rtol=1e-5, atol=1e-8)
    theirs = SklearnLogisticRegression(class_weight=class_weight, tol=1e-9, solver="newton-cg", max_iter=500)
    theirs.fit(X, y)
    plain = LogisticRegression(class_weight=class_weight, tol=1e-12).fit(form(X), y)
    np.testing.assert_allclose(plain.coef_, theirs.coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool", "float16", ">f8", "longdouble"])
@pytest.mark.parametrize("indices", ["int32", "int64"])
def test_sparse_data_of_any_dtype_fit_as_the_same_numbers_do(n_classes, dtype, indices):
    X, y = sparse_labelled(300, 12, n_classes=n_classes)
    X.data = np.round(4 * np.abs(X.data)) % 5
    expected = LogisticRegression(tol=1e-12).fit(X, y)
    given = csr_of(X.data.astype(dtype), X.indices.astype(indices), X.indptr.astype(indices), X.shape)
    if dtype == "bool":
        expected = LogisticRegression(tol=1e-12).fit(given.astype(float), y)
    model = LogisticRegression(tol=1e-9).fit(given, y)
    assert model.gap_ <= 1e-9
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(model.decision_function(given), expected.decision_function(given), rtol=2e-3, atol=1e-3)
    assert model.coef_.dtype == (np.float32 if dtype == "float32" else np.float64)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_many_classes_over_features_of_every_dtype_give_the_fit_of_their_float64_copy(dtype, order):
    X, y, _ = classified(2_500, 9, 3)  # too many for NumPy's way
    X = np.asarray(X > 0 if dtype == "bool" else np.clip(30 * X, 0, 127), dtype=dtype, order=order)
    X.flags.writeable = False
    model = LogisticRegression(tol=1e-9).fit(X, y)
    assert model.gap_ <= 1e-9
    expected = LogisticRegression(tol=1e-11).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-3, atol=1e-4)
    assert model.coef_.dtype == (np.float32 if dtype == "float32" else np.float64)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_formats_give_the_same_bits_and_predictions(n_classes, name, kind):
    X, y = sparse_labelled(120, 8, n_classes=n_classes)
    expected = LogisticRegression().fit(X, y)
    given = getattr(sparse, f"{name}_{kind}")(X)
    model = LogisticRegression().fit(given, y)
    assert model.coef_.tobytes() == expected.coef_.tobytes()
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        result = getattr(model, method)(given)
        assert type(result) is np.ndarray
        np.testing.assert_allclose(result, getattr(expected, method)(X.toarray()), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_in_any_order_and_twice_are_what_they_add_up_to(n_classes):
    X, y = sparse_labelled(300, 10, n_classes=n_classes)
    # Every entry in two halves, the first halves of a row in the order reversed.
    rows = [slice(*ends) for ends in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    columns = np.concatenate([np.r_[X.indices[row][::-1], X.indices[row]] for row in rows])
    data = np.concatenate([np.r_[X.data[row][::-1], X.data[row]] / 2 for row in rows])
    doubled = csr_of(data, columns.astype(np.int32), (2 * X.indptr).astype(np.int32), X.shape)
    assert not doubled.has_canonical_format
    copies = [array.copy() for array in (doubled.data, doubled.indices, doubled.indptr)]
    model, expected = (LogisticRegression(tol=1e-12).fit(each, y) for each in (doubled, X))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.decision_function(doubled), model.decision_function(X), rtol=1e-10, atol=1e-12)
    for copy, array in zip(copies, (doubled.data, doubled.indices, doubled.indptr), strict=True):
        assert copy.tobytes() == array.tobytes()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_matrix_without_entries_leaves_the_shares_of_the_classes(n_classes, C):
    y = np.repeat(np.arange(n_classes), [7, 5, 9][:n_classes])
    X = sparse.csr_array((len(y), 4))
    model = LogisticRegression(C=C, tol=1e-12).fit(X, y)
    assert not model.coef_.any()
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / len(y), rtol=1e-5)
    model = LogisticRegression(C=C, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], 1 / n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_counts_converge_without_a_warning(n_classes):
    X, y = sparse_labelled(500, 30, n_classes=n_classes)
    counts = X.copy()
    counts.data = np.random.default_rng(0).geometric(0.3, X.nnz) * 10.0 ** (X.indices % 5)  # from ones to 10,000s
    model = LogisticRegression().fit(counts, y)
    assert model.gap_ <= 1e-6


# ------------------------------------------------------------------------------------------------------ many classes


@forms
@pytest.mark.parametrize("solver", MULTICLASS)
@pytest.mark.parametrize("shape", [(150, 5, 4), (30, 40, 3)], ids=str)
def test_tol_is_met_and_bounds_the_true_gap_whatever_the_solver(form, solver, shape):
    X, y, weight = classified(*shape)
    for C in (1.0, 100.0):
        least = minimum_over_classified(shape, True, 1 / (C * weight.sum()), True)
        for tol in (1e-2, 1e-5, 1e-9):
            model = LogisticRegression(C=C, solver=solver, tol=tol).fit(form(X), y, weight)
            assert model.solver_ == solver
            coef = np.column_stack([model.coef_, model.intercept_])
            value, _ = exact_softmax(X, y, weight, 1 / (C * weight.sum()), coef)
            assert (float(value) - least) / least <= model.gap_ * (1 + 1e-6) + 1e-13
            assert model.gap_ <= tol


@forms
@pytest.mark.parametrize("solver", ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"])
def test_every_solver_name_of_scikit_learn_means_auto(form, solver):
    X, y, _ = classified(100, 4, 3)
    model = LogisticRegression(solver=solver).fit(form(X), y)
    assert model.solver_ in MULTICLASS
    assert model.coef_.tobytes() == LogisticRegression().fit(form(X), y).coef_.tobytes()


@forms
@pytest.mark.parametrize("solver", sorted(set(SMOOTH) - set(MULTICLASS)))
def test_solvers_for_two_classes_are_refused_for_more(form, solver):
    X, y, _ = classified(100, 4, 3)
    with pytest.raises(ValueError, match="is for two classes"):
        LogisticRegression(solver=solver).fit(form(X), y)
    assert LogisticRegression(solver=solver).fit(form(X), y > 0).solver_ == solver


@pytest.mark.parametrize("solver", SMOOTH)
@pytest.mark.parametrize("shape", [(300, 12), (40, 60)], ids=str)
def test_every_solver_solves_sparse_problems_of_two_classes(solver, shape):
    X, y = sparse_labelled(*shape)
    model = LogisticRegression(solver=solver, tol=1e-9).fit(X, y)
    assert model.gap_ <= 1e-9
    expected = LogisticRegression(tol=1e-12).fit(X.toarray(), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-4)


@forms
def test_permuting_classes_permutes_coefficients(form):
    X, y, _ = classified(200, 5, 4)
    order = np.array([2, 0, 3, 1])  # class k is called order[k] now
    model, other = (LogisticRegression(tol=1e-12).fit(form(X), labels) for labels in (y, order[y]))
    np.testing.assert_allclose(other.coef_[order], model.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(other.predict_proba(X)[:, order], model.predict_proba(X), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(other.predict(X), order[model.predict(X)])


@forms
def test_shapes_and_probabilities(form):
    X, y, _ = classified(100, 4, 3)
    X = form(X)
    model = LogisticRegression().fit(X, y)
    assert model.coef_.shape == (3, 4)
    assert model.intercept_.shape == (3,)
    assert model.n_iter_.shape == (1,)
    assert model.coef_.flags.c_contiguous
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    for scale in (1.0, 50.0, 1e6):
        raw = model.decision_function(X * scale)
        assert raw.shape == (100, 3)
        np.testing.assert_allclose(raw, X @ model.coef_.T * scale + model.intercept_, rtol=1e-10, atol=1e-12 * scale)
        proba, log_proba = model.predict_proba(X * scale), model.predict_log_proba(X * scale)
        assert proba.shape == (100, 3)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-14)
        np.testing.assert_allclose(proba, softmax(raw, axis=1), rtol=1e-13)
        assert np.isfinite(log_proba).all()  # where probabilities round to 0 as well
        np.testing.assert_allclose(np.exp(log_proba), proba, rtol=1e-9, atol=1e-300)
        np.testing.assert_array_equal(model.predict(X * scale), raw.argmax(axis=1))
    assert model.predict(X[:1]).shape == (1,)


@forms
@pytest.mark.parametrize("magnitude", [1e300, 1e308])
def test_predictions_of_huge_features_are_those_of_the_largest_class(form, magnitude):
    model = LogisticRegression().fit(form(np.eye(3)), [0, 1, 2])
    X = form(np.eye(3) * magnitude)
    np.testing.assert_array_equal(model.predict(X), [0, 1, 2])
    np.testing.assert_array_equal(model.predict_proba(X), np.eye(3))


@forms
@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], [-1, 0, 7], [3.0, 5.0, 9.0], np.array(["x", "yy", "zzz"], dtype=object)]
)
def test_labels_of_any_kind(form, labels):
    X, y, _ = classified(90, 3, 3)
    labels = np.asarray(labels)
    model, plain = LogisticRegression().fit(form(X), labels[y]), LogisticRegression().fit(form(X), y)
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_array_equal(model.predict(form(X)), labels[plain.predict(X)])
    assert model.coef_.tobytes() == plain.coef_.tobytes()
    assert model.score(form(X), labels[y]) == plain.score(X, y)


@forms
def test_a_class_with_one_sample(form):
    X, y, _ = classified(80, 4, 3)
    y[y == 2] = 0
    y[7] = 2
    model = LogisticRegression(tol=1e-10).fit(form(X), y)
    theirs = SklearnLogisticRegression(tol=1e-9, solver="newton-cg", max_iter=500).fit(X, y)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-3, atol=1e-5)


@forms
def test_as_many_classes_as_samples(form):
    model = LogisticRegression().fit(form(np.eye(12)), np.arange(12)[::-1])
    np.testing.assert_array_equal(model.predict(np.eye(12)), np.arange(12)[::-1])
    assert model.gap_ <= 1e-6


@forms
def test_weight_k_is_k_copies_and_weight_zero_is_absence(form):
    X, y, _ = classified(90, 4, 3)
    k = np.random.default_rng(0).integers(0, 4, len(y))
    k[:3] = 1
    for options in ({}, {"class_weight": "balanced"}):
        weighted = LogisticRegression(tol=1e-12, **options).fit(form(X), y, sample_weight=k)
        copied = LogisticRegression(tol=1e-12, **options).fit(form(X.repeat(k, axis=0)), y.repeat(k))
        np.testing.assert_allclose(weighted.coef_, copied.coef_, rtol=1e-5, atol=1e-7)


@forms
@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes_without_a_penalty_are_named(form, n_classes):
    X = form(np.array([[-2.0, 1.0], [-1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [0.0, -3.0], [0.1, -4.0]]))
    y = np.array([0, 0, 1, 1, 2, 2]) % n_classes if n_classes == 3 else np.array([0, 0, 1, 1, 1, 1])
    with pytest.warns(ConvergenceWarning, match="perfectly separated by a hyperplane"):
        model = LogisticRegression(C=np.inf).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.gap_ == np.inf
    np.testing.assert_array_equal(model.predict(X), y)


@forms
def test_too_few_steps_warn_and_tell_the_gap(form):
    X, y, _ = classified(400, 40, 6)
    with pytest.warns(ConvergenceWarning, match="stopped after max_iter=1 steps"):
        model = LogisticRegression(max_iter=1, tol=1e-14, C=1e4).fit(form(X), y)
    assert model.gap_ > 1e-14


@forms
@pytest.mark.parametrize("n_classes", [2, 3])
def test_warm_start_starts_from_the_last_coefficients(form, n_classes):
    X, y, _ = classified(500, 8, n_classes)
    model = LogisticRegression(warm_start=True, tol=1e-8).fit(form(X), y)
    cold = model.n_passes_
    expected = model.coef_
    assert model.fit(form(X), y).n_passes_ < cold
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-3, atol=1e-4)
    model.set_params(C=1.05).fit(form(X), y)
    assert model.n_passes_ <= 1.1 * cold  # most passes go into the last digits, wherever they start
    np.testing.assert_allclose(
        model.coef_, LogisticRegression(C=1.05, tol=1e-8).fit(form(X), y).coef_, rtol=1e-3, atol=1e-3
    )
    for factor in (-1.0, -30.0):  # a start that misleads
        model.coef_ = factor * expected
        np.testing.assert_allclose(model.set_params(C=1.0).fit(form(X), y).coef_, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="warm_start needs the shape of the last fit"):
        model.fit(form(X), np.arange(500) % (5 - n_classes))


@forms
def test_number_of_threads_cannot_be_seen_in_the_result(form):
    X, y, _ = classified(3_000, 40, 8)
    models = [LogisticRegression(n_jobs=n_jobs, C=0.01).fit(form(X), y) for n_jobs in (1, 2, 3, 7)]
    assert len({model.coef_.tobytes() + model.intercept_.tobytes() for model in models}) == 1
    two = [LogisticRegression(n_jobs=n_jobs).fit(form(X), y > 3) for n_jobs in (1, 2, 3)]
    assert len({model.coef_.tobytes() for model in two}) == 1


def test_iris_and_digits():
    X, y = load_iris(return_X_y=True)
    assert LogisticRegression().fit(X, y).score(X, y) > 0.96
    with pytest.warns(ConvergenceWarning, match="separated from 0, 1, 2"):  # the first species from the others
        assert LogisticRegression(C=np.inf).fit(X, y).score(X, y) > 0.98
    X, y = load_digits(return_X_y=True)
    model = LogisticRegression().fit(X, y)
    assert model.gap_ <= 1e-6
    assert model.score(X, y) > 0.99
    pixels, few = LogisticRegression().fit(X.astype(np.uint8), y), LogisticRegression().fit(sparse.csr_array(X), y)
    for other in (pixels, few):
        np.testing.assert_allclose(other.decision_function(X), model.decision_function(X), rtol=0.05, atol=0.05)


# ------------------------------------------------------------------------------------------------ scikit-learn's tools


@forms
def test_one_against_the_rest_is_a_binary_fit_for_each_class(form):
    X, y, _ = classified(150, 5, 3)
    model = OneVsRestClassifier(LogisticRegression(tol=1e-9)).fit(form(X), y)
    raw = model.decision_function(form(X))
    for k in range(3):
        binary = LogisticRegression(tol=1e-9).fit(form(X), y == k)
        np.testing.assert_allclose(raw[:, k], binary.decision_function(form(X)), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(binary.predict_proba(form(X))[:, 1], expit(raw[:, k]), rtol=1e-12)


@forms
def test_searches_and_copies(form):
    X, y, _ = classified(150, 5, 3)
    X = form(X)
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0]}, cv=3, scoring="neg_log_loss").fit(X, y)
    theirs = GridSearchCV(SklearnLogisticRegression(tol=1e-8), {"C": [0.01, 1.0]}, cv=3, scoring="neg_log_loss")
    theirs.fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-4)
    model = search.best_estimator_
    restored = pickle.loads(pickle.dumps(model))
    assert restored.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert not hasattr(clone(model), "coef_")
    assert restored.fit(X, y).coef_.tobytes() == model.coef_.tobytes()


# ---------------------------------------------------------------------------------------------------- hostile input

_X, _Y = sparse_labelled(60, 5, n_classes=3)
_MODEL = LogisticRegression().fit(_X, _Y)
ENTRANCES = {
    "fit": lambda X: LogisticRegression().fit(X, _Y),
    "fit, two classes": lambda X: LogisticRegression().fit(X, _Y > 0),
    "predict": _MODEL.predict,
    "predict_proba": _MODEL.predict_proba,
}
entrances = pytest.mark.parametrize("entrance", ENTRANCES)


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def broken(name, **attributes):
    """A matrix of a format, with changes to its arrays that SciPy does not look at: functions of what is there."""
    X = getattr(sparse, f"{name}_array")(_X) if name != "bsr" else _X.tobsr((2, 5))
    for attribute, change in attributes.items():
        setattr(X, attribute, change(getattr(X, attribute)))
    return X


def lists(columns, values):
    X = sparse.lil_array(_X)
    X.rows[3], X.data[3] = columns, values
    return X


def entries(dictionary):
    X = sparse.dok_array(_X)
    if hasattr(X, "_dict"):
        X._dict = dictionary
    else:  # SciPy before 1.13: a dict itself
        dict.clear(X)
        dict.update(X, dictionary)
    return X


def doubled(array):
    return np.repeat(array[:, None], 2, axis=1)


LAST = 2**31 - 1
BROKEN = {
    "csr, column beyond": broken("csr", indices=lambda i: changed(i, 7, 5)),
    "csr, column far beyond": broken("csr", indices=lambda i: changed(i, -1, LAST)),
    "csr, column negative": broken("csr", indices=lambda i: changed(i, 0, -1)),
    "csr, columns that are floats": broken("csr", indices=lambda i: i.astype(float)),
    "csr, columns that are unsigned": broken("csr", indices=lambda i: i.astype(np.uint32)),
    "csr, columns of another byte order": broken("csr", indices=lambda i: i.astype(">i4")),
    "csr, columns of int16": broken("csr", indices=lambda i: i.astype(np.int16)),
    "csr, columns in two dimensions": broken("csr", indices=lambda i: i[:, None]),
    "csr, too few columns": broken("csr", indices=lambda i: i[:-1]),
    "csr, int64 column far beyond": broken("csr", indices=lambda i: changed(i.astype(np.int64), 3, 2**62)),
    "csr, pointers that fall": broken("csr", indptr=lambda p: changed(p, 20, 0)),
    "csr, pointer negative": broken("csr", indptr=lambda p: changed(p, 20, -4)),
    "csr, pointers that do not start at 0": broken("csr", indptr=lambda p: np.maximum(p, p.dtype.type(1))),
    "csr, pointers that end beyond": broken("csr", indptr=lambda p: changed(p, -1, p[-1] + 1)),
    "csr, pointers that end far beyond": broken("csr", indptr=lambda p: changed(p, -1, LAST)),
    "csr, too few pointers": broken("csr", indptr=lambda p: p[:-1]),
    "csr, too many pointers": broken("csr", indptr=lambda p: np.append(p, p[-1])),
    "csr, no pointers": broken("csr", indptr=lambda p: p[:0]),
    "csr, pointers that are floats": broken("csr", indptr=lambda p: p.astype(float)),
    "csr, pointers in two dimensions": broken("csr", indptr=lambda p: p[:, None]),
    "csr, too few data": broken("csr", data=lambda d: d[:-1]),
    "csr, data in two dimensions": broken("csr", data=doubled),
    "csc, row beyond": broken("csc", indices=lambda i: changed(i, 7, 60)),
    "csc, row negative": broken("csc", indices=lambda i: changed(i, 7, -1)),
    "csc, pointers that fall": broken("csc", indptr=lambda p: changed(p, 2, 0)),
    "csc, too few pointers": broken("csc", indptr=lambda p: p[:-1]),
    "csc, pointers that end beyond": broken("csc", indptr=lambda p: changed(p, -1, LAST)),
    "csc, too few data": broken("csc", data=lambda d: d[:-1]),
    "coo, row beyond": broken("coo", row=lambda i: changed(i, 7, 60)),
    "coo, row negative": broken("coo", row=lambda i: changed(i, 7, -1)),
    "coo, column beyond": broken("coo", col=lambda i: changed(i, 7, LAST)),
    "coo, column negative": broken("coo", col=lambda i: changed(i, 7, -1)),
    "coo, too few rows": broken("coo", row=lambda i: i[:-1]),
    "coo, too few data": broken("coo", data=lambda d: d[:-1]),
    "bsr, column beyond": broken("bsr", indices=lambda i: changed(i, 3, 1)),
    "bsr, column negative": broken("bsr", indices=lambda i: changed(i, 3, -1)),
    "bsr, pointers that end beyond": broken("bsr", indptr=lambda p: changed(p, -1, p[-1] + 5)),
    "bsr, pointers that fall": broken("bsr", indptr=lambda p: changed(p, 3, 0)),
    "bsr, data without blocks": broken("bsr", data=lambda d: d[:, 0]),
    "lil, column beyond": lists([0, 70_000], [1.0, 1.0]),
    "lil, column negative": lists([0, -1], [1.0, 1.0]),
    "lil, more data than columns": lists([0, 1], [1.0] * 50),
    "lil, fewer data than columns": lists([0, 1], [1.0]),
    "dia, too few offsets": broken("dia", offsets=lambda o: o[:-1]),
    "csr, columns in a list": broken("csr", indices=list),
    "csr, columns in a series": broken("csr", indices=pd.Series),
    "csr, no columns": broken("csr", indices=lambda i: None),
    "csr, pointers in a list": broken("csr", indptr=list),
    "csr, data in a list": broken("csr", data=list),
    "csr, no data": broken("csr", data=lambda d: None),
    "csc, data in a tuple": broken("csc", data=tuple),
    "coo, data in a list": broken("coo", data=list),
    "bsr, data in a list": broken("bsr", data=list),
    "dia, offsets in a list": broken("dia", offsets=list),
    "lil, rows in a list": broken("lil", rows=list),
    "lil, a row of None": lists(None, None),
    "lil, data that are text": lists([0, 1], ["a", "b"]),
    "dok, row beyond": entries({(60, 0): 1.0}),
    "dok, column negative": entries({(0, -1): 1.0}),
    "dok, a row of text": entries({("a", 0): 1.0}),
}


@entrances
@pytest.mark.parametrize("X", BROKEN.values(), ids=BROKEN)
def test_broken_structures_are_refused_before_anything_reads_them(X, entrance):
    with pytest.raises(ValueError, match="X has a broken sparse structure"):
        ENTRANCES[entrance](X)
    with pytest.raises(ValueError, match="Z has a broken sparse structure"):
        check_sparse_features(X, "Z")


BAD = {
    "NaN": (broken("csr", data=lambda d: changed(d, 7, np.nan)), "Input X contains NaN"),
    "NaN in float32": (broken("csr", data=lambda d: changed(d, 7, np.nan).astype("f4")), "Input X contains NaN"),
    "infinity": (broken("csr", data=lambda d: changed(d, 7, np.inf)), "Input X contains infinity"),
    "infinity in csc": (broken("csc", data=lambda d: changed(d, 7, -np.inf)), "Input X contains infinity"),
    "complex": (_X.astype(complex), "X must hold real numbers, got dtype complex128"),
    "objects": (broken("csr", data=lambda d: d.astype(object)), "X must hold real numbers, got dtype object"),
    "text": (broken("csr", data=lambda d: d.astype(str)), "X must hold real numbers"),
    "masked": (broken("csr", data=lambda d: np.ma.masked_array(d, d > 1)), "X must not have masked entries"),
    "no samples": (sparse.csr_array((0, 5)), r"X must not be empty, got an array of shape \(0, 5\)"),
    "no features": (sparse.csr_array((60, 0)), r"X must not be empty, got an array of shape \(60, 0\)"),
}


@entrances
@pytest.mark.parametrize(("X", "words"), BAD.values(), ids=BAD)
def test_bad_sparse_features_are_refused_in_plain_words(X, words, entrance):
    with pytest.raises((TypeError, ValueError), match=words):
        ENTRANCES[entrance](X)


def test_a_sparse_vector_is_refused():
    pytest.importorskip("scipy", "1.13", reason="sparse arrays have two dimensions")
    for enter in ENTRANCES.values():
        with pytest.raises(ValueError, match=r"X must be two-dimensional, got an array of shape \(60,\)"):
            enter(sparse.coo_array(np.ones(60)))


@pytest.mark.parametrize("method", ["decision_function", "predict", "predict_proba"])
def test_features_that_do_not_fit_the_model_are_refused(method):
    for X in (_X[:, :4], sparse.csr_array((60, 9))):
        with pytest.raises(ValueError, match="features, but LogisticRegression is expecting 5 features"):
            getattr(_MODEL, method)(X)


def test_a_fit_that_fails_leaves_all_attributes_as_they_were():
    model = LogisticRegression().fit(_X, _Y)
    before = dict(vars(model))
    for X in (BROKEN["csr, column beyond"], BAD["NaN"][0]):
        with pytest.raises(ValueError, match="X"):
            model.fit(X, _Y > 0)
        assert vars(model) == before


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_inputs_are_never_written_to(name, n_classes):
    X, y = sparse_labelled(80, 6, n_classes=n_classes)
    given = getattr(sparse, f"{name}_array")(X)
    before = pickle.dumps(given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogisticRegression().fit(given, y).predict_proba(given)
    assert pickle.dumps(given) == before


@pytest.mark.parametrize("n_classes", [2, 3])
def test_read_only_and_mapped_arrays_give_the_same_bits(n_classes, tmp_path):
    X, y = sparse_labelled(80, 6, n_classes=n_classes)
    expected = LogisticRegression().fit(X, y)
    arrays = []
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(X, name))
        arrays.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = csr_of(*arrays, X.shape)
    model = LogisticRegression().fit(mapped, y)
    assert model.coef_.tobytes() == expected.coef_.tobytes()
    assert model.predict_proba(mapped).tobytes() == expected.predict_proba(X).tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 3, 40])
def test_rows_of_few_entries_meet_their_columns_alone(n_rows, order):
    rng = np.random.default_rng(n_rows)
    W, b = np.asarray(rng.normal(size=(7, 60)), order=order), rng.normal(size=7)
    X = sparse.random(n_rows, 60, 0.05, format="csr", random_state=0)
    X = sparse.csr_array((np.repeat(X.data, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)  # repeated
    np.testing.assert_allclose(raw_product(X, W, b), X.toarray() @ W.T + b, atol=1e-13)
    assert raw_product(X[:0], W, b).shape == (0, 7)
    empty = sparse.csr_array((n_rows, 60))
    np.testing.assert_array_equal(raw_product(empty, W, b), np.tile(b, (n_rows, 1)))
