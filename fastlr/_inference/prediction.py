"""Probabilities with intervals, which are formed on the scale of log-odds, where estimates are about normal.

The log-odds of class k against all others, eta_k - log sum_{l != k} exp(eta_l), eta = 0 for the base, have derivatives
(delta_kl - q_l) x with respect to beta_l, q the probabilities given that it is not k. For two classes that is the
linear predictor, and its variance x^T V x is exact.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logsumexp, softmax


class Prediction(NamedTuple):
    """Of shape (n_samples,), for the event, or (n_samples, n_classes) for more than two classes; float64.

    Attributes
    ----------
    probability, lower, upper : array
        Estimates, and the ends of their intervals.
    std_err : array
        Of the log-odds.
    """

    probability: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    std_err: np.ndarray


def predict(coefs, covariance, base, blocks, offset, quantile):
    """Probabilities of all classes.

    Parameters
    ----------
    coefs : float64 array of shape (k, n_features + 1)
        Intercept last.
    covariance : float64 array of shape (k (n_features + 1), k (n_features + 1))
    base : int
        Place of the base among the classes.
    blocks : iterable of (rows, array of shape (n, n_features + 1))
    offset : float64 array of shape (n_samples,)
    quantile : float

    Returns
    -------
    Prediction
        Of shape (n_samples, k + 1).
    """
    k, _ = coefs.shape
    log_odds, std_err = np.empty((2, len(offset), k + 1))
    for rows, block in blocks:
        raw = np.insert(block @ coefs.T + offset[rows, None], base, 0.0, axis=1)
        products = row_covariances(block, covariance)
        for place in range(k + 1):
            others = np.delete(raw, place, axis=1)
            log_odds[rows, place] = raw[:, place] - logsumexp(others, axis=1)
            change = np.insert(-softmax(others, axis=1), place, 1.0, axis=1)
            change = np.delete(change, base, axis=1)
            variance = np.einsum("ia,iat,it->i", change, products, change)
            std_err[rows, place] = np.sqrt(np.maximum(variance, 0.0))
    ends = (expit(log_odds + sign * quantile * std_err) for sign in (0, -1, 1))
    return Prediction(*ends, std_err)


def row_covariances(block, covariance):
    """Covariances of the raw predictions of samples, by their rows [x 1], of shape (n, k, k)."""
    width = block.shape[1]
    k = len(covariance) // width
    V = covariance.reshape(k, width, k, width)
    products = np.stack([block @ V[row].reshape(width, -1) for row in range(k)], axis=1)
    return np.einsum("iatb,ib->iat", products.reshape(len(block), k, k, width), block)
