"""A dense X in any of the dtypes and layouts that the kernels read."""

from functools import partial

import numpy as np

from .._blocks import block_rows, count_blocks, hessian_block_rows, sample_rows
from .._team import Task
from .._validation import read_only
from ..kernels import dense, products
from .base import LONG_OPERATIONS, Design, symmetric

# Below this many entries a pass takes less than the start of a thread.
_INLINE_ENTRIES = 250_000

_MOMENT_ROWS = 1_024

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
        n_samples, n_features = X.shape
        self.scale = scale
        self.dtype = np.dtype(dtype or (np.float64 if X.dtype == np.float64 else np.float32))
        self.alone = X.size <= _INLINE_ENTRIES
        self.long = X.size >= LONG_OPERATIONS
        self._rows = np.array([block_rows(n_samples, n_features)])
        self._n_blocks = count_blocks(n_samples, int(self._rows[0]))
        self._w = np.zeros(n_features, self.dtype)
        self._sums = np.empty((self._n_blocks, 2))
        self._gradients = np.empty((self._n_blocks, n_features))
        # A work space by `partial`: a lambda here would hold the design, and X until cycles are collected.
        self._task = Task(
            dense.serve,
            (
                X,
                self.y,
                self.sample_weight,
                self._w,
                self._intercept,
                self._rows,
                self.raw,
                self.curvature,
                self._sums,
                self._gradients,
            ),
            partial(dense.work_space, n_features, self.dtype),
        )
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
        np.multiply(coef[:-1], self.scale, out=self._w, casting="same_kind")
        self._intercept[0] = coef[-1]
        self.team.run(self._task, operation, self._n_blocks, alone=self.alone, long=self.long)
        self.n_passes += 1

    def _summed_gradient(self):
        gradient = np.empty(self.shape[1] + 1)
        np.sum(self._gradients, axis=0, out=gradient[:-1])
        gradient[:-1] *= self.scale
        gradient[-1] = self._sums[:, 1].sum()
        return gradient

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
            m = products.padded(n_features + 1)
            self._hessians = np.empty((count_blocks(n_samples, int(rows[0])), m, m))
            self._hessian_task = Task(
                dense.serve_hessian,
                (self.X, self.curvature, rows, self._hessians),
                partial(dense.packed_space, n_features + 1, self.dtype),
            )
        long = self.X.size * n_features >= LONG_OPERATIONS
        self.team.run(self._hessian_task, dense.HESSIAN, len(self._hessians), alone=self.alone, long=long)
        self.n_passes += 1
        hessian = symmetric(self._hessians.sum(axis=0)[: n_features + 1, : n_features + 1])
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
        m = products.padded(n_samples)
        padded = np.empty((m, m))
        panels = count_blocks(n_samples, dense.GRAM_PANEL)
        task = Task(
            dense.serve_gram, (self.X, padded), partial(dense.packed_space, 2 * dense.GRAM_PANEL, self.dtype)
        )
        long = self.X.size * n_samples >= LONG_OPERATIONS
        self.team.run(task, dense.GRAM, panels * (panels + 1) // 2, alone=self.alone, long=long)
        self.n_passes += 1
        gram = np.ascontiguousarray(padded[:n_samples, :n_samples])
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        if self.scale != 1.0:
            gram *= self.scale**2
        return gram
