"""What the solvers of large problems share: when to stop, and which steps to take."""

import numpy as np

from ..objectives import relative_gap
from ..objectives.newton_bound import NewtonBound
from ..rules import ARMIJO
from ._conjugate_gradients import newton_direction

_MAX_TRIES = 30
_LEAST_SHARE = 0.1  # of a step that failed, that the next one has
_UNRESOLVED = 0.01  # share of the tolerance that conjugate gradients may leave undone
_ROUGH = 3.0  # times a certified gap, a rough one may be typically
_SHORTER = 0.9  # a gradient this much shorter than the shortest so far is progress


class Promise:
    """When the pass that certifies a gap is worth it: where a rough gap says that it may come out within the tolerance.

    Parameters
    ----------
    tol : float
    slack : float
        Times the tolerance that a rough gap may be, where it is typically larger than the certified one.
    """

    def __init__(self, tol, slack=1.0):
        self._tol = tol
        self._limit = slack * tol

    def is_near(self, rough):
        """Whether a rough gap is small enough for a try."""
        return rough <= self._limit

    def missed(self, rough, gap):
        """Take note of a try that failed: by as much, at least, the rough gap must fall before another one pays."""
        self._limit = rough * max(0.1, self._tol / gap)


def certificate_for(objective, tol):
    """What certifies gaps along a run.

    Returns
    -------
    callable
        Maps the value and the gradient where the objective was last evaluated, and a direction from there, to the
        certified bound on (f - f*) / f*, inf where none is known; whether to end; and a direction at least as good.
    """
    return _Certificate(objective, tol) if objective.penalty else _UnpenalisedCertificate(objective, tol)


class _Certificate:
    """With a penalty: passes are spent on a gap only where it may come out within the tolerance."""

    def __init__(self, objective, tol):
        self._objective = objective
        self._tol = tol
        self._promise = Promise(tol, _ROUGH)

    def __call__(self, value, gradient, direction):
        if not gradient.any():
            return 0.0, True, direction
        rough = relative_gap(self._objective.rough_gap(gradient), value)
        if not self._promise.is_near(rough):
            return np.inf, False, direction
        gap = relative_gap(self._objective.free_gap_bound(gradient), value)
        if gap == np.inf:
            gap = relative_gap(self._objective.gap_bound(gradient), value)
        if gap > self._tol:
            self._promise.missed(rough, gap)
        return gap, gap <= self._tol, direction


class _UnpenalisedCertificate:
    """Without a penalty: where a direction promises a gap within the tolerance, it is made a step of Newton's method.

    An estimate from an inexact direction misses what the direction misses. In float32 nothing can be certified: the
    promise is the end, and it is for the caller to go on in float64.
    """

    def __init__(self, objective, tol):
        self._objective = objective
        self._tol = tol
        self._promise = Promise(tol)
        self._bound = None

    def __call__(self, value, gradient, direction):
        if not gradient.any():
            return 0.0, True, direction
        rough = relative_gap(-float(np.vdot(gradient, direction)), value)
        if not self._promise.is_near(rough):
            return np.inf, False, direction
        if self._objective.dtype != np.float64:
            return np.inf, True, direction
        self._bound = bound = self._bound or NewtonBound(self._objective)

        small = max(_UNRESOLVED * self._tol * value, bound.rounding)
        direction = newton_direction(
            self._objective,
            gradient,
            bound.standardised,
            lambda squared, _: bound.unresolved(squared) <= small,
            direction,
        )
        gap = relative_gap(bound(gradient, direction), value)
        if gap > self._tol:
            self._promise.missed(rough, gap)
        return gap, gap <= self._tol, direction


def rounding(objective, value):
    """Rounding error of the objective's value."""
    return 4.0 * np.finfo(objective.dtype).eps * abs(value)


def slope_along(penalty, coef, gradient, step):
    """Change of f along a step, to first order but for where a penalty bends; `gradient` is that of the smooth part."""
    W, V = coef[:, :-1], step[:, :-1]
    bends = penalty.value(W + V) - penalty.value(W) - float(np.vdot(penalty.gradient(W), V))
    return float(np.vdot(gradient, step)) + bends


def line_search(objective, coef, value, gradient, step):
    """The end of a step, halved until it makes the objective smaller, and its length; None where none does."""
    slope = slope_along(objective.penalty, coef, gradient, step)
    if not slope < 0.0:
        return None
    length = 1.0
    for _ in range(_MAX_TRIES):
        ahead = coef + length * step
        new_value, new_gradient = objective.loss_gradient(ahead)
        if new_value <= value + ARMIJO * length * slope + rounding(objective, value) * (length == 1.0):
            return ahead, new_value, new_gradient, length
        length *= 0.5
    return None


def descends(objective, value, new_value, predicted, is_shorter):
    """Armijo's rule; where the decrease is lost in rounding, the gradient decides.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
    value, new_value : float
        Before and after the step.
    predicted : float
        Change of the value to first order, < 0.
    is_shorter : callable
        Says whether the gradient is shorter than before.
    """
    if new_value <= value + ARMIJO * predicted:
        return True
    return new_value <= value + rounding(objective, value) and is_shorter()


class Progress:
    """Counts steps in a row whose effect was lost in rounding."""

    def __init__(self, objective):
        self._objective = objective
        self._shortest = np.inf
        self.n_lost = 0

    def note(self, value, new_value, new_gradient):
        """Take note of a step: it counts as lost unless f or, where that rounds, the gradient shows progress."""
        length = float(np.linalg.norm(new_gradient))
        gained = new_value < value - rounding(self._objective, value) or length < _SHORTER * self._shortest
        self._shortest = min(self._shortest, length)
        self.n_lost = 0 if gained else self.n_lost + 1


def evaluated(asking, objective):
    """Run what asks for evaluations of an objective, each of them a pass of its own: what it returns.

    Parameters
    ----------
    asking : generator
        Yields coefficients, and is sent value and gradient there.
    objective : LogisticObjective or SoftmaxObjective
    """
    try:
        coef = next(asking)
        while True:
            coef = asking.send(objective.loss_gradient(coef))
    except StopIteration as end:
        return end.value


def safeguarded_step(objective, coef, value, gradient, direction):
    """Ask for the end of a step along `direction`, shortened until it makes the objective smaller: see `evaluated`.

    A step that fails is shortened to the minimum of the parabola through what is known of it, by half at least.

    Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 3.5 (interpolation).

    Returns
    -------
    (step, value, gradient), or None where no step does
    """
    slope = float(np.vdot(gradient, direction))
    if not slope < 0.0:
        return None
    length = 1.0
    for _ in range(_MAX_TRIES):
        step = length * direction
        new_value, new_gradient = yield coef + step

        def is_shorter(after=new_gradient):
            return np.vdot(after, after) < np.vdot(gradient, gradient)

        if descends(objective, value, new_value, length * slope, is_shorter):
            return step, new_value, new_gradient
        bend = new_value - value - length * slope
        share = -0.5 * length * slope / bend if np.isfinite(bend) else 0.0
        length *= min(max(share, _LEAST_SHARE), 0.5)
    return None


def first_evaluation(objective, start):
    """Ask for coefficients to start from, with value and gradient there: see `evaluated`.

    No features unless `start` is better than zeros.
    """
    coef = objective.without_features() if start is None else objective.centred(start)
    value, gradient = yield coef
    if start is not None and not value <= objective.value_at_zero:
        coef = objective.without_features()
        value, gradient = yield coef
    return coef, value, gradient
