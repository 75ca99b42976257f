"""Compiled passes over X for many classes, dense and sparse: a row of coefficients for each."""

from functools import partial

import numpy as np

from ..kernels import softmax, tiles
from ..kernels.operations import Operation
from ..runtime.blocks import entry_blocks, softmax_block_rows
from ..runtime.team import Task

_PRODUCT_WORK = 0.5  # of the product of an entry and a class, in entries of dense X


class ClassPasses:
    """Passes over X for a `SoftmaxLoss`.

    A product takes the coefficients of the last sweep, at which raw predictions are formed anew.
    """

    def __init__(self, matrix, loss, X, n_entries, starts, coef_shape, gradient_shape, work_space):
        n_classes, n_blocks = loss.n_rows, len(starts) - 1
        self._n_classes, self._scale = n_classes, matrix.scale
        self._coef, self._intercepts = np.zeros((2, *coef_shape), matrix.dtype), np.zeros((2, n_classes))
        self._sums = np.empty((n_blocks, n_classes + 1))
        self._gradients = np.empty((n_blocks, *gradient_shape))
        self._products = np.empty((n_blocks, n_classes, n_classes))
        coefs = self._coef, self._intercepts
        sums = self._sums, self._gradients, self._products
        arguments = tiles.way_of(n_classes), X, loss.classes, loss.sample_weight, *coefs, starts, *sums
        task = Task(softmax.serve, arguments, work_space)
        work = _PRODUCT_WORK * n_entries * n_classes
        self._round = partial(matrix.team.run, task, n_blocks=n_blocks, work=work)

    def _w(self, place):
        """Where kernels read coefficients (0) or directions (1), of shape (n_classes, n_features)."""
        return self._coef[place, : self._n_classes]

    def _w_gradient(self, gradient):
        """The part of a gradient that sums over blocks go to, in the order of their axes."""
        return gradient[:, :-1]

    def _set(self, place, coefs):
        w = self._w(place)
        w[:] = coefs[:, :-1]
        if self._scale != 1.0:
            w *= w.dtype.type(self._scale)
        self._intercepts[place] = coefs[:, -1]

    def sweep(self, coefs):
        """Loss and gradient."""
        self._set(0, coefs)
        self._round(Operation.LOSS_GRADIENT)

    def product(self, directions):
        """Product of the Hessian with a direction."""
        self._set(1, directions)
        self._round(Operation.HESSIAN_PRODUCT)

    def sums(self):
        """What the last round added up: (loss, gradient of shape (n_classes, n_features + 1))."""
        gradient = np.empty((self._n_classes, self._w(0).shape[1] + 1))
        np.sum(self._gradients, axis=0, out=self._w_gradient(gradient))
        np.sum(self._sums[:, 1:], axis=0, out=gradient[:, -1])
        if self._scale != 1.0:
            gradient[:, :-1] *= self._scale
        return float(self._sums[:, 0].sum()), gradient

    def curvature_sum(self):
        """The sum of the second derivatives of the loss, of shape (n_classes, n_classes)."""
        self._round(Operation.CLASS_PRODUCTS)
        return np.diag(self._sums[:, 1:].sum(axis=0)) - self._products.sum(axis=0)


class DenseClassPasses(ClassPasses):
    """Those over dense X."""

    def __init__(self, matrix, loss):
        (n_samples, n_features), n_classes = matrix.shape, loss.n_rows
        rows = softmax_block_rows(n_samples, n_features, n_classes)
        starts = np.append(np.arange(0, n_samples, rows), n_samples)
        shapes = (tiles.even(n_classes), n_features), (n_classes, n_features)
        space = partial(softmax.dense_work_space, n_features, n_classes, matrix.dtype)
        super().__init__(matrix, loss, matrix.X, matrix.X.size, starts, *shapes, space)


class SparseClassPasses(ClassPasses):
    """Those over CSR X: coefficients of a feature lie together."""

    def __init__(self, matrix, loss):
        n_features, n_classes = matrix.shape[1], loss.n_rows
        starts = entry_blocks(matrix.arrays[2], n_features, n_classes)
        shapes = (n_features, n_classes), (n_features, n_classes)
        space = partial(softmax.sparse_work_space, n_classes)
        super().__init__(matrix, loss, matrix.arrays, matrix.X.nnz, starts, *shapes, space)

    def _w(self, place):
        return self._coef[place].T

    def _w_gradient(self, gradient):
        return gradient[:, :-1].T
