"""Scores of fits on the samples they were not given.

The raw predictions of the samples that are held out come from one product for all values of C. A scorer then asks a
stand-in for an estimator, which hands them out without reading X.
"""

import inspect

import numpy as np
from scipy import sparse
from scipy.special import log_expit, log_softmax
from sklearn.metrics import get_scorer, make_scorer

from ..linalg.blas import single_threaded_blas
from .classifier import raw_product
from .logistic_regression import LogisticRegression

_CHUNK_ENTRIES = 1_000_000  # of the rows that are taken from X at a time
_LOG_EPS = float(np.log(np.finfo(np.float64).eps))  # scikit-learn's log_loss sees no smaller probability


class HeldOutModel(LogisticRegression):
    """A fitted model that knows its raw predictions for one X."""

    @classmethod
    def of(cls, fits, place, X, raw):
        """One of many fits, as (set, C), and its raw predictions for X."""
        model = cls(C=float(fits.Cs[place[1]]), l1_ratio=fits.l1_ratio)
        model.classes_, model.coef_, model.intercept_ = fits.classes, fits.coefs[place], fits.intercepts[place]
        model.n_features_in_ = model.coef_.shape[1]
        model._X, model._raw = X, raw
        return model

    def decision_function(self, X):
        """Raw predictions, those that are known if X is the very object they belong to."""
        return self._raw if X is self._X else super().decision_function(X)


class HeldOut:
    """The samples that folds hold out.

    Parameters
    ----------
    data : Samples
    tests : list of int array
        Rows of each fold.
    """

    def __init__(self, data, tests):
        self._data = data
        self._tests = tests

    def scores(self, fits, score, params):
        """Scores of all fits.

        Parameters
        ----------
        fits : ManyFits
            A set of weights for each fold.
        score : callable
            A scorer.
        params : dict
            What the scorer takes besides; vectors with an entry for each sample are cut to those held out.

        Returns
        -------
        float64 array of shape (n_folds, n_Cs)
            NaN for fits that failed without coefficients.
        """
        scores = np.full(fits.gaps.shape, np.nan)
        for k, rows in enumerate(self._tests):
            fitted = np.flatnonzero(~np.isnan(fits.intercepts[k]).any(axis=1))
            if fitted.size == 0:
                continue
            given = {name: _cut(value, rows, len(self._data.codes)) for name, value in params.items()}
            with single_threaded_blas():  # whose number of threads would change the last bits
                raw = self.raw_predictions(rows, fits.coefs[k], fits.intercepts[k])
            # Scorers of scikit-learn look at predictions alone: no rows need be taken from X for them.
            X = rows if score in (accuracy, neg_log_loss) or hasattr(score, "_score_func") else self._data.X[rows]
            for i in fitted:
                if score in (accuracy, neg_log_loss):
                    scores[k, i] = score(raw[i], self._data.codes[rows], **given)
                else:
                    model = HeldOutModel.of(fits, (k, i), X, raw[i])
                    scores[k, i] = score(model, X, self._data.y[rows], **given)
        return scores

    def raw_predictions(self, rows, coefs, intercepts):
        """Raw predictions for some rows: of shape (n_Cs, n_rows), or (n_Cs, n_rows, n_classes) for many classes."""
        X = self._data.features
        n_Cs, n_classes, n_features = coefs.shape
        raw = np.empty((n_Cs, len(rows), n_classes))
        W, b = coefs.reshape(-1, n_features), intercepts.ravel()
        row_entries = X.nnz // X.shape[0] + n_Cs * n_classes if sparse.issparse(X) else n_features
        step = max(1, _CHUNK_ENTRIES // row_entries)
        for first in range(0, len(rows), step):
            some = X[rows[first : first + step]]
            if not sparse.issparse(X):
                some = some.astype(np.float64, copy=False)
            part = raw_product(some, W, b).reshape(-1, n_Cs, n_classes)
            raw[:, first : first + step] = part.swapaxes(0, 1)
        return raw[..., 0] if n_classes == 1 else raw


def score_function(scoring, classes):
    """The scorer of a name, told which classes there are, as a fold need not hold all; or the same in a few lines."""
    if scoring is None or (isinstance(scoring, str) and scoring == "accuracy"):
        return accuracy
    if isinstance(scoring, str) and scoring == "neg_log_loss":
        return neg_log_loss
    scorer = get_scorer(scoring)
    if not hasattr(scorer, "_score_func"):
        return scorer
    accepted = inspect.signature(scorer._score_func).parameters
    if "labels" not in accepted:
        return scorer
    known = {"labels": classes}
    if len(classes) == 2 and "pos_label" in accepted:
        known["pos_label"] = classes[1]
    return make_scorer(
        scorer._score_func,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **{**known, **scorer._kwargs},
    )


def accuracy(raw, codes, sample_weight=None):
    """Share of the samples whose class is predicted."""
    predicted = (raw > 0.0) if raw.ndim == 1 else raw.argmax(axis=1)
    return _mean(predicted == codes, sample_weight)


def neg_log_loss(raw, codes, sample_weight=None):
    """Mean logarithm of the probability of each sample's own class, as scikit-learn's scorer gives it."""
    if raw.ndim == 1:
        log_p = log_expit(np.where(codes == 1, raw, -raw))
    else:
        log_p = np.take_along_axis(log_softmax(raw, axis=1), codes[:, None], axis=1)[:, 0]
    return _mean(np.maximum(log_p, _LOG_EPS), sample_weight)


def _mean(values, weight):
    """Weighted mean; NaN where nothing weighs anything."""
    if weight is None:
        return float(values.mean()) if values.size else np.nan
    total = weight.sum()
    return float(values @ weight / total) if total > 0.0 else np.nan


def _cut(value, rows, n_samples):
    """The entries of `rows` where a value has one for each sample; else the value itself."""
    array = np.asarray(value)
    return value if array.ndim == 0 or len(array) != n_samples else array[rows]
