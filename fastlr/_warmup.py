"""Compile ahead: one fit per kind of problem, dtype and order leaves in the cache what fits of that kind need."""

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from ._validation import NATIVE_DTYPES, check_choice
from .estimators.cross_validation import LogisticRegressionCV
from .estimators.fit_many import fit_many
from .estimators.logistic_regression import LogisticRegression
from .matrices.small import MAX_ENTRIES, MAX_PRODUCTS

_DTYPES = (*(dtype.name for dtype in NATIVE_DTYPES), "bool", "float16")
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


def _compressed(n_samples, n_features):
    """A maker of sparse problems of a shape; order "F" stands for long indices."""

    def make(dtype, order):
        X, y = _dense(n_samples, n_features)(dtype, "C")
        X = sparse.csr_array(X)
        index = np.int64 if order == "F" else np.int32
        return sparse.csr_array((X.data, X.indices.astype(index), X.indptr.astype(index)), shape=X.shape), y

    return make


def _with_classes(make, are_many=False):
    """A maker of the same problems with more than two classes, or with so many that BLAS does their products."""

    def make_classes(dtype, order):
        from .kernels.tiles import FEW_COLUMNS  # here, because it loads Numba

        X, y = make(dtype, order)
        return X, np.arange(len(y)) % (FEW_COLUMNS + 1 if are_many else 3)

    return make_classes


def _fit(X, y):
    LogisticRegression(tol=_TOL).fit(X, y)


def _fit_l1(X, y):
    LogisticRegression(l1_ratio=1.0, tol=_TOL).fit(X, y)


def _fit_elastic_net(X, y):
    """With so many coefficients that are not zero that steps descend along columns."""
    LogisticRegression(l1_ratio=0.01, tol=_TOL).fit(X, y)


def _cross_validate(X, y):
    options = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    LogisticRegressionCV(Cs=[1.0], cv=2, tol=_TOL, **options).fit(X, y)


def _fit_many(X, y):
    fit_many(X, y, Cs=40)


def _study(X, y):
    """The study's functions, for X of shape (n_samples, n_features)."""
    from . import functional

    x, y = X.T, y[None, :]
    w, b = functional.initialize_weights_and_bias(len(x))
    for method in ("fused", "gram"):
        functional.update(w, b, x, y, 1e-3, 2, method=method, verbose=False)
    functional.predict(w, b, x)
    functional.sigmoid(w)


_tall, _very_wide = _dense(MAX_ENTRIES // 16 + 1, 16), _dense(40, 1_100)
_tall_of_classes = _dense(MAX_PRODUCTS // (16 * 3) + 1, 16)
_sparse = _compressed(1_000, 50)  # with so few features that its Hessian is formed

# What a kind of problem is: a maker of data that take its way through the package, and how they set out. All are too
# large for NumPy's way. Cross-validation of other kinds needs what their fits need.
_KINDS = {
    "tall": (_tall, _fit),
    "tall cross-validation": (_dense(12_501, 16), _cross_validate),
    "small cross-validation": (_dense(40, 3), _fit_many),
    "l1": (_tall, _fit_l1),
    "wide l1": (_very_wide, _fit_elastic_net),
    "wide": (_dense(100, MAX_ENTRIES // 100 + 1), _fit),
    "very wide": (_very_wide, _fit),
    "sparse": (_sparse, _fit),
    "sparse cross-validation": (_compressed(40, 1_100), _cross_validate),
    "sparse l1": (_compressed(40, 1_100), _fit_l1),
    "multiclass": (_with_classes(_tall_of_classes), _fit),
    "many classes": (_with_classes(_tall_of_classes, are_many=True), _fit),
    "sparse multiclass": (_with_classes(_sparse), _fit),
    "sparse many classes": (_with_classes(_sparse, are_many=True), _fit),
    "study": (_very_wide, _study),
}
_SPARSE = tuple(kind for kind in _KINDS if kind.startswith("sparse"))


def warmup(
    dtypes: Iterable = ("float64",), orders: Iterable[str] = ("C",), kinds: Iterable[str] = ("tall", "wide")
) -> None:
    """Compile what fits need, once, ahead of the workers that share the cache.

    Compiling takes some seconds per dtype and order; a process that finds the result on disk, in Numba's cache, or
    is forked from this one, starts at once. Small problems need nothing compiled.

    Parameters
    ----------
    dtypes : iterable of dtype or str, default=("float64",)
        Of X: float64, float32, float16, uint8, int8 or bool. Features of other dtypes are converted to float64.
    orders : iterable of {"C", "F"}, default=("C",)
        Memory layouts of X.
    kinds : iterable of str, default=("tall", "wide")
        Kinds of problem. "tall", "tall cross-validation", "wide" and "very wide": dense with two classes and more
        samples than features, or no more, or more than 500 features (which Fortran order tells). "small
        cross-validation": many fits to up to 200,000 entries, of any dtype and order. "sparse", and "sparse
        cross-validation", of more than 350 features. "l1", "wide l1" and "sparse l1": with an L1 penalty. "multiclass"
        and "sparse multiclass": three to 32 classes. "many classes" and "sparse many classes": more. "study": the
        functions of `fastlr.functional`. Cross-validation of other kinds needs nothing more.

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


def warm_everything():
    """Compile all that the package has: every dtype, layout and kind of problem."""
    warmup(_DTYPES, _ORDERS, [kind for kind in _KINDS if kind not in _SPARSE])
    warmup(("float64", "float32"), _ORDERS, _SPARSE)


def make_seed(folder, levels=None, report=print):
    """Compile all that the package has for portable levels of processors, see `runtime.seed`.

    Code can only be made where it runs: levels that this processor does not have are left out.

    Parameters
    ----------
    folder : path-like
        Of the seed; made if it is not there. ``fastlr/_seed`` of a source tree goes into its wheels.
    levels : list of str, optional
        By default all that this processor runs.
    report : callable
        Called with a line of text for each level.

    Raises
    ------
    ValueError
        If a level is not known, or cannot be run here.
    """
    from .runtime import seed

    for level in levels or seed.usable_levels():
        if level not in seed.usable_levels():
            raise ValueError(f"levels must be some of {seed.usable_levels()}, which this processor runs, got {level!r}")
        with tempfile.TemporaryDirectory() as cache:
            target = {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": seed.features_of(level), "NUMBA_CACHE_DIR": cache}
            code = "from fastlr._warmup import warm_everything; warm_everything()"
            root = str(Path(__file__).parents[1])
            subprocess.run([sys.executable, "-c", code], env={**os.environ, **target, "PYTHONPATH": root}, check=True)
            n_bytes = seed.collect(cache, folder, level)
        report(f"{level}: {n_bytes / 1e6:.1f} MB")
