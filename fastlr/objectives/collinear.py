"""Columns that are collinear: without a penalty, directions along which coefficients may go and nothing changes.

Columns far from 0 look collinear in sums of products too, so a pass looks at what each direction is to X.
"""

from typing import NamedTuple

import numpy as np

from ..linalg.factor import null_space
from .separation import moved_columns

_AGREE = 1e-10  # so many digits of columns, see `newton_bound`
_ROUNDINGS = 2.0  # of the entries of X, that what is left of them may be


class Idle(NamedTuple):
    """Directions that change no raw prediction.

    Attributes
    ----------
    directions : float64 array of shape (n_directions, n_features + 1)
    places : int array
        Of the columns that take part, n_features for the intercept; none for columns of zeros alone.
    made_up : int array of shape (n_directions,)
        Of a column for each direction, without which the others are independent.
    """

    directions: np.ndarray
    places: np.ndarray
    made_up: np.ndarray


def idle_directions(objective):
    """`Idle` directions, to the digits of X: three passes, four where there are any.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective

    Returns
    -------
    Idle
    """
    mean, variance = objective.standardisation()
    size = np.append(np.sqrt(variance + mean * mean), 1.0)
    directions, made_up = null_space(objective.gram())
    if len(directions):
        alike = _AGREE * (np.abs(directions) * size).max(axis=1)
        rounded = _ROUNDINGS * objective.matrix.eps * objective.reaches(directions)
        idle = objective.largest_moves(directions) <= np.maximum(alike, rounded)
        directions, made_up = directions[idle], made_up[idle]
    places = moved_columns(directions, size) if (directions * size).any() else np.empty(0, int)
    return Idle(directions, places, made_up)


def of_least_norm(coefs, directions):
    """Coefficients of shape (k, n_features + 1), moved along directions to where |w| is least."""
    shares = np.linalg.lstsq(directions[:, :-1].T, coefs[:, :-1].T, rcond=None)[0]
    return coefs - shares.T @ directions
