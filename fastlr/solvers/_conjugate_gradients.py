"""Preconditioned conjugate gradients for the equations of the Newton step, H d = -g.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 5.1 and 7.1.
"""

import numpy as np

_MAX_PRODUCTS = 200


def newton_direction(objective, gradient, precondition, is_enough, start=None):
    """Approximate Newton direction -H^-1 g.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
        Its Hessian is that where `loss_gradient` was last evaluated; a product with it takes a pass.
    gradient : float64 array of shape (k, n_features + 1)
    precondition : callable
        Maps a gradient to a direction, both of that shape.
    is_enough : callable
        Given the squared length of the residual r = -g - H d, r^T M^-1 r with M^-1 the preconditioner, and d so far,
        says whether to end.
    start : float64 array of that shape, optional
        Direction to improve, zeros by default.
    """
    if start is None:
        direction, residual = np.zeros_like(gradient), -gradient
    else:
        direction, residual = start.copy(), -gradient - objective.hessian_product(start)
    conjugate, before = 0.0, 1.0
    for _ in range(_MAX_PRODUCTS):
        z = precondition(residual)
        squared = float(np.vdot(residual, z))
        if not squared > 0.0 or is_enough(squared, direction):
            break
        conjugate = z + (squared / before) * conjugate
        product = objective.hessian_product(conjugate)
        curvature = float(np.vdot(conjugate, product))
        if not curvature > 0.0:
            break
        length = squared / curvature
        direction += length * conjugate
        residual -= length * product
        before = squared
    return direction if direction.any() else -precondition(gradient)
