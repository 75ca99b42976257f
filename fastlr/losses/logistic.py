"""The logistic loss: targets in [0, 1], one raw prediction for each sample."""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import reference
from .base import PointwiseLoss, loss_of_wrong_side

_FAR = 10.0  # raw predictions from where on the loss is an exponential


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

    @staticmethod
    def arrays(z, y):
        """The formula for many samples."""
        return reference.loss_residual_curvature(z, y)


class LogisticLoss(PointwiseLoss):
    """Targets and weights; parameters and attributes as of `PointwiseLoss`."""

    formula: Any = Logistic()
    value_at_zero = math.log(2.0)  # mean loss of coefficients that tell no sample from any other
    _linear: Any = None  # what `linearised` returns

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
        return self._reach(self.of_samples(self._remembered)[1], self.raw)

    def _reach(self, residual, change):
        p = residual + self.y
        reach = np.maximum(p * change, (p - 1.0) * change)
        if self.sample_weight.size:
            reach = reach[self.sample_weight > 0.0]
        return float(reach.max(initial=-np.inf))

    def linearised(self):
        """Weighted residuals of the dual point of a step, see `overshoot`, where `raw` is what that changes.

        Returns
        -------
        residuals : Quadratic
            As its second derivatives; the next call overwrites them.
        divergence : float
            Weighted sum of h z_d^2, at least that of KL(q || p).
        """
        if self._linear is None:
            self._linear = _quadratic(np.empty_like(self.raw))
        _, residual, curvature = self.at(self._remembered)
        moved = curvature * self.raw
        np.add(residual, moved, out=self._linear.curvature)
        return self._linear, float(moved @ self.raw)

    def divergence(self):
        """Weighted sum of (q - p)^2 / (p (1 - p)), at least KL(q || p), p = sigmoid(raw).

        q is the dual point of the step from what was remembered to `raw`, see `overshoot`.

        Returns
        -------
        float
            inf where a q is not between 0 and 1.
        """
        change = self.raw - self._remembered
        _, before, h = self.of_samples(self._remembered)
        _, after, bend = self.of_samples(self.raw)
        if not self._reach(before, change) <= 1.0:
            return np.inf
        apart = before - after + h * change
        total = float(self.weights() @ (apart * apart / bend))
        return total if total < np.inf else np.inf

    def _towards(self, change):
        """A change of raw predictions as one in favour of the targets; those between 0 and 1 favour none."""
        towards = (2.0 * self.y - 1.0) * change
        between = (self.y > 0.0) & (self.y < 1.0)
        if between.any():
            towards[between] = -np.abs(change[between])
        return towards

    def _log_odds(self):
        return self.raw

    def _far(self):
        far = self._towards(self._log_odds()) > _FAR
        return far & (self.sample_weight > 0.0) if self.sample_weight.size else far

    def has_far(self):
        """Whether there are samples far on their side."""
        return bool(self._far().any())

    def towards_far(self):
        """What moves those on: second derivatives of their loss, signed as their targets, as a `Quadratic`."""
        return _quadratic(np.where(self._far(), np.where(self.y == 1.0, self.curvature, -self.curvature), 0.0))

    def towards_half(self):
        """A `Quadratic` of h_i (p_i - 1/2), by the `leverage` h_i that a matrix has left: of Firth's penalty."""
        _, residual, _ = self.of_samples(self.raw)
        return _quadratic(self.leverage * (residual + self.y - 0.5))

    def sides(self):
        """The least and the largest change in favour of its target that `raw`, of a direction, is to any sample.

        Returns
        -------
        least, largest : float
            Of samples that weigh anything. Where the least is not negative and the largest positive, the loss falls
            along the direction without end.
        """
        change = self._towards(self.raw)
        change = change[self.sample_weight > 0.0] if self.sample_weight.size else change
        return float(change.min()), float(change.max())

    def loss_of_wrong_side(self):
        """See `loss_of_wrong_side`; 0 where targets between 0 and 1 have no side."""
        return loss_of_wrong_side(self.sample_weight) if ((self.y == 0.0) | (self.y == 1.0)).all() else 0.0

    def separates(self):
        """Whether all samples that weigh anything lie on the right side of the hyperplane, by `raw`."""
        return self.sides()[0] > 0.0


def _quadratic(curvature):
    from .quadratic import Quadratic  # here, because it has this loss's formula

    return Quadratic(curvature)
