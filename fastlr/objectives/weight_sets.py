"""The objective of `logistic` for several sets of weights over one X."""

import math

import numpy as np

from .base import DualGap, penalised
from .logistic import LogisticObjective, gap_bound
from .penalties import L2


class WeightSetsObjective:
    """Mean logistic losses of several sets of weights over one X, each with a penalty of its own.

    Parameters
    ----------
    matrix : DenseMatrix
    loss : WeightSets
    penalties : list of L2 or ElasticNet
        By set.
    fit_intercept : bool
    """

    def __init__(self, matrix, loss, penalties, fit_intercept):
        self.matrix = matrix
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.of_sets = [
            _SetObjective(penalty, fit_intercept, weight_sum, matrix.dtype)
            for penalty, weight_sum in zip(penalties, loss.weight_sums.tolist(), strict=True)
        ]

    def loss_gradients(self, sets, coefs, *, with_columns):
        """Values and gradients of some sets: one pass.

        Parameters
        ----------
        sets : list of int
        coefs : list of float64 array of shape (1, n_features + 1)
        with_columns : bool
            Whether the last columns of the Hessians are asked for too.

        Returns
        -------
        list of (value, gradient, column)
            Without columns, None in their place.
        """
        parts = self.matrix.sweep_sets(self.loss, np.concatenate(coefs), sets, with_columns=with_columns)
        values, gradients, columns = parts
        ends = []
        for i, k in enumerate(sets):
            end = self.of_sets[k].penalised(coefs[i], float(values[i]), gradients[i : i + 1])
            ends.append((*end, columns[i] if with_columns else None))
        return ends

    def _alone(self, k):
        return LogisticObjective(self.matrix, self.loss.of_set(k), L2(0.0), self.fit_intercept)

    def without_features(self, k):
        """The best intercept of set k, all else zeros."""
        return self._alone(k).without_features()

    def hessian(self, k, coef):
        """Hessian of the mean loss of set k: two passes."""
        self.matrix.curve_set(self.loss, coef, k)
        return self._alone(k).hessian(self.loss.curved)

    def steps(self, sets, coefs, gradients, ends):
        """What steps of some sets lead to: one pass, for which the loss is `StepSets`.

        Parameters
        ----------
        sets, coefs
            See `loss_gradients`.
        gradients, ends : lists of float64 array of shape (1, n_features + 1)
            Those at `coefs`, and where the steps end.

        Returns
        -------
        list of (value, gradient, bound)
            At `ends`, with a bound on f - f* there.
        """
        passed = self.matrix.step_sets(self.loss, np.concatenate(coefs), np.concatenate(ends), sets)
        parts = zip(sets, coefs, gradients, ends, zip(*passed, strict=True), strict=True)
        return [self.of_sets[k].step(*part) for k, *part in parts]


class _SetObjective(DualGap):
    """What can be said of one set without X."""

    def __init__(self, penalty, fit_intercept, weight_sum, dtype):
        self.penalty, self.fit_intercept, self.dtype = penalty, fit_intercept, dtype
        self._weight_sum = weight_sum

    def penalised(self, coefs, value, gradient):
        return penalised(self, coefs, value, gradient, self._weight_sum)

    def step(self, coefs, gradient, ends, passed):
        """Value, gradient and a bound on f - f* at the end of a step, from what `step_sets` says of it.

        q = p + h (z_d + t), see `Objective.step_gap`, is a dual point where t makes the residuals of an intercept sum
        to 0. Its divergence is the square of a length, and that of a sum the sum of two at most.
        """
        loss, new, moved, column, apart, doubt, reach = passed
        size = self._weight_sum
        value, new = self.penalised(ends, float(loss), new[None])
        shift = -(gradient[0, -1] * size + moved[-1]) / column[-1] if self.fit_intercept else 0.0
        divergence = (math.sqrt(apart) + abs(shift) * math.sqrt(doubt)) ** 2 / size
        if not (reach + abs(shift) <= 1.0 and divergence < math.inf):
            return value, new, math.inf
        a = self.pull(coefs, gradient) + (moved + shift * column)[:-1] / size
        return value, new, self.dual_gap(ends, value, a, divergence)

    def rough_gap(self, gradient):
        return self.penalty.dual_bound(float(np.vdot(gradient[:, :-1], gradient[:, :-1])))

    def gap_bound(self, gradient, column):
        """Bound on f - f*; without an intercept `column` may be None."""
        return gap_bound(self.penalty, gradient, lambda: column / self._weight_sum)
