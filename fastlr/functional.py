"""The study's functions, over its own (n_features, n_samples) arrays.

A notebook that defines ``forward_backward_propagation``, ``update``, ``predict`` and the rest runs as before when it
imports them from here: same argument order, same shapes, same dictionary keys. ``x_train`` may hold float64, float32,
uint8, int8 or bool and is read as it stands, a vector is one sample; weights have shape (n_features, 1), labels
(1, n_samples).

The cost is the mean of log(1 + exp(z)) - y z, which is the study's -y log(p) - (1 - y) log(1 - p) without its loss of
digits, and without NaN where p rounds to 0 or 1.
"""

import numpy as np
from numpy.typing import ArrayLike

from ._validation import as_real, check_features, check_number, check_targets
from .kernels.pointwise import sigmoid_array
from .losses.logistic import LogisticLoss
from .losses.quadratic import Quadratic
from .matrices.dense import DenseMatrix
from .runtime.team import Team, effective_n_threads
from .solvers import gradient_descent

__all__ = [
    "forward_backward_propagation",
    "forward_propagation",
    "initialize_weights_and_bias",
    "logistic_regression",
    "predict",
    "sigmoid",
    "update",
]

# From this many entries on, some milliseconds, a single pass is shared by threads: a start takes 0.1 to 0.4 ms.
_SHARED_ENTRIES = 6_000_000


def sigmoid(z: ArrayLike) -> np.ndarray | float:
    """1 / (1 + exp(-z)), elementwise, without overflow.

    Parameters
    ----------
    z : array-like of real numbers

    Returns
    -------
    float64 ndarray of z's shape, or float for a scalar

    Raises
    ------
    TypeError
        If z does not hold real numbers.
    """
    values = as_real(z, "z")
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    out = np.empty_like(flat)
    sigmoid_array(flat, out)
    return out.reshape(values.shape) if values.ndim else float(out[0])


def initialize_weights_and_bias(dimension: int) -> tuple[np.ndarray, float]:
    """The study's start: all weights 0.01, bias 0.

    Parameters
    ----------
    dimension : int
        Number of features, >= 1.

    Returns
    -------
    w : float64 array of shape (dimension, 1)
    b : float
    """
    dimension = check_number(dimension, "dimension", low=1, integer=True)
    return np.full((dimension, 1), 0.01), 0.0


def forward_propagation(w: ArrayLike, b: float, x_train: np.ndarray, y_train: ArrayLike) -> float:
    """Mean cost at the given weights.

    Parameters
    ----------
    w : array-like of shape (n_features, 1)
    b : float
    x_train : array of shape (n_features, n_samples)
    y_train : array-like of shape (1, n_samples)
        Labels in [0, 1].

    Returns
    -------
    cost : float

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong shape or type, or x_train holds NaN or infinity.
    """
    return forward_backward_propagation(w, b, x_train, y_train)[0]


def forward_backward_propagation(w: ArrayLike, b: float, x_train: np.ndarray, y_train: ArrayLike) -> tuple[float, dict]:
    """Mean cost and its gradients, x_train read once.

    Parameters
    ----------
    w, b, x_train, y_train
        See `forward_propagation`.

    Returns
    -------
    cost : float
    gradients : dict
        "derivative_weight", float64 array of shape (n_features, 1), and "derivative_bias", float.
    """
    X = _samples(x_train, "x_train")
    with _team_of_one_pass(X) as team:
        loss = _loss(X, y_train)
        matrix = DenseMatrix(X, name="x_train", team=team)
        value, gradient = matrix.sweep(loss, _coef(w, b, X, "x_train")[None])
        return value / loss.weight_sum, _gradients(gradient[0] / loss.weight_sum)


def update(
    w,
    b,
    x_train,
    y_train,
    learning_rate,
    number_of_iterations=None,
    *,
    number_of_iterarion=None,
    num_iterations=None,
    method="auto",
    callback=None,
    progress=False,
    verbose=True,
):
    """Gradient descent from the given weights.

    Parameters
    ----------
    w, b, x_train, y_train
        See `forward_propagation`. Nothing is modified.
    learning_rate : float
        > 0.
    number_of_iterations : int
        Number of steps, >= 0. The study's own spelling of the keyword, ``number_of_iterarion``, works as well, and so
        does ``num_iterations``, as it is called in `logistic_regression`.
    method : {"auto", "fused", "gram"}
        How the steps are computed; the iterates are the same, see `fastlr.solvers.gradient_descent`.
    callback : callable, optional
        ``callback(iteration, cost)`` before each step; a true value ends the run.
    progress : bool
        Show a progress bar.
    verbose : bool
        Print the cost every 10 iterations, as the study does.

    Returns
    -------
    parameters : dict
        "weight", float64 array of shape (n_features, 1), and "bias", float: after the last step.
    gradients : dict
        As from `forward_backward_propagation`, of the last step.
    cost_list : list of float
        The cost before each step.
    """
    given = [n for n in (number_of_iterations, number_of_iterarion, num_iterations) if n is not None]
    if len(given) != 1:
        raise TypeError("update needs number_of_iterations, once")

    def report(iteration, cost):
        if verbose and iteration % 10 == 0:
            print(f"Cost after iteration {iteration}: {cost:f}")
        return callback is not None and callback(iteration, cost)

    with Team(effective_n_threads()) as team:
        X = _samples(x_train, "x_train")
        result = gradient_descent.solve(
            DenseMatrix(X, name="x_train", team=team),
            _loss(X, y_train),
            _coef(w, b, X, "x_train"),
            learning_rate=learning_rate,
            n_iterations=check_number(given[0], "number_of_iterations", low=0, integer=True),
            method=method,
            callback=report,
            progress=progress,
        )
    parameters = {"weight": result.coef[:-1, None], "bias": float(result.coef[-1])}
    return parameters, _gradients(result.gradient), result.costs.tolist()


