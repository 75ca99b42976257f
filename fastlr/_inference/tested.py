"""Estimates with tests of hypotheses, and the intervals that are made of fits."""

import numpy as np
from sklearn.utils import check_random_state

from .._validation import check_choice, check_number
from . import added, bootstrap, hypotheses
from .profile import end_of_interval, restricted_fit
from .table import Table, check_level


class Tested(Table):
    """A `Table` with tests; see `Inference`."""

    def _require(self, what, *, or_firth=False):
        """Raise ValueError for what is for fits without a penalty, or with Firth's."""
        if not (self.penalty is None or (or_firth and self.penalty == "firth")):
            firth = " or with Firth's" if or_firth else ""
            raise ValueError(f"{what} is for fits without a penalty, C=np.inf,{firth} got penalty {self.penalty!r}")

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
        other : Inference, str or list of str, optional
            Of some of the columns, from the same samples; or names of parameters that are to be 0, in the rows of all
            classes, which takes a fit; by default the null model of `log_likelihood_null`.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        TypeError, ValueError
            If `other` is no model nested in this, as far as can be seen, or a fit has a penalty.
        """
        self._require("lr_test", or_firth=True)
        if other is None:
            return hypotheses.likelihood_ratio(self.log_likelihood, self.log_likelihood_null, int(self.df_model))
        if isinstance(other, (str, list, tuple)):
            held = hypotheses.places_of(other, "other", self.names, self.n_rows)
            with self.at_optimum() as likelihood:
                start = self._params.copy()
                start[held] = 0.0
                smaller = -restricted_fit(likelihood, start, held).value
            return hypotheses.likelihood_ratio(self.log_likelihood, smaller, len(held))
        if not isinstance(other, Tested):
            raise TypeError(f"other must be an Inference or names of parameters, got {type(other).__name__}")
        for one in (self, other):
            one._require("lr_test of two fits")
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
            Columns that are not in the model. By default the features that are.

        Returns
        -------
        TestResult
            statistic, df, p_value.

        Raises
        ------
        TypeError, ValueError
            If Z is malformed, or collinear with X, or the fit has a penalty.
        """
        self._require("score_test")
        with self.at_optimum() as likelihood:
            if Z is None:
                return hypotheses.score_of_slopes(likelihood)
            return added.score_of_added(likelihood, self._inverse, Z, jointly=True)

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
            If Z is malformed, or the fit has a penalty.
        """
        self._require("score_scan")
        with self.at_optimum() as likelihood:
            return added.score_of_added(likelihood, self._inverse, Z, jointly=False)

    def fit_added(self, Z):
        """Fits of the model with each of some columns added to it by itself: those that a scan has found, say.

        Parameters
        ----------
        Z : array-like or sparse matrix of shape (n_samples, m)

        Returns
        -------
        AddedFits
            coef and std_err of the column, without regard to `cov_type`; statistic and p_value of the likelihood-ratio
            test against the model without it, df.

        Raises
        ------
        TypeError, ValueError
            If Z is malformed, or the fit has a penalty.
        """
        self._require("fit_added")
        with self.at_optimum() as likelihood:
            best = self._params, self.log_likelihood
            return added.fits_with_added(self._problem, likelihood, best, Z)

    def profile_conf_int(self, names=None, level=0.95):
        """Intervals of values that a likelihood-ratio test would not reject: each end takes a few fits, warm ones.

        They hold in small samples and far from 0, where those of `conf_int` do not.

        Parameters
        ----------
        names : str or list of str, optional
            Of parameters, in the rows of all classes; by default all.
        level : float, default=0.95

        Returns
        -------
        float64 array of shape (n_names, 2) or (n_classes - 1, n_names, 2)
            The lower and the upper end.

        Raises
        ------
        TypeError, ValueError
            If a name is unknown, or the fit has a penalty.
        """
        _, quantile = check_level(level)
        self._require("profile_conf_int", or_firth=True)
        places = hypotheses.places_of(self.names if names is None else names, "names", self.names, self.n_rows)
        with self.at_optimum() as likelihood:
            best = self._params, -self.log_likelihood
            ends = [
                end_of_interval(likelihood, best, self._inverse, place, side * quantile)
                for place in places
                for side in (-1.0, 1.0)
            ]
        shape = (self.n_rows,) if self.n_rows > 1 else ()
        return np.reshape(ends, (*shape, -1, 2))

    def bootstrap_conf_int(self, n_draws=1_000, level=0.95, *, kind="bca", random_state=None):
        """Intervals from fits to samples drawn with replacement, all of which share X.

        Parameters
        ----------
        n_draws : int, default=1000
        level : float, default=0.95
        kind : {"bca", "percentile"}, default="bca"
            Whether to allow for bias and skewness; the formulas are in ``fastlr/_inference/bootstrap.py``.
        random_state : int, RandomState or None, default=None

        Returns
        -------
        float64 array of shape (..., 2)
            Of parameters: the lower and the upper end.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or fewer than two draws have estimates.

        Warns
        -----
        ConvergenceWarning
            Once, if draws have no estimates, as their classes are separated: the intervals are those of the others.
        """
        check_level(level)
        check_choice(kind, "kind", bootstrap.KINDS)
        n_draws = check_number(n_draws, "n_draws", low=2, integer=True)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        with self.at_optimum() as likelihood:
            problem = self._problem
            acceleration = bootstrap.accelerations(likelihood, self._inverse, counts=self._counts)
            weight_of = bootstrap.drawn_weights(
                problem.sample_weight, len(problem.codes), counts=self._counts, seed=seed
            )
            options = {"n_draws": n_draws, "n_threads": self._n_threads}
            estimates, fits = bootstrap.draws(problem, self.classes, likelihood, self._params, weight_of, **options)
        fits.warn_of_failures("draw")
        good = np.ones(n_draws, bool)
        good[[draw for draw, _ in fits.failures]] = False
        if good.sum() < 2:
            raise ValueError("fewer than two draws have estimates")
        ends = bootstrap.intervals(estimates[good], self._params, acceleration, kind, level)
        return ends.reshape(*self._shape, 2)
