"""A primal-dual interior point method for many classes, where raw predictions have far to go.

Where columns are raw pixels, say, raw predictions are to change by thousands, and the loss bends on a scale of 1: a
step of Newton's method on the loss is good for a small part of that. Its dual knows no such scale. With q_i the dual
point of sample i, z_i its raw predictions and slacks t_i, the optimum is where

    sum_i c_i (q_i - e_{y_i}) x_i^T + l2 W = 0,    t_i = v_i + log q_i - z_i,    t_ik q_ik = 0,    sum_k q_ik = 1

so q_i are the probabilities, but on the way there a slack takes what z_i and the logarithm of a tiny q_ik still
differ by. A step is one of Newton's method for these equations, with t_ik q_ik a tenth of what it is on average. With

    a_i = q_i / (1 + t_i),    J_i = diag(a_i) - a_i a_i^T / sum_k a_ik

the change of q_i is b_i + J_i dz_i, b_i what the other equations ask for, and that of W is the solution of a system
that looks like a softmax Hessian: conjugate gradients, with a factor for each class, find it. All of q and t move on by
the whole step, but none further towards 0 than to a tenth.

Sources: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 14.1 and 19.3 (interior point methods); Chan, Golub &
Mulet, A nonlinear primal-dual method for total variation-based image restoration, SIAM Journal on Scientific Computing
20, 1999 (why the dual point is to be an unknown of its own).
"""

import numpy as np
from scipy.special import wrightomega

from ..matrices.strips import curved, gathered, raw_predictions
from ..objectives.penalties import L2
from ._conjugate_gradients import newton_direction
from ._result import SolverResult, add_record, outcome_of
from ._steps import certificate_for, evaluated, first_evaluation

NEEDS = ("a penalty", "many classes", "dense X", "X in memory")

_TARGET = 0.1  # share of the complementarity that a step leaves
_NEAREST = 0.1  # share of its distance from 0 that a positive number keeps
_ACCURACY = 0.05  # of conjugate gradients
_FLOOR = 1e-6  # of curvatures in class factors
_PENALTY_SHARE = 0.1  # of the complementarity, that the penalty is worth on the way
_MAX_LEVELS, _LEVEL_TOLERANCE = 50, 1e-9  # of `_central`
_LEAST = 1e-280  # of positive numbers: others are divided by them
_MAX_STEPS = 60


def solve(objective, start=None, *, tol, max_iter, callback=None, max_passes=np.inf):
    """Minimise an objective of many classes with a penalty; otherwise as `newton_cg.solve`.

    Values of the objective go up and down on the way; the result is where the gradient was shortest.
    """
    last_pass = objective.n_passes + max_passes
    coef, value, gradient = evaluated(first_evaluation(objective, start), objective)
    certificate = certificate_for(objective, tol)
    iterate = _Iterate(objective, coef, value)
    history, best = [], (np.inf, coef, value)
    n_iter = 0
    while True:
        gap, reached, _ = certificate(value, gradient, None)
        add_record(history, callback, n_iter, value, np.linalg.norm(gradient), gap, objective.n_passes)
        best = min(best, (objective.rough_gap(gradient), iterate.coef, value), key=lambda found: found[0])
        if reached or n_iter >= min(max_iter, _MAX_STEPS) or objective.n_passes >= last_pass or not np.isfinite(value):
            break
        iterate.step()
        value, gradient = objective.loss_gradient(iterate.coef)
        n_iter += 1
    coef, value = (iterate.coef, value) if reached else best[1:]
    return SolverResult(coef, value, gap, n_iter, outcome_of(gap, n_iter, tol, max_iter), history)


