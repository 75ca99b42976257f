"""The study's training: 150 steps of gradient descent, from its start."""

from threadpoolctl import threadpool_limits

from fastlr import reference
from fastlr.solvers import gradient_descent

from .common import DTYPES, LAYOUTS, THREADS, make_data, numpy_data, ratio, start

ITERATIONS = 150
LEARNING_RATE = 0.01


def train(layout, dtype, threads, method):
    """One training: with fastlr by ``"fused"`` or ``"gram"``, or with NumPy by ``"reference"``."""
    if method == "reference":
        X, y = numpy_data(layout, dtype)
        reference.gradient_descent(X, y, None, start(), LEARNING_RATE, ITERATIONS)
    else:
        gradient_descent.solve(
            *make_data(layout, dtype, threads),
            start(),
            learning_rate=LEARNING_RATE,
            n_iterations=ITERATIONS,
            method=method,
        )


def warm(layout, dtype, threads, method):
    """A function that trains; whatever it needs is compiled, and the data made."""
    train(layout, dtype, threads, method)
    return lambda: train(layout, dtype, threads, method)


class Training:
    params = (LAYOUTS, DTYPES, THREADS, ("fused", "gram", "reference"))
    param_names = ("layout", "dtype", "threads", "method")
    timeout = 120

    def setup(self, layout, dtype, threads, method):
        if method == "reference" and dtype == "uint8":
            raise NotImplementedError("NumPy trains on floats: the same as float32")
        self.limits = threadpool_limits(threads, user_api="blas")
        train(layout, dtype, threads, method)

    def teardown(self, *params):
        if hasattr(self, "limits"):  # there are none where setup skipped
            self.limits.restore_original_limits()

    def time_150_iterations(self, layout, dtype, threads, method):
        train(layout, dtype, threads, method)


class Speedup:
    """One thread on both sides: how threads add to it is in `Training`."""

    params = (LAYOUTS, DTYPES, ("fused", "gram"))
    param_names = ("layout", "dtype", "method")
    timeout = 120
    unit = "x"

    def track_over_reference(self, layout, dtype, method):
        with threadpool_limits(1, user_api="blas"):
            return ratio(warm(layout, dtype, 1, "reference"), warm(layout, dtype, 1, method), number=3, burst=1)
