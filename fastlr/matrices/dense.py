"""A dense X in any of the dtypes and layouts that the kernels read."""

from functools import partial

import numpy as np

from .._validation import read_only
from ..kernels import columns, dense, products, squares
from ..kernels.operations import Operation
from ..runtime.blocks import block_rows, count_blocks, feature_blocks, guarded_empty, hessian_block_rows, sample_rows
from ..runtime.machine import last_cache
from ..runtime.team import Task
from ._passes import Passes
from .classes import DenseClassPasses
from .memory import BLOCK_ENTRIES, MemoryMatrix
from .sets import SetPasses, StepPasses

_MOMENT_ROWS = 1_024

# How far ahead memory is asked for rows: bytes, and rows at least (those of a strip) and at most. 300,000 rows of 50
# float64 took 4.4 ms with 32 rows as with 64, and 7.2 with 16; longer rows hardly tell 16 from 32 (AMD Zen 4).
_AHEAD_BYTES, _AHEAD_LEAST, _AHEAD_MOST = 65_536, 8, 32

_HESSIAN_SPEED = 16  # multiply-adds of a product of matrices in the time of one of a pass


def _rows_ahead(X):
    """How many rows ahead a pass over X in C order asks memory; 0 where X stays in cache from pass to pass."""
    if 2 * X.nbytes <= last_cache():
        return 0
    return max(_AHEAD_LEAST, min(_AHEAD_MOST, _AHEAD_BYTES // (X.shape[1] * X.itemsize)))


class _RowPasses(Passes):
    """Passes over blocks of rows, X read once."""

    def __init__(self, matrix, loss):
        X, dtype = matrix.X, matrix.dtype
        n_samples, n_features = X.shape
        super().__init__(dense.padded_vector(n_features, dtype, X), np.empty(n_features + 2), matrix.scale)
        rows = block_rows(n_samples, n_features)
        n_blocks = count_blocks(n_samples, rows)
        coefs = self._w, self._intercept
        sizes = np.array([rows]), np.array([_rows_ahead(X)])
        sums = np.empty((n_blocks, 2)), np.empty((n_blocks, n_features)), self._result
        arguments = X, *loss.targets, *coefs, *sizes, loss.raw, loss.curvature, *sums
        task = Task(dense.serve, arguments, partial(dense.work_space, X, dtype))
        self._round = partial(matrix.team.run, task, n_blocks=n_blocks, work=X.size)

    def _run(self, operation):
        self._round(operation)


class FeaturePasses(Passes):
    """Passes over X in F order that go feature after feature, X read once for each of the two products.

    Attributes
    ----------
    coef : float64 array of shape (n_features,)
        What `STEP` steps, with `w`, `intercept` and the residuals as the last `LOSS` or `STEP` left them.
    step_length : float64 array of shape (1,)
        How far, in lengths of the gradient.
    """

    def __init__(self, matrix, loss):
        X, dtype = matrix.X, matrix.dtype
        n_samples, n_features = X.shape
        result = dense.padded_vector(n_features + 2, np.float64)
        super().__init__(dense.padded_vector(n_features, dtype, X), result, matrix.scale)
        self.coef, self.step_length = np.zeros(n_features), np.zeros(1)
        features, rows = feature_blocks(n_samples, n_features), block_rows(n_samples, 1)
        self._n_blocks, self._n_row_blocks = count_blocks(n_features, features), count_blocks(n_samples, rows)
        coefs = self._w, self._intercept
        sizes = np.array([features]), np.array([rows])
        residual = dense.padded_vector(n_samples, dtype, X)
        sums = residual, guarded_empty((self._n_blocks, n_samples)), np.empty((self._n_row_blocks, 2)), result
        task = Task(
            dense.serve_features,
            (X, *loss.targets, self.step_length, self.coef, *coefs, *sizes, loss.raw, loss.curvature, *sums),
            partial(dense.features_work_space, X, dtype),
        )
        self._round = partial(matrix.team.run, task, work=X.size)

    def _run(self, operation):
        n_products = 2 if operation in (Operation.LOSS_GRADIENT, Operation.HESSIAN_PRODUCT) else 1
        self._round(operation, n_blocks=n_products * self._n_blocks + self._n_row_blocks)

    def step(self, operation):
        """`LOSS` or `STEP`: (summed loss, sum of the residuals, X^T residual) of the unscaled X, which is a view."""
        self._run(operation)
        total, loss = self._result[-2:].tolist()
        return loss, total, self._result[:-2]

    def set(self, coef):
        """Coefficients [w, b] of the unscaled X to step from."""
        self.coef[:] = self._w[:] = coef[:-1]
        self._intercept[0] = coef[-1]

    @property
    def intercept(self):
        """Float64 array of shape (1,), in place."""
        return self._intercept


class DenseMatrix(MemoryMatrix):
    """A dense X, and the passes over it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`.
    scale : float
        Factor of all features, 1/255 for pixels say: X itself stays as it is.
    dtype : numpy dtype, optional
        What products are computed in, float32 or float64; by default float64 for float64 X and float32 for all other,
        which is the faster and about as exact as float32 features are.
    name, team
        See `Matrix`.
    """

    def __init__(self, X, *, scale=1.0, dtype=None, name="X", team=None):
        super().__init__(X, dtype or (np.float64 if X.dtype == np.float64 else np.float32), name, team, scale)
        self.goes_by_features = not X.flags.c_contiguous and columns.has_short_pieces(X.shape[1])
        self._hessian = None

    def _bind(self, loss):
        if loss.passes == "classes":
            return DenseClassPasses(self, loss)
        if loss.passes in ("sets", "steps"):
            return (SetPasses if loss.passes == "sets" else StepPasses)(self, loss)
        return (FeaturePasses if self.goes_by_features else _RowPasses)(self, loss)

    def feature_passes(self, loss):
        """Passes that go feature after feature, where X is read so."""
        return self._passes_for(loss)

    def sweep_sets(self, loss, coefs, sets, *, with_columns):
        """Summed losses and their gradients, of fits to sets of weights: one pass.

        Parameters
        ----------
        loss : WeightSets
            At most `kernels.many.MAX_FITS` of them.
        coefs : float64 array of shape (n_fits, n_features + 1)
        sets : int array of shape (n_fits,)
            The set of weights of each fit.
        with_columns : bool
            Whether [X 1]^T D 1, the last columns of the Hessians, are asked for too.

        Returns
        -------
        values : float64 array of shape (n_fits,)
        gradients : float64 array of shape (n_fits, n_features + 1)
        columns : float64 array of shape (n_fits, n_features + 1), or None

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        sums = self._passes_for(loss).sweep(coefs, sets, with_columns)
        self.n_passes += 1
        if not np.isfinite(sums[0]).all():
            self.check_finite()
        return sums

    def step_sets(self, loss, coefs, ends, sets):
        """What steps from coefficients to `ends` are to the fits of sets of weights: one pass.

        With h the curvatures before the steps, p' the residuals after them, z_d the changes of the raw predictions, and
        diagonal matrices D of the weights times h and E of the weights:

        Parameters
        ----------
        loss : StepSets
            At most half of `kernels.many.MAX_FITS`.
        coefs, ends : float64 arrays of shape (n_fits, n_features + 1)
        sets : int array of shape (n_fits,)

        Returns
        -------
        values : float64 array of shape (n_fits,)
            Summed losses at `ends`.
        gradients, products, columns : float64 arrays of shape (n_fits, n_features + 1)
            [X 1]^T E p', [X 1]^T D z_d and [X 1]^T D 1.
        apart, doubt, reach : float64 arrays of shape (n_fits,)
            The last three of the sums of `kernels.many.serve_steps`.

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        steps = self._passes_for(loss).step(coefs, ends, sets)
        self.n_passes += 1
        if not np.isfinite(steps[0]).all():
            self.check_finite()
        return steps

    def curve_set(self, loss, coef, k):
        """Leave the curvatures of set k of `StepSets` with the loss, at one row of coefficients: one pass."""
        self._passes_for(loss).curve(coef, k)
        self.n_passes += 1

    def take(self, rows):
        """See `Matrix`."""
        order = "C" if self.X.flags.c_contiguous else "F"
        X = np.empty((len(rows), self.shape[1]), self.X.dtype, order=order)
        # mode="clip": the default would copy by way of a buffer.
        if order == "C":
            np.take(self.X, rows, axis=0, out=X, mode="clip")
        else:
            np.take(self.X.T, rows, axis=1, out=X.T, mode="clip")
        return self._like(X)

    def columns(self, places):
        """See `Matrix`."""
        X = np.empty((self.shape[0], len(places)), self.X.dtype, order="C" if self.X.flags.c_contiguous else "F")
        X[:] = self.X[:, places]
        return self._like(X)

    def by_columns(self):
        """See `Matrix`; in floating point numbers, scaled."""
        if self._columns is None:
            columns = self.X.T
            if self.scale != 1.0 or columns.dtype != self.dtype:
                columns = np.multiply(columns, self.scale, dtype=self.dtype)
            self._columns = read_only(np.ascontiguousarray(columns))
        return self._columns

    def _like(self, X):
        return DenseMatrix(read_only(X), scale=self.scale, dtype=self.dtype, name=self._name, team=self.team)

    def moments(self, loss):
        """See `Matrix`; estimated from a subsample."""
        n_samples = self.shape[0]
        rows = sample_rows(n_samples, min(n_samples, _MOMENT_ROWS))
        X = self.scale * self.X[rows].astype(np.float64)
        h = loss.curvature[rows]
        sampled, total = h.sum(), loss.curvature.sum()
        h = h * (total / sampled) if sampled > 0.0 else h
        return X.T @ h, (X * X).T @ h, float(total)

    def sandwich(self, loss):
        """See `Matrix`; products are computed in float32 unless the matrix is one of float64."""
        n_samples, n_features = self.shape
        if self._hessian is None or self._hessian[0] is not loss.curvature:
            rows = np.array([hessian_block_rows(n_samples, n_features)])
            shape = products.padded_rows(n_features + 1), products.padded_columns(n_features + 1)
            parts = np.empty((count_blocks(n_samples, int(rows[0])), *shape))
            space = partial(squares.packed_space, n_features + 1, 1, self.dtype)
            task = Task(squares.serve_hessian, (self.X, loss.curvature, rows, parts), space)
            self._hessian = loss.curvature, parts, task
        _, parts, task = self._hessian
        work = self.X.size * max(1, n_features // _HESSIAN_SPEED)
        self.team.run(task, Operation.HESSIAN, len(parts), work)
        self.n_passes += 1
        hessian = products.mirrored(parts, n_features + 1)
        if self.scale != 1.0:
            hessian[:-1] *= self.scale
            hessian[:, :-1] *= self.scale
        return hessian

    def gram(self):
        """See `Matrix`; exact for 8-bit integers, else computed in float32 unless the matrix is one of float64."""
        n_samples = self.shape[0]
        padded = np.empty((products.padded_rows(n_samples), products.padded_columns(n_samples)))
        rows = squares.gram_panel(n_samples, self.team.n_threads)
        panels = count_blocks(n_samples, rows)
        task = Task(
            squares.serve_gram,
            (self.X, np.array([rows]), padded),
            partial(squares.packed_space, min(rows, n_samples), 2, products.gram_dtype(self.X.dtype, self.dtype)),
        )
        work = self.X.size * max(1, n_samples // _HESSIAN_SPEED)
        self.team.run(task, Operation.GRAM, panels * (panels + 1) // 2, work)
        self.n_passes += 1
        gram = products.mirrored(padded[None], n_samples)
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        if self.scale != 1.0:
            gram *= self.scale**2
        return gram

    def transposed(self, coefficients):
        """Coefficients of samples, of shape (k, n_samples), times X, for the dual problem: one pass of NumPy.

        Returns
        -------
        float64 array of shape (k, n_features)
        """
        self.n_passes += 1
        total = np.empty((len(coefficients), self.shape[1]))
        n_columns = max(1, BLOCK_ENTRIES // max(total.shape[0], self.shape[0]))
        for start in range(0, self.shape[1], n_columns):
            columns = slice(start, start + n_columns)
            np.matmul(coefficients, self.X[:, columns].astype(np.float64, copy=False), out=total[:, columns])
        return total if self.scale == 1.0 else self.scale * total
