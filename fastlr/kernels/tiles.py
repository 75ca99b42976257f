"""The two products of a pass with several columns of coefficients, classes or fits: of a tile of rows of X.

Raw predictions Z = W X^T + b come first, and R X, added to the gradient, when Z has become R; between the two the tile
stays in cache. Both are of shape (n_columns, rows of the tile).

For dense X both are matrix products. Those of many columns are left to BLAS; with a few, plain loops are two to three
times as fast, along rows of X, or, as the products are one another's mirror image, along its columns where those are
contiguous. Which it is, a type says (`Loops`, `Blas`): only what is called is compiled. X of another dtype, or in
Fortran order for BLAS, is copied first. For sparse X, coefficients and gradient are stored (n_features, n_columns).
"""

from typing import NamedTuple

import numpy as np
from numba import types, uint64
from numba.extending import overload

from ..runtime.jit import helper, options
from .pairs import combine, project

FEW_COLUMNS = 32  # up to here the products are not left to BLAS

_TILE_BYTES = 262_144  # a tile of X stays in a second-level cache between the two products
_MIN_ROWS = 32
_MAX_ROWS = 256
_CACHED_BYTES = 4_194_304  # up to here X is thought to stay near the cores from pass to pass

_COMPILED_ONLY = "only kernels can call this: what it does is chosen by the type of X, where they are compiled"


def even(n):
    """n, or n + 1 if it is odd: how many columns the plain loops take."""
    return n + n % 2


class Loops(NamedTuple):
    """The way of products with at most `FEW_COLUMNS`; a named tuple, as Numba tells these apart by class."""

    unused: int = 0  # it knows no empty ones


class Blas(NamedTuple):
    """The way of products with more."""

    unused: int = 0


def way_of(n_columns):
    """`Loops` or `Blas`."""
    return Loops() if n_columns <= FEW_COLUMNS else Blas()


