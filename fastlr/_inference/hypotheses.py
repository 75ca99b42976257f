"""Tests of hypotheses: Wald, likelihood ratio and score, each a statistic with a chi-squared distribution.

Sources: Buse, The likelihood ratio, Wald, and Lagrange multiplier tests: an expository note, The American Statistician
36, 1982; Cox & Hinkley, Theoretical Statistics, 1974, 9.3.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from .._validation import as_real

SINGULAR = 1e-11  # share of a variance that others leave


class TestResult(NamedTuple):
    """Of a test.

    Attributes
    ----------
    statistic : float or float64 array
        Chi-squared with `df` degrees of freedom, where the hypothesis holds.
    df : int
    p_value : float or float64 array
    """

    statistic: float
    df: int
    p_value: float

    __test__ = False  # type: ignore[misc]  # what pytest takes for tests goes by the name

    @classmethod
    def of(cls, statistic, df):
        """With its p-value."""
        p_value = chdtrc(df, statistic)
        return cls(statistic, df, p_value if np.ndim(statistic) else float(p_value))


def places_of(wanted, what, names, n_rows):
    """Places of named parameters, row after row; `what` is what errors call the names."""
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ValueError(f"{what} must hold names of parameters, {names}, got {unknown or wanted}")
    return [names.index(name) + row * len(names) for row in range(n_rows) for name in wanted]


def restrictions(R, q, names, n_rows):
    """The matrix and the right-hand side of R params = q, from an array or names.

    Parameters
    ----------
    R : array-like of shape (n_params,) or (m, n_params), str, or list of str
        Names are of parameters, which are to be 0, in all rows.
    q : float or array-like of shape (m,)
    names : list of str
        Of a row.
    n_rows : int
    """
    n_params = n_rows * len(names)
    if isinstance(R, str) or (isinstance(R, (list, tuple)) and R and all(isinstance(name, str) for name in R)):
        R = np.eye(n_params)[places_of(R, "R", names, n_rows)]
    R = np.atleast_2d(as_real(R, "R")).astype(np.float64)
    if R.ndim != 2 or R.shape[1] != n_params or not len(R) or not np.isfinite(R).all():
        raise ValueError(f"R must hold finite numbers, of shape (m, {n_params}), got an array of shape {R.shape}")
    q = as_real(q, "q").astype(np.float64)
    if q.shape not in ((), (len(R),)) or not np.isfinite(q).all():
        raise ValueError(f"q must be a finite number, or {len(R)} of them, one for each row of R, got shape {q.shape}")
    return R, np.broadcast_to(q, len(R))


def wald(params, covariance, R, q):
    """(R params - q)^T (R V R^T)^-1 (R params - q)."""
    singular = (
        f"the covariance of R params is singular: {len(R)} rows of R that depend on each other, or too few clusters"
    )
    return TestResult.of(inverse_form(R @ params - q, R @ covariance @ R.T, singular), len(R))


def inverse_form(u, matrix, singular):
    """u^T matrix^-1 u, of a symmetric matrix; ValueError with the words `singular` where there is no inverse."""
    diagonal = matrix.diagonal()
    if not (diagonal > 0.0).all():
        raise ValueError(singular)
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix / scale / scale[:, None])
    if values[0] <= SINGULAR * len(u):
        raise ValueError(singular)
    return float(((vectors.T @ (u / scale)) ** 2 / values).sum())


def likelihood_ratio(larger, smaller, df):
    """2 (l - l0)."""
    return TestResult.of(max(0.0, 2.0 * (larger - smaller)), df)


def score_of_slopes(likelihood):
    """Test that all features have coefficients 0: u^T I^-1 u at the best model without them, I the information."""
    params, _ = likelihood.null()
    _, u = likelihood.evaluate(params)
    information = likelihood.information()
    singular = "the columns of X are collinear"
    n_slopes = len(u) - likelihood.n_rows * likelihood.fit_intercept
    return TestResult.of(inverse_form(u, information, singular), n_slopes)
