"""Newton's method on the Gram matrix, for no more samples than features.

The optimum is w = X^T a, so with K = X X^T, made in one pass, the raw predictions are K a + b, and nothing of X is
needed until w is formed at the end. With c_i = s_i / S, r the residuals, D = diag(c h) and v = c r + l2 a (zero at the
optimum), a Newton step solves

    (l2 I + D K) da = -(v + D 1 db),    with db such that sum(a + da) = 0,

through the Cholesky factor of the symmetric M = l2 I + D^1/2 K D^1/2, whose eigenvalues are at least l2:
(l2 I + D K)^-1 = (I - D^1/2 M^-1 D^1/2 K) / l2. A factor is kept, with its D, while it steers well.

Source: Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, 3.4 (the same equations for the Laplace
approximation).
"""

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from .._blocks import guarded_empty
from ..objectives import relative_gap
from ._result import SolverResult, add_record

_ARMIJO = 1e-4
_MAX_HALVINGS = 60
_KEEP = 0.5  # a factor is kept while steps at least halve the gradient: eight of them cost what a factor costs


class GramNewton:
    """The state of a run: coefficients a, b in the span of the samples."""

    def __init__(self, objective, start):
        self.objective = objective
        self.design = objective.design
        n_samples = self.design.shape[0]
        weight = self.design.sample_weight
        self._share = (weight if weight.size else np.ones(n_samples)) / self.design.weight_sum
        self.K = self.design.gram()
        self._steering = None
        self._steers_well = True
        self._residual = guarded_empty(n_samples)
        if start is not None:
            self._go_to(start)
        if start is None or not self.value <= objective.value_at_zero:  # a start that misleads
            self.a, self.b = np.zeros(n_samples), 0.0
            self._evaluate(np.zeros(n_samples))

    def change_penalty(self, l2):
        """Go on with another penalty from here."""
        self.objective.l2 = l2
        self._steering = None
        self._evaluate(self.linear)

    def _go_to(self, start):
        """The nearest to w in the span of the samples: the part outside only adds to the penalty."""
        raw = self.design.raw_prediction(np.append(start[:-1], 0.0))
        ridge = 1e-10 * self.K.diagonal().max() or 1.0
        _, self.a, _ = dposv(self.K + ridge * np.eye(len(raw)), raw, lower=1)
        self.b = float(start[-1])
        self._evaluate(self.K @ self.a)

    def _value(self, linear, a, b):
        loss, _ = self.design.loss_residual(linear + b, self._residual)
        return loss / self.design.weight_sum + 0.5 * self.objective.l2 * float(a @ linear)

    def _evaluate(self, linear):
        self.linear = linear  # K a
        self.value = self._value(linear, self.a, self.b)
        total = self.design.weight_sum
        self.alpha = self._residual / total
        self.d = self.design.curvature / total
        self.v = self.alpha + self.objective.l2 * self.a

    def gap(self):
        """Certified bound on f - f*: that of `objective`, with |X^T x|^2 = x^T K x."""
        v, bound = self.v, 0.0
        if self.objective.fit_intercept:
            g_b, s = self.alpha.sum(), self.d.sum()
            if abs(g_b) > s:
                return np.inf
            if g_b != 0.0:
                v = v - (g_b / s) * self.d
                bound = g_b * g_b / s
        return bound + float(v @ (self.K @ v)) / (2.0 * self.objective.l2)

    def refresh(self):
        """Factorise M for the current curvatures."""
        root = np.sqrt(self.d)
        M = self.K * root
        M *= root[:, None]
        M.flat[:: len(M) + 1] += self.objective.l2
        factor, failed = dpotrf(M.T, lower=1, overwrite_a=1, clean=0)  # M is its own transpose, in LAPACK's order
        self._steering = None if failed else (factor, root)
        if not failed and self.objective.fit_intercept:
            self._unit = -self._solve(root**2)  # da for a unit of db

    def _solve(self, side):
        """(l2 I + D K)^-1 side, D as it was at the last `refresh`."""
        factor, root = self._steering
        inner, _ = dpotrs(factor, root * (self.K @ side), lower=1)
        return (side - root * inner) / self.objective.l2

    def step(self):
        """Go one step; False when none makes the objective smaller."""
        if self._steering is None or not self._steers_well:
            self.refresh()
            if self._steering is None:
                return False
        da, db = -self._solve(self.v), 0.0
        if self.objective.fit_intercept:
            total = self._unit.sum()
            db = -float(self.a.sum() + da.sum()) / float(total) if total else 0.0
            da = da + db * self._unit
        change = self.K @ da
        slope = float(self.alpha @ (change + db) + self.objective.l2 * (self.a @ change))
        if not slope < 0.0:
            return False
        before = self.length2()
        noise = 4.0 * np.finfo(float).eps * abs(self.value)
        length = 1.0
        for _ in range(_MAX_HALVINGS):
            value = self._value(self.linear + length * change, self.a + length * da, self.b + length * db)
            if value <= self.value + _ARMIJO * length * slope + noise:
                break
            length *= 0.5
        else:
            return False
        self.a = self.a + length * da
        self.b += length * db
        self._evaluate(self.linear + length * change)
        after = self.length2()
        self._steers_well = after <= _KEEP**2 * before
        return True

    def length2(self):
        """Squared length of the gradient: of its part in w, and of its part in b."""
        return float(self.v @ (self.K @ self.v)) + float(self.alpha.sum()) ** 2


def descend(newton, *, tol, max_iter, callback=None):
    """Go on until a certified relative gap of `tol` is reached, or no further.

    Returns
    -------
    gap : float
    n_iter : int
    history : list of dict
    """
    history = []
    n_iter = 0
    best = np.inf
    while True:
        gap = relative_gap(newton.gap(), newton.value)
        length = np.sqrt(max(0.0, newton.length2()))
        add_record(history, callback, n_iter, newton.value, length, gap, newton.design.n_passes)
        # Rounding ends progress before an unreachable tolerance does.
        stalled = gap < 1e-10 and gap > 0.5 * best
        best = min(best, gap)
        if gap <= tol or n_iter >= max_iter or stalled or not newton.step():
            return gap, n_iter, history
        n_iter += 1


def solve(objective, start=None, *, tol, max_iter, callback=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`. The penalty must be positive."""
    newton = GramNewton(objective, start)
    _, n_iter, history = descend(newton, tol=tol, max_iter=max_iter, callback=callback)
    coef = objective.design.transposed_product(newton.a)
    coef[-1] = newton.b
    # What is certified is the model that is returned, rounded as it is.
    value, gradient = objective.loss_gradient(coef)
    gap = relative_gap(objective.gap_bound(gradient), value)
    return SolverResult(coef, value, gap, n_iter, gap <= tol, history)
