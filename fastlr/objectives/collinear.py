"""Columns that are collinear: without a penalty, directions along which coefficients may go and nothing changes.

A Cholesky factor of the Hessian whose pivots are sought, P^T H P = U^T U, leaves rows of zeros where columns are made
up of others: with U = [U1 U2] above these, the columns of [-U1^-1 U2; 1] are such directions. Columns far from 0 look
collinear in a Hessian too, so a pass looks at what each direction is to X.

Source: Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf

from ..linalg.factor import COLLINEAR
from .separation import moved_columns

_AGREE = 1e-10  # so many digits of columns, see `unpenalised`


def idle_directions(objective, hessian):
    """Directions that change no raw prediction: a pass for each.

    Parameters
    ----------
    objective : LogisticObjective
    hessian : float64 array of shape (n_features + 1, n_features + 1)
        Of any coefficients, without a penalty.

    Returns
    -------
    directions : float64 array of shape (n_directions, n_features + 1)
    places : int array, or None
        Of the columns that take part, n_features for the intercept; None for columns of zeros alone.
    """
    mean, variance = objective.standardisation()
    size = np.append(np.sqrt(variance + mean * mean), 1.0)
    directions = [
        direction
        for direction in _null_space(hessian)
        if _largest_change(objective, direction[None]) <= _AGREE * (np.abs(direction) * size).max()
    ]
    directions = np.reshape(directions, (-1, len(hessian)))
    moves = (directions * size).any()
    return directions, moved_columns(directions, size) if moves else None


def of_least_norm(coefs, directions):
    """Coefficients of shape (1, n_features + 1), moved along directions to where |w| is least."""
    shares = np.linalg.lstsq(directions[:, :-1].T, coefs[0, :-1], rcond=None)[0]
    return coefs - shares @ directions


def _null_space(hessian):
    diagonal = hessian.diagonal()
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    factor, places, rank, _ = dpstrf(hessian * scale * scale[:, None], tol=COLLINEAR)
    made_up = solve_triangular(factor[:rank, :rank], factor[:rank, rank:])
    directions = np.zeros((len(hessian) - rank, len(hessian)))
    directions[:, places - 1] = np.column_stack([-made_up.T, np.eye(len(directions))])
    return directions * scale


def _largest_change(objective, direction):
    objective.matrix.predict(objective.loss, direction)
    return np.abs(objective.loss.sides()).max()
