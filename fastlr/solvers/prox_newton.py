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

import copy
import logging

import numpy as np
from scipy.linalg.blas import dger

from ..linalg.factor import ScaledCholesky
from ..objectives import relative_gap
from ..objectives.base import hessian_cost
from ..runtime.blocks import sample_rows
from ._result import SolverResult, add_record, outcome_of
from ._steps import ARMIJO, first_evaluation, rounding
from .newton_cholesky import sampled_rows

NEEDS = ("an L1 penalty",)

_ALL_COEFFICIENTS = 300  # up to here there is no working set
_FEWEST, _FEWEST_SPARSE = 64, 256  # coefficients of a working set
_FEWEST_OF_CLASSES = 100  # in a model of many classes
_GROWTH, _GROWTH_OF_CLASSES = 2.0, 1.5  # of what is not zero, at most
_MAX_HALVINGS = 30
_MAX_SAMPLE_STEPS = 20
_MAX_LOST = 3  # steps in a row whose effect was lost in rounding
_SHORTER = 0.5  # a gap this much smaller than the smallest so far is progress
_FACES = 20  # changes of signs that one model may take
_SLACK = 5  # features of the support for each that is in the working set unwanted
_LARGEST_MODEL = 6_000  # coefficients: its Hessian takes 0.3 GB, and some copies
_SOON = 0.05  # a gap so small that a step from it is the last before other features are looked at
_FLAT = 1e-10
_NEARER = 0.5  # of the gap of a step, the one that a correction must leave
_KEPT_CONTRACTION = 0.25  # of the gap, what a step with a Hessian from elsewhere may leave
_NEAR = 2.0  # times a penalty, another from whose optimum a step of the model arrives well
_CHEAP = 30_000_000  # multiply-adds: a Hessian that takes no more is not kept
_COARSE, _SHARE = 0.1, 0.1  # gap of the first working set, and of others in gaps of the whole problem
_SWEEPS = 3  # of coordinate descent, before the equations of what is not zero are tried
_EXACT = 1e-12  # of the largest threshold: the model is solved to rounding,
_ROUNDING = 1e-14  # which is that of its terms


_logger = logging.getLogger("fastlr")


class _Model:
    """Quadratic model of the smooth part at some coefficients, plus the penalty, the intercepts at their best.

    All is in one dimension; `is_intercept` says where intercepts are.
    """

    def __init__(self, penalty, hessian, coefs, gradient, is_intercept):
        self._w, self._b = np.flatnonzero(~is_intercept), np.flatnonzero(is_intercept)
        inner = hessian[np.ix_(self._b, self._b)]
        # Equal shifts of all intercepts change nothing; taken out of the matrix, it can be inverted.
        self._inner = ScaledCholesky(inner + inner.trace() / len(inner) * (len(inner) > 1))
        self._across = hessian[np.ix_(self._b, self._w)]
        self._of_w = self._inner.solve(self._across)
        self._of_gradient = self._inner.solve(gradient[self._b])
        self._H = hessian[np.ix_(self._w, self._w)] - self._across.T @ self._of_w
        self._start = coefs[self._w]
        self._threshold = np.full(len(self._w), penalty.l1)
        self._v = self._start.copy()
        self._q = gradient[self._w] - self._across.T @ self._of_gradient

    def minimise(self):
        """Where the model is smallest, but for rounding: a step from the coefficients."""
        from ..kernels.coordinates import descend  # here, because all solvers are imported where a small fit is made

        terms = self._H.diagonal() * np.abs(self._v) + np.abs(self._q)
        tol = max(_EXACT * self._threshold.max(initial=0.0), _ROUNDING * terms.max(initial=0.0))
        for _ in range(_FACES):
            descend(self._H, self._threshold, self._v, self._q, _SWEEPS, tol)
            if self._solve_face() and self._violation() <= tol:
                break
        step = np.empty(self._start.size + len(self._b))
        step[self._w] = change = self._v - self._start
        step[self._b] = -self._of_gradient - self._of_w @ change
        return step

    def _solve_face(self):
        """Solve the equations of what is not zero; False where a coefficient became zero on the way."""
        face = np.flatnonzero(self._v)
        v = self._v[face]
        sides = self._q[face] + self._threshold[face] * np.sign(v)
        step = -ScaledCholesky(self._H[np.ix_(face, face)]).solve(sides) if face.size else v
        lengths = np.full(len(v), np.inf)
        crossing = (v + step) * v <= 0.0
        lengths[crossing] = -v[crossing] / step[crossing]
        length = min(1.0, lengths.min(initial=np.inf))
        self._v[face] = np.where(lengths <= length, 0.0, v + length * step)
        self._q += self._H[:, face] @ (self._v[face] - v)
        return not crossing.any()

    def _violation(self):
        """How far the gradient of the model is from a subgradient of the penalty, at most."""
        slope = np.abs(self._q + self._threshold * np.sign(self._v))
        return float(np.where(self._v == 0.0, np.abs(self._q) - self._threshold, slope).max(initial=0.0))


