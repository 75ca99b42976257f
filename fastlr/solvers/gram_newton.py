"""Newton's method on the Gram matrix, for no more samples than features.

The optimum is w = X^T a, so with K = X X^T, made in one pass, the raw predictions are K a + b, and nothing of X is
needed until w is formed at the end. With c_i = s_i / S, r the residuals, D = diag(c h) and v = c r + l2 a (zero at the
optimum), a Newton step solves

    (l2 I + D K) da = -(v + D 1 db),    with db such that sum(a + da) = 0,

through the Cholesky factor of the symmetric M = I + R K R, R = (D / l2)^1/2, whose eigenvalues are at least 1:
(l2 I + D K)^-1 = (I - R M^-1 R K) / l2. A factor is kept, with its D, while it steers well. As it only steers, one in
float32 will do wherever the trace of M says that rounding leaves it accurate enough.

With K a and K da at hand the objective along a step costs no product, so a step goes to where it is all but smallest.
Wide X is separable as a rule, and whole steps would only double what predictions are at the optimum: the search halves
the steps, and leaves a third of the factors.

Sources: Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, 3.4 (the same equations for the Laplace
approximation); Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 3.1 (conditions for a step's length).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dtrsv, strsv
from scipy.linalg.lapack import dposv

from ..linalg.lapack import cholesky_in_place
from ..losses.quadratic import Quadratic
from ..objectives import relative_gap
from ..rules import bound_of_shift, dual_shift
from ._result import SolverResult, add_record, outcome_of
from ._steps import ARMIJO

NEEDS = ("two classes", "a penalty", "X in memory")

_MAX_TRIES = 60  # of lengths of a step
_FLAT = 0.1  # share of the slope at its beginning that a step may leave at its end
_FARTHER = 4.0  # times the last length that the next one is, at most
_FAR = 100.0  # times the largest of a that steps may have gone before K a is formed anew, without their rounding
_KEEP = 0.5  # a factor is kept while steps at least halve the gradient: eight of them cost what a factor costs
_LARGEST_TRACE = 4e5  # of M in float32: its rounding, 1e-7 of that, is small next to the eigenvalues


@dataclass
class _Point:
    """Coefficients, and the objective there."""

    a: np.ndarray
    b: float
    linear: np.ndarray  # K a
    loss: float
    square: float  # |w|^2
    alpha: np.ndarray  # c r
    D: np.ndarray  # its diagonal


class _Steering:
    """The Cholesky factor of M for a penalty and curvatures, in K's dtype; raises LinAlgError where there is none.

    K is given in multiples of `unit`, in which float32 can hold it.
    """

    def __init__(self, K, unit, l2, curvature, fit_intercept):
        self._l2 = l2
        self._root = np.sqrt(curvature / l2)
        self._trsv = strsv if K.dtype == np.float32 else dtrsv
        root = (np.sqrt(unit) * self._root).astype(K.dtype, copy=False)
        M = K * root
        M *= root[:, None]
        M.flat[:: len(M) + 1] += 1.0
        self._factor = M.T  # M is its own transpose, in LAPACK's order
        if not cholesky_in_place(self._factor):
            raise np.linalg.LinAlgError("M is not positive definite")
        # What da changes by with db: -(l2 I + D K)^-1 D 1.
        self._unit = -self._root * self._solve(self._root) if fit_intercept else np.zeros(len(M))
        self._unit_sum = float(self._unit.sum())

    def _solve(self, side):
        """M^-1 side, brought to the middle of the exponents that float32 has."""
        scale = float(np.sqrt(side @ side)) or 1.0
        half = self._trsv(self._factor, side / scale, lower=1)
        return scale * self._trsv(self._factor, half, lower=1, trans=1, overwrite_x=1).astype(np.float64, copy=False)

    def __call__(self, side, K_side, surplus):
        """da, db such that (l2 I + D K) da = -(side + D 1 db), and da sums to -surplus where there is an intercept."""
        da = (self._root * self._solve(self._root * K_side) - side) / self._l2
        if not self._unit_sum:
            return da, 0.0
        db = -(surplus + float(da.sum())) / self._unit_sum
        return da + db * self._unit, db


class GramNewton:
    """The state of a run: coefficients a, b in the span of the samples."""

    def __init__(self, objective, start):
        self.objective = objective
        n_samples = objective.matrix.shape[0]
        self.K = objective.matrix.gram()
        self._diagonal = self.K.diagonal()
        self._coarse = None  # K in float32, and its unit
        self._steering = None
        self._steers_well = True
        self._way = 0.0  # that a went since K a was formed
        zero = np.zeros(n_samples)
        self._stand_at(self._point(zero, 0.0, zero))
        if start is not None:
            without = start.copy()
            without[0, -1] = 0.0
            objective.matrix.predict(objective.loss, without)
            self.change_penalty(objective.penalty, (in_span(self.K, objective.loss.predicted()), float(start[0, -1])))

    def change_penalty(self, penalty, other=None):
        """Go on with another penalty: from here, or from `other` a and b if the objective is smaller there."""
        self.objective = self.objective.with_penalty(penalty)
        self._steering = None
        point = self.point
        if other is not None:
            a, b = other
            point, self._way = self._point(a, b, self.K @ a), float(np.abs(a).max())
        better = self.value_at(point) < self.value_at(self.point)  # no NaN is
        self._stand_at(point if better else self.point)

    @property
    def _l2(self):
        return self.objective.penalty.strength

    def value_at(self, point):
        """The objective at a point."""
        return point.loss + 0.5 * self._l2 * point.square

    def tangent(self):
        """Derivatives of a and b along log(1 / l2), if this is the optimum; None where M has no factor.

        Those of v = 0 and sum(a) = 0 give (l2 I + D K) a' + D 1 b' = l2 a and sum(a') = 0.
        """
        if not self._can_steer():
            return None
        point, l2 = self.point, self._l2
        side, K_side = -l2 * point.a, -l2 * point.linear
        a, b = self._steering(side, K_side, 0.0)
        # The factor is that of an earlier point, which one refinement makes up for.
        rest = side + l2 * a + point.D * (self.K @ a + b)
        more_a, more_b = self._steering(rest, self.K @ rest, 0.0)
        return a + more_a, b + more_b

    def _point(self, a, b, linear):
        value, residual, curvature = self.objective.loss.at(linear + b)
        total = self.objective.loss.weight_sum
        return _Point(a, b, linear, value / total, float(a @ linear), residual / total, curvature / total)

    def _stand_at(self, point):
        self.point = point
        self.value = self.value_at(point)
        self.v = point.alpha + self._l2 * point.a
        self._K_v = self.K @ self.v
        self._square = float(self.v @ self._K_v)
        self._g_b = float(point.alpha.sum()) if self.objective.fit_intercept else 0.0
        self.length = np.sqrt(max(0.0, self._square) + self._g_b**2)  # of the gradient

    def gap(self):
        """Certified bound on f - f*: that of `objective`, with |X^T x|^2 = x^T K x."""
        shift = dual_shift(self._g_b, float(self.point.D.sum()))
        square = self._square
        if shift:
            rest = self.v - shift * self.point.D
            square = float(rest @ (self.K @ rest))
        return bound_of_shift(shift, self._g_b, self.objective.penalty.dual_bound(square))

    def _can_steer(self):
        """Whether M has a factor: one that steers well, or else that of the current curvatures."""
        if self._steering is None or not self._steers_well:
            arguments = self._l2, self.point.D, self.objective.fit_intercept
            coarse = self.point.D @ self._diagonal <= _LARGEST_TRACE * self._l2
            if coarse and self._coarse is None:
                unit = float(self._diagonal.max()) or 1.0
                coarse_K = np.empty(self.K.shape, np.float32)
                self._coarse = np.divide(self.K, unit, out=coarse_K, casting="same_kind"), unit  # with no copy between
            try:
                self._steering = _Steering(*(self._coarse if coarse else (self.K, 1.0)), *arguments)
            except np.linalg.LinAlgError:
                self._steering = None
        return self._steering is not None

    def step(self):
        """Go one step; False when none makes the objective smaller."""
        if not self._can_steer():
            return False
        point = self.point
        da, db = self._steering(self.v, self._K_v, float(point.a.sum()))
        change = self.K @ da
        slope = float(point.alpha @ (change + db) + self._l2 * (point.a @ change))
        if not slope < 0.0:
            return False
        before = self.length
        ahead = self._along(da, db, change, slope)
        if ahead is None:
            return False
        # Where samples make up one another K says nothing of some combinations of a, which long steps overshoot.
        self._way += float(np.abs(ahead.a - point.a).max())
        largest = float(np.abs(ahead.a).max())
        if self._way > _FAR * largest:
            ahead, self._way = self._point(ahead.a, ahead.b, self.K @ ahead.a), largest
        self._stand_at(ahead)
        self._steers_well = self.length <= _KEEP * before
        return True

    def _along(self, da, db, change, slope):
        """The point along a step where the objective is all but smallest, by Newton's method; None if none is smaller.

        Parameters
        ----------
        da, db : float64 array of shape (n_samples,), float
        change : float64 array of shape (n_samples,)
            K da.
        slope : float
            Derivative of the objective where the step begins.
        """
        point, l2 = self.point, self._l2
        rounding = 4.0 * np.finfo(float).eps * abs(self.value)
        first, second = l2 * float(point.a @ change), l2 * float(da @ change)  # of the penalty
        length, low, high = 1.0, 0.0, np.inf
        for _ in range(_MAX_TRIES):
            ahead = self._point(point.a + length * da, point.b + length * db, point.linear + length * change)
            rest = float(ahead.alpha @ change) + db * float(ahead.alpha.sum()) + first + length * second
            is_smaller = self.value_at(ahead) <= self.value + rounding + ARMIJO * length * slope
            if is_smaller and abs(rest) <= _FLAT * abs(slope) + rounding / length:
                return ahead
            low, high = (length, high) if rest < 0.0 else (low, length)
            target = length - rest / (ahead.D @ np.square(change + db) + second)  # NumPy's: may be infinite
            length = _inside(target, length, low, high)
        return ahead if is_smaller else None


def _inside(target, length, low, high):
    """The length that is tried next: `target` where it is between the bounds, else one that is; see `_along`."""
    if high == np.inf:
        return min(max(target, 2.0 * length), _FARTHER * length)
    return target if low < target < high else 0.5 * (low + high)


def in_span(K, raw):
    """a such that K a is all but the raw predictions: the part of w outside the span only adds to the penalty."""
    ridge = 1e-10 * K.diagonal().max() or 1.0
    _, a, _ = dposv(K + ridge * np.eye(len(raw)), raw, lower=1)
    return a


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
        add_record(history, callback, n_iter, newton.value, newton.length, gap, newton.objective.n_passes)
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
    coef = objective.matrix.intercept_column(Quadratic(newton.point.a))[None]
    coef[0, -1] = newton.point.b
    # What is certified is the model that is returned, rounded as it is.
    value, gradient = objective.loss_gradient(coef)
    gap = relative_gap(objective.gap_bound(gradient), value)
    return SolverResult(coef, value, gap, n_iter, outcome_of(gap, n_iter, tol, max_iter), history)
