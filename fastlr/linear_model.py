"""The scikit-learn estimators: validate, encode labels, let a solver run, store."""

import logging
import warnings

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_is_fitted, validate_data

from ._blas import single_threaded_blas
from ._team import Team, effective_n_threads
from ._validation import (
    NATIVE_DTYPES,
    as_real,
    check_features,
    check_flag,
    check_number,
    check_sample_weight,
    refuse_masked,
)
from .design import DenseDesign
from .objective import LogisticObjective, l2_from_C
from .solvers import SOLVERS, choose

_SKLEARN_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")

_logger = logging.getLogger("fastlr")


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Binary logistic regression at its exact optimum, with a certificate.

    Minimises scikit-learn's objective, C sum_i s_i loss(x_i . w + b, y_i) + |w|^2 / 2, with the intercept b never
    penalised, until the objective is certified to be within `tol` of the optimum. X of float64, float32, uint8, int8
    and bool, in C or Fortran order, is read as it stands: no converted copy is made; of large X an eighth is sampled.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, > 0; ``np.inf`` for no penalty.
    l1_ratio : float, default=0.0
        Must be 0: the penalty is L2.
    tol : float, default=1e-6
        Certified relative gap at which a fit ends: (f - f*) / f* <= tol, for every solver.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into the sample weights. "balanced" gives all classes the same total weight.
    solver : str, default="auto"
        "auto" chooses by the shape of X; "gram_newton", "newton_cholesky" and "newton_cg" ask for an algorithm. All
        names of scikit-learn's solvers are accepted and mean "auto": the optimum is the same. `solver_` tells which
        algorithm ran.
    max_iter : int, default=100
        Newton steps at most.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    n_jobs : int or None, default=None
        Threads of a fit; -1 for all cores. None takes what the process is allowed, but one thread inside joblib
        workers and outside the main thread. The result is the same, bit for bit, for any number.
    verbose : int, default=0
        1 prints a line per iteration.
    random_state : int, RandomState or None, default=None
        Accepted and not needed: a fit draws no random numbers.
    penalty : {"l2", None}, default="l2"
        For code written before scikit-learn 1.8: None is ``C=np.inf``.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features)
        Coefficients; float32 for float32 X, else float64.
    intercept_ : ndarray of shape (1,)
    classes_ : ndarray of shape (2,)
        Labels, sorted; the second is the positive one.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has feature names that are all strings.
    n_iter_ : ndarray of shape (1,)
        Newton steps taken.
    objective_ : float
        f at the optimum: mean weighted loss + |w|^2 / (2 C S), S the sum of the weights. That is scikit-learn's
        objective divided by C S.
    gap_ : float
        Certified bound on (f - f*) / f*, see `fastlr.objective`; inf if none could be given.
    n_passes_ : int
        How often X was read.
    history_ : list of dict
        A record per iteration: "iteration", "value", "gradient_norm", "gap", "n_passes".
    solver_ : str
        The algorithm that ran.

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
        *,
        C=1.0,
        l1_ratio=0.0,
        tol=1e-6,
        fit_intercept=True,
        class_weight=None,
        solver="auto",
        max_iter=100,
        warm_start=False,
        n_jobs=None,
        verbose=0,
        random_state=None,
        penalty="l2",
    ):
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.penalty = penalty

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Dense, real, finite.
        y : array-like of shape (n_samples,)
            Labels of two classes, of any kind.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. Weight k is k copies, weight 0 is absence.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; the message names it. The estimator is then as before.
        """
        before = dict(vars(self))
        try:
            return self._fit(X, y, sample_weight)
        except BaseException:  # an interrupt included: nothing is left half set
            vars(self).clear()
            vars(self).update(before)
            raise

    def _fit(self, X, y, sample_weight):
        C, tol, max_iter, n_threads = self._check_parameters()
        refuse_masked(X=X, y=y)
        X, y = validate_data(self, X, y, dtype="numeric", ensure_all_finite=False, order=None)
        features = check_features(X)
        dtype = np.float32 if X.dtype.newbyteorder("=") == np.float32 else np.float64
        classes, targets = _encode_labels(y)
        weight = _combine_weights(sample_weight, self.class_weight, classes, targets)
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            if self.coef_.shape != (1, X.shape[1]):
                raise ValueError(
                    f"warm_start needs as many features as the last fit, {self.coef_.shape[1]}, got {X.shape[1]}"
                )
            start = np.append(self.coef_[0], self.intercept_ if self.fit_intercept else 0.0).astype(np.float64)

        def solve(dtype, start, max_iter, name):
            design = DenseDesign(features, targets, weight, dtype=dtype, team=team)
            l2 = l2_from_C(C, design.weight_sum)
            name = name if name in SOLVERS else choose(*X.shape, l2)
            if name == "gram_newton" and not l2:
                raise ValueError('solver="gram_newton" needs a penalty: pass a finite C, or solver="auto"')
            objective = LogisticObjective(design, l2=l2, fit_intercept=bool(self.fit_intercept))
            report = self._report(name)
            return design, name, SOLVERS[name](objective, start, tol=tol, max_iter=max_iter, callback=report)

        # Solvers look at what comes out: NumPy need not warn of an overflow on the way.
        with Team(n_threads) as team, single_threaded_blas(), np.errstate(all="ignore"):
            try:
                design, name, result = solve(dtype, start, max_iter, self.solver)
                n_passes = design.n_passes
                inexact = design.dtype == np.float32 or name == "gram_newton"
                if inexact and not result.converged and result.n_iter < max_iter and self.solver not in SOLVERS:
                    # Rounding of float32 products or of a Gram matrix of badly scaled columns.
                    _logger.info("%s in %s is not exact enough for tol=%g", name, design.dtype, tol)
                    first, name = result, choose(X.shape[0], X.shape[1], 0.0)
                    design, name, result = solve(np.float64, first.coef, max_iter - first.n_iter, name)
                    n_passes += design.n_passes
                    result.n_iter += first.n_iter
                    result.history = first.history + result.history
            except ValueError:
                # scikit-learn's own words for NaN and infinity.
                assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
                raise
            separated = np.isinf(C) and _separates(design, result.coef)
            if separated:
                result.gap = np.inf
            if separated or not result.converged:
                _warn_not_converged(result, separated, np.isinf(C), tol, max_iter)
            coef = result.coef.astype(dtype)
            if not np.isfinite(coef).all():
                raise ValueError(f"The coefficients overflow {coef.dtype}: scale X up, or pass it as float64")

        self.classes_ = classes
        self.coef_ = coef[None, :-1]
        self.intercept_ = coef[-1:]
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self.objective_ = result.value
        self.gap_ = result.gap
        self.n_passes_ = n_passes
        self.history_ = result.history
        self.solver_ = name
        return self

    def _check_parameters(self):
        C = check_number(self.C, "C", low=0.0, high=np.inf, inclusive=False)
        if self.penalty is None:
            C = np.inf
        elif self.penalty != "l2":
            raise ValueError(f'penalty must be "l2" or None, got {self.penalty!r}')
        if check_number(self.l1_ratio, "l1_ratio", low=0.0, high=1.0) != 0.0:
            raise ValueError(f"l1_ratio must be 0: only the L2 penalty is available, got {self.l1_ratio!r}")
        names = ("auto", *SOLVERS, *_SKLEARN_SOLVERS)
        if self.solver not in names:
            raise ValueError(f"solver must be one of {names}, got {self.solver!r}")
        tol = check_number(self.tol, "tol", low=0.0, inclusive=False)
        max_iter = check_number(self.max_iter, "max_iter", low=0, integer=True)
        check_flag(self.fit_intercept, "fit_intercept")
        check_flag(self.warm_start, "warm_start")
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_number(self.verbose, "verbose", low=0, integer=True)
        return C, tol, max_iter, effective_n_threads(self.n_jobs)

    def _report(self, name):
        if not self.verbose:
            return None

        def report(record):
            print(
                f"{name} {record['iteration']:3d}: objective {record['value']:.12g}, "
                f"gradient {record['gradient_norm']:.1e}, gap {record['gap']:.1e}, {record['n_passes']} passes"
            )

        return report

    def decision_function(self, X):
        """Raw predictions X w + b.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Positive for ``classes_[1]``.
        """
        check_is_fitted(self)
        refuse_masked(X=X)
        with np.errstate(all="ignore"):  # scikit-learn looks for infinity by a sum, which may overflow
            X = as_real(validate_data(self, X, dtype="numeric", reset=False), "X")
            w, b = self.coef_[0], self.intercept_[0]
            if X.dtype.kind == "f" or X.dtype not in (*NATIVE_DTYPES, np.dtype(bool)):
                return _product(X, w, b)
        # Small integers are widened by the kernel, not in a copy of X.
        unused = np.zeros(len(X))
        with Team(effective_n_threads(self.n_jobs)) as team:
            design = DenseDesign(check_features(X), unused, np.empty(0), team=team)
            return design.raw_prediction(np.append(w, b).astype(np.float64))

    def predict(self, X):
        """Labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Entries of `classes_`.
        """
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(np.intp)]

    def predict_proba(self, X):
        """Probabilities of the classes: expit of the decision function, and of its negative.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2)
            In the order of `classes_`.
        """
        raw = self.decision_function(X)
        return np.column_stack([expit(-raw), expit(raw)])

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, exact where the probabilities round to 0 or 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2)
        """
        raw = self.decision_function(X)
        return np.column_stack([log_expit(-raw), log_expit(raw)])


