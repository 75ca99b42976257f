"""A fit with Firth's penalty."""

import math

import numpy as np

from ..linalg.factor import dependent_places
from ..objectives.firth import FirthObjective
from ..solvers._restricted import minimise_restricted
from ..solvers._result import Outcome, SolverResult, add_record
from .one import Fit, quiet_team


def fit_firth(problem, *, tol, max_iter, start, n_threads, report):
    """Minimise the logistic loss of a problem with Firth's penalty.

    Nothing certifies the end: it is where the next step promises no more than `tol` of the loss.

    Parameters
    ----------
    problem : Problem
        Of two classes; its C is not looked at.
    tol, max_iter, start, n_threads, report
        See `fits.one.fit`.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If X holds NaN or infinity, or columns that are collinear.
    """
    if problem.n_classes > 2:
        raise ValueError(f'penalty="firth" is for two classes, got {problem.n_classes}')
    history = []
    with quiet_team(n_threads) as team:
        objective = FirthObjective(problem.matrix(np.float64, team), problem.loss(), problem.fit_intercept)

        def curved(params):
            value, gradient, hessian = objective.curved(params[None])
            return value, gradient[0], hessian

        def enough(value, distance):
            return 0.5 * distance <= tol * objective.mean_loss

        def show(n_iter, value, gradient, distance):
            callback = report and (lambda record: report("firth", record))
            add_record(history, callback, n_iter, value, np.linalg.norm(gradient), math.inf, objective.n_passes)

        n_free = objective.n_coef - (not problem.fit_intercept)
        begin = np.zeros(objective.n_coef) if start is None else start[0]
        value, _, hessian = curved(begin)
        if not np.isfinite(value):
            places = [place - 1 for place in dependent_places(np.roll(hessian, 1, axis=(0, 1)))]  # intercept first
            raise ValueError(
                f'penalty="firth" needs columns of X that are not collinear: leave out those at {places}, which others '
                "make up, with the intercept if there is one"
            )
        options = {"enough": enough, "max_iter": max_iter, "callback": show}
        end = minimise_restricted(curved, begin, np.arange(n_free), **options)
        outcome = Outcome.STEPS if end.n_iter >= max_iter else Outcome.ROUNDING
        outcome = Outcome.CONVERGED if enough(end.value, end.distance) else outcome
        result = SolverResult(end.params[None], end.value, math.inf, end.n_iter, outcome, history)
        return Fit(result, "firth", objective.n_passes)
