"""Every class of bad X, y and weights, at every public entry point: one clear error, or the right answer.

The estimator speaks scikit-learn's words where it has any; `fastlr.functional` names its argument. What is merely
unusual (layouts, dtypes, byte orders, magnitudes) gives the answer of the same numbers in float64.
"""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, functional
from fastlr.estimators import classifier

N_SAMPLES, N_FEATURES = 24, 3

_rng = np.random.default_rng(0)
X = _rng.normal(size=(N_SAMPLES, N_FEATURES)).round(3)
Y = (X[:, 0] + _rng.normal(size=N_SAMPLES) > 0).astype(int)
W, B = functional.initialize_weights_and_bias(N_FEATURES)
MODEL = LogisticRegression().fit(X, Y)


def transposed(x):
    """As the study's functions want it; what is no table stays as it is."""
    return x.T if isinstance(x, np.ndarray) and x.ndim == 2 else x


# What takes X, and what the study's functions call it.
ESTIMATOR = {
    "fit": lambda x: LogisticRegression().fit(x, Y),
    "decision_function": MODEL.decision_function,
    "predict": MODEL.predict,
    "predict_proba": MODEL.predict_proba,
    "predict_log_proba": MODEL.predict_log_proba,
    "score": lambda x: MODEL.score(x, Y),
}
STUDY = {
    "forward_propagation": (lambda x: functional.forward_propagation(W, B, transposed(x), Y), "x_train"),
    "forward_backward_propagation": (
        lambda x: functional.forward_backward_propagation(W, B, transposed(x), Y),
        "x_train",
    ),
    "update": (lambda x: functional.update(W, B, transposed(x), Y, 0.1, 2, verbose=False), "x_train"),
    "update by gram": (
        lambda x: functional.update(W, B, transposed(x), Y, 0.1, 2, method="gram", verbose=False),
        "x_train",
    ),
    "predict": (lambda x: functional.predict(W, B, transposed(x)), "x_test"),
    "logistic_regression, training": (
        lambda x: functional.logistic_regression(transposed(x), Y, X.T, Y, 0.1, 2, verbose=False),
        "x_train",
    ),
    "logistic_regression, test": (
        lambda x: functional.logistic_regression(X.T, Y, transposed(x), Y, 0.1, 2, verbose=False),
        "x_test",
    ),
}


def with_entry(value, dtype="float64"):
    x = X.astype(dtype)
    x[3, 1] = value
    return x


# Some versions of scikit-learn do not look into all dtypes: then the words are our own.
NOT_FINITE = "Input X contains (NaN|infinity)|X must be finite"
NOT_NUMBERS = "Convert your data to numeric values|could not convert string|X must hold real numbers"
BAD_X = {
    "NaN": (with_entry(np.nan), NOT_FINITE),
    "infinity": (with_entry(np.inf), NOT_FINITE),
    "negative infinity in float32": (with_entry(-np.inf, "float32"), NOT_FINITE),
    "NaN in float16": (with_entry(np.nan, "float16"), NOT_FINITE),
    "NaN in big-endian": (with_entry(np.nan, ">f8"), NOT_FINITE),
    "infinity in longdouble": (with_entry(np.inf, "longdouble"), NOT_FINITE),
    "complex": (X.astype(complex), "Complex data not supported"),
    "objects with a string": (with_entry("one", object), NOT_NUMBERS),
    "objects with None": (with_entry(None, object), NOT_FINITE),
    "strings": (X.astype(str), NOT_NUMBERS),
    "bytes": (X.astype("S8"), NOT_NUMBERS),
    "dates": (X.astype("datetime64[s]"), NOT_NUMBERS),
    "durations": (X.astype("timedelta64[s]"), NOT_NUMBERS),
    "records": (np.zeros(X.shape, dtype=[("a", float)]), NOT_NUMBERS),
    "masked": (np.ma.masked_array(X, X > 1), "X must not have masked entries"),
    "a number": (3.0, "Expected 2D array"),
    "a vector": (X[:, 0], "Expected 2D array"),
    "three dimensions": (X[None], "Found array with dim 3"),
    "no samples": (X[:0], r"Found array with 0 sample\(s\)"),
    "no features": (X[:, :0], r"Found array with 0 feature\(s\)"),
    "ragged rows": ([[1.0, 2.0, 3.0]] * (N_SAMPLES - 1) + [[1.0]], "setting an array element with a sequence"),
    "None": (None, "Expected 2D array"),
    "a dict": ({"a": 1}, "Expected 2D array"),
    "a string": ("X", "Expected 2D array"),
}
bad_x = pytest.mark.parametrize(("x", "words"), BAD_X.values(), ids=BAD_X)


