"""What estimators make of an X in blocks: classes, weights, a problem; predictions block by block."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy import sparse

from .._validation import LEAST_SUM, as_real
from ..fits.problem import BlocksProblem
from ..losses.logistic import LogisticLoss
from ..losses.softmax import SoftmaxLoss
from ..matrices.parts import Part
from ..solvers._l1_features import LARGEST_HESSIAN
from ..sources import is_dask
from .labels import class_factors, encode_labels, unique_labels

_Method = TypeVar("_Method", bound=Callable[..., Any])


class _Labels(NamedTuple):
    """What a block's labels and weights say of all its samples."""

    n_rows: int
    classes: np.ndarray
    totals: np.ndarray  # weight of each class
    weighted: bool


def _labels(y, weight, name):
    if y is None:
        raise ValueError(f"fit requires y to be passed, but {name} has none")
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"y must have one label for each row of {name}, got an array of shape {y.shape}")
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"y must not hold NaN, but does in row {int(np.isnan(y).argmax())} of {name}")
    weight = _weights(y, weight, name)
    try:
        classes, codes = unique_labels(y)
    except TypeError as error:
        raise ValueError(f"y must hold labels of one kind, with none missing, but does not in {name}") from error
    totals = np.bincount(codes, weight if weight.size else None, len(classes)).astype(np.float64)
    return _Labels(len(y), classes, totals, weight.size > 0)


def _weights(y, weight, name):
    """Checked weights of a block, empty for ones."""
    if weight is None:
        return np.empty(0)
    weight = as_real(weight, "sample_weight").astype(np.float64)
    if weight.shape != np.shape(y):
        raise ValueError(f"sample_weight must have one value for each row of {name}, got shape {weight.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        if not ((weight >= 0.0).all() and np.isfinite(weight.sum())):
            raise ValueError(f"sample_weight must hold finite numbers >= 0, but does not in {name}")
    return weight


def _part(y, weight, name, classes, factors, n_features):
    """What stays of a block."""
    codes, weights = np.searchsorted(classes, y), _weights(y, weight, name)
    if factors is not None:
        weights = factors[codes] * (weights if weights.size else 1.0)
    if len(classes) > 2:
        loss = SoftmaxLoss(codes.astype(np.int64), len(classes), weights)
    else:
        loss = LogisticLoss(codes.astype(np.float64), weights)
    return Part(loss, (len(codes), n_features), name)


def read_blocks(source, class_weight, C, fit_intercept, l1_ratio):
    """The problem of a source of blocks, and its classes.

    Parameters
    ----------
    source : Source
    class_weight : dict, "balanced" or None
    C, fit_intercept, l1_ratio
        See `BlocksProblem`.

    Raises
    ------
    ValueError
        If labels or weights are malformed; the message names the block.
    """
    found = source.ask(_labels)
    n_rows = [labels.n_rows for labels in found]
    found = [labels for labels in found if labels.n_rows]
    kinds = {labels.classes.dtype.kind for labels in found}
    if len(kinds) > 1 and not kinds <= set("biuf"):
        raise ValueError("y must hold labels of one kind in all blocks of X")
    if len({labels.weighted for labels in found}) > 1:
        raise ValueError("sample_weight must be there for all blocks of X, or for none")
    if not found:
        raise ValueError("X must not be empty: no block has rows")
    classes, codes = encode_labels(np.concatenate([labels.classes for labels in found]))
    totals = np.bincount(codes, np.concatenate([labels.totals for labels in found]), len(classes))
    factors = class_factors(class_weight, classes, totals)
    if factors is not None:
        totals = factors * totals
    if not LEAST_SUM <= totals.sum() < np.inf:
        raise ValueError(f"sample_weight must have a finite sum of at least {LEAST_SUM:.1e}, got {totals.sum():.1e}")
    if not (totals > 0.0).all():
        label = classes.tolist()[totals.argmin()]
        raise ValueError(f"class {label!r} has no weight: leave its samples out of X in blocks")
    n_coef = (len(classes) if len(classes) > 2 else 1) * (source.n_features + 1)
    if l1_ratio and n_coef > LARGEST_HESSIAN:
        raise ValueError(
            f"l1_ratio must be 0 for more than {LARGEST_HESSIAN:,} coefficients and X in blocks, got {n_coef:,}: an L1 "
            "penalty on so many needs X in memory"
        )
    blocks = source.blocks(_part, n_rows, classes, factors, source.n_features)
    blocks.dtype = source.dtype
    arguments = blocks, np.empty(0, np.int64), len(classes), np.empty(0), C, fit_intercept, l1_ratio
    return BlocksProblem(*arguments, totals=totals), classes


def dtype_of(source):
    """That of coefficients."""
    return np.dtype(np.float32 if source.dtype == np.float32 else np.float64)


def set_features(model, source):
    """Names and number of features, as scikit-learn keeps them."""
    vars(model).pop("feature_names_in_", None)
    model.n_features_in_ = source.n_features
    if source.feature_names is not None:
        model.feature_names_in_ = np.array(source.feature_names, object)


def check_features_of(model, source):
    """Refuse blocks with other features than the model's."""
    names = model._feature_names()
    if source.feature_names is not None and names and source.feature_names != names:
        raise ValueError(f"X must have the features of the fit, {names}, got {source.feature_names}")
    if source.n_features != model.n_features_in_:
        name = type(model).__name__
        raise ValueError(
            f"X has {source.n_features} features, but {name} is expecting {model.n_features_in_} features as input"
        )


def named_blocks(source):
    """Blocks of X, and what errors call them; sparse ones as CSR."""
    for k, X in enumerate(source.read()):
        yield (X.tocsr() if sparse.issparse(X) else X), source.name(k)


def lazy_on_dask(method: _Method) -> _Method:
    """A method of X that, for a collection of Dask, is put off, partition by partition."""

    @wraps(method)
    def lazy(self, X):
        if not is_dask(X):
            return method(self, X)
        from ..sources.dask import lazily

        return lazily(_predictions, self, method.__name__, X)

    return lazy  # type: ignore[return-value]


def _predictions(model, name, X, like):
    return getattr(model, name)(X) if X.shape[0] else like[:0]


def hits(y, weight, name, model, X):
    """Weight of a block's samples whose label is the predicted one, and of all."""
    if y is None:
        raise ValueError(f"score requires y to be passed, but {name} has none")
    weight = _weights(y, weight, name)
    right = model._labels_at(model._checked_raw(X if sparse.issparse(X) else as_real(X, name), name)) == np.asarray(y)
    return np.array([weight @ right, weight.sum()] if weight.size else [right.sum(), len(right)], np.float64)
