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

from .._blocks import guarded_empty
from .._factor import ScaledCholesky
from .._validation import check_features
from ..fitting import Problem, quiet_team
from ..objectives import l2_from_C
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
    n_threads : int
    """

    def __init__(self, data, weight, Cs, fit_intercept, n_threads):
        super().__init__(data, [np.arange(len(data.codes))])
        if len(data.classes) > 2:
            raise ValueError('cv="loo" is for two classes: pass a number of folds')
        if min(data.X.shape) > _LARGEST:
            raise ValueError(f'cv="loo" is for up to {_LARGEST} samples or features, got X of shape {data.X.shape}')
        self._problem = Problem(data.features, data.codes, 2, weight, np.inf, fit_intercept)
        self._Cs = Cs
        self._n_threads = n_threads

    def raw(self, rows, coefs, intercepts):
        """Raw predictions of shape (n_Cs, n_samples)."""
        raw = super().raw(rows, coefs, intercepts)
        with quiet_team(self._n_threads) as team:
            if self._problem.X.shape[1] > len(rows):
                self._problem.X = self._reduced(team)
            objective = self._problem.objective(np.float64, team)
            design, r = objective.design, guarded_empty(len(rows))
            for z, C in zip(raw, self._Cs, strict=True):
                design.loss_residual(z, r)  # and the curvatures, which the Hessian is made of
                objective.l2 = l2_from_C(C, design.weight_sum)
                q = self._leverage(objective.hessian()) / design.weight_sum
                z += r * q / np.maximum(1.0 - design.curvature * q, np.finfo(np.float64).eps)
        return raw

    def _reduced(self, team):
        """As many features as samples with the same inner products: fits to them have the same predictions."""
        values, vectors = np.linalg.eigh(self._problem.objective(np.float64, team).design.gram())
        return check_features(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _leverage(self, hessian):
        """[x 1] H^-1 [x 1]^T of all samples."""
        X = self._problem.X
        factor, leverage = ScaledCholesky(hessian), np.empty(X.shape[0])
        step = max(1, _CHUNK_ENTRIES // len(hessian))
        for first in range(0, len(leverage), step):
            part = X[first : first + step]
            part = part.toarray() if sparse.issparse(part) else part
            part = np.column_stack([part, np.full(part.shape[0], float(self._problem.fit_intercept))])
            leverage[first : first + step] = np.einsum("ij,ij->i", part, factor.solve(part.T).T)
        return leverage
