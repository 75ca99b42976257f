"""The Hessian of a `SoftmaxLoss` by way of BLAS, whatever the kind of X.

With r_i = x_i and a 1 behind it, the block of classes k and l is sum_i h_ikl r_i r_i^T, h_ikk = s_i p_ik (1 - p_ik)
and h_ikl = -s_i p_ik p_il. The latter, for all pairs of classes, are one product of a matrix of rows p_i (x) r_i with
itself. The former are minus the sums of the others of their class, as 1 - p_ik is the sum of p_il: in a difference from
that product next to nothing would be left of p near 1. Where all samples have the same probabilities, all blocks are
multiples of sum_i s_i r_i r_i^T.
"""

from itertools import combinations

import numpy as np
from scipy import special

from ..runtime.parallel import run_all

_MOST_STRIPS = 8
_CACHED = 80_000  # numbers of some rows: caches hold them
_WIDE = 128  # columns, from where on BLAS is as quick at the block of two classes as at that of all
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
        Whether to leave out classes that samples are far from, as if there were none; with no `places`.

    Returns
    -------
    float64 array of shape (m, m)
        Symmetric.
    """
    if places is None and not (near or coefs[:, :-1].any()):
        return _of_alike(matrix, loss, special.softmax(coefs[:, -1]))
    size = coefs.size if places is None else len(places)
    bounds = _strips(*matrix.shape, size)
    parts = [None] * (len(bounds) - 1)
    most = max(size, _CACHED // size)

    def add_up(strip, check):
        total = np.zeros((size, size))
        for rows, block in matrix.rows_with_ones(first=bounds[strip], stop=bounds[strip + 1], most=most):
            check()
            columns = np.ascontiguousarray(block.T)
            p = special.softmax(coefs @ columns, axis=0).T
            if places is None:
                total -= minus_hessian(loss.joint_factors(p, rows, near), columns)
            else:
                _add_some(total, columns, loss.own_factors(p, rows), loss.joint_factors(p, rows), places)
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


def _of_alike(matrix, loss, p):
    """The same where all samples have the same probabilities."""
    matrix.n_passes += 1
    square, joint = 0.0, np.ones((1, 1))
    for rows, block in matrix.rows_with_ones():
        scaled = loss.joint_factors(joint, rows) * block
        square = square + scaled.T @ scaled
    return minus_hessian_of_alike(p, -square)


def _add_some(total, columns, own, joint, places):
    """Add up the rows of [X 1] with these columns, which are quick to pick, for some coefficients."""
    own, joint = np.ascontiguousarray(own.T), np.ascontiguousarray(joint.T)
    classes, features = np.divmod(places, len(columns))
    products = joint[classes]
    products *= columns[features]
    outer = products @ products.T
    bounds = np.searchsorted(classes, range(len(own) + 1)).tolist()
    for k in range(len(own)):
        same = slice(bounds[k], bounds[k + 1])
        scaled = own[k] * columns[features[same]]
        outer[same, same] = -(scaled @ scaled.T)
    total -= outer


def minus_hessian(joint, columns):
    """Minus the Hessian of some samples, for all coefficients.

    Parameters
    ----------
    joint : float64 array of shape (n, n_classes)
        See `SoftmaxLoss.joint_factors`.
    columns : float64 array of shape (width, n)
        Those of [X 1].

    Returns
    -------
    float64 array of shape (n_classes * width, n_classes * width)
    """
    n_classes, width = joint.shape[1], len(columns)
    by_class = (_by_pairs if width > _WIDE else _at_once)(joint.T, columns)
    own = np.einsum("kikj->ikj", by_class)
    own[:] = 0.0
    others = by_class.sum(axis=0)
    own[:] = -0.5 * (others + others.T)  # so as to be symmetric to the last bit
    return by_class.reshape(n_classes * width, n_classes * width)


def _at_once(joint, columns):
    """The blocks of all pairs of classes, of shape (n_classes, width, n_classes, width)."""
    products = (joint[:, None] * columns).reshape(len(joint) * len(columns), -1)
    return (products @ products.T).reshape(2 * (len(joint), len(columns)))


def _by_pairs(joint, columns):
    """The same but for classes by themselves, block by block: each is symmetric, which halves the arithmetic."""
    roots = np.sqrt(joint)
    blocks = np.empty(2 * (len(joint), len(columns)))
    for k, other in combinations(range(len(joint)), 2):
        scaled = (roots[k] * roots[other]) * columns
        blocks[k, :, other] = blocks[other, :, k] = scaled @ scaled.T
    return blocks


def minus_hessian_of_alike(p, square):
    """The same of samples that have the same probabilities, and X^T X.

    Parameters
    ----------
    p : float64 array of shape (n_classes,)
    square : float64 array of shape (width, width)
        That of [X 1], weighted.
    """
    return np.kron(minus_hessian(p[None], np.ones((1, 1))), square)
