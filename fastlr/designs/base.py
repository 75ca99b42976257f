"""What all designs share: targets, weights, and what a pass leaves for each sample."""

import math

import numpy as np

from .._blocks import guarded_empty
from .._team import Team
from .._validation import check_finite, read_only
from ..kernels.links import apply_loss
from ..kernels.operations import Operation

# From this many multiply-adds on, 20 to 200 ms, a pass can be interrupted.
LONG_OPERATIONS = 300_000_000


class Design:
    """X with its targets and weights, and the passes over it.

    A layout adds ``_run(operation, coef)``, which does one of `kernels.operations` on all blocks and leaves the sums in
    ``_result`` (see `kernels.blocks`), and the passes that are its own.

    Everything above asks a design for sums over all samples and never learns how X lies in memory. Coefficients are
    ``coef = [w, b]``, intercept last; all results are float64 and weighted where there are weights.

    Parameters
    ----------
    X : array or sparse array of shape (n_samples, n_features)
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    raw : float64 array of shape (n_samples,)
        Raw predictions of the last `loss_gradient` or `raw_prediction`.
    curvature : float64 array of shape (n_samples,)
        Weighted second derivatives of the loss at the last `loss_gradient`.
    weight_sum : float
    n_passes : int
        How often X was read.
    """

    scale = 1.0  # factor of X

    def __init__(self, X, y, sample_weight, name, team):
        n_samples = X.shape[0]
        self.X = X
        self.y = read_only(y)
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(n_samples)
        self.team = team or Team(1)
        self.n_passes = 0
        self.raw = guarded_empty(n_samples)
        self.curvature = guarded_empty(n_samples)
        self._intercept = np.zeros(1)
        self._name = name

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

    def loss_gradient(self, coef):
        """Summed loss and its gradient at ``coef = [w, b]``: one pass.

        Returns
        -------
        loss : float
        gradient : float64 array of shape (n_features + 1,)

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        self._run(Operation.LOSS_GRADIENT, coef)
        loss = self._result.item(-1)
        if not math.isfinite(loss):
            self.check_finite()
        return loss, self._gradient()

    def _gradient(self):
        gradient = self._result[:-1].copy()
        if self.scale != 1.0:
            gradient[:-1] *= self.scale
        return gradient

    def raw_prediction(self, coef):
        """X w + b in `raw`, which is returned: one pass. Raises ValueError as `loss_gradient` does."""
        self._run(Operation.RAW_PREDICTION, coef)
        if not np.isfinite(self.raw).all():
            self.check_finite()
        return self.raw

    def hessian_product(self, direction):
        """[X 1]^T D [X 1] direction, D from the last `loss_gradient`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1,)
        """
        self._run(Operation.HESSIAN_PRODUCT, direction)
        return self._gradient()

    def loss_residual(self, raw, residual):
        """Summed loss at given raw predictions, without reading X.

        Parameters
        ----------
        raw : float64 array of shape (n_samples,)
        residual : array of shape (n_samples,)
            From `guarded_empty`. Written: weighted derivatives of the loss.

        Returns
        -------
        loss, total : float
            Sum of the losses, sum of the residuals.
        """
        loss, total = apply_loss(raw, self.y, self.sample_weight, self.raw, self.curvature, residual)
        if not np.isfinite(loss):
            self.check_finite()
        return loss, total

    def transposed_product(self, coefficients):
        """[X 1]^T coefficients, a float64 array of shape (n_features + 1,): one pass. Overwrites `curvature`."""
        self.curvature[:] = coefficients
        ones = np.zeros(self.shape[1] + 1)
        ones[-1] = 1.0
        return self.hessian_product(ones)

    def check_finite(self):
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        check_finite(self.X, self._name)
