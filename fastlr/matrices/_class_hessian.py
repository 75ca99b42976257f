"""The Hessian of a `SoftmaxLoss` by way of BLAS, whatever the kind of X.

With r_i = x_i and a 1 behind it, the block of classes k and l is sum_i h_ikl r_i r_i^T, h_ikk = s_i p_ik (1 - p_ik)
and h_ikl = -s_i p_ik p_il. The latter, for all pairs of classes, are one product of a matrix of rows p_i (x) r_i with
itself; the former are formed apart, for in a difference from that product next to nothing would be left of p near 1.
"""

import numpy as np

from ..runtime.parallel import run_all

_MOST_STRIPS = 8
_STRIP_WORK = 50_000_000  # multiply-adds from which on a second thread pays


def class_sandwich(matrix, loss, coefs):
    """[X 1]^T D [X 1] of a `SoftmaxLoss` at coefficients: one pass.

    Parameters
    ----------
    matrix : Matrix
    loss : SoftmaxLoss
    coefs : float64 array of shape (n_classes, n_features + 1)

    Returns
    -------
    float64 array of shape (n_coef, n_coef)
        Symmetric; coefficients in the order of `coefs.ravel()`.
    """
    bounds = _strips(*matrix.shape, coefs.size)
    parts = [None] * (len(bounds) - 1)

    def add_up(strip, check):
        total = np.zeros((coefs.size, coefs.size))
        for rows, block in matrix.rows_with_ones(coefs.size, first=bounds[strip], stop=bounds[strip + 1]):
            check()
            _add_rows(total, block, loss, rows, coefs)
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


def _add_rows(total, X1, loss, rows, coefs):
    diagonal, factor = loss.curvature_factors(X1 @ coefs.T, rows)
    n_classes, width = coefs.shape
    products = (factor[:, :, None] * X1[:, None, :]).reshape(len(X1), -1)
    outer = products.T @ products
    for k in range(n_classes):
        same = slice(k * width, (k + 1) * width)
        scaled = diagonal[:, [k]] * X1
        outer[same, same] = -(scaled.T @ scaled)
    total -= outer
