"""Many classes: a tile of samples at a time, for dense and sparse X.

A tile's raw predictions Z, of shape (n_classes, samples of the tile), stay in cache: formed from X, turned into
residuals in place, and multiplied with the same rows of X. Nothing of size n_samples x n_classes is kept. Classes come
first, so that the loops over samples vectorise for any number of classes.

For dense X both products are matrix products. With many classes they are left to BLAS; with a few, where one side is
thin, plain loops are two to three times as fast. Rows of another dtype or layout than the coefficients are copied into
a tile buffer first. For sparse X, coefficients and gradient are stored (n_features, n_classes), so that an entry of X
meets all classes in one stretch of memory.

With m = max_k z_k, e_k = exp(z_k - m) and t the class of the sample,

    loss = log(sum_k e_k) + m - z_t,    p_k = e_k / sum_l e_l,    residual_k = p_k - [k = t]
    (Hessian of the loss) v = p * (v - p . v)
"""

import numpy as np
from numba import types, uint64
from numba.extending import overload

from .._blocks import guarded_empty
from .._jit import FASTMATH, kernel
from .._rounds import first_block, join_round, leave_round, next_block, operation
from .links import HESSIAN_PRODUCT, LOSS_GRADIENT
from .pointwise import exp_negative, log1p_positive
from .products import add_product, padded

CLASS_PRODUCTS = HESSIAN_PRODUCT + 1

FEW_CLASSES = 32  # up to here the products are not left to BLAS

_TILE_BYTES = 262_144  # a tile of X stays in a second-level cache between the two products
_MIN_TILE = 32
_MAX_TILE = 256
_SPARSE_TILE = 64

_OPTIONS = {"nogil": True, "fastmath": set(FASTMATH), "error_model": "numpy", "forceinline": True}


