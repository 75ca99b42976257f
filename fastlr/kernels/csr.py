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

from ..runtime.blocks import guarded_empty
from ..runtime.jit import CONTRACT, helper, kernel
from ..runtime.rounds import NO_BLOCK, operation, take
from .blocks import add_blocks
from .links import apply_link
from .llvm import smaller
from .operations import Operation

MAX_CHUNK = 64  # rows of a chunk: a few hundred entries each, and they stay in cache between the two products


def work_space():
    """What one thread of `serve` works in: raw predictions and residuals of a chunk."""
    return np.empty(MAX_CHUNK), guarded_empty(MAX_CHUNK)


@helper(CONTRACT)
def dot_row(data, indices, first, stop, w):
    """x . w of a row, or a column, of which these are the entries."""
    z = 0.0
    for t in range(first, stop):
        k = uint64(t)
        z += data[k] * w[indices[k]]
    return z


@helper(CONTRACT)
def _add_row(data, indices, first, stop, r, gradient):
    for t in range(first, stop):
        k = uint64(t)
        gradient[indices[k]] += r * data[k]


@helper(CONTRACT)
def fused_pass(
    what, data, indices, indptr, formula, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual
):
    """Both products of a pass over the rows [start, stop).

    Parameters
    ----------
    what : int
        The operation, see `operations`.
    data : array of shape (n_entries,)
    indices : unsigned array of shape (n_entries,)
        Columns.
    indptr : int64 array of shape (n_samples + 1,)
    formula, y, sample_weight, raw, curvature
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
        count = smaller(MAX_CHUNK, stop - first)
        for i in range(count):
            z[i] = b
            # Rows without weight, those that a fold holds out, are read for NaN only.
            if what != Operation.HESSIAN_PRODUCT or curvature[first + i] != 0.0:
                z[i] += dot_row(data, indices, indptr[first + i], indptr[first + i + 1], w)
        value, value_total = apply_link(what, z, count, first, formula, y, sample_weight, raw, curvature, residual)
        loss += value
        total += value_total
        if what == Operation.RAW_PREDICTION:
            continue
        for i in range(count):
            if residual[i] != 0.0:
                _add_row(data, indices, indptr[first + i], indptr[first + i + 1], residual[i], gradient)
    return loss, total


@helper(CONTRACT)
def column_moments(data, indices, indptr, curvature, start, stop, first, second):
    """Write sum_i curvature_i x_ij and x_ij^2 over the rows [start, stop); returns the sum of the curvatures."""
    total = 0.0
    first[:] = 0.0
    second[:] = 0.0
    for i in range(start, stop):
        h = curvature[i]
        total += h
        if h == 0.0:
            continue
        for t in range(indptr[i], indptr[i + 1]):
            k = uint64(t)
            x = float(data[k])
            first[indices[k]] += h * x
            second[indices[k]] += h * x * x
    return total


@kernel(CONTRACT)
def count_in_columns(indices, indptr, place, starts):
    """Count the entries in some columns, row after row.

    Parameters
    ----------
    indices, indptr
        See `fused_pass`.
    place : int32 array of shape (n_features,)
        Of each column among those, -1 of others.
    starts : int64 array of shape (n_samples + 1,)
        Written: where the entries of each row would begin, were there no others.
    """
    count = 0
    for i in range(indptr.size - 1):
        starts[i] = count
        for t in range(indptr[i], indptr[i + 1]):
            count += place[indices[uint64(t)]] >= 0
    starts[indptr.size - 1] = count


@kernel(CONTRACT)
def copy_columns(data, indices, indptr, place, some_data, some_indices):
    """Copy the entries in some columns, in their order; see `count_in_columns`.

    Parameters
    ----------
    some_data, some_indices : arrays with room for one more entry
        Written.
    """
    count = 0
    for t in range(indptr[0], indptr[indptr.size - 1]):
        k, at = uint64(t), uint64(count)
        # Written whether it counts or not: which do, no processor foretells.
        some_data[at] = data[k]
        some_indices[at] = place[indices[k]]
        count += place[indices[k]] >= 0


@kernel(CONTRACT)
def serve(
    state, n_blocks, seen, task, z, residual,
    X, formula, y, sample_weight, w, intercept, starts, raw, curvature, sums, gradients, squares, result,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    z, residual : float64 arrays of shape (MAX_CHUNK,)
        Work space of one thread.
    X : tuple (data, indices, indptr)
    formula, y, sample_weight, w, raw, curvature
        See `fused_pass`.
    intercept : float64 array of shape (1,)
    starts : int64 array of shape (n_blocks + 1,)
        First row of each block.
    sums : float64 array of shape (n_blocks, 2)
        Written: loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        Written: X^T residual of each block.
    squares : float64 array of shape (n_blocks, n_features)
        Written with the moments, which have X^T curvature in place of X^T residual: those of the squares.
    result : float64 array of shape (n_features + 2,)
        Written but for raw predictions, see `add_blocks`.
    """
    data, indices, indptr = X
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            if n_blocks > 0 and operation(state) != Operation.RAW_PREDICTION:
                add_blocks(sums, gradients, result)
            return seen
        what = operation(state)
        start, stop = starts[block], starts[block + 1]
        if what == Operation.COLUMN_MOMENTS:
            sums[block, 0] = 0.0
            sums[block, 1] = column_moments(
                data, indices, indptr, curvature, start, stop, gradients[block], squares[block]
            )
        else:
            sums[block, 0], sums[block, 1] = fused_pass(
                what, data, indices, indptr, formula, y, sample_weight, w, intercept[0], start, stop,
                raw, curvature, gradients[block], z, residual,
            )  # fmt: skip


@kernel(CONTRACT)
def serve_hessian(state, n_blocks, seen, task, X, curvature, starts, hessians):
    """The Hessian of the loss from the curvatures that the last pass left.

    Parameters
    ----------
    X : tuple (data, indices, indptr)
    curvature
        See `fused_pass`.
    starts : int64 array of shape (n_blocks + 1,)
    hessians : float64 array of shape (n_blocks, n_features + 1, n_features + 1)
        Written: of each block a matrix that, added to its transpose, is [X 1]^T D [X 1].
    """
    data, indices, indptr = X
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        hessian = hessians[block]
        hessian[:] = 0.0
        for i in range(starts[block], starts[block + 1]):
            if curvature[i] != 0.0:
                _add_half_product(data, indices, indptr[i], indptr[i + 1], curvature[i], hessian)


@helper(CONTRACT)
def _add_half_product(data, indices, first, stop, h, hessian):
    """Add a matrix that together with its transpose is h [x 1]^T [x 1] of a row.

    Each pair of entries is added once, wherever it falls: columns may come in any order, and more than once.
    """
    last = hessian[hessian.shape[0] - 1]
    last[last.size - 1] += 0.5 * h
    for t in range(first, stop):
        k = uint64(t)
        x = h * data[k]
        row = hessian[indices[k]]
        for u in range(first, t):
            m = uint64(u)
            row[indices[m]] += x * data[m]
        row[indices[k]] += 0.5 * x * data[k]
        last[indices[k]] += x
