"""One run of Newton's method over a kept Hessian: where it is, what it knows there, and what steers it.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 3.3 (line search) and 7.2 (L-BFGS).
"""

import numpy as np

from ..linalg.factor import ScaledCholesky
from ..objectives import relative_gap
from ..objectives.newton_bound import NewtonBound
from ..objectives.separation import separation
from ..rules import DOUBTFUL, MAX_LOST
from ._quasi_newton import QuasiNewton
from ._steps import descends, rounding

_MEMORY = 12  # pairs of L-BFGS
_SHORT = 0.5  # share of the slope that may be left at the end of a step
_MAX_HALVINGS = 60
_FLOAT32_BLUR = 64.0 * float(np.finfo(np.float32).eps)  # pivots of float32 products below this may be rounding
_STEP_PRODUCTS = 75_000  # of samples and coefficients of classes, whose pass takes as long as the rest of a step
_FRESH_CONTRACTION = 0.05  # what a step with a fresh Hessian leaves of the gradient, typically
_LEAST_CURVATURE = 1e-15  # of a column, over its variance: where there is less, gradients are rounding
_PATIENCE = 16  # steps that were to certify and have not, before it is asked whether samples are separated
_LAST_DIGITS, _MOST_LAST = 1e-16, 2  # squared distance from the optimum, in standard errors, and steps to get there


class Steering(QuasiNewton):
    """The inverse of an approximate Hessian, which is finite: a Cholesky factor, and L-BFGS pairs on top.

    Attributes
    ----------
    hessian : float64 array of shape (n_coef, n_coef)
    is_singular : bool
        See `ScaledCholesky`.
    smallest_pivot : float
    """

    def __init__(self, hessian):
        factor = ScaledCholesky(hessian)
        self.smallest_pivot, self.is_singular = factor.smallest_pivot, factor.is_singular
        self.hessian = hessian
        super().__init__(lambda gradient: factor.solve(gradient.ravel()).reshape(gradient.shape), _MEMORY)

    def with_penalty(self, change):
        """The same Hessian after the penalty has changed by so much, without pairs."""
        hessian = self.hessian.copy()
        hessian.flat[: -1 : len(hessian) + 1] += change
        return Steering(hessian)

    def norm2(self, gradient):
        """Squared length of a gradient, g^T H^-1 g, without the pairs."""
        return float(np.vdot(gradient, self.map(gradient)))


