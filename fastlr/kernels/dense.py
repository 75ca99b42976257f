"""Passes over dense X, block by block, for as many threads as came.

The `serve` kernels are what the threads of a `Team` run. A pass is one operation done on all blocks; every
block writes sums of its own. Numba picks the file for X's layout when it compiles.
"""

import math

import numpy as np
from numba.extending import overload

from .._blocks import guarded_empty
from .._jit import FASTMATH, kernel
from .._rounds import first_block, join_round, leave_round, next_block, operation
from . import columns, products, rows
from .links import LOSS, LOSS_GRADIENT, PRODUCT, RAW_PREDICTION

# The only operation of each of the kernels that are not passes.
HESSIAN = GRAM = DESCEND = 1

GRAM_PANEL = 64  # rows of a tile of the Gram matrix

_OPTIONS = {"nogil": True, "fastmath": set(FASTMATH), "error_model": "numpy", "forceinline": True}


def _layout(X):
    """The kernels for X's memory layout."""
    return rows if X.flags.c_contiguous else columns


def _fused_pass(link, X, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual, part):
    return _layout(X).fused_pass(
        link, X, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual, part
    )


# The implementation itself, not a function that calls it: a layer less to compile.
@overload(_fused_pass, jit_options=_OPTIONS)
def _overload_fused_pass(link, X, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual, part):
    return (rows if X.layout == "C" else columns).fused_pass.py_func


def _raw_prediction(X, w, b, start, stop, raw, part):
    _layout(X).raw_prediction(X, w, b, start, stop, raw, part)


@overload(_raw_prediction, jit_options=_OPTIONS)
def _overload_raw_prediction(X, w, b, start, stop, raw, part):
    return (rows if X.layout == "C" else columns).raw_prediction.py_func


def work_space(n_features, dtype):
    """What one thread of `serve` works in: raw predictions and residuals of a chunk, and its gradient.

    Parameters
    ----------
    n_features : int
    dtype : numpy dtype
        What products are computed in, float32 or float64.

    Returns
    -------
    tuple of ndarray
    """
    z = np.empty(rows.MAX_CHUNK)
    return z, guarded_empty(2 * rows.MAX_CHUNK, dtype), guarded_empty(n_features, dtype)


def packed_space(n_rows, dtype):
    """What one thread packs pieces of X into: scales of their columns, and `n_rows` rows, made a multiple of 4."""
    return np.ones(products.DEPTH, dtype), np.empty((products.padded(n_rows), products.DEPTH), dtype)


