"""What a fit without a penalty leaves open: samples that are separated, and columns that are collinear."""

import numpy as np

from ..linalg.factor import ScaledCholesky
from ..objectives.collinear import of_least_norm
from ..objectives.separation import separation
from ..objectives.softmax import FACTORED_FEATURES as LARGEST_FACTOR
from ..runtime.blocks import sample_rows
from ..solvers._conjugate_gradients import newton_direction

_SOLVED = 1e-16  # what conjugate gradients leave of the squared length
_SAMPLED = 4  # rows for each column, which tell whether columns may be collinear


def separation_of(objective, coefs):
    """A `Separation` at coefficients where the raw predictions were left last, or None."""

    def solve(side):
        if objective.n_coef <= LARGEST_FACTOR:
            return ScaledCholesky(objective.hessian()).solve(side.ravel()).reshape(side.shape)
        precondition = objective.preconditioner(floor=0.0)
        enough = _SOLVED * float(np.vdot(side, precondition(side)))
        return newton_direction(objective, -side, precondition, lambda squared, _: squared <= enough)

    return separation(objective, coefs, solve)


def without_collinear(objective, start):
    """A start, or None, from which columns that others make up stay where they are, where there is no penalty."""
    is_settled = objective.penalty or objective.made_up is not None
    if is_settled or objective.dtype != np.float64 or objective.shape[1] > LARGEST_FACTOR:
        return start
    if not _may_be_collinear(objective, None):
        return start
    return objective.fix_collinear(np.zeros(objective.shape) if start is None else start)


def without_idle_parts(objective, coefs, steering):
    """Coefficients of least norm where columns are collinear, and the places of those that are.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
        Without a penalty.
    coefs : float64 array of shape (k, n_features + 1)
    steering : Steering, or None
        A Hessian, where the fit has formed one.

    Returns
    -------
    coefs : float64 array of shape (k, n_features + 1)
    places : sequence of int
        See `Idle`. Of more than `LARGEST_FACTOR` columns none are known: that takes too much memory.
    """
    if objective.shape[1] > LARGEST_FACTOR or not _may_be_collinear(objective, steering):
        return coefs, ()
    idle = objective.idle()
    return of_least_norm(coefs, idle.directions), idle.places


def _may_be_collinear(objective, steering):
    """Whether columns are known to be, a Hessian is singular, or products of some rows are."""
    if objective.made_up is not None:
        return bool(objective.made_up)
    if steering is not None:
        return steering.is_singular
    n_samples, n_features = objective.matrix.shape
    n_sampled = _SAMPLED * (n_features + 1)
    if n_sampled < n_samples:
        objective = objective.subsample(sample_rows(n_samples, n_sampled))
    return ScaledCholesky(objective.gram()).is_singular
