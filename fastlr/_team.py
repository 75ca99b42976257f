"""Threads that live as long as one fit and share its passes over X.

A pass over mid-size data takes 0.1 to 5 ms, and waking a sleeping thread can cost 0.2 ms of it. So the threads of a
`Team` stay inside one compiled, GIL-free kernel and wait for the next pass by spinning briefly, then yielding the
core; after half a millisecond in vain they end, and the next pass starts them anew. Blocks of rows are claimed one by one from a shared counter; each block writes
sums of its own, so who worked on it, and how many threads there were, cannot be seen in the result.

Nothing outlives a fit: no pool to break at a fork, and fits in several Python threads do not meet.
"""

import os
import sys
import threading

import joblib
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from ._jit import CONTRACT, kernel

# Places in the shared int64 state, one to a cache line so that spinning on one does not slow another.
_EPOCH, _REMAINING, _DONE, _OPERATION = 0, 8, 16, 24
_STATE_SIZE = 32

_STOP = 0  # the operation that sends the threads home; kernels number theirs from 1

_SPINS = 2_000  # about 2 us of pure spinning
_YIELDS = 1_000  # then about 0.5 ms of giving the core to whoever wants it

_sched_yield = types.ExternalFunction(
    "SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32()
)


def _item_pointer(context, builder, signature, args):
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, [args[1]], wraparound=False)


@intrinsic
def atomic_add(typingctx, state, index, amount):
    """Add to ``state[index]`` in one indivisible step; returns the value before."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature, args)
        return builder.atomic_rmw("add", pointer, args[2], "seq_cst")

    return types.int64(state, types.intp, types.int64), codegen


@intrinsic
def atomic_load(typingctx, state, index):
    """Read ``state[index]`` as other threads last wrote it."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature, args)
        return builder.load_atomic(pointer, "seq_cst", 8)

    return types.int64(state, types.intp), codegen


@intrinsic
def atomic_store(typingctx, state, index, value):
    """Write ``state[index]`` so that all earlier writes are seen with it."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature, args)
        builder.store_atomic(args[2], pointer, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(state, types.intp, types.int64), codegen


@kernel(CONTRACT)
def first_block(state):
    """Take a block of this round; negative when none is left.

    The counter runs down, so a thread that comes late, after the round has ended, learns it from the counter alone.
    """
    return atomic_add(state, _REMAINING, -1) - 1


@kernel(CONTRACT)
def next_block(state):
    """Report a block as written and take another."""
    atomic_add(state, _DONE, 1)
    return first_block(state)


@kernel(CONTRACT)
def operation(state):
    """What the round is about. Read it anew for every block: a late thread may have got a block of the next round."""
    return atomic_load(state, _OPERATION)


@kernel(CONTRACT)
def join_round(state, n_blocks, seen):
    """Number of the round to work on: the current one for the leader, one after `seen` for a helper.

    `seen` itself, or -1, when a helper shall go home: its patience ran out, or it was told to.
    """
    if n_blocks >= 0:
        return atomic_load(state, _EPOCH)
    for spin in range(_SPINS + _YIELDS):
        epoch = atomic_load(state, _EPOCH)
        if epoch != seen:
            return -1 if operation(state) == _STOP else epoch
        if spin >= _SPINS:
            _sched_yield()
    return seen


@kernel(CONTRACT)
def leave_round(state, n_blocks):
    """Let the leader wait until all blocks are written."""
    spin = 0
    while atomic_load(state, _DONE) < n_blocks:
        spin += 1
        if spin > _SPINS:
            _sched_yield()


@kernel(CONTRACT, cache=True)
def _open_round(state, name, n_blocks):
    atomic_store(state, _OPERATION, name)
    atomic_store(state, _DONE, 0)
    atomic_store(state, _REMAINING, n_blocks)
    atomic_add(state, _EPOCH, 1)


def effective_n_threads(n_jobs=None):
    """Number of threads a fit may use.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn: a count, or negative to count from the number of cores (-1: all). ``None`` takes what the
        process is allowed (its CPU affinity, ``OMP_NUM_THREADS``, threadpoolctl limits, joblib's process workers),
        but one thread inside a joblib task or outside the main thread, where others already share the cores.

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
        if nested or threading.current_thread() is not threading.main_thread():
            return 1
        return max(1, _openmp_effective_n_threads())
    if isinstance(n_jobs, (bool, np.bool_)) or not isinstance(n_jobs, (int, np.integer)):
        raise TypeError(f"n_jobs must be None or an integer, got {n_jobs!r}")
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0: pass a number of threads, -1 for all cores, or None")
    if n_jobs < 0:
        return max(1, _available_cores() + 1 + int(n_jobs))
    return int(n_jobs)


def _available_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Team:
    """The calling thread and its helpers, working through the blocks of one pass after another.

    Parameters
    ----------
    serve : Numba dispatcher
        ``serve(state, n_blocks, seen, *work_space, *arguments)``. Takes blocks and does the operation that `state`
        names. The leader, who has ``n_blocks >= 0``, returns when they are done; a helper, -1, takes part in round
        after round until there was none for a while or it is sent home.
    arguments : tuple of ndarray
        Stay in place for the life of the team; their contents may change between rounds.
    work_space : callable
        Makes the arrays that one thread works in, so that nothing is allocated, and nothing can fail, in a kernel.
    n_threads : int
        How many threads work, the calling one included.
    """

    def __init__(self, serve, arguments, work_space, n_threads):
        self._serve = serve
        self._arguments = arguments
        self._work_space = work_space
        self._own_space = work_space()
        self._state = np.zeros(_STATE_SIZE, dtype=np.int64)
        self._threads = []
        self._compiled = False
        self._n_helpers = n_threads - 1

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Send the helpers home and wait for them."""
        if self._threads:
            _open_round(self._state, _STOP, 0)
            for thread in self._threads:
                thread.join()
            self._threads = []

    def run(self, operation, n_blocks):
        """Do one operation on all its blocks; returns when every block is written."""
        if self._n_helpers > 0 and n_blocks > 1:
            self._start()
        _open_round(self._state, operation, n_blocks)
        self._serve(self._state, n_blocks, 0, *self._own_space, *self._arguments)

    def _start(self):
        """Start the helpers that are not there: none was needed so far, or they got tired of waiting."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if not self._compiled:
            # Compile in this thread first: helpers would only queue behind the compiler's lock.
            self._serve(self._state, 0, 0, *self._own_space, *self._arguments)
            self._compiled = True
        seen = int(self._state[_EPOCH])
        for number in range(len(self._threads), self._n_helpers):
            space = self._work_space()
            thread = threading.Thread(
                target=self._serve,
                args=(self._state, -1, seen, *space, *self._arguments),
                name=f"fastlr-{number}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads: those at work suffice
                break
            self._threads.append(thread)
