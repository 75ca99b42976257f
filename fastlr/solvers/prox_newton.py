"""Newton's method for penalties that bend at zero, on working sets of features.

A step minimises the quadratic model of the smooth part plus the penalty, see `_l1_models`: by coordinate descent and,
once the signs have settled, by the equations of the coefficients that are not zero. Those of few features are all in
the model. Of many, a working set is: the optimum of its features is found by passes over their columns alone, then one
pass over X says which others are to join them.

The model's minimum is a dual point as well: with p the step, a = gradient of the loss + H p, -a is a subgradient of the
penalty where the step ends. So a step that does not go too far certifies where it starts and, far better, where it
ends: see `objectives.base.Objective.step_gap` and `dual_gap`.

Sources: Lee, Sun & Saunders, Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24, 2014;
Yuan, Ho & Lin, An improved GLMNET for L1-regularized logistic regression, JMLR 13, 2012; Massias, Vaiter, Gramfort &
Salmon, Dual extrapolation for sparse generalized linear models, JMLR 21, 2020 (working sets).
"""

import logging

import numpy as np

from ..objectives import relative_gap
from ..runtime.blocks import sample_rows
from ._l1_features import ALL_COEFFICIENTS, LARGEST_HESSIAN, Features, working_set
from ._result import SolverResult, add_record, outcome_of
from ._steps import evaluated, first_evaluation, line_search, rounding
from .newton_cholesky import sampled_rows

NEEDS = ("an L1 penalty",)

_FEWEST, _FEWEST_SPARSE = 64, 512  # coefficients of a working set
_GROWTH = 2.0  # of what is not zero, at most
_MAX_SAMPLE_STEPS = 20
_MAX_FAILED = 10  # models in a row whose steps fail
_MAX_LOST = 3  # steps in a row whose effect was lost in rounding
_SHORTER = 0.5  # a gap this much smaller than the smallest so far is progress
_SOON = 0.1  # a gap so small that a step from it is the last before other features are looked at
_NEAR = 2.0  # times a penalty, another from whose optimum a step of the model arrives well

_logger = logging.getLogger("fastlr")


