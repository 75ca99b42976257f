"""Threads that live as long as one fit and share its passes over X.

A pass over mid-size data takes 0.1 to 5 ms, and waking a sleeping thread can cost 0.2 ms of it. So the threads of a
`Team` stay inside one compiled, GIL-free kernel and wait for the next pass by spinning briefly, then yielding the
core; after two milliseconds in vain they end, and the next pass starts them anew. Blocks of rows are claimed one by
one from a shared counter; each block writes sums of its own, so who worked on it, and how many threads there were,
cannot be seen in the result.

Nothing outlives a fit: no pool to break at a fork, and fits in several Python threads do not meet.

A signal reaches Python only between two instructions of the main thread, never inside a kernel. So the main thread
leaves a long pass to another thread and waits: Ctrl-C ends the wait at once, and no further block is started.
"""

import logging
import multiprocessing
import os
import threading
import time

import joblib
import numpy as np
from threadpoolctl import threadpool_info

try:
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
except ImportError:  # a private function
    _openmp_effective_n_threads = None

_STATE_SIZE = 32  # the places that `_rounds` uses, a cache line each

# Where another process holds a core, the leader may wait a time slice, milliseconds, for a helper that was stopped
# inside a block. Helpers that cost more than they bring rest for some passes, twice as many the next time.
_EXCESS_SECONDS = 1e-3
_EXCESS_PASSES = 4
_FIRST_REST = 32
_LONGEST_REST = 4_096

_WAIT_SECONDS = 0.1  # between looks at signals, where waiting does not end with one

_logger = logging.getLogger("fastlr")

def effective_n_threads(n_jobs=None):
    """Number of threads a fit may use.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn: a count, or negative to count from the number of cores (-1: all). ``None`` takes what the
        process is allowed (its CPU affinity, ``OMP_NUM_THREADS``, threadpoolctl limits, joblib's process workers),
        but one thread inside a joblib task, in a child of multiprocessing or outside the main thread, where others
        already share the cores.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n_jobs` is neither None nor a nonzero integer.
    """
    if n_jobs is None:
        nested = joblib.parallel.get_active_backend()[0].nesting_level
        if nested or multiprocessing.parent_process() is not None or not _in_main_thread():
            return 1
        return max(1, (_openmp_effective_n_threads or _allowed_threads)())
    if isinstance(n_jobs, (bool, np.bool_)) or not isinstance(n_jobs, (int, np.integer)):
        raise TypeError(f"n_jobs must be None or an integer, got {n_jobs!r}")
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: pass a number of threads, -1 for all cores, or None")
    if n_jobs < 0:
        return max(1, _available_cores() + 1 + int(n_jobs))
    return int(n_jobs)


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def _allowed_threads():
    """What scikit-learn's function tells, by way of the limits of the OpenMP libraries that are loaded."""
    limits = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"]
    return min([_available_cores(), *limits])


