"""Newton's method for penalties that bend at zero, on working sets of features.

A step minimises the quadratic model of the smooth part plus the penalty, by coordinate descent on the Hessian and, once
the signs have settled, by the equations of the coefficients that are not zero. Those of few features are all in the
model. Of many, a working set is: the optimum of its features is found by passes over their columns alone, then one pass
over X says which others are to join them.

The model's minimum is a dual point as well: with p the step, a = gradient of the loss + H p, -a is a subgradient of the
penalty where the step ends. So a step that does not go too far certifies where it starts, see
`objectives.base.Objective.step_gap`.

Sources: Lee, Sun & Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24, 2014;
Yuan, Ho & Lin, An improved GLMNET for L1-regularized logistic regression, JMLR 13, 2012; Massias, Vaiter, Gramfort &
Salmon, Dual extrapolation for sparse generalized linear models, JMLR 21, 2020 (working sets).
"""

import logging

import numpy as np

from ..objectives import relative_gap
from ..runtime.blocks import sample_rows
from ._l1_models import LARGEST_HESSIAN, Models
from ._result import SolverResult, add_record, outcome_of
from ._steps import ARMIJO, first_evaluation, rounding
from .newton_cholesky import sampled_rows

NEEDS = ("an L1 penalty",)

_ALL_COEFFICIENTS = 300  # up to here there is no working set
_FEWEST, _FEWEST_SPARSE = 64, 512  # coefficients of a working set
_MAX_HALVINGS = 30
_MAX_SAMPLE_STEPS = 20
_MAX_LOST = 3  # steps in a row whose effect was lost in rounding
_SHORTER = 0.5  # a gap this much smaller than the smallest so far is progress
_SLACK = 5  # features of the support for each that is in the working set unwanted
_SOON = 0.05  # a gap so small that a step from it is the last before other features are looked at
_COARSE, _SHARE = 0.1, 0.1  # gap of the first working set, and of others in gaps of the whole problem


_logger = logging.getLogger("fastlr")


class _Features:
    """Some of the features, or all, and the objective over them."""

    def __init__(self, objective, places):
        n_features = objective.matrix.shape[1]
        self.members = np.append(places, n_features)  # and intercepts
        self.objective = objective if len(places) == n_features else objective.columns(places)


class _Run:
    """Where a fit is, and what it has cost."""

    def __init__(self, objective, start, *, tol, max_iter, callback):
        self.objective, self.gap = objective, np.inf
        self.coef, self.value, self._gradient = first_evaluation(objective, start)
        self._tol, self._max_iter, self._callback = tol, max_iter, callback
        self.n_iter, self.history, self._models = 0, [], Models()

    def _record(self, gradient, gap):
        if self.history and self.history[-1]["iteration"] == self.n_iter:
            self.history.pop()  # where more is known now
        passes = self.objective.n_passes
        add_record(self.history, self._callback, self.n_iter, self.value, np.linalg.norm(gradient), gap, passes)

    def with_all_features(self):
        """One model of all features after the other."""
        at = self.value, self._gradient
        features = _Features(self.objective, np.arange(self.objective.matrix.shape[1]))
        self.coef, _, self.gap = self._descend(features, self.coef, at, self._tol)

    def with_working_sets(self):
        """Optima of working sets, until no other feature is wanted."""
        objective, penalty = self.objective, self.objective.penalty
        a = self._gradient[:, :-1] - penalty.gradient(self.coef[:, :-1])
        features, step, chosen_at, is_last = None, None, 0, False
        fewest = (_FEWEST_SPARSE if objective.matrix.is_sparse else _FEWEST) // objective.shape[0] + 1
        while True:
            if features is None or not _holds(features, a, penalty.l1, self._tol):
                # Without a step since the last choice, what was chosen stays, or the same might be asked for in turns.
                kept = features.members[:-1] if features is not None and self.n_iter == chosen_at else ()
                places = np.union1d(_working_set(a, self.coef, penalty.l1, fewest), kept).astype(np.int64)
                if objective.shape[0] > 1 and len(places) * objective.shape[0] > LARGEST_HESSIAN:
                    _logger.info("prox_newton: a working set of %d features is too large", len(places))
                    return
                features, step, chosen_at, is_last = _Features(objective, places), None, self.n_iter, False
            inner = max(_SHARE * self._tol, min(_COARSE, _SHARE * self.gap))
            small = self.coef[:, features.members]
            at = features.objective.loss_gradient(small)
            coef, step, gap = self._descend(features, small, at, inner, step, 0.0 if is_last else _SOON)
            self.coef = _lifted(coef, features.members, objective.shape)
            self.value, gradient = objective.loss_gradient(self.coef)
            if gap == np.inf:
                return
            if step is None:  # first of all, whether other features are wanted
                a = gradient[:, :-1] - penalty.gradient(self.coef[:, :-1])
                is_last = True
                continue
            whole = _lifted(step, features.members, objective.shape)
            product = objective.hessian_product(whole)
            a = gradient[:, :-1] - penalty.gradient(self.coef[:, :-1] + whole[:, :-1]) + product[:, :-1]
            self.gap = relative_gap(objective.step_gap(self.coef, self.value, gradient, whole, product), self.value)
            self._record(gradient, self.gap)
            if self.gap <= self._tol or self.n_iter >= self._max_iter:
                return

    def _descend(self, features, coef, at, tol, step=None, soon=0.0):
        """Newton's method with some features; where it ends, the step from there, and the gap, inf if not certain.

        `at` are value and gradient at `coef`, where the objective was evaluated last, and a step that is given is that
        from there. After a step from a gap of at most `soon`, which leaves about its square, no other is looked for.
        """
        objective = features.objective
        self.value, gradient = at
        first, gap, best, n_lost = self.n_iter, np.inf, np.inf, 0
        while True:
            if step is None:
                end = self._models.step(objective, coef, gradient, self._tol)
                if end is None:
                    return coef, None, np.inf
                step, product = end
                gap = relative_gap(objective.step_gap(coef, self.value, gradient, step, product), self.value)
                limit = np.inf if self.n_iter >= self._max_iter else tol if self.n_iter > first else self._tol
                if gap <= limit and objective.overshoot(step) > 1.0:
                    gap = np.inf
                self._record(gradient, gap if gap <= limit and objective is self.objective else np.inf)
                if gap <= limit:
                    return coef, step, gap
            before = self.value
            end = _line_search(objective, coef, before, gradient, step)
            if end is None or n_lost == _MAX_LOST:  # rounding is in the way
                objective.loss_gradient(coef)
                return coef, step, gap if objective.overshoot(step) <= 1.0 else np.inf
            self.n_iter += 1
            coef, self.value, gradient = end
            step = None
            if gap <= soon and self.n_iter < self._max_iter:
                return coef, None, gap
            lost = gap > _SHORTER * best and self.value > before - rounding(objective, before)
            n_lost, best = n_lost + 1 if lost else 0, min(best, gap)


