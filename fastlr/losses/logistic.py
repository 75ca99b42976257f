"""The logistic loss: targets in [0, 1], one raw prediction for each sample."""

import math
from typing import NamedTuple

import numpy as np

from .. import reference
from .base import PointwiseLoss


class Logistic(NamedTuple):
    """loss(z, y) = log(1 + exp(z)) - y z."""

    unused: int = 0  # Numba knows no empty ones

    @staticmethod
    def compiled():
        """The formula for kernels."""
        from ..kernels.pointwise import loss_residual_curvature

        def formula(formula, z, y):
            return loss_residual_curvature(z, y)

        return formula

    arrays = staticmethod(reference.loss_residual_curvature)


class LogisticLoss(PointwiseLoss):
    """Targets and weights; parameters and attributes as of `PointwiseLoss`."""

    formula = Logistic()
    value_at_zero = math.log(2.0)  # mean loss of coefficients that tell no sample from any other

    def best_intercepts(self):
        """The intercept that is best where all else is zero (0 where none is): float64 of shape (1,)."""
        mean = float(self.y @ self.weights()) / self.weight_sum
        return np.log([mean / (1.0 - mean)]) if 0.0 < mean < 1.0 else np.zeros(1)

    def overshoot(self):
        """The largest p z_d and -(1 - p) z_d of a sample that weighs anything: p at what was remembered, z_d = `raw`.

        Returns
        -------
        float
            At most 1 where q = p + h z_d stays between 0 and 1, h = p (1 - p).
        """
        _, residual, _ = self.formula.arrays(self._remembered, self.y)
        p = residual + self.y
        reach = np.maximum(p * self.raw, (p - 1.0) * self.raw)
        if self.sample_weight.size:
            reach = reach[self.sample_weight > 0.0]
        return float(reach.max(initial=-np.inf))

    def separates(self):
        """Whether all samples that weigh anything lie on the right side of the hyperplane, by `raw`."""
        right = np.where(self.y > 0.5, self.raw, -self.raw) > 0.0
        if self.sample_weight.size:
            right |= self.sample_weight == 0.0
        return bool(right.all())
