"""What every solver returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ..objectives.separation import Separation


class Outcome(Enum):
    """Why a fit ended."""

    CONVERGED = "the gap is within the tolerance"
    STEPS = "all steps are taken"
    ROUNDING = "rounding, or numbers too large to be squared, allow no further progress"
    SEPARATED = "the classes are perfectly separated and there is no penalty"


def outcome_of(gap, n_iter, tol, max_iter):
    """The outcome of a run that ended at a gap after so many steps; tol=0 asks for as little as rounding allows."""
    if gap <= tol or (tol == 0.0 and n_iter < max_iter):
        return Outcome.CONVERGED
    return Outcome.STEPS if n_iter >= max_iter else Outcome.ROUNDING


@dataclass
class SolverResult:
    """Where a solver ended.

    Attributes
    ----------
    coef : float64 array of shape (k, n_features + 1)
        Rows [w, b].
    value : float
        Objective there.
    gap : float
        Certified bound on (f - f*) / f*; inf if none is known.
    n_iter : int
        Steps taken.
    outcome : Outcome
    history : list of dict
        A record per evaluation: "iteration", "value", "gradient_norm", "gap", "n_passes"; with an L1 penalty "n_active"
        as well, the number of features that are not zero.
    steering : callable or None
        Maps a gradient to the inverse of an approximate Hessian times it, from solvers that have one to hand on.
    separation : Separation or None
        What a solver that has looked for it has found.
    """

    coef: np.ndarray
    value: float
    gap: float
    n_iter: int
    outcome: Outcome
    history: list[dict] = field(default_factory=list)
    steering: Callable | None = None
    separation: Separation | None = None

    @property
    def converged(self) -> bool:
        """Whether `gap` is at most the tolerance."""
        return self.outcome is Outcome.CONVERGED

    def failure(self) -> str:
        """In a few words, why there is no certificate of the tolerance."""
        if self.outcome is Outcome.SEPARATED:
            return self.outcome.value
        return f"a certified gap of {self.gap:.1e} after {self.n_iter} steps"


def add_record(history, callback, iteration, value, gradient_norm, gap, n_passes, **more):
    """Add a record to the history, and show it to the callback, if there is one."""
    record = {
        "iteration": iteration,
        "value": value,
        "gradient_norm": float(gradient_norm),
        "gap": gap,
        "n_passes": n_passes,
        **more,
    }
    history.append(record)
    if callback is not None:
        callback(record)
