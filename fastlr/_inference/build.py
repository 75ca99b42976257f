"""`inference` and the checks of its arguments."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._validation import as_array, check_choice, check_flag
from ..estimators.classifier import LogisticModel
from ..estimators.labels import problem_of
from ..estimators.parameters import penalty_of_model
from ..fits.errors import MOST_PARAMS
from ..fits.one import quiet_team
from ..runtime.team import effective_n_threads
from .covariances import COV_TYPES, covariance
from .likelihood import likelihood_of
from .optimum import Optimum
from .result import Inference
from .table import Setting


def inference(
    model: LogisticModel,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    proportions: bool = False,
    weights: str = "frequency",
    cov_type: str = "nonrobust",
    groups: Any = None,
    base: Any = None,
) -> Inference:
    """Standard errors, tests and intervals for the coefficients of a fitted model.

    A function, not a method: the model keeps neither X nor y. What is returned holds on to them, uncopied, for what is
    asked of it later. Coefficients are the model's, moved on to the last digits of the optimum where the fit's `tol`
    or float32 left some to go.

    For more than two classes coefficients are those of a class less those of the base: log-odds against the base,
    as in a multinomial logit, whatever classes the model spreads them over.

    With a penalty (a finite C) estimates are biased and all errors approximate: "nonrobust" is then the covariance of
    a Bayesian posterior whose prior is the penalty, and `effective_df` the trace of the hat matrix. With Firth's
    penalty the log-likelihoods are penalised ones, and so are the tests and profile intervals made of them; the null
    model has the penalty of all columns, and so have models that hold some of the parameters.

    Parameters
    ----------
    model : LogisticRegression or LogisticRegressionCV
        Fitted, for maximum likelihood with ``C=np.inf``, or with an L2 penalty or Firth's.
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        What the model was fitted to, as `sample_weight`, `offset` and `proportions`.
    sample_weight, offset : array-like of shape (n_samples,), optional
    proportions : bool, default=False
    weights : {"frequency", "precision"}, default="frequency"
        Whether a weight k stands for k samples, or for one that counts as much: n_samples is the sum of the weights or
        the number of those that are not 0, and robust covariances differ, see `cov_type`. Counts that proportions
        stand for are precision where robust errors are asked for, as whether they hang together is not known.
    cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster"}, default="nonrobust"
        The inverse of the information, or what holds where the model does not: the formulas are in
        `fastlr._inference.covariances`.
    groups : array-like of shape (n_samples,), optional
        For "cluster", any labels: samples of a group may depend on each other.
    base : label, optional
        The class that others are compared with; by default the first. Of two classes it is always the first.

    Returns
    -------
    Inference

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the coefficients are not at the optimum of these data, or there is none:
        for columns that are collinear, which are named, and classes that are separated, without a penalty.

    Examples
    --------
    >>> import numpy as np
    >>> import fastlr
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean texture", "mean smoothness"]]
    >>> result = fastlr.inference(fastlr.LogisticRegression(C=np.inf).fit(X, y), X, y)
    >>> result.names
    ['const', 'mean texture', 'mean smoothness']
    """
    proportions = check_flag(proportions, "proportions")
    problem, names = _read(model, X, y, sample_weight, offset, proportions)
    check_choice(weights, "weights", ("frequency", "precision"))
    check_choice(cov_type, "cov_type", COV_TYPES)
    base = _check_base(base, model.classes_)
    counts = weights == "frequency"
    weight = problem.sample_weight
    n_samples = float(len(problem.codes))
    if weight.size:
        n_samples = float(weight.sum() if counts else np.count_nonzero(weight))
    groups = _check_groups(groups, cov_type, problem)
    n_threads = effective_n_threads(model.n_jobs if model.n_jobs != 0 else None)
    with quiet_team(n_threads) as team, model._finite(problem.X):
        likelihood = likelihood_of(problem, base, team, firth=model.penalty == "firth")
        _check_size(likelihood, cov_type, n_samples)
        coef = model.coef_.toarray() if sparse.issparse(model.coef_) else model.coef_
        coefs = np.column_stack([coef, np.broadcast_to(model.intercept_, len(coef))]).astype(np.float64)
        start = likelihood.params(likelihood.against_base(coefs))
        optimum = Optimum(likelihood, start, names, model.tol, float(np.finfo(coef.dtype).eps))
        matrix = covariance(likelihood, optimum.inverse, cov_type, n_samples=n_samples, groups=groups, counts=counts)
        setting = Setting(names, n_samples, cov_type, counts, n_threads)
        return Inference(model, problem, likelihood, optimum, matrix, setting)


def _read(model, X, y, sample_weight, offset, proportions):
    """The problem that a model is the answer to, and the names of a row of parameters."""
    if not isinstance(model, LogisticModel):
        hint = "fastlr.from_sklearn makes one of scikit-learn's"
        if hasattr(model, "steps"):
            hint = "pass the last step and what the others make of X, inference(pipe[-1], pipe[:-1].transform(X), y)"
        elif hasattr(model, "best_estimator_"):
            hint = "pass its best_estimator_"
        raise TypeError(
            f"model must be a LogisticRegression or LogisticRegressionCV of fastlr, got {type(model).__name__}: {hint}"
        )
    check_is_fitted(model)
    C, l1_ratio = penalty_of_model(model)
    if l1_ratio and np.isfinite(C):
        raise ValueError(
            "model must not have an L1 penalty: after it has chosen the columns, there are no errors that hold for "
            "their coefficients. Fit the columns with C=np.inf, to samples that it has not seen"
        )
    data = model._read(X, y, proportions=proportions, reset=False)
    if not np.array_equal(data.classes, model.classes_):
        raise ValueError(f"y must hold the model's classes {model.classes_.tolist()}, got {data.classes.tolist()}")
    problem = problem_of(data, sample_weight, offset, model.class_weight, proportions)
    weight = problem.sample_weight
    totals = np.bincount(data.codes, weight if weight.size else None, len(data.classes))
    if not (totals.all() or proportions):
        raise ValueError(f"sample_weight leaves no weight to the classes {data.classes[totals == 0.0].tolist()}")
    names = model._names()
    problem = replace(problem, C=C, fit_intercept=bool(model.fit_intercept))
    return problem, ["const", *names] if model.fit_intercept else names


def _check_base(base, classes):
    if base is None:
        return 0
    found = np.flatnonzero(classes == base)
    if not len(found):
        raise ValueError(f"base must be one of the classes {classes.tolist()}, got {base!r}")
    if len(classes) == 2 and found[0] == 1:
        raise ValueError(f"base must be the first class, {classes.tolist()[0]!r}, where there are two, got {base!r}")
    return int(found[0])


def _check_groups(groups, cov_type, problem):
    """Numbers of the groups, from 0, of the samples that weigh anything; None where they are not asked for."""
    if (groups is None) == (cov_type == "cluster"):
        raise ValueError('groups and cov_type="cluster" need each other')
    if groups is None:
        return None
    groups = np.asarray(as_array(groups, "groups"))
    if groups.shape != problem.codes.shape:
        raise ValueError(f"groups must have shape {problem.codes.shape}, one label per sample, got {groups.shape}")
    if groups.dtype.kind == "f" and np.isnan(groups).any():
        raise ValueError("groups must not hold NaN")
    weighs = problem.sample_weight > 0.0 if problem.sample_weight.size else np.ones(len(groups), bool)
    numbers = np.zeros(len(groups), np.int64)
    try:
        labels, numbers[weighs] = np.unique(groups[weighs], return_inverse=True)
    except TypeError as error:
        raise ValueError("groups must hold labels of one kind, with none missing") from error
    if len(labels) < 2:
        raise ValueError("groups must hold two groups at least, got one")
    return numbers


def _check_size(likelihood, cov_type, n_samples):
    n_params = len(likelihood.order)
    if n_params > MOST_PARAMS:
        raise ValueError(f"X and the classes make {n_params} parameters, more than a covariance is for: {MOST_PARAMS}")
    if cov_type in ("HC1", "cluster") and not n_samples > n_params:
        raise ValueError(f"cov_type={cov_type!r} needs more samples than parameters, got {n_samples:g} and {n_params}")
