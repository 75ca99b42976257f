"""Compiled passes over X for a loss with one row of coefficients: what dense and sparse X share.

Passes belong to a matrix and a loss, whose arrays a kernel works on round after round. They do not hold the matrix,
which holds them.
"""

import numpy as np

from ..kernels.operations import Operation


class Passes:
    """Passes over X.

    A layout adds ``_run(operation)``: one round over all blocks, which leaves `_result`.

    Parameters
    ----------
    w : array of shape (n_features,)
        What kernels read coefficients from.
    result : float64 array of shape (n_features + 2,)
        What a round leaves, see `kernels.blocks`.
    scale : float
        Factor of X.
    """

    def __init__(self, w, result, scale):
        self._w, self._result, self._scale = w, result, scale
        self._intercept = np.zeros(1)

    def run(self, operation, coefs):
        """One round at coefficients, or for a direction, of shape (1, n_features + 1)."""
        coef = coefs[0]
        if self._scale == 1.0:
            self._w[:] = coef[:-1]
        else:
            np.multiply(coef[:-1], self._scale, out=self._w, casting="same_kind")
        self._intercept[0] = coef[-1]
        self._run(operation)

    def sweep(self, coefs):
        """Loss and gradient."""
        self.run(Operation.LOSS_GRADIENT, coefs)

    def product(self, directions):
        """Product of the Hessian with a direction."""
        self.run(Operation.HESSIAN_PRODUCT, directions)

    def predict(self, coefs):
        """Raw predictions."""
        self.run(Operation.RAW_PREDICTION, coefs)

    def sums(self):
        """What the last round added up: (loss, gradient of shape (1, n_features + 1))."""
        gradient = self._result[None, :-1].copy()
        if self._scale != 1.0:
            gradient[:, :-1] *= self._scale
        return self._result.item(-1), gradient
