"""Gradient descent with a fixed learning rate: the study's loop, step for step.

Two methods with the same iterates, up to rounding:

``"fused"``
    One pass over X per step. A matrix that goes feature after feature takes the step and forms the next raw predictions
    in the same sweep (`matrices.descent`); all others evaluate loss and gradient, then step.
``"gram"``
    Every gradient is X^T r, so w stays in w_0 + span(X^T). With K = X X^T, formed once, the raw predictions of the
    next step are z - learning_rate K r / S: n_samples^2 per step instead of n_samples n_features. w is formed once,
    at the end.
``"auto"``
    "gram" where ``n_samples (n_features / 16 + n_iterations) < n_features n_iterations``, that is where making K
    (a multiply-add costs about an eighth of reading a number, and half of K is made) and the short steps cost less
    than the long steps.
"""

from dataclasses import dataclass

import numpy as np

from .._validation import check_choice, check_number, read_only
from ..losses.quadratic import Quadratic
from ..matrices.dense import DenseMatrix
from ..matrices.descent import Descent

METHODS = ("auto", "fused", "gram")


@dataclass
class GradientDescentResult:
    """What a run of gradient descent leaves.

    Attributes
    ----------
    coef : float64 array of shape (n_features + 1,)
        [w, b] after the last step.
    gradient : float64 array of shape (n_features + 1,)
        Of the mean loss, where the last step started; zeros if there was none.
    costs : float64 array of shape (n_iterations,)
        Mean loss before each step.
    method : str
        "fused" or "gram".
    """

    coef: np.ndarray
    gradient: np.ndarray
    costs: np.ndarray
    method: str


def choose_method(n_samples, n_features, n_iterations):
    """The rule of ``method="auto"``; see the module's docstring."""
    gram_is_cheaper = n_samples * (n_features / 16 + n_iterations) < n_features * n_iterations
    return "gram" if gram_is_cheaper else "fused"


def solve(matrix, loss, start, *, learning_rate, n_iterations, method="auto", callback=None, progress=False):
    """Minimise the mean loss by gradient descent.

    Parameters
    ----------
    matrix : DenseMatrix
    loss : LogisticLoss
    start : array of shape (n_features + 1,)
        [w, b]; not changed.
    learning_rate : float
        > 0.
    n_iterations : int
        Number of steps, >= 0.
    method : {"auto", "fused", "gram"}
        See the module's docstring.
    callback : callable, optional
        ``callback(iteration, cost)`` before each step; a true value ends the run there, with that step undone.
    progress : bool
        Show a progress bar (needs tqdm).

    Returns
    -------
    GradientDescentResult

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range, or X holds NaN or infinity.
    """
    learning_rate = check_number(learning_rate, "learning_rate", low=0.0, inclusive=False)
    n_iterations = check_number(n_iterations, "n_iterations", low=0, integer=True)
    check_choice(method, "method", METHODS)
    if method == "auto":
        method = choose_method(*matrix.shape, n_iterations)
    if method == "gram":
        steps = _GramSteps
    elif matrix.goes_by_features:
        steps = _SweepSteps
    else:
        steps = _PassSteps
    costs = []
    descent = steps(matrix, loss, np.array(start, dtype=np.float64), learning_rate / loss.weight_sum)
    for iteration in _iterations(n_iterations, progress):
        cost = descent.evaluate() / loss.weight_sum
        costs.append(cost)
        if callback is not None and callback(iteration, cost):
            break
        descent.step()
    coef, gradient = descent.finish()
    return GradientDescentResult(coef, gradient / loss.weight_sum, np.array(costs), method)


def _iterations(n_iterations, progress):
    if not progress:
        return range(n_iterations)
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from error
    return tqdm(range(n_iterations), desc="gradient descent", unit="step")


class _PassSteps:
    """A fused pass for each evaluation; `rate` is the learning rate over the sum of the weights."""

    def __init__(self, matrix, loss, coef, rate):
        self.matrix = matrix
        self.loss = loss
        self.coef = coef
        self.rate = rate
        self.gradient = np.zeros_like(coef)  # where the last step started

    def evaluate(self):
        """Summed loss at the current coefficients."""
        value, gradient = self.matrix.sweep(self.loss, self.coef[None])
        self._evaluated = gradient[0]
        return value

    def step(self):
        """Go down the gradient of the last evaluation."""
        self.gradient = self._evaluated
        self.coef -= self.rate * self.gradient

    def finish(self):
        """Coefficients after the last step, and the summed gradient where it started."""
        return self.coef, self.gradient


class _SweepSteps:
    """A sweep over the features for each step, which also forms the raw predictions of the next evaluation."""

    def __init__(self, matrix, loss, coef, rate):
        self.descent = Descent(matrix, loss, coef)
        self.rate = rate
        self.unmoved = coef, np.zeros_like(coef)

    def evaluate(self):
        return self.descent.value

    def step(self):
        self.descent.step(self.rate)
        self.unmoved = None

    def finish(self):
        return self.unmoved or (self.descent.coef(), self.descent.gradient())


class _GramSteps(_PassSteps):
    """Steps on the n_samples raw predictions, with the Gram matrix in place of X."""

    def __init__(self, matrix, loss, coef, rate):
        super().__init__(matrix, loss, coef, rate)
        n_samples = matrix.shape[0]
        matrix.predict(loss, np.append(coef[:-1], 0.0)[None])
        self._linear = loss.predicted().copy()  # X w
        self._gram = DenseMatrix(read_only(matrix.gram()), team=matrix.team)
        self._products = Quadratic(np.zeros(n_samples))
        self._stepped_residual = np.zeros(n_samples)  # where the last step started
        self._residual_sum = np.zeros(n_samples)  # of all steps: w = w_0 - rate X^T residual_sum

    def evaluate(self):
        value, self._residual, _ = self.loss.at(self._linear + self.coef[-1])
        return value

    def step(self):
        self._gram.predict(self._products, np.append(self._residual, 0.0)[None])
        self._linear -= self.rate * self._products.predicted()
        self._residual_sum += self._residual
        self._stepped_residual = self._residual
        self.coef[-1] -= self.rate * self._residual.sum()

    def finish(self):
        self.gradient = self.matrix.intercept_column(Quadratic(self._stepped_residual))
        self.coef[:-1] -= self.rate * self.matrix.intercept_column(Quadratic(self._residual_sum))[:-1]
        return self.coef, self.gradient
