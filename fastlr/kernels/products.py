"""Products of a matrix with its own transpose: the Hessian X^T D X and the Gram matrix X X^T.

Both are sums of products of rows that are contiguous along the summed axis. `pack` brings a piece of X, of any layout
and dtype, into that form; `add_product` is the one inner loop. Its 4 x 4 block of sums stays in registers: 16
multiply-adds for 8 loads. At a few dozen features this is two to three times BLAS, at several hundred 80 % of it, and
unlike BLAS it needs no lock on anyone's thread count to give the same bits each time.
"""

from numba import uint64

from .._jit import kernel

_PANEL = 64  # rows of a panel: two of them, DEPTH long, fit a second-level cache
DEPTH = 512  # entries of a packed row


@kernel()
def padded(n):
    """n rounded up to a multiple of 4, the block of `add_product`."""
    return (n + 3) // 4 * 4


@kernel()
def pack(X, scale, start, stop, first, last, out):
    """``out[f - first, s - start] = scale[s - start] * X[s, f]`` for samples [start, stop) and features [first, last).

    Rows of `out` up to the next multiple of 4 are set to zero.
    """
    width = last - first
    if X.strides[0] == X.itemsize:  # samples are contiguous: copy their whole length
        for k in range(width):
            _pack_feature(X, scale, start, stop - start, first + k, 0, out[k])
    else:
        full = (stop - start) // 8 * 8
        for s in range(0, full, 8):
            for k in range(width):
                _pack_eight(X, scale, start + s, first + k, s, out[k])
        for k in range(width):
            _pack_feature(X, scale, start, stop - start, first + k, full, out[k])
    for k in range(width, padded(width)):
        out[k, : stop - start] = 0


@kernel()
def _pack_feature(X, scale, start, count, feature, done, row):
    """Pack one feature of `count` samples from `start`, but for the first `done`."""
    j = uint64(feature)
    for t in range(done, count):
        i = uint64(t)
        row[i] = scale[i] * X[uint64(start) + i, j]


@kernel()
def _pack_eight(X, scale, start, feature, place, row):
    """Pack one feature of the eight samples from `start`; written out, which the compiler turns into one wide store."""
    i, j, k = uint64(start), uint64(feature), uint64(place)
    k1, k2, k3, k4 = k + uint64(1), k + uint64(2), k + uint64(3), k + uint64(4)
    k5, k6, k7 = k + uint64(5), k + uint64(6), k + uint64(7)
    x0, x1 = scale[k] * X[i, j], scale[k1] * X[i + uint64(1), j]
    x2, x3 = scale[k2] * X[i + uint64(2), j], scale[k3] * X[i + uint64(3), j]
    x4, x5 = scale[k4] * X[i + uint64(4), j], scale[k5] * X[i + uint64(5), j]
    x6, x7 = scale[k6] * X[i + uint64(6), j], scale[k7] * X[i + uint64(7), j]
    row[k], row[k1], row[k2], row[k3] = x0, x1, x2, x3
    row[k4], row[k5], row[k6], row[k7] = x4, x5, x6, x7


@kernel()
def add_product(A, B, depth, out):
    """out += A B^T over the first `depth` entries of each row.

    Parameters
    ----------
    A, B : arrays of shape (m, >= depth) and (k, >= depth)
        C order; m and k are multiples of 4.
    depth : int
        How many entries of a row are summed.
    out : float64 array of shape (m, k)
    """
    zero = A.dtype.type(0)
    for i in range(0, A.shape[0], 4):
        x0, x1, x2, x3 = A[i], A[i + 1], A[i + 2], A[i + 3]
        for j in range(0, B.shape[0], 4):
            y0, y1, y2, y3 = B[j], B[j + 1], B[j + 2], B[j + 3]
            s00 = s01 = s02 = s03 = zero
            s10 = s11 = s12 = s13 = zero
            s20 = s21 = s22 = s23 = zero
            s30 = s31 = s32 = s33 = zero
            for t in range(depth):
                k = uint64(t)
                a0, a1, a2, a3 = x0[k], x1[k], x2[k], x3[k]
                b0, b1, b2, b3 = y0[k], y1[k], y2[k], y3[k]
                s00 += a0 * b0
                s01 += a0 * b1
                s02 += a0 * b2
                s03 += a0 * b3
                s10 += a1 * b0
                s11 += a1 * b1
                s12 += a1 * b2
                s13 += a1 * b3
                s20 += a2 * b0
                s21 += a2 * b1
                s22 += a2 * b2
                s23 += a2 * b3
                s30 += a3 * b0
                s31 += a3 * b1
                s32 += a3 * b2
                s33 += a3 * b3
            _add_row(out, i, j, s00, s01, s02, s03)
            _add_row(out, i + 1, j, s10, s11, s12, s13)
            _add_row(out, i + 2, j, s20, s21, s22, s23)
            _add_row(out, i + 3, j, s30, s31, s32, s33)


@kernel()
def _add_row(out, i, j, s0, s1, s2, s3):
    out[i, j] += s0
    out[i, j + 1] += s1
    out[i, j + 2] += s2
    out[i, j + 3] += s3


@kernel()
def add_lower_product(A, depth, out):
    """The lower triangle of out += A A^T; blocks on the diagonal are filled whole. A has a multiple of 4 rows."""
    n = A.shape[0]
    for i in range(0, n, _PANEL):
        top = min(n, i + _PANEL)
        for j in range(0, i, _PANEL):
            add_product(A[i:top], A[j : j + _PANEL], depth, out[i:top, j : j + _PANEL])
        for k in range(i, top, 4):
            add_product(A[k : k + 4], A[i : k + 4], depth, out[k : k + 4, i : k + 4])
