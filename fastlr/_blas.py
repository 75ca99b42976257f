"""BLAS and LAPACK on one thread, for as long as a fit needs them.

Factorisations here take about a millisecond: threads do not make them faster, often slower, and their number would
change the last bits of the result. The number is that of the process, so fits that overlap share one limit: the first
sets it, the last lifts it, from whichever thread. (threadpoolctl's own contexts belong to the thread that entered.)
"""

import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_before = []  # number of threads of each library when the first fit began


@cache
def _libraries():
    """The loaded BLAS libraries; finding them takes milliseconds, so once."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _set_num_threads(library, number):
    # threadpoolctl 3.7 and later refuse a thread that was not the first to set a limit. The last fit to end may be
    # in such a thread, so ask the library itself where that is possible.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(number)


@contextmanager
def single_threaded_blas():
    """Context in which BLAS runs on one thread."""
    global _users, _before
    with _lock:
        _users += 1
        if _users == 1:
            _before = [library.get_num_threads() for library in _libraries()]
            for library in _libraries():
                _set_num_threads(library, 1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for library, number in zip(_libraries(), _before, strict=True):
                    _set_num_threads(library, number)
