"""X, dense or sparse, with targets of many classes."""

from functools import partial

import numpy as np

from .._blocks import entry_blocks, softmax_block_rows
from .._team import Task
from ..kernels import softmax, tiles
from ..kernels.operations import Operation
from .base import LONG_OPERATIONS
from .classes import ClassesDesign
from .csr import CSRDesign, compressed_rows
from .dense import DenseDesign

# Below this many products of an entry of X and a class a pass takes less than the start of a thread.
_INLINE_PRODUCTS = 500_000


class SoftmaxDesign(ClassesDesign):
    """X with classes, and compiled passes over it.

    Parameters
    ----------
    X, classes, n_classes, sample_weight, name, team
        See `ClassesDesign`.
    dtype : numpy dtype, optional
        What products of dense X are computed in, float32 or float64; by default float64 for float64 X and float32
        for all other. Those of sparse X are computed in float64.
    """

    def __init__(self, X, classes, n_classes, sample_weight, *, dtype=None, name="X", team=None):
        super().__init__(X, classes, n_classes, sample_weight, name, team)
        n_samples, n_features = X.shape
        if self.is_sparse:
            self.dtype = np.dtype(np.float64)
            arrays = compressed_rows(X)
            starts = entry_blocks(arrays[2], n_features, n_classes)
            shape = coef_shape = n_features, n_classes
            n_entries = X.nnz
            work_space = partial(softmax.sparse_work_space, n_classes)
        else:
            self.dtype = np.dtype(dtype or (np.float64 if X.dtype == np.float64 else np.float32))
            arrays = X
            rows = softmax_block_rows(n_samples, n_features, n_classes)
            starts = np.append(np.arange(0, n_samples, rows), n_samples)
            shape, n_entries = (n_classes, n_features), X.size
            coef_shape = tiles.even(n_classes), n_features
            work_space = partial(softmax.dense_work_space, n_features, n_classes, self.dtype)
        n_blocks = len(starts) - 1
        self.alone = n_entries * n_classes <= _INLINE_PRODUCTS
        self.long = n_entries * n_classes >= LONG_OPERATIONS
        self._coef = np.zeros((2, *coef_shape), self.dtype)
        self._intercepts = np.zeros((2, n_classes))
        self._sums = np.empty((n_blocks, n_classes + 1))
        self._gradients = np.empty((n_blocks, *shape))
        self._products = np.empty((n_blocks, n_classes, n_classes))
        self._task = Task(
            softmax.serve,
            (
                arrays,
                self.classes,
                self.sample_weight,
                self._coef,
                self._intercepts,
                starts,
                self._sums,
                self._gradients,
                self._products,
            ),
            work_space,
        )

    def _set(self, place, coef):
        w = coef[:, :-1]
        if self.is_sparse:
            self._coef[place] = w.T
        else:
            self._coef[place, : self.n_classes] = w
        self._intercepts[place] = coef[:, -1]

    def _run(self, operation):
        self.team.run(self._task, operation, len(self._sums), alone=self.alone, long=self.long)
        self.n_passes += 1

    def _summed_gradient(self):
        gradient = np.empty((self.n_classes, self.shape[1] + 1))
        w = gradient[:, :-1]
        np.sum(self._gradients, axis=0, out=w.T if self.is_sparse else w)
        np.sum(self._sums[:, 1:], axis=0, out=gradient[:, -1])
        return gradient

    def loss_gradient(self, coef):
        """Summed loss and its gradient at `coef`: one pass.

        Returns
        -------
        loss : float
        gradient : float64 array of shape (n_classes, n_features + 1)

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        self._set(0, coef)
        self._run(Operation.LOSS_GRADIENT)
        loss = float(self._sums[:, 0].sum())
        if not np.isfinite(loss):
            self.check_finite()
        return loss, self._summed_gradient()

    def hessian_product(self, direction):
        """Hessian of the summed loss, where `loss_gradient` was last evaluated, times a direction: one pass.

        Returns
        -------
        float64 array of shape (n_classes, n_features + 1)
        """
        self._set(1, direction)
        self._run(Operation.HESSIAN_PRODUCT)
        return self._summed_gradient()

    def intercept_hessian(self):
        """Block of that Hessian that belongs to the intercepts: one pass.

        Returns
        -------
        float64 array of shape (n_classes, n_classes)
        """
        self._run(Operation.CLASS_PRODUCTS)
        return np.diag(self._sums[:, 1:].sum(axis=0)) - self._products.sum(axis=0)

    def column_moments(self):
        """Weighted means of the columns and of their squares.

        Returns
        -------
        mean, square : float64 arrays of shape (n_features,)
            Of dense X, estimated from a subsample.
        """
        unused = np.zeros(self.shape[0])
        kind = CSRDesign if self.is_sparse else DenseDesign
        design = kind(self.X, unused, self.sample_weight, name=self._name, team=self.team)
        design.curvature[:] = self.sample_weight if self.sample_weight.size else 1.0
        first, second, total = design.column_moments()
        self.n_passes += design.n_passes
        return first / total, second / total
