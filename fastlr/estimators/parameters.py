"""Parameters that the estimators share, and what becomes of those that scikit-learn has and that mean nothing here."""

import warnings

import numpy as np

from .._validation import as_real, check_choice, check_flag, check_number
from ..runtime.team import effective_n_threads

SKLEARN_SOLVERS = (
    "lbfgs",
    "liblinear",
    "newton-cd",
    "newton-cd-gram",
    "newton-cg",
    "newton-cholesky",
    "sag",
    "saga",
)

PENALTIES = ("deprecated", "l2", "l1", "elasticnet")
_MULTI_CLASS = ("deprecated", "auto", "ovr", "multinomial")


def check_options(fit_intercept, tol, max_iter, n_jobs, verbose):
    """What fits take by name."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_number(verbose, "verbose", low=0, integer=True)
    return {
        "fit_intercept": check_flag(fit_intercept, "fit_intercept"),
        "tol": check_number(tol, "tol", low=0.0),
        "max_iter": check_number(max_iter, "max_iter", low=0, integer=True),
        # scikit-learn looks at n_jobs nowhere, so that 0 passes there.
        "n_threads": effective_n_threads(n_jobs if n_jobs != 0 else None),
        "progress": bool(verbose),
    }


def check_unused(model, solvers=()):
    """Refuse `solver`, `dual`, `intercept_scaling` and `multi_class` of an estimator where they ask for another model.

    Raises
    ------
    TypeError, ValueError
        If one of them does, or is none of scikit-learn's; the message names it.
    """
    check_choice(model.solver, "solver", ("auto", *solvers, *SKLEARN_SOLVERS))
    if check_flag(model.dual, "dual") and model.solver != "liblinear":
        raise ValueError(f"Solver {model.solver} supports only dual=False, got dual={model.dual}")
    if check_number(model.intercept_scaling, "intercept_scaling", low=0.0, inclusive=False) != 1.0:
        raise ValueError(
            f"intercept_scaling must be 1, got {model.intercept_scaling!r}: it weakens the penalty on the intercept in "
            "liblinear, and there is none here"
        )
    check_choice(model.multi_class, "multi_class", _MULTI_CLASS)


def check_multi_class(multi_class, n_classes):
    """Refuse what `multi_class` asks for where it is not the one model there is for so many classes."""
    if multi_class == ("ovr" if n_classes > 2 else "multinomial"):
        instead = "wrap it in sklearn.multiclass.OneVsRestClassifier" if n_classes > 2 else 'leave it at "deprecated"'
        raise ValueError(f"multi_class={multi_class!r} is another model for {n_classes} classes, not there: {instead}")


def check_penalty(penalty, l1_ratio, C):
    """C and the share of the L1 penalty, as `penalty` and `l1_ratio` leave them: C is infinite for no penalty.

    Raises
    ------
    TypeError, ValueError
        If they are out of their range.

    Warns
    -----
    UserWarning
        If they contradict each other, or the C given: `penalty` decides, as in scikit-learn.
    """
    check_choice(penalty, "penalty", (*PENALTIES, "firth", "none", None))
    ratio = 0.0 if l1_ratio is None else check_number(l1_ratio, "l1_ratio", low=0.0, high=1.0)
    if penalty in (None, "none", "firth"):
        if C != 1.0:
            named = penalty if penalty == "firth" else None
            warnings.warn(f"Setting penalty={named} will ignore the C and l1_ratio parameters", stacklevel=5)
        return np.inf, 0.0
    wanted = {"l2": 0.0, "l1": 1.0}.get(penalty, ratio)
    if penalty == "elasticnet" and l1_ratio is None:
        raise ValueError("l1_ratio must be specified when penalty is elasticnet")
    if wanted != ratio and l1_ratio not in (None, 0.0):
        message = (  # scikit-learn's words
            f"Inconsistent values: penalty={penalty} with l1_ratio={l1_ratio}. l1_ratio parameter is only used when "
            f"penalty is 'elasticnet'. Got (penalty={penalty})"
        )
        warnings.warn(message, stacklevel=5)
    return C, wanted


def penalty_of_model(model):
    """C and the share of the L1 penalty of a fitted model, chosen by itself or given; C is infinite for none."""
    C = float(np.ravel(model.C_)[0]) if hasattr(model, "C_") else model.C
    C = np.inf if model.penalty in (None, "none", "firth") else C
    if hasattr(model, "l1_ratio_"):
        return C, float(np.ravel(model.l1_ratio_)[0] or 0.0)
    return C, {"l1": 1.0, "l2": 0.0}.get(model.penalty, model.l1_ratio or 0.0)


def check_l1_ratios(penalty, l1_ratios):
    """Shares of the L1 penalty to choose from, as `penalty` and `l1_ratios`, None for one by `penalty`, leave them.

    Returns
    -------
    float64 array of shape (n_l1_ratios,)

    Raises
    ------
    TypeError, ValueError
        If they are out of their range.

    Warns
    -----
    UserWarning
        If they contradict each other: `penalty` decides, as in scikit-learn.
    """
    check_choice(penalty, "penalty", PENALTIES)
    if l1_ratios is None and penalty == "elasticnet":
        raise ValueError("l1_ratios must be specified when penalty is elasticnet")
    wanted = {"l1": 1.0, "l2": 0.0}.get(penalty)
    if l1_ratios is None:
        return np.array([wanted or 0.0])
    ratios = as_real(l1_ratios, "l1_ratios").astype(np.float64)
    if ratios.ndim != 1 or not ratios.size or not ((ratios >= 0.0) & (ratios <= 1.0)).all():
        raise ValueError(f"l1_ratios must be a list of numbers in [0, 1], got {l1_ratios!r}")
    if wanted is not None and (ratios != wanted).any():
        message = f"l1_ratios={l1_ratios!r} is ignored: it is for penalty='elasticnet', and penalty is {penalty!r}"
        warnings.warn(message, stacklevel=6)
        return np.array([wanted])
    return ratios
