"""Marginal effects: how probabilities change with features, and the errors of that by the delta method.

With probabilities p_k = softmax(0, eta)_k, eta_l = x . beta_l, and f = p ("dy") or log p ("ey"), the effect of a
feature j on class k is df_k / dx_j = sum_l G_kl beta_lj, G_kl = df_k / deta_l, times x_j for "ex"; of a feature of 0
and 1 it is f at 1 less f at 0. Effects are averaged over samples, or are those of one. The covariance of effects is
J V J^T, J their derivatives with respect to the parameters and V the covariance of these.

Source: Greene, Econometric Analysis, 7th ed., 2012, 17.3.2 (marginal effects, delta method).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, ndtr, softmax

from .._validation import as_real, check_choice

KINDS = ("dydx", "eyex", "dyex", "eydx")


@dataclass
class MarginalEffects:
    """Effects of features on the probability of the event or, of many classes, of each class.

    Attributes
    ----------
    names : list of str
        Of the features.
    effects, std_err, z, p_values, lower, upper : float64 arrays of shape (n_features,) or (n_classes, n_features)
        Estimates with their errors, two-sided p-values and intervals, by a normal distribution.
    is_discrete : bool array of shape (n_features,)
        Whether it is a change from 0 to 1.
    """

    names: list
    effects: np.ndarray
    std_err: np.ndarray
    is_discrete: np.ndarray
    quantile: float

    def __post_init__(self):
        # Of a feature that has no effect, whatever the parameters, there is nothing to test.
        self.z = np.divide(self.effects, self.std_err, out=np.zeros_like(self.effects), where=self.std_err > 0.0)
        self.p_values = 2.0 * ndtr(-np.abs(self.z))
        self.lower = self.effects - self.quantile * self.std_err
        self.upper = self.effects + self.quantile * self.std_err


def binary_features(matrix):
    """Which features are 0 and 1, both of them and nothing else: a pass of NumPy."""
    fits, low, high = np.ones(matrix.shape[1], bool), np.zeros(matrix.shape[1], bool), np.zeros(matrix.shape[1], bool)
    for _, block in matrix.rows_with_ones():
        is_low, is_high = block[:, :-1] == 0.0, block[:, :-1] == 1.0
        fits &= (is_low | is_high).all(axis=0)
        low |= is_low.any(axis=0)
        high |= is_high.any(axis=0)
    return fits & low & high


def samples_at(at, matrix, weight, offset, n_rows):
    """Weights, rows [x 1] and offsets of the samples that effects are averaged over: those of a matrix, or one.

    Raises
    ------
    TypeError, ValueError
        If `at` is neither "overall" nor "mean" nor an array of n_features finite numbers.
    """
    if isinstance(at, str) and check_choice(at, "at", ("overall", "mean")) == "overall":
        width = (n_rows + 1) ** 3 + 4 * matrix.shape[1]
        return ((weight[rows], block, offset[rows, None]) for rows, block in matrix.rows_with_ones(width))
    mean = np.array([[weight @ offset / weight.sum()]])
    if isinstance(at, str):
        x = sum(weight[rows] @ block for rows, block in matrix.rows_with_ones()) / weight.sum()
        return [(np.ones(1), x[None], mean)]
    x = as_real(at, "at").astype(np.float64)
    if x.shape != (matrix.shape[1],) or not np.isfinite(x).all():
        raise ValueError(f"at must hold {matrix.shape[1]} finite numbers, one for each feature, got shape {x.shape}")
    return [(np.ones(1), np.append(x, 1.0)[None], mean)]


def average_effects(coefs, covariance, blocks, *, kind, discrete):
    """Weighted averages over samples.

    Parameters
    ----------
    coefs : float64 array of shape (k, n_features + 1)
        Rows for each class but the base, the first; intercept last.
    covariance : float64 array of shape (k (n_features + 1), k (n_features + 1))
    blocks : iterable of (weight, block, offset)
        Weights of some samples, their rows [x 1], and offsets of shape (n, 1).
    kind : str
        One of `KINDS`.
    discrete : bool array of shape (n_features,)

    Returns
    -------
    effects, std_err : float64 arrays of shape (k + 1, n_features)
    """
    k, width = coefs.shape
    logs, by_x = kind.startswith("ey"), kind.endswith("ex")
    total, effects, sloped = 0.0, np.zeros((k + 1, width - 1)), np.flatnonzero(~discrete)
    jacobian = np.zeros((k + 1, width - 1, k, width))
    for weight, block, offset in blocks:
        samples = weight, block, block @ coefs.T + offset
        total += weight.sum()
        if len(sloped):
            _add_slopes((effects, jacobian), samples, coefs, logs=logs, by_x=by_x, places=sloped)
        for j in np.flatnonzero(discrete):
            _add_change((effects, jacobian), samples, coefs, j, logs=logs)
    effects /= total
    rows = jacobian.reshape(effects.size, -1) / total
    variance = np.einsum("ij,ij->i", rows @ covariance, rows)
    return effects, np.sqrt(np.maximum(variance, 0.0)).reshape(effects.shape)


def _derivatives(raw, logs):
    """f, p_k and delta_kl - p_l at raw predictions of shape (n, k): arrays of n, of k + 1 classes, of k others."""
    raw = np.insert(raw, 0, 0.0, axis=1)
    p = softmax(raw, axis=1)
    return log_softmax(raw, axis=1) if logs else p, p, np.eye(p.shape[1])[:, 1:] - p[:, None, 1:]


def _add_slopes(sums, samples, coefs, *, logs, by_x, places):
    """Add those of the features at `places`, and their derivatives, to the sums."""
    (effects, jacobian), (weight, block, raw) = sums, samples
    _, p, left = _derivatives(raw, logs)
    own = p[:, 1:, None] * left[:, 1:]  # dp_l / deta_m
    beta, x = coefs[:, places], block[:, places] if by_x else np.ones((len(block), 1))
    for k in range(len(effects)):
        share = weight if logs else weight * p[:, k]
        mean = np.broadcast_to((share[:, None] * left[:, k]).T @ x, beta.shape)
        effects[k, places] += (mean * beta).sum(axis=0)
        for m in range(len(coefs)):
            change = -own[:, :, m] if logs else left[:, k, [m]] * left[:, k] - own[:, :, m]  # dG_kl / deta_m, / p_k
            if by_x:
                jacobian[k, places, m] += (share[:, None] * (change @ beta) * x).T @ block
            else:
                jacobian[k, places, m] += beta.T @ ((share[:, None] * change).T @ block)
            jacobian[k, places, m, places] += mean[m]


def _add_change(sums, samples, coefs, j, *, logs):
    """Add that of a feature of 0 and 1, and its derivatives, to the sums."""
    (effects, jacobian), (weight, block, raw) = sums, samples
    raw = raw - np.outer(block[:, j], coefs[:, j])
    (low, p_low, G_low), (high, p_high, G_high) = (_derivatives(raw + by, logs) for by in (0.0, coefs[:, j]))
    if not logs:
        G_low, G_high = p_low[:, :, None] * G_low, p_high[:, :, None] * G_high
    effects[:, j] += weight @ (high - low)
    change = (weight[:, None, None] * (G_high - G_low)).reshape(len(block), -1)
    products = (change.T @ block).reshape(*G_high.shape[1:], -1)
    products[..., j] = np.tensordot(weight, G_high, axes=1)
    jacobian[:, j] += products
