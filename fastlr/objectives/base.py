"""What objectives share, whatever the loss: value, gradient, products with the Hessian."""

import copy
import math

import numpy as np

from ..matrices.scales import largest_entries, standardisation
from .collinear import Idle, idle_directions, of_least_norm

_ULP = float(np.finfo(np.float64).eps)


class DualGap:
    """The gap to a dual point, for what has a `penalty`."""

    def pull(self, coefs, gradient):
        """The loss's part of a gradient with respect to the features."""
        return gradient[:, :-1] - self.penalty.gradient(coefs[:, :-1])

    def dual_gap(self, coefs, value, a, divergence):
        """Bound on f - f* from a dual point q whose divergence KL(q || p) from the probabilities is at most this.

        With a what q is to the features, any s in [0, 1], and y + s (q - y) in place of q, of which KL is convex,

            f - f* <= s KL + (1 - s) loss + penalty(W) + conjugate(-s a) + s a . W
        """
        penalty, W = self.penalty, coefs[:, :-1]
        loss = value - penalty.value(W)
        largest = float(np.abs(a).max(initial=0.0))
        # What is scaled to the border is to stay within it, rounded.
        shares = {1.0} if largest <= penalty.l1 else {1.0, penalty.l1 / largest * (1.0 - _ULP)}
        return min(s * divergence + (1.0 - s) * loss + penalty.duality_gap(W, s * a) for s in shares)


