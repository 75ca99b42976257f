"""Newton's method for many fits to one X with penalties that bend at zero, each with a Hessian of its own.

They make the steps of `prox_newton`, with all features in the model, and one pass over X serves the steps of all: it
accepts them, and certifies where they end. A Hessian is kept, along a path of penalties as well, and corrected by what
steps show, until a new one is likely to cost less. A fit whose steps do not go well is left where it is.
"""

from functools import partial

import numpy as np

from ..objectives import relative_gap
from ._l1_features import correct
from ._l1_models import HessianModel, violation
from ._result import SolverResult, outcome_of
from ._steps import ARMIJO, slope_along

_MAX_STEPS = 30
_MAX_HALVINGS = 3
_ROUNDING = 1e-13  # of values from passes that add up in different orders
_STEP_COST = 1.5  # of a step of one fit among others, with its model, in passes
_EXACT = 1e-12  # of the threshold: a gradient that is rounding
_NO_ROWS = np.empty((1, 0), np.int64)


class Run:
    """One of the fits, along a path of penalties: where it is, what steers it, and whether it goes on.

    Parameters
    ----------
    place : int
        Of its weights among the sets.
    coef : float64 array of shape (1, n_features + 1)
        Where it starts.
    penalty : ElasticNet
        The first.
    value, gradient : float and float64 array of shape (1, n_features + 1)
        Of the objective there.
    """

    def __init__(self, place, coef, penalty, value, gradient):
        self.place, self.coef, self.value, self.gradient = place, coef, value, gradient
        self._steers_well = self._is_fresh = False
        self._penalty, self._hessian = penalty, None
        self._debt = 0  # steps with it that a new one might have spared
        self._is_intercept = np.arange(coef.size) == coef.size - 1

    def begin(self, penalty):
        """Begin a fit with another penalty."""
        W, before, self._penalty = self.coef[:, :-1], self._penalty, penalty
        self.value += penalty.value(W) - before.value(W)
        self.gradient[:, :-1] += penalty.gradient(W) - before.gradient(W)
        self.gap, self.n_iter, self._n_halvings = np.inf, 0, 0
        self.gives_up = not np.isfinite(self.value)

    def set_out(self, hessian):
        """Find where the next step is to end: at the minimum of a model, or half way of the last.

        `hessian` gives that of the mean loss at coefficients.
        """
        if self._n_halvings:
            self._step = 0.5 * self._step
        elif self._violation() <= _EXACT * self._penalty.l1:
            self._step = np.zeros_like(self.coef)
        else:
            if not self._steers_well:
                self._hessian, self._debt = hessian(self.coef), 0
                self._steers_well = self._is_fresh = True
            matrix = self._hessian.copy()
            matrix.flat[: -1 : len(matrix) + 1] += self._penalty.diagonal
            at = self.coef[0], self.gradient[0], self._is_intercept, _NO_ROWS
            self._step = HessianModel(self._penalty, matrix, *at).minimise()[None]
        self.end = self.coef + self._step

    def arrive(self, value, gradient, bound, tol, cost):
        """Take note of what is at `end`: go there, or have a kept Hessian formed anew, or the step halved.

        Parameters
        ----------
        value, gradient, bound
            See `WeightSetsObjective.steps`.
        tol : float
            Certified relative gap to reach.
        cost : float
            Of a Hessian, in steps.
        """
        slope = slope_along(self._penalty, self.coef, self.gradient, self._step)
        if value <= self.value + ARMIJO * slope + _ROUNDING * abs(self.value):
            change, before = gradient - self.gradient, self._violation()
            self.coef, self.value, self.gradient, self.gap = self.end, value, gradient, relative_gap(bound, value)
            if self._step.any():
                change[:, :-1] -= self._penalty.gradient(self._step[:, :-1])
                correct(self._hessian, self._step[0], change[0])
                self.n_iter, self._n_halvings, self._is_fresh = self.n_iter + 1, 0, False
                # A gradient that leaves a share of the threshold makes a gap of that share. As many steps with this
                # Hessian as a new one costs would arrive there, and it has not taken as many already.
                after, enough = self._violation(), tol * self._penalty.l1
                self._debt += self.gap > tol
                arrives = after ** (1.0 + cost) <= enough * before**cost
                self._steers_well = arrives and self._debt < cost
        elif self._is_fresh:
            self._n_halvings += 1
        else:
            self._steers_well = False
        self.gives_up = self._n_halvings > _MAX_HALVINGS or not self._step.any()

    def _violation(self):
        v, q = self.coef[0, :-1], self.gradient[0]
        return max(violation(v, q[:-1], np.full(v.size, self._penalty.l1)), abs(q[-1]))

    def result(self, tol, max_iter):
        """How the fit ended."""
        outcome = outcome_of(self.gap, self.n_iter, tol, max_iter)
        return SolverResult(self.coef, self.value, self.gap, self.n_iter, outcome)


def begin(objective, coefs):
    """Fits that begin at coefficients, by set: one pass; `objective` as of `solve_together`."""
    sets, unknown = range(len(coefs)), [np.zeros_like(coef) for coef in coefs]
    ends = objective.steps(sets, coefs, unknown, coefs)  # which go nowhere: nothing else is to be compiled
    parts = zip(sets, coefs, objective.of_sets, ends, strict=True)
    return [Run(k, coef, part.penalty, value, gradient) for k, coef, part, (value, gradient, _) in parts]


def solve_together(objective, runs, *, tol, max_iter, check):
    """Minimise objectives that differ in their weights.

    Parameters
    ----------
    objective : WeightSetsObjective
        Of `StepSets`, with penalties that bend at zero.
    runs : list of Run
    tol : float
        Certified relative gap to reach.
    max_iter : int
        Steps at most; a fit that takes 30 is given up as well.
    check : callable
        Called before each pass.

    Returns
    -------
    list of SolverResult
        Not all need have converged: fits that a few steps do not bring near are given up.
    """
    most = min(max_iter, _MAX_STEPS)
    cost = 1.0 + objective.matrix.hessian_cost(runs[0].coef.size) / _STEP_COST
    for run in runs:
        run.begin(objective.of_sets[run.place].penalty)
    while True:
        going = [run for run in runs if not (run.gives_up or run.gap <= tol or run.n_iter >= most)]
        if not going:
            return [run.result(tol, most) for run in runs]
        check()
        for run in going:
            run.set_out(partial(objective.hessian, run.place))
        lists = zip(*((run.place, run.coef, run.gradient, run.end) for run in going), strict=True)
        for run, end in zip(going, objective.steps(*map(list, lists)), strict=True):
            run.arrive(*end, tol, cost)
