"""A dense X in any of the dtypes and layouts that the kernels read."""

import math
from functools import partial

import numpy as np

from .._blocks import block_rows, count_blocks, feature_blocks, guarded_empty, hessian_block_rows, sample_rows
from .._machine import last_cache
from .._team import Task
from .._validation import read_only
from ..kernels import columns, dense, products
from ..kernels.operations import Operation
from .base import LONG_OPERATIONS, Design

# Below this many entries a pass takes less than the start of a thread.
_INLINE_ENTRIES = 250_000

_MOMENT_ROWS = 1_024

# How far ahead memory is asked for rows: bytes, and rows at least (those of a strip) and at most. 300,000 rows of 50
# float64 took 4.4 ms with 32 rows as with 64, and 7.2 with 16; longer rows hardly tell 16 from 32 (AMD Zen 4).
_AHEAD_BYTES, _AHEAD_LEAST, _AHEAD_MOST = 65_536, 8, 32


def _rows_ahead(X):
    """How many rows ahead a pass over X in C order asks memory; 0 where X stays in cache from pass to pass."""
    if 2 * X.nbytes <= last_cache():
        return 0
    return max(_AHEAD_LEAST, min(_AHEAD_MOST, _AHEAD_BYTES // (X.shape[1] * X.itemsize)))


class _RowBlocks:
    """Passes over blocks of rows, X read once; parameters as of `FeatureBlocks`."""

    def __init__(self, X, y, sample_weight, w, intercept, raw, curvature):
        n_samples, n_features = X.shape
        rows = block_rows(n_samples, n_features)
        n_blocks = count_blocks(n_samples, rows)
        self._n_blocks = n_blocks
        self.result = np.empty(n_features + 2)
        sums = np.empty((n_blocks, 2)), np.empty((n_blocks, n_features)), self.result
        ahead = np.array([_rows_ahead(X)])
        arguments = (X, y, sample_weight, w, intercept, np.array([rows]), ahead, raw, curvature)
        # A work space by `partial`: a lambda here would hold this object, and X until cycles are collected.
        space = partial(dense.work_space, X, w.dtype)
        self.task = Task(dense.serve, (*arguments, *sums), space)

    def run(self, run, operation):
        """Do an operation by ``run(task, operation, n_blocks)``."""
        run(self.task, operation, self._n_blocks)


class FeatureBlocks:
    """Passes over X in F order that go feature after feature, X read once for each of the two products.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y, sample_weight : float64 arrays
    w : array of shape (n_features,)
        Coefficients in the dtype that products are computed in: a `padded_vector`.
    intercept : float64 array of shape (1,)
    raw, curvature : float64 arrays of shape (n_samples,)

    Attributes
    ----------
    result : float64 array of shape (n_features + 2,)
        What the last pass left: the gradient, the sum of the residuals, and the loss.
    w, intercept
        As given.
    coef : float64 array of shape (n_features,)
        What `STEP` steps, with `w`, `intercept` and the residuals as the last `LOSS` or `STEP` left them.
    step : float64 array of shape (1,)
        How far, in lengths of the gradient.
    """

    def __init__(self, X, y, sample_weight, w, intercept, raw, curvature):
        n_samples, n_features = X.shape
        features = feature_blocks(n_samples, n_features)
        rows = block_rows(n_samples, 1)
        self._n_blocks = count_blocks(n_features, features)
        self._n_row_blocks = count_blocks(n_samples, rows)
        self.coef, self.result = np.zeros(n_features), dense.padded_vector(n_features + 2, np.float64)
        self.w, self.intercept, self.step = w, intercept, np.zeros(1)
        residual = dense.padded_vector(n_samples, w.dtype, X)
        partial_products = guarded_empty((self._n_blocks, n_samples))
        sizes = np.array([features]), np.array([rows])
        sums = raw, curvature, residual, partial_products, np.empty((self._n_row_blocks, 2)), self.result
        arguments = (X, y, sample_weight, self.step, self.coef, w, intercept, *sizes, *sums)
        self.task = Task(dense.serve_features, arguments, partial(dense.features_work_space, X, w.dtype))

    def run(self, run, operation):
        """Do an operation by ``run(task, operation, n_blocks)``."""
        n_products = 2 if operation in (Operation.LOSS_GRADIENT, Operation.HESSIAN_PRODUCT) else 1
        run(self.task, operation, n_products * self._n_blocks + self._n_row_blocks)


class Descent:
    """Gradient descent over a design that goes by features: a step and the next raw predictions from one read of X.

    Parameters
    ----------
    design : DenseDesign
    coef : float64 array of shape (n_features + 1,)
        [w, b] to start from.

    Attributes
    ----------
    loss : float
        Summed loss at the current coefficients.
    """

    def __init__(self, design, coef):
        self._design, self._blocks = design, design.blocks
        # Kernels see the unscaled X, whose coefficients are scale * w, and whose gradient is 1/scale of ours.
        np.multiply(coef[:-1], design.scale, out=self._blocks.coef)
        self._blocks.w[:] = self._blocks.coef
        self._blocks.intercept[0] = coef[-1]
        self._run(Operation.LOSS)

    def _run(self, operation):
        self._blocks.run(self._design.run_task, operation)
        self._design.n_passes += 1
        self._total, self.loss = self._blocks.result[-2:].tolist()
        if not math.isfinite(self.loss):
            self._design.check_finite()

    def step(self, rate):
        """Go down the gradient, `rate` times its length."""
        self._blocks.step[0] = rate * self._design.scale**2
        self._blocks.intercept[0] -= rate * self._total
        self._stepped_total = self._total
        self._run(Operation.STEP)

    def coef(self):
        """[w, b] after the last step."""
        return np.append(self._blocks.coef / self._design.scale, self._blocks.intercept)

    def gradient(self):
        """Gradient of the summed loss where the last step started."""
        return np.append(self._blocks.result[:-2] * self._design.scale, self._stepped_total)


class DenseDesign(Design):
    """A dense X with its targets and weights, and the passes over it.

    The effective matrix is ``scale * X``.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`.
    scale : float
        Factor of all features, 1/255 for pixels say: X itself stays as it is.
    dtype : numpy dtype, optional
        What products are computed in, float32 or float64; by default float64 for float64 X and float32 for all other,
        which is the faster and about as exact as float32 features are.
    y, sample_weight, name, team
        See `Design`.
    """

    def __init__(self, X, y, sample_weight, *, scale=1.0, dtype=None, name="X", team=None):
        super().__init__(X, y, sample_weight, name, team)
        n_features = X.shape[1]
        self.scale = scale
        self.dtype = np.dtype(dtype or (np.float64 if X.dtype == np.float64 else np.float32))
        self.alone = X.size <= _INLINE_ENTRIES
        self.long = X.size >= LONG_OPERATIONS
        self._w = dense.padded_vector(n_features, self.dtype, X)
        self.goes_by_features = not X.flags.c_contiguous and columns.has_short_pieces(n_features)
        kind = FeatureBlocks if self.goes_by_features else _RowBlocks
        self.blocks = kind(X, self.y, self.sample_weight, self._w, self._intercept, self.raw, self.curvature)
        self._result = self.blocks.result
        self._hessian_task = None

    def subsample(self, rows):
        """A design of some of the rows, which are copied; `rows` are ascending indices."""
        order = "C" if self.X.flags.c_contiguous else "F"
        X = np.empty((len(rows), self.shape[1]), self.X.dtype, order=order)
        # mode="clip": the default would copy by way of a buffer.
        if order == "C":
            np.take(self.X, rows, axis=0, out=X, mode="clip")
        else:
            np.take(self.X.T, rows, axis=1, out=X.T, mode="clip")
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return DenseDesign(
            read_only(X), self.y[rows], weight, scale=self.scale, dtype=self.dtype, name=self._name, team=self.team
        )

    def _run(self, operation, coef):
        if self.scale == 1.0:
            self._w[:] = coef[:-1]
        else:
            np.multiply(coef[:-1], self.scale, out=self._w, casting="same_kind")
        self._intercept[0] = coef[-1]
        self.blocks.run(self.run_task, operation)
        self.n_passes += 1

    def run_task(self, task, operation, n_blocks):
        """One round of a pass over X."""
        self.team.run(task, operation, n_blocks, alone=self.alone, long=self.long)

    def column_moments(self):
        """First and second moments of the columns, weighted with `curvature`, estimated from a subsample.

        Returns
        -------
        first, second : float64 arrays of shape (n_features,)
            X^T h and (X * X)^T h.
        total : float
            Sum of h.
        """
        n_samples = self.shape[0]
        rows = sample_rows(n_samples, min(n_samples, _MOMENT_ROWS))
        X = self.scale * self.X[rows].astype(np.float64)
        h = self.curvature[rows]
        sampled, total = h.sum(), self.curvature.sum()
        h = h * (total / sampled) if sampled > 0.0 else h
        return X.T @ h, (X * X).T @ h, float(total)

    def hessian(self):
        """[X 1]^T D [X 1], D from the last `loss_gradient`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1, n_features + 1)
            Symmetric. Products are computed in float32 unless X is float64.
        """
        n_samples, n_features = self.shape
        if self._hessian_task is None:
            rows = np.array([hessian_block_rows(n_samples, n_features)])
            shape = products.padded_rows(n_features + 1), products.padded_columns(n_features + 1)
            self._hessians = np.empty((count_blocks(n_samples, int(rows[0])), *shape))
            self._hessian_task = Task(
                dense.serve_hessian,
                (self.X, self.curvature, rows, self._hessians),
                partial(dense.packed_space, n_features + 1, 1, self.dtype),
            )
        long = self.X.size * n_features >= LONG_OPERATIONS
        self.team.run(self._hessian_task, Operation.HESSIAN, len(self._hessians), alone=self.alone, long=long)
        self.n_passes += 1
        hessian = np.empty((n_features + 1, n_features + 1))
        products.mirror(self._hessians, hessian)
        if self.scale != 1.0:
            hessian[:-1] *= self.scale
            hessian[:, :-1] *= self.scale
        return hessian

    def gram(self):
        """X X^T without the intercept: one pass.

        Returns
        -------
        float64 array of shape (n_samples, n_samples)
            Symmetric. Products are computed in float32 unless X is float64.

        Raises
        ------
        ValueError
            If X holds NaN or infinity.
        """
        n_samples = self.shape[0]
        padded = np.empty((products.padded_rows(n_samples), products.padded_columns(n_samples)))
        rows = dense.gram_panel(n_samples, 1 if self.alone else self.team.n_threads)
        panels = count_blocks(n_samples, rows)
        task = Task(
            dense.serve_gram,
            (self.X, np.array([rows]), padded),
            partial(dense.packed_space, min(rows, n_samples), 2, self.dtype),
        )
        long = self.X.size * n_samples >= LONG_OPERATIONS
        self.team.run(task, Operation.GRAM, panels * (panels + 1) // 2, alone=self.alone, long=long)
        self.n_passes += 1
        gram = np.empty((n_samples, n_samples))
        products.mirror(padded[None], gram)
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        if self.scale != 1.0:
            gram *= self.scale**2
        return gram
