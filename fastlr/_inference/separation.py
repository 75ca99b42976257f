"""Classes that are separated, by a hyperplane or along some columns only: without a penalty there is no optimum.

There is then a direction along which no sample's loss rises and some fall, for ever. Where all other samples are at
rest, their loss, exp(-z), falls to 1/e with each step of Newton's method, whose next step is such a direction. Near an
optimum that step moves no prediction; here it moves some by about 1, however little the likelihood gains by it.

Source: Albert & Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika
71, 1984.
"""

import numpy as np

_MOVES = 0.1  # a raw prediction
_RESTS = 1e-3  # in shares of the largest change
_NAMED = 10


def refuse_separated(likelihood, params, step, names):
    """Raise ValueError if there is no optimum: two passes.

    Parameters
    ----------
    likelihood : Likelihood
    params, step : float64 arrays of shape (n_params,)
        Where a fit ended, and what Newton's method goes on with.
    names : list of str
        Of a row of parameters.
    """
    least, largest = likelihood.sides(step)
    if likelihood.sides(params)[0] > 0.0:
        what = "the classes are perfectly separated by a hyperplane"
    elif not (largest > _MOVES and least >= -_RESTS * largest):
        return
    else:
        moved = np.abs(step.reshape(-1, len(names))).max(axis=0) * likelihood.spread()
        columns = [name for name, by in zip(names, moved.tolist(), strict=True) if by > _RESTS * moved.max()]
        what = f"some samples are perfectly separated, along {listed(columns)}"
    raise ValueError(
        f"{what}: without a penalty coefficients have no finite estimates, and no standard errors. Pass a model with a "
        "finite C"
    )


def listed(names):
    """Names in a sentence, the first of them, each once."""
    names = [str(name) for name in dict.fromkeys(names)]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
