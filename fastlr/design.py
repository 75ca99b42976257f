"""X and its passes: which kernel, in which buffers, by how many threads.

Everything above asks a design for sums over all samples and never learns how X lies in memory.
"""

from functools import partial

import numpy as np

from ._blocks import block_rows, count_blocks, guarded_empty, hessian_block_rows
from ._team import Task, Team
from ._validation import read_only
from .kernels import dense, products
from .kernels.links import LOSS, apply_link

# Below this many entries a pass takes less than the start of a thread.
_INLINE_ENTRIES = 250_000

# From this many multiply-adds on, 20 to 200 ms, a pass can be interrupted.
_LONG_OPERATIONS = 300_000_000


class DenseDesign:
    """A dense X with its targets and weights, and the passes over it.

    Conventions: the effective matrix is ``scale * X``; coefficients are ``coef = [w, b]``, intercept last; all results
    are sums over samples in float64, weighted where there are weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`.
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    scale : float
        Factor of all features, 1/255 for pixels say: X itself stays as it is.
    dtype : numpy dtype, optional
        What products are computed in, float32 or float64; by default float64 for float64 X and float32 for all other,
        which is the faster and about as exact as float32 features are.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    raw : float64 array of shape (n_samples,)
        Raw predictions of the last `loss_gradient` or `raw_prediction`.
    curvature : float64 array of shape (n_samples,)
        Weighted second derivatives of the loss at the last `loss_gradient`.
    n_passes : int
        How often X was read.
    """

    def __init__(self, X, y, sample_weight, *, scale=1.0, dtype=None, name="X", team=None):
        n_samples, n_features = X.shape
        self.X = X
        self.y = read_only(y)
        self.sample_weight = read_only(sample_weight)
        self.scale = scale
        self._name = name
        self.dtype = np.dtype(dtype or (np.float64 if X.dtype == np.float64 else np.float32))
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(n_samples)
        self.team = team or Team(1)
        self.alone = X.size <= _INLINE_ENTRIES
        self.long = X.size >= _LONG_OPERATIONS
        self.n_passes = 0

        self._rows = np.array([block_rows(n_samples, n_features)])
        self._n_blocks = count_blocks(n_samples, int(self._rows[0]))
        self._w = np.zeros(n_features, self.dtype)
        self._intercept = np.zeros(1)
        self.raw = guarded_empty(n_samples)
        self.curvature = guarded_empty(n_samples)
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

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

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

    def loss_gradient(self, coef):
        """Summed loss and its gradient at ``coef = [w, b]``: one pass.

        Returns
        -------
        loss : float
        gradient : float64 array of shape (n_features + 1,)

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        self._run(dense.LOSS_GRADIENT, coef)
        loss = float(self._sums[:, 0].sum())
        if not np.isfinite(loss):
            self.check_finite()
        return loss, self._summed_gradient()

    def raw_prediction(self, coef):
        """X w + b in `raw`, which is returned: one pass. Raises ValueError as `loss_gradient` does."""
        self._run(dense.RAW_PREDICTION, coef)
        if not np.isfinite(self.raw).all():
            self.check_finite()
        return self.raw

    def loss_residual(self, raw, residual):
        """Summed loss at given raw predictions, without reading X.

        Parameters
        ----------
        raw : float64 array of shape (n_samples,)
        residual : array of shape (n_samples,)
            From `guarded_empty`. Written: weighted derivatives of the loss.

        Returns
        -------
        loss, total : float
            Sum of the losses, sum of the residuals.
        """
        loss, total = apply_link(
            LOSS, raw, raw.size, 0, self.y, self.sample_weight, self.raw, self.curvature, residual
        )
        if not np.isfinite(loss):
            self.check_finite()
        return loss, total

    def hessian_product(self, direction):
        """[X 1]^T D [X 1] direction, D from the last `loss_gradient`: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1,)
        """
        self._run(dense.HESSIAN_PRODUCT, direction)
        return self._summed_gradient()

    def transposed_product(self, coefficients):
        """[X 1]^T coefficients, a float64 array of shape (n_features + 1,): one pass. Overwrites `curvature`."""
        self.curvature[:] = coefficients
        ones = np.zeros(self.shape[1] + 1)
        ones[-1] = 1.0
        return self.hessian_product(ones)

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
        long = self.X.size * n_features >= _LONG_OPERATIONS
        self.team.run(self._hessian_task, dense.HESSIAN, len(self._hessians), alone=self.alone, long=long)
        self.n_passes += 1
        lower = np.tril(self._hessians.sum(axis=0)[: n_features + 1, : n_features + 1])
        hessian = lower + lower.T
        hessian.flat[:: n_features + 2] = lower.diagonal()
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
        long = self.X.size * n_samples >= _LONG_OPERATIONS
        self.team.run(task, dense.GRAM, panels * (panels + 1) // 2, alone=self.alone, long=long)
        self.n_passes += 1
        gram = np.ascontiguousarray(padded[:n_samples, :n_samples])
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        if self.scale != 1.0:
            gram *= self.scale**2
        return gram

    def check_finite(self):
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        if self.X.dtype.kind == "f" and not np.isfinite(self.X).all():
            raise ValueError(f"{self._name} must be finite, but contains NaN or infinity")
