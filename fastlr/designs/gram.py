"""Samples of which nothing is known but their inner products."""

import numpy as np

from .. import reference
from .._validation import read_only


class GramDesign:
    """What `solvers.gram_newton` needs of a design, over a Gram matrix that is there already.

    Parameters
    ----------
    gram : float64 array of shape (n_samples, n_samples)
        X X^T.
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    sample_weight : float64 array of shape (n_samples,)
    """

    dtype = np.dtype(np.float64)
    n_passes = 0

    def __init__(self, gram, y, sample_weight):
        self._gram = gram
        self.y = read_only(y)
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum())
        self.shape = gram.shape
        self.curvature = np.empty(len(y))

    def gram(self):
        """X X^T without the intercept."""
        return self._gram

    def loss_residual(self, raw, residual):
        """Summed loss at given raw predictions, and the sum of the residuals, which are written to `residual`."""
        losses, derivatives, curvature = reference.loss_residual_curvature(raw, self.y)
        np.multiply(self.sample_weight, derivatives, out=residual)
        np.multiply(self.sample_weight, curvature, out=self.curvature)
        return float(self.sample_weight @ losses), float(residual.sum())
