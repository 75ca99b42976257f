"""What is correct: the same sums, products and loop in plain NumPy.

Every compiled pass is tested against its twin here, and timed beside it. The formulas are the stable ones, so that
the two agree for any raw prediction; the products are NumPy's own.

Parameters common to all functions
----------------------------------
X : array of shape (n_samples, n_features)
y : array of shape (n_samples,)
    Targets in [0, 1].
sample_weight : array of shape (n_samples,) or None
coef : array of shape (n_features + 1,)
    [w, b], intercept last.
"""

import numpy as np


def sigmoid(z):
    """1 / (1 + exp(-z)), without overflow."""
    return _sigmoid(z, _small_exponential(z))


def loss(z, y):
    """log(1 + exp(z)) - y z, without overflow."""
    return _loss(z, y, _small_exponential(z))


def curvature(z):
    """Second derivative of the loss with respect to z: p (1 - p)."""
    return _curvature(_small_exponential(z))


def loss_residual_curvature(z, y):
    """`loss`, its derivative with respect to z, sigmoid(z) - y, and `curvature`, from one exponential."""
    e = _small_exponential(z)
    return _loss(z, y, e), _sigmoid(z, e) - y, _curvature(e)


def _small_exponential(z):
    return np.exp(-np.abs(z))


def _sigmoid(z, e):
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def _loss(z, y, e):
    return np.log1p(e) + (np.maximum(z, 0.0) - y * z)


def _curvature(e):
    return e / np.square(1.0 + e)


def _weighted(values, sample_weight):
    return values if sample_weight is None else sample_weight * values


def raw_prediction(X, coef):
    """X w + b."""
    return X @ coef[:-1] + coef[-1]


def loss_gradient(X, y, sample_weight, coef):
    """Summed loss and its gradient [X 1]^T (p - y): two products with X."""
    z = raw_prediction(X, coef)
    residual = _weighted(sigmoid(z) - y, sample_weight)
    total = _weighted(loss(z, y), sample_weight).sum()
    return total, np.append(X.T @ residual, residual.sum())


def hessian(X, sample_weight, coef):
    """[X 1]^T D [X 1] with D the weighted curvatures."""
    X1 = np.column_stack([X, np.ones(len(X))])
    d = _weighted(curvature(raw_prediction(X, coef)), sample_weight)
    return X1.T @ (d[:, None] * X1)


def hessian_product(X, sample_weight, coef, direction):
    """[X 1]^T D [X 1] direction."""
    d = _weighted(curvature(raw_prediction(X, coef)), sample_weight)
    v = d * raw_prediction(X, direction)
    return np.append(X.T @ v, v.sum())


def gradient_descent(X, y, sample_weight, coef, learning_rate, n_iterations):
    """Plain gradient descent on the mean loss.

    Returns
    -------
    coef : array of shape (n_features + 1,)
        After the last step.
    gradient : array of shape (n_features + 1,)
        Of the last step, taken where it started.
    costs : array of shape (n_iterations,)
        Mean loss before each step.
    """
    total = len(X) if sample_weight is None else sample_weight.sum()
    coef = np.array(coef, dtype=np.float64)
    gradient = np.zeros_like(coef)
    costs = np.empty(n_iterations)
    for iteration in range(n_iterations):
        cost, gradient = loss_gradient(X, y, sample_weight, coef.astype(X.dtype) if X.dtype.kind == "f" else coef)
        gradient = gradient / total
        costs[iteration] = cost / total
        coef -= learning_rate * gradient
    return coef, gradient, costs
