"""L-BFGS on top of a preconditioner, for many classes.

A step costs one pass, which gives the loss and the gradient where it ends. The first guess of the inverse Hessian is
the objective's preconditioner, which knows the scales of the features and how they are correlated; it is formed anew
as the loss falls, and the pairs of L-BFGS, which belong to the old one, are dropped.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.2.
"""

import numpy as np

from ..objective import relative_gap
from ._quasi_newton import QuasiNewton
from ._result import SolverResult

_MEMORY = 30
_ARMIJO = 1e-4
_MAX_HALVINGS = 20
_MAX_LOST = 10
_REFRESH = 0.7  # share of the objective that is left when the preconditioner is formed anew
_STEPS_PER_ITERATION = 10  # such steps count as one of Newton's


def _gap(objective, value, gradient, length2, tol):
    """Certified relative gap; extra passes are spent on it only where it may come out within `tol`.

    Without a penalty: the length of the gradient as the model of the inverse Hessian measures it, an estimate.
    """
    if not gradient.any():
        return 0.0
    if not objective.l2:
        return relative_gap(length2, value)
    rough = relative_gap(objective.rough_gap(gradient), value)
    return relative_gap(objective.gap_bound(gradient), value) if rough <= tol else np.inf


def _step(objective, coef, value, gradient, direction):
    """Evaluate the end of a safeguarded step; None when none makes the objective smaller.

    Returns
    -------
    (step, value, gradient) or None
    """
    slope = float(gradient @ direction)
    if not slope < 0.0:
        return None
    noise = 4.0 * np.finfo(objective.design.dtype).eps * abs(value)
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        step = length * direction
        new_value, new_gradient = objective.loss_gradient(coef + step)
        lost_in_rounding = new_value <= value + noise and new_gradient @ new_gradient < gradient @ gradient
        if new_value <= value + _ARMIJO * length * slope or lost_in_rounding:
            return step, new_value, new_gradient
        length *= 0.5
    return None


def solve(objective, start=None, *, tol, max_iter, callback=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`, but ten steps count as one."""
    coef = np.zeros(objective.n_coef) if start is None else start
    value, gradient = objective.loss_gradient(coef)
    if start is not None and not value <= objective.value_at_zero:  # a start that misleads
        coef = np.zeros(objective.n_coef)
        value, gradient = objective.loss_gradient(coef)
    model, formed_at, n_since = QuasiNewton(objective.preconditioner(), _MEMORY), value, 0
    history = []
    n_steps = n_lost = 0
    shortest = np.inf
    while True:
        direction = -model(gradient)
        gap = _gap(objective, value, gradient, -float(gradient @ direction), tol)
        record = {
            "iteration": n_steps,
            "value": value,
            "gradient_norm": float(np.linalg.norm(gradient)),
            "gap": gap,
            "n_passes": objective.design.n_passes,
        }
        history.append(record)
        if callback is not None:
            callback(record)
        if gap <= tol or n_steps >= _STEPS_PER_ITERATION * max_iter or n_lost == _MAX_LOST:
            break
        end = _step(objective, coef, value, gradient, direction)
        if end is None:
            if n_since == 0:
                break
            # The model misled: start again from a fresh preconditioner, of where we are.
            value, gradient = objective.loss_gradient(coef)
            model, formed_at, n_since = QuasiNewton(objective.preconditioner(), _MEMORY), value, 0
            continue
        step, new_value, new_gradient = end
        # Where the decrease is lost in rounding, shorter gradients are what shows progress.
        length = float(np.linalg.norm(new_gradient))
        progress = new_value < value - 4.0 * np.finfo(objective.design.dtype).eps * abs(value) or length < 0.9 * shortest
        n_lost = 0 if progress else n_lost + 1
        shortest = min(shortest, length)
        n_steps += 1
        n_since += 1
        if new_value < _REFRESH * formed_at and n_since >= objective.preconditioner_cost:
            model, formed_at, n_since = QuasiNewton(objective.preconditioner(), _MEMORY), new_value, 0
        else:
            model.learn(step, new_gradient - gradient)
        coef, value, gradient = coef + step, new_value, new_gradient
    return SolverResult(coef, value, gap, n_steps, gap <= tol, history)
