"""X and y as users hand them over, and as fits read them."""

import numbers
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.utils.validation import assert_all_finite

from .._validation import as_array, check_sparse_features, listed, refuse_masked

_OF_ARRAYS = ("__len__", "__array__", "shape")  # one of these have all that NumPy can make an array of


@dataclass
class Samples:
    """Checked X and y.

    Attributes
    ----------
    X : array or SciPy CSR of shape (n_samples, n_features)
        What scikit-learn's splitters and scorers are given.
    y : array of shape (n_samples,)
        Labels.
    features : array or SciPy CSR of shape (n_samples, n_features)
        X as kernels read it.
    dtype : numpy dtype
        That of coefficients: float32 for float32 X, else float64.
    classes : array of shape (n_classes,)
    codes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    proportions, offset : float64 array of shape (n_samples,), or None
        See `Problem`.
    """

    X: np.ndarray
    y: np.ndarray
    features: np.ndarray
    dtype: np.dtype
    classes: np.ndarray
    codes: np.ndarray
    proportions: np.ndarray | None = None
    offset: np.ndarray | None = None


class Finite:
    """Context in which a ValueError because of NaN or infinity in X is in scikit-learn's own words."""

    # A class, because a generator's frame and the error thrown into it can hold each other, and X with them, until the
    # collector of cycles comes by.
    def __init__(self, X, name):
        self._values = X.data if sparse.issparse(X) else X
        self._name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None and issubclass(kind, ValueError):
            assert_all_finite(self._values, estimator_name=self._name, input_name="X")


def is_plain(model, X, y, *, reset, ensure_all_finite=True, **_):
    """Whether `validate_data` would return X, and y unless it is text, as they are: what most are, found out at once.

    The checks of scikit-learn, which are for arrays of any library, take as long as a small fit. The model takes note
    of the features, with `reset`, as it does there.
    """
    labels = () if isinstance(y, str) else (y,)
    if not (_holds_numbers(X, 2) and all(_holds_numbers(part, 1) and len(part) == len(X) for part in labels)):
        return False
    if not reset and (hasattr(model, "feature_names_in_") or X.shape[1] != getattr(model, "n_features_in_", None)):
        return False
    if not get_config()["assume_finite"]:
        with np.errstate(all="ignore"):  # a sum is finite only if all that it adds is
            if not all(np.isfinite(part.sum()) for part in (*labels, *[X] * ensure_all_finite)):
                return False
    if reset:
        model.n_features_in_ = X.shape[1]
        vars(model).pop("feature_names_in_", None)
    return True


def _holds_numbers(values, n_dimensions):
    known = type(values) is np.ndarray and values.ndim == n_dimensions
    return known and values.dtype.kind in "biuf" and values.size > 0


def refuse_other_columns(X, error=None):
    """Raise an error that names the columns of a frame that hold no numbers, if there are any.

    `error` is what came of them, and of whose kind the other is.
    """
    names, dtypes = getattr(X, "columns", None), getattr(X, "dtypes", None)
    if names is None or dtypes is None:
        return
    others = [name for name, dtype in zip(names, dtypes, strict=True) if not _is_of_numbers(dtype)]
    if others:
        raise (ValueError if isinstance(error, ValueError) else TypeError)(
            f"X must hold real numbers, got text, dates or categories in columns {listed(others)}: encode them, with "
            "pandas.get_dummies(X, drop_first=True) for example"
        ) from error


def _is_of_numbers(dtype):
    if hasattr(dtype, "is_numeric"):  # of polars
        return dtype.is_numeric() or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in "biuf"


def of_numpy(values, name="X"):
    """A sparse matrix with a structure that was checked, before anything reads it; else what NumPy or pandas can read.

    scikit-learn has many lines to say on what is refused here, or nothing.
    """
    if sparse.issparse(values):
        return check_sparse_features(values, name)
    refuse_masked(**{name: values})
    values = as_array(values, name)
    if not (values is None or isinstance(values, numbers.Number) or any(hasattr(values, part) for part in _OF_ARRAYS)):
        raise TypeError(f"{name} must be an array, got {type(values).__name__}")
    is_group = hasattr(values, "keys") and not any(hasattr(values, part) for part in ("dtype", "columns"))
    if is_group and not isinstance(values, dict):  # for these scikit-learn has words
        raise TypeError(f"{name} must be an array, got {type(values).__name__}: pass one of those that it holds")
    return values
