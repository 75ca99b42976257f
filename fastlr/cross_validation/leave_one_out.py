"""Approximate leave-one-out: every sample's raw prediction without it, from one Hessian.

Where the optimum of all samples has raw predictions z_i, derivatives r_i and curvatures c_i of the weighted losses and
the Hessian H of the summed loss plus |w|^2 / (2 C), one Newton step from there towards the optimum without sample i,
by way of a rank-one change of H, takes z_i to

    z_i + r_i q_i / (1 - c_i q_i),    q_i = [x_i 1] H^-1 [x_i 1]^T

With many classes z_i and r_i are vectors, the curvature is C_i = s_i (diag(p_i) - p_i p_i^T) and the change of H has
as many ranks as there are classes:

    z_i + Q_i (I - C_i Q_i)^-1 r_i,    Q_i = A_i H^-1 A_i^T,    A_i coef = z_i

Sources: Rad & Maleki, A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
cross-validation, Journal of the Royal Statistical Society B 82, 2020, theorem 1.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.special import softmax

from .. import reference
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
    weight : float64 array of shape (n_samples,) or (0,)
        Of the fits.
    Cs : float64 array of shape (n_Cs,)
    fit_intercept : bool
    n_threads : int
    """

    def __init__(self, data, weight, Cs, fit_intercept, n_threads):
        super().__init__(data, [np.arange(len(data.codes))])
        n_coef = min(data.X.shape) * (1 if len(data.classes) == 2 else len(data.classes))
        if n_coef > _LARGEST:
            raise ValueError(
                f'cv="loo" is for up to {_LARGEST} samples or features, times classes if these are more than two, '
                f"got X of shape {data.X.shape} and {len(data.classes)} classes"
            )
        self._problem = Problem(data.features, data.codes, len(data.classes), weight, np.inf, fit_intercept)
        self._Cs = Cs
        self._n_threads = n_threads

    def raw(self, rows, coefs, intercepts):
        """Raw predictions of shape (n_Cs, n_samples), or (n_Cs, n_samples, n_classes) for many classes."""
        raw = super().raw(rows, coefs, intercepts)
        with quiet_team(self._n_threads) as team:
            problem = self._problem
            if problem.X.shape[1] > len(rows):
                problem = replace(problem, X=self._reduced(team))
            if problem.n_classes > 2:
                for z, C in zip(raw, self._Cs, strict=True):
                    self._leave_out_of_many(problem, z, C)
            else:
                self._leave_out(problem, raw, team)
        return raw

    def _reduced(self, team):
        """As many features as samples with the same inner products: fits to them have the same predictions."""
        problem = replace(self._problem, n_classes=2, codes=np.zeros_like(self._problem.codes))
        values, vectors = np.linalg.eigh(problem.objective(np.float64, team).design.gram())
        return check_features(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _leave_out(self, problem, raw, team):
        """Change raw predictions of shape (n_Cs, n_samples) to those without the sample."""
        objective = problem.objective(np.float64, team)
        design, r = objective.design, guarded_empty(raw.shape[1])
        for z, C in zip(raw, self._Cs, strict=True):
            design.loss_residual(z, r)  # and the curvatures, which the Hessian is made of
            objective.l2 = l2_from_C(C, design.weight_sum)
            factor = ScaledCholesky(objective.hessian())
            for rows, part in _chunks(problem):
                if not problem.fit_intercept:  # the Hessian has a row for it nonetheless
                    part = np.column_stack([part, np.zeros(len(part))])
                q = np.einsum("ij,ij->i", part, factor.solve(part.T).T) / design.weight_sum
                z[rows] += r[rows] * q / np.maximum(1.0 - design.curvature[rows] * q, np.finfo(np.float64).eps)

    def _leave_out_of_many(self, problem, raw, C):
        """Change raw predictions of shape (n_samples, n_classes) to those without the sample."""
        weight = problem.sample_weight if problem.sample_weight.size else np.ones(len(raw))
        p = softmax(raw, axis=1)
        inverse = self._inverse_hessian(problem, p, weight, C)
        for rows, part in _chunks(problem):
            Q = np.einsum("ij,kjlm,im->ikl", part, inverse, part, optimize=True)
            residual = p[rows].copy()
            residual[np.arange(len(residual)), problem.codes[rows]] -= 1.0
            curvature = -p[rows, :, None] * p[rows, None, :]
            curvature[:, range(p.shape[1]), range(p.shape[1])] += p[rows]
            left = np.eye(p.shape[1]) - weight[rows, None, None] * curvature @ Q
            raw[rows] += (Q @ np.linalg.solve(left, (weight[rows, None] * residual)[:, :, None]))[:, :, 0]

    def _inverse_hessian(self, problem, p, weight, C):
        """Of the summed loss and the penalty, float64 of shape (n_classes, n_coef, n_classes, n_coef)."""
        n_classes, n_features = p.shape[1], problem.X.shape[1]
        n_coef = n_features + problem.fit_intercept
        hessian = np.zeros((n_classes, n_coef, n_classes, n_coef))
        for rows, part in _chunks(problem):
            hessian += reference.softmax_curvature(part, weight[rows], p[rows]).reshape(hessian.shape)
        square = hessian.reshape(n_classes * n_coef, -1)
        # Shifts common to all classes change no prediction: with curvature of their own, the matrix can be inverted.
        common = np.trace(square) / len(square) + 1.0 / C
        for j in range(n_coef):
            hessian[:, j, :, j] += common / n_classes
            if j < n_features:
                hessian[:, j, :, j] += np.eye(n_classes) / C
        return ScaledCholesky(square).inverse().reshape(hessian.shape)


def _chunks(problem):
    """Slices of rows, and these rows of [X 1], or X without an intercept, in float64."""
    n_samples, n_features = problem.X.shape
    step = max(1, _CHUNK_ENTRIES // (n_features * problem.n_classes**2))
    for first in range(0, n_samples, step):
        rows = slice(first, min(first + step, n_samples))
        part = problem.X[rows]
        part = (part.toarray() if sparse.issparse(part) else part).astype(np.float64, copy=False)
        yield rows, np.column_stack([part, np.ones(len(part))]) if problem.fit_intercept else part