def _holds(features, a, l1, tol):
    """Whether all features that are wanted are among those at hand."""
    others = np.abs(a).max(axis=0)
    others[features.members[:-1]] = 0.0
    return others.max(initial=0.0) <= l1 * (1.0 + tol)


def _working_set(a, coef, l1, fewest):
    """Features to be looked at: those that are not zero, and of all other the ones with the largest |a|."""
    support = np.flatnonzero(coef[:, :-1].any(axis=0))
    pull = np.abs(a).max(axis=0)
    pull[support] = np.inf
    n_wanted = np.count_nonzero(pull > l1)  # with those of the support
    size = min(a.shape[1], max(fewest, min(2 * support.size, n_wanted + support.size // _SLACK)))
    return np.sort(np.argpartition(pull, -size)[-size:])


def _lifted(coef, members, shape):
    """Coefficients of some features among those of all."""
    lifted = np.zeros(shape)
    lifted[:, members] = coef
    return lifted


def _line_search(objective, coef, value, gradient, step):
    """The end of a step, halved until it makes the objective smaller; None where none does."""
    penalty, W, V = objective.penalty, coef[:, :-1], step[:, :-1]
    bends = penalty.value(W + V) - penalty.value(W) - float(np.vdot(penalty.gradient(W), V))
    slope = float(np.vdot(gradient, step)) + bends
    if not slope < 0.0:
        return None
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        ahead = coef + length * step
        new_value, new_gradient = objective.loss_gradient(ahead)
        if new_value <= value + ARMIJO * length * slope + rounding(objective, value) * (length == 1.0):
            return ahead, new_value, new_gradient
        length *= 0.5
    return None


def _start(objective):
    """The optimum of a subsample, where it pays, or the best intercepts."""
    n_samples, n_features = objective.matrix.shape
    n_sampled = sampled_rows(n_samples, n_features)
    sample = objective.subsample(sample_rows(n_samples, n_sampled)) if n_sampled else None
    if sample is not None and sample.loss.weight_sum > 0.0:
        # Nearer than the subsample's optimum is to that of all rows is not worth a step.
        return solve(sample, tol=0.1 * objective.n_coef / n_sampled, max_iter=_MAX_SAMPLE_STEPS).coef
    start = np.zeros(objective.shape)
    if objective.fit_intercept:
        start[:, -1] = objective.loss.best_intercepts()
    return start


def solve(objective, start=None, *, tol, max_iter, callback=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`. The penalty must be an L1 one."""
    if start is None:
        start = _start(objective)
    run = _Run(objective, start, tol=tol, max_iter=max_iter, callback=callback)
    if objective.n_coef <= _ALL_COEFFICIENTS:
        run.with_all_features()
    else:
        run.with_working_sets()
    outcome = outcome_of(run.gap, run.n_iter, tol, max_iter)
    return SolverResult(run.coef, run.value, run.gap, run.n_iter, outcome, run.history)
