"""Directions along which some samples are separated: without a penalty, estimates go that way for ever.

A direction of recession moves no sample away from its target and some towards it. The loss of a sample that is far on
its side, exp(-z), has itself for second derivative, so a step of Newton's method, H d = sum of c_i x_i over the samples
that are far, towards their targets, moves them by about 1 if nothing holds them back, and all others not at all; what
other samples hold back hardly moves. Of many classes it is samples and classes that they are far from.

Source: Albert & Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika
71, 1984.
"""

from typing import NamedTuple

import numpy as np

_MOVES = 0.1  # a raw prediction
RESTS = 1e-3  # in shares of the largest change


def recedes(least, largest):
    """Whether a direction is one of recession, by `sides` of a loss: but for rounding no sample moves the wrong way."""
    return largest > _MOVES and least >= -RESTS * largest


def moved_columns(direction, spread):
    """Places of the columns that take part in a direction, by how far they spread."""
    moved = np.abs(direction).max(axis=0) * spread
    return np.flatnonzero(moved > RESTS * moved.max())


class Separation(NamedTuple):
    """What takes part in a direction of recession.

    Attributes
    ----------
    features : int array
    classes : int array
        Of many, those that samples of others recede from; none for two.
    """

    features: np.ndarray
    classes: np.ndarray


def separation(objective, coefs, solve):
    """Whether some samples are separated: up to seven passes, one where all samples are near.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
        Without a penalty, where the raw predictions at `coefs` were left last.
    coefs : float64 array of shape (k, n_features + 1)
    solve : callable
        Maps a gradient to the inverse of the Hessian where `loss_gradient` was last evaluated times it.

    Returns
    -------
    Separation, or None
    """
    if not objective.has_far(coefs):
        return None
    direction = objective.recession(coefs, solve)
    least, away = objective.sides(direction)
    if not recedes(least, away.max()):
        return None
    features = moved_columns(direction[:, :-1], np.sqrt(objective.standardisation()[1]))
    return Separation(features, np.flatnonzero(away > RESTS * away.max()) if len(coefs) > 1 else np.empty(0, int))
