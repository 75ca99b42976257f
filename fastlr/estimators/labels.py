"""Labels of any kind as class numbers, and the weights that go with them."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .._validation import check_offset, check_sample_weight
from ..fits.problem import Problem


def encode_labels(y):
    """Classes, sorted, and the number of each label's class, int64; y as `validate_data` returns it.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or labels that cannot be compared.
    """
    try:
        classes, codes = unique_labels(y)
    except TypeError as error:
        raise ValueError("y must hold labels of one kind, with none missing") from error
    if len(classes) != 2 or (classes.dtype.kind == "f" and (classes != np.rint(classes)).any()):
        check_classification_targets(y)  # scikit-learn's words for continuous targets and the like
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, but the data contains only one class: {classes.tolist()[0]!r}")
    return classes, codes.astype(np.int64)


def unique_labels(y):
    """`np.unique` with the inverse, without its sort where y holds at most two different numbers."""
    if y.dtype.kind not in "biuf" or not y.size:
        return np.unique(y, return_inverse=True)
    low, high = y.min(), y.max()
    is_high = y == high
    if low < high and (is_high | (y == low)).all():
        return np.array([low, high]), is_high
    return np.unique(y, return_inverse=True)


def combine_weights(sample_weight, class_weight, classes, codes):
    """Sample weights times class weights; shape (0,) where all are one.

    "balanced" is among the classes that have weight.

    Raises
    ------
    TypeError, ValueError
        If the weights are malformed, or leave no sample any weight.
    """
    weight = check_sample_weight(sample_weight, len(codes))
    # Empty weights stand for ones.
    totals = np.bincount(codes, weight if weight.size else None, len(classes)).astype(np.float64)
    factors = class_factors(class_weight, classes, totals)
    if factors is None:
        return weight
    factors = factors[codes]
    return check_sample_weight(factors * weight if weight.size else factors, len(codes), "class_weight")


def problem_of(data, sample_weight, offset, class_weight, proportions):
    """The problem of some samples, without a penalty and with an intercept.

    Parameters
    ----------
    data : Samples
    sample_weight, offset
        As of `LogisticRegression.fit`.
    class_weight
        As of `LogisticRegression`.
    proportions : bool
        Whether `data` were read as such.

    Raises
    ------
    TypeError, ValueError
        If weights or offsets are malformed, or there is no such problem.
    """
    n_samples, n_classes = len(data.codes), len(data.classes)
    offset = check_offset(offset, n_samples)
    if offset is not None and n_classes > 2:
        raise ValueError(f"offset is for two classes, got {n_classes}")
    if proportions and class_weight is not None:
        raise ValueError(f"class_weight must be None for proportions, which have no classes, got {class_weight!r}")
    weight = combine_weights(sample_weight, class_weight, data.classes, data.codes)
    problem = Problem(data.features, data.codes, n_classes, weight, np.inf, True, offset=offset)
    if proportions:
        y = data.y[weight > 0.0] if weight.size else data.y
        if y.max() == 0.0 or y.min() == 1.0:
            raise ValueError(f"y must not be {y[0]:g} for all samples that weigh anything")
        problem.proportions = data.y
    return problem


def class_factors(class_weight, classes, totals):
    """What `class_weight` multiplies the weights of each class by, float64 of shape (n_classes,); None for nothing.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    classes : array of shape (n_classes,)
    totals : float64 array of shape (n_classes,)
        Weight of each class.

    Raises
    ------
    ValueError
        If `class_weight` is malformed.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        present = totals > 0.0
        return np.divide(totals.sum() / present.sum(), totals, out=totals.copy(), where=present)
    try:
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"class_weight must be a dict by class or 'balanced': {error}") from error
    if not (np.isfinite(factors).all() and (factors >= 0.0).all()):
        raise ValueError(f"class_weight must hold finite numbers >= 0, got {class_weight!r}")
    return factors
