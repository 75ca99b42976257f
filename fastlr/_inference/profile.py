"""Profile likelihoods: the likelihood of one parameter, all others at their best, for its tests and intervals.

The signed root r(v) = sign(v - v*) sqrt(2 (l* - l(v))) is about a straight line through the estimate v*, and an end
of the interval is where it meets the normal quantile. Its slope is -l'(v) / r(v), l' the score of the parameter with
all others at their best, so that steps of Newton's method on r take a few fits, each warm and each ended by what is
left to gain.

Source: Venzon & Moolgavkar, A method for computing profile-likelihood-based confidence intervals, Applied Statistics
37, 1988.
"""

import numpy as np

from ..solvers._restricted import minimise_restricted

_EXACT = 1e-12  # twice what a restricted fit may leave to gain: of a statistic of about 4
_ROUNDING = 1e-9  # that, for each unit of the likelihood, where rounding ends steps before
_MOST_STEPS = 100
_ON_TARGET = 1e-9  # of the quantile
_MOST_ENDS = 50


def restricted_fit(likelihood, params, held):
    """The best parameters where some are held at what they are in `params`: a `Restricted`.

    Raises
    ------
    ValueError
        If steps end before it is reached.
    """
    free = np.setdiff1d(np.arange(len(params)), held)
    fit = minimise_restricted(
        likelihood.curved, params, free, enough=lambda value, distance: distance <= _EXACT, max_iter=_MOST_STEPS
    )
    if not fit.distance <= _ROUNDING * (1.0 + abs(fit.value)):
        raise ValueError(
            f"a fit with parameters held ended {np.sqrt(fit.distance):.1g} standard errors from its optimum"
        )
    return fit


def end_of_interval(likelihood, best, inverse, place, target):
    """Where the signed root of one parameter is `target`, which is negative for the lower end.

    Parameters
    ----------
    likelihood : Likelihood
    best : (float64 array of shape (n_params,), float)
        Estimates and minus their log-likelihood.
    inverse : float64 array of shape (n_params, n_params)
        Covariance of the estimates.
    place : int
    target : float

    Raises
    ------
    ValueError
        If it is not found.
    """
    params, least = best
    along, change = inverse[:, place] / inverse[place, place], target * np.sqrt(inverse[place, place])
    point = params
    for _ in range(_MOST_ENDS):
        fit = restricted_fit(likelihood, point + change * along, [place])
        point = fit.params
        root = np.copysign(np.sqrt(max(0.0, 2.0 * (fit.value - least))), point[place] - params[place])
        if abs(root - target) <= _ON_TARGET * abs(target):
            return float(point[place])
        change = (target - root) * root / fit.gradient[place]
    raise ValueError("an end of a profile interval is beyond reach")
