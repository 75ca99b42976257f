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
    [w, b], intercept last; for softmax of shape (n_classes, n_features + 1), a row for each class.
classes : int array of shape (n_samples,)
    For softmax in place of y: the class of each sample, from 0.
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


def softmax_loss_probabilities(z, classes):
    """log(sum_k exp(z_k)) - z_class and the probabilities, without overflow, and with all digits of a small loss.

    Parameters
    ----------
    z : array of shape (n_samples, n_classes)
        Raw predictions.

    Returns
    -------
    loss : array of shape (n_samples,)
    p : array of shape (n_samples, n_classes)
    """
    rows, largest = np.arange(len(z)), z.argmax(axis=1)
    top = z[rows, largest]
    p = z - top[:, None]
    np.exp(p, out=p)
    p[rows, largest] = 0.0  # exactly 1 in the sum, which would swallow digits
    rest = p.sum(axis=1)
    p[rows, largest] = 1.0
    p /= (1.0 + rest)[:, None]
    return np.log1p(rest) + (top - z[rows, classes]), p


def softmax_raw_prediction(X, coef):
    """X W^T + b."""
    return X @ coef[:, :-1].T + coef[:, -1]


def softmax_loss_gradient(X, classes, sample_weight, coef):
    """Summed loss and its gradient (p - [class])^T [X 1]."""
    losses, residual = softmax_loss_probabilities(softmax_raw_prediction(X, coef), classes)
    residual[np.arange(len(classes)), classes] -= 1.0
    return _weighted(losses, sample_weight).sum(), _class_sums(X, residual, sample_weight)


def softmax_hessian_product(X, sample_weight, coef, direction):
    """Hessian of the summed loss times a direction of coef's shape."""
    p, change = _probabilities(X, coef), softmax_raw_prediction(X, direction)
    change -= (p * change).sum(axis=1, keepdims=True)
    return _class_sums(X, p * change, sample_weight)


def softmax_hessian(X, sample_weight, coef):
    """That Hessian, of shape (coef.size, coef.size)."""
    return softmax_curvature(np.column_stack([X, np.ones(len(X))]), sample_weight, _probabilities(X, coef))


def softmax_curvature(X, sample_weight, p):
    """The sum of (diag(p) - p p^T) times x x^T, block by block."""
    weighted = p if sample_weight is None else sample_weight[:, None] * p
    matrix = -(_products(weighted, X).T @ _products(p, X))
    for k, first in enumerate(range(0, len(matrix), X.shape[1])):
        block = slice(first, first + X.shape[1])
        matrix[block, block] += X.T @ (weighted[:, [k]] * X)
    return matrix


def _products(p, X):
    """Each entry of a row of p times each of the same row of X."""
    return (p[:, :, None] * X[:, None, :]).reshape(len(X), -1)


def softmax_intercept_hessian(X, sample_weight, coef):
    """The block of that Hessian that belongs to the intercepts: the sum of diag(p) - p p^T."""
    p = _probabilities(X, coef)
    weighted = p if sample_weight is None else sample_weight[:, None] * p
    return np.diag(weighted.sum(axis=0)) - weighted.T @ p


def _probabilities(X, coef):
    z = softmax_raw_prediction(X, coef)
    return softmax_loss_probabilities(z, z.argmax(axis=1))[1]


def _class_sums(X, residual, sample_weight):
    if sample_weight is not None:
        residual = sample_weight[:, None] * residual
    return np.column_stack([(X.T @ residual).T, residual.sum(axis=0)])


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


def proximal_gradient(X, y, sample_weight, l1, l2, *, n_iterations, fit_intercept=True):
    """Minimise the mean loss + l1 |w|_1 + l2 / 2 |w|^2 by accelerated proximal gradients: slow, and sure.

    Source: Beck & Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sciences 2, 2009; with
    the restarts of O'Donoghue & Candes, Adaptive restart for accelerated gradient schemes, 2015.

    Returns
    -------
    array of shape (n_features + 1,)
        [w, b].
    """
    total = len(X) if sample_weight is None else sample_weight.sum()
    X1 = np.column_stack([X, np.full(len(X), float(fit_intercept))])
    weighted = X1 if sample_weight is None else np.sqrt(sample_weight)[:, None] * X1
    step = 1.0 / (0.25 * np.linalg.norm(weighted, 2) ** 2 / total + l2)
    coef = ahead = np.zeros(X.shape[1] + 1)
    t = 1.0
    for _ in range(n_iterations):
        gradient = loss_gradient(X, y, sample_weight, ahead)[1] / total
        gradient[:-1] += l2 * ahead[:-1]
        gradient[-1] *= fit_intercept
        new = ahead - step * gradient
        new[:-1] = np.sign(new[:-1]) * np.maximum(np.abs(new[:-1]) - step * l1, 0.0)
        if (ahead - new) @ (new - coef) > 0.0:
            t = 1.0
        before, t = t, 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        ahead, coef = new + (before - 1.0) / t * (new - coef), new
    return coef
