"""Threads that live as long as one fit and share its passes over X.

A pass over mid-size data takes 0.1 to 5 ms, and waking a sleeping thread can cost 0.2 ms of it. So the threads of a
`Team` stay inside one compiled, GIL-free kernel and wait for the next pass by spinning briefly, then yielding the
core; after two milliseconds in vain they end, and the next pass starts them anew. Blocks of rows are claimed one by
one from a shared counter; each block writes sums of its own, so who worked on it, and how many threads there were,
cannot be seen in the result.

Nothing outlives a fit: no pool to break at a fork, and fits in several Python threads do not meet. A leader waits for
nobody who has no block in hand: not for threads to start, and hardly for them to end, since beside a process that
holds a core either may take milliseconds.

A signal reaches Python only between two instructions of the main thread, never inside a kernel. So the main thread
leaves a long pass to another thread and waits: Ctrl-C ends the wait at once, and no further block is started.
"""

import multiprocessing
import threading
import time

import joblib
import numpy as np
from threadpoolctl import threadpool_info

from .threads import available_cores, start, wait_for

try:
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
except ImportError:  # a private function
    _openmp_effective_n_threads = None

_STATE_SIZE = 32  # the places that `rounds` uses, a cache line each

# Entries of dense X below which a pass takes less than the start of a thread, and from which on it takes 10 to 70 ms.
_LEAST_WORK = 250_000
_LONG_WORK = 75_000_000

# Seconds that passes may take longer with helpers than without, before these rest; and how long they do, seconds.
_EXCESS = 1e-3
_FIRST_REST = 0.02
_LONGEST_REST = 1.0

# Seconds to wait for helpers to end. They do within 0.1 ms, unless another process holds the core they need for that.
_PARTING = 2e-4


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
        return max(1, available_cores() + 1 + int(n_jobs))
    return int(n_jobs)


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


def _allowed_threads():
    """What scikit-learn's function tells, by way of the limits of the OpenMP libraries that are loaded."""
    limits = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"]
    return min([available_cores(), *limits])


class Rest:
    """How long teams do without helpers, after these cost more than they brought.

    Helpers that share a core with another process may be stopped inside a block of rows, and then their leader waits
    for a time slice, milliseconds. That is known only afterwards, and for the next fit as well: it lasts.

    Parameters
    ----------
    excess : float
        Seconds that passes may take longer with helpers than without, before these rest.
    """

    def __init__(self, excess=_EXCESS):
        self.excess = excess
        self.until = -np.inf
        self._seconds = 0.0

    def begin(self, now):
        """Rest from `now` on: twice as long as the last time, if helpers have not paid since then."""
        again = now < self.until + self._seconds
        self._seconds = min(2.0 * self._seconds, _LONGEST_REST) if again else _FIRST_REST
        self.until = now + self._seconds


_rest = Rest()  # of the teams of this process


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
    rest : Rest, optional
        When helpers rest; by default together with those of all other teams of this process.
    clock : callable
        Tells the time, in seconds.
    """

    def __init__(self, n_threads, *, rest=None, clock=time.perf_counter):
        self.n_threads = n_threads
        self._rest, self._clock = rest or _rest, clock
        self._state = np.zeros(_STATE_SIZE, dtype=np.int64)
        self._threads = {}  # by worker: locks that are held until a thread has ended
        self._task = None
        self._number = 0  # of the task, counted up whenever it changes
        self._abandoned = False
        self._excess = 0.0  # seconds that passes with helpers took longer than they would have without

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Send the helpers home, and wait a moment for them.

        One that needs longer has nothing left to do but to end, and keeps its place until then.
        """
        self._task = None
        self._number += 1
        if self._threads:
            from .rounds import open_round

            open_round(self._state, self._number, 0, 0)
            started = self._clock()
            for worker, running in list(self._threads.items()):
                if running.acquire(timeout=_PARTING):
                    del self._threads[worker]
            ended = self._clock()
            if ended - started > self._rest.excess:  # this thread had to wait for a core itself
                self._rest.begin(ended)

    def run(self, task, operation, n_blocks, work):
        """Do one operation of a task on all its blocks; returns when every block is written.

        Passes that take less than waking a thread are left to the calling one. Those that take longer than a user would
        wait can be ended by Ctrl-C: the team is then of no more use.

        Parameters
        ----------
        task : Task
        operation : Operation
        n_blocks : int
        work : float
            How much there is to do, in entries of dense X read in a pass.
        """
        from .rounds import open_round  # here, because a fit to a small X has a team but does without Numba

        if self._abandoned:  # its threads may still write where this pass would
            raise RuntimeError("a pass of this team was interrupted: start anew, with another team and other buffers")
        own = task.space(0)
        if task is not self._task:
            self._number += 1
            self._task = task
        number = self._number
        alone = work <= _LEAST_WORK or self._clock() < self._rest.until
        n_threads = 1 if alone else min(self.n_threads, n_blocks)
        if n_threads > 1 and not task.compiled:
            # In this thread first: helpers would only queue behind the compiler's lock.
            task.serve(self._state, 0, 0, number, *own, *task.arguments)
            task.compiled = True
        started = self._clock()
        for worker in range(1, n_threads):  # here, for what a new thread allocates stays in a pool of its own
            task.space(worker)
        self._start_helpers(n_threads)
        open_round(self._state, number, int(operation), n_blocks)
        arguments = (self._state, n_blocks, 0, number, *own, *task.arguments)
        if not (work >= _LONG_WORK and _in_main_thread() and self._wait_for(task.serve, arguments)):
            task.serve(*arguments)
        if n_threads > 1:
            self._account(task, operation, n_threads, started, self._clock())

    def _account(self, task, operation, n_threads, started, ended):
        """Let helpers rest that cost more than they bring. Who works on a pass cannot be seen in its result."""
        seconds = ended - started
        fastest = task.fastest[operation] = min(seconds, task.fastest.get(operation, seconds))
        alone = n_threads * fastest  # at most, for the leader would not have to wait
        self._excess = max(0.0, self._excess + seconds - alone)
        if self._excess > max(self._rest.excess, alone):
            self._excess = 0.0
            self._rest.begin(ended)

    def _wait_for(self, serve, arguments):
        """Lead from another thread and wait for it, open to signals; False if the system gives no thread."""
        errors = []

        def lead():
            try:
                serve(*arguments)
            except BaseException as error:
                errors.append(error)

        try:
            try:
                running = start(lead)
            except RuntimeError:
                return False
            wait_for(running)
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
        from .rounds import _COUNT_MASK, _DONE, open_round

        open_round(self._state, self._number, 0, 0)
        self._state[_DONE] = _COUNT_MASK  # more than any leader waits for

    def _start_helpers(self, n_threads):
        """Start the helpers that are not there: none was needed so far, or they got tired of waiting."""
        missing = [k for k in range(1, n_threads) if k not in self._threads or not self._threads[k].locked()]
        for worker in missing:
            try:
                self._threads[worker] = start(self._help, worker, other_core=worker)
            except RuntimeError:  # the system gives no more threads: those at work suffice
                return

    def _help(self, worker):
        while True:
            # Number before task: of the two, a change in between can then only give an old number, which is refused.
            number, task = self._number, self._task
            if task is None or task.serve(self._state, -1, 0, number, *task.space(worker), *task.arguments) >= 0:
                return
