"""Approximate leave-one-out: every sample's raw prediction without it, from one Hessian.

Where the optimum of all samples has raw predictions z_i, derivatives r_i and curvatures c_i of the weighted losses and
the Hessian H of the summed loss plus |w|^2 / (2 C), one Newton step from there towards the optimum without sample i,
by way of a rank-one change of H, takes z_i to

    z_i + r_i q_i / (1 - c_i q_i),    q_i = [x_i 1] H^-1 [x_i 1]^T

Sources: Rad & Maleki, A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
cross-validation, Journal of the Royal Statistical Society B 82, 2020, theorem 1.
"""

import numpy as np
from scipy import sparse

from .. import reference
from .._factor import ScaledCholesky
from .held_out import HeldOut

_LARGEST = 3_000  # Hessian
_CHUNK_ENTRIES = 1_000_000


class LeaveOneOut(HeldOut):
    """All samples, each held out of the fit that is scored on it.

    Parameters
    ----------
    data : Samples
        Of two classes.
    weight : float64 array of shape (n_samples,) or (0,)
        Of the fits.
    Cs : float64 array of shape (n_Cs,)
    fit_intercept : bool
    """

    def __init__(self, data, weight, Cs, fit_intercept):
        super().__init__(data, [np.arange(len(data.codes))])
        if len(data.classes) > 2:
            raise ValueError('cv="loo" is for two classes: pass a number of folds')
        if min(data.X.shape) > _LARGEST:
            raise ValueError(f'cv="loo" is for up to {_LARGEST} samples or features, got X of shape {data.X.shape}')
        self._weight = weight if weight.size else np.ones(len(data.codes))
        self._Cs = Cs
        self._fit_intercept = fit_intercept

    def raw(self, rows, coefs, intercepts):
        """Raw predictions of shape (n_Cs, n_samples)."""
        raw = super().raw(rows, coefs, intercepts)
        features = self._reduced() if self._data.X.shape[1] > len(rows) else self._data.features
        for z, C in zip(raw, self._Cs, strict=True):
            _, r, c = self._weight * np.stack(reference.loss_residual_curvature(z, self._data.codes))
            q = self._leverage(features, c, 1.0 / C)
            z += r * q / np.maximum(1.0 - c * q, np.finfo(np.float64).eps)
        return raw

    def _reduced(self):
        """As many features as samples with the same inner products: fits to them have the same predictions."""
        n_samples = len(self._data.codes)
        gram = np.zeros((n_samples, n_samples))
        X = self._data.features
        step = max(1, _CHUNK_ENTRIES // n_samples)
        for first in range(0, X.shape[1], step):
            part = _dense(X[:, first : first + step])
            gram += part @ part.T
        values, vectors = np.linalg.eigh(gram)
        return vectors * np.sqrt(np.maximum(values, 0.0))

    def _chunks(self, features):
        step = max(1, _CHUNK_ENTRIES // features.shape[1])
        for first in range(0, features.shape[0], step):
            part = _dense(features[first : first + step])
            if self._fit_intercept:
                part = np.column_stack([part, np.ones(len(part))])
            yield slice(first, first + len(part)), part

    def _leverage(self, features, curvature, ridge):
        """q_i of all samples."""
        m = features.shape[1] + self._fit_intercept
        hessian = np.zeros((m, m))
        for rows, part in self._chunks(features):
            scaled = part * np.sqrt(curvature[rows])[:, None]
            hessian += scaled.T @ scaled
        hessian.flat[: features.shape[1] * (m + 1) : m + 1] += ridge
        factor = ScaledCholesky(hessian)
        leverage = np.empty(features.shape[0])
        for rows, part in self._chunks(features):
            leverage[rows] = np.einsum("ij,ij->i", part, factor.solve(part.T).T)
        return leverage


def _dense(part):
    part = part.toarray() if sparse.issparse(part) else part
    return part.astype(np.float64, copy=False)
