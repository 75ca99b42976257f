"""Python functions on several threads, for work whose time goes into NumPy and BLAS, which let other threads run.

The calling thread works too, so Ctrl-C reaches it between two calls of BLAS. The helpers then end with their next
check, and nobody waits for them.
"""

import queue
import threading
from contextlib import suppress

import numpy as np

from .threads import start, wait_for


class Stopped(Exception):
    """Ends work of which nobody wants the result any more."""


def run_all(work, items, n_threads, done):
    """Call a function for each of some items, on the calling thread and helpers.

    Parameters
    ----------
    work : callable
        ``work(item, check)``; it is to call ``check()`` from time to time, which ends it where it need not go on.
    items : sequence
    n_threads : int
        The calling one included.
    done : callable
        ``done(item, result)``, called in one thread at a time, in any order of the items.
    """
    waiting = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    lock, stop, errors = threading.Lock(), threading.Event(), []

    def check():
        if stop.is_set():
            raise Stopped

    def serve():
        while True:
            check()
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            result = work(item, check)
            with lock:
                check()
                done(item, result)

    def help_out():
        try:
            with np.errstate(**errstate):
                serve()
        except Stopped:
            pass
        except BaseException as error:
            if not stop.is_set():
                errors.append(error)
                stop.set()

    errstate, helpers = np.geterr(), []
    try:
        for worker in range(1, min(n_threads, len(items))):
            try:
                helpers.append(start(help_out, other_core=worker))
            except RuntimeError:  # the system gives no more threads: those at work suffice
                break
        with suppress(Stopped):  # for an error of a helper
            serve()
            for running in helpers:
                wait_for(running)
        if errors:
            raise errors[0]
    finally:
        stop.set()
        errors.clear()  # an error holds the frames it went through, and these hold the list, and all that is worked on
