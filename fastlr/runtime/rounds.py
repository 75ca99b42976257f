"""What threads and their leader say to each other, compiled: rounds are opened, joined and left, blocks are taken.

A round is one pass of a `team.Team`. All of it goes through one int64 array, in indivisible steps.
"""

import sys

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import CONTRACT, helper, kernel

# Places in the shared int64 state, which a team makes. One to a cache line, so that spinning on one does not slow
# another.
_EPOCH, _TICKET, _DONE, _OPERATION = 0, 8, 16, 24

# A ticket is the number of the task in its high bits and the count of blocks left in the low ones, so that a thread
# that comes late can never take a block of a task that is not its own.
_COUNT_BITS = 32
_COUNT_MASK = (1 << _COUNT_BITS) - 1

NO_BLOCK = -1

# A turn of pure spinning takes about 1 ns. Beside other processes, who gives up a core gets it back milliseconds later:
# a leader spins for as long as others take to finish their blocks, as a rule.
_SPINS = 2_000
_LEADER_SPINS = 50_000
_YIELDS = 5_000  # of a helper, then: some 2 ms of giving the core to whoever wants it

_sched_yield = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


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


@intrinsic
def compare_and_swap(typingctx, state, index, expected, value):
    """Write `value` to ``state[index]`` if it holds `expected`, in one indivisible step; returns whether it did."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature, args)
        outcome = builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return builder.extract_value(outcome, 1)

    return types.boolean(state, types.intp, types.int64, types.int64), codegen


@helper(CONTRACT)
def take(state, n_blocks, seen, task, block):
    """Report a block as written and take the next, of this round or of one that follows.

    Every kernel that serves a task, for as many threads as came, is a loop over this. Its parameters begin with the
    first four of these, go on with one thread's work space, end with what the threads share, and it returns `seen`::

        block = NO_BLOCK
        while True:
            seen, block = take(state, n_blocks, seen, task, block)
            if block < 0:
                return seen
            ...

    Parameters
    ----------
    state : int64 array
        What the team shares.
    n_blocks : int
        Of the round, for the leader, who returns when all are written; -1 for a helper, who waits for more rounds.
    seen : int
        Number of the round this thread has seen last; 0 at first.
    task : int
        Number of the task; rounds of others are left alone.
    block : int
        The block just written, or `NO_BLOCK`.

    Returns
    -------
    seen, block : int
        The block is negative when there is nothing left to do.
    """
    joined = block >= 0
    if joined:
        atomic_add(state, _DONE, 1)
    while True:
        while joined:
            ticket = atomic_load(state, _TICKET)
            count = ticket & _COUNT_MASK
            if ticket >> _COUNT_BITS != task or count == 0:
                break
            if compare_and_swap(state, _TICKET, ticket, ticket - 1):
                return seen, count - 1
        if joined and n_blocks >= 0:
            wait_for_blocks(state, n_blocks)
            return seen, NO_BLOCK
        current = _join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current, NO_BLOCK
        seen = current
        joined = True


@helper(CONTRACT)
def operation(state):
    """What the round is about. Read it anew for every block: a late thread may have got a block of the next round."""
    return atomic_load(state, _OPERATION) >> 1


@helper(CONTRACT)
def is_odd(state):
    """Whether the round is the second, fourth, ... of its team; like `operation`, of the block in hand."""
    return atomic_load(state, _OPERATION) & 1 == 1


@helper(CONTRACT)
def _join_round(state, n_blocks, seen, task):
    """Number of the round to work on: the current one for the leader, one after `seen` for a helper.

    `seen` itself when a helper's patience ran out, -1 when the round is of another task.
    """
    if n_blocks >= 0:
        return atomic_load(state, _EPOCH)
    for spin in range(_SPINS + _YIELDS):
        epoch = atomic_load(state, _EPOCH)
        if epoch != seen:
            return epoch if atomic_load(state, _TICKET) >> _COUNT_BITS == task else -1
        if spin >= _SPINS:
            _sched_yield()
    return seen


@helper(CONTRACT)
def wait_for_blocks(state, n_blocks):
    """Wait until so many blocks of the round are written."""
    spin = 0
    while atomic_load(state, _DONE) < n_blocks:
        spin += 1
        if spin > _LEADER_SPINS:
            _sched_yield()


@kernel(CONTRACT)
def open_round(state, task, name, n_blocks):
    """Begin a round: `n_blocks` blocks of a task, to be done the operation `name`."""
    atomic_store(state, _OPERATION, (name << 1) | (atomic_load(state, _EPOCH) & 1))
    atomic_store(state, _DONE, 0)
    atomic_store(state, _TICKET, (task << _COUNT_BITS) + n_blocks)
    atomic_add(state, _EPOCH, 1)
