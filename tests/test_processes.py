"""Fits in forked, spawned and pooled processes, in many threads, and inside each other: the same bits, no more threads.

`fits` runs everywhere: it returns the bits of some fits, and how many helper threads they started.
"""

import importlib.util
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from conftest import run_python
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits

from fastlr import LogisticRegression
from fastlr.linalg.blas import single_threaded_blas
from fastlr.runtime import team
from fastlr.runtime.team import effective_n_threads

START_METHODS = multiprocessing.get_all_start_methods()
needs_fork = pytest.mark.skipif("fork" not in START_METHODS, reason="this platform does not fork")

# Python 3.12 and later warn of any fork while there are threads, and joblib keeps some.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

N_TASKS = 4
TIMEOUT = 120


def labelled(seed, n_samples=2_600, n_features=100):
    """Large enough for several blocks, and for helpers to start."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    return X, (X[:, 0] + rng.normal(size=n_samples) > 0).astype(int)


def fits(seed, n_jobs=None):
    """Bits of a fit, and the number of helpers it started."""
    helpers, start = set(), team.start
    mine = threading.get_ident()

    def count(function, *arguments, **options):
        if threading.get_ident() == mine:
            helpers.add(arguments[0])  # one that got tired of waiting is followed by another of its number
        return start(function, *arguments, **options)

    X, y = labelled(seed)
    team.start = count
    try:
        model = LogisticRegression(n_jobs=n_jobs).fit(X, y)
    finally:
        team.start = start
    return model.coef_.tobytes() + model.intercept_.tobytes(), len(helpers)


@pytest.fixture(scope="module")
def alone():
    """What each task gives on one thread; computed after a fit with helpers in this process."""
    assert fits(0, 2)[1] == 1
    return [fits(seed, 1)[0] for seed in range(N_TASKS)]


def test_the_tasks_differ(alone):
    assert len(set(alone)) == N_TASKS


# ------------------------------------------------------------------------------------------------------- processes


@pytest.mark.parametrize("method", START_METHODS)
def test_children_of_multiprocessing_fit_the_same_bits_on_one_thread_each(method, alone):
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(fits, range(N_TASKS)).get(TIMEOUT)
    assert results == [(bits, 0) for bits in alone]


@needs_fork
def test_a_forked_child_may_ask_for_threads(alone):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(fits, (1, 2)).get(TIMEOUT) == (alone[1], 1)


@needs_fork
def test_workers_of_an_executor_fit_the_same_bits_on_one_thread_each(alone):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(fits, range(N_TASKS), timeout=TIMEOUT)) == [(bits, 0) for bits in alone]


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_workers_of_joblib_fit_the_same_bits_on_one_thread_each(backend, alone):
    parallel = joblib.Parallel(n_jobs=2, backend=backend, timeout=TIMEOUT)
    # A thread of joblib cannot count in the others' place: fits in threads patch the same function.
    results = parallel(joblib.delayed(_count_threads if backend == "threading" else fits)(k) for k in range(N_TASKS))
    assert results == [(bits, 0) for bits in alone]


def _count_threads(seed):
    """As `fits`, for several at once in one process."""
    X, y = labelled(seed)
    n_threads = effective_n_threads()
    model = LogisticRegression().fit(X, y)
    return model.coef_.tobytes() + model.intercept_.tobytes(), n_threads - 1


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_a_search_has_the_same_scores_in_every_backend(backend):
    X, y = labelled(0, 300, 5)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3, n_jobs=2, scoring="neg_log_loss")
    with joblib.parallel_config(backend=backend):
        scores = search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(n_jobs=1):
        np.testing.assert_array_equal(scores, search.fit(X, y).cv_results_["mean_test_score"])


_FORK_FIRST = """
import os, sys
from threadpoolctl import threadpool_info
import numpy as np
from fastlr import LogisticRegression
rng = np.random.default_rng(0)
X = rng.normal(size=(2_600, 100))
y = (X[:, 0] > 0).astype(int)

def bits():
    return LogisticRegression(n_jobs=2).fit(X, y).coef_.tobytes()

receiver, sender = os.pipe()
child = os.fork()
if not child:
    with os.fdopen(sender, "wb") as file:
        file.write(bits())
    os._exit(0)
os.close(sender)
with os.fdopen(receiver, "rb") as file:
    assert file.read() == bits()
assert os.waitpid(child, 0)[1] == 0
"""


@needs_fork
def test_the_first_fit_may_be_that_of_a_forked_child():
    run_python(_FORK_FIRST)


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@needs_fork
def test_a_fork_in_the_middle_of_another_threads_fit_leaves_the_child_free():
    """The child inherits the other thread's limit on BLAS, but not the thread, which would lift it."""
    entered, may_leave = threading.Event(), threading.Event()
    before = blas_threads()

    def other():
        with single_threaded_blas():
            entered.set()
            may_leave.wait(TIMEOUT)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(TIMEOUT)
    try:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(blas_threads).get(TIMEOUT) == before
            assert pool.apply_async(fits, (0,)).get(TIMEOUT)[1] == 0
            assert pool.apply_async(blas_threads).get(TIMEOUT) == before
    finally:
        may_leave.set()
        thread.join()
    assert blas_threads() == before


@needs_fork
def test_a_fork_while_the_lock_of_blas_is_held_does_not_stop_the_child(alone):
    held, may_leave = threading.Event(), threading.Event()

    def other():
        from fastlr.linalg import blas

        with blas._lock:
            held.set()
            may_leave.wait(TIMEOUT)

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(TIMEOUT)
    try:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(fits, (0,)).get(TIMEOUT) == (alone[0], 0)
    finally:
        may_leave.set()
        thread.join()


# --------------------------------------------------------------------------------------------------------- threads


def test_eight_fits_at_once_give_the_bits_of_each_alone(alone):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(_count_threads, [*range(N_TASKS)] * 2)) == [(bits, 0) for bits in alone] * 2


def test_a_limit_of_threadpoolctl_and_of_the_environment_bound_the_helpers_of_a_fit():
    with threadpool_limits(1):
        assert fits(0)[1] == 0
    here = run_python(_COUNT_HELPERS, os.path.dirname(__file__), OMP_NUM_THREADS="1")
    assert here.split() == ["0", "1"]


_COUNT_HELPERS = """
import sys
sys.path.insert(0, sys.argv[1])
from test_processes import fits
print(fits(0)[1], fits(0, 2)[1])
"""


def test_threads_inside_joblibs_threads_do_not_multiply(alone):
    """Two tasks at once, each with two more inside, each of these with fits: no helper anywhere."""

    def inner(first):
        parallel = joblib.Parallel(n_jobs=2, backend="threading")
        return parallel(joblib.delayed(_count_threads)(seed) for seed in (first, first + 1))

    results = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(inner)(first) for first in (0, 2))
    assert [result for pair in results for result in pair] == [(bits, 0) for bits in alone]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs dask's distributed")
def test_a_dask_cluster_with_two_threads_a_worker_fits_the_same_bits(alone):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert client.gather(client.map(_count_threads, range(N_TASKS))) == [(bits, 0) for bits in alone]