class _Iterate:
    """Coefficients, dual points and slacks; arrays of samples are float64 of shape (n_classes, n_samples).

    Attributes
    ----------
    coef : float64 array of shape (n_classes, n_features + 1)
    """

    def __init__(self, objective, coef, value):
        self._objective = objective
        self._weight = objective.loss.weights() / objective.loss.weight_sum
        self._own = objective.loss.classes, np.arange(len(self._weight))
        self.coef = coef
        self._raw = raw_predictions(objective.matrix, coef)
        self._dual, self._slack, self._level = _central(self._raw, value / (2 * len(coef)))

    def step(self):
        """One step of Newton's method."""
        dual, slack, raw = self._dual, self._slack, self._raw
        complementarity = float((dual * slack).mean())
        system = _System(self._objective, self._on_the_way(complementarity), dual, slack, self._weight)
        misfit = slack - self._level - np.log(dual) + raw
        missing = _TARGET * complementarity / dual - slack + misfit
        asked = system.shares * missing
        total = asked.sum(axis=0) / system.totals
        pull = dual + asked - system.shares * total
        pull[self._own] -= 1.0
        step = system.solution(self._gathered(pull) + system.penalty_gradient(self.coef))
        change = raw_predictions(self._objective.matrix, step)
        level = total + (system.shares * change).sum(axis=0) / system.totals
        relative = (system.shares * (missing + change - level)) / dual
        self._slack = _moved(slack, (level + relative - change - misfit) / slack)
        self._dual = _moved(dual, relative)
        scale = self._dual.sum(axis=0)
        self._dual /= scale
        self._level = self._level + level + np.log(scale)
        self._raw = raw + change
        self.coef = self._objective.centred(self.coef + step)

    def _gathered(self, amounts):
        gradient = gathered(self._objective.matrix, amounts * self._weight)
        gradient[:, self._objective.fixed] = 0.0
        return gradient

    def _on_the_way(self, complementarity):
        """The objective with a penalty that falls with the complementarity to its own: weak ones make slow systems."""
        W = self.coef[:, :-1]
        square = float(np.vdot(W, W))
        least = self._objective.penalty.diagonal
        way = 2.0 * _PENALTY_SHARE * len(W) * complementarity / square if square > 0.0 else least
        return self._objective.with_penalty(L2(max(least, way)))


class _System:
    """The equations of the coefficients' change."""

    def __init__(self, objective, penalised, dual, slack, weight):
        self._objective, self._penalty = objective, penalised.penalty
        self.shares = dual / (1.0 + slack)
        self.totals = self.shares.sum(axis=0)
        self._weighted, self._parts = self.shares * weight, self.shares / self.totals
        curvatures = self.shares * (1.0 - self._parts)
        self._precondition = penalised.class_factors(curvatures.T, _FLOOR)

    def penalty_gradient(self, coef):
        gradient = np.zeros(coef.shape)
        gradient[:, :-1] = self._penalty.gradient(coef[:, :-1])
        return gradient

    def solution(self, gradient):
        """Minus the inverse times a gradient."""
        start = float(np.vdot(gradient, self._precondition(gradient)))
        enough = _ACCURACY**2 * start
        return newton_direction(self, gradient, self._precondition, lambda squared, _: squared <= enough)

    def hessian_product(self, directions):
        product = curved(self._objective.matrix, self._curve, directions)
        product[:, :-1] += self._penalty.diagonal * directions[:, :-1]
        product[:, self._objective.fixed] = directions[:, self._objective.fixed]
        return product

    def _curve(self, change, rows):
        change -= (self._parts[:, rows] * change).sum(axis=0)
        change *= self._weighted[:, rows]
        return change


def _central(raw, complementarity):
    """Dual points, slacks and levels v of raw predictions where t_ik q_ik is the same for all.

    t + log t = log(complementarity) + v - z has Wright's omega function as its solution; v is where the q_ik sum to 1.
    Source: Corless & Jeffrey, The Wright omega function, 2002.
    """
    level = raw.max(axis=0) + complementarity  # there the largest alone is 1, and the sum is convex
    for _ in range(_MAX_LEVELS):
        slack = wrightomega(np.log(complementarity) + level - raw)
        dual = complementarity / slack
        change = (dual.sum(axis=0) - 1.0) / (dual / (1.0 + slack)).sum(axis=0)
        level += change
        if np.abs(change).max() <= _LEVEL_TOLERANCE:
            break
    return dual / dual.sum(axis=0), slack, level


def _moved(values, relative):
    """Positive numbers after relative changes, none further than to a tenth, and those beyond in their order."""
    factor = 1.0 + relative
    far = factor < _NEAREST
    factor[far] = _NEAREST * (1.0 - _NEAREST) / -relative[far]
    return np.maximum(values * factor, _LEAST)
