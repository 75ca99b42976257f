"""Threads that nobody waits for at their start, and the cores they run on.

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
    # Called without the interpreter's lock, unlike os.sched_setaffinity: a thread that takes the lock along to a core
    # which another process holds stops all others until it gets its turn there.
    _libc = ctypes.CDLL(None)
    _sched_getcpu, _sched_setaffinity = _libc.sched_getcpu, _libc.sched_setaffinity
except (AttributeError, OSError, TypeError):  # only Linux has them
    _sched_getcpu = _sched_setaffinity = None

_WAIT_SECONDS = 0.1  # between looks at signals, where waiting does not end with one

_logger = logging.getLogger("fastlr")


def start(function, *arguments):
    """Run a function in a new thread, and return at once.

    Parameters
    ----------
    function : callable
    *arguments
        What it is called with.

    Returns
    -------
    _thread.lock
        Held until the function has returned.

    Raises
    ------
    RuntimeError
        If the system gives no thread.
    """
    running = _thread.allocate_lock()
    running.acquire()

    def run():
        try:
            function(*arguments)
        finally:
            running.release()

    _thread.start_new_thread(run, ())
    return running


def wait_for(running):
    """Wait until a thread has ended, open to signals."""
    while not running.acquire(timeout=_WAIT_SECONDS):
        pass


def available_cores():
    """Number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def current_core():
    """Number of the core the calling thread is on; -1 where the system does not tell."""
    return -1 if _sched_getcpu is None else _sched_getcpu()


def leave_core(core, worker):
    """Move the calling thread to another core than `core`; the system may move it on from there.

    A new thread sits on its maker's core, and Linux was seen to leave it there, the two in turns, for 0.1 s and more.
    """
    if core < 0 or _sched_setaffinity is None:
        return
    allowed = os.sched_getaffinity(0)
    others = sorted(allowed - {core})
    if others:
        _run_on({others[(worker - 1) % len(others)]})
        _run_on(allowed)


def _run_on(cores):
    words = (ctypes.c_ulong * (_CORES // _WORD_BITS))()
    for core in cores:
        if core < _CORES:
            words[core // _WORD_BITS] |= 1 << core % _WORD_BITS
    if _sched_setaffinity(0, ctypes.sizeof(words), words):  # a container that forbids it
        _logger.info("helper threads stay where they are")
