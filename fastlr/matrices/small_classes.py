"""What Newton's method asks of a small X and many classes, see `small.SmallSamples` for two."""

import math

import numpy as np

from .. import rules
from ..linalg.factor import ScaledCholesky
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
        self._X1 = np.ones((n_samples, n_features + 1))
        self._X1[:, :-1] = X
        self._loss, self._l2, self._fit_intercept = loss, l2, fit_intercept
        self._shape = loss.n_rows, n_features + 1
        self.misleading = (1.0 + 1e-12) * loss.value_at_zero

    def loss_gradient(self, coef):
        """Value and gradient of f."""
        W = coef.reshape(self._shape)
        self._raw, self._hessian = self._X1 @ W.T, None
        value, residual = self._loss.update(self._raw)
        gradient = (residual.T @ self._X1) / self._loss.weight_sum
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
        width, hessian = self._shape[1], self.hessian()
        g_b = gradient[width - 1 :: width]
        t = ScaledCholesky(hessian[width - 1 :: width, width - 1 :: width]).solve(g_b)
        t -= t.mean()
        if not np.ptp(t) <= 1.0:
            return math.inf
        return t @ g_b + self.rough_bound(gradient - hessian[:, width - 1 :: width] @ t)

    def hessian(self):
        """Hessian of f where `loss_gradient` was last evaluated, with a curvature for equal changes of all classes."""
        if self._hessian is None:
            self._hessian = self._formed()
        return self._hessian

    def _formed(self):
        (n_classes, width), every, each = self._shape, range(self._shape[1]), range(self._shape[0])
        own, shared = self._loss.curvature_factors(self._raw, slice(None))
        products = (shared[:, :, None] * self._X1[:, None]).reshape(len(shared), -1)
        scaled = own.T[:, :, None] * self._X1
        hessian = products.T @ products
        np.negative(hessian, out=hessian)
        blocks = hessian.reshape(n_classes, width, n_classes, width)
        blocks[each, :, each] = scaled.transpose(0, 2, 1) @ scaled
        hessian /= self._loss.weight_sum
        shift = hessian.diagonal().reshape(self._shape).mean(axis=0) / n_classes
        blocks[:, every, :, every] += shift[:, None, None]
        hessian.flat[:: len(hessian) + 1] += np.tile(np.append(np.full(width - 1, self._l2), 0.0), n_classes)
        if not self._fit_intercept:
            intercepts = slice(width - 1, None, width)
            hessian[intercepts] = hessian[:, intercepts] = 0.0
            hessian[intercepts, intercepts] = np.eye(n_classes)
        return hessian

    def factor(self):
        """The Hessian's, see `factored`."""
        return factored(self.hessian())
