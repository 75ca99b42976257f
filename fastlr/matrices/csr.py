"""A sparse X in compressed rows."""

from functools import partial

import numpy as np
from scipy import sparse

from .._validation import read_only
from ..kernels import csr
from ..kernels.operations import Operation
from ..runtime.blocks import entry_blocks
from ..runtime.team import Task
from ._passes import Passes
from .classes import SparseClassPasses
from .memory import MemoryMatrix

_ENTRY_WORK = 2.5  # of an entry, in those of dense X
_HESSIAN_PARTS = 4  # at most: a matrix of its own for each,
_LARGE_PARTS = 2  # or two, where these are beyond caches
_LARGE = 1_000  # features


def compressed(X):
    """What kernels read of a CSR or CSC matrix: data, indices, which unsigned take no test of sign, and indptr."""
    indices = np.ascontiguousarray(X.indices)
    return (
        read_only(np.ascontiguousarray(X.data)),
        read_only(indices.view(f"u{indices.itemsize}")),
        read_only(X.indptr.astype(np.int64)),
    )


class _RowPasses(Passes):
    """Passes over blocks of rows with about as many entries each."""

    def __init__(self, matrix, loss):
        n_features = matrix.shape[1]
        super().__init__(np.zeros(n_features), np.empty(n_features + 2), matrix.scale)
        starts = entry_blocks(matrix.arrays[2], n_features)
        n_blocks = len(starts) - 1
        self._squares = np.empty((n_blocks, n_features))
        sums = np.empty((n_blocks, 2)), np.empty((n_blocks, n_features)), self._squares, self._result
        samples = *loss.targets, self._w, self._intercept, starts, loss.raw, loss.curvature
        task = Task(csr.serve, (matrix.arrays, *samples, *sums), csr.work_space)
        self._run = partial(matrix.team.run, task, n_blocks=n_blocks, work=_ENTRY_WORK * matrix.X.nnz)

    def moments(self):
        """X^T h, (X * X)^T h and the sum of h."""
        self._run(Operation.COLUMN_MOMENTS)
        return self._result[:-2].copy(), self._squares.sum(axis=0), self._result.item(-2)


class CSRMatrix(MemoryMatrix):
    """A sparse X, and the passes over it.

    The data, float32 or float64, are read as they stand; sums are float64.

    Parameters
    ----------
    X : SciPy CSR matrix or array of shape (n_samples, n_features)
        As returned by `check_sparse_features`.
    name, team
        See `Matrix`.
    """

    def __init__(self, X, *, name="X", team=None):
        super().__init__(X, np.float64, name, team)
        self.arrays = compressed(X)
        self._hessian = None

    def _bind(self, loss):
        return (SparseClassPasses if loss.passes == "classes" else _RowPasses)(self, loss)

    @property
    def column_entries(self):
        """See `Matrix`."""
        return self.X.nnz / self.shape[1]

    def take(self, rows):
        """See `Matrix`."""
        return CSRMatrix(self.X[rows], name=self._name, team=self.team)

    def columns(self, places):
        """See `Matrix`."""
        data, indices, indptr = self.arrays
        place = np.full(self.shape[1], -1, np.int32)
        place[places] = np.arange(len(places), dtype=np.int32)
        starts = np.empty_like(indptr)
        csr.count_in_columns(indices, indptr, place, starts)
        size, kind = starts[-1] + 1, self.X.indices.dtype
        some_data, some_indices = np.empty(size, data.dtype), np.empty(size, kind)
        csr.copy_columns(data, indices, indptr, place, some_data, some_indices)
        arrays = some_data[:-1], some_indices[:-1], starts.astype(self.X.indptr.dtype)
        X = sparse.csr_array(arrays, shape=(self.shape[0], len(places)))
        return CSRMatrix(X, name=self._name, team=self.team)

    def by_columns(self):
        """See `Matrix`."""
        if self._columns is None:
            columns = self.X.tocsc()
            columns.sum_duplicates()
            self._columns = compressed(columns)
        return self._columns

    def moments(self, loss):
        """See `Matrix`: one pass."""
        self.n_passes += 1
        return self._passes_for(loss).moments()

    def sandwich(self, loss):
        """See `Matrix`."""
        n_samples, n_features = self.shape
        if self._hessian is None or self._hessian[0] is not loss.curvature:
            starts = entry_blocks(self.arrays[2], n_features)
            n_parts = _HESSIAN_PARTS if n_features <= _LARGE else _LARGE_PARTS
            starts = starts[:: -(-(len(starts) - 1) // n_parts)]
            starts = starts if starts[-1] == n_samples else np.append(starts, n_samples)
            parts = np.empty((len(starts) - 1, n_features + 1, n_features + 1))
            task = Task(csr.serve_hessian, (self.arrays, loss.curvature, starts, parts), tuple)
            self._hessian = loss.curvature, parts, task
        _, parts, task = self._hessian
        # A row costs as many multiply-adds as it has pairs of entries.
        work = self.X.nnz * max(_ENTRY_WORK, self.X.nnz / n_samples)
        self.team.run(task, Operation.HESSIAN, len(parts), work)
        self.n_passes += 1
        halves = parts.sum(axis=0)
        return halves + halves.T

    def hessian_cost(self, n_coef):
        """See `Matrix`; measured to form: 16 where rows have 72 entries."""
        n_entries = max(self.X.nnz, 1)
        return 1.0 + n_entries / (4 * self.shape[0]) + n_coef**3 / (100 * n_entries)

    def gram(self):
        """See `Matrix`; SciPy's."""
        self.n_passes += 1
        X = self.X.astype(np.float64, copy=False)
        gram = (X @ X.T).toarray()
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        return gram
