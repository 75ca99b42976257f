"""Ctrl-C ends a fit at once, however long the pass it meets, and leaves nothing behind."""

import os
import signal
import threading

import numpy as np
import pytest
from conftest import threads_of_fits, wait_until
from threadpoolctl import threadpool_info

from fastlr import LogisticRegression, functional
from fastlr.runtime.jit import CONTRACT, kernel
from fastlr.runtime.rounds import NO_BLOCK, _sched_yield, atomic_load, take
from fastlr.runtime.team import Task, Team

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this platform sends itself no signals")


@pytest.fixture(autouse=True)
def heard():
    """Ctrl-C as Python has it: a shell's jobs in the background start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@kernel(CONTRACT)
def _serve_slowly(state, n_blocks, seen, task, gate, begun):
    """A pass whose blocks end when the gate opens, and no sooner."""
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        begun[block] = 1
        while atomic_load(gate, 0) == 0:
            _sched_yield()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_pass_that_does_not_end_by_itself(n_threads):
    n_blocks = 8
    gate, begun = np.zeros(1, np.int64), np.zeros(n_blocks, np.int64)
    task = Task(_serve_slowly, (gate, begun), tuple)
    state = np.zeros(32, np.int64)
    gate[0] = 1
    task.serve(state, 0, 0, 0, gate, begun)  # compiled before the clock runs
    task.compiled = True
    gate[0] = 0
    opened_by_watchdog = []

    def interrupt():
        wait_until(lambda: begun.sum() >= n_threads)
        os.kill(os.getpid(), signal.SIGINT)

    def open_the_gate():
        opened_by_watchdog.append(True)
        gate[0] = 1

    threads = [threading.Thread(target=interrupt), threading.Timer(30, open_the_gate)]
    for thread in threads:
        thread.start()
    try:
        with pytest.raises(KeyboardInterrupt), Team(n_threads) as team:
            team.run(task, 1, n_blocks, work=10**9)
        assert not opened_by_watchdog, "the pass was waited for"
    finally:
        threads[1].cancel()
        gate[0] = 1
    for thread in threads:
        thread.join()
    wait_until(lambda: not threads_of_fits())
    assert begun.sum() == n_threads, "a block was started after the interrupt"
    with pytest.raises(RuntimeError, match="interrupted"):
        team.run(task, 1, n_blocks, work=10**6)


def labelled(n_samples, n_features, dtype="float64"):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    X = rng.integers(0, 256, (n_samples, n_features), dtype=np.uint8).astype(dtype, copy=False)
    X[:, 0] = 40 * y + X[:, 0] // 4
    return X, y


def interrupt_the_first_long_pass():
    """Send Ctrl-C as soon as a long pass has begun."""

    def send():
        wait_until(threads_of_fits)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


# Gram matrix, Hessian, and a pass, each of several times the size from which a pass counts as long.
LONG_FITS = [("gram_newton", (700, 4_000)), ("newton_cholesky", (6_000, 500)), ("newton_cg", (6_000, 500))]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(("solver", "shape"), LONG_FITS)
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(solver, shape, n_jobs, monkeypatch):
    if solver == "newton_cg":
        monkeypatch.setattr("fastlr.runtime.team._LONG_WORK", shape[0] * shape[1])
    X, y = labelled(*shape, dtype=np.uint8)
    small, small_y = labelled(60, 4)
    fitted, unfitted = LogisticRegression().fit(small, small_y), LogisticRegression()
    blas_before = [library["num_threads"] for library in threadpool_info()]
    for model in (fitted, unfitted):
        model.set_params(solver=solver, n_jobs=n_jobs)
        before = dict(vars(model))
        thread = interrupt_the_first_long_pass()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
        thread.join()
        assert vars(model) == before
        assert all(vars(model)[name] is value for name, value in before.items())
        wait_until(lambda: not threads_of_fits())
    assert [library["num_threads"] for library in threadpool_info()] == blas_before
    again = fitted.set_params(solver="auto").fit(small, small_y)
    assert again.coef_.tobytes() == LogisticRegression().fit(small, small_y).coef_.tobytes()


def test_a_fit_led_from_another_thread_has_the_same_bits(monkeypatch):
    X, y = labelled(3_000, 40)
    expected = LogisticRegression(n_jobs=1).fit(X, y).coef_.tobytes()
    monkeypatch.setattr("fastlr.runtime.team._LONG_WORK", 1)
    for n_jobs in (1, 2, 3):
        assert LogisticRegression(n_jobs=n_jobs).fit(X, y).coef_.tobytes() == expected

    def refuse(function, *arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("fastlr.runtime.team.start", refuse)
    assert LogisticRegression(n_jobs=2).fit(X, y).coef_.tobytes() == expected


def test_an_error_of_a_pass_led_from_another_thread_is_raised(monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Team(1) as team:
        team.run(Task(fail, (), tuple), 1, 1, work=10**9)


def test_ctrl_c_between_two_steps_of_the_study_ends_them():
    x, y = labelled(50, 4)
    w, b = functional.initialize_weights_and_bias(4)

    def interrupt(iteration, cost):
        if iteration == 3:
            signal.raise_signal(signal.SIGINT)

    arguments = (w, b, x.T / 255, y[None, :], 0.1, 20)
    expected = functional.update(*arguments, verbose=False)[2]
    with pytest.raises(KeyboardInterrupt):
        functional.update(*arguments, callback=interrupt, verbose=False)
    assert functional.update(*arguments, verbose=False)[2] == expected
    assert not threads_of_fits()


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_to_blocks_ends_while_a_block_is_being_read_and_can_be_gone_on_with(warm_start):
    X, y = labelled(600, 9)
    gate, readings = threading.Event(), []

    def make():
        readings.append(len(readings))
        yield X[:300], y[:300]
        if len(readings) == 5 and not gate.is_set():  # labels, and three passes, are done
            os.kill(os.getpid(), signal.SIGINT)  # to all threads, as Ctrl-C does: this is the reader's
            gate.wait(30)
        yield X[300:], y[300:]

    model = LogisticRegression(warm_start=warm_start, tol=1e-12)
    with pytest.raises(KeyboardInterrupt, match=r"after 3 passes over X, at an objective of .*gap") as interrupt:
        model.fit(make)
    assert ("would go on" in str(interrupt.value)) != warm_start
    assert not gate.is_set()
    assert not hasattr(model, "coef_")
    gate.set()
    fresh = LogisticRegression(tol=1e-12).fit(make)
    model.fit(make)
    np.testing.assert_allclose(model.coef_, fresh.coef_, rtol=1e-5)
    assert model.history_[0]["value"] < fresh.history_[0]["value"] if warm_start else model.n_iter_ == fresh.n_iter_
    again = model.fit(make)  # what an interrupt left is used once
    assert (again.n_iter_ == 0) == warm_start
