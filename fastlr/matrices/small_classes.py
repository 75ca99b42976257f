"""What Newton's method asks of a small X and many classes, see `small.SmallSamples` for two."""

import math

import numpy as np

from .. import rules
from ..linalg.factor import ScaledCholesky
from ._class_hessian import minus_hessian, minus_hessian_of_alike
from .small import factored


class SmallClassSamples:
    """A small X and its classes, all in float64; coefficients of all classes are one vector.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    loss : SoftmaxLoss
    l2, fit_intercept
        And attributes: see `SmallSamples`.
    """

    def __init__(self, X, loss, l2, fit_intercept):
        n_samples, n_features = X.shape
        self._columns = np.ones((n_features + 1, n_samples))
        self._columns[:-1] = X.T
        self._loss, self._l2, self._fit_intercept = loss, l2, fit_intercept
        self._shape = loss.n_rows, n_features + 1
        self._penalties = np.tile(np.append(np.full(n_features, l2), 0.0), loss.n_rows)
        self.misleading = (1.0 + 1e-12) * loss.value_at_zero

    def loss_gradient(self, coef):
        """Value and gradient of f."""
        W = coef.reshape(self._shape)
        self._is_alike = not W[:, :-1].any()
        self._raw = (W @ self._columns).T
        value, residual = self._loss.update(self._raw)
        gradient = (residual.T @ self._columns.T) / self._loss.weight_sum
        gradient[:, :-1] += self._l2 * W[:, :-1]
        if not self._fit_intercept:
            gradient[:, -1] = 0.0
        return value / self._loss.weight_sum + 0.5 * self._l2 * np.vdot(W[:, :-1], W[:, :-1]), gradient.ravel()

    def remember(self):
        """Keep the raw predictions, as the start of a step."""
        self._remembered = self._raw

    def largest_change(self):
        """The largest difference between the changes of two raw predictions of a sample since `remember`."""
        change = self._raw - self._remembered
        return (change.max(axis=1) - change.min(axis=1)).max()

    def rough_bound(self, gradient):
        """Bound on f - f*, were the intercepts at their best."""
        pull = gradient.reshape(self._shape)[:, :-1]
        return rules.missed_by(np.vdot(pull, pull), self._l2)

    def bound(self, gradient):
        """Bound on f - f*, see `objectives.softmax`."""
        gradient = gradient.reshape(self._shape)
        g_b = gradient[:, -1]
        if not g_b.any():
            return self.rough_bound(gradient)
        curvature = self._loss.curvature_sum() / self._loss.weight_sum
        t = ScaledCholesky(curvature + 1.0 / len(curvature)).solve(g_b)  # equal shifts of all classes change nothing
        t -= t.mean()
        if not np.ptp(t) <= 1.0:
            return math.inf
        product = self._loss.curve(np.broadcast_to(t, self._raw.shape)).T @ self._columns.T
        return t @ g_b + self.rough_bound(gradient - product / self._loss.weight_sum)

    def hessian(self):
        """Hessian of f where `loss_gradient` was last evaluated, with a curvature for equal changes of all classes."""
        n_classes, width = self._shape
        hessian = self._minus_hessian()
        hessian /= -self._loss.weight_sum
        diagonal = hessian.reshape(-1)[:: len(hessian) + 1]
        every_pair = np.einsum("kili->kli", hessian.reshape(n_classes, width, n_classes, width))
        every_pair += diagonal.reshape(self._shape).sum(axis=0) / n_classes**2
        diagonal += self._penalties
        if not self._fit_intercept:
            intercepts = slice(width - 1, None, width)
            hessian[intercepts] = hessian[:, intercepts] = 0.0
            hessian[intercepts, intercepts] = np.eye(n_classes)
        return hessian

    def _minus_hessian(self):
        p, joint = self._loss.p, self._loss.joint_factors
        if not self._is_alike:
            return minus_hessian(joint(p, slice(None)), self._columns)
        scaled = joint(np.ones((1, 1)), slice(None)).T * self._columns
        return minus_hessian_of_alike(p[0], scaled @ scaled.T)

    def factor(self):
        """The Hessian's, see `factored`."""
        return factored(self.hessian())
