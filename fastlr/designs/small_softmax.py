"""A small X with targets of many classes: passes in NumPy, see `small`."""

import math

import numpy as np
from scipy import sparse

from .. import reference
from .classes import ClassesDesign

MAX_PRODUCTS = 60_000  # of entries of X and classes: beyond, compiled passes get ahead


def is_small(X, n_classes):
    """Whether `SmallSoftmaxDesign` should do the passes over X: a sparse one, made dense, only if it is not wide."""
    is_wide = X.shape[1] > X.shape[0]
    return math.prod(X.shape) * n_classes <= MAX_PRODUCTS and not (is_wide and sparse.issparse(X))


class SmallSoftmaxDesign(ClassesDesign):
    """A small dense X with classes, and the passes over it, all in float64.

    Methods are those of `softmax.SoftmaxDesign`, of which solvers may use either.

    Parameters
    ----------
    X, classes, n_classes, sample_weight, name
        See `ClassesDesign`. X is copied if it is not float64.
    """

    forms_hessian = True

    def __init__(self, X, classes, n_classes, sample_weight, *, name="X"):
        super().__init__(X.astype(np.float64, copy=False), classes, n_classes, sample_weight, name, None)
        self.dtype = self.X.dtype
        self.alone = True
        self._weight = sample_weight if sample_weight.size else None
        self._coef = None

    # Infinities and NaN are found in the results, and reported there.
    @np.errstate(all="ignore")
    def loss_gradient(self, coef):
        """Summed loss and its gradient at `coef`, of its shape."""
        self.n_passes += 1
        self._coef = coef
        loss, gradient = reference.softmax_loss_gradient(self.X, self.classes, self._weight, coef)
        if not np.isfinite(loss):
            self.check_finite()
        return float(loss), gradient

    @np.errstate(all="ignore")
    def hessian_product(self, direction):
        """Hessian of the summed loss, where `loss_gradient` was last evaluated, times a direction."""
        self.n_passes += 1
        return reference.softmax_hessian_product(self.X, self._weight, self._coef, direction)

    @np.errstate(all="ignore")
    def hessian(self):
        """That Hessian, a float64 array of shape (n_coef, n_coef)."""
        self.n_passes += 1
        return reference.softmax_hessian(self.X, self._weight, self._coef)

    @np.errstate(all="ignore")
    def intercept_hessian(self):
        """Block of that Hessian that belongs to the intercepts."""
        self.n_passes += 1
        return reference.softmax_intercept_hessian(self.X, self._weight, self._coef)

    @np.errstate(all="ignore")
    def column_moments(self):
        """Weighted means of the columns and of their squares."""
        self.n_passes += 1
        weight = np.ones(len(self.X)) if self._weight is None else self._weight
        return weight @ self.X / self.weight_sum, weight @ (self.X * self.X) / self.weight_sum
