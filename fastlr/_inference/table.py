"""Estimates with their errors, and what can be said of them without the data."""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from .._validation import check_number
from ..estimators.classifier import reader_of
from ..fits.one import quiet_team
from .likelihood import likelihood_of
from .ratios import PseudoR2, odds_ratios
from .summary import Summary, frame


def check_level(level):
    """A level of confidence, in (0, 1), and the quantile of a standard normal distribution that goes with it."""
    level = check_number(level, "level", low=0.0, high=1.0, inclusive=False)
    if level == 1.0:
        raise ValueError("level must be < 1, got 1.0")
    return level, float(ndtri(0.5 + 0.5 * level))


class Setting(NamedTuple):
    """What an inference was asked for.

    Attributes
    ----------
    names : list of str
        Of a row of parameters.
    n_samples : float
    cov_type : str
    counts : bool
        Whether weights are frequencies.
    n_threads : int
    """

    names: list
    n_samples: float
    cov_type: str
    counts: bool
    n_threads: int


class Table:
    """Estimates and their errors; see `Inference`."""

    def __init__(self, model, problem, likelihood, optimum, covariance, setting):
        classes = model.classes_
        self._problem, self._n_threads, self._base = problem, setting.n_threads, likelihood.base
        self._counts, self._reader, self._order = setting.counts, reader_of(model), likelihood.order
        names, n_samples = setting.names, setting.n_samples
        self._shape = (len(names),) if likelihood.n_rows == 1 else (likelihood.n_rows, len(names))
        self.names, self.classes, self.base = names, classes, classes[likelihood.base]
        self.cov_type, self.n_samples, self.C = setting.cov_type, n_samples, problem.C
        self.covariance, self.information, self._inverse = covariance, optimum.information, optimum.inverse
        self._params, self._is_firth = optimum.params, model.penalty == "firth"
        self.coef = optimum.params.reshape(self._shape)
        self.std_err = np.sqrt(covariance.diagonal()).reshape(self._shape)
        self.z = self.coef / self.std_err
        self.p_values = 2.0 * ndtr(-np.abs(self.z))
        tjur = likelihood.tjur()
        self.log_likelihood, self.log_likelihood_null = optimum.log_likelihood, likelihood.null()[1]
        n_params = len(optimum.params)
        penalised = np.isfinite(problem.C)
        self.penalty = "firth" if self._is_firth else ("l2" if penalised else None)
        self.effective_df = float(np.vdot(self._inverse, self.information) if penalised else n_params)
        self.df_model = self.effective_df - likelihood.n_rows * problem.fit_intercept
        self.df_resid = n_samples - self.effective_df
        self.aic = 2.0 * (self.effective_df - self.log_likelihood)
        self.bic = float(np.log(n_samples)) * self.effective_df - 2.0 * self.log_likelihood
        self.pseudo_r2 = PseudoR2.of(self.log_likelihood, self.log_likelihood_null, n_samples, tjur)

    def __getstate__(self):
        return {**vars(self), "_problem": None}

    @property
    def n_rows(self):
        """Of parameters: one for two classes, else one for each class but the base."""
        return len(self.classes) - 1

    @property
    def compared(self):
        """Labels of the rows of parameters: the classes but the base."""
        return np.delete(self.classes, self._base)

    @contextmanager
    def at_optimum(self):
        """Context of the likelihood of the data, evaluated at the optimum: for the methods, one pass."""
        if self._problem is None:
            raise ValueError("this needs X and y, which stayed behind when the Inference was pickled: make it again")
        with quiet_team(self._n_threads) as team:
            likelihood = likelihood_of(self._problem, self._base, team, firth=self._is_firth)
            likelihood.evaluate(self._params)
            yield likelihood

    def _whole(self):
        """Coefficients with intercepts, last, and their covariance, 0 where there is no intercept."""
        n_features = self._reader.n_features_in_
        coefs = np.zeros((self.n_rows, n_features + 1))
        coefs.ravel()[self._order] = self._params
        covariance = np.zeros((coefs.size, coefs.size))
        covariance[np.ix_(self._order, self._order)] = self.covariance
        return coefs, covariance

    def conf_int(self, level=0.95):
        """Wald intervals, coef -+ quantile * std_err.

        Parameters
        ----------
        level : float, default=0.95
            In (0, 1).

        Returns
        -------
        float64 array of shape (..., 2)
            Of parameters: the lower and the upper end.
        """
        _, quantile = check_level(level)
        return np.stack([self.coef - quantile * self.std_err, self.coef + quantile * self.std_err], axis=-1)

    def odds_ratios(self, level=0.95):
        """exp(coef), with the ends of `conf_int`.

        Returns
        -------
        float64 array of shape (..., 3)
            Of parameters: the ratio, the lower and the upper end.
        """
        return odds_ratios(np.concatenate([self.coef[..., None], self.conf_int(level)], axis=-1))

    def to_frame(self, level=0.95):
        """The table as a DataFrame, a row for each parameter.

        Returns
        -------
        pandas.DataFrame
            Columns "coef", "std_err", "z", "p_value", "lower", "upper", and "odds_ratio" with its own ends.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame(self, level)

    def summary(self, level=0.95):
        """The table as people know it.

        Returns
        -------
        Summary
            Prints itself, in a notebook as HTML; ``to_latex()`` makes LaTeX of it.
        """
        return Summary(self, check_level(level)[0])

    def _repr_html_(self):
        return self.summary()._repr_html_()

    def to_latex(self, level=0.95):
        """The coefficients as a tabular of LaTeX, which needs the package booktabs.

        Returns
        -------
        str
        """
        return self.summary(level).to_latex()