def tile_rows(n_features, dtype):
    """Rows of a tile of dense X whose products are computed in `dtype`."""
    rows = _TILE_BYTES // (n_features * np.dtype(dtype).itemsize)
    return min(_MAX_ROWS, max(_MIN_ROWS, rows // _MIN_ROWS * _MIN_ROWS))


def load(way, X, first, count, tile):
    """Rows of a tile, as arrays that BLAS and the plain loops along rows read; for sparse X the tile, untouched.

    Parameters
    ----------
    way : Loops or Blas
    X : array of shape (n_samples, n_features), or tuple (data, indices, indptr)
        Dense, or in compressed rows, see `csr.fused_pass`.
    first, count : int
        First row of the tile, and number of rows.
    tile : array of shape (>= count, n_features)
        In the coefficients' dtype: where a copy is put if one is needed.

    Returns
    -------
    array of shape (count, n_features)
    """
    raise TypeError(_COMPILED_ONLY)


def raw_predictions(way, X, first, rows, W, b, part, Z):
    """Write the raw predictions of a tile into Z.

    Parameters
    ----------
    way, X, first
        See `load`.
    rows : array of shape (count, n_features)
        What `load` returned.
    W : array of shape (n_columns, n_features), for sparse X of shape (n_features, n_columns)
        For dense X with an even number of columns, the last of which may be of zeros, beyond those of b.
    b : array of shape (n_columns,)
    part : array of shape (n_columns, n_features), for sparse X of shape (1, n_columns)
        Work space.
    Z : array of shape (n_columns, count)
    """
    raise TypeError(_COMPILED_ONLY)


def add_gradient(way, X, first, rows, R, part, gradient):
    """Add the products of a tile's residuals R with its rows of X to the gradient; see `raw_predictions`."""
    raise TypeError(_COMPILED_ONLY)


def cross_products(way, A, B, out):
    """out = A B^T, of two arrays of shape (n_columns, count)."""
    raise TypeError(_COMPILED_ONLY)


@overload(load, jit_options=options(counting=True, is_helper=True))
def _overload_load(way, X, first, count, tile):
    if isinstance(X, types.BaseTuple) or _is_read_along_columns(way, X, tile):
        return lambda way, X, first, count, tile: tile[:count]
    if X.layout == "C" and X.dtype == tile.dtype:
        return lambda way, X, first, count, tile: X[first : first + count]
    if X.layout == "C":

        def load(way, X, first, count, tile):
            for i in range(count):
                for j in range(X.shape[1]):
                    tile[i, j] = X[first + i, j]
            return tile[:count]

    else:

        def load(way, X, first, count, tile):
            for j in range(X.shape[1]):
                for i in range(count):
                    tile[i, j] = X[first + i, j]
            return tile[:count]

    return load


def _is_read_along_columns(way, X, rows):
    return way.instance_class is Loops and X.layout == "F" and X.dtype == rows.dtype


def _is_read_in_place(way, X, rows):
    return way.instance_class is Loops and X.layout == "C" and X.dtype == rows.dtype


@overload(raw_predictions, jit_options=options(counting=True, is_helper=True))
def _overload_raw_predictions(way, X, first, rows, W, b, part, Z):
    if isinstance(X, types.BaseTuple):
        return _sparse_raw_predictions
    if _is_read_along_columns(way, X, rows):

        def raw_predictions(way, X, first, rows, W, b, part, Z):
            combine(X.T[:, first : first + Z.shape[1]], 0, X.shape[1], W, 0, Z)
            _add_to_rows(b, Z)

    elif _is_read_in_place(way, X, rows):

        def raw_predictions(way, X, first, rows, W, b, part, Z):
            project(X, first, Z.shape[1], W, _ahead(X, Z.shape[1]), Z)
            _add_to_rows(b, Z)

    elif way.instance_class is Loops:

        def raw_predictions(way, X, first, rows, W, b, part, Z):
            project(rows, 0, rows.shape[0], W, 0, Z)
            _add_to_rows(b, Z)

    else:

        def raw_predictions(way, X, first, rows, W, b, part, Z):
            np.dot(W, rows.T, Z)
            _add_to_rows(b, Z)

    return raw_predictions


@overload(add_gradient, jit_options=options(counting=True, is_helper=True))
def _overload_add_gradient(way, X, first, rows, R, part, gradient):
    if isinstance(X, types.BaseTuple):
        return _add_sparse_gradient
    if _is_read_along_columns(way, X, rows):

        def add_gradient(way, X, first, rows, R, part, gradient):
            project(X.T[:, first : first + R.shape[1]], 0, X.shape[1], R, 0, part)
            _add(part, gradient)

    elif _is_read_in_place(way, X, rows):

        def add_gradient(way, X, first, rows, R, part, gradient):
            combine(X, first, R.shape[1], R, _ahead(X, R.shape[1]), part)
            _add(part, gradient)

    elif way.instance_class is Loops:

        def add_gradient(way, X, first, rows, R, part, gradient):
            combine(rows, 0, rows.shape[0], R, 0, part)
            _add(part, gradient)

    else:

        def add_gradient(way, X, first, rows, R, part, gradient):
            np.dot(R, rows, part)
            _add(part, gradient)

    return add_gradient


@overload(cross_products, jit_options=options(counting=True, is_helper=True))
def _overload_cross_products(way, A, B, out):
    if way.instance_class is Blas:
        return lambda way, A, B, out: np.dot(A, B.T, out)

    def cross_products(way, A, B, out):
        for k in range(A.shape[0]):
            for m in range(B.shape[0]):
                total = A.dtype.type(0)
                for i in range(A.shape[1]):
                    total += A[k, i] * B[m, i]
                out[k, m] = total

    return cross_products


@helper()
def _add_to_rows(b, Z):
    for k in range(b.size):
        for i in range(Z.shape[1]):
            Z[k, i] += b[k]


@helper()
def _add(part, gradient):
    for k in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            gradient[k, j] += part[k, j]


@helper()
def _ahead(X, count):
    """How many rows ahead memory is asked for: none where X is in cache, and asking only costs."""
    return count if X.size * X.itemsize > _CACHED_BYTES else 0


@helper()
def _sparse_raw_predictions(way, X, first, rows, W, b, part, Z):
    data, indices, indptr = X
    sums = part[0]
    for i in range(Z.shape[1]):
        for k in range(sums.size):
            sums[k] = b[k]
        for t in range(indptr[first + i], indptr[first + i + 1]):
            x, w = data[uint64(t)], W[indices[uint64(t)]]
            for k in range(sums.size):
                sums[k] += x * w[k]
        for k in range(sums.size):
            Z[k, i] = sums[k]


@helper()
def _add_sparse_gradient(way, X, first, rows, R, part, gradient):
    data, indices, indptr = X
    residual = part[0]
    for i in range(R.shape[1]):
        for k in range(residual.size):
            residual[k] = R[k, i]
        for t in range(indptr[first + i], indptr[first + i + 1]):
            x, g = data[uint64(t)], gradient[indices[uint64(t)]]
            for k in range(residual.size):
                g[k] += x * residual[k]
