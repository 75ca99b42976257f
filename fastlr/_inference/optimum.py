"""From the model's coefficients to the last digits of the optimum, and what is wrong where there is none."""

import numpy as np

from .._validation import listed
from ..linalg.factor import ScaledCholesky, dependent_places
from .separation import refuse_all_separated, refuse_separated

# Squared distance from the optimum, in standard errors (g^T H^-1 g): from here on digits that a table shows are exact.
_EXACT = 1e-16
# So far may coefficients be from the optimum of their own data: rounded to float32, or by what `tol` leaves. Data that
# are not theirs leave about one for each parameter.
_ROUNDED, _LEFT_BY_TOL, _NOT_THEIRS = 1e-2, 4.0, 0.25
_KEPT = 1e-2  # share of that distance which a step may leave for its curvature to serve the next


class Optimum:
    """Parameters at the optimum, and the curvature there.

    Parameters
    ----------
    likelihood : Likelihood
        Left where it was evaluated last: at the optimum.
    params : float64 array of shape (n_params,)
        Those of the model.
    names : list of str
        Of a row of parameters, for errors.
    tol : float
        Relative gap of the fit.
    eps : float
        Rounding of the model's coefficients: of columns far from 0 that is much.

    Attributes
    ----------
    params : float64 array of shape (n_params,)
    log_likelihood : float
        Without the penalty.
    information : float64 array of shape (n_params, n_params)
        Minus the second derivative of the log-likelihood.
    inverse : float64 array of shape (n_params, n_params)
        Inverse of the information plus the second derivative of the penalty.

    Raises
    ------
    ValueError
        If the information has no inverse, or the optimum of these data is elsewhere.
    """

    def __init__(self, likelihood, params, names, tol, eps):
        penalty = likelihood.penalty()
        value, gradient = likelihood.penalised(params)
        refuse_all_separated(likelihood, value)
        for steps in range(likelihood.most_steps):
            curvature = likelihood.information() + penalty
            factor = ScaledCholesky(curvature)
            if factor.is_singular:
                _refuse_singular(likelihood, params, factor, names, curvature)
            distance = max(0.0, float(gradient @ factor.solve(gradient)))
            rounded = eps * np.abs(params)
            left = max(_LEFT_BY_TOL * tol * value, float(rounded @ np.abs(curvature) @ rounded))
            if steps == 0 and not distance <= max(_ROUNDED, min(left, _NOT_THEIRS * len(params))):
                raise ValueError(
                    f"the model is {np.sqrt(distance):.2g} standard errors from the optimum of these X, y and "
                    "sample_weight: pass those that it was fitted to, or let the fit converge (max_iter, tol)"
                )
            if distance <= _EXACT:
                break
            params, gradient = _step(likelihood, params, gradient, factor, distance)
        if likelihood.is_plain:
            refuse_separated(likelihood, params, factor, names)
        self.information, self.inverse = curvature - penalty, factor.inverse()
        self.params, self.log_likelihood = params, -likelihood.evaluate(params)[0]


def _step(likelihood, params, gradient, factor, distance):
    """Parameters and gradient after steps with one factor, as long as it serves well: a pass each."""
    while True:
        params = params - factor.solve(gradient)
        _, gradient = likelihood.penalised(params)
        before, distance = distance, float(gradient @ factor.solve(gradient))
        if not _EXACT < distance <= _KEPT * before:
            return params, gradient


def _refuse_singular(likelihood, params, factor, names, curvature):
    if likelihood.is_plain:
        refuse_separated(likelihood, params, factor, names)
    columns = listed([names[place % len(names)] for place in dependent_places(curvature)])
    raise ValueError(
        f"{columns}: collinear with the columns before, or so nearly that rounding decides. Without a penalty their "
        "coefficients are not determined: leave them out, or, if they only lie far from 0, subtract their means"
    )
