"""Models that travel as JSON: the same bits, whatever the classes are, and one clear error for all other text."""

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import run_python
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse
from sklearn.model_selection import KFold

import fastlr
from fastlr import LogisticRegression, LogisticRegressionCV, from_json
from fastlr.estimators.plain import decode, encode

_rng = np.random.default_rng(0)
X = _rng.normal(size=(90, 4))
CODES = (X[:, 0] + _rng.normal(size=90) > 0).astype(int) + (X[:, 1] > 0.5)
LABELS = {
    "int64": np.array([2**62, 2**62 + 1, 2**62 + 2]),
    "big-endian": np.array([3, 5, 7], dtype=">i4"),
    "float32": np.array([1, 2, 3], dtype=np.float32),
    "str": np.array(["ä", "b\n", '"c"']),
    "objects": np.array(["no", "perhaps", "yes"], dtype=object),
    "uint8": np.array([0, 1, 255], dtype=np.uint8),
}
SEARCH = {"Cs": 3, "cv": 3, "l1_ratios": (0,), "scoring": "accuracy"}


def assert_same(loaded, model):
    assert type(loaded) is type(model)
    for name, value in loaded.get_params().items():
        np.testing.assert_array_equal(value, model.get_params()[name])
    for name in ("classes_", "coef_", "intercept_"):
        found, expected = getattr(loaded, name), getattr(model, name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_comes_back_with_the_same_bits(labels, n_classes):
    model = LogisticRegression(C=np.inf, class_weight=None).fit(X, labels[np.minimum(CODES, n_classes - 1)])
    loaded = from_json(model.to_json())
    assert_same(loaded, model)
    assert (loaded.gap_, loaded.objective_, loaded.solver_) == (model.gap_, model.objective_, model.solver_)
    assert loaded.to_json() == model.to_json()


@pytest.mark.parametrize("legacy", [True, False])
def test_a_search_comes_back_with_what_it_chose(legacy):
    model = LogisticRegressionCV(**SEARCH, class_weight={0: 1.0, 1: 2.5, 2: 1.0}, use_legacy_attributes=legacy)
    loaded = from_json(model.fit(X, CODES).to_json())
    assert_same(loaded, model)
    np.testing.assert_array_equal(loaded.C_, model.C_)
    np.testing.assert_array_equal(loaded.to_sklearn().coef_, model.coef_)


def test_models_of_float32_sparse_coefficients_and_named_features_come_back():
    model = LogisticRegression().fit(X.astype(np.float32), CODES)
    assert_same(from_json(model.to_json()), model)
    few = LogisticRegression(l1_ratio=1.0, C=0.05).fit(X, CODES).sparsify()
    loaded = from_json(few.to_json())
    assert type(loaded.coef_) is type(few.coef_)
    np.testing.assert_array_equal(loaded.coef_.toarray(), few.coef_.toarray())
    frame = pd.DataFrame(X, columns=["a", "b", "c", "ü"])
    named = LogisticRegression().fit(frame, CODES)
    loaded = from_json(named.to_json())
    assert loaded.feature_names_in_.tolist() == list(frame)
    assert loaded.predict(frame).tolist() == named.predict(frame).tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame.rename(columns={"a": "z"}))


def test_a_statistician_goes_on_from_a_model_that_was_loaded():
    y = CODES > 0
    model = LogisticRegression(C=np.inf, tol=1e-12).fit(X, y)
    loaded = from_json(model.to_json())
    np.testing.assert_array_equal(fastlr.inference(loaded, X, y).conf_int(), fastlr.inference(model, X, y).conf_int())


def test_text_alone_makes_a_model_in_another_process():
    model = LogisticRegression().fit(X, CODES)
    printed = run_python(
        "import sys, fastlr, json\n"
        "model = fastlr.from_json(sys.argv[1])\n"
        "print(json.dumps(model.decision_function(json.loads(sys.argv[2])).tolist()))",
        model.to_json(),
        json.dumps(X.tolist()),
    )
    assert json.loads(printed) == model.decision_function(X).tolist()


