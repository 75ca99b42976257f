"""Gradient descent from one read of X a step, where X goes feature after feature."""

import math

import numpy as np

from ..kernels.operations import Operation


class Descent:
    """Gradient descent over a matrix that goes by features: a step and the next raw predictions from one read of X.

    Parameters
    ----------
    matrix : DenseMatrix
    loss : LogisticLoss
    coef : float64 array of shape (n_features + 1,)
        [w, b] to start from.

    Attributes
    ----------
    value : float
        Summed loss at the current coefficients.
    """

    def __init__(self, matrix, loss, coef):
        self._matrix, self._passes = matrix, matrix.feature_passes(loss)
        # Kernels see the unscaled X, whose coefficients are scale * w, and whose gradient is 1/scale of ours.
        self._passes.set(np.append(coef[:-1] * matrix.scale, coef[-1]))
        self._run(Operation.LOSS)

    def _run(self, operation):
        self.value, self._total, self._gradient = self._passes.step(operation)
        self._matrix.n_passes += 1
        if not math.isfinite(self.value):
            self._matrix.check_finite()

    def step(self, rate):
        """Go down the gradient, `rate` times its length."""
        self._passes.step_length[0] = rate * self._matrix.scale**2
        self._passes.intercept[0] -= rate * self._total
        self._stepped_total = self._total
        self._run(Operation.STEP)

    def coef(self):
        """[w, b] after the last step."""
        return np.append(self._passes.coef / self._matrix.scale, self._passes.intercept)

    def gradient(self):
        """Gradient of the summed loss where the last step started."""
        return np.append(self._gradient * self._matrix.scale, self._stepped_total)