@kernel(cache=True)
def serve(
    state, n_blocks, seen, task, z, residual, part,
    X, y, sample_weight, w, intercept, rows_per_block, raw, curvature, sums, gradients,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    z, residual, part
        One thread's `work_space`.
    X : array of shape (n_samples, n_features)
    y, sample_weight : float64 arrays
        See `links.apply_link`.
    w : array of shape (n_features,)
        Coefficients, or a direction, in the dtype the products are computed in.
    intercept : float64 array of shape (1,)
    rows_per_block : int64 array of shape (1,)
    raw, curvature : float64 arrays of shape (n_samples,)
        Raw predictions, and weighted second derivatives of the loss there.
    sums : float64 array of shape (n_blocks, 2)
        Written: loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        Written: X^T residual of each block.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    while True:
        current = join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current
        seen = current
        block = first_block(state, task)
        while block >= 0:
            what = operation(state)
            start = block * rows_per_block[0]
            stop = min(X.shape[0], start + rows_per_block[0])
            if what == RAW_PREDICTION:
                _raw_prediction(X, w, intercept[0], start, stop, raw, residual)
            else:
                link = LOSS if what == LOSS_GRADIENT else PRODUCT
                sums[block, 0], sums[block, 1] = _fused_pass(
                    link, X, y, sample_weight, w, intercept[0], start, stop,
                    raw, curvature, gradients[block], z, residual, part,
                )  # fmt: skip
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel(cache=True)
def serve_hessian(state, n_blocks, seen, task, scale, packed, X, curvature, rows_per_block, hessians):
    """The Hessian of the loss from the curvatures that the last pass left.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    scale, packed
        One thread's `packed_space` for n_features + 1 rows.
    X : array of shape (n_samples, n_features)
    curvature : float64 array of shape (n_samples,)
    rows_per_block : int64 array of shape (1,)
    hessians : float64 array of shape (n_blocks, m, m)
        Written: lower triangle of [X 1]^T D [X 1] of each block, m = n_features + 1 rounded up to a multiple of 4.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    while True:
        current = join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current
        seen = current
        block = first_block(state, task)
        while block >= 0:
            start = block * rows_per_block[0]
            stop = min(X.shape[0], start + rows_per_block[0])
            _hessian_block(X, curvature, start, stop, scale, packed, hessians[block])
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel()
def _hessian_block(X, curvature, start, stop, scale, packed, hessian):
    n_features = X.shape[1]
    hessian[:] = 0.0
    for first in range(start, stop, products.DEPTH):
        count = min(stop - first, products.DEPTH)
        for i in range(count):
            scale[i] = math.sqrt(curvature[first + i])
        products.pack(X, scale, first, first + count, 0, n_features, packed)
        packed[n_features + 1 :, :count] = 0
        # In a loop: assigning one slice to another doubles the time to compile, for the error it might raise.
        for i in range(count):
            packed[n_features, i] = scale[i]  # the intercept's column of ones
        products.add_lower_product(packed, count, hessian)


@kernel(cache=True)
def serve_gram(state, n_blocks, seen, task, ones, packed, X, gram):
    """X X^T, a tile of the lower triangle and its mirror image for each block.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    ones, packed
        One thread's `packed_space` for two tiles.
    X : array of shape (n_samples, n_features)
    gram : float64 array of shape (m, m)
        Written; m = n_samples rounded up to a multiple of 4.
    """
    while True:
        current = join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current
        seen = current
        block = first_block(state, task)
        while block >= 0:
            # Tiles are numbered row by row through the lower triangle.
            i = int((math.sqrt(8.0 * block + 1.0) - 1.0) / 2.0)
            j = block - i * (i + 1) // 2
            _gram_tile(X, ones, i * GRAM_PANEL, j * GRAM_PANEL, packed, gram)
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel()
def _gram_tile(X, ones, i, j, packed, gram):
    n_samples, n_features = X.shape
    i_stop = min(n_samples, i + GRAM_PANEL)
    j_stop = min(n_samples, j + GRAM_PANEL)
    left = packed[: products.padded(i_stop - i)]
    right = packed[GRAM_PANEL : GRAM_PANEL + products.padded(j_stop - j)]
    tile = gram[i : i + left.shape[0], j : j + right.shape[0]]
    tile[:] = 0.0
    for first in range(0, n_features, products.DEPTH):
        last = min(n_features, first + products.DEPTH)
        products.pack(X.T, ones, first, last, i, i_stop, left)
        if i == j:
            products.add_lower_product(left, last - first, tile)
        else:
            products.pack(X.T, ones, first, last, j, j_stop, right)
            products.add_product(left, right, last - first, tile)
    for k in range(i, i_stop):
        for m in range(j, min(j_stop, k)):
            gram[m, k] = gram[k, m]


@kernel(cache=True)
def serve_descend(
    state, n_blocks, seen, task, part,
    X, step, coef, w, features_per_block, all_residuals, gradient, raws,
):  # fmt: skip
    """Gradient steps over blocks of features, for X in F order.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    part, X, coef, w, gradient
        See `columns.descend`.
    step : float64 array of shape (1,)
    features_per_block : int64 array of shape (1,)
    all_residuals : array of w's dtype, shape (n_samples,)
    raws : float64 array of shape (n_blocks, n_samples)
        Written: X w of each block of features at the new coefficients.
    """
    while True:
        current = join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current
        seen = current
        block = first_block(state, task)
        while block >= 0:
            first = block * features_per_block[0]
            stop = min(X.shape[1], first + features_per_block[0])
            columns.descend(
                X, step[0], coef, w, first, stop, all_residuals, gradient, raws[block], part
            )
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen
