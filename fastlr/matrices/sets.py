"""Compiled passes over dense X for several sets of weights: one pass serves a fit to each."""

from functools import partial

import numpy as np

from ..kernels import many, tiles
from ..kernels.operations import Operation
from ..runtime.blocks import guarded_empty, softmax_block_rows
from ..runtime.team import Task

_PRODUCT_WORK = 0.5  # of the product of an entry and a fit, in entries of dense X


class SetPasses:
    """Passes over X for `WeightSets`, `kernels.many.MAX_FITS` at most.

    What is computed for a fit depends on which others there are by no more than rounding.
    """

    def __init__(self, matrix, loss):
        (n_samples, n_features), n_sets = matrix.shape, loss.n_rows
        self._team, self._n_entries, self._scale = matrix.team, matrix.X.size, matrix.scale
        self._sets, self._n_fits = np.zeros(n_sets, np.int64), np.zeros(1, np.int64)
        self._coef = np.zeros((tiles.even(n_sets), n_features), matrix.dtype)
        self._intercepts = np.zeros(n_sets)
        rows = softmax_block_rows(n_samples, n_features, 2 * n_sets)
        starts = np.append(np.arange(0, n_samples, rows), n_samples)
        self._n_blocks = len(starts) - 1
        self._sums = np.empty((self._n_blocks, n_sets, 3))
        self._gradients = guarded_empty((self._n_blocks, 2 * n_sets, n_features))
        coefs = self._sets, self._n_fits, self._coef, self._intercepts
        self._task = Task(
            many.serve,
            (matrix.X, *loss.targets, *coefs, starts, self._sums, self._gradients),
            partial(many.work_space, n_features, n_sets, matrix.dtype),
        )

    def sweep(self, coefs, sets, with_columns):
        """One round: losses, gradients and last columns of the Hessians, or None."""
        if self._n_fits[0] != len(sets):
            self._task.fastest.clear()  # passes for fewer fits were faster
        n_fits = self._n_fits[0] = len(sets)
        self._sets[:n_fits] = sets
        np.multiply(coefs[:, :-1], self._scale, out=self._coef[:n_fits], casting="same_kind")
        self._coef[n_fits : tiles.even(n_fits)] = 0.0
        self._intercepts[:n_fits] = coefs[:, -1]
        operation = Operation.LOSS_GRADIENT_COLUMN if with_columns else Operation.LOSS_GRADIENT
        self._team.run(self._task, operation, self._n_blocks, _PRODUCT_WORK * self._n_entries * n_fits)
        n_products = 2 * n_fits if with_columns else n_fits
        sums = np.empty((n_products, coefs.shape[1]))
        np.sum(self._gradients[:, :n_products], axis=0, out=sums[:, :-1])
        sums[:, :-1] *= self._scale
        losses, *totals = self._sums[:, :n_fits].sum(axis=0).T
        sums[:, -1] = np.concatenate(totals)[:n_products]
        return losses, sums[:n_fits], sums[n_fits:] if with_columns else None