@bad_x
@pytest.mark.parametrize("name", ESTIMATOR)
def test_the_estimator_refuses_bad_features_in_scikit_learns_words(name, x, words):
    with pytest.raises((TypeError, ValueError), match=words):
        ESTIMATOR[name](x)


@bad_x
@pytest.mark.parametrize("name", STUDY)
def test_the_studys_functions_refuse_bad_features_by_their_name(name, x, words):
    function, argument = STUDY[name]
    with pytest.raises((TypeError, ValueError), match=rf"\b{argument}\b"):
        function(x)


@pytest.mark.parametrize("method", ["decision_function", "predict", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_not_looked_for_where_the_user_vouches_for_them(method, value):
    with config_context(assume_finite=True), np.errstate(invalid="ignore"):
        found = getattr(MODEL, method)(with_entry(value))
    assert len(found) == N_SAMPLES
    with pytest.raises(ValueError, match="Input X contains"):
        getattr(MODEL, method)(with_entry(value))


def test_features_that_do_not_fit_the_model_are_refused():
    for name in set(ESTIMATOR) - {"fit"}:
        with pytest.raises(ValueError, match="X has 2 features, but LogisticRegression is expecting 3"):
            ESTIMATOR[name](X[:, :2])


def outcome(x, y, new):
    """What becomes of a model of a frame in a fit to x and y and in predictions: errors, warnings, its features."""
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model, told = LogisticRegression().fit(frame, Y), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in (lambda: model.fit(x, y), lambda: model.predict(new)):
            try:
                told.append(call() is model)
            except (TypeError, ValueError) as error:
                told.append(f"{type(error).__name__}: {error}")
    features = model.n_features_in_, getattr(model, "feature_names_in_", None) is None
    return told, features, [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    ("x", "y", "new"),
    [
        (X, Y, X[:1]),
        (X[:, :2], Y, X),
        (X[:, :2], Y.astype(float), X[:, :2].astype(np.float32)),
        (X.astype(int), Y.astype(bool), with_entry(np.nan)),
        (with_entry(np.inf), Y, X),
        (X, np.where(Y == 1, np.nan, Y), with_entry(-np.inf)),
        (X, Y[:-1], X[:0]),
        (X, Y[:, None], X[0]),
        (X[:0], Y[:0], X[None]),
        (X, Y * 1j, X * 1j),
        (X, np.array(["no", "yes"])[Y], pd.DataFrame(X, columns=["a", "b", "c"])),
    ],
)
def test_plain_arrays_meet_what_scikit_learns_checks_would_make_of_them(x, y, new, monkeypatch):
    quick = outcome(x, y, new)
    monkeypatch.setattr(classifier, "is_plain", lambda *arguments, **options: False)
    assert outcome(x, y, new) == quick


def test_plain_arrays_do_not_wait_for_scikit_learns_checks(monkeypatch):
    monkeypatch.setattr(classifier, "validate_data", None)
    model = LogisticRegression().fit(X, Y)
    assert model.score(X[:1].astype(np.float32), Y[:1]) in (0.0, 1.0)
    np.testing.assert_array_equal(model.coef_, MODEL.coef_)


# --------------------------------------------------------------------------------------------------- unusual features


def gaps(x):
    return x.repeat(2, axis=0).repeat(3, axis=1)[::2, ::3]


def unaligned(x):
    return np.frombuffer(b"\0" + x.tobytes(), dtype=x.dtype, offset=1).reshape(x.shape)


def write_protected(x):
    x = x.copy()
    x.flags.writeable = False
    return x


SMALL = (10 * X).round()  # exact in all of float16, int16, int64
UNUSUAL_X = {
    "Fortran order": (np.asfortranarray, X),
    "gaps": (gaps, X),
    "reversed": (lambda x: x[::-1, ::-1].copy()[::-1, ::-1], X),
    "unaligned": (unaligned, X),
    "write-protected": (write_protected, X),
    "one row for all": (lambda x: np.broadcast_to(x[:1], x.shape), np.broadcast_to(X[:1], X.shape)),
    "big-endian float64": (lambda x: x.astype(">f8"), X),
    "longdouble": (lambda x: x.astype("longdouble"), X),
    "masked nowhere": (lambda x: np.ma.masked_array(x, False), X),
    "a matrix of int16": (lambda x: x.astype("int16"), SMALL),
    "a matrix of big-endian int16": (lambda x: x.astype(">i2"), SMALL),
    "a matrix of int64": (lambda x: x.astype("int64"), SMALL),
    "lists": (np.ndarray.tolist, X),
}
unusual_x = pytest.mark.parametrize(("change", "plain"), UNUSUAL_X.values(), ids=UNUSUAL_X)


@unusual_x
def test_unusual_features_fit_and_predict_as_the_same_numbers_do(change, plain):
    x = change(plain)
    model, expected = LogisticRegression(tol=1e-10).fit(x, Y), LogisticRegression(tol=1e-10).fit(plain, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
    assert model.coef_.dtype == np.float64
    for name in ("decision_function", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(expected, name)(x), getattr(expected, name)(plain), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(expected.predict(x), expected.predict(plain))


@unusual_x
def test_unusual_features_give_the_studys_answers(change, plain):
    x = change(plain)
    x = np.array(x).T if isinstance(x, list) else x.T
    cost, gradients = functional.forward_backward_propagation(W, B, x, Y)
    expected, expected_gradients = functional.forward_backward_propagation(W, B, plain.T, Y)
    assert cost == pytest.approx(expected, rel=1e-12)
    for key, value in expected_gradients.items():
        np.testing.assert_allclose(gradients[key], value, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(functional.predict(W, B, x), functional.predict(W, B, plain.T))


@pytest.mark.parametrize("kind", [Fraction, Decimal, float])
def test_objects_that_are_numbers_are_numbers(kind):
    x = np.vectorize(kind, otypes=[object])(X)
    assert LogisticRegression().fit(x, Y).coef_.tobytes() == MODEL.coef_.tobytes()
    assert functional.forward_propagation(W, B, x.T, Y) == functional.forward_propagation(W, B, X.T, Y)
    ones = np.vectorize(kind, otypes=[object])(ONES)
    np.testing.assert_allclose(LogisticRegression().fit(X, Y, sample_weight=ones).coef_, MODEL.coef_)


EXTREME_X = {
    "1e300": X * 1e300,
    "the largest numbers": X / np.abs(X).max() * 1.7e308,
    "one entry of 1e300": with_entry(1e300),
    "1e-300": X * 1e-300,
    "denormal": X * 1e-310,
    "the smallest numbers": np.where(X > 0, 5e-324, 0.0),
    "float32 of 1e38": (X * 1e38).astype("float32"),
    "denormal float32": (X * 1e-42).astype("float32"),
    "columns from 1e-300 to 1e300": X * np.array([1e-300, 1.0, 1e300]),
    "the largest uint64": np.full(X.shape, 2**64 - 1, np.uint64),
    "zeros": X * 0.0,
}


def objective(model, x, C=1.0):
    """scikit-learn's, in numbers that reach to 1e4932."""
    x, w, b = x.astype(np.longdouble), model.coef_[0].astype(np.longdouble), model.intercept_[0]
    z = x @ w + b
    return np.logaddexp(0.0, z).sum() - (Y * z).sum() + w @ w / (2 * C)


needs_long_doubles = pytest.mark.skipif(
    np.finfo(np.longdouble).maxexp <= 1_024, reason="no numbers here are longer than float64"
)


@needs_long_doubles
@pytest.mark.parametrize("x", EXTREME_X.values(), ids=EXTREME_X)
def test_extreme_magnitudes_give_a_model_no_worse_than_none_and_one_warning_at_most(x):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LogisticRegression().fit(x, Y)
    assert [item.category for item in caught] in ([], [ConvergenceWarning])
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    # Without features the best is the log-odds.
    odds = Y.mean() * np.log(Y.mean()) + (1 - Y.mean()) * np.log(1 - Y.mean())
    if not caught:
        assert objective(model, x) <= -N_SAMPLES * odds * (1 + 1e-6)
    for probability in (model.predict_proba(x), np.exp(model.predict_log_proba(x))):
        assert ((probability >= 0) & (probability <= 1)).all()
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-6)


@needs_long_doubles
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_predictions_of_huge_features_have_the_right_sign(dtype):
    """Partial sums overflow to both infinities, whose sum is NaN; the whole does not."""
    largest = float(np.finfo(dtype).max)
    x = np.array([[1.0, -1.0, 0.5], [1.0, -1.0, -0.5], [-1.0, 1.0, 0.5]]) * largest
    model = LogisticRegression().fit(X, Y)
    model.coef_ = np.array([[10.0, 10.0, 1e-3]], dtype=dtype)
    model.intercept_ = np.zeros(1, dtype=dtype)
    x = x.astype(dtype)
    np.testing.assert_array_equal(model.predict(x), [1, 0, 1])
    assert not np.isnan(model.predict_proba(x)).any()


@needs_long_doubles
def test_long_doubles_beyond_float64_are_refused_as_infinity():
    x = X.astype(np.longdouble) * np.longdouble("1e400")
    with pytest.raises(ValueError, match="X must be finite"):
        LogisticRegression().fit(x, Y)
    with pytest.raises(ValueError, match="x_train must be finite"):
        functional.forward_propagation(W, B, x.T, Y)
    with pytest.raises(ValueError, match="sample_weight must hold finite numbers"):
        LogisticRegression().fit(X, Y, np.full(N_SAMPLES, np.longdouble("1e400")))


# ------------------------------------------------------------------------------------------------------------ labels

BAD_Y = {
    "NaN": (np.where(Y, np.nan, 0.0), "Input y contains NaN", "y_train must lie in"),
    "infinity": (np.where(Y, np.inf, 0.0), "Input y contains infinity", "y_train must lie in"),
    "complex": (Y + 0j, "Complex data not supported", "y_train must hold real numbers"),
    "too short": (Y[:-1], "inconsistent numbers of samples", "y_train must have shape"),
    "empty": (Y[:0], "inconsistent numbers of samples", "y_train must have shape"),
    "two columns": (np.column_stack([Y, Y]), "y should be a 1d array", "y_train must have shape"),
    "a number": (1, "y should be a 1d array", "y_train must have shape"),
    "masked": (np.ma.masked_array(Y, Y > 0), "y must not have masked", "y_train must not have masked"),
    "continuous": (Y + _rng.random(N_SAMPLES), "Unknown label type: continuous", "y_train must lie in"),
    "words and numbers": (np.array(["a", 1] * (N_SAMPLES // 2), dtype=object), r"\by\b", "y_train must hold real"),
    "words and None": (np.array(["a", None] * (N_SAMPLES // 2), dtype=object), r"\by\b", "y_train must hold real"),
    "None": (None, "the target y is None", "y_train must"),
    "records": (np.zeros(N_SAMPLES, dtype=[("a", float)]), "y must hold two classes", "y_train must hold real"),
}


@pytest.mark.parametrize(("y", "words", "study_words"), BAD_Y.values(), ids=BAD_Y)
def test_bad_labels_are_refused_by_name(y, words, study_words):
    with pytest.raises((TypeError, ValueError), match=words):
        LogisticRegression().fit(X, y)
    for function in (functional.forward_propagation, functional.forward_backward_propagation):
        with pytest.raises((TypeError, ValueError), match=study_words):
            function(W, B, X.T, y)
    with pytest.raises((TypeError, ValueError), match=study_words):
        functional.update(W, B, X.T, y, 0.1, 2, verbose=False)


def test_labels_of_one_class_are_refused():
    for y in (Y * 0, np.where(Y, 0.0, -0.0), ["one"] * N_SAMPLES):
        with pytest.raises(ValueError, match="y must hold two classes"):
            LogisticRegression().fit(X, y)


UNUSUAL_Y = {
    "big-endian": Y.astype(">i4"),
    "longdouble": Y.astype("longdouble"),
    "objects": Y.astype(object),
    "bytes": np.array([b"no", b"yes"])[Y],
    "dates": np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[Y],
    "huge": Y * 1e300,
    "neighbouring uint64": np.where(Y, np.uint64(2**64 - 1), np.uint64(2**64 - 2)),
    "gaps": Y.repeat(3)[::3],
    "masked nowhere": np.ma.masked_array(Y, False),
}


@pytest.mark.parametrize("y", UNUSUAL_Y.values(), ids=UNUSUAL_Y)
def test_unusual_labels_fit_as_zeros_and_ones_do(y):
    model = LogisticRegression().fit(X, y)
    assert model.coef_.tobytes() == MODEL.coef_.tobytes()
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    np.testing.assert_array_equal(model.predict(X) == model.classes_[1], MODEL.predict(X) == 1)


# ----------------------------------------------------------------------------------------------------------- weights

ONES = np.ones(N_SAMPLES)
BAD_WEIGHTS = {
    "too short": ONES[:-1],
    "empty": [],
    "a negative number": -2.0,
    "a column": ONES[:, None],
    "negative": np.where(Y, 1.0, -1e-300),
    "NaN": np.where(Y, 1.0, np.nan),
    "infinity": np.where(Y, 1.0, np.inf),
    "a sum that overflows": ONES * 1e308,
    "all zero": ONES * 0,
    "denormal": ONES * 5e-324,
    "complex": ONES + 0j,
    "strings": ["1"] * N_SAMPLES,
    "words": np.array(["a", 1] * (N_SAMPLES // 2), dtype=object),
    "masked": np.ma.masked_array(ONES, Y > 0),
    "a name": "balanced",
}


@pytest.mark.parametrize("weight", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_weights_are_refused_by_name(weight):
    with pytest.raises((TypeError, ValueError), match="sample_weight"):
        LogisticRegression().fit(X, Y, sample_weight=weight)


UNUSUAL_WEIGHTS = {
    "bool": ONES.astype(bool),
    "big-endian": ONES.astype(">f4"),
    "longdouble": ONES.astype("longdouble"),
    "gaps": ONES.repeat(2)[::2],
    "a list": ONES.tolist(),
    "masked nowhere": np.ma.masked_array(ONES, False),
}


@pytest.mark.parametrize("weight", UNUSUAL_WEIGHTS.values(), ids=UNUSUAL_WEIGHTS)
def test_unusual_weights_of_one_fit_as_none_do(weight):
    np.testing.assert_allclose(LogisticRegression().fit(X, Y, weight).coef_, MODEL.coef_, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-300, 1e-100, 1e100, 1e300])
def test_weights_of_any_magnitude_fit_as_C_of_that_magnitude_does(factor):
    """The objective knows their product alone. A product of C and weights near zero leaves the intercept."""
    model = LogisticRegression(tol=1e-9).fit(X, Y, ONES * factor)
    if factor < 1.0:
        np.testing.assert_allclose(model.coef_, 0.0, atol=1e-90)
        assert model.intercept_[0] == pytest.approx(np.log(Y.mean() / (1 - Y.mean())), rel=1e-3)
    else:
        unpenalised = LogisticRegression(C=np.inf, tol=1e-9).fit(X, Y)
        np.testing.assert_allclose(model.coef_, unpenalised.coef_, rtol=1e-4)


BAD_CLASS_WEIGHTS = {
    "unknown classes": {5: 1.0},
    "NaN": {0: 1.0, 1: np.nan},
    "infinity": {0: 1.0, 1: np.inf},
    "zero for all": {0: 0.0, 1: 0.0},
    "negative": {0: -1.0, 1: 1.0},
    "a word": {0: 1.0, 1: "a"},
    "another name": "equal",
    "a list": [1.0, 2.0],
    "a number": 3,
    "beyond all floats": {0: 10**400, 1: 1.0},
}


@pytest.mark.parametrize("class_weight", BAD_CLASS_WEIGHTS.values(), ids=BAD_CLASS_WEIGHTS)
def test_bad_class_weights_are_refused_by_name(class_weight):
    with pytest.raises((TypeError, ValueError), match="class_weight"):
        LogisticRegression(class_weight=class_weight).fit(X, Y)
