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
_LEFT = 0.01  # of the gap after a step, at least; columns asked for in vain cost less than a pass of their own


class _Run:
    """One of the fits: where it is, what steers it, and whether it goes on."""

    def __init__(self, place, objective, start, steering, tol, max_steps):
        self.place = place  # of its weights among the sets
        self.objective = objective  # what can be said without X
        self.inverse = QuasiNewton(steering, _MEMORY)
        self.trial = start
        self.coef = None
        self.value = self.gap = self._rough = np.inf
        self.n_iter = 0
        self.gives_up = self.lacks_column = False
        self._max_steps = max_steps
        self._n_halvings = 0
        self._tol, self._promise = tol, Promise(tol)

    def promises(self):
        """Whether a certificate is likely at `trial`, so that a column should be there for it."""
        return self.objective.fit_intercept and self._promise.is_near(_LEFT * self._rough)

    def arrive(self, value, gradient, column):
        """Take note of value, gradient and, if known, the Hessian's last column at `trial`: stay, or halve the step."""
        if self.coef is None:
            self._go_to(value, gradient, column)
        elif self._accepts(value, gradient):
            self.inverse.learn(self.trial - self.coef, self.gradient, gradient)
            self.n_iter += 1
            self._go_to(value, gradient, column)
        else:
            self._n_halvings += 1
            self._step = 0.5 * self._step
        self.gives_up = (
            self.n_iter >= self._max_steps or self._n_halvings > _MAX_HALVINGS or not np.isfinite(self.value)
        )

    def _go_to(self, value, gradient, column):
        self.coef, self.value, self.gradient = self.trial, value, gradient
        self._rough = relative_gap(self.objective.rough_gap(gradient), value)
        if self._promise.is_near(self._rough):
            self.lacks_column = self.objective.fit_intercept and column is None
            if not self.lacks_column:
                self.certify(column)
        self._step = None

    def certify(self, column):
        """Bound f - f* at `coef`, by the last column of the Hessian there."""
        self.lacks_column = False
        self.gap = relative_gap(self.objective.gap_bound(self.gradient, column), self.value)
        if self.gap > self._tol:
            self._promise.missed(self._rough, self.gap)

    def aim(self):
        """Where to go next, in `trial`."""
        if self._step is None:
            self._step = -self.inverse(self.gradient)
        self.trial = self.coef + self._step

    def _accepts(self, value, gradient):
        def is_shorter():
            before, after = (float(np.vdot(g, self.inverse.map(g))) for g in (self.gradient, gradient))
            return after < before

        return descends(self.objective, self.value, value, float(np.vdot(self.gradient, self._step)), is_shorter)


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
    results : list of SolverResult
        Not all need have converged: fits that `steering` does not suit are given up early.
    gradients : list of float64 array of shape (1, n_features + 1)
        Where they ended.
    """
    most = min(max_iter, _MAX_STEPS)
    fits = enumerate(zip(objective.of_sets, starts, strict=True))
    runs = [_Run(place, *fit, steering, tol, most) for place, fit in fits]
    going = runs

    def evaluate(runs, coefs, *, with_columns):
        ends = objective.loss_gradients([run.place for run in runs], coefs, with_columns=with_columns)
        return zip(runs, ends, strict=True)

    while going:
        with_columns = any(run.promises() for run in going)
        for run, end in evaluate(going, [run.trial for run in going], with_columns=with_columns):
            run.arrive(*end)
        near = [run for run in going if run.lacks_column]
        if near:
            for run, (_, _, column) in evaluate(near, [run.coef for run in near], with_columns=True):
                run.certify(column)
        going = [run for run in going if not (run.gives_up or run.gap <= tol)]
        for run in going:
            run.aim()
    results = [
        SolverResult(run.coef, run.value, run.gap, run.n_iter, outcome_of(run.gap, run.n_iter, tol, most))
        for run in runs
    ]
    return results, [run.gradient for run in runs]