class _Run:
    """Where a fit is, and what it has cost."""

    def __init__(self, objective, *, tol, max_iter, callback):
        self.objective, self.gap = objective, np.inf
        # Columns of a working set are copied, which takes X in memory.
        self.has_all = objective.matrix.shape[1] < ALL_COEFFICIENTS or not objective.matrix.in_memory
        self._tol, self._max_iter, self._callback = tol, max_iter, callback
        self._near = np.sqrt(tol)  # a gap from where a step ends within the tolerance: its square, or less
        self.n_iter, self.history = 0, []

    def begin(self, start, features):
        """Begin at coefficients, with features if any are known: those alone are read where all others are zero."""
        self._features, objective = features, self.objective
        members = np.arange(objective.shape[1])
        if features and not features.is_whole and np.isin(np.flatnonzero(start.any(axis=0)), features.members).all():
            members, objective = features.members, features.objective
        coef, self.value, gradient = evaluated(first_evaluation(objective, start[:, members]), objective)
        self.coef, self._gradient = (_lifted(part, members, self.objective.shape) for part in (coef, gradient))
        self._swept_at = 0 if objective is self.objective else -1
        if features and self._swept_at == 0:
            self._stand()

    def go_on(self, features):
        """Begin where the last fit ended, with its features."""
        self._features, self._swept_at = features, -1
        coef, self.value, gradient = features.end
        self.coef = _lifted(coef, features.members, self.objective.shape)
        self._gradient = _lifted(gradient, features.members, self.objective.shape)

    def steering(self):
        """What a fit with other strengths of the penalty may go on with."""
        if self.gap == np.inf:
            return None
        members = self._features.members
        self._features.end = self.coef[:, members], self.value, self._gradient[:, members]
        return self._features

    def _record(self, coef, gradient, gap):
        if self.history and self.history[-1]["iteration"] == self.n_iter:
            self.history.pop()  # where more is known now
        at = self.n_iter, self.value, np.linalg.norm(gradient), gap, self.objective.n_passes
        add_record(self.history, self._callback, *at, n_active=int(coef[:, :-1].any(axis=0).sum()))

    def with_all_features(self):
        """One model of all features after the other."""
        if self._features is None:
            self._features = Features(self.objective, np.arange(self.objective.matrix.shape[1]))
        self.coef, self._gradient, _, self.gap = self._descend(self.coef, self._gradient, self._tol)

    def with_working_sets(self):
        """Optima of working sets, until no other feature is wanted."""
        a = self._pull() if self._swept_at == 0 else None
        step, is_last = None, a is not None and self._holds(a)
        best, n_lost = np.inf, 0
        while True:
            before = self.value
            if a is not None and not self._holds(a):
                a = self._sweep()
                if not self._choose(a):
                    return
                is_last = False
            members, begun_at, was_known = self._features.members, self.n_iter, step is not None
            limits = self._near, 0.0 if is_last else _SOON
            coef, gradient, step, gap = self._descend(self.coef[:, members], self._gradient[:, members], *limits, step)
            self.coef = _lifted(coef, members, self.objective.shape)
            if step is None or gap == np.inf:  # first of all, whether other features are wanted
                a = self._sweep()
                if gap == np.inf:
                    return
                is_last = True
                continue
            a, bound = self._promise(step, gradient)
            lost = bound > _SHORTER * best and self.value > before - rounding(self.objective, before)
            n_lost, best = n_lost + 1 if lost else 0, min(best, bound)
            is_stuck = self.n_iter >= self._max_iter or (was_known and self.n_iter == begun_at) or n_lost == _MAX_LOST
            if not is_stuck and (bound <= self._near or not self._holds(a)):
                is_stuck = not self._end(step, a)
                if self.gap <= self._tol:
                    return
                step = step if is_stuck else None
            if is_stuck:
                if not self._features.goes_too_far(step):
                    self.gap = bound
                    self._record(self.coef, self._gradient, bound)
                return

    def _sweep(self):
        """What pulls the features where the fit is: a pass over all of X, where that was not made there."""
        if self.n_iter > self._swept_at:
            self.value, self._gradient = self.objective.loss_gradient(self.coef)
            self._swept_at = self.n_iter
        return self._pull()

    def _promise(self, step, gradient):
        """What pulls the features at the end of a step, as the model has it, and the gap where it begins."""
        objective, whole = self.objective, _lifted(step, self._features.members, self.objective.shape)
        if len(step) == 1 and not self._features.is_whole:
            self._gradient = _lifted(gradient, self._features.members, objective.shape)
            a, divergence = objective.pull_of_step(step, self._features.objective)
            return a, relative_gap(objective.dual_gap(self.coef, self.value, a, divergence), self.value)
        self._sweep()
        product = objective.hessian_product(whole)
        bound = objective.step_gap(self.coef, self.value, self._gradient, whole, product)
        return objective.pull(self.coef + whole, self._gradient + product), relative_gap(bound, self.value)

    def _end(self, step, a):
        """Make a step with some of the features and find the gap where it ends, `a` what it promises for all."""
        features, members = self._features, self._features.members
        objective = features.objective
        objective.remember()
        end = line_search(objective, self.coef[:, members], self.value, self._gradient[:, members], step)
        if end is None:
            objective.loss_gradient(self.coef[:, members])
            return False
        coef, self.value, gradient, length = end
        self.n_iter += 1
        self.coef = _lifted(coef, members, self.objective.shape)
        self._gradient = _lifted(gradient, members, self.objective.shape)
        if length == 1.0:
            gap = self.objective.dual_gap(self.coef, self.value, a, objective.divergence())
            self.gap = relative_gap(gap, self.value)
        self._record(coef, gradient, self.gap)
        return True

    def _pull(self):
        """Gradient of the loss with respect to the features."""
        return self.objective.pull(self.coef, self._gradient)

    def _holds(self, a):
        """Whether all features that are wanted are among those at hand, if there are any."""
        if self._features is None:
            return False
        others = np.abs(a).max(axis=0)
        others[self.coef[:, :-1].any(axis=0)] = np.inf  # a start's, which may lie anywhere
        others[self._features.members[:-1]] = 0.0
        return others.max(initial=0.0) <= self.objective.penalty.l1 * (1.0 + self._tol)

    def _choose(self, a):
        """Make a working set of the features that are wanted; False where it is too large.

        What was at hand from the start of the fit stays: along a path, it will be wanted again.
        """
        objective = self.objective
        fewest = (_FEWEST_SPARSE if objective.matrix.is_sparse else _FEWEST) // objective.shape[0] + 1
        chosen = working_set(a, self.coef[:, :-1], objective.penalty.l1, fewest, _GROWTH)
        kept = self._features.members[:-1] if self._features and self.n_iter == 0 else ()
        places = np.union1d(chosen, kept).astype(np.int64)
        if objective.shape[0] > 1 and len(places) * objective.shape[0] > LARGEST_HESSIAN:
            _logger.info("prox_newton: a working set of %d features is too large", len(places))
            return False
        self._features = Features(objective, places, self._features)
        self._stand()
        return True

    def _stand(self):
        """Have passes over the columns of the features know where they are; for two classes the loss does already."""
        if self.objective.shape[0] > 1:
            self._features.objective.loss_gradient(self.coef[:, self._features.members])

    def _descend(self, coef, gradient, limit, soon=0.0, step=None):
        """Newton's method with some features; where it ends, the gradient and the step there, and the gap.

        `gradient` is that at `coef`, where the objective was evaluated last, and a step that is given is that from
        there. It ends at a gap of at most `limit`, or after a step from one of at most `soon`, as the model has it. The
        gap is inf if it is not certain; that of a working set is as the model has it.
        """
        features, objective = self._features, self._features.objective
        gap, best, n_lost, n_failed = np.inf, np.inf, 0, 0
        while True:
            if step is None:
                is_stuck = self.n_iter >= self._max_iter or n_lost > _MAX_LOST
                limit = np.inf if is_stuck else limit
                step, product, rough, gap = features.step(coef, self.value, gradient, self._tol, limit)
                if step is None:
                    return coef, gradient, None, np.inf
                if self.has_all and gap <= limit and features.goes_too_far(step):
                    gap = np.inf
                self._record(coef, gradient, gap if self.has_all and gap <= limit else np.inf)
                if gap <= limit:
                    return coef, gradient, step, gap
            else:
                rough = gap
            before = self.value
            objective.remember()
            end = line_search(objective, coef, before, gradient, step)
            if end is None:  # rounding is in the way, or the Hessian misleads
                self.value, gradient = objective.loss_gradient(coef)
                n_failed += 1
                is_mended = n_failed <= _MAX_FAILED and features.mend(step)
                if features.is_fresh and not is_mended:
                    return coef, gradient, step, np.inf if features.goes_too_far(step) else gap
                features.forget()
                step = None
                continue
            self.n_iter, n_failed = self.n_iter + 1, 0
            features.learn(end[0] - coef, end[2] - gradient)
            features.dampen(end[3])
            a = objective.pull(coef + step, gradient + product) if self.has_all and gap <= self._near else None
            coef, self.value, gradient, length = end
            step = None
            if a is not None and length == 1.0:
                reached = relative_gap(objective.dual_gap(coef, self.value, a, objective.divergence()), self.value)
                if reached <= self._tol:
                    self._record(coef, gradient, reached)
                    return coef, gradient, None, reached
            if rough <= soon and self.n_iter < self._max_iter:
                return coef, gradient, None, rough
            lost = rough > _SHORTER * best and self.value > before - rounding(objective, before)
            n_lost, best = n_lost + 1 if lost else 0, min(best, rough)
            if n_lost >= _MAX_LOST:  # the Hessian misleads; if a new one does not help, rounding is in the way
                features.forget()


