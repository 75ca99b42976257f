"""What a pass is measured against beside NumPy: loops as anyone would write them, and reading X once.

Only the two products, without the sigmoid and the loss between them.
"""

import numpy as np
from numba import njit, uint64

_FASTMATH = {"reassoc", "contract", "nsz"}


@njit(fastmath=_FASTMATH, nogil=True)
def _rows(X, w, gradient):
    """Samples contiguous: four rows' products with w, then the four rows added up."""
    gradient[:] = 0
    zero = w.dtype.type(0)
    for i in range(0, X.shape[0] // 4 * 4, 4):
        a = b = c = d = zero
        for k in range(X.shape[1]):
            j = uint64(k)
            a += X[i, j] * w[j]
            b += X[i + 1, j] * w[j]
            c += X[i + 2, j] * w[j]
            d += X[i + 3, j] * w[j]
        for k in range(X.shape[1]):
            j = uint64(k)
            gradient[j] += (a * X[i, j] + b * X[i + 1, j]) + (c * X[i + 2, j] + d * X[i + 3, j])


@njit(fastmath=_FASTMATH, nogil=True)
def _columns(X, w, z, gradient):
    """Features contiguous: one sweep for X w, one for X^T z, four features at a time."""
    z[:] = 0
    zero = w.dtype.type(0)
    for j in range(0, X.shape[1] // 4 * 4, 4):
        for k in range(X.shape[0]):
            i = uint64(k)
            z[i] += (w[j] * X[i, j] + w[j + 1] * X[i, j + 1]) + (w[j + 2] * X[i, j + 2] + w[j + 3] * X[i, j + 3])
    for j in range(0, X.shape[1] // 4 * 4, 4):
        a = b = c = d = zero
        for k in range(X.shape[0]):
            i = uint64(k)
            a += z[i] * X[i, j]
            b += z[i] * X[i, j + 1]
            c += z[i] * X[i, j + 2]
            d += z[i] * X[i, j + 3]
        gradient[j], gradient[j + 1], gradient[j + 2], gradient[j + 3] = a, b, c, d


def plain_pass(X):
    """A function that does both products by plain loops, compiled."""
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    w, gradient = np.full(X.shape[1], 1e-7, dtype), np.zeros(X.shape[1], dtype)
    z = np.zeros(len(X), dtype)
    run = (lambda: _rows(X, w, gradient)) if X.flags.c_contiguous else (lambda: _columns(X, w, z, gradient))
    run()
    return run


def numpy_products(X):
    """A function that does both products in NumPy; 8-bit integers as float32."""
    X = X if X.dtype.kind == "f" else X.astype(np.float32, order="A")
    w = np.full(X.shape[1], 1e-7, X.dtype)
    return lambda: (X @ w) @ X


@njit(nogil=True)
def _sum_words(words):
    total = np.uint64(0)
    for i in range(words.size):
        total += words[i]
    return total


def reader(X):
    """A function by which one thread reads X: the floor of a pass.

    The bytes are added up as 64-bit words, so that reading is all there is to it, whatever X holds.
    """
    words = X.reshape(-1, order="A").view(np.uint64)
    _sum_words(words)  # compile
    return lambda: _sum_words(words)