class _Features:
    """Some of the features, or all, the objective over them, and a Hessian there that is kept while it steers well."""

    def __init__(self, objective, places):
        n_features = objective.matrix.shape[1]
        self.matrix = objective.matrix  # of all features
        self.members = np.append(places, n_features)  # and intercepts
        self.is_whole = len(places) == n_features
        self.objective = objective if self.is_whole else objective.columns(places)
        self.end = None  # of a fit: coefficients, value and gradient where the objective was evaluated last
        self._places = self._hessian = None  # coefficients that the model has, and its matrix
        self._debt = 0.0  # passes since it was formed that a new one might have spared
        self.is_fresh = False  # whether it is that of where the last step began
        self._last = np.inf  # gap of the last step, as the model had it

    def with_penalty(self, penalty):
        """The same features, Hessian and end under another penalty."""
        other, before = copy.copy(self), self.objective.penalty
        other.objective = self.objective.with_penalty(penalty)
        change = penalty.diagonal - before.diagonal
        coef, value, gradient = self.end
        W, gradient = coef[:, :-1], gradient.copy()
        gradient[:, :-1] += change * W
        other.end = coef, value - before.value(W) + penalty.value(W), gradient
        if self._hessian is not None:
            other._hessian = self._hessian.copy()
            other._hessian.flat[:: len(self._hessian) + 1] += change * ~self._is_intercept(self._places)
        other._last = np.inf
        return other

    def forget(self):
        """Have the Hessian formed anew at the next step."""
        self._hessian = None

    def _is_intercept(self, places):
        width = self.objective.shape[1]
        return places % width == width - 1

    def _wanted(self, coef, gradient):
        """Coefficients, as indices of `coef.ravel()`, that the model needs, and those it is to have: of few all."""
        n_rows, width = self.objective.shape
        if n_rows == 1 or coef.size <= _ALL_COEFFICIENTS:
            return (np.arange(coef.size),) * 2
        W, l1 = coef[:, :-1].reshape(1, -1), self.objective.penalty.l1
        a = (gradient[:, :-1] - self.objective.penalty.gradient(coef[:, :-1])).reshape(1, -1)
        needed = np.flatnonzero((W != 0.0) | (np.abs(a) > l1))
        chosen = _working_set(a, W, l1, _FEWEST_OF_CLASSES, _GROWTH_OF_CLASSES)
        intercepts = np.arange(1, n_rows + 1) * width - 1
        return tuple(np.union1d(some + some // (width - 1), intercepts) for some in (needed, chosen))

    def step(self, coef, value, gradient, limit):
        """The step that minimises the model, and what it says of the gap.

        Returns
        -------
        step : float64 array of the shape of `coef`, or None where there is no Hessian
        rough : float
            The gap as the model has it.
        gap : float
            A bound, of steps that are not too long; inf where that would cost a product and promises no more than
            `limit`.
        """
        needed, wanted = self._wanted(coef, gradient)
        is_kept = self._is_worth_keeping(needed)
        if is_kept:
            step, rough = self._model_step(coef, value, gradient)
            is_kept = rough <= _KEPT_CONTRACTION * self._last
            self._debt += 1.0  # what a step costs; with a new Hessian one may have done
        self.is_fresh = not is_kept
        if self.is_fresh:
            self._places, self._hessian, self._debt = wanted, self._form(wanted), 0.0
            if not np.isfinite(self._hessian).all():
                self.forget()
                return None, np.inf, np.inf
            step, rough = self._model_step(coef, value, gradient)
        self._last, gap = rough, np.inf
        if self.is_fresh and step.size == len(self._places):
            gap = rough
        elif rough <= limit:
            step, gap = self._refined(coef, value, gradient, step, limit)
        return step, rough, gap

    def goes_too_far(self, step):
        """Whether the dual point of a step may not be one; along a path most often known without reading X."""
        objective = self.objective
        return not (self.end and objective.reach(step) <= 1.0) and objective.overshoot(step) > 1.0

    def _is_worth_keeping(self, needed):
        """Whether the Hessian at hand has what the model needs, and has not cost as much as a new one yet."""
        n_samples = self.objective.matrix.shape[0]
        is_dear = self._hessian is not None and n_samples * len(self._hessian) ** 2 >= _CHEAP
        return (
            is_dear and np.isin(needed, self._places).all() and self._debt < hessian_cost(n_samples, len(self._hessian))
        )

    def _refined(self, coef, value, gradient, step, limit):
        """The step corrected by products with the Hessian that is that of `coef`, and the gap, a bound."""
        objective, gap = self.objective, np.inf
        product = objective.hessian_product(step)
        self.learn(step, product)
        while True:
            before, gap = gap, relative_gap(objective.step_gap(coef, value, gradient, step, product), value)
            if gap <= limit or not gap <= _NEARER * before:
                return step, gap
            more, _ = self._model_step(coef + step, value, gradient + product)
            change = objective.hessian_product(more)
            self._debt += 1.0
            self.learn(more, change)
            step, product = step + more, product + change

    def learn(self, step, change):
        """Correct the Hessian by what a step changes the gradient: Broyden, Fletcher, Goldfarb and Shanno's formula."""
        s, y = step.ravel()[self._places], change.ravel()[self._places]
        Bs = self._hessian @ s
        curvature, length2 = float(s @ y), float(s @ Bs)
        if curvature > _FLAT * np.sqrt((s @ s) * (y @ y)) and length2 > 0.0:
            # In place: the transpose is the matrix, in BLAS's order.
            dger(1.0 / curvature, y, y, a=self._hessian.T, overwrite_a=1)
            dger(-1.0 / length2, Bs, Bs, a=self._hessian.T, overwrite_a=1)

    def _form(self, places):
        objective = self.objective
        return objective.hessian() if len(places) == objective.n_coef else objective.hessian(places)

    def _model_step(self, coef, value, gradient):
        objective, places = self.objective, self._places
        at = coef.ravel()[places], gradient.ravel()[places], self._is_intercept(places)
        part = _Model(objective.penalty, self._hessian, *at).minimise()
        step, product = np.zeros((2, *coef.shape))
        step.flat[places], product.flat[places] = part, self._hessian @ part
        return step, relative_gap(objective.step_gap(coef, value, gradient, step, product), value)


class _Run:
    """Where a fit is, and what it has cost."""

    def __init__(self, objective, *, tol, max_iter, callback):
        self.objective, self.gap = objective, np.inf
        self._features = None
        self._tol, self._max_iter, self._callback = tol, max_iter, callback
        self.n_iter, self.history = 0, []

    def begin(self, start):
        """Begin at coefficients."""
        self.coef, self.value, self._gradient = first_evaluation(self.objective, start)

    def go_on(self, features, start):
        """Begin with some of the features: at `start`, or without one where the fit with them ended."""
        self._features, members = features, features.members
        coef, self.value, gradient = features.end
        if start is not None:
            coef = start[:, members]
            self.value, gradient = features.objective.loss_gradient(coef)
        self.coef = _lifted(coef, members, self.objective.shape)
        self._gradient = _lifted(gradient, members, self.objective.shape)

    def steering(self):
        """What a fit with other strengths of the penalty may go on with."""
        if self.gap == np.inf:
            return None
        members = self._features.members
        self._features.end = self.coef[:, members], self.value, self._gradient[:, members]
        return self._features

    def _record(self, gradient, gap):
        if self.history and self.history[-1]["iteration"] == self.n_iter:
            self.history.pop()  # where more is known now
        passes = self.objective.n_passes
        add_record(self.history, self._callback, self.n_iter, self.value, np.linalg.norm(gradient), gap, passes)

    def with_all_features(self):
        """One model of all features after the other."""
        if self._features is None:
            self._features = _Features(self.objective, np.arange(self.objective.matrix.shape[1]))
        self.coef, self._gradient, _, self.gap = self._descend(self.coef, self._gradient, self._tol)

    def with_working_sets(self):
        """Optima of working sets, until no other feature is wanted."""
        objective, penalty = self.objective, self.objective.penalty
        step, chosen_at, is_last = None, 0, False
        a, swept_at = (None, -1) if self._features else (self._pull(), 0)
        while True:
            if a is not None and not _holds(self._features, a, penalty.l1, self._tol):
                # Without a step since the last choice, what was chosen stays, or the same might be asked for in turns.
                kept = self._features.members[:-1] if self._features and self.n_iter == chosen_at else ()
                if not self._choose(a, kept):
                    return
                step, chosen_at, is_last = None, self.n_iter, False
            inner = max(_SHARE * self._tol, min(_COARSE, _SHARE * self.gap))
            members = self._features.members
            soon = 0.0 if is_last else _SOON
            coef, _, step, gap = self._descend(self.coef[:, members], self._gradient[:, members], inner, step, soon)
            if self.n_iter > swept_at:
                self.coef, swept_at = _lifted(coef, members, objective.shape), self.n_iter
                self.value, self._gradient = objective.loss_gradient(self.coef)
            if gap == np.inf:
                return
            if step is None:  # first of all, whether other features are wanted
                a, is_last = self._pull(), True
                continue
            whole = _lifted(step, members, objective.shape)
            product = objective.hessian_product(whole)
            a = self._pull() + product[:, :-1] - penalty.gradient(whole[:, :-1])
            bound = objective.step_gap(self.coef, self.value, self._gradient, whole, product)
            self.gap = relative_gap(bound, self.value)
            self._record(self._gradient, self.gap)
            if self.gap <= self._tol or self.n_iter >= self._max_iter:
                return

    def _pull(self):
        """Gradient of the loss with respect to the features."""
        return self._gradient[:, :-1] - self.objective.penalty.gradient(self.coef[:, :-1])

    def _choose(self, a, kept):
        """Make a working set of the features that are wanted and those that are kept; False where it is too large."""
        objective = self.objective
        fewest = (_FEWEST_SPARSE if objective.matrix.is_sparse else _FEWEST) // objective.shape[0] + 1
        places = np.union1d(_working_set(a, self.coef[:, :-1], objective.penalty.l1, fewest, _GROWTH), kept).astype(
            np.int64
        )
        if len(places) * objective.shape[0] > _LARGEST_MODEL:
            _logger.info("prox_newton: a working set of %d features is too large", len(places))
            return False
        self._features = _Features(objective, places)
        # The passes over its columns are to know where they are.
        self.value, _ = self._features.objective.loss_gradient(self.coef[:, self._features.members])
        return True

    def _descend(self, coef, gradient, tol, step=None, soon=0.0):
        """Newton's method with some features; where it ends, the gradient and the step there, and the gap.

        `gradient` is that at `coef`, where the objective was evaluated last, and a step that is given is that from
        there. After a step from a gap of at most `soon`, which leaves about its square, no other is looked for. The gap
        is inf if it is not certain.
        """
        features, objective = self._features, self._features.objective
        first, gap, best, n_lost = self.n_iter, np.inf, np.inf, 0
        while True:
            if step is None:
                limit = np.inf if self.n_iter >= self._max_iter else tol if self.n_iter > first else self._tol
                step, rough, gap = features.step(coef, self.value, gradient, limit)
                if step is None:
                    return coef, gradient, None, np.inf
                if gap <= limit and features.goes_too_far(step):
                    gap = np.inf
                self._record(gradient, gap if gap <= limit and features.is_whole else np.inf)
                if gap <= limit:
                    return coef, gradient, step, gap
            else:
                rough = gap
            before = self.value
            end = _line_search(objective, coef, before, gradient, step)
            if end is None or n_lost == _MAX_LOST:  # rounding is in the way, or the Hessian misleads
                self.value, gradient = objective.loss_gradient(coef)
                if features.is_fresh:
                    return coef, gradient, step, np.inf if features.goes_too_far(step) else gap
                features.forget()
                step, n_lost = None, 0
                continue
            self.n_iter += 1
            features.learn(end[0] - coef, end[2] - gradient)
            coef, self.value, gradient = end
            step = None
            if gap <= soon and self.n_iter < self._max_iter:
                return coef, gradient, None, gap
            lost = rough > _SHORTER * best and self.value > before - rounding(objective, before)
            n_lost, best = n_lost + 1 if lost else 0, min(best, rough)


def _holds(features, a, l1, tol):
    """Whether all features that are wanted are among those at hand, if there are any."""
    if features is None:
        return False
    others = np.abs(a).max(axis=0)
    others[features.members[:-1]] = 0.0
    return others.max(initial=0.0) <= l1 * (1.0 + tol)


def _working_set(a, W, l1, fewest, growth):
    """Features to be looked at: those that are not zero, and of all other the ones with the largest |a|."""
    support = np.flatnonzero(W.any(axis=0))
    pull = np.abs(a).max(axis=0)
    pull[support] = np.inf
    n_wanted = np.count_nonzero(pull > l1)  # with those of the support
    size = min(a.shape[1], max(fewest, min(int(growth * support.size), n_wanted + support.size // _SLACK)))
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


def solve(objective, start=None, *, tol, max_iter, callback=None, steering=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`. The penalty must be an L1 one.

    `steering` is what the result of a fit over the same X, under a stronger penalty, left. Where that is not much
    stronger, steps begin where that fit ended, and not at `start`: the first one, by its Hessian, leads nearer.
    """
    run, penalty = _Run(objective, tol=tol, max_iter=max_iter, callback=callback), objective.penalty
    if steering is not None and steering.matrix is not objective.matrix:
        steering = None
    if steering and steering.objective.penalty.l1 <= _NEAR * penalty.l1:
        run.go_on(steering.with_penalty(penalty), None)
    elif steering and start is not None and not np.delete(start, steering.members, axis=1).any():
        run.go_on(steering.with_penalty(penalty), start)
    else:
        run.begin(_start(objective) if start is None else start)
    if objective.matrix.shape[1] < _ALL_COEFFICIENTS:
        run.with_all_features()
    else:
        run.with_working_sets()
    outcome = outcome_of(run.gap, run.n_iter, tol, max_iter)
    return SolverResult(run.coef, run.value, run.gap, run.n_iter, outcome, run.history, run.steering())
