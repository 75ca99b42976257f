"""Passes over a small X in NumPy: nothing to compile, and Numba is not even loaded.

Compiling the passes takes seconds, loading them from the cache half a second; a fit to a few hundred rows takes a
millisecond. Up to `MAX_ENTRIES` of X NumPy is as fast, so these serve there, whether or not something is compiled
already: the shape of X alone decides, and the same data give the same bits.
"""

import math

import numpy as np

from .. import reference
from .._validation import check_finite, read_only

# Measured: fits up to here take as long either way, give or take 0.1 ms. Beyond, compiled passes get ahead, with many
# samples for NumPy's logarithms, with many entries for its Hessian.
MAX_SAMPLES = 1_000
MAX_ENTRIES = 20_000


def is_small(X):
    """Whether `SmallDesign` should do the passes over X."""
    return len(X) <= MAX_SAMPLES and X.size <= MAX_ENTRIES


class SmallDesign:
    """A small dense X with its targets and weights, and the passes over it, all in float64.

    Conventions, attributes and methods are those of `dense.DenseDesign`, of which solvers may use either.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`; copied if it is not float64.
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    """

    def __init__(self, X, y, sample_weight):
        self.X = read_only(X.astype(np.float64, copy=False))
        self.y = read_only(y)
        self.sample_weight = read_only(sample_weight)
        self.scale = 1.0
        self.dtype = self.X.dtype
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(len(X))
        self.n_passes = 0
        self.raw = np.empty(len(X))
        self.curvature = np.empty(len(X))

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

    def subsample(self, rows):
        """A design of some of the rows, which are copied; `rows` are ascending indices."""
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return SmallDesign(self.X[rows], self.y[rows], weight)

    def _link(self, raw):
        """Summed loss at raw predictions, and the weighted residuals."""
        self.raw = raw
        losses, residual, self.curvature = reference.loss_residual_curvature(raw, self.y)
        if self.sample_weight.size:
            for values in (losses, residual, self.curvature):
                values *= self.sample_weight
        loss = float(losses.sum())
        if not math.isfinite(loss):
            self.check_finite()
        return loss, residual

    # Infinities and NaN are found in the results, and reported there.
    @np.errstate(all="ignore")
    def loss_gradient(self, coef):
        """Summed loss and its gradient at ``coef = [w, b]``."""
        self.n_passes += 1
        loss, residual = self._link(reference.raw_prediction(self.X, coef))
        return loss, self._transposed(residual)

    @np.errstate(all="ignore")
    def raw_prediction(self, coef):
        """X w + b in `raw`, which is returned."""
        self.n_passes += 1
        self.raw = reference.raw_prediction(self.X, coef)
        if not np.isfinite(self.raw).all():
            self.check_finite()
        return self.raw

    @np.errstate(all="ignore")
    def loss_residual(self, raw, residual):
        """Summed loss at given raw predictions, and the sum of the residuals, which are written to `residual`."""
        loss, residual[:] = self._link(raw.copy())
        return loss, float(residual.sum())

    @np.errstate(all="ignore")
    def hessian_product(self, direction):
        """[X 1]^T D [X 1] direction, D from the last `loss_gradient`."""
        self.n_passes += 1
        return self._transposed(self.curvature * reference.raw_prediction(self.X, direction))

    @np.errstate(all="ignore")
    def transposed_product(self, coefficients):
        """[X 1]^T coefficients."""
        self.n_passes += 1
        return self._transposed(coefficients)

    def _transposed(self, coefficients):
        product = np.empty(self.shape[1] + 1)
        np.matmul(coefficients, self.X, out=product[:-1])
        product[-1] = coefficients.sum()
        return product

    @np.errstate(all="ignore")
    def column_moments(self):
        """X^T h, (X * X)^T h and the sum of h, the curvatures of the last `loss_gradient`."""
        self.n_passes += 1
        h = self.curvature
        return h @ self.X, h @ (self.X * self.X), float(h.sum())

    @np.errstate(all="ignore")
    def hessian(self):
        """[X 1]^T D [X 1], D from the last `loss_gradient`."""
        self.n_passes += 1
        n_samples, n_features = self.shape
        root = np.sqrt(self.curvature)
        scaled = np.empty((n_samples, n_features + 1), order="C" if self.X.flags.c_contiguous else "F")
        np.multiply(self.X, root[:, None], out=scaled[:, :-1])
        scaled[:, -1] = root
        return scaled.T @ scaled

    @np.errstate(all="ignore")
    def gram(self):
        """X X^T without the intercept."""
        self.n_passes += 1
        gram = self.X @ self.X.T
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        return gram

    def check_finite(self):
        """Raise ValueError if X holds NaN or infinity; called when a sum over X came out not finite."""
        check_finite(self.X)
