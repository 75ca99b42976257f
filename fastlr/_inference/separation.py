"""Classes that are separated, by a hyperplane or along some columns only: without a penalty there is no optimum."""

from .._validation import listed
from ..objectives.separation import moved_columns, recedes


def refuse_separated(likelihood, params, factor, gradient, names):
    """Raise ValueError if there is no optimum: up to three passes.

    Parameters
    ----------
    likelihood : Likelihood
    params : float64 array of shape (n_params,)
        Where a fit ended.
    factor : ScaledCholesky
        Of the information there.
    gradient : float64 array of shape (n_params,)
    names : list of str
        Of a row of parameters.
    """
    step = factor.solve(likelihood.push(gradient))
    least, largest = likelihood.sides(step)
    if likelihood.sides(params)[0] > 0.0:
        what = "the classes are perfectly separated by a hyperplane"
    elif not recedes(least, largest):
        return
    else:
        columns = moved_columns(step.reshape(-1, len(names)), likelihood.spread())
        what = f"some samples are perfectly separated, along {listed([names[place] for place in columns])}"
    raise ValueError(
        f"{what}: without a penalty coefficients have no finite estimates, and no standard errors. Pass a model with "
        'penalty="firth" or a finite C'
    )