def _available_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _current_core():
    """Number of the core the calling thread is on; -1 where the system does not tell."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/stat", encoding="ascii") as file:
            return int(file.read().rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return -1


def _leave_core(core, worker):
    """Move the calling thread to another core than `core`; the system may move it on from there.

    A new thread sits on its maker's core, and Linux was seen to leave it there, the two in turns, for 0.1 s and more.
    """
    if core < 0 or not hasattr(os, "sched_setaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    others = sorted(allowed - {core})
    if others:
        try:
            os.sched_setaffinity(0, {others[(worker - 1) % len(others)]})
            os.sched_setaffinity(0, allowed)
        except OSError as error:  # a container that forbids it
            _logger.info("helper threads stay where they are: %r", error)


class Task:
    """A kernel, the arrays it works on, and what each thread needs to itself.

    Parameters
    ----------
    serve : Numba dispatcher
        ``serve(state, n_blocks, seen, task, *work_space, *arguments)``. Takes blocks of the task and does the operation
        that `state` names. The leader, who has ``n_blocks >= 0``, returns when they are done; a helper, -1, takes part
        in round after round until there was none for a while, or one is of another task. Returns `seen`, or -1.
    arguments : tuple of ndarray
        Stay in place for the life of the task; their contents may change between rounds.
    work_space : callable
        Makes the arrays that one thread works in, so that nothing is allocated, and nothing can fail, in a kernel.
    """

    def __init__(self, serve, arguments, work_space):
        self.serve = serve
        self.arguments = arguments
        self._work_space = work_space
        self._spaces = {}
        self.compiled = False
        self.fastest = {}  # seconds of a pass with helpers, by operation

    def space(self, worker):
        """Work space of a worker; 0 is the leader."""
        if worker not in self._spaces:
            self._spaces[worker] = self._work_space()
        return self._spaces[worker]


class Team:
    """The calling thread and its helpers, working through the blocks of one pass after another.

    Parameters
    ----------
    n_threads : int
        How many threads work, the calling one included.
    """

    def __init__(self, n_threads):
        self.n_threads = n_threads
        self._state = np.zeros(_STATE_SIZE, dtype=np.int64)
        self._threads = {}  # by worker
        self._leader_core = None
        self._task = None
        self._number = 0  # of the task, counted up whenever it changes
        self._abandoned = False
        self._excess = 0.0  # seconds that passes with helpers took longer than they would have without
        self._resting = 0  # passes that helpers still sit out
        self._next_rest = _FIRST_REST

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Send the helpers home and wait for them; not for those of a pass that was interrupted."""
        self._task = None
        self._number += 1
        if self._threads:
            from ._rounds import open_round

            open_round(self._state, self._number, 0, 0)
            for thread in self._threads.values():
                thread.join()
            self._threads = {}

    def run(self, task, operation, n_blocks, *, alone=False, long=False):
        """Do one operation of a task on all its blocks; returns when every block is written.

        `alone` leaves the work to the calling thread, for passes that take less than waking another. `long` lets
        Ctrl-C end the pass, for those that take longer than a user would wait. The team is then of no more use.
        """
        from ._rounds import open_round  # here, because a fit to a small X has a team but does without Numba

        if self._abandoned:  # its threads may still write where this pass would
            raise RuntimeError("a pass of this team was interrupted: start anew, with another team and other buffers")
        own = task.space(0)
        if task is not self._task:
            self._number += 1
            self._task = task
        number = self._number
        helped = self.n_threads > 1 and n_blocks > 1 and not alone
        if helped and self._resting:
            self._resting -= 1
            helped = False
        if helped:
            if not task.compiled:
                # In this thread first: helpers would only queue behind the compiler's lock.
                task.serve(self._state, 0, 0, number, *own, *task.arguments)
                task.compiled = True
            self._start_helpers()
        open_round(self._state, number, operation, n_blocks)
        arguments = (self._state, n_blocks, 0, number, *own, *task.arguments)
        started = time.perf_counter()
        if not (long and _in_main_thread() and self._wait_for(task.serve, arguments)):
            task.serve(*arguments)
        if helped:
            self._account(task, operation, time.perf_counter() - started)

    def _account(self, task, operation, seconds):
        """Let helpers rest that cost more than they bring. Who works on a pass cannot be seen in its result."""
        fastest = task.fastest[operation] = min(seconds, task.fastest.get(operation, seconds))
        alone = self.n_threads * fastest  # at most, for the leader would not have to wait
        self._excess = max(0.0, self._excess + seconds - alone)
        if self._excess > max(_EXCESS_SECONDS, _EXCESS_PASSES * alone):
            self._excess = 0.0
            self._resting = self._next_rest
            self._next_rest = min(2 * self._next_rest, _LONGEST_REST)

    def _wait_for(self, serve, arguments):
        """Lead from another thread and wait for it, open to signals; False if the system gives no thread."""
        done, errors = threading.Event(), []

        def lead():
            try:
                serve(*arguments)
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=lead, name="fastlr-0", daemon=True)
        try:
            try:
                thread.start()
            except RuntimeError:
                return False
            while not done.wait(_WAIT_SECONDS):
                pass
        except BaseException:
            self._abandon()
            raise
        if errors:
            raise errors[0]
        return True

    def _abandon(self):
        """Leave an unfinished pass: its threads end with the blocks they are in, and nobody waits for them."""
        self._abandoned = True
        self._threads = {}
        self._task = None
        self._number += 1
        from ._rounds import _COUNT_MASK, _DONE, open_round

        open_round(self._state, self._number, 0, 0)
        self._state[_DONE] = _COUNT_MASK  # more than any leader waits for

    def _start_helpers(self):
        """Start the helpers that are not there: none was needed so far, or they got tired of waiting."""
        self._leader_core = None
        for worker in range(1, self.n_threads):
            if worker in self._threads and self._threads[worker].is_alive():
                continue
            if self._leader_core is None:
                self._leader_core = _current_core()
            thread = threading.Thread(target=self._help, args=(worker,), name=f"fastlr-{worker}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads: those at work suffice
                return
            self._threads[worker] = thread

    def _help(self, worker):
        _leave_core(self._leader_core, worker)
        while True:
            # Number before task: of the two, a change in between can then only give an old number, which is refused.
            number, task = self._number, self._task
            if task is None or task.serve(self._state, -1, 0, number, *task.space(worker), *task.arguments) >= 0:
                return
