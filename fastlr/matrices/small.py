"""Passes over a small X in NumPy: nothing to compile, and Numba is not even loaded.

Compiling the passes takes seconds, loading them from the cache half a second; a fit to a few hundred rows takes a
millisecond. Up to `MAX_ENTRIES` of X NumPy is as fast, so these serve there, whether or not something is compiled
already: the shape of X alone decides, and the same data give the same bits.
"""

import math

import numpy as np
from scipy import sparse
from scipy.linalg.lapack import dpotrf

from .. import reference, rules
from .._validation import read_only
from .base import rounding_of
from .memory import MemoryMatrix

# Measured: fits up to here take as long either way, give or take 0.1 ms. Beyond, compiled passes get ahead, with many
# samples for NumPy's logarithms, with many entries for its Hessian.
MAX_SAMPLES = 1_000
MAX_ENTRIES = 20_000

MAX_PRODUCTS = 100_000  # of entries of X and classes, where these are many


def is_small(X, n_classes=2):
    """Whether a `SmallMatrix` should do the passes over X: a sparse one, made dense, for many classes if not wide."""
    if n_classes > 2:
        is_wide = X.shape[1] > X.shape[0]
        return math.prod(X.shape) * n_classes <= MAX_PRODUCTS and not (is_wide and sparse.issparse(X))
    return not sparse.issparse(X) and len(X) <= MAX_SAMPLES and X.size <= MAX_ENTRIES


class SmallMatrix(MemoryMatrix):
    """A small dense X, and the passes over it, all in float64.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`; copied if it is not float64.
    name
        See `Matrix`.
    """

    def __init__(self, X, name="X"):
        super().__init__(read_only(X.astype(np.float64, copy=False)), np.float64, name)
        self.eps = rounding_of(X)

    def take(self, rows):
        """See `Matrix`."""
        return SmallMatrix(self.X[rows], self._name)

    def columns(self, places):
        """See `Matrix`."""
        return SmallMatrix(self.X[:, places], self._name)

    def by_columns(self):
        """See `Matrix`."""
        if self._columns is None:
            self._columns = read_only(np.ascontiguousarray(self.X.T))
        return self._columns

    def _raw(self, loss, coefs):
        """Raw predictions, of shape (n_samples,) or (n_samples, n_classes)."""
        if loss.passes == "one":
            return self.X @ coefs[0, :-1] + coefs[0, -1]
        return (coefs[:, :-1] @ self.X.T + coefs[:, -1:]).T

    def _transposed(self, loss, coefficients):
        """[X 1]^T coefficients, in rows."""
        product = np.empty((1 if coefficients.ndim == 1 else coefficients.shape[1], self.shape[1] + 1))
        if loss.passes == "one":
            np.matmul(coefficients, self.X, out=product[0, :-1])
        else:
            product[:, :-1] = coefficients.T @ self.X
        product[:, -1] = coefficients.sum(axis=0)
        return product

    # Infinities and NaN are found in the results, and reported there.
    @np.errstate(all="ignore")
    def sweep(self, loss, coefs):
        """See `Matrix`."""
        self.n_passes += 1
        value, residual = loss.update(self._raw(loss, coefs))
        if not math.isfinite(value):
            self.check_finite()
        return value, self._transposed(loss, residual)

    @np.errstate(all="ignore")
    def predict(self, loss, coefs):
        """See `Matrix`."""
        self.n_passes += 1
        loss.raw = self._raw(loss, coefs)
        if not np.isfinite(loss.raw).all():
            self.check_finite()

    @np.errstate(all="ignore")
    def product(self, loss, directions):
        """See `Matrix`."""
        self.n_passes += 1
        return self._transposed(loss, loss.curve(self._raw(loss, directions)))

    @np.errstate(all="ignore")
    def curvature_sum(self, loss):
        """See `Matrix`."""
        self.n_passes += 1
        return loss.curvature_sum()

    @np.errstate(all="ignore")
    def moments(self, loss):
        """See `Matrix`."""
        self.n_passes += 1
        h = loss.curvature
        return h @ self.X, h @ (self.X * self.X), float(h.sum())

    @np.errstate(all="ignore")
    def sandwich(self, loss):
        """See `Matrix`."""
        self.n_passes += 1
        n_samples, n_features = self.shape
        root = np.sqrt(loss.curvature)
        scaled = np.empty((n_samples, n_features + 1), order="C" if self.X.flags.c_contiguous else "F")
        np.multiply(self.X, root[:, None], out=scaled[:, :-1])
        scaled[:, -1] = root
        return scaled.T @ scaled

    @np.errstate(all="ignore")
    def gram(self):
        """See `Matrix`."""
        self.n_passes += 1
        gram = self.X @ self.X.T
        if not np.isfinite(gram.diagonal()).all():
            self.check_finite()
        return gram

    def transposed(self, coefficients):
        """See `DenseMatrix`."""
        self.n_passes += 1
        return coefficients @ self.X


