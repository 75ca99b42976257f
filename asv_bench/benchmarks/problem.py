"""What is solved in the race of fits, and how near to its optimum coefficients are.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import functools
import warnings

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

import fastlr

from . import fit_data

C = 1.0
RARE_C = 1e4
THREADS = 2


class Problem:
    """A data set and the optimum of an objective over it.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    y : int64 array of shape (n_samples,)
        Classes from 0.
    fit_intercept : bool
    l1_ratio : float
        Share of the L1 penalty.
    C : float
        Of fits that are not told another.

    Attributes
    ----------
    floats : array or CSR array of shape (n_samples, n_features)
        X for those who need floats, made beforehand: uint8 divided by 255 and in float32; all else as it is.
    unit : float
        What X was divided by.
    gap : float
        The relative gap to reach.
    best : float
        The least value seen.
    """

    def __init__(self, X, y, fit_intercept=True, l1_ratio=0.0, C=C):
        self.X, self.y, self.fit_intercept, self.l1_ratio, self.C = X, y, fit_intercept, l1_ratio, C
        self.penalty = penalty_name(l1_ratio)
        self.unit = 255.0 if X.dtype == np.uint8 else 1.0
        self.floats = (X / self.unit).astype(np.float32) if X.dtype == np.uint8 else X
        self.n_classes = int(y.max()) + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the gap may be less than float64 has to give
            self.best = self.optimum()

    @property
    def gap(self):
        return 1e-8 if self.n_classes == 2 else 1e-6

    @property
    def tolerances(self):
        """Those that fastlr may choose from: to it a tolerance is the gap."""
        return (self.gap,)

    @property
    def exact(self):
        """`floats` in float64, where they are dense."""
        return self.floats if sparse.issparse(self.X) else self.floats.astype(np.float64)

    def alpha(self, C=None):
        """What multiplies the penalty beside a mean loss."""
        return 1.0 / ((self.C if C is None else C) * len(self.y))

    def optimum(self):
        """The least value, as far as fastlr knows."""
        parameters = {"C": self.C, "l1_ratio": self.l1_ratio, "fit_intercept": self.fit_intercept, "n_jobs": THREADS}
        model = fastlr.LogisticRegression(tol=1e-5 * self.gap, **parameters).fit(self.exact, self.y)
        return self.value(model.coef_, model.intercept_)

    @property
    def n_coef(self):
        """Of scikit-learn's parametrisation."""
        return (self.X.shape[1] + 1) * (1 if self.n_classes == 2 else self.n_classes)

    def value(self, coef, intercept, C=None):
        """Mean loss and penalty at coefficients of `floats`, in float64."""
        coef = np.asarray(coef, dtype=np.float64).reshape(-1, self.X.shape[1])
        raw = self.floats @ coef.T + np.asarray(intercept, dtype=np.float64)
        if self.n_classes == 2:
            losses = np.logaddexp(0.0, np.where(self.y == 1, -raw[:, 0], raw[:, 0]))
        else:
            losses = logsumexp(raw, axis=1) - np.take_along_axis(raw, self.y[:, None], axis=1)[:, 0]
        penalty = self.l1_ratio * np.abs(coef).sum() + (1.0 - self.l1_ratio) / 2.0 * np.vdot(coef, coef)
        return float(np.mean(losses) + self.alpha(C) * penalty)

    def reached(self, coef, intercept):
        """Relative gap at coefficients of `floats`."""
        value = self.value(coef, intercept)
        self.best = np.minimum(self.best, value)
        return np.max((value - self.best) / self.best)


def by_columns(X):
    """X for those who would copy it into Fortran order or CSC."""
    return X.tocsc() if sparse.issparse(X) else np.asfortranarray(X)


def penalty_name(l1_ratio):
    return {0.0: "l2", 1.0: "l1"}.get(l1_ratio, "elasticnet")


@functools.lru_cache(maxsize=2)
def make_problem(name, fit_intercept=True, l1_ratio=0.0):
    return Problem(*fit_data.load(name), fit_intercept, l1_ratio, RARE_C if name in fit_data.RARE else C)
