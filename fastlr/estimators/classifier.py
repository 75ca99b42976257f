"""What the estimators share: reading X and y, predictions from coefficients, and attributes that a failure leaves."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import assert_all_finite, check_is_fitted, validate_data

from .._validation import as_real, check_features, check_finite, check_sparse_features, refuse_masked
from .labels import encode_labels

_CHUNK_ROWS = 1_024  # of whole numbers, converted at a time


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
    """

    X: np.ndarray
    y: np.ndarray
    features: np.ndarray
    dtype: np.dtype
    classes: np.ndarray
    codes: np.ndarray


class _Finite:
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


class LogisticModel(ClassifierMixin, BaseEstimator):
    """A classifier with `classes_`, `coef_` and `intercept_`."""

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

    def _read(self, X, y):
        """Check X and y: `Samples`."""
        refuse_masked(X=X, y=y)
        X, y = validate_data(
            self, _sound(X), y, dtype="numeric", accept_sparse="csr", ensure_all_finite=False, order=None
        )
        features = X if sparse.issparse(X) else check_features(X)
        dtype = np.dtype(np.float32 if X.dtype.newbyteorder("=") == np.float32 else np.float64)
        return Samples(X, y, features, dtype, *encode_labels(y))

    def _finite(self, X):
        """Context in which a ValueError because of NaN or infinity in X is in scikit-learn's own words."""
        return _Finite(X, type(self).__name__)

    def decision_function(self, X):
        """Raw predictions X w + b.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive for ``classes_[1]``; else the largest is that of the predicted class.
        """
        check_is_fitted(self)
        refuse_masked(X=X)
        with np.errstate(all="ignore"):  # scikit-learn looks for infinity by a sum, which may overflow
            X = validate_data(self, _sound(X), dtype="numeric", accept_sparse="csr", reset=False)
            if sparse.issparse(X) or as_real(X, "X").dtype.kind == "f":
                raw = raw_product(X, self.coef_, self.intercept_)
            else:  # whole numbers are not converted as a whole
                raw = np.empty((len(X), len(self.coef_)), np.float64)
                for first in range(0, len(X), _CHUNK_ROWS):
                    rows = slice(first, first + _CHUNK_ROWS)
                    raw[rows] = raw_product(X[rows].astype(np.float64), self.coef_, self.intercept_)
            if not np.isfinite(raw).all():
                check_finite(X)  # some versions of scikit-learn do not look into all dtypes
        return raw[:, 0] if len(self.classes_) == 2 else raw

    def predict(self, X):
        """Labels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Entries of `classes_`.
        """
        raw = self.decision_function(X)
        return self.classes_[(raw > 0).astype(np.intp) if raw.ndim == 1 else raw.argmax(axis=1)]

    def predict_proba(self, X):
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

    def predict_log_proba(self, X):
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


def _sound(X):
    """A sparse X as CSR whose structure was checked, before anything reads it; all else as it is."""
    return check_sparse_features(X) if sparse.issparse(X) else X


def raw_product(X, W, b):
    """X W^T + b; infinite only where it lies beyond the largest number, and never NaN."""
    raw = X @ W.T + b
    if np.isfinite(raw).all():
        return raw
    # What was added up overflowed on the way: the same on a smaller scale.
    scale = 2.0**-128
    return (((X * scale) @ W.T.astype(np.float64) + b * scale) / scale).astype(raw.dtype)
