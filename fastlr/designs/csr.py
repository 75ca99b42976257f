"""A sparse X in compressed rows."""

import numpy as np

from .._blocks import entry_blocks
from .._team import Task
from .._validation import read_only
from ..kernels import csr
from ..kernels.operations import Operation
from .base import LONG_OPERATIONS, Design

# Below this many entries a pass takes less than the start of a thread.
_INLINE_ENTRIES = 100_000


def compressed_rows(X):
    """What kernels read of a CSR matrix: data, indices, unsigned to spare a test for negative ones, and indptr."""
    indices = np.ascontiguousarray(X.indices)
    return (
        read_only(np.ascontiguousarray(X.data)),
        read_only(indices.view(f"u{indices.itemsize}")),
        read_only(X.indptr.astype(np.int64)),
    )


class CSRDesign(Design):
    """A sparse X with its targets and weights, and the passes over it.

    The data, float32 or float64, are read as they stand; sums are float64.

    Parameters
    ----------
    X : SciPy CSR matrix or array of shape (n_samples, n_features)
        As returned by `check_sparse_features`.
    y, sample_weight, name, team
        See `Design`.
    """

    dtype = np.dtype(np.float64)  # what products are computed in

    def __init__(self, X, y, sample_weight, *, name="X", team=None):
        super().__init__(X, y, sample_weight, name, team)
        n_features = X.shape[1]
        self._arrays = compressed_rows(X)
        self.alone = X.nnz <= _INLINE_ENTRIES
        self.long = X.nnz >= LONG_OPERATIONS
        self._starts = entry_blocks(self._arrays[2], n_features)
        self._w = np.zeros(n_features)
        self._n_blocks = len(self._starts) - 1
        self._result = np.empty(n_features + 2)
        self._task = Task(
            csr.serve,
            (
                *self._arrays,
                self.y,
                self.sample_weight,
                self._w,
                self._intercept,
                self._starts,
                self.raw,
                self.curvature,
                np.empty((self._n_blocks, 2)),
                np.empty((self._n_blocks, n_features)),
                self._result,
            ),
            csr.work_space,
        )
        self._hessian_task = None

    def subsample(self, rows):
        """A design of some of the rows, which are copied; `rows` are ascending indices."""
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return CSRDesign(self.X[rows], self.y[rows], weight, name=self._name, team=self.team)

    def _run(self, operation, coef):
        self._w[:] = coef[:-1]
        self._intercept[0] = coef[-1]
        self.team.run(self._task, operation, self._n_blocks, alone=self.alone, long=self.long)
        self.n_passes += 1

    def column_moments(self):
        """First and second moments of the columns, weighted with `curvature`: two passes.

        Returns
        -------
        first, second : float64 arrays of shape (n_features,)
            X^T h and (X * X)^T h.
        total : float
            Sum of h.
        """
        unit = np.zeros(self.shape[1] + 1)
        unit[-1] = 1.0
        first = self.hessian_product(unit)
        self._run(Operation.COLUMN_SQUARES, unit)
        return first[:-1], self._result[:-2].copy(), float(first[-1])

    def hessian(self):
        """[X 1]^T D [X 1], D from the last `loss_gradient`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1, n_features + 1)
            Symmetric.
        """
        if self._hessian_task is None:
            m = self.shape[1] + 1
            # A matrix for each block: four at most.
            starts = self._starts[:: -(-self._n_blocks // 4)]
            starts = starts if starts[-1] == self.shape[0] else np.append(starts, self.shape[0])
            self._hessians = np.empty((len(starts) - 1, m, m))
            self._hessian_task = Task(csr.serve_hessian, (*self._arrays, self.curvature, starts, self._hessians), tuple)
        # A row costs as many multiply-adds as it has pairs of entries.
        long = self.X.nnz * (self.X.nnz / self.shape[0]) >= LONG_OPERATIONS
        self.team.run(self._hessian_task, Operation.HESSIAN, len(self._hessians), alone=self.alone, long=long)
        self.n_passes += 1
        halves = self._hessians.sum(axis=0)
        return halves + halves.T

    def gram(self):
        """X X^T without the intercept, a dense float64 array of shape (n_samples, n_samples): one pass.

        Raises
        ------
        ValueError
            If X holds NaN or infinity.
        """
        self.n_passes += 1
        X = self.X.astype(np.float64, copy=False)
        gram = (X @ X.T).toarray()
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        return gram
