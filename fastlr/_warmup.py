"""Compile ahead: one fit per kind of problem, dtype and order leaves in the cache what fits of that kind need."""

import warnings
from collections.abc import Iterable

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from ._validation import NATIVE_DTYPES, check_choice
from .estimators.cross_validation import LogisticRegressionCV
from .estimators.logistic_regression import LogisticRegression
from .matrices.small import MAX_ENTRIES, MAX_PRODUCTS

_DTYPES = (*(dtype.name for dtype in NATIVE_DTYPES), "bool")
_ORDERS = ("C", "F")

# A gap out of reach, so that a fit also compiles what it goes on with where rounding stops it short.
_TOL = 1e-300


def _dense(n_samples, n_features):
    """A maker of dense problems of a shape: from dtype and order to X and y."""

    def make(dtype, order):
        rng = np.random.default_rng(0)
        X = rng.integers(0, 2 if dtype.kind == "b" else 100, (n_samples, n_features)).astype(dtype, order=order)
        if dtype.kind == "f":
            X /= 100
        return X, np.arange(n_samples) % 2

    return make


def _sparse(dtype, order):
    """A sparse problem with so few features that its Hessian is formed; orders are all the same to it."""
    X, y = _dense(1_000, 50)(dtype, order)
    return sparse.csr_matrix(X), y


def _multiclass(dtype, order):
    X, y = _dense(MAX_PRODUCTS // 48 + 1, 16)(dtype, order)
    return X, np.arange(len(y)) % 3


def _fit(X, y):
    LogisticRegression(tol=_TOL).fit(X, y)


def _cross_validate(X, y):
    LogisticRegressionCV(Cs=[1.0], cv=2, tol=_TOL).fit(X, y)


_tall = _dense(MAX_ENTRIES // 16 + 1, 16)

# What a kind of problem is: a maker of data that take its way through the package, and how they set out. All are too
# large for NumPy's way. Cross-validation of other kinds needs what their fits need.
_KINDS = {
    "tall": (_tall, _fit),
    "tall cross-validation": (_tall, _cross_validate),
    "wide": (_dense(100, MAX_ENTRIES // 100 + 1), _fit),
    "sparse": (_sparse, _fit),
    "multiclass": (_multiclass, _fit),
}


def warmup(dtypes=("float64",), orders=("C",), kinds=("tall", "wide")):
    """Compile what fits need, once, ahead of the workers that share the cache.

    Compiling takes some seconds per dtype and order; a process that finds the result on disk, in Numba's cache, or
    is forked from this one, starts at once. Small problems need nothing compiled.

    Parameters
    ----------
    dtypes : iterable of dtype or str, default=("float64",)
        Of X: float64, float32, uint8, int8 or bool. Features of other dtypes are converted to float64.
    orders : iterable of {"C", "F"}, default=("C",)
        Memory layouts of X.
    kinds : iterable of {"tall", "tall cross-validation", "wide", "sparse", "multiclass"}, default=("tall", "wide")
        Kinds of problem: dense with two classes and more samples than features, or no more; sparse; dense with more
        than two classes. Cross-validation of all but the first needs nothing more.

    Raises
    ------
    ValueError
        If a dtype, an order or a kind is none of these.

    Examples
    --------
    >>> import fastlr
    >>> fastlr.warmup(dtypes=["float32"], kinds=["tall"])
    """
    dtypes = [_dtype_name(dtype) for dtype in _listed(dtypes, "dtypes")]
    orders, kinds = _listed(orders, "orders"), _listed(kinds, "kinds")
    for name, given, known in (("dtypes", dtypes, _DTYPES), ("orders", orders, _ORDERS), ("kinds", kinds, (*_KINDS,))):
        for item in given:
            check_choice(item, f"each of {name}", known)
    for kind in kinds:
        for dtype in dtypes:
            for order in orders:
                make, fit = _KINDS[kind]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    fit(*make(np.dtype(dtype), order))


def _listed(items, name):
    if isinstance(items, str) or not isinstance(items, Iterable):  # a string's letters would be taken one by one
        raise ValueError(f"{name} must be a list, got {items!r}: pass [{items!r}]")
    return list(items)


def _dtype_name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError as error:
        raise ValueError(f"each of dtypes must be one of {_DTYPES}, got {dtype!r}") from error
