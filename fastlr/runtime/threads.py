"""Threads that nobody waits for at their start, and the cores they begin on.

``threading.Thread.start`` returns when the new thread has run its first lines. For that it needs a core and the
interpreter's lock: 0.2 ms on an idle machine, and where another process holds a core some time slices, 3 ms each. So
threads are started by the function that `threading` itself is built on.
"""

import _thread
import ctypes
import logging
import os

_CORES = 1_024  # glibc's CPU_SETSIZE
_WORD_BITS = 8 * ctypes.sizeof(ctypes.c_ulong)

try:
    # Called with the interpreter's lock held: given away here, it might go to a thread that then waits for a core.
    _libc = ctypes.PyDLL(None)
    _sched_getcpu, _pthread_setaffinity = _libc.sched_getcpu, _libc.pthread_setaffinity_np
except (AttributeError, OSError, TypeError):  # only Linux has them
    _sched_getcpu = _pthread_setaffinity = None  # type: ignore[assignment]

_WAIT_SECONDS = 0.1  # between looks at signals, where waiting does not end with one

_logger = logging.getLogger("fastlr")


def start(function, *arguments, other_core=None):
    """Run a function in a new thread, and return at once.

    Parameters
    ----------
    function : callable
    *arguments
        What it is called with.
    other_core : int, optional
        Begin on a core that is not this thread's, another one for each number from 1 on.

    Returns
    -------
    _thread.lock
        Held until the function has returned.

    Raises
    ------
    RuntimeError
        If the system gives no thread.
    """
    running, placed = _thread.allocate_lock(), _thread.allocate_lock()
    running.acquire()
    placed.acquire()

    def run():
        try:
            function(*arguments)
        finally:
            placed.acquire()  # the handle of a thread that has ended must not be used
            running.release()

    try:  # an interrupt may come as soon as there is a thread
        thread = _thread.start_new_thread(run, ())
        if other_core is not None and _pthread_setaffinity is not None:
            _move(thread, other_core)
    finally:
        placed.release()
    return running


def wait_for(running):
    """Wait until a thread has ended, open to signals."""
    while not running.acquire(timeout=_WAIT_SECONDS):
        pass


def available_cores():
    """Number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _move(thread, other_core):
    """Have a new thread begin elsewhere; the system may move it on from there.

    It sits on its maker's core, and Linux was seen to leave it there, the two in turns, for 0.1 s and more. It cannot
    move by itself before it has that core for a moment.
    """
    allowed = os.sched_getaffinity(0)
    others = sorted(allowed - {_sched_getcpu()})
    if others:
        _allow(thread, {others[(other_core - 1) % len(others)]})
        _allow(thread, allowed)


def _allow(thread, cores):
    words = (ctypes.c_ulong * (_CORES // _WORD_BITS))()
    for core in cores:
        if core < _CORES:
            words[core // _WORD_BITS] |= 1 << core % _WORD_BITS
    if _pthread_setaffinity(ctypes.c_ulong(thread), ctypes.c_size_t(ctypes.sizeof(words)), words):
        _logger.info("helper threads begin where the system puts them")  # a container that forbids it
