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
        """Bound on f - f*; without an intercept `column` may be None."""
        return gap_bound(self.penalty, gradient, lambda: column / self._weight_sum)