def _product(X, w, b):
    """X w + b; infinite only where it lies beyond the largest number, and never NaN."""
    raw = X @ w + b
    if np.isfinite(raw).all():
        return raw
    # What was added up overflowed on the way: the same on a smaller scale.
    scale = 2.0**-128
    return (((X * scale) @ w.astype(np.float64) + b * scale) / scale).astype(raw.dtype)


def _encode_labels(y):
    """Classes, sorted, and targets 0.0 and 1.0; y as `validate_data` returns it.

    Raises
    ------
    ValueError
        If there are not exactly two classes, or labels that cannot be compared.
    """
    try:
        classes, codes = _two_values(y) if y.dtype.kind in "biuf" else np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError("y must hold labels of one kind, with none missing") from error
    if len(classes) != 2 or (classes.dtype.kind == "f" and (classes != np.rint(classes)).any()):
        check_classification_targets(y)  # scikit-learn's words for continuous targets and the like
    if len(classes) > 2:
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {type_of_target(y)}: "
            f"y has {len(classes)} classes"
        )
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, but the data contains only one class: {classes.tolist()[0]!r}")
    return classes, codes.astype(np.float64)


def _two_values(y):
    """`np.unique` with the inverse, without its sort where y has at most two different values."""
    low, high = y.min(), y.max()
    is_high = y == high
    if low < high and (is_high | (y == low)).all():
        return np.array([low, high]), is_high
    return np.unique(y, return_inverse=True)


