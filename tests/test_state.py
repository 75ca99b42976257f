"""What an estimator holds: plain arrays that any process can load, and nothing of a fit that failed."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
from conftest import run_python
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastlr import LogisticRegression
from fastlr.matrices.dense import DenseMatrix


def labelled(n_samples=80, n_features=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    return X, (X[:, 0] + rng.normal(size=n_samples) > 0).astype(int)


@pytest.fixture(params=["float64", "uint8", "labels that are words", "more features than samples"])
def fitted(request):
    X, y = labelled(30, 60) if request.param.startswith("more") else labelled()
    if request.param == "uint8":
        X = (np.abs(X) * 50).astype(np.uint8)
    if request.param.startswith("labels"):
        y = np.array(["no", "yes"])[y]
    return LogisticRegression(n_jobs=2).fit(X, y), X


class Recorder(pickle.Unpickler):
    """Notes what unpickling imports."""

    def __init__(self, pickled):
        super().__init__(io.BytesIO(pickled))
        self.found = set()

    def find_class(self, module, name):
        self.found.add((module, name))
        return super().find_class(module, name)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_model_holds_no_compiled_code(fitted, protocol):
    model, X = fitted
    pickled = pickle.dumps(model, protocol=protocol)
    recorder = Recorder(pickled)
    restored = recorder.load()
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    ours = {(module, name) for module, name in recorder.found if module.split(".")[0] == "fastlr"}
    assert ours == {("fastlr.estimators.logistic_regression", "LogisticRegression")}
    others = {module.split(".")[0] for module, _ in recorder.found - ours}
    assert others <= {"numpy", "_codecs", "copy_reg", "copyreg", "__builtin__", "builtins"}
    assert b"numba" not in pickled
    assert b"ELF" not in pickled


_LOAD = """
import sys
import joblib
model, X, expected = joblib.load(sys.argv[1])
assert model.predict_proba(X).tobytes() == expected
assert model.score(X, model.predict(X)) == 1.0
again = model.fit(X, model.predict(X))
"""


def test_a_model_loads_in_another_process_and_predicts_the_same_bits(tmp_path):
    X, y = labelled()
    model = LogisticRegression().fit(X, y)
    path = tmp_path / "model.joblib"
    joblib.dump((model, X, model.predict_proba(X).tobytes()), path)
    run_python(_LOAD, str(path))


def test_copies_share_nothing_with_the_original(fitted):
    model, X = fitted
    expected = model.predict_proba(X)
    deep = copy.deepcopy(model)
    deep.coef_[:] = 0.0
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert not hasattr(clone(model), "coef_")


# ------------------------------------------------------------------------------------------------ fits that fail


class Fault(Exception):
    """Raised in the middle of a fit."""


PLACES = [
    "fastlr.estimators.classifier.check_features",
    "fastlr.estimators.classifier.encode_labels",
    "fastlr.estimators.logistic_regression.problem_of",
    "fastlr.fits.one.Team.__exit__",
    "fastlr.fits.one.small.solve",
    "fastlr.fits.one.plan",
    "fastlr.matrices.small.SmallMatrix.__init__",
    "fastlr.objectives.base.Objective.loss_gradient",
    "fastlr.objectives.logistic.LogisticObjective.hessian",
    "fastlr.objectives.logistic.LogisticObjective.gap_bound",
]


@pytest.mark.parametrize("error", [Fault, KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("place", PLACES)
def test_a_fit_that_fails_anywhere_leaves_everything_as_it_was(place, error, monkeypatch):
    def fail(*arguments, **options):
        raise error

    X, y = labelled()
    if "small.solve" not in place:
        monkeypatch.setattr("fastlr.fits.one.small.suits", lambda problem: False)
    # Another number of features, so that whatever is left over of the second fit shows.
    fitted, unfitted = LogisticRegression().fit(X, y), LogisticRegression()
    before = [dict(vars(model)) for model in (fitted, unfitted)]
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        for model in (fitted, unfitted):
            with pytest.raises(error):
                model.fit(X[:, :3], ["no", "yes"] * 40)
    for model, state in zip((fitted, unfitted), before, strict=True):
        assert vars(model).keys() == state.keys()
        assert all(vars(model)[name] is value for name, value in state.items())
    with pytest.raises(NotFittedError):
        unfitted.predict(X)
    expected = LogisticRegression().fit(X, y)
    assert fitted.predict_proba(X).tobytes() == expected.predict_proba(X).tobytes()
    assert fitted.fit(X, y).coef_.tobytes() == expected.coef_.tobytes()


def test_a_warning_that_is_an_error_leaves_everything_as_it_was():
    X, y = labelled()
    model = LogisticRegression(max_iter=1, tol=1e-14)
    before = dict(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(X, y)
    assert vars(model) == before


def test_memory_that_runs_out_in_a_pass_leaves_everything_as_it_was(monkeypatch):
    X, y = labelled(2_600, 100)
    model = LogisticRegression(n_jobs=2)
    before = dict(vars(model))
    sandwich = DenseMatrix.sandwich

    def hungry(self, loss):
        sandwich(self, loss)
        raise MemoryError

    monkeypatch.setattr(DenseMatrix, "sandwich", hungry)
    with pytest.raises(MemoryError):
        model.fit(X, y)
    assert vars(model) == before