class Objective(DualGap):
    """Mean loss plus penalty.

    Parameters
    ----------
    matrix : Matrix
        X.
    loss : LogisticLoss or SoftmaxLoss
        Targets and weights.
    penalty : L2 or ElasticNet
        On all coefficients but the intercepts.
    fit_intercept : bool
        Whether the intercepts are free. If not, they stay 0 and their gradient is set to 0.

    Attributes
    ----------
    shape : tuple of int
        Of coefficients: (k, n_features + 1), rows [w, b].
    n_coef : int
    made_up : list of int, or None
        Features whose coefficients stay where they are, see `fix_collinear`; None before.
    value_at_zero : float
        Value of the mean loss of coefficients that tell no sample from any other.
    least : float, float64 array
        The smallest value that `loss_gradient` has found, and where; None for nowhere.
    """

    least: tuple[float, np.ndarray | None] = (math.inf, None)
    made_up: list | None = None

    def __init__(self, matrix, loss, penalty, fit_intercept=True):
        self.matrix = matrix
        self.loss = loss
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.shape = loss.n_rows, matrix.shape[1] + 1
        self.n_coef = self.shape[0] * self.shape[1]
        self.value_at_zero = loss.value_at_zero
        self._known = {}  # of the columns of X, whatever the penalty

    @property
    def dtype(self):
        """What products with X are computed in."""
        return self.matrix.dtype

    @property
    def n_passes(self) -> int:
        """How often X was read."""
        return self.matrix.n_passes

    def with_penalty(self, penalty) -> "Objective":
        """The same objective with another penalty; what is known of X and of the last evaluation is shared."""
        other = copy.copy(self)
        other.penalty, other.least, other.made_up = penalty, (math.inf, None), None
        return other

    @property
    def fixed(self) -> list:
        """Places of coefficients of a row that stay where they are: `made_up`, and an intercept that is not fitted."""
        return (self.made_up or []) + ([] if self.fit_intercept else [self.matrix.shape[1]])

    def idle(self) -> Idle:
        """`idle_directions`; the first time passes, after which raw predictions are no longer those of before."""
        if "idle" not in self._known:
            self._known["idle"] = idle_directions(self)
        return self._known["idle"]

    def fix_collinear(self, coefs: np.ndarray) -> np.ndarray:
        """Coefficients of least norm, from which those of columns that others make up are not to move.

        Without a penalty nothing is lost, and the Hessian can be inverted.
        """
        idle = self.idle()
        self.made_up = idle.made_up.tolist()
        return of_least_norm(coefs, idle.directions) if self.made_up else coefs

    def subsample(self, rows: np.ndarray) -> "Objective":
        """The same objective over some of the rows, which are copied; `rows` are ascending indices."""
        matrix, loss = self.matrix.sample(self.loss, rows)
        return type(self)(matrix, loss, self.penalty, self.fit_intercept)

    def columns(self, places: np.ndarray) -> "Objective":
        """The same objective over some of the features, which are copied; `places` are ascending indices."""
        return type(self)(self.matrix.columns(places), self.loss, self.penalty, self.fit_intercept)

    def loss_gradient(self, coefs: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient of f at coefs: one pass over X.

        Returns
        -------
        value : float
        gradient : float64 array of shape (k, n_features + 1)
        """
        return self.of_sums(coefs, *self.matrix.sweep(self.loss, coefs))

    def of_sums(self, coefs: np.ndarray, value: float, gradient: np.ndarray) -> tuple[float, np.ndarray]:
        """`loss_gradient` from the summed loss and its gradient, which is overwritten, where others made the pass."""
        value, gradient = penalised(self, coefs, value, gradient, self.loss.weight_sum)
        if self.made_up:
            gradient[:, self.made_up] = 0.0
        if value < self.least[0]:
            self.least = value, coefs.copy()
        return value, gradient

    def shows_separation(self, value: float) -> bool:
        """Whether a value of f is so small that all samples lie on their sides, and there is no penalty: no optimum."""
        if self.penalty or not value < math.log(2.0):
            return False
        if "wrong side" not in self._known:
            self._known["wrong side"] = self.loss.loss_of_wrong_side() / self.loss.weight_sum
        return value < 0.5 * self._known["wrong side"]  # half of it, for rounding

    def hessian_product(self, directions: np.ndarray) -> np.ndarray:
        """Hessian of f, where `loss_gradient` was last evaluated, times directions, without forming it: one pass."""
        inner = directions
        if self.fixed:
            inner = directions.copy()
            inner[:, self.fixed] = 0.0
        product = self.matrix.product(self.loss, inner)
        product /= self.loss.weight_sum
        product[:, :-1] += self.penalty.diagonal * directions[:, :-1]
        product[:, self.fixed] = directions[:, self.fixed]
        return product

    @property
    def hessian_cost(self) -> float:
        """What a Hessian costs to form and to factorise, roughly, in passes."""
        return self.matrix.hessian_cost(self.n_coef)

    def centred(self, coefs: np.ndarray) -> np.ndarray:
        """Coefficients without what changes no probability."""
        return coefs

    def without_features(self) -> np.ndarray:
        """Zeros, but for the best intercepts where the loss knows them without a pass."""
        coefs = np.zeros(self.shape)
        if self.fit_intercept and self.matrix.in_memory:
            coefs[:, -1] = self.loss.best_intercepts()
        return coefs

    def rough_gap(self, gradient: np.ndarray) -> float:
        """Bound on f - f* by strong convexity, were the intercepts at their best: a first test, as it costs no pass.

        Returns
        -------
        float
            inf without a penalty.
        """
        return self.penalty.dual_bound(float(np.vdot(gradient[:, :-1], gradient[:, :-1])))

    def free_gap_bound(self, gradient: np.ndarray) -> float:
        """Bound on f - f* that holds and takes no pass; inf where none is known."""
        return np.inf

    def gap_since(self, coefs, gradient, before, gradient_before, enough: float) -> float:
        """Bound on f - f* from two gradients alone; inf where none is known, or above `enough`."""
        return np.inf

    def step_gap(
        self, coefs: np.ndarray, value: float, gradient: np.ndarray, step: np.ndarray, product: np.ndarray
    ) -> float:
        """Bound on f - f* from the step that minimises a model of f at coefs, whatever the penalty.

        With p the probabilities, J their derivatives and z the change of the raw predictions, q = p + J z is the dual
        point of the step, and a = gradient of the loss + its Hessian times the step what it is to the features. With
        the sums over the summed weights, KL(q || p) sums to z J z at most: see `dual_gap`. It takes a q that is not
        negative (`overshoot` at most 1), and a step that leaves no gradient of the intercepts.

        Parameters
        ----------
        coefs, gradient, step : float64 arrays of shape (k, n_features + 1)
        value : float
            f at coefs.
        product : float64 array of shape (k, n_features + 1)
            The Hessian of the smooth part, where `loss_gradient` was last evaluated, times the step.

        Returns
        -------
        float
        """
        V = step[:, :-1]
        bend = max(0.0, float(np.vdot(step, product)) - self.penalty.diagonal * float(np.vdot(V, V)))
        return self.dual_gap(coefs, value, self.pull(coefs + step, gradient + product), bend)

    def gram(self) -> np.ndarray:
        """[X 1]^T S [X 1], S the weights: one pass, float64 of shape (n_features + 1, n_features + 1).

        Without an intercept, its row and column are those of the identity.
        """
        gram = self.matrix.sandwich(self.loss.weighted())
        if not self.fit_intercept:
            fix(gram, [-1])
        return gram

    def largest_moves(self, directions: np.ndarray) -> np.ndarray:
        """The largest absolute change that each direction of features and intercept is to a sample: one pass.

        Parameters
        ----------
        directions : float64 array of shape (m, n_features + 1)

        Returns
        -------
        float64 array of shape (m,)
        """
        return self.matrix.ask_of_predictions(self.loss, "largest_moves", directions)

    def reaches(self, directions: np.ndarray) -> np.ndarray:
        """Bounds on `largest_moves` from the largest entries of columns, which the first time take a pass."""
        if "largest" not in self._known:
            self._known["largest"] = largest_entries(self.matrix)
        return np.abs(directions[:, :-1]) @ self._known["largest"] + np.abs(directions[:, -1])

    def reach(self, directions: np.ndarray) -> float:
        """Bound on `overshoot` from `reaches`: that of one class, or of the two whose changes differ most."""
        return float(np.sort(self.reaches(directions))[-2:].sum())

    def standardisation(self):
        """Means and variances of the columns, see `matrices.scales`; the first time a pass."""
        if "standardisation" not in self._known:
            self._known["standardisation"] = standardisation(self.matrix, self.loss, centred=self.fit_intercept)
        return self._known["standardisation"]


def penalised(objective, coefs, value, gradient, weight_sum):
    """Value and gradient of f from the summed loss and its gradient, which is overwritten.

    Parameters
    ----------
    objective : Objective
        Only its penalty and whether there is an intercept count.
    coefs, gradient : float64 arrays of shape (k, n_features + 1)
    value : float
    weight_sum : float
    """
    gradient /= weight_sum
    value = value / weight_sum
    if objective.penalty:
        w = coefs[:, :-1]
        gradient[:, :-1] += objective.penalty.gradient(w)
        value += objective.penalty.value(w)
    if not objective.fit_intercept:
        gradient[:, -1] = 0.0
    return value, gradient


def fix(matrix, places):
    """Make rows and columns of a square matrix those of the identity: of coefficients that stay where they are."""
    matrix[places] = matrix[:, places] = 0.0
    matrix[places, places] = 1.0
