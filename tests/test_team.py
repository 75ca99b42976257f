"""Threads come, go, fail, fork and meet other threads, and nobody can tell from the result."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from conftest import make_problem, threads_of_fits, wait_until
from numba import njit
from threadpoolctl import threadpool_limits

import fastlr
from fastlr import functional
from fastlr.kernels import dense
from fastlr.runtime import team, threads
from fastlr.runtime.blocks import block_rows, count_blocks
from fastlr.runtime.rounds import is_odd, open_round, operation, take
from fastlr.runtime.team import effective_n_threads
from fastlr.solvers import gradient_descent

N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture(scope="module")
def problem():
    """Large enough for several blocks, and for threads."""
    return make_problem(5203, 97, "float64", "C", "random")


def bits_of_pass(problem, n_threads):
    with problem.threaded(n_threads) as design:
        loss, gradient = design.loss_gradient(problem.coef)
        return np.append(gradient, loss).tobytes()


def bits_of_fit(problem, n_threads):
    with problem.threaded(n_threads) as design:
        options = {"learning_rate": 0.05, "n_iterations": 30, "method": "fused"}
        result = gradient_descent.solve(design.matrix, design.loss, problem.coef, **options)
    return np.concatenate([result.coef, result.costs]).tobytes()


# ---------------------------------------------------------------------------------------------------- how many


@pytest.mark.parametrize(("n_jobs", "expected"), [(1, 1), (2, 2), (7, 7), (np.int64(3), 3), (-1, N_CORES), (-1000, 1)])
def test_n_jobs_counts_threads(n_jobs, expected):
    assert effective_n_threads(n_jobs) == expected


def test_negative_n_jobs_counts_from_all_cores():
    assert effective_n_threads(-2) == max(1, N_CORES - 1)


@pytest.mark.parametrize(
    ("n_jobs", "error"),
    [(0, ValueError), *((value, TypeError) for value in (True, False, np.True_, "2", 1.5, 2.0, [1], np.nan))],
)
def test_bad_n_jobs_raises_an_error_that_names_it(n_jobs, error):
    with pytest.raises(error, match="n_jobs"):
        effective_n_threads(n_jobs)


def test_default_is_what_the_process_is_allowed():
    assert 1 <= effective_n_threads() <= os.cpu_count()
    assert effective_n_threads(None) == effective_n_threads()


def test_a_threadpoolctl_limit_bounds_the_default():
    with threadpool_limits(1):
        assert effective_n_threads() == 1


def test_omp_num_threads_bounds_the_default():
    code = "from fastlr.runtime.team import effective_n_threads as n; print(n())"
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(Path(fastlr.__file__).parents[1]))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_default_is_one_thread_inside_joblib(backend):
    inside = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(effective_n_threads)() for _ in range(4))
    assert inside == [1] * 4
    asked = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(effective_n_threads)(3) for _ in range(2))
    assert asked == [3, 3]


def test_the_default_is_one_thread_outside_the_main_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(effective_n_threads()))
    thread.start()
    thread.join()
    assert seen == [1]


# ------------------------------------------------------------------------------------------------ come and go


def test_idle_helpers_end_by_themselves_and_a_later_pass_starts_others(problem):
    expected = bits_of_pass(problem, 1)
    design = problem.design(3)  # never closed
    for _ in range(3):
        loss, gradient = design.loss_gradient(problem.coef)
        assert np.append(gradient, loss).tobytes() == expected
        assert len(design.team._threads) == 2
        wait_until(lambda: not threads_of_fits())


def test_close_sends_all_threads_home_and_may_come_twice(problem):
    with problem.threaded(4) as design:
        design.loss_gradient(problem.coef)
        design.hessian()
        assert len(design.team._threads) == 3
    wait_until(lambda: not any(running.locked() for running in design.team._threads.values()))
    design.team.close()
    assert design.team._threads == {}
    assert np.append(*reversed(design.loss_gradient(problem.coef))).tobytes() == bits_of_pass(problem, 1)
    design.team.close()
    wait_until(lambda: not threads_of_fits())


def test_a_fit_leaves_no_thread_behind(problem):
    bits_of_fit(problem, 4)
    design = problem.design(4)
    options = {"learning_rate": 0.05, "n_iterations": 3, "method": "gram"}
    gradient_descent.solve(design.matrix, design.loss, problem.coef, **options)
    wait_until(lambda: not threads_of_fits())


def test_thousands_of_rounds_with_more_threads_than_cores_give_the_same_bits(problem):
    with problem.threaded(1) as design:
        expected = design.loss_gradient(problem.coef)[1].tobytes()
    with problem.threaded(N_CORES + 3) as design:
        for k in range(1_000):
            assert design.loss_gradient(problem.coef)[1].tobytes() == expected, f"round {k}"
            if k % 3 == 0:
                design.raw_prediction(problem.coef)


def test_threads_that_cannot_be_started_are_done_without(problem, monkeypatch):
    expected = bits_of_pass(problem, 1)
    start, started = team.start, []

    def refuse(function, *arguments, other_core):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(arguments)
        return start(function, *arguments, other_core=other_core)

    monkeypatch.setattr(team, "start", refuse)
    assert bits_of_pass(problem, 3) == expected  # one helper came
    assert len(started) == 1
    assert bits_of_pass(problem, 3) == expected  # none came
    assert bits_of_fit(problem, 2) == bits_of_fit(problem, 1)


def test_an_interrupt_right_behind_the_start_of_a_thread_lets_it_end(monkeypatch):
    start_new_thread = threads._thread.start_new_thread

    def start_and_interrupt(*arguments):
        start_new_thread(*arguments)
        raise KeyboardInterrupt

    ran = threading.Event()
    monkeypatch.setattr(threads, "_thread", SimpleNamespace(**vars(threads._thread)))
    monkeypatch.setattr(threads._thread, "start_new_thread", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        threads.start(ran.set)
    assert ran.wait(60)
    wait_until(lambda: not threads_of_fits())


# ----------------------------------------------------------------------------------------------- many at once


def in_threads(tasks):
    """Run all at once, each in a Python thread; their results in order, or the first error."""
    results, errors = [None] * len(tasks), []
    barrier = threading.Barrier(len(tasks))

    def run(k, task):
        try:
            barrier.wait()
            results[k] = task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.mark.parametrize("n_threads", [1, 2])
def test_eight_fits_at_once_give_the_bits_of_each_alone(n_threads):
    tasks = [make_problem(2603, 97, ("float64", "uint8")[k % 2], "CF"[k // 2 % 2], None, seed=k) for k in range(8)]
    alone = [bits_of_fit(problem, 1) for problem in tasks]
    assert len(set(alone)) == 8
    assert in_threads([lambda p=problem: bits_of_fit(p, n_threads) for problem in tasks]) == alone


def test_the_studys_functions_run_in_many_threads(problem):
    x, y = problem.X.T, problem.y[None, :]
    w, b = functional.initialize_weights_and_bias(97)

    def fit():
        return functional.update(w, b, x, y, 0.05, 10, method="fused", verbose=False)[2]

    assert in_threads([fit] * 6) == [fit()] * 6


def test_fits_inside_joblib_give_the_bits_of_each_alone(problem):
    alone = bits_of_fit(problem, 1)
    results = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(bits_of_fit)(problem, 2) for _ in range(4))
    assert results == [alone] * 4


# -------------------------------------------------------------------------------------------------------- fork


def _fit_in_child(connection, problem, design):
    loss, gradient = design.loss_gradient(problem.coef)
    design.team.close()
    connection.send((np.append(gradient, loss).tobytes(), bits_of_fit(problem, 2)))
    connection.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gives_the_same_bits_after_a_threaded_fit(problem):
    expected_pass, expected_fit = bits_of_pass(problem, 2), bits_of_fit(problem, 2)
    context = multiprocessing.get_context("fork")
    with problem.threaded(3) as design:
        for _ in range(3):
            design.loss_gradient(problem.coef)  # its helpers may wait for the next round, or have ended
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=_fit_in_child, args=(sender, problem, design))
            child.start()
            try:
                assert receiver.poll(60), "the child does not answer"
                assert receiver.recv() == (expected_pass, expected_fit)
                child.join(60)
                assert child.exitcode == 0
            finally:
                if child.is_alive():
                    child.kill()
        loss, gradient = design.loss_gradient(problem.coef)  # the parent goes on
        assert np.append(gradient, loss).tobytes() == expected_pass


# ------------------------------------------------------------------------------------------------- busy neighbours


class Clock:
    """Tells the time it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def test_helpers_that_cost_more_than_they_bring_rest_and_come_back(problem, monkeypatch):
    expected = bits_of_pass(problem, 1)
    clock = Clock()
    policy = {"rest": team.Rest(), "clock": clock}
    serve = dense.serve

    def asks_for_helpers():
        """Whether a pass of a new fit does."""
        with problem.threaded(2, **policy) as design:
            assert np.append(*reversed(design.loss_gradient(problem.coef))).tobytes() == expected
            return bool(design.team._threads)

    def meet_a_neighbour():
        """A fit whose third pass waits for a helper that another process stopped."""
        with problem.threaded(2, **policy) as design:
            for seconds in (1e-4, 1e-4, 5e-3):

                def slow(*arguments, seconds=seconds):
                    clock.now += seconds * (arguments[1] > 0)
                    return serve(*arguments)

                design.matrix._passes_for(design.loss)._round.args[0].serve = slow
                assert np.append(*reversed(design.loss_gradient(problem.coef))).tobytes() == expected

    rests = []
    for _ in range(9):
        assert asks_for_helpers()
        meet_a_neighbour()
        began = clock.now
        assert not asks_for_helpers()
        while not asks_for_helpers():
            clock.now += 0.001
        rests.append(clock.now - began)
    np.testing.assert_allclose(rests[:3], np.array([1.0, 2.0, 4.0]) * rests[0], rtol=0.1)
    assert rests[-1] == pytest.approx(rests[-2], abs=0.002)  # no longer than that
    clock.now += 100.0  # quiet all the while
    meet_a_neighbour()
    began = clock.now
    while not asks_for_helpers():
        clock.now += 0.001
    assert clock.now - began == pytest.approx(rests[0], abs=0.002)