def _lifted(coef, members, shape):
    """Coefficients of some features among those of all."""
    lifted = np.zeros(shape)
    lifted[:, members] = coef
    return lifted


def _start(objective):
    """The optimum of a subsample, where it pays, or the best intercepts."""
    n_samples, n_features = objective.matrix.shape
    n_sampled = sampled_rows(n_samples, n_features)
    sample = objective.subsample(sample_rows(n_samples, n_sampled)) if n_sampled else None
    if sample is not None and sample.loss.weight_sum > 0.0:
        # Nearer than the subsample's optimum is to that of all rows is not worth a step.
        return solve(sample, tol=0.1 * objective.n_coef / n_sampled, max_iter=_MAX_SAMPLE_STEPS).coef
    return objective.without_features()


def solve(objective, start=None, *, tol, max_iter, callback=None, steering=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`. The penalty must be an L1 one.

    `steering` is what the result of a fit over the same X, under a stronger penalty, left. Where that is not much
    stronger, and has a Hessian that is kept, steps begin where that fit ended, and not at `start`: the first one takes
    no pass.
    """
    run, penalty = _Run(objective, tol=tol, max_iter=max_iter, callback=callback), objective.penalty
    if steering is not None and steering.matrix is not objective.matrix:
        steering = None
    is_near = steering is not None and steering.objective.penalty.l1 <= _NEAR * penalty.l1
    features = steering and steering.with_penalty(penalty)
    if is_near and (steering.keeps_hessian or start is None):
        run.go_on(features)
    else:
        run.begin(_start(objective) if start is None else start, features)
    if run.has_all:
        run.with_all_features()
    else:
        run.with_working_sets()
    outcome = outcome_of(run.gap, run.n_iter, tol, max_iter)
    return SolverResult(run.coef, run.value, run.gap, run.n_iter, outcome, run.history, run.steering())
