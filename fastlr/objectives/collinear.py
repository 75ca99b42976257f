"""Columns that are collinear: without a penalty, directions along which coefficients may go and nothing changes.

Columns far from 0 look collinear in sums of products too, so a pass looks at what each direction is to X.
"""

import numpy as np

from ..linalg.factor import null_space
from .separation import moved_columns

_AGREE = 1e-10  # so many digits of columns, see `unpenalised`


def idle_directions(objective):
    """Directions that change no raw prediction: three passes.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective

    Returns
    -------
    directions : float64 array of shape (n_directions, n_features + 1)
    places : int array
        Of the columns that take part, n_features for the intercept; none for columns of zeros alone.
    """
    mean, variance = objective.standardisation()
    size = np.append(np.sqrt(variance + mean * mean), 1.0)
    directions = null_space(objective.gram())
    changes = objective.largest_moves(directions) if len(directions) else np.empty(0)
    directions = directions[changes <= _AGREE * (np.abs(directions) * size).max(axis=1)]
    return directions, moved_columns(directions, size) if (directions * size).any() else np.empty(0, int)


def of_least_norm(coefs, directions):
    """Coefficients of shape (k, n_features + 1), moved along directions to where |w| is least."""
    shares = np.linalg.lstsq(directions[:, :-1].T, coefs[:, :-1].T, rcond=None)[0]
    return coefs - shares.T @ directions
