"""Newton's method on some parameters while the others are held."""

from typing import NamedTuple

import numpy as np

from ..linalg.factor import ScaledCholesky

_MAX_HALVINGS = 40
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)


class Restricted(NamedTuple):
    """Where it ended.

    Attributes
    ----------
    params, gradient : float64 arrays of shape (n_params,)
    value : float
    curvature : float64 array of shape (n_params, n_params)
    distance : float
        g^T H^-1 g of the free parameters: twice what there is left to gain, about.
    n_iter : int
    """

    params: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    distance: float
    n_iter: int


def minimise_restricted(curved, params, free, *, enough, max_iter, callback=None):
    """Minimise a function of some of its parameters.

    Parameters
    ----------
    curved : callable
        Gives value, gradient and second derivatives, or what steers as well, at parameters.
    params : float64 array of shape (n_params,)
        Where to start.
    free : int array
        Places of the parameters that are not held.
    enough : callable
        Whether to end, by the value and the `distance`.
    max_iter : int
    callback : callable, optional
        Called with (n_iter, value, gradient, distance) before each step and at the end.

    Returns
    -------
    Restricted
    """
    value, gradient, curvature = curved(params)
    n_iter, distance = 0, 0.0
    while len(free):
        step = -ScaledCholesky(curvature[np.ix_(free, free)]).solve(gradient[free])
        distance = max(0.0, -float(gradient[free] @ step))
        if callback is not None:
            callback(n_iter, value, gradient, distance)
        if n_iter >= max_iter or enough(value, distance):
            break
        for _ in range(_MAX_HALVINGS):
            ahead = params.copy()
            ahead[free] += step
            evaluated = curved(ahead)
            if evaluated[0] <= value + _ROUNDING * abs(value):
                break
            step *= 0.5
        else:
            break
        params, (value, gradient, curvature), n_iter = ahead, evaluated, n_iter + 1
    return Restricted(params, value, gradient, curvature, distance, n_iter)
