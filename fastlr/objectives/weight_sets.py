"""The objective of `logistic` for several sets of weights over one X."""

import numpy as np

from .base import penalised
from .logistic import gap_bound


class WeightSetsObjective:
    """Mean logistic losses of several sets of weights over one X, each with a penalty of its own.

    Parameters
    ----------
    matrix : DenseMatrix
    loss : WeightSets
    penalties : list of L2
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

    def loss_gradients(self, sets, coefs):
        """Values and gradients of some sets: one pass.

        Parameters
        ----------
        sets : list of int
        coefs : list of float64 array of shape (1, n_features + 1)

        Returns
        -------
        list of (value, gradient)
        """
        values, gradients = self.matrix.sweep_sets(self.loss, np.concatenate(coefs), sets)
        parts = zip(sets, coefs, values.tolist(), gradients, strict=True)
        return [self.of_sets[k].penalised(coef, value, gradient[None]) for k, coef, value, gradient in parts]

    def gap_bounds(self, sets, coefs, gradients):
        """Bounds on f - f* of some sets: one pass; `gradients` are those at `coefs`."""
        columns = self.matrix.intercept_columns(self.loss, np.concatenate(coefs), sets)
        parts = zip(sets, gradients, columns, strict=True)
        return [self.of_sets[k].gap_bound(gradient, column) for k, gradient, column in parts]


class _SetObjective:
    """What can be said of one set without X."""

    def __init__(self, penalty, fit_intercept, weight_sum, dtype):
        self.penalty, self.fit_intercept, self.dtype = penalty, fit_intercept, dtype
        self._weight_sum = weight_sum

    def penalised(self, coefs, value, gradient):
        return penalised(self, coefs, value, gradient, self._weight_sum)

    def rough_gap(self, gradient):
        return self.penalty.dual_bound(float(np.vdot(gradient[:, :-1], gradient[:, :-1])))

    def gap_bound(self, gradient, column):
        return gap_bound(self.penalty, gradient, lambda: column / self._weight_sum)
