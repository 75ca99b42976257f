"""Truncated Newton's method with conjugate gradients, where both n_samples and n_features are large, or X is sparse.

A product with the Hessian is one pass over X, and so is a step: the raw predictions are linear along it, so the line
search needs none. Conjugate gradients are preconditioned with the diagonal of the Hessian of centred columns, formed
anew for each step, so that raw counts and columns of any scale are no harder than standardised ones.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.1 (Newton-CG and its forcing sequence).
"""

import numpy as np

from ._conjugate_gradients import newton_direction
from ._result import SolverResult, add_record, outcome_of
from ._steps import Progress, certificate_for, evaluated, first_evaluation, safeguarded_step

NEEDS = ()

_MAX_LOST = 3


class _Truncated:
    """Newton directions, the more exact the nearer to the optimum (7.1: the forcing sequence)."""

    def __init__(self, objective, last_pass):
        self._objective = objective
        self._last_pass = last_pass
        self._first = None
        self._precondition, self._formed_at = None, -np.inf  # the latter in passes

    def __call__(self, gradient):
        # One serves until passes with it have cost as much as another one would.
        if self._objective.n_passes - self._formed_at >= self._objective.preconditioner_cost(floor=0.0):
            self._precondition = self._objective.preconditioner(floor=0.0)
            self._formed_at = self._objective.n_passes
        precondition = self._precondition
        start = float(np.vdot(gradient, precondition(gradient)))
        self._first = self._first or start or 1.0
        accuracy = min(0.25, (start / self._first) ** 0.25)

        def is_enough(squared, _):
            return squared <= accuracy**2 * start or self._objective.n_passes >= self._last_pass

        return newton_direction(self._objective, gradient, precondition, is_enough)


def solve(objective, start=None, *, tol, max_iter, callback=None, max_passes=np.inf):
    """Minimise an objective, with at most about so many passes over X; otherwise as `newton_cholesky.solve`."""
    last_pass = objective.n_passes + max_passes
    coef, value, gradient = evaluated(first_evaluation(objective, start), objective)
    certificate, progress = certificate_for(objective, tol), Progress(objective)
    truncated = _Truncated(objective, last_pass)
    history = []
    n_iter = 0
    while True:
        # Without a penalty the certificate needs the step that a penalty may spare.
        direction = None if objective.penalty else truncated(gradient)
        gap, reached, direction = certificate(value, gradient, direction)
        add_record(history, callback, n_iter, value, np.linalg.norm(gradient), gap, objective.n_passes)
        ended = n_iter >= max_iter or objective.n_passes >= last_pass or objective.shows_separation(value)
        if reached or ended or progress.n_lost == _MAX_LOST:
            break
        if direction is None:
            direction = truncated(gradient)
        end = evaluated(safeguarded_step(objective, coef, value, gradient, direction), objective)
        if end is None:
            break
        step, new_value, new_gradient = end
        progress.note(value, new_value, new_gradient)
        coef, value, gradient = coef + step, new_value, new_gradient
        n_iter += 1
    return SolverResult(coef, value, gap, n_iter, outcome_of(gap, n_iter, tol, max_iter), history)
