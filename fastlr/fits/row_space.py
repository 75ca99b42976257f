"""Many classes with fewer samples than features: the same fit to as many features as samples.

Under an L2 penalty the best coefficients are in the row space of X, as in `wide`. With X^T = Q R, Q of orthonormal
columns, these are W = V Q^T. Then X W^T = R^T V^T and |W| = |V|: V solves the same problem, with R^T in place of X, and
has the same certificate. Reflections lose nothing of X in rounding, so neither is there anything to certify again.

Source: Hastie & Tibshirani, Efficient quadratic regularization for expression arrays, Biostatistics 5, 2004.
"""

import math

import numpy as np
from scipy import linalg
from scipy.linalg.lapack import dormqr

from ..objectives.softmax import FACTORED_FEATURES

_MOST_ENTRIES = FACTORED_FEATURES**2  # of X, of which the reflections are a copy
_MOST_SAMPLES = 0.75  # for each feature, where there are factors of as many features: with more they cost no more
_MOST_PASSES = 40  # that the reflections may cost where there are no such factors

_BLOCK = 64  # reflections that LAPACK applies at a time


def has_small_row_space(problem, Cs):
    """Whether fits of a problem are best done in the row space of X, see `RowSpace`."""
    is_smooth = problem.n_classes > 2 and not problem.l1_ratio and all(map(math.isfinite, Cs))
    n_samples, n_features = problem.X.shape
    if not is_smooth or problem.is_sparse or problem.in_blocks or n_samples * n_features > _MOST_ENTRIES:
        return False
    if n_features <= FACTORED_FEATURES:
        return n_samples <= _MOST_SAMPLES * n_features
    return n_samples <= 4 * problem.n_classes * _MOST_PASSES


class RowSpace:
    """Orthonormal coordinates of the row space of a wide X.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Dense, n_samples <= n_features.

    Attributes
    ----------
    X : float64 array of shape (n_samples, n_samples)
        The samples in these coordinates; not finite where X is not, or where squares overflow.
    """

    def __init__(self, X):
        columns = np.array(X.T, dtype=np.float64, order="F")
        self._factors, R = linalg.qr(columns, overwrite_a=True, mode="raw", check_finite=False)
        self.X = np.ascontiguousarray(R.T)

    def coordinates(self, coef):
        """Coefficients of features, projected onto the row space, in its coordinates; both with rows [w, b]."""
        V = self._reflected(coef[:, :-1].copy(), "T")[:, : len(self.X)]
        return np.column_stack([V, coef[:, -1]])

    def features(self, coef):
        """Coefficients of the coordinates as coefficients of features; both with rows [w, b]."""
        reflectors, _ = self._factors
        W = np.zeros((len(coef), len(reflectors)))
        W[:, : len(self.X)] = coef[:, :-1]
        return np.column_stack([self._reflected(W, "N"), coef[:, -1]])

    def _reflected(self, rows, trans):
        product, _, _ = dormqr("L", trans, *self._factors, rows.T, lwork=_BLOCK * len(rows), overwrite_c=True)
        return product.T