def test_a_leader_waits_neither_for_helpers_to_start_nor_for_them_to_end(problem, monkeypatch):
    """Beside a process that holds their core, either may take milliseconds."""
    gate, started, ended = threading.Event(), [], []
    start = team.start

    def start_late(function, *arguments, other_core):
        def wait_and_help():
            gate.wait()
            function(*arguments)
            ended.append(arguments)

        started.append(arguments)
        return start(wait_and_help)

    expected = bits_of_pass(problem, 1)
    monkeypatch.setattr(team, "start", start_late)
    watchdog = threading.Timer(30, gate.set)  # so that a leader who does wait fails the test and does not stop it
    watchdog.start()
    with problem.threaded(3) as design:
        for _ in range(3):
            assert np.append(*reversed(design.loss_gradient(problem.coef))).tobytes() == expected
    assert not ended
    # Those that have not ended keep their places: two threads in one would share a work space.
    assert np.append(*reversed(design.loss_gradient(problem.coef))).tobytes() == expected
    assert len(started) == 2
    design.team.close()
    watchdog.cancel()
    gate.set()
    wait_until(lambda: len(ended) == 2)
    design.team.close()
    assert design.team._threads == {}


def test_a_core_that_is_hard_to_get_at_the_end_of_a_fit_is_a_reason_to_rest(problem):
    clock, rest = Clock(), team.Rest()

    class Slow:
        def acquire(self, timeout):
            clock.now += 1.0
            return True

    tired = problem.design(2, rest=rest, clock=clock).team
    for moment in (False, True):
        if moment:
            tired._threads = {1: Slow()}
        tired.close()
        assert (rest.until > clock.now) == moment