class Newton:
    """The state of one run: where it is, what it knows there, what steers it.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
    coef : float64 array of shape (k, n_features + 1)
    steering : Steering, optional

    Attributes
    ----------
    coef, gradient : float64 arrays of shape (k, n_features + 1)
    value : float
    """

    def __init__(self, objective, coef, steering=None):
        self.objective = objective
        self.coef = coef
        self.value, self.gradient = objective.loss_gradient(coef)
        self.steering = steering
        self.hessian = None  # of the current coefficients, if it was formed
        self.n_iter = 0
        self._n_lost = 0  # steps in a row whose effect, or direction, was lost in rounding
        self._steers_well = True
        self._hessian_cost = _hessian_cost(objective)
        self.length2 = None  # squared length of the gradient as `steering` measures it, if known
        self._bound = None  # made where pivots are doubtful
        self.step_gap = np.inf  # bound on f - f* here, from steps with the exact Hessian
        self._before = None  # coefficients and gradient before the last step
        self._n_due = self._asked_at = 0  # steps that were to certify without a penalty, see `separation`

    def refresh(self):
        """Form the Hessian of the current coefficients; no steering where it overflows."""
        self._form()
        if self._may_be_collinear():
            self.coef = self.objective.fix_collinear(self.coef)
            self.value, self.gradient = self.objective.loss_gradient(self.coef)
            self._form()
            self._bound = None
        self.length2 = None

    def _form(self):
        self.hessian = self.objective.hessian()
        self.steering = Steering(self.hessian) if np.isfinite(self.hessian).all() else None
        if self.steering and self.steering.is_singular and self.objective.made_up is not None:
            least = _LEAST_CURVATURE * np.append(self.objective.standardisation()[1], 0.0)
            self.steering = Steering(self.hessian + np.diag(np.tile(least, len(self.coef))))

    def separation(self):
        """A `Separation` where steps that were to certify have not, now and then; None where there is none."""
        is_turn = self._n_due >= _PATIENCE and self._n_due.bit_count() == 1 and self._n_due != self._asked_at
        if self.objective.dtype != np.float64 or not is_turn:
            return None
        self._asked_at = self._n_due
        found = separation(self.objective, self.coef, self.steering.map)
        self.value, self.gradient = self.objective.loss_gradient(self.coef)
        return found

    def _may_be_collinear(self):
        """Whether columns may be, where that is not known, and there is no penalty to decide what is theirs."""
        objective, is_singular = self.objective, self.steering and self.steering.is_singular
        is_open = not objective.penalty and objective.made_up is None
        return is_singular and is_open and objective.dtype == np.float64

    def step(self, tol=0.0):
        """Go one step; False when none makes the objective smaller.

        Parameters
        ----------
        tol : float
            Relative gap to certify. Without a penalty only a step with the exact Hessian can.
        """
        if self._n_lost >= MAX_LOST:
            return False
        is_due = self._is_due(tol)
        if self.steering is None or not self._steers_well or is_due:
            self.refresh()
        self._n_due += is_due
        fresh = self.hessian is not None
        if self._attempt(tol):
            return True
        if fresh:
            return False
        # A Hessian from elsewhere misled: form that of where we are, whose curvatures the attempt has overwritten.
        self.value, self.gradient = self.objective.loss_gradient(self.coef)
        self.refresh()
        return self._attempt(tol)

    def approach(self, tol, max_iter):
        """Steps until f is within a share of its minimum, as `steering` measures it and not certified."""
        for _ in range(max_iter):
            if self._left() <= 2.0 * tol * self.value or not self.step():
                break

    def change_penalty(self, penalty):
        """Go on with another L2 penalty: X is not read."""
        before, w = self.objective.penalty, self.coef[:, :-1]
        self.objective = self.objective.with_penalty(penalty)
        self.value += penalty.value(w) - before.value(w)
        self.gradient = self.gradient.copy()
        self.gradient[:, :-1] += penalty.gradient(w) - before.gradient(w)
        self.steering = self.steering and self.steering.with_penalty(penalty.diagonal - before.diagonal)
        self.hessian = self.length2 = self._bound = self._before = None
        self.step_gap, self._n_lost = np.inf, 0

    def _left(self):
        """Twice f - f*, as `steering` measures it."""
        if self.steering is None:
            return np.inf
        if self.length2 is None:
            self.length2 = self.steering.norm2(self.gradient)
        return self.length2

    def _is_due(self, tol):
        """Whether without a penalty the step from here is to be one with the Hessian here."""
        # It certifies twice what is left after it, at most: half of the squared length is the way to go.
        return not self.objective.penalty and self._left() <= 2.0 * tol * self.value

    def _is_exact(self):
        """Whether `steering` is the Hessian of the current coefficients, with nothing lost in rounding.

        Lost are columns whose squares vanish, and in float32 what sets nearly collinear columns apart.
        """
        if self.hessian is None or self.gradient.ravel()[self.hessian.diagonal() == 0.0].any():
            return False
        return self.objective.dtype == np.float64 or self.steering.smallest_pivot > _FLOAT32_BLUR

    def _attempt(self, tol=0.0):
        """One safeguarded step along the direction of `steering`; False when it makes the objective no smaller."""
        if self.steering is None:
            return False
        direction = -self.steering(self.gradient)
        slope = float(np.vdot(self.gradient, direction))
        if not slope < 0.0:
            return False
        self.objective.remember()
        self._left()
        exact = self._is_exact()
        doubtful = exact and self.steering.smallest_pivot <= DOUBTFUL
        # With a penalty most gradients are enough for a certificate, and it takes no passes.
        if doubtful and (not self.objective.penalty or -slope <= tol * self.value):
            self._bound = self._bound or NewtonBound(self.objective)
            self.step_gap = min(self.step_gap, self._bound(self.gradient, direction))
        length, value, gradient = self._try(direction, 1.0)
        if exact and not doubtful and self.objective.largest_change() <= 1.0:
            self.step_gap = min(self.step_gap, -slope)
        if not self._accept(value, gradient, slope):
            length, value, gradient = self._try(direction, self._search(direction))
            if not self._accept(value, gradient, length * slope):
                return False
        self.step_gap = max(0.0, self.step_gap - (self.value - value)) + self._noise
        step = length * direction
        self.steering.learn(step, self.gradient, gradient)
        length2 = self.steering.norm2(gradient)
        fresh = self.hessian is not None
        lost = length2 > 0.25 * self.length2 and ((fresh and not exact) or value > self.value - self._noise)
        # What is lost with a Hessian from elsewhere may not be with that of where we are.
        self._n_lost = self._n_lost + fresh if lost else 0
        contraction = np.sqrt(length2 / self.length2) if self.length2 > 0.0 else 0.0
        self._steers_well = not lost and contraction ** (1.0 + self._hessian_cost) < _FRESH_CONTRACTION
        self._before = self.coef, self.gradient
        self.coef, self.value, self.gradient, self.length2 = self.coef + step, value, gradient, length2
        self.hessian = None
        self.n_iter += 1
        return True

    def _try(self, direction, length):
        return length, *self.objective.loss_gradient(self.coef + length * direction)

    @property
    def _noise(self):
        """Rounding error of the objective's value."""
        return rounding(self.objective, self.value)

    def _accept(self, value, gradient, predicted):
        return descends(
            self.objective, self.value, value, predicted, lambda: self.steering.norm2(gradient) < self.length2
        )

    def _search(self, direction):
        """Length of a step at whose end f still falls, at most half as steeply as at its start: so it has fallen.

        For two classes found without reading X: the raw predictions are linear in the length, and the last evaluation
        was at the end of the step that failed.
        """
        slope_at = self.objective.slopes(self.coef, direction)
        low, high = 0.0, 1.0
        first = float(np.vdot(self.gradient, direction))
        for _ in range(_MAX_HALVINGS):
            length = 0.5 * (low + high)
            slope = slope_at(length)
            if _SHORT * first <= slope <= 0.0:
                break
            low, high = (length, high) if slope < 0.0 else (low, length)
        return length

    def to_last_digits(self, most):
        """Go on with the Hessian at hand, a pass a step: errors that are asked for later begin at the optimum."""
        enough = _LAST_DIGITS / self.objective.loss.weight_sum
        for _ in range(min(most, _MOST_LAST)):
            if self.length2 <= enough or not self._attempt():
                break

    def gap(self, promise, tol):
        """Certified relative gap here; an extra pass is spent on it only where it may come out within `tol`."""
        if not self.gradient.any():
            return 0.0
        gap = relative_gap(self.step_gap, self.value)
        objective = self.objective
        if not objective.penalty or gap <= tol:
            return gap
        rough = relative_gap(objective.rough_gap(self.gradient), self.value)
        if promise.is_near(rough):
            at = self.coef, self.gradient
            bound = objective.gap_since(*at, *self._before, enough=tol * self.value) if self._before else np.inf
            if not relative_gap(bound, self.value) <= tol:
                bound = objective.gap_bound(self.gradient, self.hessian)
            gap = min(gap, relative_gap(bound, self.value))
            if gap > tol:
                promise.missed(rough, gap)
        return gap


def _hessian_cost(objective):
    """What a Hessian costs in steps, roughly."""
    cost, products = objective.hessian_cost, objective.matrix.shape[0] * objective.n_coef
    if objective.shape[0] == 1 or objective.matrix.is_sparse:
        return cost
    return (cost * products + 0.5 * _STEP_PRODUCTS) / (products + _STEP_PRODUCTS)
