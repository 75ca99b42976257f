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
from scipy.special import softmax

from .. import reference
from .._validation import check_features
from ..fits.one import quiet_team
from ..fits.problem import Problem
from ..linalg.factor import ScaledCholesky
from ..losses.quadratic import Quadratic
from .held_out import HeldOut

_LARGEST = 3_000  # Hessian


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

    def raw_predictions(self, rows, coefs, intercepts):
        """Raw predictions of shape (n_Cs, n_samples), or (n_Cs, n_samples, n_classes) for many classes."""
        raw = super().raw_predictions(rows, coefs, intercepts)
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
        values, vectors = np.linalg.eigh(self._problem.matrix(np.float64, team).gram())
        return check_features(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _leave_out(self, problem, raw, team):
        """Change raw predictions of shape (n_Cs, n_samples) to those without the sample."""
        objective = problem.objective(np.float64, team)
        weight_sum = objective.loss.weight_sum
        for z, C in zip(raw, self._Cs, strict=True):
            _, r, c = objective.loss.at(z)
            objective = objective.with_penalty(replace(problem, C=C).penalty(weight_sum))
            factor = ScaledCholesky(objective.hessian(Quadratic(c)))
            for rows, part in _blocks(objective.matrix, fit_intercept=True):
                if not problem.fit_intercept:  # the Hessian has a row for it nonetheless
                    part[:, -1] = 0.0
                q = np.einsum("ij,ij->i", part, factor.solve(part.T).T) / weight_sum
                z[rows] += r[rows] * q / np.maximum(1.0 - c[rows] * q, np.finfo(np.float64).eps)

    def _leave_out_of_many(self, problem, raw, C):
        """Change raw predictions of shape (n_samples, n_classes) to those without the sample."""
        weight = problem.sample_weight if problem.sample_weight.size else np.ones(len(raw))
        p = softmax(raw, axis=1)
        matrix = problem.matrix(np.float64, None)
        inverse = self._inverse_hessian(matrix, p, weight, C)
        for rows, part in _blocks(matrix, fit_intercept=problem.fit_intercept, width=p.shape[1] ** 2):
            Q = np.einsum("ij,kjlm,im->ikl", part, inverse, part, optimize=True)
            residual = p[rows].copy()
            residual[np.arange(len(residual)), problem.codes[rows]] -= 1.0
            curvature = -p[rows, :, None] * p[rows, None, :]
            curvature[:, range(p.shape[1]), range(p.shape[1])] += p[rows]
            left = np.eye(p.shape[1]) - weight[rows, None, None] * curvature @ Q
            raw[rows] += (Q @ np.linalg.solve(left, (weight[rows, None] * residual)[:, :, None]))[:, :, 0]

    def _inverse_hessian(self, matrix, p, weight, C):
        """Of the summed loss and the penalty, float64 of shape (n_classes, n_coef, n_classes, n_coef)."""
        n_classes, n_features = p.shape[1], matrix.shape[1]
        fit_intercept = self._problem.fit_intercept
        n_coef = n_features + fit_intercept
        hessian = np.zeros((n_classes, n_coef, n_classes, n_coef))
        for rows, part in _blocks(matrix, fit_intercept=fit_intercept, width=n_classes):
            hessian += reference.softmax_curvature(part, weight[rows], p[rows]).reshape(hessian.shape)
        square = hessian.reshape(n_classes * n_coef, -1)
        # Shifts common to all classes change no prediction: with curvature of their own, the matrix can be inverted.
        common = np.trace(square) / len(square) + 1.0 / C
        for j in range(n_coef):
            hessian[:, j, :, j] += common / n_classes
            if j < n_features:
                hessian[:, j, :, j] += np.eye(n_classes) / C
        return ScaledCholesky(square).inverse().reshape(hessian.shape)


def _blocks(matrix, *, fit_intercept, width=1):
    """Slices of rows, and these rows of [X 1], or X without an intercept; `width` numbers are made of each entry."""
    for rows, part in matrix.rows_with_ones(width * matrix.shape[1]):
        yield rows, part if fit_intercept else part[:, :-1]
