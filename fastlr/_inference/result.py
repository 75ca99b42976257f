"""What `fastlr.inference` returns."""

from contextlib import contextmanager

import numpy as np
from scipy.special import ndtr, ndtri

from .._validation import check_number
from ..fits.one import quiet_team
from . import hypotheses
from .likelihood import likelihood_of
from .ratios import PseudoR2, odds_ratios
from .summary import Summary, frame


def check_level(level):
    """A level of confidence, in (0, 1), and the quantile of a standard normal distribution that goes with it."""
    level = check_number(level, "level", low=0.0, high=1.0, inclusive=False)
    if level == 1.0:
        raise ValueError("level must be < 1, got 1.0")
    return level, float(ndtri(0.5 + 0.5 * level))


class Inference:
    """Errors, tests and intervals of a fitted model; from `fastlr.inference`.

    Arrays of parameters have the shape (n_params,) for two classes, else (n_classes - 1, n_params): a row for each
    class but the base. The intercept, "const", comes first. An `Inference` holds on to the X and y it was made from,
    uncopied; when it is pickled they are left behind, with all that needs them.

    Attributes
    ----------
    names : list of str
        Of the parameters of a row: "const" and the columns of X, "x0", "x1", ... where these have no names.
    classes : array of shape (n_classes,)
    base : label
        The class that others are compared with.
    coef, std_err, z, p_values : float64 arrays of parameters
        Estimates, their standard errors, their ratio, and its two-sided p-value by a standard normal distribution.
    covariance : float64 array of shape (n, n)
        Of all n parameters, row after row.
    cov_type : str
    information : float64 array of shape (n, n)
        Minus the second derivative of the log-likelihood.
    n_samples : float
        The sum of frequencies, or the number of samples that weigh anything.
    C : float
        Of the penalty, inf for none.
    log_likelihood, log_likelihood_null : float
        Of the model, and of the one with an intercept alone, or without anything where the model has no intercept.
    effective_df : float
        Trace of the hat matrix: the number of parameters where there is no penalty.
    df_model, df_resid : float
        `effective_df` less the intercepts, and `n_samples` less `effective_df`.
    aic, bic : float
        -2 `log_likelihood` plus 2, or log(`n_samples`), times `effective_df`.
    pseudo_r2 : PseudoR2
        McFadden's, Cox and Snell's, Nagelkerke's, Tjur's.
    """

    def __init__(self, problem, likelihood, optimum, covariance, *, names, classes, n_samples, cov_type, n_threads):
        self._problem, self._n_threads, self._base = problem, n_threads, likelihood.base
        self._shape = (len(names),) if likelihood.n_rows == 1 else (likelihood.n_rows, len(names))
        self.names, self.classes, self.base = names, classes, classes[likelihood.base]
        self.cov_type, self.n_samples, self.C = cov_type, n_samples, problem.C
        self.covariance, self.information, self._inverse = covariance, optimum.information, optimum.inverse
        self._params = optimum.params
        self.coef = optimum.params.reshape(self._shape)
        self.std_err = np.sqrt(covariance.diagonal()).reshape(self._shape)
        self.z = self.coef / self.std_err
        self.p_values = 2.0 * ndtr(-np.abs(self.z))
        self.log_likelihood, self.log_likelihood_null = optimum.log_likelihood, likelihood.null()[1]
        n_params = len(optimum.params)
        penalised = np.isfinite(problem.C)
        self.effective_df = float(np.vdot(self._inverse, self.information) if penalised else n_params)
        self.df_model = self.effective_df - likelihood.n_rows * problem.fit_intercept
        self.df_resid = n_samples - self.effective_df
        self.aic = 2.0 * (self.effective_df - self.log_likelihood)
        self.bic = float(np.log(n_samples)) * self.effective_df - 2.0 * self.log_likelihood
        self.pseudo_r2 = PseudoR2.of(self.log_likelihood, self.log_likelihood_null, n_samples, likelihood.tjur())

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
            likelihood = likelihood_of(self._problem, self._base, team)
            likelihood.evaluate(self._params)
            yield likelihood

    def _require(self, what, *, two_classes=False):
        """Raise ValueError for what is for fits without a penalty, or for two classes."""
        if np.isfinite(self.C):
            raise ValueError(f"{what} is for fits without a penalty, C=np.inf, got C={self.C:g}")
        if two_classes and self.n_rows > 1:
            raise ValueError(f"{what} is for two classes, got {len(self.classes)}")

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

    def wald_test(self, R, q=0.0):
        """Test of R params = q by the distance of the estimates from it.

        Parameters
        ----------
        R : array-like of shape (m, n) or (n,), str, or list of str
            Of all n parameters, row after row; or names, of those that are to be 0 (in the rows of all classes).
        q : float or array-like of shape (m,), default=0.0

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        TypeError, ValueError
            If R or q are malformed, or what they say is not independent of each other.
        """
        R, q = hypotheses.restrictions(R, q, self.names, self.n_rows)
        return hypotheses.wald(self._params, self.covariance, R, q)

    def lr_test(self, other=None):
        """Likelihood-ratio test of a model against one that is nested in it.

        Parameters
        ----------
        other : Inference, optional
            Of some of the columns, from the same samples; by default the null model of `log_likelihood_null`.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        TypeError, ValueError
            If `other` is no model nested in this, as far as can be seen, or a fit has a penalty.
        """
        self._require("lr_test")
        if other is None:
            return hypotheses.likelihood_ratio(self.log_likelihood, self.log_likelihood_null, int(self.df_model))
        if not isinstance(other, Inference):
            raise TypeError(f"other must be an Inference, got {type(other).__name__}")
        other._require("lr_test")
        df = len(self._params) - len(other._params)
        same = self.n_samples == other.n_samples and np.array_equal(self.classes, other.classes)
        if not (same and df > 0 and set(other.names) < set(self.names)):
            raise ValueError("other must be a model of the same samples with some of this one's columns")
        return hypotheses.likelihood_ratio(self.log_likelihood, other.log_likelihood, df)

    def score_test(self, Z=None):
        """Score test that all features, or columns to be added, have coefficients 0: no fit with them is needed.

        Parameters
        ----------
        Z : array-like or sparse matrix of shape (n_samples, m), optional
            Columns that are not in the model, for two classes. By default the features that are.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        TypeError, ValueError
            If Z is malformed, or collinear with X, or the fit has a penalty.
        """
        self._require("score_test", two_classes=Z is not None)
        with self.at_optimum() as likelihood:
            if Z is None:
                return hypotheses.score_of_slopes(likelihood)
            return hypotheses.score_of_added(likelihood, self._inverse, Z, jointly=True)

    def score_scan(self, Z):
        """Score tests of many columns, each added to the model by itself: one pass over X and one over Z.

        Parameters
        ----------
        Z : array-like or sparse matrix of shape (n_samples, m)

        Returns
        -------
        TestResult
            statistic and p_value are arrays of shape (m,); 0 and 1 for columns that those of X make up.

        Raises
        ------
        TypeError, ValueError
            If Z is malformed, or the fit has a penalty or more than two classes.
        """
        self._require("score_scan", two_classes=True)
        with self.at_optimum() as likelihood:
            return hypotheses.score_of_added(likelihood, self._inverse, Z, jointly=False)

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
