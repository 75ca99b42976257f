"""Dense X with contiguous samples (C order): both products of a pass from one read of X.

Four rows are handled together, so that w and the gradient are loaded once for four rows. While the raw predictions
of one chunk of rows are formed, the rows of the chunk before, still in cache, are added to the gradient: memory is
kept busy all the time. Alone, two alternating loops reach 70 % of the read bandwidth; interleaved, over 90 %.

Indices are unsigned, which spares the test for negative ones in every load.
"""

from numba import int64, uint64

from .._jit import kernel
from .links import apply_link
from .prefetch import prefetch_rows

_CHUNK_BYTES = 16_384  # two chunks stay in a first-level cache of 48 KB
MAX_CHUNK = 256
_SUMMED_ROWS = 64  # rows added up in w's dtype before the sum goes on in float64


@kernel()
def chunk_rows(n_features, itemsize):
    """Rows per chunk: a multiple of 4, at most 256."""
    fitting = _CHUNK_BYTES // max(1, n_features * itemsize)
    return max(4, min(MAX_CHUNK, fitting // 4 * 4))


@kernel()
def _dot_four(X, i0, i1, i2, i3, w):
    zero = w.dtype.type(0)
    z0 = zero
    z1 = zero
    z2 = zero
    z3 = zero
    for k in range(X.shape[1]):
        j = uint64(k)
        z0 += X[i0, j] * w[j]
        z1 += X[i1, j] * w[j]
        z2 += X[i2, j] * w[j]
        z3 += X[i3, j] * w[j]
    return z0, z1, z2, z3


@kernel()
def _add_four(X, i0, i1, i2, i3, r0, r1, r2, r3, gradient):
    for k in range(X.shape[1]):
        j = uint64(k)
        gradient[j] += (r0 * X[i0, j] + r1 * X[i1, j]) + (r2 * X[i2, j] + r3 * X[i3, j])


@kernel()
def _dot_four_add_four(X, i0, i1, i2, i3, w, p0, p1, p2, p3, r0, r1, r2, r3, gradient):
    zero = w.dtype.type(0)
    z0 = zero
    z1 = zero
    z2 = zero
    z3 = zero
    for k in range(X.shape[1]):
        j = uint64(k)
        z0 += X[i0, j] * w[j]
        z1 += X[i1, j] * w[j]
        z2 += X[i2, j] * w[j]
        z3 += X[i3, j] * w[j]
        gradient[j] += (r0 * X[p0, j] + r1 * X[p1, j]) + (r2 * X[p2, j] + r3 * X[p3, j])
    return z0, z1, z2, z3


@kernel()
def _quad(first, last):
    """Indices of four rows from `first`; past `last` the last row again, whose coefficient is then zero."""
    return (
        uint64(first),
        uint64(min(first + 1, last)),
        uint64(min(first + 2, last)),
        uint64(min(first + 3, last)),
    )


@kernel()
def fused_pass(link, X, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual, part):
    """Both products of a pass over the rows [start, stop), X read once.

    Parameters
    ----------
    link : int
        What stands between the two products, see `links`.
    X : array of shape (n_samples, n_features), C order
    y, sample_weight, raw, curvature
        See `links.apply_link`.
    w : array of shape (n_features,)
        Coefficients, in the dtype the products are computed in.
    b : float
        Intercept, or its direction.
    start, stop : int
        Rows of this block.
    gradient : float64 array of shape (n_features,)
        Written: X^T residual over these rows.
    z : float64 array of shape (256,)
    residual, part : arrays of w's dtype, shapes (512,) and (n_features,)
        Work space. `part` takes the sum of a few dozen rows before it is added to `gradient`, which matters where
        it is float32: the sums stay short and the conversions few.

    Returns
    -------
    loss, total : float
        See `links.apply_link`.
    """
    rows = chunk_rows(X.shape[1], X.itemsize)
    loss = 0.0
    total = 0.0
    last = stop - 1
    before = start  # first row of the chunk before, and how many rows it has
    # Of a type, for a literal 0 would have helpers compiled for that number as well.
    none = int64(0)
    n_before = none
    n_summed = none  # rows in `part`
    old = residual[:MAX_CHUNK]
    new = residual[MAX_CHUNK:]
    gradient[:] = 0
    part[:] = 0
    for first in range(start, stop, rows):
        count = min(rows, stop - first)
        for k in range(0, count, 4):
            i0, i1, i2, i3 = _quad(first + k, last)
            prefetch_rows(X, first + k + 2 * rows, 4)
            if k < n_before:
                p0, p1, p2, p3 = _quad(before + k, last)
                z0, z1, z2, z3 = _dot_four_add_four(
                    X, i0, i1, i2, i3, w, p0, p1, p2, p3, old[k], old[k + 1], old[k + 2], old[k + 3], part
                )
            else:
                z0, z1, z2, z3 = _dot_four(X, i0, i1, i2, i3, w)
            z[k] = z0 + b
            z[k + 1] = z1 + b
            z[k + 2] = z2 + b
            z[k + 3] = z3 + b
        _add_rows(X, before, (count + 3) // 4 * 4, n_before, last, old, part)
        n_summed += n_before
        if n_summed >= _SUMMED_ROWS:
            _move(part, gradient)
            n_summed = 0
        value, value_total = apply_link(link, z, count, first, y, sample_weight, raw, curvature, new)
        for k in range(count, (count + 3) // 4 * 4):
            new[k] = 0
        loss += value
        total += value_total
        before, n_before = first, count
        old, new = new, old
    _add_rows(X, before, none, n_before, last, old, part)
    _move(part, gradient)
    return loss, total


@kernel()
def _move(part, gradient):
    """Add `part` to `gradient` and empty it."""
    for k in range(gradient.size):
        gradient[k] += part[k]
        part[k] = 0


@kernel()
def _add_rows(X, first, done, count, last, residual, gradient):
    """Add the rows of a chunk to the gradient, but for the first `done`, which have been added."""
    for k in range(done, count, 4):
        i0, i1, i2, i3 = _quad(first + k, last)
        _add_four(
            X, i0, i1, i2, i3, residual[k], residual[k + 1], residual[k + 2], residual[k + 3], gradient
        )


@kernel()
def raw_prediction(X, w, b, start, stop, raw, part):
    """Write X w + b of the rows [start, stop) into `raw`; `part` is work space that only `columns` needs."""
    last = stop - 1
    ahead = 2 * chunk_rows(X.shape[1], X.itemsize)
    for i in range(start, stop, 4):
        prefetch_rows(X, i + ahead, 4)
        i0, i1, i2, i3 = _quad(i, last)
        z0, z1, z2, z3 = _dot_four(X, i0, i1, i2, i3, w)
        raw[i0] = z0 + b
        raw[i1] = z1 + b if i + 1 < stop else raw[i1]
        raw[i2] = z2 + b if i + 2 < stop else raw[i2]
        raw[i3] = z3 + b if i + 3 < stop else raw[i3]