class SmallSamples:
    """What Newton's method asks of a small X, targets of two classes and weights, with nothing between two products.

    Parameters
    ----------
    X : float64 array of shape (n_samples, n_features)
    y : float64 array of shape (n_samples,)
        Targets.
    weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    l2 : float
        > 0.
    fit_intercept : bool

    Attributes
    ----------
    misleading : float
        Above this objective a start is worse than zeros.
    """

    misleading = rules.MISLEADING

    def __init__(self, X, y, weight, l2, fit_intercept):
        if weight.size:
            some = weight > 0.0
            X, y, weight = X[some], y[some], weight[some]
        self._X1 = np.empty((len(y), X.shape[1] + 1), order="F")
        self._X1[:, :-1], self._X1[:, -1] = X, 1.0
        self._scaled = np.empty_like(self._X1)
        self._y, self._weight, self._l2, self._fit_intercept = y, weight, l2, fit_intercept
        self._weight_sum = float(weight.sum()) if weight.size else float(len(y))

    def loss_gradient(self, coef):
        """Value and gradient of f."""
        self._raw = self._X1 @ coef
        parts = reference.loss_residual_curvature(self._raw, self._y)
        losses, residual, self._curvature = [part * self._weight for part in parts] if self._weight.size else parts
        w, gradient = coef[:-1], residual @ self._X1
        gradient /= self._weight_sum
        gradient[:-1] += self._l2 * w
        if not self._fit_intercept:
            gradient[-1] = 0.0
        return float(np.add.reduce(losses)) / self._weight_sum + 0.5 * self._l2 * float(w @ w), gradient

    def remember(self):
        """Keep the raw predictions, as the start of a step."""
        self._remembered = self._raw

    def largest_change(self):
        """The largest absolute change of a raw prediction since `remember`."""
        return float(np.maximum.reduce(np.abs(self._raw - self._remembered)))

    def rough_bound(self, gradient):
        """Bound on f - f*, were the intercept at its best."""
        return rules.missed_by(float(gradient[:-1] @ gradient[:-1]), self._l2)

    def bound(self, gradient):
        """Bound on f - f*, see `objectives.logistic`."""
        column = self._curvature @ self._X1
        column /= self._weight_sum
        g_b = float(gradient[-1])
        shift = rules.dual_shift(g_b, float(column[-1]))
        rest = gradient[:-1] - shift * column[:-1]
        return rules.bound_of_shift(shift, g_b, rules.missed_by(float(rest @ rest), self._l2))

    def factor(self):
        """The Hessian's, see `factored`."""
        hessian = self._X1.T @ np.multiply(self._X1, self._curvature[:, None], out=self._scaled)
        hessian /= self._weight_sum
        diagonal = hessian.reshape(-1)[:: len(hessian) + 1]
        diagonal[:-1] += self._l2
        if not self._fit_intercept:
            hessian[-1] = hessian[:, -1] = 0.0
            hessian[-1, -1] = 1.0
        return factored(hessian)


def factored(hessian):
    """Cholesky factor of a matrix, and its smallest pivot over the diagonal; 0 for none."""
    factor, failed = dpotrf(hessian, lower=1)
    pivot = 0.0 if failed else float(np.minimum.reduce(factor.diagonal() ** 2 / hessian.diagonal()))
    return factor, pivot if pivot > 0.0 else 0.0  # what is not finite has none
