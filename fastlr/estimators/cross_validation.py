"""Choosing C by cross-validation: all folds and all values of C are one problem of many fits."""

import inspect
from collections.abc import Iterable

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from .._validation import as_real, check_flag
from ..fits.many import fold_weight, solve_many
from ..fits.wide import SharedGram
from .classifier import LogisticModel
from .fit_many import check_Cs, check_folds, check_options
from .held_out import HeldOut, accuracy, neg_log_loss
from .labels import combine_weights
from .leave_one_out import LeaveOneOut


class LogisticRegressionCV(LogisticModel):
    """Logistic regression with C chosen by cross-validation.

    Takes scikit-learn's parameters and has the attributes that ``use_legacy_attributes=False`` gives there. A fold is
    a set of sample weights, 0 for what is held out: X is never copied. Fits start from one another, along a rising
    C and across folds, and each is certified as those of `LogisticRegression` are.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty to choose from, > 0, ``np.inf`` for none; a number of them means so many from
        1e-4 to 1e4.
    l1_ratios : array-like, default=(0.0,)
        Must hold 0 alone: the penalty is L2.
    fit_intercept : bool, default=True
        Whether the models have an intercept.
    cv : int, splitter, iterable or "loo", default=None
        As in scikit-learn: None means five stratified folds. "loo" is leave-one-out, approximately: one Newton step
        for each sample from the optimum of all, with one Hessian for each C, in place of a fit for each sample. All
        samples then make one fold. For a scorer that looks at predictions alone.
    scoring : str, callable or None, default="neg_log_loss"
        A name or a scorer of scikit-learn, or any ``scorer(estimator, X, y)``; None for accuracy. The default is the
        one scikit-learn is going to have.
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
        1 shows a progress bar (needs tqdm).
    refit : bool, default=True
        Fit all data with the C of the best mean score. Otherwise the coefficients are the mean of those of the folds,
        each at its own best C.
    random_state : int, RandomState or None, default=None
        Accepted and not needed: fits draw no random numbers.
    use_legacy_attributes : bool, default=False
        Must be False.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    C_ : float
        The C that was chosen; without `refit`, the mean of those of the folds.
    l1_ratio_ : float
        0.
    Cs_ : ndarray of shape (n_Cs,)
    l1_ratios_ : ndarray of shape (1,)
    scores_ : ndarray of shape (n_folds, 1, n_Cs)
        NaN for a fold that could not be fitted or scored, which is then left out of the choice.
    coefs_paths_ : ndarray of shape (n_folds, 1, n_Cs, n_classes or 1, n_features + 1)
        Intercepts last; without an intercept n_features numbers.
    n_iter_ : ndarray of shape (n_folds, 1, n_Cs)
        Steps taken.
    gaps_ : ndarray of shape (n_folds, 1, n_Cs)
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
    >>> model = LogisticRegressionCV(cv=5).fit(X, y)
    >>> model.scores_.shape
    (5, 1, 10)
    """

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios=(0.0,),
        fit_intercept=True,
        cv=None,
        scoring="neg_log_loss",
        tol=1e-6,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        random_state=None,
        use_legacy_attributes=False,
    ):
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.scoring = scoring
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes

    def fit(self, X, y, sample_weight=None, **params):
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

    def _fit(self, X, y, sample_weight, params):
        Cs, options = self._check_parameters()
        options["gram"] = SharedGram()
        data = self._read(X, y)
        weight = combine_weights(sample_weight, self.class_weight, data.classes, data.codes)
        routed = self._route("fit", sample_weight, params)
        n_samples = len(data.codes)
        if isinstance(self.cv, str) and self.cv == "loo":
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
            fits = solve_many(data, len(folds), weight_of, Cs, **options)
        self.classes_ = data.classes
        self.Cs_ = Cs
        self.l1_ratios_ = np.zeros(1)
        self.l1_ratio_ = 0.0
        self.n_iter_ = fits.n_iters[:, None]
        self.gaps_ = fits.gaps[:, None]
        paths = np.concatenate([fits.coefs, fits.intercepts[..., None]], axis=-1)
        self.coefs_paths_ = paths[:, None] if self.fit_intercept else fits.coefs[:, None]
        score = self._score_function(data.classes)
        self.scores_ = held_out.scores(fits, score, routed.scorer.score)[:, None]
        self._choose(data, fits, weight, options)
        fits.warn_of_failures("fold", stacklevel=4)
        return self

    def _choose(self, data, fits, weight, options):
        """Set `C_`, `coef_` and `intercept_`."""
        scores = self.scores_[:, 0]
        scored = ~np.isnan(scores).any(axis=1)
        if not scored.any():
            raise ValueError("no fold could be fitted and scored: " + "; ".join(dict.fromkeys(fits.failures.values())))
        if not self.refit:
            folds, best = np.flatnonzero(scored), scores[scored].argmax(axis=1)
            self.C_ = float(self.Cs_[best].mean())
            self.coef_ = fits.coefs[folds, best].mean(axis=0)
            self.intercept_ = fits.intercepts[folds, best].mean(axis=0)
            return
        best = int(scores[scored].sum(axis=0).argmax())
        self.C_ = float(self.Cs_[best])
        with self._finite(data.X):
            # What the folds have in common is near.
            start = np.column_stack([fits.coefs[scored, best].mean(axis=0), fits.intercepts[scored, best].mean(axis=0)])
            options = {**options, "progress": False, "start": start}
            last = solve_many(data, 1, lambda k: weight, self.Cs_[best : best + 1], **options)
        last.warn_of_failures("all data", stacklevel=5)
        self.coef_, self.intercept_ = last.coefs[0, 0], last.intercepts[0, 0]
        self.gap_, self.objective_ = float(last.gaps[0, 0]), float(last.objectives[0, 0])

    def _check_parameters(self):
        Cs = check_Cs(self.Cs)
        ratios = as_real(self.l1_ratios, "l1_ratios")
        if ratios.shape != (1,) or ratios[0] != 0.0:
            raise ValueError(f"l1_ratios must be (0.0,): only the L2 penalty is available, got {self.l1_ratios!r}")
        check_flag(self.refit, "refit")
        if check_flag(self.use_legacy_attributes, "use_legacy_attributes"):
            raise ValueError("use_legacy_attributes must be False: the attributes are scikit-learn's newer ones")
        return Cs, check_options(self.fit_intercept, self.tol, self.max_iter, self.n_jobs, self.verbose)

    def score(self, X, y, *, sample_weight=None, **params):
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

    def get_metadata_routing(self):
        """How metadata reach the splitter and the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=None if isinstance(self.cv, str) else self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
            .add(
                scorer=self._get_scorer(),
                method_mapping=MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score"),
            )
        )

    def _route(self, method, sample_weight, params):
        """What splitter and scorer are given: sample weights to the scorer, or as metadata routing says."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if get_config().get("enable_metadata_routing"):
            return process_routing(self, method, **weights, **params)
        if params:
            raise ValueError(
                f"{', '.join(params)} can be passed to {method} only with "
                "sklearn.set_config(enable_metadata_routing=True)"
            )
        return Bunch(splitter=Bunch(split={}), scorer=Bunch(score=weights))

    def _get_scorer(self):
        return get_scorer("accuracy" if self.scoring is None else self.scoring)

    def _score_function(self, classes):
        """The scorer, told which classes there are, as a fold need not hold all; or the same in a few lines."""
        if self.scoring is None or (isinstance(self.scoring, str) and self.scoring == "accuracy"):
            return accuracy
        if isinstance(self.scoring, str) and self.scoring == "neg_log_loss":
            return neg_log_loss
        scorer = self._get_scorer()
        if not hasattr(scorer, "_score_func"):
            return scorer
        accepted = inspect.signature(scorer._score_func).parameters
        if "labels" not in accepted:
            return scorer
        known = {"labels": classes}
        if len(classes) == 2 and "pos_label" in accepted:
            known["pos_label"] = classes[1]
        return make_scorer(
            scorer._score_func,
            greater_is_better=scorer._sign == 1,
            response_method=scorer._response_method,
            **{**known, **scorer._kwargs},
        )
