"""Covariances of the parameters: B from the curvature alone, or B M B with M from the scores.

With B the inverse of the information (plus the penalty's second derivative), u_i the score of sample i, n samples and
k parameters, of all classes,

    nonrobust   B
    HC0         M = sum_i u_i u_i^T
    HC1         n / (n - k) times HC0
    HC2, HC3    residuals divided by sqrt(1 - h_i), by 1 - h_i; h_i the leverage, c_i x_i^T B x_i; of more classes
                (I - C_i A_i)^(-1/2), ^(-1) times them, C_i the second derivatives of the loss in the raw predictions
                and A_i the covariance of these, x_i^T B_kl x_i
    cluster     M = sum_g v_g v_g^T, v_g the summed scores of a group; G / (G - 1) (n - 1) / (n - k) times B M B

Weights that count copies (frequencies) count in n, and in M as often: s_i times the outer product of one copy's score.
Weights of precision are part of the score. statsmodels gives HC0 whatever HC it is asked for, in its discrete models
and GLM, and for clusters what stands above.

Sources: White, Maximum likelihood estimation of misspecified models, Econometrica 50, 1982; MacKinnon & White, Some
heteroskedasticity-consistent covariance matrix estimators, Journal of Econometrics 29, 1985 (HC1 to HC3); Liang &
Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73, 1986 (clusters).
"""

import numpy as np

from .prediction import row_covariances

COV_TYPES = ("nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster")
_LEAST_LEFT = float(np.finfo(np.float64).eps)  # of a residual


def covariance(likelihood, inverse, cov_type, *, n_samples, groups, counts):
    """The covariance of the parameters.

    Parameters
    ----------
    likelihood : Likelihood
        At the optimum.
    inverse : float64 array of shape (n_params, n_params)
        B.
    cov_type : str
        One of `COV_TYPES`.
    n_samples : float
        n.
    groups : int array of shape (n_samples,), or None
        Of "cluster": numbers of the groups, from 0.
    counts : bool
        Whether weights are frequencies.

    Returns
    -------
    float64 array of shape (n_params, n_params)
    """
    if cov_type == "nonrobust":
        return inverse
    n_params = len(inverse)
    factor = 1.0
    if cov_type == "cluster":
        n_groups = int(groups.max()) + 1
        meat = _of_groups(likelihood, groups)
        factor = n_groups / (n_groups - 1.0) * (n_samples - 1.0) / (n_samples - n_params)
    else:
        meat = _of_samples(likelihood, inverse, cov_type, counts)
        if cov_type == "HC1":
            factor = n_samples / (n_samples - n_params)
    result = inverse @ meat @ inverse
    return factor * 0.5 * (result + result.T)


def _of_samples(likelihood, inverse, cov_type, counts):
    """M of HC0 to HC3: one or two passes."""
    weight = likelihood.loss.weights()
    copies = weight if counts else np.ones_like(weight)
    factors = np.divide(1.0, copies, out=np.zeros_like(weight), where=copies > 0.0)  # of u_i u_i^T, all weight in u_i
    if cov_type not in ("HC2", "HC3"):
        return likelihood.score_squares(factors)
    if likelihood.n_rows > 1:
        return likelihood.score_squares(factors, _without_own_pull(likelihood, inverse, factors, cov_type))
    left = np.maximum(1.0 - leverages(likelihood, inverse) * factors, _LEAST_LEFT)
    return likelihood.score_squares(factors / (left if cov_type == "HC2" else left**2))


def _without_own_pull(likelihood, inverse, factors, cov_type):
    """A function that multiplies residuals by f(C A), f(l) = (1 - l)^(-1/2) or 1 / (1 - l): see `Likelihood.scores`.

    With C = R R^T and R^T A R = Q diag(l) Q^T that is I + R Q diag((f(l) - 1) / l) Q^T R^T A.
    """
    whole = likelihood.whole(inverse)

    def adjusted(rows, block, residuals):
        values, vectors = np.linalg.eigh(factors[rows, None, None] * likelihood.curvatures(rows, block))
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        between = row_covariances(block, whole)
        values, vectors = np.linalg.eigh(root.transpose(0, 2, 1) @ between @ root)
        left = np.sqrt(np.maximum(1.0 - values, _LEAST_LEFT))
        share = 1.0 / (left * (1.0 + left if cov_type == "HC2" else left))
        root = root @ vectors
        pull = root.transpose(0, 2, 1) @ (between @ residuals[:, :, None])
        return residuals + (root @ (share[:, :, None] * pull))[:, :, 0]

    return adjusted


def leverages(likelihood, inverse):
    """h_i of samples of two classes with all of their weight, float64 of shape (n_samples,): one pass."""
    likelihood.matrix.leverages(likelihood.loss, likelihood.whole(inverse))
    return likelihood.loss.leverage


def _of_groups(likelihood, groups):
    """sum_g v_g v_g^T: one pass, over rows in the order of their groups: none but the last is kept."""
    order = None if (np.diff(groups) >= 0).all() else np.argsort(groups, kind="stable")
    n_params = len(likelihood.order)
    total, last, last_sum = np.zeros((n_params, n_params)), -1, np.zeros(n_params)
    for rows, scores in likelihood.scores(order):
        of_rows = groups[rows]
        sums = np.add.reduceat(scores, np.flatnonzero(np.diff(of_rows, prepend=-1)))
        if of_rows[0] == last:
            sums[0] += last_sum
        else:
            total += np.outer(last_sum, last_sum)
        total += sums[:-1].T @ sums[:-1]
        last, last_sum = of_rows[-1], sums[-1]
    return total + np.outer(last_sum, last_sum)
