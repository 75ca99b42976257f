"""What many fits return."""

import logging
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.exceptions import ConvergenceWarning

_NAMED = 5  # failures that a warning lists

_logger = logging.getLogger("fastlr")


@dataclass
class ManyFits:
    """What `fit_many` returns: arrays over sets of weights and values of C.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Labels, sorted.
    Cs : float64 array of shape (n_Cs,)
    coefs : float64 array of shape (n_sets, n_Cs, n_rows, n_features)
        One row for two classes, else one for each class; NaN where there is no fit.
    intercepts : float64 array of shape (n_sets, n_Cs, n_rows)
    objectives : float64 array of shape (n_sets, n_Cs)
        As `LogisticRegression.objective_`.
    gaps : float64 array of shape (n_sets, n_Cs)
        Certified bounds on (f - f*) / f*; inf where there is none.
    n_iters : int32 array of shape (n_sets, n_Cs)
        Steps taken, from wherever the fit started.
    n_passes : int
        How often X was read, by all fits together.
    l1_ratio : float
        Share of the L1 penalty.
    failures : dict
        By (set, C) as indices: why that fit has no certificate of `tol`, no optimum, or not the standard errors that
        were asked for. The others have theirs.
    std_errs : float64 array of shape (n_sets, n_Cs, n_rows, n_features), or None
        Standard errors of `coefs`, where they were asked for; inf for failures.
    intercept_std_errs : float64 array of shape (n_sets, n_Cs, n_rows), or None
        Those of `intercepts`: 0 where none is fitted.
    """

    classes: np.ndarray
    Cs: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    objectives: np.ndarray
    gaps: np.ndarray
    n_iters: np.ndarray
    n_passes: int = 0
    l1_ratio: float = 0.0
    failures: dict = field(default_factory=dict)
    std_errs: np.ndarray | None = None
    intercept_std_errs: np.ndarray | None = None

    @classmethod
    def empty(cls, classes, Cs, n_sets, n_features):
        """Results to be filled in: no fits yet."""
        shape = (n_sets, len(Cs))
        n_rows = 1 if len(classes) == 2 else len(classes)
        return cls(
            classes,
            Cs,
            np.full((*shape, n_rows, n_features), np.nan),
            np.full((*shape, n_rows), np.nan),
            np.full(shape, np.nan),
            np.full(shape, np.inf),
            np.zeros(shape, np.int32),
        )

    @classmethod
    def joined(cls, parts):
        """The sets of several results for the same classes and values of C, one after the other."""
        names = ["coefs", "intercepts", "objectives", "gaps", "n_iters"]
        if parts[0].std_errs is not None:
            names += ["std_errs", "intercept_std_errs"]
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        arrays["n_passes"] = sum(part.n_passes for part in parts)
        fits = cls(parts[0].classes, parts[0].Cs, **arrays, l1_ratio=parts[0].l1_ratio)
        first = 0
        for part in parts:
            fits.failures.update({(first + k, i): why for (k, i), why in part.failures.items()})
            first += len(part.gaps)
        return fits

    def put(self, place, coef, value, gap, n_iter):
        """Fill in one fit, or several at once; `coef` has rows [w, b]."""
        self.coefs[place], self.intercepts[place] = coef[..., :-1], coef[..., -1]
        self.objectives[place], self.gaps[place], self.n_iters[place] = value, gap, n_iter

    def warn_of_failures(self, name="set", stacklevel=3):
        """One ConvergenceWarning that names the fits that failed, if there are any."""
        if not self.failures:
            return
        listed = [f"{name} {k}, C={self.Cs[i]:g}: {why}" for (k, i), why in list(self.failures.items())[:_NAMED]]
        if len(self.failures) > _NAMED:
            listed.append(f"{len(self.failures) - _NAMED} more")
        message = f"{len(self.failures)} of {self.gaps.size} fits failed. " + "; ".join(listed)
        _logger.info(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)
