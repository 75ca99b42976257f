"""Models from and for scikit-learn: the same numbers in the other class."""

import inspect
from copy import deepcopy

import sklearn.linear_model
from sklearn.utils.validation import check_is_fitted

from .classifier import LogisticModel
from .cross_validation import LogisticRegressionCV
from .logistic_regression import LogisticRegression
from .parameters import check_multi_class, penalty_of_model

_OURS = {
    sklearn.linear_model.LogisticRegression: LogisticRegression,
    sklearn.linear_model.LogisticRegressionCV: LogisticRegressionCV,
}
_SAME = ("tol", "fit_intercept", "class_weight", "max_iter", "random_state")  # parameters
FITTED = ("classes_", "coef_", "intercept_", "n_iter_", "n_features_in_", "feature_names_in_")


def to_sklearn(model: LogisticModel) -> sklearn.linear_model.LogisticRegression:
    """See `LogisticModel.to_sklearn`."""
    check_is_fitted(model)
    C, ratio = penalty_of_model(model)
    parameters = {"C": C, **{name: getattr(model, name) for name in _SAME}}
    if ratio:
        parameters.update(l1_ratio=ratio, solver="saga")
        if inspect.signature(sklearn.linear_model.LogisticRegression).parameters["penalty"].default == "l2":
            parameters["penalty"] = "elasticnet"  # before scikit-learn 1.8, which goes by l1_ratio
    theirs = sklearn.linear_model.LogisticRegression(**parameters)
    for name in FITTED:
        if hasattr(model, name):
            setattr(theirs, name, deepcopy(getattr(model, name)))
    return theirs


def from_sklearn(model: sklearn.linear_model.LogisticRegression) -> LogisticRegression | LogisticRegressionCV:
    """A fitted model of scikit-learn as one of this package, with the same parameters and coefficients.

    Parameters
    ----------
    model : sklearn.linear_model.LogisticRegression or LogisticRegressionCV
        Fitted.

    Returns
    -------
    LogisticRegression or LogisticRegressionCV
        Fitted, with copies of the attributes. `gap_` and what else scikit-learn does not know are not there.

    Raises
    ------
    TypeError
        If `model` is of another class.
    ValueError
        If its probabilities are not those of one model for all classes (``multi_class``, in older versions).

    Examples
    --------
    >>> import sklearn.linear_model
    >>> from sklearn.datasets import load_iris
    >>> import fastlr
    >>> X, y = load_iris(return_X_y=True)
    >>> model = fastlr.from_sklearn(sklearn.linear_model.LogisticRegression(solver="newton-cg").fit(X, y))
    >>> model.predict(X[:2])
    array([0, 0])
    """
    if type(model) not in _OURS:
        raise TypeError(f"model must be a LogisticRegression or LogisticRegressionCV of scikit-learn, got {model!r}")
    check_is_fitted(model)
    parameters = model.get_params()
    n_classes = len(model.classes_)
    one_for_each = model.solver == "liblinear" and n_classes > 2
    check_multi_class("ovr" if one_for_each else parameters.get("multi_class", "deprecated"), n_classes)
    ours = _OURS[type(model)](**parameters)
    for name, value in vars(model).items():
        if name.endswith("_") and not name.startswith("_"):
            setattr(ours, name, deepcopy(value))
    return ours
