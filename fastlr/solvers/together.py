"""L-BFGS for many fits to one X, all steered by the same first guess of the inverse Hessian.

Fits to sets of weights that differ little, as those of folds do, have nearly the same Hessian: with that of one fit
nearby, each step leaves a few per cent of the gradient. All fits go step by step together, so that one pass over X
serves them all; those that are done drop out. A fit that is not steered well is left where it is: a Newton's method
with a Hessian of its own is the better way from there.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.2.
"""

import numpy as np

from ..objectives import relative_gap
from ._quasi_newton import QuasiNewton
from ._result import SolverResult, outcome_of
from ._steps import Promise, descends

_MEMORY = 8
_MAX_STEPS = 20  # beyond, a Hessian of its own costs a fit less
_MAX_HALVINGS = 3


class _Run:
    """One of the fits: where it is, what steers it, and whether it goes on."""

    def __init__(self, place, objective, start, steering, tol, max_steps):
        self.place = place  # of its weights among the sets
        self.objective = objective  # what can be said without X
        self.inverse = QuasiNewton(steering, _MEMORY)
        self.trial = start
        self.coef = None
        self.value = self.gap = np.inf
        self.n_iter = 0
        self.gives_up = False
        self._max_steps = max_steps
        self._n_halvings = 0
        self._tol, self._promise = tol, Promise(tol)

    def arrive(self, value, gradient):
        """Take note of value and gradient at `trial`: go there, or halve the step."""
        if self.coef is None:
            self._go_to(value, gradient)
        elif self._accepts(value, gradient):
            self.inverse.learn(self.trial - self.coef, self.gradient, gradient)
            self.n_iter += 1
            self._go_to(value, gradient)
        else:
            self._n_halvings += 1
            self._step = 0.5 * self._step
        self.gives_up = (
            self.n_iter >= self._max_steps or self._n_halvings > _MAX_HALVINGS or not np.isfinite(self.value)
        )
        self.trial = self.coef + self._step

    def _go_to(self, value, gradient):
        self.coef, self.value, self.gradient = self.trial, value, gradient
        self._step = -self.inverse(gradient)

    def _accepts(self, value, gradient):
        def is_shorter():
            before, after = (float(np.vdot(g, self.inverse.map(g))) for g in (self.gradient, gradient))
            return after < before

        return descends(self.objective, self.value, value, float(np.vdot(self.gradient, self._step)), is_shorter)

    def _rough_gap(self):
        return relative_gap(self.objective.rough_gap(self.gradient), self.value)

    def may_be_done(self):
        """Whether a certificate is likely enough to be worth its pass."""
        return self._promise.is_near(self._rough_gap())

    def certify(self, bound):
        """Take note of a bound on f - f* at `coef`."""
        self.gap = relative_gap(bound, self.value)
        if self.gap > self._tol:
            self._promise.missed(self._rough_gap(), self.gap)


def solve_together(objective, starts, steering, *, tol, max_iter):
    """Minimise objectives that differ in their weights.

    Parameters
    ----------
    objective : WeightSetsObjective
        Its penalties are positive.
    starts : list of float64 array of shape (1, n_features + 1)
        By set.
    steering : callable
        Maps a gradient to an approximate inverse Hessian, of any of the objectives, times it.
    tol : float
        Certified relative gap to reach.
    max_iter : int
        Steps at most; a fit that takes 20 is given up as well.

    Returns
    -------
    list of SolverResult
        Not all need have converged: fits that `steering` does not suit are given up early.
    """
    most = min(max_iter, _MAX_STEPS)
    fits = enumerate(zip(objective.of_sets, starts, strict=True))
    runs = [_Run(place, *fit, steering, tol, most) for place, fit in fits]
    going = runs
    while going:
        ends = objective.loss_gradients([run.place for run in going], [run.trial for run in going])
        for run, end in zip(going, ends, strict=True):
            run.arrive(*end)
        near = [run for run in going if run.may_be_done()]
        if near:
            lists = zip(*((run.place, run.coef, run.gradient) for run in near), strict=True)
            for run, bound in zip(near, objective.gap_bounds(*map(list, lists)), strict=True):
                run.certify(bound)
        going = [run for run in going if not (run.gives_up or run.gap <= tol)]
    return [
        SolverResult(run.coef, run.value, run.gap, run.n_iter, outcome_of(run.gap, run.n_iter, tol, most))
        for run in runs
    ]
