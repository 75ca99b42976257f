"""A path of fits: from the penalty that leaves no feature to ever weaker ones, each from where the last one ended."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from .._validation import check_number
from ..fits.one import fit_path, quiet_team
from ..fits.problem import Problem
from .classifier import LogisticModel
from .fit_many import check_Cs
from .labels import combine_weights
from .parameters import check_options

_ROUNDING = 1e-15
_NAMED = 5  # failures that a warning lists


@dataclass
class Path:
    """What `path` returns: arrays over values of C, which rise.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Labels, sorted.
    Cs : float64 array of shape (n_Cs,)
    coefs : list of CSR array of shape (n_rows, n_features)
        One row for two classes, else one for each class.
    intercepts : float64 array of shape (n_Cs, n_rows)
    objectives : float64 array of shape (n_Cs,)
        As `LogisticRegression.objective_`.
    gaps : float64 array of shape (n_Cs,)
        Certified bounds on (f - f*) / f*.
    deviances : float64 array of shape (n_Cs,)
        Share of the deviance of intercepts alone that is explained, at most 1.
    n_iters : int array of shape (n_Cs,)
    n_passes : int
        How often X was read.
    """

    classes: np.ndarray
    Cs: np.ndarray
    coefs: list[sparse.csr_array]
    intercepts: np.ndarray
    objectives: np.ndarray
    gaps: np.ndarray
    deviances: np.ndarray
    n_iters: np.ndarray
    n_passes: int

    @property
    def n_active(self) -> np.ndarray:
        """Number of features with a coefficient that is not 0, int array of shape (n_Cs,)."""
        return np.array([len(np.unique(coef.indices)) for coef in self.coefs])


def path(
    X: Any,
    y: Any,
    *,
    Cs: Any = 100,
    ratio: float = 1e-2,
    l1_ratio: float = 1.0,
    max_features: int | None = None,
    max_deviance: float = 1.0,
    sample_weight: Any = None,
    class_weight: dict | str | None = None,
    fit_intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int = 100,
    n_jobs: int | None = None,
) -> Path:
    """Fit a logistic regression for a rising C, each from the one before.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels.
    Cs : int or array-like of shape (n_Cs,), default=100
        Inverse strengths of the penalty, > 0. A number of them means so many, evenly spaced by their logarithms, from
        the largest that leaves all coefficients 0 to that divided by `ratio`.
    ratio : float, default=1e-2
        Smallest over largest penalty, in (0, 1], where `Cs` is a number.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, in (0, 1].
    max_features : int, optional
        The path ends with the first fit that has so many features or more.
    max_deviance : float, default=1.0
        The path ends with the first fit that explains this share of the deviance.
    sample_weight, class_weight, fit_intercept, tol, max_iter, n_jobs
        As in `LogisticRegression`, for each fit.

    Returns
    -------
    Path

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> import fastlr
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> int(fastlr.path(X, y, Cs=3, max_features=10).n_active[0])
    0
    """
    l1_ratio = check_number(l1_ratio, "l1_ratio", low=0.0, high=1.0, inclusive=False)
    ratio = check_number(ratio, "ratio", low=0.0, high=1.0, inclusive=False)
    max_deviance = check_number(max_deviance, "max_deviance", low=0.0, high=1.0)
    most = np.inf if max_features is None else check_number(max_features, "max_features", low=0, integer=True)
    options = check_options(fit_intercept, tol, max_iter, n_jobs, verbose=False)
    grid = np.sort(check_Cs(Cs))
    model = LogisticModel()
    data = model._read(X, y)
    weight = combine_weights(sample_weight, class_weight, data.classes, data.codes)
    problem = Problem(data.features, data.codes, len(data.classes), weight, 1.0, options["fit_intercept"], l1_ratio)
    limits = {"tol": options["tol"], "max_iter": options["max_iter"]}
    ends, deviances = [], []
    with model._finite(data.X), quiet_team(options["n_threads"]) as team:
        smallest, null, weight_sum = _start_of_path(problem, team)
        if isinstance(Cs, (int, np.integer)):
            grid = smallest * np.geomspace(1.0, 1.0 / ratio, Cs)
        fits = fit_path(problem, grid.tolist(), start=None, dtype=data.dtype, team=team, **limits)
        for C, end in zip(grid.tolist(), fits, strict=True):
            W = end.result.coef[:, :-1]
            loss = end.result.value - replace(problem, C=C).penalty(weight_sum).value(W)
            ends.append(end)
            deviances.append(1.0 - loss / null if null > _ROUNDING else 1.0)  # of one class alone
            if deviances[-1] >= max_deviance or W.any(axis=0).sum() >= most:
                break
    return _as_path(data.classes, grid[: len(ends)], ends, np.array(deviances))


def _start_of_path(problem, team):
    """The largest C that leaves all coefficients 0, the mean loss there, and the sum of the weights."""
    objective = problem.objective(np.float64, team)
    coefs = np.zeros(objective.shape)
    if problem.fit_intercept:
        coefs[:, -1] = objective.loss.best_intercepts()
    value, gradient = objective.loss_gradient(coefs)
    steepest = np.abs(gradient[:, :-1]).max(initial=0.0)
    weight_sum = objective.loss.weight_sum
    return problem.l1_ratio / ((steepest or 1.0) * weight_sum), value, weight_sum


def _as_path(classes, Cs, ends, deviances):
    found = Path(
        classes,
        Cs,
        [sparse.csr_array(end.result.coef[:, :-1]) for end in ends],
        np.array([end.result.coef[:, -1] for end in ends]),
        np.array([end.result.value for end in ends]),
        np.array([end.result.gap for end in ends]),
        deviances,
        np.array([end.result.n_iter for end in ends]),
        sum(end.n_passes for end in ends),
    )
    failed = [f"C={C:g}: {end.result.failure()}" for C, end in zip(Cs, ends, strict=True) if not end.result.converged]
    if failed:
        message = f"{len(failed)} of {len(ends)} fits failed. " + "; ".join(failed[:_NAMED])
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return found