def _combine_weights(sample_weight, class_weight, classes, targets):
    """Sample weights times class weights; shape (0,) where all are one.

    Raises
    ------
    TypeError, ValueError
        If the weights are malformed, or leave a class without weight.
    """
    weight = check_sample_weight(sample_weight, len(targets))
    # Empty weights stand for ones.
    positive = float((weight if weight.size else np.ones_like(targets)) @ targets)
    total = float(weight.sum()) if weight.size else float(len(targets))
    for class_, part in zip(classes.tolist(), (total - positive, positive), strict=True):
        if not part > 0.0:
            raise ValueError(f"sample_weight leaves only one class: those of class {class_!r} are all zero")
    if class_weight is None:
        return weight
    if isinstance(class_weight, str) and class_weight == "balanced":
        factors = 0.5 * total / np.array([total - positive, positive])
    else:
        try:
            factors = compute_class_weight(class_weight, classes=classes, y=classes[targets.astype(np.intp)])
        except (TypeError, ValueError) as error:
            raise ValueError(f"class_weight must be a dict by class or 'balanced': {error}") from error
        if not (np.isfinite(factors).all() and (factors > 0.0).all()):
            raise ValueError(f"class_weight must hold finite numbers > 0 for both classes, got {class_weight!r}")
    factors = factors[targets.astype(np.intp)]
    return factors * weight if weight.size else factors


def _separates(design, coef):
    """Whether all samples that weigh anything lie on the right side of the hyperplane."""
    raw = design.raw_prediction(coef)
    right = np.where(design.y > 0.5, raw, -raw) > 0.0
    if design.sample_weight.size:
        right |= design.sample_weight == 0.0
    return bool(right.all())


def _warn_not_converged(result, separated, unpenalised, tol, max_iter):
    """One warning in plain words: the classes are separable, or steps or digits ran out."""
    hint = ", or pass a finite C: without a penalty the optimum may be infinitely far away." if unpenalised else "."
    if separated:
        message = (
            "The classes are perfectly separated by a hyperplane, so without a penalty there is no optimum: the "
            "coefficients grow without end. Pass a finite C."
        )
    elif result.n_iter >= max_iter:
        message = (
            f"The fit stopped after max_iter={max_iter} steps with a certified relative gap of {result.gap:.1e}, "
            f"above tol={tol:g}. Increase max_iter"
            + hint
        )
    else:
        message = (
            f"The fit stopped at a certified relative gap of {result.gap:.1e}, above tol={tol:g}: rounding, or numbers "
            "too large to be squared, allow no further progress. Scale the columns of X, or increase tol"
            + hint
        )
    _logger.info(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
