"""Some rows of X with their loss, for what only steers."""

import numpy as np
from scipy import special

from .._validation import check_features
from ..linalg.factor import ScaledCholesky
from ..losses.quadratic import Quadratic
from ..matrices import matrix_for
from ..rules import DOUBTFUL
from ..runtime.blocks import sample_rows

_PICKED = 500_000  # entries of rows that are copied at a time


class Sample:
    """At most so many rows, evenly spread, the same each time.

    Parameters
    ----------
    matrix : Matrix
    loss : SoftmaxLoss
    n_rows : int

    Attributes
    ----------
    n_rows : int
    is_part : bool
        Whether these are not all rows.
    dtype : numpy dtype
        What products with X are computed in: float32 where X holds small integers, which are exact there.
    weight : float64 array of shape (n_rows,)
        Weights, of mean 1.
    """

    def __init__(self, matrix, loss, n_rows):
        n_samples = matrix.shape[0]
        self.n_rows = min(n_rows, n_samples)
        self.is_part = self.n_rows < n_samples
        if self.is_part or not matrix.in_memory:
            rows = sample_rows(n_samples, self.n_rows)
            matrix, loss = matrix.sample(loss, rows)
        self._matrix = matrix
        is_narrow = matrix.X.dtype.kind in "biu" and np.result_type(matrix.X.dtype, np.float32) == np.float32
        self.dtype = np.dtype(np.float32) if is_narrow else matrix.dtype
        weight = loss.weights()
        self.weight = weight / max(weight.mean(), np.finfo(np.float64).tiny)
        self._dense = self._square = self._extent = self._unseen = None

    def curvatures(self, coefs):
        """Curvatures p (1 - p) at coefficients of shape (n_classes, n_features + 1): of shape (n_rows, n_classes)."""
        curvatures = np.empty((len(coefs), self.n_rows)).T  # those of a class together
        for rows, p in self._probabilities(coefs):
            np.multiply(p, 1.0 - p, out=curvatures[rows])
        return curvatures

    def _probabilities(self, coefs):
        for rows, block in self._matrix.blocks(len(coefs)):
            yield rows, special.softmax(coefs[:, :-1] @ block.T + coefs[:, -1:], axis=0).T

    def hessian(self, coefs, floor):
        """[X 1]^T D [X 1] / n_rows, D the classes' mean curvature, weighted, and no less than a share of its mean."""
        curvature = np.empty(self.n_rows)
        for rows, p in self._probabilities(coefs):
            curvature[rows] = (p * (1.0 - p)).mean(axis=1)
        curvature *= self.weight
        curvature += floor * (curvature.mean() - curvature)
        return self._sandwich(curvature)

    def square(self):
        """[X 1]^T [X 1] / n_rows, weighted, float64 of shape (n_features + 1, n_features + 1)."""
        if self._square is None:
            self._square = self._sandwich(self.weight)
        return self._square

    def unseen(self, standardisation):
        """What a block misses of columns that are next to constant here, though not in all rows: variances.

        `standardisation` gives means and variances over all rows, for a pass: asked only where something looks amiss.
        """
        if self._unseen is None:
            square, self._unseen = self.square(), 0.0
            if self.is_part and ScaledCholesky(square).smallest_pivot <= DOUBTFUL:
                seen = square.diagonal()[:-1] - square[-1, :-1] ** 2 / square[-1, -1]
                self._unseen = np.maximum(standardisation()[1] - seen, 0.0)
        return self._unseen

    def extents(self):
        """How far rows of [X 1] reach, weighted: squared lengths, columns on a scale, float64 of shape (n_rows,)."""
        if self._extent is None:
            diagonal = self.square().diagonal()
            inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
            self._extent = np.empty(self.n_rows)
            for rows, block in self._densely().rows_with_ones():
                self._extent[rows] = (block * block) @ inverse
            self._extent *= self.weight / len(diagonal)
        return self._extent

    def square_of(self, rows, amounts):
        """The sum of amounts_i [x_i 1]^T [x_i 1] of some rows over n_rows, of the same shape."""
        dense = self._densely()
        X, root = dense.X, np.sqrt(amounts).astype(self.dtype)
        width, most = X.shape[1] + 1, max(1, _PICKED // (X.shape[1] + 1))
        total = np.zeros((width, width))
        for first in range(0, len(rows), most):
            part = root[first : first + most]
            block = np.empty((len(part), width), self.dtype)
            scaled = part * part.dtype.type(dense.scale)
            np.multiply(X[rows[first : first + most]], scaled[:, None], out=block[:, :-1], casting="same_kind")
            block[:, -1] = part
            total += block.T @ block
        total /= self.n_rows
        return total

    def _sandwich(self, weight):
        return self._densely().sandwich(Quadratic(weight)) / self.n_rows

    def _densely(self):
        if self._dense is None:
            X, team = self._matrix.X, self._matrix.team
            is_sparse = self._matrix.is_sparse
            self._dense = matrix_for(check_features(X.toarray()), team=team) if is_sparse else self._matrix
        return self._dense
