"""The scikit-learn estimator: validate, encode labels, let a solver run, store."""

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from .._validation import check_flag, check_number
from ..fits.firth import fit_firth
from ..fits.one import Interrupted, fit
from ..solvers import SOLVERS
from ..sources import source_of
from .blocks import dtype_of, read_blocks, set_features
from .callbacks import Told, with_callbacks
from .classifier import LogisticModel
from .labels import problem_of
from .messages import Report, warn_not_converged, warn_of_collinear, warn_of_separation
from .parameters import check_multi_class, check_options, check_penalty, check_unused

_logger = logging.getLogger("fastlr")


class LogisticRegression(LogisticModel):
    """Logistic regression at its exact optimum, with a certificate.

    Minimises scikit-learn's objective, C sum_i s_i loss(x_i . w + b, y_i) + |w|^2 / 2, with the intercept b never
    penalised, and for more than two classes the softmax loss with coefficients for each class, until the objective is
    certified to be within `tol` of the optimum. Dense X of float64, float32, uint8, int8 and bool, in C or Fortran
    order, and CSR X of float64 and float32 are read as they stand: no converted copy is made, but of small X; of large
    X an eighth of the rows is sampled. Other sparse formats are converted to CSR once.

    A class of y whose samples all weigh 0 stays in `classes_`. With an intercept the model is then the limit of small
    weights: the class has coefficients 0, an intercept that leaves it a probability of at most 2e-16, and all else is
    as in a fit without it.

    Parameters
    ----------
    penalty : {"deprecated", "l2", "l1", "elasticnet", None, "none", "firth"}, default="deprecated"
        For code written before scikit-learn 1.8: "l2" is ``l1_ratio=0``, "l1" is ``l1_ratio=1``, None and "none" are
        ``C=np.inf``. "firth", for two classes, takes the first term of the bias out of the estimates of maximum
        likelihood and makes them finite where classes are separated; C is not looked at. The formula and its sources
        are in ``fastlr/objectives/firth.py``.
    C : float, default=1.0
        Inverse strength of the penalty, > 0; ``np.inf`` for no penalty.
    l1_ratio : float or None, default=0.0
        In [0, 1]: the share of the L1 penalty, ``C * loss + l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2`` being
        minimised; None is 0, the L2 penalty. With more, coefficients of features that are not needed are exactly 0.
    dual : bool, default=False
        Must be False, but with "liblinear".
    tol : float, default=1e-6
        Certified relative gap at which a fit ends: (f - f*) / f* <= tol, for every solver. 0 asks for as little as
        rounding allows.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    intercept_scaling : float, default=1
        Must be 1.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights. "balanced" gives all classes that
        have any the same total weight.
    solver : str, default="auto"
        "auto" chooses by the shape of X, the number of classes and the penalty; "gram_newton", for two classes,
        "interior_point", for more, "newton_cholesky", "newton_cg", "preconditioned_lbfgs" and, with an L1 penalty,
        "prox_newton" ask for an algorithm. All names of scikit-learn's solvers are accepted and mean "auto": the
        optimum is the same, but for "liblinear", which in scikit-learn penalises the intercept and, before 1.8, fits
        many classes one by one. `solver_` tells which algorithm ran.
    max_iter : int, default=100
        Newton steps at most; ten steps of L-BFGS count as one.
    multi_class : {"deprecated", "auto", "ovr", "multinomial"}, default="deprecated"
        For code written before scikit-learn 1.8, where it names the model there is: "ovr" for two classes,
        "multinomial" for more.
    warm_start : bool, default=False
        Start from the coefficients of the last fit; or, where X is in blocks and Ctrl-C ended that, from the best that
        it had seen.
    n_jobs : int or None, default=None
        Threads of a fit; -1 for all cores. None takes what the process is allowed, but one thread inside joblib
        workers and outside the main thread. The result is the same, bit for bit, for any number.
    verbose : int, default=0
        1 prints a line per iteration; where X is in blocks that this process reads, and tqdm is installed, a line
        shows how far each pass is.
    random_state : int, RandomState or None, default=None
        Accepted and not needed: a fit draws no random numbers.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; float32 for float32 X, else float64. One row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; of two, the second is the positive one.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has feature names that are all strings.
    n_iter_ : ndarray of shape (1,)
        Steps taken, counted as for `max_iter`.
    objective_ : float
        f at the optimum: mean weighted loss + |w|^2 / (2 C S), S the sum of the weights. That is scikit-learn's
        objective divided by C S.
    gap_ : float
        Certified bound on (f - f*) / f*, see `fastlr.objectives`; inf if none could be given: without a penalty,
        "newton_cg" and "preconditioned_lbfgs" stop at an estimate of it and certify nothing, as fits with
        "firth" do. It holds up to the rounding of raw predictions: for float32 X about 1e-7 of sum_j |x_ij w_j|,
        unless float32 could not reach `tol` and the fit went on in float64.
    n_passes_ : int
        How often X was read.
    history_ : list of dict
        A record per iteration: "iteration", "value", "gradient_norm", "gap", "n_passes"; with an L1 penalty "n_active"
        as well, the number of features with a coefficient that is not 0.
    solver_ : str
        The algorithm that ran; "none" where a single class has weight.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from fastlr import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> bool(model.gap_ <= 1e-6)
    True
    """

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: dict | str | None = None,
        solver: str = "auto",
        max_iter: int = 100,
        multi_class: str = "deprecated",
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.multi_class = multi_class
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None, proportions: bool = False
    ) -> "LogisticRegression":
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or blocks of rows
            Real, finite. Blocks are read anew for each pass: an array of h5py, Zarr or xarray; Parquet files, as paths
            or a `pyarrow.dataset.Dataset`; or a callable that returns a fresh iterator of (X, y) or
            (X, y, sample_weight), X dense or CSR.
        y : array-like of shape (n_samples,)
            Labels of two classes or more, of any kind. For Parquet files the name of a column; None for a callable.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, or one number for all. Weight k is k copies, weight 0 is absence. For Parquet files the name
            of a column; None for a callable.
        offset : array-like of shape (n_samples,), default=None
            For two classes: a part of the raw predictions that is given, as by a column with its coefficient held
            at 1, or one number for all. Predictions are those without it. Not for X in blocks.
        proportions : bool, default=False
            Whether y holds numbers in [0, 1], proportions of events say with their counts as weights, and not labels;
            `classes_` is then [0, 1]. Not for X in blocks.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; the message names it, and the block and row if X comes
            in blocks. The estimator is then as before.
        OSError
            If a file cannot be read.
        KeyboardInterrupt
            By Ctrl-C. The estimator is as before, but that `warm_start` goes on where a fit to blocks had arrived.
        """
        try:
            with self._unchanged_on_failure():
                return self._fit(X, y, sample_weight, offset, check_flag(proportions, "proportions"))
        except Interrupted as interrupt:
            if self.warm_start:
                self._reached = interrupt.coef
            raise

    @with_callbacks
    def _fit(self, X, y, sample_weight, offset, proportions):
        (C, l1_ratio), options = self._check_parameters()
        verbose = options.pop("progress")
        fit_intercept = options.pop("fit_intercept")
        data = X, y, sample_weight, offset, proportions
        problem, classes, dtype, finite = self._problem(*data, (C, fit_intercept, l1_ratio))
        check_multi_class(self.multi_class, len(classes))
        start = self._start(len(classes), problem.X.shape[1])
        told = Told(self, X, y, sample_weight)
        report = Report(told, verbose, problem)
        options.update(start=start, report=report)
        try:
            with finite:
                if self.penalty == "firth":
                    end = fit_firth(problem, **options)
                else:
                    end = fit(problem, solver=self.solver, dtype=dtype, **options)
        except Interrupted as interrupt:
            interrupt.args = (report.of_interrupt(self.warm_start),)
            raise
        result = end.result
        collinear = self._named(end.collinear)
        if end.separation is not None:
            features, apart = end.separation
            warn_of_separation(self._named(features), classes[apart])
        elif not result.converged:
            warn_not_converged(result, np.isinf(C), collinear, options["tol"], options["max_iter"])
        elif collinear:
            warn_of_collinear(collinear)
        with np.errstate(over="ignore"):
            coef = result.coef.astype(dtype)
        if not np.isfinite(coef).all():
            raise ValueError(f"The coefficients overflow {coef.dtype}: scale X up, or pass it as float64")

        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(coef[:, :-1])
        self.intercept_ = coef[:, -1].copy()
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self.objective_ = result.value
        self.gap_ = result.gap
        self.n_passes_ = end.n_passes
        self.history_ = result.history
        self.solver_ = end.solver
        vars(self).pop("_reached", None)
        told.end()
        return self

    def _problem(self, X, y, sample_weight, offset, proportions, terms):
        """What is minimised, classes, the dtype of coefficients, and a context for X that is not finite.

        `terms` are C, fit_intercept and l1_ratio.
        """
        source = source_of(X, y, sample_weight)
        if source is None:
            data = self._read(X, y, proportions=proportions)
            problem = problem_of(data, sample_weight, offset, self.class_weight, proportions)
            C, fit_intercept, l1_ratio = terms
            problem = replace(problem, C=C, fit_intercept=fit_intercept, l1_ratio=l1_ratio)
            return problem, data.classes, data.dtype, self._finite(data.X)
        asked = {"offset": offset is not None, "proportions": proportions, 'penalty="firth"': self.penalty == "firth"}
        for name in [name for name, is_asked in asked.items() if is_asked]:
            raise ValueError(f"{name} is not for X in blocks, which are read anew for each pass: pass X in memory")
        problem, classes = read_blocks(source, self.class_weight, *terms)
        set_features(self, source)
        return problem, classes, dtype_of(source), nullcontext()

    def _named(self, places):
        """Names of the features at some places, n_features for the intercept; without any, none are made."""
        names = [*self._names(), "the intercept"] if len(places) else []
        return [names[place] for place in places]

    def _start(self, n_classes, n_features):
        """Coefficients of the last fit, where it is to be continued; else None."""
        if not self.warm_start:
            return None
        shape = (1 if n_classes == 2 else n_classes, n_features)
        reached = getattr(self, "_reached", None)
        if reached is not None and reached.shape == (shape[0], n_features + 1):
            return reached * np.append(np.ones(n_features), float(self.fit_intercept))
        if not hasattr(self, "coef_"):
            return None
        coef = self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_
        if coef.shape != shape:
            raise ValueError(f"warm_start needs the shape of the last fit's coef_, {coef.shape}, got {shape}")
        intercept = self.intercept_ if self.fit_intercept else np.zeros(shape[0])
        return np.column_stack([coef, intercept]).astype(np.float64)

    def _check_parameters(self):
        C = check_number(self.C, "C", low=0.0, high=np.inf, inclusive=False)
        check_unused(self, SOLVERS)
        check_flag(self.warm_start, "warm_start")
        options = check_options(self.fit_intercept, self.tol, self.max_iter, self.n_jobs, self.verbose)
        penalty = check_penalty(self.penalty, self.l1_ratio, C)
        if self.penalty == "firth" and self.solver in SOLVERS:
            raise ValueError(f'solver="{self.solver}" is not for penalty="firth": pass solver="auto"')
        return penalty, options
