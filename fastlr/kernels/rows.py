"""Dense X with contiguous samples (C order): both products of a pass while a few rows are in cache.

Some rows are read for their raw predictions and, from the cache nearest to the core that holds them, again for the
gradient. Where X comes from main memory, rows further on are asked for in the middle of both loops, which keeps memory
busy all the time: a pass over 60,000 x 400 float64 numbers then takes 7.8 ms, and 12 without asking (one thread of an
AMD Zen 4; NumPy's two products 23). In cache, asking only costs.
"""

from ..runtime.jit import helper
from .links import apply_link
from .llvm import larger, smaller
from .operations import Operation
from .vectors import LONG_STRIP, WIDE_STRIP, long_adds, long_dots, wide_adds, wide_dots

MAX_CHUNK = 96  # rows of a chunk
# The rows of a chunk stay in the smallest first-level caches or, where they are longer, in the second. Both loops take
# turns often, or what one asks of memory comes long before the other needs it: 16 KB instead of 8 cost 20 %.
_CHUNK_BYTES, _LONG_CHUNK_BYTES = 8_192, 262_144

# Features of a stretch that is done for all rows of a chunk. Products of float32 are summed in float32 so far, and in
# float64 from stretch to stretch.
_FLOAT_STRETCH, _DOUBLE_STRETCH = 1_024, 4_096

_SUMMED_ROWS = 96  # rows, or little more, added up in w's dtype before the sum goes on in float64

# Features of a row from which on long strips are the faster: in cache by 5 %, from memory as fast. Numbers of 8 bits
# are not widened as fast by these.
_LONG_ROW = 256


@helper()
def _chunk_rows(X):
    """Rows per chunk: a multiple of `LONG_STRIP`, at most `MAX_CHUNK`."""
    row_bytes = X.shape[1] * X.itemsize
    is_short = LONG_STRIP * row_bytes <= 2 * _CHUNK_BYTES
    fitting = (_CHUNK_BYTES if is_short else _LONG_CHUNK_BYTES) // row_bytes
    return larger(LONG_STRIP, smaller(MAX_CHUNK, fitting // LONG_STRIP * LONG_STRIP))


@helper()
def fused_pass(
    what, X, formula, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
):
    """Both products of a pass over the rows [start, stop).

    Parameters
    ----------
    what : int
        The operation, see `operations`.
    X : array of shape (n_samples, n_features), C order
    formula, y, sample_weight, raw, curvature
        See `links.apply_link`.
    w : array of shape (n_features,)
        Coefficients, in the dtype the products are computed in; zeros follow it, see `vectors`.
    b : float
        Intercept, or its direction.
    start, stop : int
        Rows of this block.
    ahead : int
        Ask memory for rows that many further on; 0 for not at all.
    gradient : float64 array of shape (n_features,)
        Written: X^T residual over these rows.
    z : float64 array
    residual, part : arrays of w's dtype
        Work space, see `dense.work_space`; `part` takes the sum of some rows before it is added to `gradient`.

    Returns
    -------
    loss, total : float
        See `links.apply_link`.
    """
    rows = _chunk_rows(X)
    stretch = _FLOAT_STRETCH if w.itemsize == 4 else _DOUBLE_STRETCH
    loss = 0.0
    total = 0.0
    n_summed = 0  # rows in `part`
    n_moved = 0  # and in `gradient`
    part[:] = 0
    if what == Operation.RAW_PREDICTION:
        ahead = -ahead
    for first in range(start, stop, rows):
        count = smaller(rows, stop - first)
        for k in range(count + LONG_STRIP):
            z[k] = b
        _add_dots(X, first, count, w, stretch, ahead, z)
        value, value_total = apply_link(what, z, count, first, formula, y, sample_weight, raw, curvature, residual)
        loss += value
        total += value_total
        if what == Operation.RAW_PREDICTION:
            continue
        for k in range(count, count + LONG_STRIP):
            residual[k] = 0
        _add_rows(X, first, count, residual, stretch, ahead, part)
        n_summed += count
        if first + count == stop or (n_summed >= _SUMMED_ROWS and part.itemsize < gradient.itemsize):
            _move(part, n_moved == 0, gradient)
            n_moved += n_summed
            n_summed = 0
    return loss, total


@helper()
def _move(part, is_first, gradient):
    """Add `part` to `gradient`, or write it there, and empty it."""
    if is_first:
        for k in range(gradient.size):
            gradient[k] = part[k]
            part[k] = 0
    else:
        for k in range(gradient.size):
            gradient[k] += part[k]
            part[k] = 0


@helper()
def _add_dots(X, first, count, w, stretch, ahead, z):
    """Add X w of `count` rows from `first` to z."""
    last = X.shape[0] - 1
    long = X.itemsize > 1 and X.shape[1] >= _LONG_ROW
    for left in range(0, X.shape[1], stretch):
        right = smaller(X.shape[1], left + stretch)
        if long:
            for k in range(0, count, LONG_STRIP):
                long_dots(X, first + k, last, w, left, right, ahead, z, k)
        else:
            for k in range(0, count, WIDE_STRIP):
                wide_dots(X, first + k, last, w, left, right, ahead, z, k)


@helper()
def _add_rows(X, first, count, residual, stretch, ahead, gradient):
    """Add residual times row, of `count` rows from `first`, to the gradient."""
    last = X.shape[0] - 1
    long = X.itemsize > 1 and X.shape[1] >= _LONG_ROW
    for left in range(0, X.shape[1], stretch):
        right = smaller(X.shape[1], left + stretch)
        if long:
            for k in range(0, count, LONG_STRIP):
                long_adds(X, first + k, last, residual, k, left, right, ahead, gradient)
        else:
            for k in range(0, count, WIDE_STRIP):
                wide_adds(X, first + k, last, residual, k, left, right, ahead, gradient)
