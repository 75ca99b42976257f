"""What code written for scikit-learn does with a logistic regression, it does with this one."""

import builtins
import inspect
import io
import warnings
from collections import UserDict
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from conftest import run_python
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.linear_model import LogisticRegressionCV as SklearnLogisticRegressionCV
from sklearn.model_selection import cross_val_score

import fastlr
from fastlr import LogisticRegression, LogisticRegressionCV, fit_many, from_sklearn

_rng = np.random.default_rng(0)
X = _rng.normal(size=(90, 4))
Y = (X[:, 0] + _rng.normal(size=90) > 0).astype(int)
Y3 = np.digitize(X[:, 0] + _rng.normal(size=90), [-0.5, 0.5])
MODEL = LogisticRegression().fit(X, Y)
SEARCH = {"Cs": [0.1, 1.0], "cv": 3, "l1_ratios": (0.0,), "scoring": "accuracy", "use_legacy_attributes": False}


# ------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"dual": False},
        {"dual": True, "solver": "liblinear"},
        {"intercept_scaling": 1},
        {"l1_ratio": None},
        {"penalty": "deprecated"},
        {"penalty": "l2"},
        {"penalty": "elasticnet", "l1_ratio": 0},
        {"max_iter": 1e2},
        {"fit_intercept": 1},
        {"n_jobs": 0},
        {"multi_class": "auto"},
        {"multi_class": "ovr"},
        {"solver": "saga", "random_state": 0},
        {"warm_start": 0},
        {"verbose": False},
    ],
    ids=str,
)
def test_parameters_without_meaning_here_change_nothing(parameters):
    np.testing.assert_array_equal(LogisticRegression(**parameters).fit(X, Y).coef_, MODEL.coef_)


def test_the_penalty_may_be_given_by_position_and_none_by_its_old_name():
    np.testing.assert_array_equal(LogisticRegression("l2").fit(X, Y).coef_, MODEL.coef_)
    free = LogisticRegression(C=np.inf).fit(X, Y).coef_
    for penalty in (None, "none"):
        np.testing.assert_array_equal(LogisticRegression(penalty).fit(X, Y).coef_, free)
        with pytest.warns(UserWarning, match="Setting penalty=None will ignore the C"):
            np.testing.assert_array_equal(LogisticRegression(penalty, C=2.0).fit(X, Y).coef_, free)


def test_where_penalty_and_l1_ratio_contradict_each_other_the_penalty_decides():
    with pytest.warns(UserWarning, match="Inconsistent values: penalty=l2 with l1_ratio=0.5"):
        np.testing.assert_array_equal(LogisticRegression("l2", l1_ratio=0.5).fit(X, Y).coef_, MODEL.coef_)
    with pytest.raises(ValueError, match="l1_ratio must be specified"):
        LogisticRegression("elasticnet", l1_ratio=None).fit(X, Y)


