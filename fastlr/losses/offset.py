"""The logistic loss with offsets: a part of each raw prediction that is given, as by a column held at coefficient 1."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from .. import reference
from .._validation import read_only
from .logistic import LogisticLoss

_TARGET = np.dtype([("y", np.float64), ("offset", np.float64)])


class OffsetLogistic(NamedTuple):
    """loss(z, (y, offset)) = log(1 + exp(z + offset)) - y (z + offset)."""

    unused: int = 0  # Numba knows no empty ones

    @staticmethod
    def compiled():
        """The formula for kernels."""
        from ..kernels.pointwise import loss_residual_curvature

        def formula(formula, z, y):
            return loss_residual_curvature(z + y.offset, y.y)

        return formula

    @staticmethod
    def arrays(z, target):
        """The formula for many samples."""
        return reference.loss_residual_curvature(z + target["offset"], target["y"])


class OffsetLogisticLoss(LogisticLoss):
    """Targets, weights and offsets; raw predictions are those without the offsets.

    Parameters
    ----------
    y, sample_weight, compiled
        See `PointwiseLoss`.
    offset : float64 array of shape (n_samples,)
    """

    formula = OffsetLogistic()

    def __init__(self, y, sample_weight, offset, *, compiled=True):
        super().__init__(y, sample_weight, compiled=compiled)
        self.offset = offset
        target = np.empty(len(y), _TARGET)
        target["y"], target["offset"] = y, offset
        self._target = read_only(target)
        self.value_at_zero = self.of_constants(np.zeros(1)) / self.weight_sum

    @property
    def targets(self):
        """What kernels read: the formula, targets with offsets, and weights."""
        return self.formula, self._target, self.sample_weight

    def take(self, rows):
        """The loss of some of the samples; `rows` are indices."""
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return OffsetLogisticLoss(self.y[rows], weight, self.offset[rows], compiled=self._compiled)

    def _log_odds(self):
        return self.raw + self.offset

    def loss_of_wrong_side(self):
        """0: where offsets put all samples on their sides, X may separate none."""
        return 0.0

    def best_intercepts(self):
        """The intercept that is best where all else is zero (0 where none is): float64 of shape (1,)."""
        mean = float(self.y @ self.weights()) / self.weight_sum
        if not 0.0 < mean < 1.0:
            return np.zeros(1)
        middle = super().best_intercepts()[0]

        def slope(intercept):
            return self.at(np.full(len(self.y), intercept))[1].sum()

        ends = middle - self.offset.max() - 1.0, middle - self.offset.min() + 1.0
        return np.array([brentq(slope, *ends, xtol=1e-14)])
