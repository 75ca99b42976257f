"""Many classes: a tile of samples at a time, for dense and sparse X.

A tile's raw predictions Z, of shape (n_classes, samples of the tile), stay in cache: formed from X, turned into
residuals in place, and multiplied with the same rows of X. Nothing of size n_samples x n_classes is kept. Classes come
first, so that the loops over samples vectorise for any number of classes.

With m = max_k z_k, e_k = exp(z_k - m) and t the class of the sample,

    loss = log(sum_k e_k) + m - z_t,    p_k = e_k / sum_l e_l,    residual_k = p_k - [k = t]
    (Hessian of the loss) v = p * (v - p . v)
"""

import numpy as np

from ..runtime.blocks import guarded_empty
from ..runtime.jit import helper, kernel
from ..runtime.rounds import NO_BLOCK, operation, take
from .llvm import as_rows, smaller
from .operations import Operation
from .pointwise import exp_negative, log1p_positive
from .tiles import add_gradient, cross_products, even, load, raw_predictions, tile_rows

_SPARSE_TILE = 64


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
    rows = tile_rows(n_features, dtype)
    tile, part = np.empty((rows, n_features), dtype), guarded_empty((even(n_classes), n_features), dtype)
    return tile, part, *_vectors(rows, n_classes, dtype)


def sparse_work_space(n_classes):
    """The same for sparse X, where products are computed in float64."""
    part = guarded_empty((1, n_classes))
    return np.empty((_SPARSE_TILE, 1)), part, *_vectors(_SPARSE_TILE, n_classes, np.float64)


def _vectors(rows, n_classes, dtype):
    flat, square = guarded_empty((2, even(n_classes) * rows), dtype), np.empty((n_classes, n_classes), dtype)
    return flat, square, guarded_empty((4, rows)), np.empty(rows, np.int64)


@helper()
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


@helper()
def _loss_residuals(Z, classes, weight, vectors, sums):
    """Turn what `_exponentials` left into weighted residuals, weight * (p - [class]), in place.

    The weighted loss is added to the first of the sums, the residuals of each class to the others. `vectors` holds the
    largest raw predictions, the sums of exponentials, and the raw predictions of the samples' own classes.
    """
    top, rest, target = vectors[0], vectors[1], vectors[2]
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


@helper()
def _curved(Z, T, weight, vectors, sums):
    """Turn changes T of raw predictions into those of the weighted residuals, in place; otherwise as the above.

    Z is left holding the probabilities.
    """
    rest, mean = vectors[1], vectors[2]
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


@kernel(counting=True)
def serve(
    state, n_blocks, seen, task, tile, part, flat, square, vectors, largest,
    way, X, classes, sample_weight, coef, intercepts, starts, sums, gradients, products,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    tile, part, flat, square, vectors, largest
        One thread's work space.
    way : named tuple
        What does the products, see `tiles.way_of`.
    X : array of shape (n_samples, n_features), or tuple (data, indices, indptr)
        Dense, or in compressed rows, see `csr.fused_pass`.
    classes : int64 array of shape (n_samples,)
        Class of each sample, from 0.
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    coef : array of shape (2, m, n_features), or for sparse X (2, n_features, n_classes)
        Coefficients, and a direction; m = n_classes made even, a row of zeros added.
    intercepts : array of shape (2, n_classes)
    starts : int64 array of shape (n_blocks + 1,)
        First row of each block.
    sums : float64 array of shape (n_blocks, n_classes + 1)
        Written: loss, and sums of the residuals, of each block.
    gradients : float64 array of shape (n_blocks, n_classes, n_features), or (n_blocks, n_features, n_classes)
        Written: products of the residuals with X of each block.
    products : float64 array of shape (n_blocks, n_classes, n_classes)
        Written by `CLASS_PRODUCTS`: sum over the rows of weight * p p^T; the sums are then those of weight * p.
    """
    n_classes = intercepts.shape[1]
    n_padded = flat.shape[1] // tile.shape[0]
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        what = operation(state)
        last = 1 if what == Operation.HESSIAN_PRODUCT else 0  # the direction comes after the coefficients
        sums[block] = 0.0
        if what == Operation.CLASS_PRODUCTS:
            products[block] = 0.0
        else:
            gradients[block] = 0.0
        for first in range(starts[block], starts[block + 1], tile.shape[0]):
            count = smaller(tile.shape[0], starts[block + 1] - first)
            rows = load(way, X, first, count, tile)
            for place in range(last + 1):
                R = as_rows(flat[place], n_padded, count)
                raw_predictions(way, X, first, rows, coef[place], intercepts[place], part, R)
            Z = as_rows(flat[0], n_classes, count)
            T = as_rows(flat[1], n_classes, count)
            weight = vectors[3, :count]
            for i in range(count):
                weight[i] = sample_weight[first + i] if sample_weight.size > 0 else 1.0
                vectors[2, i] = Z[classes[first + i], i]
            _exponentials(Z, vectors[0], vectors[1], largest)
            if what == Operation.LOSS_GRADIENT:
                _loss_residuals(Z, classes[first : first + count], weight, vectors, sums[block])
            elif what == Operation.HESSIAN_PRODUCT:
                _curved(Z, T, weight, vectors, sums[block])
            else:
                _add_class_products(way, Z, T, weight, vectors[1], square, sums[block], products[block])
                continue
            add_gradient(way, X, first, rows, R, part, gradients[block])


@helper(counting=True)
def _add_class_products(way, Z, T, weight, rest, square, sums, products):
    for k in range(Z.shape[0]):
        for i in range(Z.shape[1]):
            Z[k, i] /= 1.0 + rest[i]
            T[k, i] = weight[i] * Z[k, i]
            sums[1 + k] += T[k, i]
    cross_products(way, T, Z, square)
    for k in range(Z.shape[0]):
        for m in range(Z.shape[0]):
            products[k, m] += square[k, m]