def test_one_model_for_each_class_is_refused():
    with pytest.raises(ValueError, match="OneVsRestClassifier"):
        LogisticRegression(multi_class="ovr").fit(X, Y3)
    with pytest.raises(ValueError, match="multi_class='multinomial' is another model for 2 classes"):
        LogisticRegression(multi_class="multinomial").fit(X, Y)
    assert LogisticRegression(multi_class="multinomial").fit(X, Y3).gap_ <= 1e-6


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(LogisticRegression, SklearnLogisticRegression), (LogisticRegressionCV, SklearnLogisticRegressionCV)],
)
def test_parameters_of_a_model_of_scikit_learn_make_one_here(ours, theirs):
    old = theirs(max_iter=50)
    model = ours(**old.get_params())
    assert model.get_params() == {**ours().get_params(), **old.get_params()}
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [
        [name for name, parameter in inspect.signature(kind).parameters.items() if parameter.kind is positional]
        for kind in (ours, theirs)
    ]
    assert names[0] == names[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        assert clone(model).fit(X, Y).coef_.shape == (1, 4)


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e4, np.inf])
@pytest.mark.parametrize("y", [Y, Y3], ids=["two classes", "three classes"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_tolerance_asks_for_as_little_as_rounding_allows(C, y, dtype):
    model = LogisticRegression(C=C, tol=0, max_iter=500).fit(X.astype(dtype), y)
    expected = LogisticRegression(C=C, tol=1e-9, max_iter=500).fit(X.astype(dtype).astype(np.float64), y)
    assert model.objective_ <= expected.objective_ * (1 + 1e-9)


def test_a_search_takes_no_tolerance():
    models = [LogisticRegressionCV(tol=tol, **SEARCH).fit(X, Y) for tol in (0, 1e-12)]
    np.testing.assert_allclose(models[0].coefs_paths_, models[1].coefs_paths_, rtol=1e-4, atol=1e-6)


# ----------------------------------------------------------------------------------- classes that have no weight


def with_weight(y, label, share):
    """Weights of one, but of a class."""
    return np.where(y == label, share, 1.0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("y", [Y, Y3], ids=["two classes", "three classes"])
def test_no_weight_is_the_limit_of_small_weights(y, label, fit_intercept):
    if label > y.max():
        return
    options = {"tol": 1e-12, "fit_intercept": fit_intercept, "max_iter": 1_000}
    model = LogisticRegression(**options).fit(X, y, sample_weight=with_weight(y, label, 0.0))
    near = LogisticRegression(**options).fit(X, y, sample_weight=with_weight(y, label, 1e-9))
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    np.testing.assert_allclose(model.coef_, near.coef_, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(X), near.predict_proba(X), atol=1e-5)
    assert model.gap_ <= 1e-12
    if fit_intercept:
        assert (model.predict_proba(100 * X)[:, label] < 1e-15).all()


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_no_weight_is_the_limit_of_small_weights_with_an_l1_penalty(n_classes, l1_ratio):
    y = np.digitize(X[:, 0] + _rng.normal(size=90), [-0.8, 0.0, 0.8][: n_classes - 1])
    options = {"tol": 1e-12, "l1_ratio": l1_ratio, "max_iter": 1_000, "C": 0.3}
    model = LogisticRegression(**options).fit(X, y, sample_weight=with_weight(y, 1, 0.0))
    near = LogisticRegression(**options).fit(X, y, sample_weight=with_weight(y, 1, 1e-9))
    np.testing.assert_allclose(model.predict_proba(X), near.predict_proba(X), atol=1e-5)
    assert (model.predict_proba(100 * X)[:, 1] < 1e-15).all() and (model.coef_[1] == 0.0).all()
    np.testing.assert_array_equal(model.classes_, np.unique(y))


def test_a_class_without_weight_leaves_the_others_as_they_are_without_it():
    y = np.digitize(X[:, 0] + _rng.normal(size=90), [-0.8, 0.0, 0.8])
    there = y != 2
    model = LogisticRegression(tol=1e-13).fit(X, y, sample_weight=there)
    without = LogisticRegression(tol=1e-13).fit(X[there], y[there])
    np.testing.assert_allclose(model.coef_[[0, 1, 3]], without.coef_, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X)[:, [0, 1, 3]], without.predict_proba(X), atol=1e-6)
    assert (model.coef_[2] == 0.0).all()
    assert model.objective_ == pytest.approx(without.objective_)
    for class_weight in ({0: 1, 1: 1, 2: 0, 3: 1}, "balanced"):
        model = LogisticRegression(tol=1e-13, class_weight=class_weight).fit(X, y, sample_weight=there)
        balanced = class_weight if class_weight == "balanced" else None
        without = LogisticRegression(tol=1e-13, class_weight=balanced).fit(X[there], y[there])
        np.testing.assert_allclose(model.coef_[[0, 1, 3]], without.coef_, atol=1e-6)


def test_a_class_that_alone_has_weight_is_certain():
    for y in (Y, Y3):
        model = LogisticRegression().fit(X, y, sample_weight=y == 1)
        assert (model.predict(X) == 1).all()
        assert model.predict_proba(X)[:, 1].min() > 1 - 1e-14
        assert (model.solver_, model.n_passes_, model.gap_) == ("none", 0, 0.0)


def test_a_fit_goes_on_from_one_without_a_class():
    model = LogisticRegression(warm_start=True, tol=1e-10).fit(X, Y3, sample_weight=Y3 != 1)
    expected = LogisticRegression(tol=1e-10).fit(X, Y3)
    np.testing.assert_allclose(model.fit(X, Y3).coef_, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(model.fit(X, Y3, sample_weight=Y3 == 0).predict_proba(X)[:, 0], 1.0)


def test_searches_and_ensembles_meet_folds_without_a_class():
    y = (np.arange(90) < 2).astype(int)
    ensemble = BaggingClassifier(LogisticRegression(), n_estimators=20, random_state=0).fit(X, y)
    assert ensemble.predict_proba(X).shape == (90, 2)
    scores = cross_val_score(LogisticRegression(), X, Y, cv=3, params={"sample_weight": Y.astype(float)})
    np.testing.assert_allclose(scores, Y.mean(), atol=0.05)
    many = np.r_[np.arange(82) % 12, np.arange(12, 20)]
    with pytest.warns(UserWarning, match="least populated class"):
        model = LogisticRegressionCV(**SEARCH).fit(X, many)
    assert model.coef_.shape == (20, 4)
    assert fit_many(X, Y, Cs=2, sample_weight=[Y == 1, np.ones(90)], class_weight="balanced").failures == {}


def test_y_itself_must_hold_two_classes_and_some_weight():
    with pytest.raises(ValueError, match="only one class"):
        LogisticRegression().fit(X, np.ones(90))
    with pytest.raises(ValueError, match="sample_weight must not be zero"):
        LogisticRegression().fit(X, Y, sample_weight=np.zeros(90))
    with pytest.raises(ValueError, match="class_weight must not be zero"):
        LogisticRegression(class_weight={0: 0.0}).fit(X, Y, sample_weight=Y == 0)


@pytest.mark.parametrize("weight", [2.0, 3, np.float32(0.5), np.array(2)], ids=str)
def test_a_number_weighs_all_samples(weight):
    for model in (LogisticRegression(tol=1e-12), LogisticRegressionCV(**SEARCH)):
        found = clone(model).fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(found.coef_, model.fit(X, Y, sample_weight=np.full(90, float(weight))).coef_)


# ------------------------------------------------------------------------------------- models in other hands


@pytest.mark.parametrize("y", [Y, Y3], ids=["two classes", "three classes"])
@pytest.mark.parametrize("x", [X, sparse.csr_array(X), (10 * X).astype(int)], ids=["dense", "sparse", "integers"])
def test_predictions_are_the_same_from_sparse_coefficients(x, y):
    model = LogisticRegression().fit(X, y)
    expected = model.predict_proba(x)
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    np.testing.assert_allclose(model.predict_proba(x), expected, rtol=1e-12)
    again = clone(model).set_params(warm_start=True)
    again.coef_, again.intercept_ = model.coef_, model.intercept_
    assert again.fit(X, y).coef_.shape == model.densify().coef_.shape
    np.testing.assert_array_equal(model.predict_proba(x), expected)


@pytest.mark.parametrize("y", [Y, Y3], ids=["two classes", "three classes"])
@pytest.mark.parametrize("kind", [LogisticRegression, LogisticRegressionCV])
def test_a_model_of_scikit_learn_has_the_same_numbers_and_comes_back(y, kind):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = kind(**(SEARCH if kind is LogisticRegressionCV else {"C": 2.0})).fit(frame, y)
    theirs = model.to_sklearn()
    assert type(theirs) is SklearnLogisticRegression
    assert theirs.C == (model.C_ if kind is LogisticRegressionCV else 2.0)
    np.testing.assert_allclose(theirs.predict_proba(frame), model.predict_proba(frame), rtol=1e-12)
    np.testing.assert_array_equal(theirs.feature_names_in_, model.feature_names_in_)
    back = from_sklearn(theirs)
    assert type(back) is LogisticRegression
    np.testing.assert_array_equal(back.predict_proba(frame), model.predict_proba(frame))
    back.coef_[:] = 0.0
    assert theirs.coef_.any()


def test_a_search_of_scikit_learn_comes_with_its_scores():
    options = {name: value for name, value in SEARCH.items() if name in SklearnLogisticRegressionCV().get_params()}
    theirs = SklearnLogisticRegressionCV(**{**options, "l1_ratios": None}).set_params(cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(X, Y)
    model = from_sklearn(theirs)
    assert type(model) is LogisticRegressionCV
    np.testing.assert_equal(model.scores_, theirs.scores_)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X))


def test_only_fitted_models_of_scikit_learn_come_from_there():
    with pytest.raises(TypeError, match="model must be a LogisticRegression"):
        from_sklearn(MODEL)
    for unfitted in (lambda: from_sklearn(SklearnLogisticRegression()), LogisticRegression().to_sklearn):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            unfitted()
    assert LogisticRegression(None).fit(X, Y).to_sklearn().C == np.inf
    assert fastlr.from_sklearn is from_sklearn


@pytest.mark.parametrize("y", [Y, Y3], ids=["two classes", "three classes"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_becomes_an_onnx_graph(y):
    skl2onnx = pytest.importorskip("skl2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = LogisticRegression().fit(X, y)
    graph = skl2onnx.to_onnx(model.to_sklearn(), X[:1].astype(np.float32), options={"zipmap": False})
    found = runtime.InferenceSession(graph.SerializeToString()).run(None, {"X": X.astype(np.float32)})[1]
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-5)


def test_a_model_becomes_code():
    m2cgen = pytest.importorskip("m2cgen")
    names = {}
    exec(m2cgen.export_to_python(MODEL.to_sklearn()), names)
    np.testing.assert_allclose([names["score"](list(x)) for x in X], MODEL.decision_function(X), rtol=1e-9)


def test_a_callback_is_told_of_the_fit_and_of_each_step():
    callback = pytest.importorskip("sklearn.callback")

    class Recorder:
        def __init__(self):
            self.calls = []

        def setup(self, estimator, context):
            self.calls.append("setup")

        def teardown(self, estimator, context):
            self.calls.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            self.calls.append(f"begin {context.task_name}")

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            self.calls.append(f"end {context.task_name}")
            self.fitted = fitted_estimator

    recorder = Recorder()
    assert isinstance(recorder, callback.FitCallback)
    model = LogisticRegression().set_callbacks(recorder).fit(X, Y)
    steps = len(model.history_)
    assert recorder.calls == [
        "setup",
        "begin fit",
        *["begin iteration", "end iteration"] * steps,
        "end fit",
        "teardown",
    ]
    np.testing.assert_array_equal(recorder.fitted.coef_, model.coef_)
    np.testing.assert_array_equal(model.coef_, MODEL.coef_)
    recorder.calls.clear()
    LogisticRegressionCV(**SEARCH).set_callbacks(recorder).fit(X, Y)
    assert recorder.calls == ["setup", "begin fit", "end fit", "teardown"]
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X), Y)
    assert recorder.calls[-1] == "teardown"


# -------------------------------------------------------------------------------------- what libraries hand over


def arrow_dtypes():
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return []
    return ["int8[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "string[pyarrow]", "timestamp[s][pyarrow]"]


NUMPY_DTYPES = [*"?bBhHiIqQefdgFDG", "M8[s]", "m8[ms]", "S3", "U3", "O", "V4", ">f8", "<f4", ">i2"]
SPARSE_DTYPES = [bool, "int8", "uint16", "int64", "float32", "float64", "complex64", "longdouble"]
PANDAS_DTYPES = [
    *["Int8", "UInt16", "Int64", "Float32", "Float64", "boolean", "category", "string", "object", "bool", "complex128"],
    *["datetime64[ns]", "timedelta64[s]", "period[D]", "Sparse[bool]", "Sparse[int8]", "Sparse[float32]"],
    *["Sparse[int64, 1]", "Sparse[float64]", "Sparse[uint8]", *arrow_dtypes()],
]
POLARS_DTYPES = [
    *[pl.Int8, pl.UInt16, pl.Int64, pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Categorical, pl.Date],
    *[pl.Duration, pl.Decimal(10, 2), pl.List(pl.Int8), pl.Object, pl.Binary],
]


def features_of(library, dtype, values):
    """A table of zeros and ones as a library has it in some dtype, or None where it cannot."""
    try:
        if library == "numpy":
            return values.astype(dtype)
        if library == "sparse":
            return getattr(sparse, f"{dtype[0]}_array")(values.astype(dtype[1]))
        if library == "pandas":
            return pd.DataFrame(values.astype(int)).astype(dtype)
        frame = pl.DataFrame(values.astype(int), orient="row")
        return frame.cast(pl.String).cast(dtype) if dtype in (pl.Categorical, pl.Binary) else frame.cast(dtype)
    except Exception:
        return None


ANY_FEATURES = st.one_of(
    st.tuples(st.just("numpy"), st.sampled_from(NUMPY_DTYPES)),
    st.tuples(
        st.just("sparse"),
        st.tuples(st.sampled_from(["csr", "csc", "coo", "bsr", "dia"]), st.sampled_from(SPARSE_DTYPES)),
    ),
    st.tuples(st.just("pandas"), st.sampled_from(PANDAS_DTYPES)),
    st.tuples(st.just("polars"), st.sampled_from(POLARS_DTYPES)),
)
BITS = (_rng.random((1_100, 3)) < 0.5).astype(float)  # more than NumPy's products are for
OF_BITS = (BITS[:, 0] + _rng.normal(size=1_100) > 0.5).astype(int)
OF_BITS_3 = OF_BITS + (_rng.random(1_100) < 0.3)


@given(ANY_FEATURES, st.booleans())
def test_features_of_any_dtype_are_their_numbers_or_refused_in_one_line(which, many_classes):
    x, y = features_of(*which, BITS), OF_BITS_3 if many_classes else OF_BITS
    if x is None:
        return
    try:
        model = LogisticRegression(tol=1e-10).fit(x, y)
    except (TypeError, ValueError) as error:
        assert type(error).__module__ == "builtins" or type(error).__module__.startswith("numpy")
        assert len(str(error).splitlines()) == 1, error
        return
    expected = LogisticRegression(tol=1e-10).fit(BITS, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)
    np.testing.assert_allclose(model.predict_proba(x), expected.predict_proba(BITS), atol=1e-3)


@pytest.mark.parametrize("values", [[0.5, 1.5] * 45, [Decimal(1), Decimal(2)] * 45], ids=["floats", "decimals"])
def test_weights_of_any_library_are_their_numbers(values):
    values = np.array(values, dtype=object) + 1
    expected = LogisticRegression().fit(X, Y, sample_weight=values.astype(float)).coef_
    floats = values.astype(float)
    for weight in (values, pd.Series(floats), pd.Series(floats, dtype="Float32"), pl.Series(floats), floats.tolist()):
        np.testing.assert_allclose(LogisticRegression().fit(X, Y, sample_weight=weight).coef_, expected)


def test_a_sparse_frame_is_taken_as_it_is():
    words = pd.DataFrame({"a": list("xyz") * 400, "b": list("uuvv") * 300})  # more than NumPy's products are for
    y = np.tile(Y[:60], 20)
    dense = LogisticRegression(tol=1e-10).fit(pd.get_dummies(words).astype(float), y)
    for dtype in (bool, "int64", "float32", "uint8"):
        frame = pd.get_dummies(words, sparse=True, dtype=dtype)
        model = LogisticRegression(tol=1e-10).fit(frame, y)
        np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-3, atol=1e-5)
        assert model.predict_proba(frame).shape == (1_200, 2)


class OnAnotherDevice:
    """What CuPy's arrays and PyTorch's tensors on a GPU answer to NumPy."""

    shape = (90, 4)

    def __dlpack__(self, **options):
        raise BufferError("cannot be exported")

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.\nPlease use `.get()`.")


def test_arrays_on_another_device_are_refused_in_a_sentence_that_says_what_to_pass():
    for x, y, name in ((OnAnotherDevice(), Y, "X"), (X, OnAnotherDevice(), "y")):
        with pytest.raises(TypeError, match=rf"^{name} cannot be read by NumPy \(.*\): pass a NumPy array, .*get\(\)"):
            LogisticRegression().fit(x, y)
    with pytest.raises(TypeError, match="X cannot be read by NumPy"):
        MODEL.predict(OnAnotherDevice())
    with pytest.raises(TypeError, match="X must be an array, got LazyFrame"):
        LogisticRegression().fit(pl.DataFrame(X).lazy(), Y)


def test_what_holds_arrays_by_name_is_refused():
    with pytest.raises(TypeError, match="X must be an array, got UserDict: pass one of those that it holds"):
        LogisticRegression().fit(UserDict(X=X), Y)  # as a group of HDF5 and the like


def test_columns_of_polars_that_hold_numbers_are_not_named_where_labels_are_wrong():
    frame = pl.DataFrame(X).with_columns(flag=pl.Series(Y > 0))
    with pytest.raises(ValueError, match=rf"inconsistent numbers of samples: \[{len(Y)}, {len(Y) - 1}\]"):
        LogisticRegression().fit(frame, Y[:-1])


def test_arrays_of_another_namespace_are_read_where_they_lie():
    pytest.importorskip("array_api_strict")
    run_python(
        "import array_api_strict as xp, numpy as np, sklearn\n"
        "from fastlr import LogisticRegression\n"
        "X = np.random.default_rng(0).normal(size=(60, 3)); y = (X[:, 0] > 0.1).astype(int)\n"
        "expected = LogisticRegression().fit(X, y).predict_proba(X)\n"
        "with sklearn.config_context(array_api_dispatch=True):\n"
        "    model = LogisticRegression().fit(xp.asarray(X), xp.asarray(y), sample_weight=xp.ones(60))\n"
        "    np.testing.assert_array_equal(model.predict_proba(xp.asarray(X)), expected)\n",
        SCIPY_ARRAY_API="1",
    )


# ------------------------------------------------------------------------------------------------------------- words


def test_where_tqdm_is_missing_a_verbose_search_prints_lines(monkeypatch):
    load = builtins.__import__

    def without_tqdm(name, *arguments, **options):
        if name.split(".")[0] == "tqdm":
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    with redirect_stdout(io.StringIO()) as shown:
        LogisticRegressionCV(verbose=1, **SEARCH).fit(X, Y)
    lines = shown.getvalue().splitlines()
    assert lines == [f"{k} of 6 fits" for k in range(1, 7)]


@pytest.mark.slow
def test_scikit_learns_own_tests_pass_with_these_classes_in_place(tmp_path):
    run_python(
        "import sys, pytest\n"
        "options = '-q -p in_place -p no:cacheprovider -W default -W ignore::pytest.PytestUnknownMarkWarning'.split()\n"
        "sys.path.append(sys.argv[1])\n"
        "sys.exit(pytest.main([*options, '--pyargs', 'sklearn.linear_model.tests.test_logistic']))\n",
        str(Path(__file__).parent),
        timeout=1_800,
        cwd=tmp_path,
    )


def test_iris_by_the_names_in_the_documentation():
    features, species = load_iris(return_X_y=True)
    model = LogisticRegression(random_state=0).fit(features, species)
    assert model.predict(features[:2, :]).tolist() == [0, 0]
    assert model.score(features, species) > 0.95
