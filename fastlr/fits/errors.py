"""Standard errors of many fits: roots of the diagonal of the inverse Hessian of the summed loss plus penalty.

Those of `fastlr.inference` with cov_type="nonrobust", at the coefficients as the fits left them.
"""

from dataclasses import replace

import numpy as np

from ..linalg.factor import ScaledCholesky
from ..objectives.logistic import LogisticObjective
from .absent import present_classes

MOST_PARAMS = 10_000  # of a covariance that is 800 MB

_ABSENT = "no standard errors: a class has no weight"
_SINGULAR = "no standard errors: columns are collinear, or so nearly that rounding decides"


def add_std_errs(fits, problem, weight_of, team):
    """Fill in standard errors: two passes for each fit.

    Parameters
    ----------
    fits : ManyFits
        Of two classes; fits without standard errors are added to its failures.
    problem : Problem
        Its weights and its C are not looked at.
    weight_of : callable
        Gives the weights of a set by its index.
    team : Team
    """
    fits.std_errs = np.full_like(fits.coefs, np.inf)
    fits.intercept_std_errs = np.full_like(fits.intercepts, np.inf)
    matrix = problem.matrix(np.float64, team)
    for k in range(len(fits.gaps)):
        part = replace(problem, sample_weight=weight_of(k))
        left = [i for i in range(len(fits.Cs)) if (k, i) not in fits.failures]
        if present_classes(part) is not None:
            fits.failures.update({(k, i): _ABSENT for i in left})
            continue
        loss = part.loss()
        for i in left:
            penalty = replace(problem, C=float(fits.Cs[i])).penalty(loss.weight_sum)
            objective = LogisticObjective(matrix, loss, penalty, problem.fit_intercept)
            objective.loss_gradient(np.column_stack([fits.coefs[k, i], fits.intercepts[k, i]]))
            factor = ScaledCholesky(objective.hessian())
            if factor.is_singular:
                fits.failures[k, i] = _SINGULAR
                continue
            errors = np.sqrt(factor.inverse().diagonal() / loss.weight_sum)
            fits.std_errs[k, i] = errors[:-1]
            fits.intercept_std_errs[k, i] = errors[-1] if problem.fit_intercept else 0.0
    fits.n_passes += matrix.n_passes