def predict(w: ArrayLike, b: float, x_test: np.ndarray) -> np.ndarray:
    """Labels of the samples: 1 where sigmoid(w.T x + b) > 0.5.

    Parameters
    ----------
    w : array-like of shape (n_features, 1)
    b : float
    x_test : array of shape (n_features, n_samples)

    Returns
    -------
    float64 array of shape (1, n_samples)
        0.0 and 1.0.
    """
    X = _samples(x_test, "x_test")
    with _team_of_one_pass(X) as team:
        predictions = Quadratic(np.empty(len(X)))
        DenseMatrix(X, name="x_test", team=team).predict(predictions, _coef(w, b, X, "x_test")[None])
        return (predictions.predicted() > 0.0).astype(np.float64)[None, :]


def logistic_regression(
    x_train, y_train, x_test, y_test, learning_rate, num_iterations, *, method="auto", verbose=True
):
    """Train on one set, predict both, print the accuracies in percent.

    Parameters
    ----------
    x_train, x_test : arrays of shape (n_features, n_samples)
    y_train, y_test : array-likes of shape (1, n_samples)
    learning_rate : float
        > 0.
    num_iterations : int
        Number of steps, >= 0.
    method : {"auto", "fused", "gram"}
        See `update`.
    verbose : bool
        Print the costs and the accuracies.

    Returns
    -------
    dict
        "weight", "bias", "cost_list", "train_accuracy" and "test_accuracy" (percent).
    """
    test = _samples(x_test, "x_test")
    y_test = _labels(y_test, test, "test")
    train = _samples(x_train, "x_train")
    y_train = _labels(y_train, train, "train")
    n_features = train.shape[1]
    if test.shape[1] != n_features:
        raise ValueError(f"x_test must have as many features as x_train, {n_features}, got {test.shape[1]}")
    num_iterations = check_number(num_iterations, "num_iterations", low=0, integer=True)
    w, b = initialize_weights_and_bias(n_features)
    parameters, _, cost_list = update(
        w, b, x_train, y_train, learning_rate, num_iterations, method=method, verbose=verbose
    )
    result = dict(parameters, cost_list=cost_list)
    for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        wrong = np.abs(predict(parameters["weight"], parameters["bias"], x) - y)
        result[f"{name}_accuracy"] = float(100.0 - 100.0 * wrong.mean())
        if verbose:
            print(f"{name} accuracy: {result[f'{name}_accuracy']} %")
    return result


def _team_of_one_pass(X):
    """Threads for a call that reads X once: alone, where the start of another takes as long as it could save."""
    return Team(effective_n_threads() if X.size >= _SHARED_ENTRIES else 1)


def _samples(x, name):
    """The transposed view, samples first; a vector is one sample."""
    x = as_real(x, name)
    return check_features(x.T if x.ndim != 1 else x[None], name)


def _vector(values, name, shape, X, x_name):
    """Values of a shape (1, n) or (n, 1) as a vector; where they differ, the error says what to transpose."""
    values = as_real(values, name)
    size = max(shape)
    if values.shape in (shape, (size,)) or size == values.size == 1:
        return values.reshape(-1)
    message = f"{name} must have shape {shape} for {x_name} of shape {X.shape[::-1]}, got {values.shape}"
    if values.shape == shape[::-1]:
        message += f": pass {name}.T"
    elif values.size == X.size // size:
        message = f"{x_name} must have shape (n_features, n_samples), got {X.shape[::-1]} and {name} of shape "
        message += f"{values.shape}: pass {x_name}.T"
    raise ValueError(message)


def _labels(y, X, name):
    """Labels of a set, "train" or "test", as a vector."""
    return check_targets(_vector(y, f"y_{name}", (1, len(X)), X, f"x_{name}"), len(X), f"y_{name}")


def _loss(X, y_train):
    return LogisticLoss(_labels(y_train, X, "train"), np.empty(0))


def _coef(w, b, X, name):
    """[w, b] for the samples X, which callers know as `name`."""
    coef = np.append(_vector(w, "w", (X.shape[1], 1), X, name), check_number(b, "b")).astype(np.float64)
    if not np.isfinite(coef).all():
        raise ValueError("w must be finite, but contains NaN or infinity")
    return coef


def _gradients(gradient):
    return {"derivative_weight": gradient[:-1, None], "derivative_bias": float(gradient[-1])}
