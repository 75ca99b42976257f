"""BLAS and LAPACK on one thread, for as long as a fit needs them.

Factorisations here take about a millisecond: threads do not make them faster, often slower, and their number would
change the last bits of the result. The number is that of the process, so fits that overlap share one limit: the first
sets it, the last lifts it, from whichever thread. (threadpoolctl's own contexts belong to the thread that entered.)
"""

import os
import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users: list[int] = []  # the thread of each fit
_before: list[int] = []  # number of threads of each library when the first fit began


@cache
def _libraries():
    """The loaded BLAS libraries; finding them takes milliseconds, so once."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _set_num_threads(library, number):
    # threadpoolctl 3.7 and later refuse a thread that was not the first to set a limit. The last fit to end may be
    # in such a thread, so ask the library itself where that is possible.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(number)


def _lift():
    for library, number in zip(_libraries(), _before, strict=True):
        _set_num_threads(library, number)


@contextmanager
def single_threaded_blas():
    """Context in which BLAS runs on one thread."""
    global _before
    thread = threading.get_ident()
    try:
        with _lock:
            first = not _users
            if first:
                _before = [library.get_num_threads() for library in _libraries()]
            _users.append(thread)  # before the limit is set: an interrupt from here on lifts it
            if first:
                for library in _libraries():
                    _set_num_threads(library, 1)
        yield
    finally:
        with _lock:
            if thread in _users:
                _users.remove(thread)
                if not _users:
                    _lift()


def _after_fork_in_child():
    """Only the thread that forked goes on: end the fits of the others, one of which may have held the lock."""
    global _lock
    _lock = threading.Lock()
    others = [thread for thread in _users if thread != threading.get_ident()]
    for thread in others:
        _users.remove(thread)
    if others and not _users:
        _lift()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
