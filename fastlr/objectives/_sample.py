"""Some rows of X with their loss, for what only steers."""

import numpy as np
from scipy import special

from .._validation import check_features
from ..losses.quadratic import Quadratic
from ..matrices import matrix_for
from ..runtime.blocks import sample_rows


class Sample:
    """At most so many rows, evenly spread, the same each time.

    Parameters
    ----------
    matrix : Matrix
    loss : SoftmaxLoss
    n_rows : int
    """

    def __init__(self, matrix, loss, n_rows):
        n_samples = matrix.shape[0]
        self.n_rows = min(n_rows, n_samples)
        if self.n_rows < n_samples or not matrix.in_memory:
            rows = sample_rows(n_samples, self.n_rows)
            matrix, loss = matrix.sample(loss, rows)
        self._matrix = matrix
        weight = loss.weights()
        self._weight = weight / max(weight.mean(), np.finfo(np.float64).tiny)
        self._dense = None

    def curvatures(self, coefs, *, average):
        """Weighted curvatures p (1 - p) at coefficients of shape (n_classes, n_features + 1).

        Returns
        -------
        float64 array of shape (n_rows, n_classes), or (n_rows, 1) if their average is asked for
            For weights of mean 1.
        """
        curvatures = np.empty((self.n_rows, 1 if average else len(coefs)))
        for rows, block in self._matrix.blocks(len(coefs)):
            p = special.softmax(block @ coefs[:, :-1].T + coefs[:, -1], axis=1)
            p *= 1.0 - p
            curvatures[rows] = p.mean(axis=1, keepdims=True) if average else p
        curvatures *= self._weight[:, None]
        return curvatures

    def hessian(self, curvature):
        """[X 1]^T D [X 1] / n_rows, float64 of shape (n_features + 1, n_features + 1)."""
        if self._dense is None:
            X, team = self._matrix.X, self._matrix.team
            is_sparse = self._matrix.is_sparse
            self._dense = matrix_for(check_features(X.toarray()), team=team) if is_sparse else self._matrix
        hessian = self._dense.sandwich(Quadratic(curvature))
        hessian /= self.n_rows
        return hessian