def test_a_parameter_that_json_cannot_hold_is_named_and_left_out():
    model = LogisticRegressionCV(**{**SEARCH, "cv": KFold(3)}, use_legacy_attributes=False).fit(X, CODES)
    with pytest.warns(UserWarning, match=r"^cv cannot be written as JSON"):
        text = model.to_json()
    assert from_json(text).cv is None


def test_models_of_newer_versions_are_read_with_a_warning():
    document = json.loads(LogisticRegression().fit(X, CODES).to_json())
    document["versions"]["fastlr"] = "999.1.dev3"
    document["parameters"]["not_yet_known"] = 1
    with pytest.warns(UserWarning, match=r"written by fastlr 999\.1\.dev3, which is newer"):
        assert from_json(json.dumps(document)).n_features_in_ == 4
    document["versions"]["fastlr"] = "0.0.1"
    with pytest.raises(ValueError, match="not_yet_known"):
        from_json(json.dumps(document))


def with_change(path, value):
    document = json.loads(LogisticRegression().fit(X, CODES).to_json())
    *parents, last = path
    inner = document
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return json.dumps(document)


OUTSIDE = {"csr_matrix": [[3, 4], *map(encode, (np.ones(1), np.array([77]), np.array([0, 1, 1, 1])))]}
BAD = {
    "empty": "",
    "not JSON": "{",
    "no object": "[1, 2]",
    "another object": "{}",
    "a pickle": pickle.dumps(1),
    "another format": with_change(["format"], 2),
    "another class": with_change(["class"], "os.system"),
    "no version": with_change(["versions"], {}),
    "an unknown kind": with_change(["attributes", "coef_"], {"pickle": "gASVCg"}),
    "two kinds": with_change(["attributes", "coef_"], {"array": 1, "float": 2}),
    "a dtype of nothing": with_change(["attributes", "coef_"], {"array": ["V8", [1], [0]]}),
    "too few entries": with_change(["attributes", "coef_", "array", 2], [1.0]),
    "text for numbers": with_change(["attributes", "coef_", "array", 2], ["a"] * 12),
    "another shape": with_change(["attributes", "coef_", "array", 1], [4, 3]),
    "NaN": with_change(["attributes", "intercept_", "array", 2], [float("nan")] * 3),
    "one class": with_change(["attributes", "classes_"], encode(np.array([1]))),
    "classes that are a number": with_change(["attributes", "classes_"], 3),
    "names too few": with_change(["attributes", "feature_names_in_"], encode(np.array(["a"], object))),
    "no features": with_change(["attributes", "n_features_in_"], "four"),
    "deep": "[" * 100_000,
    "indices beyond the features": with_change(["attributes", "coef_"], OUTSIDE),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_text_gets_one_clear_error(text):
    with pytest.raises(ValueError, match=r"^text must be a model that to_json wrote: .") as caught:
        from_json(text)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_text_or_no_model_of_this_package_is_refused():
    with pytest.raises(TypeError, match="text must be str or bytes, got dict"):
        from_json({})

    class Derived(LogisticRegression):
        pass

    with pytest.raises(TypeError, match=r"model must be of one of the classes LogisticRegression, .* got Derived"):
        Derived().fit(X, CODES).to_json()


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.integers() | st.text() | st.booleans()
values = st.recursive(plain, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner))
dtypes = st.one_of(
    npst.integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.boolean_dtypes(),
    npst.unicode_string_dtypes(),
    npst.byte_string_dtypes(),
    npst.datetime64_dtypes(),
)


@given(values)
def test_values_are_the_same_after_a_journey(value):
    assert decode(json.loads(json.dumps(encode(value), allow_nan=False))) == value


@given(npst.arrays(dtypes, npst.array_shapes(min_dims=0, max_dims=2, min_side=0)))
def test_arrays_are_the_same_bytes_after_a_journey(array):
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(0), array).astype(array.dtype)
    found = np.asarray(decode(json.loads(json.dumps(encode(array), allow_nan=False))), array.dtype)
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_what_has_no_form_is_refused():
    for value in (object(), {"a": {1}}, np.array([1 + 2j]), sparse.coo_array(np.eye(2))):
        with pytest.raises(TypeError, match="has no form in JSON"):
            encode(value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(decode(encode(np.inf)))
