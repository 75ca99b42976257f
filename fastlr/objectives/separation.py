"""Directions along which some samples are separated: without a penalty, estimates go that way for ever.

A direction of recession moves no sample away from its target and some towards it. The loss of a sample that is far on
its side, exp(-z), has itself for second derivative, so a step of Newton's method, H d = sum of c_i x_i over the samples
that are far, towards their targets, moves them by about 1 if nothing holds them back, and all others not at all; what
other samples hold back hardly moves.

Source: Albert & Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika
71, 1984.
"""

import numpy as np

from ..linalg.factor import ScaledCholesky

_MOVES = 0.1  # a raw prediction
_RESTS = 1e-3  # in shares of the largest change


def recedes(least, largest):
    """Whether a direction is one of recession, by `sides` of a loss: but for rounding no sample moves the wrong way."""
    return largest > _MOVES and least >= -_RESTS * largest


def moved_columns(direction, spread):
    """Places of the columns that take part in a direction, by how far they spread."""
    moved = np.abs(direction).max(axis=0) * spread
    return np.flatnonzero(moved > _RESTS * moved.max())


def separating_features(objective, coefs):
    """Features along which some samples are separated: five passes at most, none where all samples are near.

    Parameters
    ----------
    objective : LogisticObjective
        Without a penalty, where the raw predictions at `coefs` were left last.
    coefs : float64 array of shape (1, n_features + 1)

    Returns
    -------
    int array, or None
    """
    if not objective.loss.has_far():
        return None
    objective.loss_gradient(coefs)
    side = objective.matrix.intercept_column(objective.loss.towards_far())
    if not objective.fit_intercept:
        side[-1] = 0.0
    direction = ScaledCholesky(objective.hessian()).solve(side / objective.loss.weight_sum)[None]
    objective.matrix.predict(objective.loss, direction)
    if not recedes(*objective.loss.sides()):
        return None
    return moved_columns(direction[:, :-1], np.sqrt(objective.standardisation()[1]))
