"""Fits where classes have no weight: the limit of small weights, from a fit to the classes that have some.

As the weight of a class goes to 0, its intercept, which nothing penalises, goes to -inf and its coefficients go to 0;
those of all others go to what they are without the class. In numbers the intercept is the logarithm of a float64's
rounding. Coefficients of the others sum to 0, so the largest of their raw predictions is at least 0 whatever x is, and
the probability of the class at most 2e-16: too little to change a digit of the others'. With an L1 penalty, whose
coefficients do not sum to 0, the intercept lies lower.

Without an intercept the optimum of all classes is itself that limit, and there is nothing to do here.
"""

from dataclasses import replace

import numpy as np

from ..solvers._result import Outcome, SolverResult

_INTERCEPT = float(np.log(np.finfo(np.float64).eps))
_FAR_INTERCEPT = -1e6


def present_classes(problem):
    """The classes that have weight, where others have none and an intercept lets them vanish; else None."""
    weight = problem.sample_weight
    if not (weight.size and problem.fit_intercept and problem.proportions is None):
        return None
    totals = np.bincount(problem.codes, weight, problem.n_classes)
    present = np.flatnonzero(totals > 0.0)
    return present if len(present) < problem.n_classes else None


def without_others(problem, present):
    """The problem of the classes present, and the factor of C that makes its penalty that of all classes."""
    codes = np.searchsorted(present, problem.codes) % len(present)  # samples of no weight are of any class
    part = replace(problem, codes=codes, n_classes=len(present))
    if len(present) > 2:
        return part, 1.0
    # Two of many classes have coefficients -w / 2 and w / 2, with half the L2 penalty of w and all of its L1 penalty.
    C_factor = 2.0 / (1.0 + problem.l1_ratio)
    return replace(part, l1_ratio=C_factor * problem.l1_ratio), C_factor


def with_others(result, problem, present):
    """The result of a fit to the classes present as one of all classes."""
    coef = np.zeros((problem.n_classes, problem.X.shape[1] + 1))
    coef[:, -1] = _FAR_INTERCEPT if problem.l1_ratio else _INTERCEPT
    coef[present] = result.coef if len(present) > 2 else np.outer([-0.5, 0.5], result.coef)
    return replace(result, coef=coef)


def of_one_class(problem, present):
    """The limit where one class alone has weight."""
    n_rows = problem.n_classes if problem.n_classes > 2 else 1
    coef = np.zeros((n_rows, problem.X.shape[1] + 1))
    coef[:, -1] = _INTERCEPT
    if n_rows > 1:
        coef[present, -1] = 0.0
    elif present[0] == 1:
        coef[0, -1] = -_INTERCEPT
    value = (problem.n_classes - 1) * np.finfo(np.float64).eps
    return SolverResult(coef, value, 0.0, 0, Outcome.CONVERGED)
