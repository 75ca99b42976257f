"""The likelihood of a model's data in the parameters of a table.

Conventions
-----------
Rows x_i have a 1 in front, for "const". Two classes have one row of parameters; K classes have K - 1, one for each
class but the base: those of a class less those of the base, so that no parameter is free to move without a change of
the likelihood. Vectors and matrices of parameters have the intercept of a row first, then its features, and row after
row. Inside, coefficients are those of all other rooms: float64 of shape (K - 1, n_features + 1), intercept last.

With s_i the weights, the log-likelihood l is -sum_i s_i loss_i, its gradient (the score) sum_i u_i with
u_i = -r_i (x) x_i, r_i the weighted derivatives of the loss, and the information is minus its second derivative.
"""

import numpy as np
from scipy import special

from ..losses.quadratic import Quadratic
from ..matrices.scales import standardisation
from ..objectives.firth import FirthObjective
from ..objectives.penalties import L2
from ..objectives.softmax import SoftmaxObjective
from .profile import restricted_fit


class Likelihood:
    """What is common to two classes and to many.

    Parameters
    ----------
    problem : Problem
    base : int
        The class that the others are compared with.
    team : Team

    Attributes
    ----------
    order : int array of shape (n_params,)
        Place of each parameter among the coefficients, in rows one after the other.
    """

    def __init__(self, problem, base, team):
        self.matrix = problem.matrix(np.float64, team)
        self.loss = problem.loss()
        self.strength = 1.0 / problem.C
        self.fit_intercept = problem.fit_intercept
        self.n_rows = problem.n_classes - 1
        self.base = base
        n_features = self.matrix.shape[1]
        of_row = np.arange(n_features)
        if problem.fit_intercept:
            of_row = np.append(n_features, of_row)
        self.order = (np.arange(self.n_rows)[:, None] * (n_features + 1) + of_row).ravel()

    most_steps = 10  # of Newton's method, from where a fit ended

    @property
    def is_plain(self):
        """Whether there is no penalty of any kind."""
        return not self.strength

    @property
    def shape(self):
        """Of coefficients."""
        return self.n_rows, self.matrix.shape[1] + 1

    def params(self, coefs):
        """Coefficients as a vector of parameters."""
        return coefs.ravel()[self.order]

    def coefs(self, params):
        """Parameters as coefficients."""
        coefs = np.zeros(self.shape)
        coefs.ravel()[self.order] = params
        return coefs

    def square(self, matrix):
        """A matrix of coefficients as one of parameters."""
        return matrix[np.ix_(self.order, self.order)]

    def whole(self, matrix):
        """A matrix of parameters as one of coefficients, 0 where there is no intercept."""
        whole = np.zeros((self.n_rows * self.shape[1], self.n_rows * self.shape[1]))
        whole[np.ix_(self.order, self.order)] = matrix
        return whole

    def against_base(self, coefs):
        """Coefficients of all classes, as a model has them, less those of the base."""
        return coefs if len(coefs) == 1 else np.delete(coefs - coefs[self.base], self.base, axis=0)

    def null(self):
        """The best parameters where those of all features are 0, and the log-likelihood there."""
        coefs = np.zeros((self.loss.n_rows, self.shape[1]))
        if self.fit_intercept:
            coefs[:, -1] = self.loss.best_intercepts()
        return self.params(self.against_base(coefs)), -self.loss.of_constants(coefs[:, -1])

    def penalty(self):
        """Second derivative of |W|^2 / (2 C) in the parameters, W the coefficients of all classes of least norm."""
        between = np.eye(self.n_rows)
        if self.n_rows > 1:
            between -= 1.0 / (self.n_rows + 1)
        within = np.full(self.shape[1], self.strength)
        within[-1] = 0.0
        return self.square(np.kron(between, np.diag(within)))

    def evaluate(self, params):
        """Summed loss and its gradient at parameters: one pass.

        Returns
        -------
        value : float
        gradient : float64 array of shape (n_params,)
        """
        value, gradient = self._sweep(self.coefs(params))
        return value, self.params(gradient)

    def penalised(self, params):
        """Loss plus penalty and its gradient at parameters: one pass."""
        value, gradient = self.evaluate(params)
        pull = self.penalty() @ params
        return value + 0.5 * float(pull @ params), gradient + pull

    def curved(self, params):
        """Loss plus penalty, its gradient and its second derivative at parameters: two passes."""
        return *self.penalised(params), self.information() + self.penalty()

    def spread(self):
        """How far the columns of a row of parameters spread, 1 for the intercept: one pass."""
        _, variance = standardisation(self.matrix, self.loss, centred=self.fit_intercept)
        return np.append(np.ones(int(self.fit_intercept)), np.sqrt(variance))

    def design(self, order=None):
        """The rows as dense [X 1], some at a time; see `Matrix.rows_with_ones`."""
        self.matrix.n_passes += 1
        return self.matrix.rows_with_ones(self.n_rows**2 * self.shape[1], order=order)

    def scores(self, order=None, adjusted=None):
        """Minus the u_i at the last `evaluate`, some at a time: yields rows and arrays of shape (n, n_params).

        `adjusted` maps rows, block and `residuals` to what takes the place of these.
        """
        for rows, block in self.design(order):
            residuals = self.residuals(rows, block)
            residuals = residuals if adjusted is None else adjusted(rows, block, residuals)
            products = residuals[:, :, None] * block[:, None, :]
            yield rows, products.reshape(len(block), -1)[:, self.order]