def test_there_are_no_more_helpers_than_blocks(problem, monkeypatch):
    started = []
    monkeypatch.setattr(team, "start", lambda *arguments, other_core: started.append(arguments) or threading.Lock())
    with problem.threaded(1_000_000) as design:
        design.loss_gradient(problem.coef)
        assert 0 < len(started) < count_blocks(len(problem.X), block_rows(*problem.X.shape))


@pytest.mark.skipif(threads._sched_getcpu is None or N_CORES < 2, reason="needs Linux and two cores")
def test_a_helper_begins_on_another_core_and_may_go_anywhere():
    allowed, seen = os.sched_getaffinity(0), []

    def note():
        seen.append((threads._sched_getcpu(), threading.get_native_id()))
        wait_until(lambda: os.sched_getaffinity(0) == allowed)

    elsewhere = 0
    for k in range(20):
        before = threads._sched_getcpu()
        running = threads.start(note, other_core=1)
        stayed = threads._sched_getcpu() == before
        assert running.acquire(timeout=60)
        elsewhere += stayed and seen[k][0] != before
    assert elsewhere > 0  # the system may have moved it back, or this thread, before it looked
    assert len(seen) == 20


def test_a_thread_is_not_moved_after_its_end(monkeypatch):
    """Its handle would be one of nothing."""
    returned, there = threading.Event(), []

    def move(thread, other_core):
        assert returned.wait(60)
        time.sleep(0.02)
        there.append(thread in sys._current_frames())

    monkeypatch.setattr(threads, "_pthread_setaffinity", True)
    monkeypatch.setattr(threads, "_move", move)
    assert threads.start(returned.set, other_core=1).acquire(timeout=60)
    assert there == [True]


def test_where_the_system_knows_no_cores_threads_stay_where_they_are(problem, monkeypatch):
    monkeypatch.setattr(threads, "_sched_getcpu", None)
    monkeypatch.setattr(threads, "_pthread_setaffinity", None)
    assert bits_of_pass(problem, 2) == bits_of_pass(problem, 1)


@njit
def _take_late(state, seen, task, block):
    seen, block = take(state, -1, seen, task, block)
    return seen, block, operation(state), is_odd(state)


def test_a_late_helper_goes_through_the_blocks_as_the_others_of_its_round_do():
    # One that was stopped between two blocks knows only of the round before, but gets a block of the new one.
    state = np.zeros(32, np.int64)
    ways = []
    for number in range(1, 5):
        open_round(state, 7, number + 10, 3)
        seen, block, what, odd = _take_late(state, number - 1, 7, 0)
        assert (seen, block, what) == (number - 1, 2, number + 10)
        ways.append(odd)
    assert ways == [False, True, False, True]
