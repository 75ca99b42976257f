"""Truncated Newton's method with conjugate gradients, where both n_samples and n_features are large, or X is sparse.

A product with the Hessian is one pass over X, and so is a step: the raw predictions are linear along it, so the line
search needs none. Conjugate gradients are preconditioned with the diagonal of the Hessian of centred columns, formed
anew for each step, so that raw counts and columns of any scale are no harder than standardised ones.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.1 (Newton-CG and its forcing sequence).
"""

import numpy as np

from ._result import SolverResult, add_record
from ._steps import Certificate, Progress, first_evaluation, safeguarded_step

_MAX_CG = 200
_MAX_LOST = 3


def _conjugate_gradients(objective, gradient, precondition, accuracy):
    """Approximate Newton direction -H^-1 g: the residual's preconditioned norm falls to `accuracy` of its start."""
    direction = np.zeros_like(gradient)
    residual = -gradient
    z = precondition(residual)
    conjugate = z.copy()
    squared = start = float(residual @ z)
    for _ in range(_MAX_CG):
        if not squared > accuracy**2 * start:
            break
        product = objective.hessian_product(conjugate)
        curvature = float(conjugate @ product)
        if not curvature > 0.0:
            break
        length = squared / curvature
        direction += length * conjugate
        residual -= length * product
        z = precondition(residual)
        squared, before = float(residual @ z), squared
        conjugate = z + (squared / before) * conjugate
    return direction if direction.any() else -precondition(gradient)


def solve(objective, start=None, *, tol, max_iter, callback=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`."""
    coef, value, gradient = first_evaluation(objective, start)
    certificate, progress = Certificate(objective, tol), Progress(objective)
    first = None
    decrement = np.inf  # of the last step, with which conjugate gradients estimate f - f* where it ended
    history = []
    n_iter = 0
    while True:
        gap, reached = certificate(value, gradient, 2.0 * decrement)
        add_record(history, callback, n_iter, value, np.linalg.norm(gradient), gap, objective.design.n_passes)
        if reached or n_iter >= max_iter or progress.n_lost == _MAX_LOST:
            break
        precondition = objective.preconditioner()
        size = np.sqrt(gradient @ precondition(gradient))
        first = first or size
        direction = _conjugate_gradients(objective, gradient, precondition, min(0.25, np.sqrt(size / first)))
        decrement = -float(gradient @ direction)
        end = safeguarded_step(objective, coef, value, gradient, direction)
        if end is None:
            break
        step, new_value, new_gradient = end
        progress.note(value, new_value, new_gradient)
        coef, value, gradient = coef + step, new_value, new_gradient
        n_iter += 1
    return SolverResult(coef, value, gap, n_iter, reached, history)
