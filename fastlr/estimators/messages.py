"""What a fit says to its user: a line for each step, and how it ended."""

import logging
import warnings

from sklearn.exceptions import ConvergenceWarning

from .._validation import listed
from ..solvers._result import Outcome
from ..sources.progress import Progress

_logger = logging.getLogger("fastlr")


class Report:
    """What is said of a fit while it runs: called with the solver and each record of its history.

    Parameters
    ----------
    told : Told
    verbose : bool
        Whether there are lines, for steps and, where X is in blocks, for passes.
    problem : Problem
    """

    def __init__(self, told, verbose, problem):
        self._told, self._verbose, self._progress, self._last = told, verbose, None, None
        if verbose and problem.in_blocks:
            self._progress = problem.X.progress = Progress(problem.X.shape[0])

    def __call__(self, solver, record):
        """A step was taken."""
        self._last = record
        self._told.step()
        if self._progress:
            self._progress.gap = record["gap"]
        if self._verbose:
            print(
                f"{solver} {record['iteration']:3d}: objective {record['value']:.12g}, "
                f"gradient {record['gradient_norm']:.1e}, gap {record['gap']:.1e}, {record['n_passes']} passes"
            )

    def of_interrupt(self, warm_start):
        """What an interrupt says."""
        reached = "before its first step"
        if self._last:
            reached = "after {n_passes} passes over X, at an objective of {value:.12g}".format(**self._last)
            reached += f", gap {self._last['gap']:.1e}"
        going_on = "the next fit goes on" if warm_start else "with warm_start=True the next one would go on"
        return f"the fit was interrupted {reached}; the model is as it was, and {going_on} from there"


def warn_not_converged(result, unpenalised, collinear, tol, max_iter):
    """One warning in plain words: the classes are separable, or steps or digits ran out; `collinear` are names."""
    hint = ", or pass a finite C: without a penalty the optimum may be infinitely far away." if unpenalised else "."
    hint += f" Columns are collinear, {listed(collinear)}: leave some out." if collinear else ""
    if result.outcome is Outcome.SEPARATED:
        message = (
            "The classes are perfectly separated by a hyperplane, so without a penalty there is no optimum: the "
            'coefficients grow without end. Pass a finite C, or for two classes penalty="firth".'
        )
    elif result.outcome is Outcome.STEPS:
        message = (
            f"The fit stopped after max_iter={max_iter} steps with a certified relative gap of {result.gap:.1e}, "
            f"above tol={tol:g}. Increase max_iter" + hint
        )
    else:
        message = (
            f"The fit stopped at a certified relative gap of {result.gap:.1e}, above tol={tol:g}: rounding, or numbers "
            "too large to be squared, allow no further progress. Scale the columns of X, or increase tol" + hint
        )
    _warn(message)


def warn_of_separation(names, classes):
    """Some samples are separated along the columns of these names, from these classes where there are many."""
    whence, firth = (f" from {listed(classes)}", "") if len(classes) else ("", 'penalty="firth", or ')
    message = (
        f"Some samples are perfectly separated{whence}, along {listed(names) or 'the intercept'}: without a penalty "
        f"these coefficients grow without end, and where they stopped means nothing. Pass {firth}a finite C."
    )
    _warn(message)


def warn_of_collinear(names):
    """Columns of these names are collinear, and there is no penalty."""
    message = (
        f"Columns are collinear, {listed(names)}: without a penalty their coefficients are not determined. Those "
        "of least norm are given: leave columns out, or pass a finite C."
    )
    _warn(message)


def _warn(message):
    _logger.info(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=6)  # the line that called `fit`