class TwoClasses(Likelihood):
    """One raw prediction for each sample, the log-odds of the class that is not the base."""

    def _sweep(self, coefs):
        value, gradient = self.matrix.sweep(self.loss, coefs)
        _, self.residual, _ = self.loss.at(self.loss.raw)
        return value, gradient

    def information(self):
        """At the last `evaluate`: one pass, of shape (n_params, n_params)."""
        return self.weighted(self.loss.curvature)

    def weighted(self, weight):
        """sum_i weight_i x_i x_i^T: one pass; weights may be negative nowhere."""
        return self.square(self.matrix.sandwich(Quadratic(weight)))

    def has_far(self):
        """Whether samples are far on their side, as all that recede are, at the last `evaluate`."""
        return self.loss.has_far()

    def recession(self, factor):
        """What is a direction of recession if there is one, of shape (n_params,): one pass.

        `factor` is a `ScaledCholesky` of the information at the last `evaluate`.
        """
        return factor.solve(self.params(self.matrix.intercept_column(self.loss.towards_far())))

    def sides(self, step):
        """The least and the largest change in favour of its class that a step is to a sample: one pass.

        It takes the place of the last `evaluate`.
        """
        self.matrix.predict(self.loss, self.coefs(step))
        return self.loss.sides()

    def tjur(self):
        """Mean probability of the event where it occurred less that where it did not, at the last `evaluate`."""
        weight, y = self.loss.weights(), self.loss.y
        p = y + np.divide(self.residual, weight, out=np.zeros_like(y), where=weight > 0.0)
        event, other = weight * y, weight * (1.0 - y)
        return float(event @ p / event.sum() - other @ p / other.sum())

    def residuals(self, rows, block):
        """Weighted derivatives of the loss at the last `evaluate`, of shape (n, 1)."""
        return self.residual[rows, None]

    def curvatures(self, rows, block):
        """Weighted second derivatives of the loss at the last `evaluate`, of shape (n, 1, 1)."""
        return self.loss.curvature[rows, None, None]

    def score_squares(self, factor):
        """sum_i factor_i u_i u_i^T, of shape (n_params, n_params): one pass."""
        return self.weighted(factor * self.residual**2)