def dense_work_space(n_features, n_classes, dtype):
    """What one thread of `serve` works in for dense X.

    Parameters
    ----------
    n_features, n_classes : int
    dtype : numpy dtype
        What products are computed in, float32 or float64.

    Returns
    -------
    tuple of ndarray
    """
    rows = _TILE_BYTES // (n_features * np.dtype(dtype).itemsize)
    rows = min(_MAX_TILE, max(_MIN_TILE, rows // _MIN_TILE * _MIN_TILE))
    tile, part = np.empty((rows, n_features), dtype), guarded_empty((padded(n_classes), n_features), dtype)
    return tile, part, *_vectors(rows, n_classes, dtype)


def sparse_work_space(n_classes):
    """The same for sparse X, where products are computed in float64."""
    part = guarded_empty((1, n_classes))
    return np.empty((_SPARSE_TILE, 1)), part, *_vectors(_SPARSE_TILE, n_classes, np.float64)


def _vectors(rows, n_classes, dtype):
    size = padded(n_classes) * rows
    raw, change = guarded_empty(size, dtype), guarded_empty(size, dtype)
    return raw, change, np.empty((n_classes, n_classes), dtype), guarded_empty((4, rows)), np.empty(rows, np.int64)


def _load(X, first, count, tile):
    if isinstance(X, tuple):
        return first
    tile[:count] = X[first : first + count]
    return tile[:count]


@overload(_load, jit_options=_OPTIONS)
def _overload_load(X, first, count, tile):
    """Rows of a tile, as a C-ordered array of the coefficients' dtype; for sparse X the index of the first."""
    if isinstance(X, types.BaseTuple):
        return lambda X, first, count, tile: first
    if X.layout == "C" and X.dtype == tile.dtype:
        return lambda X, first, count, tile: X[first : first + count]
    if X.layout == "C":

        def load(X, first, count, tile):
            for i in range(count):
                for j in range(X.shape[1]):
                    tile[i, j] = X[first + i, j]
            return tile[:count]

    else:

        def load(X, first, count, tile):
            for j in range(X.shape[1]):
                for i in range(count):
                    tile[i, j] = X[first + i, j]
            return tile[:count]

    return load


def _raw_predictions(X, rows, W, b, part, Z):
    if isinstance(X, tuple):
        _sparse_raw_predictions(X, rows, W, b, part, Z)
    else:
        _dense_raw_predictions(X, rows, W, b, part, Z)


@overload(_raw_predictions, jit_options=_OPTIONS)
def _overload_raw_predictions(X, rows, W, b, part, Z):
    """Write the raw predictions of a tile into Z."""
    return (_sparse_raw_predictions if isinstance(X, types.BaseTuple) else _dense_raw_predictions).py_func


@kernel()
def _dense_raw_predictions(X, rows, W, b, part, Z):
    if W.shape[0] <= FEW_CLASSES:
        full = rows.shape[0] // 4 * 4
        for k in range(Z.shape[0]):
            for i in range(Z.shape[1]):
                Z[k, i] = 0
        add_product(W, rows[:full], rows.shape[1], Z[:, :full])
        for i in range(full, rows.shape[0]):
            for k in range(b.size):
                z = W.dtype.type(0)
                for j in range(rows.shape[1]):
                    z += W[k, j] * rows[i, j]
                Z[k, i] = z
    else:
        np.dot(W, rows.T, Z)
    for k in range(b.size):
        for i in range(Z.shape[1]):
            Z[k, i] += b[k]


@kernel()
def _sparse_raw_predictions(X, rows, W, b, part, Z):
    data, indices, indptr = X
    sums = part[0]
    for i in range(Z.shape[1]):
        for k in range(sums.size):
            sums[k] = b[k]
        for t in range(indptr[rows + i], indptr[rows + i + 1]):
            x, w = data[uint64(t)], W[indices[uint64(t)]]
            for k in range(sums.size):
                sums[k] += x * w[k]
        for k in range(sums.size):
            Z[k, i] = sums[k]


def _add_gradient(X, rows, R, part, gradient):
    if isinstance(X, tuple):
        _add_sparse_gradient(X, rows, R, part, gradient)
    else:
        _add_dense_gradient(X, rows, R, part, gradient)


@overload(_add_gradient, jit_options=_OPTIONS)
def _overload_add_gradient(X, rows, R, part, gradient):
    """Add the products of a tile's residuals R with its rows of X to the gradient."""
    return (_add_sparse_gradient if isinstance(X, types.BaseTuple) else _add_dense_gradient).py_func


@kernel()
def _add_dense_gradient(X, rows, R, part, gradient):
    if R.shape[0] <= FEW_CLASSES:
        _few_gradients(rows, R, part)
    else:
        np.dot(R, rows, part)
    for k in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            gradient[k, j] += part[k, j]


@kernel()
def _few_gradients(rows, R, part):
    """part = R rows, for a few classes: two of them and four rows at a time, so that each row is loaded for two."""
    part[:] = 0
    full = rows.shape[0] // 4 * 4
    for i in range(0, full, 4):
        x0, x1, x2, x3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for k in range(0, R.shape[0], 2):
            g, h = part[k], part[k + 1]
            r0, r1, r2, r3 = R[k, i], R[k, i + 1], R[k, i + 2], R[k, i + 3]
            s0, s1, s2, s3 = R[k + 1, i], R[k + 1, i + 1], R[k + 1, i + 2], R[k + 1, i + 3]
            for t in range(rows.shape[1]):
                j = uint64(t)
                g[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])
                h[j] += (s0 * x0[j] + s1 * x1[j]) + (s2 * x2[j] + s3 * x3[j])
    for i in range(full, rows.shape[0]):
        x = rows[i]
        for k in range(R.shape[0]):
            g = part[k]
            r = R[k, i]
            for t in range(rows.shape[1]):
                j = uint64(t)
                g[j] += r * x[j]


@kernel()
def _add_sparse_gradient(X, rows, R, part, gradient):
    data, indices, indptr = X
    residual = part[0]
    for i in range(R.shape[1]):
        for k in range(residual.size):
            residual[k] = R[k, i]
        for t in range(indptr[rows + i], indptr[rows + i + 1]):
            x, g = data[uint64(t)], gradient[indices[uint64(t)]]
            for k in range(residual.size):
                g[k] += x * residual[k]


@kernel()
def _exponentials(Z, top, rest, largest):
    """Turn raw predictions into exp(z - their largest), in place.

    Writes the largest into `top` and the sum of all other exponentials into `rest`: the largest's is 1, and would
    swallow the digits of a small loss.
    """
    for i in range(Z.shape[1]):
        top[i] = Z[0, i]
        largest[i] = 0
    for k in range(1, Z.shape[0]):
        for i in range(Z.shape[1]):
            above = Z[k, i] > top[i]
            top[i] = Z[k, i] if above else top[i]
            largest[i] = k if above else largest[i]
    for i in range(Z.shape[1]):
        rest[i] = 0.0
    for k in range(Z.shape[0]):
        for i in range(Z.shape[1]):
            e = exp_negative(Z[k, i] - top[i])
            rest[i] += 0.0 if largest[i] == k else e
            Z[k, i] = e


@kernel()
def loss_residuals(Z, classes, weight, vectors, largest, sums):
    """Turn the raw predictions of a tile into weighted residuals, in place.

    Parameters
    ----------
    Z : array of shape (n_classes, n)
        Raw predictions; on return weight * (p - [class]).
    classes : int64 array of shape (n,)
        Class of each sample.
    weight : float64 array of shape (n,)
    vectors : float64 array of shape (3, >= n)
        Work space.
    largest : int64 array of shape (>= n,)
        Work space.
    sums : float64 array of shape (n_classes + 1,)
        The weighted loss is added to its first entry, the sums of the residuals to the rest.
    """
    top, rest, target = vectors[0], vectors[1], vectors[2]
    for i in range(Z.shape[1]):
        target[i] = Z[classes[i], i]
    _exponentials(Z, top, rest, largest)
    for i in range(Z.shape[1]):
        sums[0] += weight[i] * (log1p_positive(rest[i]) + (top[i] - target[i]))
        rest[i] = weight[i] / (1.0 + rest[i])
    for k in range(Z.shape[0]):
        total = 0.0
        for i in range(Z.shape[1]):
            r = Z[k, i] * rest[i] - (weight[i] if classes[i] == k else 0.0)
            total += r
            Z[k, i] = r
        sums[1 + k] += total


@kernel()
def curved(Z, T, weight, vectors, largest, sums):
    """Turn changes T of the raw predictions Z of a tile into those of the weighted residuals, in place.

    Z is left holding the probabilities. Parameters otherwise as of `loss_residuals`.
    """
    top, rest, mean = vectors[0], vectors[1], vectors[2]
    _exponentials(Z, top, rest, largest)
    for i in range(Z.shape[1]):
        rest[i] = 1.0 / (1.0 + rest[i])
        mean[i] = 0.0
    for k in range(Z.shape[0]):
        for i in range(Z.shape[1]):
            p = Z[k, i] * rest[i]
            mean[i] += p * T[k, i]
            Z[k, i] = p
    for k in range(Z.shape[0]):
        total = 0.0
        for i in range(Z.shape[1]):
            r = weight[i] * Z[k, i] * (T[k, i] - mean[i])
            total += r
            T[k, i] = r
        sums[1 + k] += total


@kernel(cache=True)
def serve(
    state, n_blocks, seen, task, tile, part, flat_raw, flat_change, square, vectors, largest,
    X, classes, sample_weight, coef, intercepts, starts, sums, gradients, products,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    state, n_blocks, seen, task
        See `Task`.
    tile, part, flat_raw, flat_change, square, vectors, largest
        One thread's work space.
    X : array of shape (n_samples, n_features), or tuple (data, indices, indptr)
        Dense, or in compressed rows, see `csr.fused_pass`.
    classes : int64 array of shape (n_samples,)
        Class of each sample, from 0.
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    coef : array of shape (2, m, n_features), or for sparse X (2, n_features, n_classes)
        Coefficients, and a direction; m = n_classes rounded up to a multiple of 4, with rows of zeros.
    intercepts : array of shape (2, n_classes)
    starts : int64 array of shape (n_blocks + 1,)
        First row of each block.
    sums : float64 array of shape (n_blocks, n_classes + 1)
        Written: loss, and sums of the residuals, of each block.
    gradients : float64 array of shape (n_blocks, n_classes, n_features), or (n_blocks, n_features, n_classes)
        Written: products of the residuals with X of each block.
    products : float64 array of shape (n_blocks, n_classes, n_classes)
        Written by `CLASS_PRODUCTS`: sum over the rows of weight * p p^T; the sums are then those of weight * p.

    Returns
    -------
    int
        The round this thread has seen last.
    """
    n_classes = intercepts.shape[1]
    n_padded = flat_raw.size // tile.shape[0]
    while True:
        current = join_round(state, n_blocks, seen, task)
        if current <= seen:
            return current
        seen = current
        block = first_block(state, task)
        while block >= 0:
            what = operation(state)
            sums[block] = 0.0
            if what == CLASS_PRODUCTS:
                products[block] = 0.0
            else:
                gradients[block] = 0.0
            for first in range(starts[block], starts[block + 1], tile.shape[0]):
                count = min(tile.shape[0], starts[block + 1] - first)
                rows = _load(X, first, count, tile)
                all_Z = flat_raw[: n_padded * count].reshape((n_padded, count))
                _raw_predictions(X, rows, coef[0], intercepts[0], part, all_Z)
                Z = all_Z[:n_classes]
                weight = vectors[3, :count]
                for i in range(count):
                    weight[i] = sample_weight[first + i] if sample_weight.size > 0 else 1.0
                if what == LOSS_GRADIENT:
                    loss_residuals(Z, classes[first : first + count], weight, vectors, largest, sums[block])
                    _add_gradient(X, rows, all_Z, part, gradients[block])
                    continue
                all_T = flat_change[: n_padded * count].reshape((n_padded, count))
                T = all_T[:n_classes]
                if what == HESSIAN_PRODUCT:
                    _raw_predictions(X, rows, coef[1], intercepts[1], part, all_T)
                    curved(Z, T, weight, vectors, largest, sums[block])
                    _add_gradient(X, rows, all_T, part, gradients[block])
                else:
                    _exponentials(Z, vectors[0], vectors[1], largest)
                    _add_class_products(Z, T, weight, vectors[1], square, sums[block], products[block])
            block = next_block(state, task)
        if n_blocks >= 0:
            leave_round(state, n_blocks)
            return seen


@kernel()
def _add_class_products(Z, T, weight, rest, square, sums, products):
    for k in range(Z.shape[0]):
        for i in range(Z.shape[1]):
            Z[k, i] /= 1.0 + rest[i]
            T[k, i] = weight[i] * Z[k, i]
            sums[1 + k] += T[k, i]
    np.dot(T, Z.T, square)
    for k in range(Z.shape[0]):
        for m in range(Z.shape[0]):
            products[k, m] += square[k, m]
