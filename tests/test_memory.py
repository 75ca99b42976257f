"""What a fit takes it gives back at once: memory, references to X, threads; when it fails as well."""

import gc
import sys
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest
from conftest import threads_of_fits, wait_until
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, functional

N_SAMPLES, N_FEATURES = 2_000, 20
VECTOR = 8 * N_SAMPLES  # bytes of one number per sample

PROFILES = [pytest.param(120, id="short"), pytest.param(1_000, id="long", marks=pytest.mark.slow)]


def labelled(n_samples=N_SAMPLES, n_features=N_FEATURES, dtype="float64"):
    rng = np.random.default_rng(0)
    X = (20 * rng.normal(size=(n_samples, n_features)) + 100).clip(0, 200).astype(dtype)
    return X, (X[:, 0] + 20 * rng.normal(size=n_samples) > 100).astype(int)


def fit(X, y):
    model = LogisticRegression(class_weight="balanced").fit(X, y)
    model.predict_proba(X)


def fit_on_threads(X, y):
    LogisticRegression(n_jobs=3, solver="newton_cg").fit(np.tile(X, 10), y)


def study(X, y):
    w, b = functional.initialize_weights_and_bias(N_FEATURES)
    functional.update(w, b, X.T / 200, y[None, :], 0.1, 5, verbose=False)
    functional.predict(w, b, X.T)


class CallbackError(Exception):
    """What a caller's own code raises."""


def fail_on_nan(X, y):
    X = X.copy()
    X[-1, -1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression(n_jobs=2).fit(X, y)


def fail_on_weights(X, y):
    with pytest.raises(ValueError, match="sample_weight"):
        LogisticRegression().fit(X, y, sample_weight=-np.ones(len(y)))


def fail_in_a_callback(X, y):
    def callback(iteration, cost):
        raise CallbackError

    w, b = functional.initialize_weights_and_bias(N_FEATURES)
    with pytest.raises(CallbackError):
        functional.update(w, b, X.T, y[None, :], 0.1, 5, callback=callback, verbose=False)


def fail_by_a_warning(X, y):
    with pytest.raises(ConvergenceWarning):  # warnings are errors in this suite
        LogisticRegression(max_iter=1, tol=1e-14).fit(X, y)


ACTIONS = (fit, fit_on_threads, study, fail_on_nan, fail_on_weights, fail_in_a_callback, fail_by_a_warning)
actions = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)


def resident():
    """Bytes of memory that the process occupies."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4_096


@pytest.mark.parametrize("n_fits", PROFILES)
@actions
def test_python_objects_do_not_grow_over_many_fits(action, n_fits):
    X, y = labelled()
    for _ in range(3):
        action(X, y)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(n_fits):
            action(X, y)
        wait_until(lambda: not threads_of_fits())
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert growth < 100_000  # Python's own free lists; a vector for each fit would be millions


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs the memory of the process from the system")
@pytest.mark.parametrize("n_fits", PROFILES)
def test_the_process_does_not_grow_over_many_fits(n_fits):
    """Arrays of compiled code included, which Python does not see."""
    X, y = labelled()
    for _ in range(20):
        for action in ACTIONS:
            action(X, y)

    def growth():
        gc.collect()
        before = resident()
        for _ in range(n_fits):
            for action in ACTIONS:
                action(X, y)
        gc.collect()
        return resident() - before

    # A leak of the smallest array of n_samples numbers in any action would be twice that, again and again.
    assert min(growth() for _ in range(2)) < n_fits * VECTOR / 2


@actions
def test_nothing_holds_on_to_the_features(action):
    """Without waiting for the collector of cycles, which may take minutes to come by: X can be gigabytes."""
    X, y = labelled()
    action(X, y)
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(X), sys.getrefcount(y)
        action(X, y)
        assert (sys.getrefcount(X), sys.getrefcount(y)) == before
        alive = weakref.ref(X)
        del X
        assert alive() is None
    finally:
        gc.enable()


@actions
def test_no_thread_stays(action):
    X, y = labelled()
    action(X, y)
    wait_until(lambda: not threads_of_fits())


@pytest.mark.parametrize("shape", [(600, 12), (30, 60)])
def test_a_fitted_model_holds_coefficients_and_no_vector_of_samples(shape):
    X, y = labelled(*shape)
    model = LogisticRegression().fit(X, y)
    arrays = [value for value in vars(model).values() if isinstance(value, np.ndarray)]
    assert max(array.size for array in arrays) == shape[1]
    assert all(array.base is None or array.base.size <= shape[1] + 1 for array in arrays)