class FirthLikelihood(TwoClasses):
    """That of two classes with Firth's penalty, which is part of it."""

    most_steps = 100
    is_plain = False

    def __init__(self, problem, base, team):
        super().__init__(problem, base, team)
        self._objective = FirthObjective(self.matrix, self.loss, problem.fit_intercept)

    def _sweep(self, coefs):
        value, gradient, self._hessian = self._objective.curved(coefs)
        _, self.residual, _ = self.loss.at(self.loss.raw)
        return self.loss.weight_sum * value, self.loss.weight_sum * gradient

    def information(self):
        """At the last `evaluate`, of shape (n_params, n_params)."""
        return self.loss.weight_sum * self.square(self._hessian)

    def null(self):
        """The best parameters where those of all features are 0, and the log-likelihood there."""
        intercepts = np.arange(int(self.fit_intercept))
        end = restricted_fit(self, super().null()[0], np.setdiff1d(np.arange(len(self.order)), intercepts))
        return end.params, -end.value


class ManyClasses(Likelihood):
    """A raw prediction for each class, that of the base 0."""

    def _sweep(self, coefs):
        self._all = np.insert(coefs, self.base, 0.0, axis=0)
        value, gradient = self.matrix.sweep(self.loss, self._all)
        return value, np.delete(gradient, self.base, axis=0)

    def information(self):
        """At the last `evaluate`: one pass, of shape (n_params, n_params)."""
        hessian = self.matrix.class_sandwich(self.loss, self._all)
        width = self.shape[1]
        others = np.delete(np.arange(len(hessian)), np.s_[self.base * width : (self.base + 1) * width])
        return self.square(hessian[np.ix_(others, others)])

    def has_far(self):
        """Whether samples are far from classes other than their own at the last `evaluate`: one pass."""
        return bool(self.matrix.ask_of_predictions(self.loss, "n_far", self._all))

    def recession(self, factor):
        """What is a direction of recession if there is one, of shape (n_params,): up to three passes."""

        def solve(side):
            step = factor.solve(self.params(np.delete(side, self.base, axis=0)))
            return np.insert(self.coefs(step), self.base, 0.0, axis=0)

        objective = SoftmaxObjective(self.matrix, self.loss, L2(0.0), self.fit_intercept)
        return self.params(self.against_base(objective.recession(self._all, solve)))

    def sides(self, step):
        """The least and the largest change in favour of its class that a step is to a sample: one pass."""
        ends = self.loss.sides(self.matrix.predictions(np.insert(self.coefs(step), self.base, 0.0, axis=0)))
        return -ends[0], ends[1:].max()

    def tjur(self):
        """None: there is no one event."""

    def residuals(self, rows, block):
        """Weighted derivatives of the loss at the last `evaluate`, of shape (n, n_classes - 1)."""
        residual = special.softmax(block @ self._all.T, axis=1)
        residual[np.arange(len(residual)), self.loss.classes[rows]] -= 1.0
        return self.loss.weights()[rows, None] * np.delete(residual, self.base, axis=1)

    def curvatures(self, rows, block):
        """Weighted second derivatives of the loss at the last `evaluate`, (n, n_classes - 1, n_classes - 1)."""
        p = np.delete(special.softmax(block @ self._all.T, axis=1), self.base, axis=1)
        own = p[:, :, None] * np.eye(self.n_rows)
        return self.loss.weights()[rows, None, None] * (own - p[:, :, None] * p[:, None, :])

    def score_squares(self, factor, adjusted=None):
        """sum_i factor_i u_i u_i^T, of shape (n_params, n_params), see `scores`: one pass."""
        total = np.zeros((len(self.order), len(self.order)))
        for rows, scores in self.scores(adjusted=adjusted):
            total += scores.T @ (factor[rows, None] * scores)
        return total


def likelihood_of(problem, base, team, *, firth=False):
    """The likelihood of a problem's classes, or that with Firth's penalty."""
    kind = FirthLikelihood if firth else TwoClasses
    return (ManyClasses if problem.n_classes > 2 else kind)(problem, base, team)
