"""What the estimators share: reading X and y, predictions from coefficients, and attributes that a failure leaves."""

from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validation import (
    as_real,
    check_features,
    check_finite,
    check_sparse_features,
    check_targets,
)
from ..sources import refuse_blocks, source_of
from .blocks import check_features_of, hits, lazy_on_dask, named_blocks
from .callbacks import CallbackSupportMixin
from .labels import encode_labels
from .samples import Finite, Samples, is_plain, of_numpy, refuse_other_columns

_CHUNK_ROWS = 1_024  # of whole numbers, converted at a time


class LogisticModel(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """A classifier with `classes_`, `coef_` and `intercept_`."""

    classes_: np.ndarray
    coef_: Any  # sparse after `sparsify`
    intercept_: np.ndarray
    n_features_in_: int

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @contextmanager
    def _unchanged_on_failure(self):
        """Context that leaves the estimator as it was where it ends with an exception, an interrupt included."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _read(self, X, y, *, proportions=False, reset=True):
        """Check X and y: `Samples`.

        Parameters
        ----------
        X, y
            As of `fit`.
        proportions : bool
            Whether y holds numbers in [0, 1], not labels.
        reset : bool
            If not, X is to have the features that the model was fitted to.
        """
        refuse_blocks(X)
        X, y = self._validated(X, of_numpy(y, "y"), ensure_all_finite=False, order=None, reset=reset)
        features = X if sparse.issparse(X) else check_features(X)
        dtype = np.dtype(np.float32 if X.dtype.newbyteorder("=") == np.float32 else np.float64)
        if proportions:
            y = check_targets(y, len(y))
            return Samples(X, y, features, dtype, np.array([0, 1]), (y > 0.5).astype(np.int64))
        return Samples(X, y, features, dtype, *encode_labels(y))

    def _validated(self, X, y="no_validation", **options):
        """X, or X and y, as `validate_data` returns them, and X of numbers that kernels can read."""
        given = of_numpy(X)
        if is_plain(self, given, y, **options):
            return given if isinstance(y, str) else (given, y)
        if isinstance(given, np.ndarray) and given.dtype.kind == "V":  # taken for text
            raise TypeError(f"X must hold real numbers, got dtype {given.dtype}")
        try:
            checked = validate_data(self, given, y, dtype="numeric", accept_sparse="csr", **options)
        except ValueError as error:
            if str(error).startswith("Complex data"):  # and all of them
                raise ValueError("Complex data not supported: X and y must hold real numbers") from None
            refuse_other_columns(given, error)
            raise
        except TypeError as error:
            refuse_other_columns(given, error)
            raise
        X = checked if isinstance(y, str) else checked[0]
        # scikit-learn lets frames through that hold objects, or sparse columns of any dtype.
        if not sparse.issparse(X):
            if X.dtype.kind == "O":
                refuse_other_columns(given)
            X = as_real(X, "X")
        elif not sparse.issparse(given):
            X = check_sparse_features(X)
        return X if isinstance(y, str) else (X, checked[1])

    def _names(self):
        """Names of the features: those of X, or "x0", "x1", ..."""
        return [str(name) for name in getattr(self, "feature_names_in_", (f"x{j}" for j in range(self.n_features_in_)))]

    def _finite(self, X):
        """Context in which a ValueError because of NaN or infinity in X is in scikit-learn's own words."""
        return Finite(X, type(self).__name__)

    @lazy_on_dask
    def decision_function(self, X: Any) -> np.ndarray:
        """Raw predictions X w + b.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or blocks of rows as for `fit`

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive for ``classes_[1]``; else the largest is that of the predicted class.
        """
        check_is_fitted(self)
        source = source_of(X, names=self._feature_names())
        return self._raw_of_array(X) if source is None else self._raw_of_blocks(source)

    def _feature_names(self):
        return getattr(self, "feature_names_in_", np.empty(0)).tolist()

    def _raw_of_blocks(self, source):
        check_features_of(self, source)
        with np.errstate(all="ignore"):
            return np.concatenate([self._checked_raw(*block) for block in named_blocks(source)])

    def _raw_of_array(self, X):
        with np.errstate(all="ignore"):  # scikit-learn looks for infinity by a sum, which may overflow
            X = self._validated(X, reset=False)
            return self._checked_raw(X)

    def _checked_raw(self, X, name="X"):
        if sparse.issparse(X) or X.dtype.kind == "f":
            raw = raw_product(X, self.coef_, self.intercept_)
        else:  # whole numbers are not converted as a whole
            raw = np.empty((len(X), self.coef_.shape[0]), np.float64)
            for first in range(0, len(X), _CHUNK_ROWS):
                rows = slice(first, first + _CHUNK_ROWS)
                raw[rows] = raw_product(X[rows].astype(np.float64), self.coef_, self.intercept_)
        if not (get_config()["assume_finite"] or np.isfinite(raw).all()):
            check_finite(X, name)  # some versions of scikit-learn do not look into all dtypes
        return raw[:, 0] if len(self.classes_) == 2 else raw

    @lazy_on_dask
    def predict(self, X: Any) -> np.ndarray:
        """Labels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Entries of `classes_`.
        """
        return self._labels_at(self.decision_function(X))

    def _labels_at(self, raw):
        return self.classes_[(raw > 0).astype(np.intp) if raw.ndim == 1 else raw.argmax(axis=1)]

    @lazy_on_dask
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes: for two, expit of the decision function and of its negative; else softmax.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        raw = self.decision_function(X)
        return np.column_stack([expit(-raw), expit(raw)]) if raw.ndim == 1 else softmax(raw, axis=1)

    @lazy_on_dask
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities, exact where the probabilities round to 0 or 1.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        raw = self.decision_function(X)
        return np.column_stack([log_expit(-raw), log_expit(raw)]) if raw.ndim == 1 else log_softmax(raw, axis=1)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of samples whose predicted label is theirs.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        source = source_of(X, y, sample_weight, self._feature_names())
        if source is not None:
            check_features_of(self, source)
            right, total = np.sum(source.ask_with_rows(hits, self), axis=0)
            return float(right / total)
        return super().score(X, y, sample_weight)

    def sparsify(self) -> "LogisticModel":
        """Make `coef_` sparse (CSR), as predictions take it too.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        # scikit-learn 1.9 lets users choose; before, all was sparse matrices.
        arrays = get_config().get("sparse_interface") == "sparray"
        self.coef_ = (sparse.csr_array if arrays else sparse.csr_matrix)(self.coef_)
        return self

    def densify(self) -> "LogisticModel":
        """Make `coef_` dense again.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        if sparse.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self

    def to_sklearn(self) -> Any:  # scikit-learn has no types
        """The same model as scikit-learn's own class, for what looks up exact types, such as exporters.

        Returns
        -------
        sklearn.linear_model.LogisticRegression
            Fitted, with copies of the coefficients.
        """
        from .exchange import to_sklearn

        return to_sklearn(self)

    def to_json(self) -> str:
        """The model as text, for `fastlr.from_json`: coefficients, classes, names, parameters, versions; no pickle.

        The history of a fit, and the fits of folds, are left out.

        Returns
        -------
        str

        Raises
        ------
        TypeError
            If the model is of a derived class, or its classes are of a dtype that JSON cannot hold exactly.

        Warns
        -----
        UserWarning
            If a parameter cannot be written, such as a splitter, a function or a generator of random numbers.
        """
        from .as_json import to_json

        return to_json(self)


def reader_of(model):
    """A `LogisticModel` that checks X as a fitted one does, and holds nothing else of it."""
    reader = LogisticModel()
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(reader, name, getattr(model, name))
    return reader


def raw_product(X, W, b):
    """X W^T + b, X and W dense or sparse; infinite only where it lies beyond the largest number."""
    if sparse.issparse(X) and not (sparse.issparse(W) or W.flags.f_contiguous) and X.nnz < X.shape[1]:
        # Only these columns count, and SciPy would copy all of W^T, row by row.
        places, indices = np.unique(X.indices, return_inverse=True)
        X, W = sparse.csr_array((X.data, indices, X.indptr), shape=(X.shape[0], len(places))), W[:, places]
    raw = safe_sparse_dot(X, W.T, dense_output=True) + b
    if np.isfinite(raw).all():
        return raw
    # What was added up overflowed on the way: the same on a smaller scale.
    scale = 2.0**-128
    small = safe_sparse_dot(X * scale, W.T.astype(np.float64), dense_output=True)
    return ((small + b * scale) / scale).astype(raw.dtype)
