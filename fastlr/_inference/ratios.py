"""Where a table has exponentials: ratios of odds and of likelihoods."""

from typing import NamedTuple

import numpy as np


class PseudoR2(NamedTuple):
    """Shares of what there is to explain; l and l0 are the log-likelihoods of the model and the null model.

    Attributes
    ----------
    mcfadden : float
        1 - l / l0.
    cox_snell : float
        1 - exp(2 (l0 - l) / n).
    nagelkerke : float
        That, as a share of the most it can be, 1 - exp(2 l0 / n).
    tjur : float or None
        Mean probability of the event where it occurred, less that where it did not; None for more than two classes.
    """

    mcfadden: float
    cox_snell: float
    nagelkerke: float
    tjur: float | None

    @classmethod
    def of(cls, log_likelihood, log_likelihood_null, n_samples, tjur):
        """From log-likelihoods."""
        cox_snell = -float(np.expm1(2.0 * (log_likelihood_null - log_likelihood) / n_samples))
        most = -float(np.expm1(2.0 * log_likelihood_null / n_samples))
        return cls(1.0 - log_likelihood / log_likelihood_null, cox_snell, cox_snell / most, tjur)


def odds_ratios(log_odds):
    """exp of log-odds; inf where that is beyond all numbers."""
    with np.errstate(over="ignore"):
        return np.exp(log_odds)
