"""Truncated Newton's method with conjugate gradients, where both n_samples and n_features are large.

A product with the Hessian is one pass over X, and so is a step: the raw predictions are linear along it, so the line
search needs none. Conjugate gradients are preconditioned with the diagonal of the Hessian on a subsample, which makes
columns of any scale equals.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.1 (Newton-CG and its forcing sequence).
"""

import numpy as np

from ..objective import VALUE_AT_ZERO, relative_gap
from ._result import SolverResult
from .newton_cholesky import sample_rows

_SAMPLED_ROWS = 1_024
_MAX_CG = 200
_ARMIJO = 1e-4
_MAX_HALVINGS = 60


def _preconditioner(objective):
    """Diagonal of the Hessian at zero, from a subsample."""
    design = objective.design
    n_samples = design.shape[0]
    X = design.X[sample_rows(n_samples, min(n_samples, _SAMPLED_ROWS))].astype(np.float64)
    diagonal = np.full(objective.n_coef, 0.25)
    diagonal[:-1] = 0.25 * design.scale**2 * np.mean(X * X, axis=0) + objective.l2
    return np.where(diagonal > 0.0, diagonal, 1.0)


def _conjugate_gradients(objective, gradient, diagonal, accuracy):
    """Approximate Newton direction -H^-1 g: the residual's preconditioned norm falls to `accuracy` of its start."""
    direction = np.zeros_like(gradient)
    residual = -gradient
    z = residual / diagonal
    conjugate = z.copy()
    squared = start = float(residual @ z)
    for _ in range(_MAX_CG):
        if squared <= accuracy**2 * start:
            break
        product = objective.hessian_product(conjugate)
        curvature = float(conjugate @ product)
        if not curvature > 0.0:
            break
        length = squared / curvature
        direction += length * conjugate
        residual -= length * product
        z = residual / diagonal
        squared, before = float(residual @ z), squared
        conjugate = z + (squared / before) * conjugate
    return direction if direction.any() else -gradient / diagonal


def _step(objective, coef, value, gradient, direction):
    """Evaluate the end of a safeguarded step along `direction`; None when none makes the objective smaller.

    Returns
    -------
    (coef, value, gradient) or None
    """
    slope = float(gradient @ direction)
    if not slope < 0.0:
        return None
    noise = 4.0 * np.finfo(objective.design.dtype).eps * abs(value)
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        new = coef + length * direction
        new_value, new_gradient = objective.loss_gradient(new)
        lost_in_rounding = new_value <= value + noise and new_gradient @ new_gradient < gradient @ gradient
        if new_value <= value + _ARMIJO * length * slope or lost_in_rounding:
            return new, new_value, new_gradient
        length *= 0.5
    return None


def _gap(objective, value, gradient, decrement, tol):
    """Certified relative gap; an extra pass is spent on it only where it may come out within `tol`.

    Without a penalty: twice the Newton decrement of conjugate gradients, which bounds it up to their accuracy.
    """
    if not gradient.any():
        return 0.0
    if not objective.l2:
        return relative_gap(2.0 * decrement, value)
    rough = relative_gap(float(gradient[:-1] @ gradient[:-1]) / (2.0 * objective.l2), value)
    return relative_gap(objective.gap_bound(gradient), value) if rough <= tol else np.inf


def solve(objective, start=None, *, tol, max_iter, callback=None):
    """Minimise an objective; parameters and result as of `newton_cholesky.solve`."""
    coef = np.zeros(objective.n_coef) if start is None else start
    diagonal = _preconditioner(objective)
    value, gradient = objective.loss_gradient(coef)
    if start is not None and not value <= VALUE_AT_ZERO:  # a start that misleads
        coef = np.zeros(objective.n_coef)
        value, gradient = objective.loss_gradient(coef)
    first = np.sqrt(gradient @ (gradient / diagonal))
    decrement = np.inf
    history = []
    n_iter = n_lost = 0
    while True:
        gap = _gap(objective, value, gradient, decrement, tol)
        record = {
            "iteration": n_iter,
            "value": value,
            "gradient_norm": float(np.linalg.norm(gradient)),
            "gap": gap,
            "n_passes": objective.design.n_passes,
        }
        history.append(record)
        if callback is not None:
            callback(record)
        if gap <= tol or n_iter >= max_iter or n_lost == 3:
            break
        size = np.sqrt(gradient @ (gradient / diagonal))
        accuracy = min(0.25, np.sqrt(size / first))
        direction = _conjugate_gradients(objective, gradient, diagonal, accuracy)
        decrement = -float(gradient @ direction)
        end = _step(objective, coef, value, gradient, direction)
        if end is None:
            break
        # Three steps in a row that rounding has swallowed are enough.
        n_lost = n_lost + 1 if end[1] > value - 4.0 * np.finfo(objective.design.dtype).eps * abs(value) else 0
        coef, value, gradient = end
        n_iter += 1
    return SolverResult(coef, value, gap, n_iter, gap <= tol, history)
