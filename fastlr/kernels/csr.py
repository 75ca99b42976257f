"""Sparse X in compressed rows (CSR): both products of a pass while a chunk of rows is in cache.

Row i holds the entries ``data[indptr[i]:indptr[i + 1]]`` in the columns ``indices[...]``. Columns may come in any
order, and more than once, which adds up.

Two things decide the speed of a loop that goes through an index array. Flags: allowed to reorder a sum, the compiler
gathers with vector instructions, which are slower than single loads; so these loops are compiled with CONTRACT. And
the sign: a signed index is tested for being negative in every load, so callers hand in unsigned views of the indices.
Together a factor of four.
"""

import numpy as np
from numba import uint64

from .._blocks import guarded_empty
from .._jit import CONTRACT, kernel
from .._rounds import first_block, join_round, leave_round, next_block, operation
from .links import HESSIAN_PRODUCT, LOSS, LOSS_GRADIENT, PRODUCT, RAW_PREDICTION, apply_link

COLUMN_SQUARES = HESSIAN_PRODUCT + 1  # one operation more than dense passes have
HESSIAN = 1

MAX_CHUNK = 64  # rows of a chunk: a few hundred entries each, and they stay in cache between the two products


def work_space():
    """What one thread of `serve` works in: raw predictions and residuals of a chunk."""
    return np.empty(MAX_CHUNK), guarded_empty(MAX_CHUNK)


@kernel(CONTRACT)
def _dot_row(data, indices, first, stop, w):
    z = 0.0
    for t in range(first, stop):
        k = uint64(t)
        z += data[k] * w[indices[k]]
    return z


@kernel(CONTRACT)
def _add_row(data, indices, first, stop, r, gradient):
    for t in range(first, stop):
        k = uint64(t)
        gradient[indices[k]] += r * data[k]


@kernel(CONTRACT)
def fused_pass(
    link, data, indices, indptr, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual
):
    """Both products of a pass over the rows [start, stop).

    Parameters
    ----------
    link : int
        What stands between the two products, see `links`.
    data : array of shape (n_entries,)
    indices : unsigned array of shape (n_entries,)
        Columns.
    indptr : int64 array of shape (n_samples + 1,)
    y, sample_weight, raw, curvature
        See `links.apply_link`.
    w : float64 array of shape (n_features,)
        Coefficients, or a direction.
    b : float
        Intercept, or its direction.
    start, stop : int
        Rows of this block.
    gradient : float64 array of shape (n_features,)
        Written: X^T residual over these rows.
    z, residual : float64 arrays of shape (MAX_CHUNK,)
        Work space.

    Returns
    -------
    loss, total : float
        See `links.apply_link`.
    """
    loss = 0.0
    total = 0.0
    gradient[:] = 0.0
    for first in range(start, stop, MAX_CHUNK):
        count = min(MAX_CHUNK, stop - first)
        for i in range(count):
            z[i] = b
            # Rows without weight, those that a fold holds out, are read for NaN only.
            if link == LOSS or curvature[first + i] != 0.0:
                z[i] += _dot_row(data, indices, indptr[first + i], indptr[first + i + 1], w)
        value, value_total = apply_link(link, z, count, first, y, sample_weight, raw, curvature, residual)
        loss += value
        total += value_total
        for i in range(count):
            if residual[i] != 0.0:
                _add_row(data, indices, indptr[first + i], indptr[first + i + 1], residual[i], gradient)
    return loss, total


@kernel(CONTRACT)
def raw_prediction(data, indices, indptr, w, b, start, stop, raw):
    """Write X w + b of the rows [start, stop) into `raw`."""
    for i in range(start, stop):
        raw[i] = _dot_row(data, indices, indptr[i], indptr[i + 1], w) + b


@kernel(CONTRACT)
def column_squares(data, indices, indptr, curvature, start, stop, squares):
    """Write sum_i curvature_i x_ij^2 over the rows [start, stop) into `squares`; returns the sum of the curvatures."""
    total = 0.0
    squares[:] = 0.0
    for i in range(start, stop):
        h = curvature[i]
        total += h
        if h == 0.0:
            continue
        for t in range(indptr[i], indptr[i + 1]):
            k = uint64(t)
            x = float(data[k])
            squares[indices[k]] += h * x * x
    return total


@kernel(CONTRACT, cache=True)
def serve(
    state, n_blocks, seen, task, z, residual,
    data, indices, indptr, y, sample_weight, w, intercept, starts, raw, curvature, sums, gradients,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    z, residual : float64 arrays of shape (MAX_CHUNK,)
        Work space of one thread.
    data, indices, indptr, y, sample_weight, w, raw, curvature
        See `fused_pass`.
    intercept : float64 array of shape (1,)
    starts : int64 array of shape (n_blocks + 1,)
        First row of each block.
    sums : float64 array of shape (n_blocks, 2)
        Written: loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        Written: X^T residual of each block, or the sums of squares.

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
            start, stop = starts[block], starts[block + 1]
            if what == RAW_PREDICTION:
                raw_prediction(data, indices, indptr, w, intercept[0], start, stop, raw)
            elif what == COLUMN_SQUARES:
                sums[block, 0] = 0.0
                sums[block, 1] = column_squares(data, indices, indptr, curvature, start, stop, gradients[block])
            else:
                link = LOSS if what == LOSS_GRADIENT else PRODUCT
                sums[block, 0], sums[block, 1] = fused_pass(
                    link, data, indices, indptr, y, sample_weight, w, intercept[0], start, stop,
                    raw, curvature, gradients[block], z, residual,
                )  # fmt: skip
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel(CONTRACT, cache=True)
def serve_hessian(state, n_blocks, seen, task, data, indices, indptr, curvature, starts, hessians):
    """The Hessian of the loss from the curvatures that the last pass left.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    data, indices, indptr, curvature
        See `fused_pass`.
    starts : int64 array of shape (n_blocks + 1,)
    hessians : float64 array of shape (n_blocks, n_features + 1, n_features + 1)
        Written: lower triangle of [X 1]^T D [X 1] of each block.

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
            hessian = hessians[block]
            hessian[:] = 0.0
            for i in range(starts[block], starts[block + 1]):
                if curvature[i] != 0.0:
                    _add_outer_product(data, indices, indptr[i], indptr[i + 1], curvature[i], hessian)
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel(CONTRACT)
def _add_outer_product(data, indices, first, stop, h, hessian):
    """Add h [x 1] [x 1]^T of a row to the lower triangle."""
    last = hessian[hessian.shape[0] - 1]
    last[last.size - 1] += h
    for t in range(first, stop):
        k = uint64(t)
        i = indices[k]
        x = h * data[k]
        last[i] += x
        hessian[i, i] += x * data[k]
        row = hessian[i]
        for u in range(first, t):
            m = uint64(u)
            j = indices[m]
            if j < i:
                row[j] += x * data[m]
            elif j > i:
                hessian[j, i] += x * data[m]
            else:  # the same column again: both halves of the product fall on the diagonal
                row[i] += 2.0 * x * data[m]
