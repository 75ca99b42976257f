"""Choosing C by cross-validation: all folds and all values of C are one problem of many fits."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from .._validation import check_flag, check_sample_weight
from ..fits.many import fold_weight, solve_many
from ..fits.wide import SharedGram
from .callbacks import Told, with_callbacks
from .classifier import LogisticModel
from .cv_attributes import DEFAULTS, resolve, to_legacy
from .fit_many import check_Cs, check_folds
from .held_out import HeldOut, score_function
from .labels import combine_weights
from .leave_one_out import LeaveOneOut
from .parameters import check_l1_ratios, check_multi_class, check_options, check_unused
from .routing import Routing


class LogisticRegressionCV(Routing, LogisticModel):
    """Logistic regression with C chosen by cross-validation.

    Takes scikit-learn's parameters, with the defaults, warnings and attributes of the installed version. A fold is a
    set of sample weights, 0 for what is held out: X is never copied. Fits start from one another, along a rising C and
    across folds, and each is certified as those of `LogisticRegression` are. A class that a fold lacks has no
    probability there, and every fold is scored with the labels of all of y.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty to choose from, > 0, ``np.inf`` for none; a number of them means so many from
        1e-4 to 1e4.
    l1_ratios : array-like of shape (n_l1_ratios,) or None
        Shares of the L1 penalty to choose from, in [0, 1]; None is (0,), the L2 penalty. Its default, as those of
        `scoring` and `use_legacy_attributes`, is the one of the installed scikit-learn.
    fit_intercept : bool, default=True
        Whether the models have an intercept.
    cv : int, splitter, iterable or "loo", default=None
        As in scikit-learn: None means five stratified folds. "loo" is leave-one-out, approximately: one Newton step
        for each sample from the optimum of all, with one Hessian for each C, in place of a fit for each sample. All
        samples then make one fold. For a scorer that looks at predictions alone.
    scoring : str, callable or None
        A name or a scorer of scikit-learn, or any ``scorer(estimator, X, y)``; None for accuracy.
    tol : float, default=1e-6
        Certified relative gap at which each fit ends.
    max_iter : int, default=100
        Newton steps at most, of each fit.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights. "balanced" counts all samples, those held out
        included, as in scikit-learn.
    n_jobs : int or None, default=None
        Threads, as in `LogisticRegression`. The result is the same, bit for bit, for any number.
    verbose : int, default=0
        1 shows a progress bar, or prints lines where tqdm is not installed.
    refit : bool, default=True
        Fit all data with the C of the best mean score. Otherwise the coefficients are the mean of those of the folds,
        each at its own best C.
    random_state : int, RandomState or None, default=None
        Accepted and not needed: fits draw no random numbers.
    use_legacy_attributes : bool
        True for the attributes of scikit-learn up to 1.9: `scores_` and `coefs_paths_` are dictionaries by class (of
        two, the second alone) of arrays of shape (n_folds, n_Cs, ...), `C_` and `l1_ratio_` have an entry for each,
        `n_iter_` has shape (1, n_folds, n_Cs); where `l1_ratios` is given, an axis for it follows that of Cs. Below is
        what False gives.
    dual, penalty, solver, intercept_scaling, multi_class
        For code written for scikit-learn, as in `LogisticRegression`; `solver` is "auto" or one of scikit-learn's.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    C_ : float
        The C that was chosen; without `refit`, the mean of those of the folds.
    l1_ratio_ : float
        The share that was chosen; without `refit`, the mean of those of the folds.
    Cs_ : ndarray of shape (n_Cs,)
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        NaN for a fold that could not be scored, which is then left out of the choice.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_classes or 1, n_features + 1)
        Intercepts last; without an intercept n_features numbers.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Steps taken.
    gaps_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        Certified bounds on (f - f*) / f*, one for each fit.
    gap_, objective_ : float
        Those of the model that was refitted; only with `refit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has feature names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from fastlr import LogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegressionCV(cv=5, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False).fit(X, y)
    >>> model.scores_.shape
    (5, 1, 10)
    """

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = DEFAULTS["l1_ratios"],
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str = "deprecated",
        scoring: Any = DEFAULTS["scoring"],
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        class_weight: dict | str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        multi_class: str = "deprecated",
        random_state: Any = None,
        use_legacy_attributes: Any = DEFAULTS["use_legacy_attributes"],
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.multi_class = multi_class
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> "LogisticRegressionCV":
        """Fit all folds with all values of C, choose one, and fit all data with it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. They weigh in the scores as well, unless metadata routing says otherwise.
        **params : dict
            For the splitter and the scorer, ``groups`` say; needs ``set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; the message names it. The estimator is then as before.

        Warns
        -----
        ConvergenceWarning
            Once, if fits fail: it names folds and values of C.
        """
        with self._unchanged_on_failure():
            return self._fit(X, y, sample_weight, params)

    @with_callbacks
    def _fit(self, X, y, sample_weight, params):
        Cs, ratios, are_given, options = self._check_parameters()
        scoring = resolve("scoring", self.scoring, None)
        legacy = check_flag(resolve("use_legacy_attributes", self.use_legacy_attributes, True), "use_legacy_attributes")
        options["gram"] = SharedGram()
        told = Told(self, X, y, sample_weight)
        data = self._read(X, y)
        check_multi_class(self.multi_class, len(data.classes))
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(data.codes))
        weight = combine_weights(sample_weight, self.class_weight, data.classes, data.codes)
        routed = self._route("fit", sample_weight, params)
        n_samples = len(data.codes)
        if isinstance(self.cv, str) and self.cv == "loo":
            if ratios.any():
                raise ValueError(f'cv="loo" is for l1_ratios=(0,), whose Hessian it takes, got {self.l1_ratios!r}')
            folds = [(np.arange(n_samples), None)]
            held_out = LeaveOneOut(data, weight, Cs, options["fit_intercept"], options["n_threads"])
        else:
            folds = self.cv
            if isinstance(folds, str) or hasattr(folds, "split") or not isinstance(folds, Iterable):
                folds = check_cv(folds, data.y, classifier=True).split(data.X, data.y, **routed.splitter.split)
            folds = check_folds(folds, "cv", n_samples)
            held_out = HeldOut(data, [test for _, test in folds])

        def weight_of(k):
            return fold_weight(folds[k][0], n_samples, weight)

        with self._finite(data.X):
            fits = [solve_many(data, len(folds), weight_of, Cs, **options, l1_ratio=ratio) for ratio in ratios.tolist()]
        self.classes_ = data.classes
        self.Cs_ = Cs
        self.l1_ratios_ = ratios if are_given else np.array([None])
        self.n_iter_, self.gaps_, coefs, intercepts = (
            np.stack([getattr(part, name) for part in fits], axis=1)
            for name in ("n_iters", "gaps", "coefs", "intercepts")
        )
        self.coefs_paths_ = np.concatenate([coefs, intercepts[..., None]], axis=-1) if self.fit_intercept else coefs
        score = score_function(scoring, data.classes)
        self.scores_ = np.stack([held_out.scores(part, score, routed.scorer.score) for part in fits], axis=1)
        self._choose(data, ratios, np.concatenate([coefs, intercepts[..., None]], axis=-1), weight, options)
        if legacy:
            to_legacy(self, are_given)
        for part in fits:
            part.warn_of_failures("fold", stacklevel=4)
        told.end()
        return self

    def _choose(self, data, ratios, coefs, weight, options):
        """Set `C_`, `l1_ratio_`, `coef_` and `intercept_` from the fits of the folds."""
        # Of shape (n_folds, n_l1_ratios * n_Cs).
        scores, coefs = self.scores_.reshape(len(self.scores_), -1), coefs.reshape(len(coefs), -1, *coefs.shape[3:])
        scored = ~np.isnan(scores).any(axis=1)
        if not scored.any():
            warnings.warn("No fold could be scored: the first of Cs is taken", stacklevel=5)
            scores, scored = np.zeros_like(scores), ~scored
        best = scores[scored].sum(axis=0).argmax() if self.refit else scores[scored].argmax(axis=1)
        ratios, Cs = ratios[best // len(self.Cs_)], self.Cs_[best % len(self.Cs_)]
        self.C_, self.l1_ratio_ = float(Cs.mean()), float(ratios.mean())
        mean = coefs[scored, best].mean(axis=0)  # what the folds have in common
        if not self.refit:
            self.coef_, self.intercept_ = mean[:, :-1], mean[:, -1]
            return
        with self._finite(data.X):
            options = {**options, "progress": False, "start": mean, "l1_ratio": self.l1_ratio_}
            options["n_others"] = self.scores_.size
            last = solve_many(data, 1, lambda k: weight, Cs.reshape(1), **options)
        last.warn_of_failures("all data", stacklevel=5)
        self.coef_, self.intercept_ = last.coefs[0, 0], last.intercepts[0, 0]
        self.gap_, self.objective_ = float(last.gaps[0, 0]), float(last.objectives[0, 0])

    def _check_parameters(self):
        Cs = check_Cs(self.Cs)
        check_unused(self)
        check_flag(self.refit, "refit")
        l1_ratios = resolve("l1_ratios", self.l1_ratios, None)
        ratios = check_l1_ratios(self.penalty, l1_ratios)
        options = check_options(self.fit_intercept, self.tol, self.max_iter, self.n_jobs, self.verbose)
        return Cs, ratios, l1_ratios is not None, options

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, **params: Any) -> float:
        """Score of the predictions for X, by `scoring`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
        **params : dict
            For the scorer; needs ``set_config(enable_metadata_routing=True)``.

        Returns
        -------
        float
        """
        routed = self._route("score", sample_weight, params)
        return self._get_scorer()(self, X, y, **routed.scorer.score)
