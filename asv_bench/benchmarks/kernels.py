"""One pass over X: loss and gradient, fused, beside NumPy's two products."""

import tracemalloc

from threadpoolctl import threadpool_limits

from fastlr import reference

from .common import DTYPES, LAYOUTS, PAUSE_OF_THREADS, THREADS, features, make_data, numpy_data, ratio, start
from .plain import plain_pass, reader


def fused_pass(layout, dtype, threads):
    """A function that does the pass; compiled, and its threads started."""
    matrix, loss = make_data(layout, dtype, threads)
    coefs = start()[None]

    def run():
        return matrix.sweep(loss, coefs)

    run()
    return run


def numpy_pass(layout, dtype):
    """A function that does the same in NumPy."""
    X, y = numpy_data(layout, dtype)
    coef = start().astype(X.dtype)

    def run():
        return reference.loss_gradient(X, y, None, coef)

    run()
    return run


class Passes:
    params = (LAYOUTS, DTYPES, THREADS, ("fused", "numpy"))
    param_names = ("layout", "dtype", "threads", "implementation")
    timeout = 120

    def setup(self, layout, dtype, threads, implementation):
        if implementation == "numpy" and dtype == "uint8":
            raise NotImplementedError("NumPy's products need floats: the same as float32")
        self.limits = threadpool_limits(threads, user_api="blas")
        self.run = fused_pass(layout, dtype, threads) if implementation == "fused" else numpy_pass(layout, dtype)

    def teardown(self, *params):
        if hasattr(self, "limits"):  # there are none where setup skipped
            self.limits.restore_original_limits()

    # asv repeats the setup before every call, so the calls that follow one another, as in a fit, are in here.
    def time_20_loss_gradients(self, *params):
        for _ in range(20):
            self.run()


class Speedup:
    params = (LAYOUTS, DTYPES, THREADS)
    param_names = ("layout", "dtype", "threads")
    timeout = 120
    unit = "x"

    def track_over_numpy(self, layout, dtype, threads):
        pause = PAUSE_OF_THREADS if threads > 1 else 0.005
        with threadpool_limits(threads, user_api="blas"):
            return ratio(numpy_pass(layout, dtype), fused_pass(layout, dtype, threads), number=15, pause=pause)


class PlainLoops:
    params = (LAYOUTS, DTYPES)
    param_names = ("layout", "dtype")
    timeout = 120
    unit = "x"

    def track_over_plain_loops(self, layout, dtype):
        """One thread, beside the loops that anyone would write."""
        return ratio(plain_pass(features(layout, dtype)), fused_pass(layout, dtype, 1), number=15)


class Bandwidth:
    params = (LAYOUTS, DTYPES)
    param_names = ("layout", "dtype")
    timeout = 120
    unit = "%"

    def track_share_of_read_bandwidth(self, layout, dtype):
        """How near one thread comes to the floor, which is to read X once."""
        return 100.0 * ratio(reader(features(layout, dtype)), fused_pass(layout, dtype, 1), number=15)


class Memory:
    """The same in both layouts, so one is measured."""

    params = DTYPES
    param_names = ("dtype",)
    timeout = 120

    def setup_cache(self):
        """Fill the cache of kernels in a process of its own: a compiler would be the peak of the memory."""
        for dtype in DTYPES:
            fused_pass("rows", dtype, 1)

    def setup(self, dtype):
        fused_pass("rows", dtype, 1)

    def peakmem_pass(self, dtype):
        fused_pass("rows", dtype, 1)

    def track_extra_memory(self, dtype):
        """Most bytes in use beside X, from the raw X to the end of a pass, as a share of X's."""
        tracemalloc.start()
        fused_pass("rows", dtype, 1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return 100.0 * peak / features("rows", dtype).nbytes

    track_extra_memory.unit = "%"
