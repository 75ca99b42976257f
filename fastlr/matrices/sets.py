"""Compiled passes over dense X for several sets of weights: one pass serves a fit to each."""

from functools import partial

import numpy as np

from ..kernels import many, tiles
from ..kernels.operations import Operation
from ..runtime.blocks import guarded_empty, softmax_block_rows
from ..runtime.team import Task

_PRODUCT_WORK = 0.5  # of the product of an entry and a fit, in entries of dense X


class _Rounds:
    """Rounds of a kernel of `kernels.many`, by fit with so many rows of coefficients, sums and products with X."""

    def __init__(self, matrix, loss, kernel, space, n_rows, n_sums, n_products):
        (n_samples, n_features), n_sets = matrix.shape, loss.n_rows
        self._team, self._n_entries, self._scale = matrix.team, matrix.X.size, matrix.scale
        self._sets, self._n_fits = np.zeros(n_sets, np.int64), np.zeros(1, np.int64)
        self._coef = np.zeros((tiles.even(n_rows * n_sets), n_features), matrix.dtype)
        self._intercepts = np.zeros(n_rows * n_sets)
        block_rows = softmax_block_rows(n_samples, n_features, n_products * n_sets)
        starts = np.append(np.arange(0, n_samples, block_rows), n_samples)
        self._n_blocks = len(starts) - 1
        self._sums = np.empty((self._n_blocks, n_sets, n_sums))
        self._gradients = guarded_empty((self._n_blocks, n_products * n_sets, n_features))
        coefs = self._sets, self._n_fits, self._coef, self._intercepts
        arrays = matrix.X, *loss.targets, *coefs, starts, self._sums, self._gradients
        self._task = Task(kernel, arrays, partial(space, n_features, n_sets, matrix.dtype))

    def run(self, operation, coefs, sets, n_products):
        """One round: sums by block, of shape (n_blocks, n_fits, n_sums), and the products, the last column not set."""
        if self._n_fits[0] != len(sets):
            self._task.fastest.clear()  # passes for fewer fits were faster
        n_fits, n_coefs = len(sets), len(coefs)
        self._n_fits[0], self._sets[:n_fits] = n_fits, sets
        np.multiply(coefs[:, :-1], self._scale, out=self._coef[:n_coefs], casting="same_kind")
        self._coef[n_coefs : tiles.even(n_coefs)] = 0.0
        self._intercepts[:n_coefs] = coefs[:, -1]
        self._team.run(self._task, operation, self._n_blocks, _PRODUCT_WORK * self._n_entries * n_coefs)
        products = np.empty((n_products, coefs.shape[1]))
        np.sum(self._gradients[:, :n_products], axis=0, out=products[:, :-1])
        products[:, :-1] *= self._scale
        return self._sums[:, :n_fits], products


class SetPasses:
    """Passes over X for `WeightSets`, `kernels.many.MAX_FITS` at most.

    What is computed for a fit depends on which others there are by no more than rounding.
    """

    def __init__(self, matrix, loss):
        self._rounds = _Rounds(matrix, loss, many.serve, many.work_space, 1, 3, 2)

    def sweep(self, coefs, sets, with_columns):
        """One round: losses, gradients and last columns of the Hessians, or None."""
        n_fits = len(sets)
        n_products = 2 * n_fits if with_columns else n_fits
        operation = Operation.LOSS_GRADIENT_COLUMN if with_columns else Operation.LOSS_GRADIENT
        sums, products = self._rounds.run(operation, coefs, sets, n_products)
        losses, *totals = sums.sum(axis=0).T
        products[:, -1] = np.concatenate(totals)[:n_products]
        return losses, products[:n_fits], products[n_fits:] if with_columns else None


class StepPasses:
    """The same for steps with `StepSets`, half as many at most."""

    def __init__(self, matrix, loss):
        self._rounds = _Rounds(matrix, loss, many.serve_steps, many.step_space, 2, 7, 3)

    def curve(self, coef, k):
        """One round, see `DenseMatrix.curve_set`."""
        self._rounds.run(Operation.HESSIAN, np.concatenate([coef, coef]), [k], 3)

    def step(self, coefs, ends, sets):
        """One round, see `DenseMatrix.step_sets`."""
        n_fits = len(sets)
        both = np.stack([coefs, ends], axis=1).reshape(2 * n_fits, -1)
        sums, products = self._rounds.run(Operation.LOSS_GRADIENT, both, sets, 3 * n_fits)
        losses, *totals, apart, doubt, _ = sums.sum(axis=0).T
        gradients, moved, bends = products[1 : 2 * n_fits : 2], products[: 2 * n_fits : 2], products[2 * n_fits :]
        for columns, total in zip((gradients, moved, bends), totals, strict=True):
            columns[:, -1] = total
        return losses, gradients, moved, bends, apart, doubt, sums[:, :, 6].max(axis=0)
