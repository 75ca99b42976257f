"""BLAS and LAPACK on one thread, for as long as a fit needs them.

Factorisations here take about a millisecond: threads do not make them faster, often slower, and their number would
change the last bits of the result. The limit of threadpoolctl is process-wide, so fits that overlap share one: the
first sets it, the last lifts it.
"""

import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limit = None


@cache
def _controller():
    """The loaded BLAS libraries; finding them takes milliseconds, so once."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def single_threaded_blas():
    """Context in which BLAS runs on one thread."""
    global _users, _limit
    with _lock:
        _users += 1
        if _users == 1:
            _limit = _controller().limit(limits=1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
