"""Covariances of the parameters: B from the curvature alone, or B M B with M from the scores.

With B the inverse of the information (plus the penalty's second derivative), u_i the score of sample i, n samples and
k parameters, of all classes,

    nonrobust   B
    HC0         M = sum_i u_i u_i^T
    HC1         n / (n - k) times HC0
    HC2, HC3    residuals divided by sqrt(1 - h_i), by 1 - h_i; h_i the leverage, c_i x_i^T B x_i
    cluster     M = sum_g v_g v_g^T, v_g the summed scores of a group; G / (G - 1) (n - 1) / (n - k) times B M B

Weights that count copies (frequencies) count in n, and in M as often: s_i times the outer product of one copy's score.
Weights of precision are part of the score. statsmodels gives HC0 whatever HC it is asked for, in its discrete models
and GLM, and for clusters what stands above.

Sources: White, Maximum likelihood estimation of misspecified models, Econometrica 50, 1982; MacKinnon & White, Some
heteroskedasticity-consistent covariance matrix estimators, Journal of Econometrics 29, 1985 (HC1 to HC3); Liang &
Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73, 1986 (clusters).
"""

import numpy as np

COV_TYPES = ("nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster")


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
        meat = likelihood.score_squares(_factors(likelihood, inverse, cov_type, counts))
        if cov_type == "HC1":
            factor = n_samples / (n_samples - n_params)
    result = inverse @ meat @ inverse
    return factor * 0.5 * (result + result.T)


def _factors(likelihood, inverse, cov_type, counts):
    """What multiplies u_i u_i^T, u_i with the whole weight of a sample."""
    weight = likelihood.loss.weights()
    copies = weight if counts else np.ones_like(weight)
    factors = np.divide(1.0, copies, out=np.zeros_like(weight), where=copies > 0.0)
    if cov_type in ("HC2", "HC3"):
        left = 1.0 - leverages(likelihood, inverse) * factors
        factors /= np.maximum(left, np.finfo(np.float64).eps) ** (1 if cov_type == "HC2" else 2)
    return factors


def leverages(likelihood, inverse):
    """h_i of samples of two classes with all of their weight, float64 of shape (n_samples,): one pass."""
    whole = np.zeros((likelihood.shape[1], likelihood.shape[1]))
    whole[np.ix_(likelihood.order, likelihood.order)] = inverse
    likelihood.matrix.leverages(likelihood.loss, whole)
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
