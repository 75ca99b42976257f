"""X, dense or sparse, with targets of many classes."""

import numpy as np
from scipy import sparse, special

from .._blocks import entry_blocks, sample_rows, softmax_block_rows
from .._team import Task, Team
from .._validation import read_only
from ..kernels import softmax
from ..kernels.links import HESSIAN_PRODUCT, LOSS_GRADIENT
from .csr import CSRDesign, compressed_rows
from .dense import DenseDesign

_CHUNK_ROWS = 512  # of those that NumPy converts at a time

# Below this many products of an entry of X and a class a pass takes less than the start of a thread.
_INLINE_PRODUCTS = 500_000


class SoftmaxDesign:
    """X with classes and weights, and the passes over it.

    Coefficients are of shape (n_classes, n_features + 1), a row [w, b] for each class; all results are sums over
    samples in float64, weighted where there are weights.

    Parameters
    ----------
    X : array, or SciPy CSR matrix or array, of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    classes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    n_classes : int
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    dtype : numpy dtype, optional
        What products of dense X are computed in, float32 or float64; by default float64 for float64 X and float32
        for all other. Those of sparse X are computed in float64.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    weight_sum : float
    n_passes : int
        How often X was read.
    """

    def __init__(self, X, classes, n_classes, sample_weight, *, dtype=None, name="X", team=None):
        n_samples, n_features = X.shape
        self.X = X
        self.classes = read_only(classes)
        self.n_classes = n_classes
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(n_samples)
        self.team = team or Team(1)
        self.n_passes = 0
        self._sample = None
        self._name = name
        self.is_sparse = sparse.issparse(X)
        if self.is_sparse:
            self.dtype = np.dtype(np.float64)
            arrays = compressed_rows(X)
            starts = entry_blocks(arrays[2], n_features, n_classes)
            shape, n_entries = (n_features, n_classes), X.nnz
        else:
            self.dtype = np.dtype(dtype or (np.float64 if X.dtype == np.float64 else np.float32))
            arrays = X
            rows = softmax_block_rows(n_samples, n_features, n_classes)
            starts = np.append(np.arange(0, n_samples, rows), n_samples)
            shape, n_entries = (n_classes, n_features), X.size
        n_blocks = len(starts) - 1
        self.alone = n_entries * n_classes <= _INLINE_PRODUCTS
        self._coef = np.zeros((2, *shape), self.dtype)
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
            self._work_space,
        )

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

    def _work_space(self):
        if self.is_sparse:
            return softmax.sparse_work_space(self.n_classes)
        return softmax.dense_work_space(self.shape[1], self.n_classes, self.dtype)

    def _set(self, place, coef):
        w = coef[:, :-1]
        self._coef[place] = w.T if self.is_sparse else w
        self._intercepts[place] = coef[:, -1]

    def _run(self, operation):
        self.team.run(self._task, operation, len(self._sums), alone=self.alone)
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
        self._run(LOSS_GRADIENT)
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
        self._run(HESSIAN_PRODUCT)
        return self._summed_gradient()

    def intercept_hessian(self):
        """Block of that Hessian that belongs to the intercepts: one pass.

        Returns
        -------
        float64 array of shape (n_classes, n_classes)
        """
        self._run(softmax.CLASS_PRODUCTS)
        return np.diag(self._sums[:, 1:].sum(axis=0)) - self._products.sum(axis=0)

    def separates(self, coef):
        """Whether all samples that weigh anything have their own class's raw prediction above all others: one pass."""
        self.n_passes += 1
        for first in range(0, self.shape[0], _CHUNK_ROWS):
            rows = slice(first, first + _CHUNK_ROWS)
            raw = self.X[rows].astype(np.float64) @ coef[:, :-1].T + coef[:, -1]
            own = np.take_along_axis(raw, self.classes[rows, None], axis=1)
            right = (raw < own).sum(axis=1) == self.n_classes - 1
            if self.sample_weight.size:
                right |= self.sample_weight[rows] == 0.0
            if not right.all():
                return False
        return True

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

    def sample(self, n_rows):
        """A `Sample` of at most so many rows, the same each time."""
        if self._sample is None or self._sample.n_rows != min(n_rows, self.shape[0]):
            self._sample = Sample(self, n_rows)
        return self._sample

    def check_finite(self):
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        values = self.X.data if self.is_sparse else self.X
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{self._name} must be finite, but contains NaN or infinity")


class Sample:
    """Some rows of a design, for what only steers.

    Parameters
    ----------
    design : SoftmaxDesign
    n_rows : int
        At most so many rows are taken, evenly spread.
    """

    def __init__(self, design, n_rows):
        n_samples = design.shape[0]
        self.n_rows = min(n_rows, n_samples)
        self._team, self._alone = design.team, design.alone
        weight = design.sample_weight if design.sample_weight.size else np.ones(n_samples)
        if self.n_rows == n_samples:
            self._X, self._weight = design.X, weight
        else:
            rows = sample_rows(n_samples, self.n_rows)
            self._X, self._weight = design.X[rows], weight[rows]
        self._weight = self._weight / max(self._weight.mean(), np.finfo(np.float64).tiny)
        self._design = None

    def curvatures(self, coef, *, average):
        """Weighted curvatures p (1 - p) at coefficients of shape (n_classes, n_features + 1).

        Returns
        -------
        float64 array of shape (n_rows, n_classes), or (n_rows, 1) if their average is asked for
            For weights of mean 1.
        """
        curvatures = np.empty((self.n_rows, 1 if average else len(coef)))
        for first in range(0, self.n_rows, _CHUNK_ROWS):
            rows = slice(first, first + _CHUNK_ROWS)
            p = special.softmax(self._X[rows].astype(np.float64) @ coef[:, :-1].T + coef[:, -1], axis=1)
            p *= 1.0 - p
            curvatures[rows] = p.mean(axis=1, keepdims=True) if average else p
        curvatures *= self._weight[:, None]
        return curvatures

    def hessian(self, curvature):
        """[X 1]^T D [X 1] / n_rows, float64 of shape (n_features + 1, n_features + 1)."""
        if self._design is None:
            X = self._X.toarray() if sparse.issparse(self._X) else self._X
            X = X if X.flags.f_contiguous else np.ascontiguousarray(X)
            unused = np.zeros(self.n_rows)
            self._design = DenseDesign(read_only(X), unused, np.empty(0), dtype=np.float64, team=self._team)
            self._design.alone = self._alone
        self._design.curvature[:] = curvature
        hessian = self._design.hessian()
        hessian /= self.n_rows
        return hessian
