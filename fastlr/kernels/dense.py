"""Passes over dense X, block by block, for as many threads as came.

The `serve` kernels are what the threads of a `Team` run. A pass is one operation done on all blocks; every
block writes sums of its own. Numba picks the file for X's layout when it compiles.
"""

import math

import numpy as np
from numba.extending import overload

from ..runtime.blocks import guarded_empty
from ..runtime.jit import INLINED, kernel
from ..runtime.rounds import NO_BLOCK, is_odd, operation, take, wait_for_blocks
from . import columns, products, rows
from .blocks import add_blocks, add_sums
from .links import apply_link
from .operations import Operation
from .vectors import LONG_STRIP, PADDING


def _fused_pass(what, X, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part):
    return (rows if X.flags.c_contiguous else columns).fused_pass(
        what, X, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
    )


# The implementation itself, not a function that calls it: a layer less to compile.
@overload(_fused_pass, jit_options=INLINED)
def _overload_fused_pass(
    what, X, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
):
    return (rows if X.layout == "C" else columns).fused_pass.py_func


_GRAM_TILE = 1_056  # rows, at most


def padded_vector(n, dtype, beside=None):
    """Zeros of which kernels may read, and zeros behind them, see `vectors`; placed by `guarded_empty`."""
    vector = guarded_empty(n + PADDING, dtype, beside)
    vector[:] = 0
    return vector[:n]


def work_space(X, dtype):
    """What one thread of `serve` works in: raw predictions and residuals of a chunk, and sums over its rows.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    dtype : numpy dtype
        What products are computed in, float32 or float64.

    Returns
    -------
    tuple of ndarray
    """
    n_features = X.shape[1]
    chunk = max(rows.MAX_CHUNK, columns.MAX_TILE)
    z = guarded_empty(chunk + n_features + LONG_STRIP)
    return z, guarded_empty(chunk + PADDING, dtype, X), padded_vector(max(n_features, chunk), dtype, X)


def features_work_space(X, dtype):
    """What one thread of `serve_features` works in: the products of some features."""
    return (padded_vector(len(X), dtype, X),)


def packed_space(n_columns, n_panels, dtype):
    """What one thread packs pieces of X into: scales of their columns, and panels of `n_columns` each."""
    shape = products.panel_shape(n_columns, np.dtype(dtype))
    panels = guarded_empty((n_panels, *shape), dtype)
    panels[:] = 0  # or what stands beyond the last column might be slow to compute with
    return np.ones(products.DEPTH, dtype), panels


