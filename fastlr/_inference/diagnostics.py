"""How a model of two classes fits, sample by sample.

With y the target, p the probability, s the weight and h the leverage of a sample,

    pearson    sqrt(s) (y - p) / sqrt(p (1 - p))
    deviance   the square root of twice what its log-likelihood lacks to the best there can be, with the sign of y - p
    standardised ones are divided by sqrt(1 - h)
    cook       pearson^2 h / ((1 - h)^2 k), k the number of parameters: about how far all move without the sample

Sources: Pregibon, Logistic regression diagnostics, Annals of Statistics 9, 1981; Hosmer & Lemeshow, Goodness of fit
tests for the multiple logistic regression model, Communications in Statistics A 9, 1980.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import xlogy

from .._validation import check_number
from .covariances import leverages
from .hypotheses import TestResult


@dataclass
class Diagnostics:
    """Of each sample; all arrays are float64 of shape (n_samples,).

    Attributes
    ----------
    probability : array
        Of the event.
    leverage : array
        Diagonal of the hat matrix; of a sample with all its weight.
    pearson, deviance : array
        Residuals.
    standardised_pearson, standardised_deviance : array
    cook : array
        Cook's distances.
    dispersion : float
        Sum of the squared Pearson residuals over `df_resid`, NaN where that is 0: well above 1 where proportions vary
        more than binomial ones.
    """

    probability: np.ndarray
    leverage: np.ndarray
    pearson: np.ndarray
    deviance: np.ndarray
    standardised_pearson: np.ndarray
    standardised_deviance: np.ndarray
    cook: np.ndarray
    dispersion: float
    _y: np.ndarray = field(repr=False)
    _weight: np.ndarray = field(repr=False)

    def hosmer_lemeshow(self, n_groups=10):
        """Test of fit: events and their expectations in groups of about equal weight, by rising probability.

        Parameters
        ----------
        n_groups : int, default=10
            At most; samples of one probability are never in two.

        Returns
        -------
        TestResult
            statistic, df, p_value; two degrees of freedom less than there are groups.

        Raises
        ------
        ValueError
            If there are fewer than three groups.
        """
        n_groups = check_number(n_groups, "n_groups", low=3, integer=True)
        probability = self.probability.round(12)  # rounding tells samples that are alike apart
        order = np.argsort(probability, kind="stable")
        share = np.cumsum(self._weight[order])
        places = np.searchsorted(share, share[-1] * np.arange(1, n_groups) / n_groups)
        edges = np.unique(probability[order][places])
        group = np.searchsorted(edges, probability)
        size, events, expected = (
            np.bincount(group, values)
            for values in (self._weight, self._weight * self._y, self._weight * self.probability)
        )
        variance = np.divide(expected * (size - expected), size, out=np.zeros_like(size), where=size > 0.0)
        filled = variance > 0.0
        if filled.sum() < 3:
            raise ValueError(f"n_groups: the probabilities make only {filled.sum()} groups, three are the least")
        statistic = ((events - expected)[filled] ** 2 / variance[filled]).sum()
        return TestResult.of(float(statistic), int(filled.sum()) - 2)


def diagnostics(likelihood, inverse, df_resid):
    """`Diagnostics` at the optimum: two passes.

    Parameters
    ----------
    likelihood : TwoClasses
        At the optimum.
    inverse : float64 array of shape (n_params, n_params)
    df_resid : float
    """
    loss = likelihood.loss
    weight, y = loss.weights(), loss.y
    losses, residual, _ = loss.of_samples(loss.raw)
    h = leverages(likelihood, inverse)
    left = np.sqrt(np.maximum(1.0 - h, np.finfo(np.float64).eps))
    scale = np.sqrt(loss.curvature)
    pearson = np.divide(-likelihood.residual, scale, out=np.zeros_like(y), where=scale > 0.0)
    least = -xlogy(y, y) - xlogy(1.0 - y, 1.0 - y)
    deviance = -np.sign(residual) * np.sqrt(2.0 * weight * np.maximum(losses - least, 0.0))
    return Diagnostics(
        probability=y + residual,
        leverage=h,
        pearson=pearson,
        deviance=deviance,
        standardised_pearson=pearson / left,
        standardised_deviance=deviance / left,
        cook=(pearson / left**2) ** 2 * h / len(inverse),
        dispersion=float(pearson @ pearson) / df_resid if df_resid > 0 else np.nan,
        _y=y,
        _weight=weight,
    )
