"""What every solver returns."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class SolverResult:
    """Where a solver ended.

    Attributes
    ----------
    coef : float64 array of shape (n_features + 1,)
        [w, b].
    value : float
        Objective there.
    gap : float
        Certified bound on (f - f*) / f*; inf if none is known.
    n_iter : int
        Steps taken.
    converged : bool
        Whether `gap` is at most the tolerance.
    history : list of dict
        A record per evaluation: "iteration", "value", "gradient_norm", "gap", "n_passes".
    steering : callable or None
        Maps a gradient to the inverse of an approximate Hessian times it, from solvers that have one to hand on.
    """

    coef: np.ndarray
    value: float
    gap: float
    n_iter: int
    converged: bool
    history: list = field(default_factory=list)
    steering: Callable | None = None


def add_record(history, callback, iteration, value, gradient_norm, gap, n_passes):
    """Add a record to the history, and show it to the callback, if there is one."""
    record = {
        "iteration": iteration,
        "value": value,
        "gradient_norm": float(gradient_norm),
        "gap": gap,
        "n_passes": n_passes,
    }
    history.append(record)
    if callback is not None:
        callback(record)