@kernel(cache=True)
def serve(
    state, n_blocks, seen, task, z, residual, part,
    X, y, sample_weight, w, intercept, rows_per_block, ahead, raw, curvature, sums, gradients, result,
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
        Coefficients, or a direction, in the dtype the products are computed in: a `padded_vector`.
    intercept : float64 array of shape (1,)
    rows_per_block, ahead : int64 arrays of shape (1,)
        See `rows.fused_pass`.
    raw, curvature : float64 arrays of shape (n_samples,)
        Raw predictions, and weighted second derivatives of the loss there.
    sums : float64 array of shape (n_blocks, 2)
        Written: loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        Written: X^T residual of each block.
    result : float64 array of shape (n_features + 2,)
        Written but for raw predictions, see `add_blocks`.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            if n_blocks > 0 and operation(state) != Operation.RAW_PREDICTION:
                add_blocks(sums, gradients, result)
            return seen
        place = _to_and_fro(block, sums.shape[0], is_odd(state))
        start = place * rows_per_block[0]
        stop = min(X.shape[0], start + rows_per_block[0])
        sums[place, 0], sums[place, 1] = _fused_pass(
            operation(state), X, y, sample_weight, w, intercept[0], start, stop, ahead[0],
            raw, curvature, gradients[place], z, residual, part,
        )  # fmt: skip


@kernel()
def _to_and_fro(block, n_blocks, odd):
    """The block counted from the other end in every other round, which begins where the last one left X in cache."""
    return n_blocks - 1 - block if odd else block


@kernel(cache=True)
def serve_features(
    state, n_blocks, seen, task, part,
    X, y, sample_weight, step, coef, w, intercept, features_per_block, rows_per_block,
    raw, curvature, residual, partial, sums, result,
):  # fmt: skip
    """Passes over X in F order that go feature after feature; see `columns`.

    A round has up to three parts, each with blocks of its own, and none begins before the one before it is written:
    X w, or a step and X w there, for blocks of features; what comes between the products, for blocks of samples; and
    X^T residual, for blocks of features. Blocks are taken from the last to the first.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    part : `padded_vector` of n_samples in w's dtype
        One thread's work space.
    X, y, sample_weight, w, intercept, rows_per_block, raw, curvature
        See `serve`.
    step : float64 array of shape (1,)
    coef : float64 array of shape (n_features,)
        See `columns.descend`, which alone needs them.
    features_per_block : int64 array of shape (1,)
        A multiple of `LONG_STRIP`.
    residual : `padded_vector` of n_samples in w's dtype
        Written.
    partial : float64 array of shape (blocks of features, n_samples)
        X w of each block; the first is overwritten by their sum.
    sums : float64 array of shape (blocks of samples, 2)
        Written: loss and sum of the residuals of each block.
    result : float64 `padded_vector` of n_features + 2
        Written as by `add_blocks`.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    n_features_blocks = partial.shape[0]
    gradient = result[: X.shape[1]]
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            if n_blocks > 0:
                add_sums(sums, result[X.shape[1] :])
            return seen
        what = operation(state)
        if what == Operation.NONE:  # the round was abandoned since the block was taken
            continue
        has_gradient = what == Operation.LOSS_GRADIENT or what == Operation.HESSIAN_PRODUCT
        place = block - n_features_blocks if has_gradient else block  # from the first block of samples
        if place >= sums.shape[0]:
            place -= sums.shape[0]
            if what == Operation.STEP:
                place = _to_and_fro(place, n_features_blocks, is_odd(state))
            first = place * features_per_block[0]
            stop = min(X.shape[1], first + features_per_block[0])
            if what == Operation.STEP:
                columns.descend(X, step[0], coef, w, first, stop, residual, gradient, part, partial[place])
            else:
                columns.product(X, w, first, stop, part, partial[place])
        elif place >= 0:
            wait_for_blocks(state, n_features_blocks)
            first = place * rows_per_block[0]
            stop = min(X.shape[0], first + rows_per_block[0])
            sums[place, 0], sums[place, 1] = _link_block(
                what, y, sample_weight, intercept[0], first, stop, raw, curvature, residual, partial
            )
        else:
            wait_for_blocks(state, n_features_blocks + sums.shape[0])
            first = (n_features_blocks - 1 - block) * features_per_block[0]  # back from where the products ended
            stop = min(X.shape[1], first + features_per_block[0])
            columns.transposed_product(X, residual, first, stop, gradient)


@kernel()
def _link_block(what, y, sample_weight, b, first, stop, raw, curvature, residual, partial):
    """Add up the raw predictions of the samples [first, stop) and apply the link."""
    z = partial[0, first:stop]
    for k in range(1, partial.shape[0]):
        for i in range(z.size):
            z[i] += partial[k, first + i]
    for i in range(z.size):
        z[i] += b
    return apply_link(what, z, z.size, first, y, sample_weight, raw, curvature, residual[first:stop])


@kernel(cache=True)
def serve_hessian(state, n_blocks, seen, task, scale, panels, X, curvature, rows_per_block, hessians):
    """The Hessian of the loss from the curvatures that the last pass left.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    scale, panels
        One thread's `packed_space` for a panel of n_features + 1 columns.
    X : array of shape (n_samples, n_features)
    curvature : float64 array of shape (n_samples,)
    rows_per_block : int64 array of shape (1,)
    hessians : float64 array of shape (n_blocks, padded_rows(n_features + 1), padded_columns(n_features + 1))
        Written: lower triangle of [X 1]^T D [X 1] of each block.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        start = block * rows_per_block[0]
        stop = min(X.shape[0], start + rows_per_block[0])
        _hessian_block(X, curvature, start, stop, scale, panels[0], hessians[block])


@kernel()
def _hessian_block(X, curvature, start, stop, scale, panel, hessian):
    n_features = X.shape[1]
    width = panel.shape[2]
    hessian[:] = 0.0
    for first in range(start, stop, products.DEPTH):
        count = min(stop - first, products.DEPTH)
        for i in range(count):
            scale[i] = math.sqrt(curvature[first + i])
        products.pack(X, scale, first, count, 0, n_features, panel)
        # In a loop: assigning one slice to another doubles the time to compile, for the error it might raise.
        for i in range(count):
            panel[n_features // width, i, n_features % width] = scale[i]  # the intercept's column of ones
        products.add_product(panel, n_features + 1, panel, n_features + 1, count, True, hessian)


def gram_panel(n_samples, n_threads):
    """Rows of a tile of the Gram matrix: few tiles, so that packing costs little, but work for every thread.

    Sums do not depend on the tiles.
    """
    n_panels = max(-(-n_samples // _GRAM_TILE), min(n_threads, n_samples // 96), 1)
    return -(-n_samples // (48 * n_panels)) * 48


@kernel(cache=True)
def serve_gram(state, n_blocks, seen, task, ones, panels, X, rows_per_tile, gram):
    """X X^T, a tile of the lower triangle for each block.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    ones, panels
        One thread's `packed_space` for two panels of `gram_panel` columns.
    X : array of shape (n_samples, n_features)
    rows_per_tile : int64 array of shape (1,)
        `gram_panel`, a multiple of what products are padded to.
    gram : float64 array of shape (padded_rows(n_samples), padded_columns(n_samples))
        Written.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        # Tiles are numbered row by row through the lower triangle.
        i = int((math.sqrt(8.0 * block + 1.0) - 1.0) / 2.0)
        j = block - i * (i + 1) // 2
        _gram_tile(X.T, ones, i * rows_per_tile[0], j * rows_per_tile[0], rows_per_tile[0], panels, gram)


@kernel()
def _gram_tile(A, ones, i, j, size, panels, gram):
    """Rows from i and columns from j of A^T A."""
    n_features, n_samples = A.shape
    n_rows = min(size, n_samples - i)
    n_columns = min(size, n_samples - j)
    tile = gram[i : i + products.padded_rows(n_rows), j : j + products.padded_columns(n_columns)]
    tile[:] = 0.0
    left, right = panels[0], panels[1] if i != j else panels[0]
    for first in range(0, n_features, products.DEPTH):
        count = min(n_features - first, products.DEPTH)
        products.pack(A, ones, first, count, i, n_rows, left)
        if i != j:
            products.pack(A, ones, first, count, j, n_columns, right)
        products.add_product(left, n_rows, right, n_columns, count, i == j, tile)
