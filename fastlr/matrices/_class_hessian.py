"""The Hessian of a `SoftmaxLoss` by way of BLAS, whatever the kind of X.

With r_i = x_i and a 1 behind it, the block of classes k and l is sum_i h_ikl r_i r_i^T, h_ikk = s_i p_ik (1 - p_ik)
and h_ikl = -s_i p_ik p_il. The latter, for all pairs of classes, are one product of a matrix of rows p_i (x) r_i with
itself; the former are formed apart, for in a difference from that product next to nothing would be left of p near 1.
"""

from functools import partial

import numpy as np
from scipy import special

from ..runtime.parallel import run_all

_MOST_STRIPS = 8
_CACHED = 80_000  # numbers of some rows: caches hold them
_STRIP_WORK = 50_000_000  # multiply-adds from which on a second thread pays


def class_sandwich(matrix, loss, coefs, places=None, near=False):
    """[X 1]^T D [X 1] of a `SoftmaxLoss` at coefficients: one pass.

    Parameters
    ----------
    matrix : Matrix
    loss : SoftmaxLoss
    coefs : float64 array of shape (n_classes, n_features + 1)
    places : int array of shape (m,), optional
        Ascending indices of `coefs.ravel()`, those of rows and columns; by default all.
    near : bool
        See `SoftmaxLoss.curvature_factors`.

    Returns
    -------
    float64 array of shape (m, m)
        Symmetric.
    """
    places = np.arange(coefs.size) if places is None else places
    bounds = _strips(*matrix.shape, len(places))
    parts = [None] * (len(bounds) - 1)
    most = max(len(places), _CACHED // len(places))

    factors = partial(loss.curvature_factors, near=near)

    def add_up(strip, check):
        total = np.zeros((len(places), len(places)))
        for rows, block in matrix.rows_with_ones(first=bounds[strip], stop=bounds[strip + 1], most=most):
            check()
            _add_rows(total, np.ascontiguousarray(block.T), factors, rows, coefs, places)
        return total

    run_all(add_up, range(len(parts)), matrix.team.n_threads, parts.__setitem__)
    matrix.n_passes += 1
    hessian = parts[0]
    for part in parts[1:]:  # in their order, whoever was first
        hessian += part
    return hessian


def _strips(n_samples, n_features, n_coef):
    """First rows of the strips that threads take, and the number of rows: each has a matrix of its own."""
    most = max(2, min(_MOST_STRIPS, n_samples * n_features // (8 * n_coef**2)))
    n_strips = most if n_samples * n_coef**2 >= _STRIP_WORK else 1
    return [n_samples * strip // n_strips for strip in range(n_strips + 1)]


def _add_rows(total, columns, factors, rows, coefs, places):
    """Add up some rows of [X 1], given by columns, which are quick to pick."""
    own, shared = factors(special.softmax(coefs @ columns, axis=0).T, rows)
    if len(places) == coefs.size:
        total -= minus_hessian(own, shared, columns)
        return
    own, shared = np.ascontiguousarray(own.T), np.ascontiguousarray(shared.T)
    n_classes, width = coefs.shape
    classes, features = np.divmod(places, width)
    products = shared[classes]
    products *= columns[features]
    outer = products @ products.T
    bounds = np.searchsorted(classes, range(n_classes + 1)).tolist()
    for k in range(n_classes):
        same = slice(bounds[k], bounds[k + 1])
        scaled = own[k] * columns[features[same]]
        outer[same, same] = -(scaled @ scaled.T)
    total -= outer


def minus_hessian(own, shared, columns):
    """Minus the Hessian of some samples, for all coefficients.

    Parameters
    ----------
    own, shared : float64 arrays of shape (n, n_classes)
        See `SoftmaxLoss.curvature_factors`.
    columns : float64 array of shape (width, n)
        Those of [X 1].

    Returns
    -------
    float64 array of shape (n_classes * width, n_classes * width)
    """
    n_classes, width = shared.shape[1], len(columns)
    products = (shared.T[:, None] * columns).reshape(n_classes * width, -1)
    outer = products @ products.T
    blocks = np.einsum("kikj->kij", outer.reshape(n_classes, width, n_classes, width))
    for k in range(n_classes):
        scaled = own[:, k] * columns
        np.negative(scaled @ scaled.T, out=blocks[k])
    return outer
