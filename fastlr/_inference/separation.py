"""Classes that are separated, by a hyperplane or along some columns only: without a penalty there is no optimum."""

from .._validation import listed
from ..objectives.separation import moved_columns, recedes


def direction_of_recession(likelihood, params, factor):
    """A direction along which the likelihood rises without end, or None: one pass where all samples are near.

    Parameters
    ----------
    likelihood : Likelihood
    params : float64 array of shape (n_params,)
        Where a fit ended, and the likelihood was evaluated last.
    factor : ScaledCholesky
        Of the information there.
    """
    if not likelihood.has_far():
        return None
    step = likelihood.recession(factor)
    if likelihood.sides(params)[0] > 0.0:
        return params
    return step if recedes(*likelihood.sides(step)) else None


def refuse_separated(likelihood, params, factor, names):
    """Raise ValueError if there is no optimum; parameters as of `direction_of_recession`, and the names of a row."""
    direction = direction_of_recession(likelihood, params, factor)
    if direction is params:
        _refuse("the classes are perfectly separated by a hyperplane")
    elif direction is not None:
        columns = moved_columns(direction.reshape(-1, len(names)), likelihood.spread())
        _refuse(f"some samples are perfectly separated, along {listed([names[place] for place in columns])}")


def refuse_all_separated(likelihood, value):
    """Raise ValueError if the loss where a fit ended leaves no sample on the wrong side."""
    if likelihood.is_plain and value < likelihood.loss.loss_of_wrong_side():
        _refuse("the classes are perfectly separated by a hyperplane")


def _refuse(what):
    raise ValueError(
        f"{what}: without a penalty coefficients have no finite estimates, and no standard errors. Pass a model with "
        'penalty="firth" or a finite C'
    )
