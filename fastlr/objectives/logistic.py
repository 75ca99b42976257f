"""Loss plus penalty over a design, spelled once.

Conventions
-----------
With S the sum of the sample weights s_i, z_i = x_i . w + b, and ``coef = [w, b]`` of shape (n_features + 1,),

    f(coef) = 1/S sum_i s_i loss(z_i, y_i) + l2/2 |w|^2

The intercept comes last and is never penalised; without one it stays 0 and its gradient is set to 0. scikit-learn's
C, which weighs the summed loss against |w|^2/2, is l2 = 1 / (C S): `l2_from_C`.

Certificate
-----------
Fenchel duality bounds how far f is above its minimum. With c_i = s_i / S and any q in [0, 1]^n such that
alpha_i = c_i (q_i - y_i) sums to 0 (needed with an intercept only),

    f(coef) - f* <= sum_i c_i KL(q_i || p_i) + |X^T alpha + l2 w|^2 / (2 l2)

where KL is the divergence of two coin flips, p_i = sigmoid(z_i), and KL(q || p) <= (q - p)^2 / (p (1 - p)). Taking
q = p - t h, h = p (1 - p), t = g_b / sum_i c_i h_i, makes alpha sum to 0 and stays in [0, 1] while |t| <= 1:

    f(coef) - f* <= g_b^2 / s + |g_w - t u|^2 / (2 l2),     s = sum_i c_i h_i, u = sum_i c_i h_i x_i     (`gap_bound`)

Taking q = p - h z_d, z_d = [X 1] d with the Newton step d = H^-1 g, in place of t, gives a bound that holds without a
penalty as well, and is at most twice the true gap near the optimum:

    f(coef) - f* <= g^T H^-1 g    if max_i |z_d,i| <= 1     (used by `solvers.newton_cholesky`)

What it takes to trust a d that solves its equations only nearly is in `unpenalised`.

Sources: Boyd & Vandenberghe, Convex Optimization, 2004, 5.4 and 9.5 (duality, Newton decrement); Yu, Huang & Lin,
Dual coordinate descent methods for logistic regression, Machine Learning 85, 2011 (the dual problem).
"""

import numpy as np

from .. import reference
from .._blocks import guarded_empty
from ..designs.scales import standardisation


def dual_shift(g_b, s):
    """t of the certificate; NaN where it leads to no feasible dual point."""
    if g_b == 0.0:
        return 0.0
    return g_b / s if abs(g_b) <= s else np.nan


def bound_of_shift(shift, g_b, square, l2):
    """The certificate's bound on f - f* with t = `shift` and |g_w - t u|^2 = `square`; inf where t is NaN."""
    return np.inf if np.isnan(shift) else float(shift * g_b + square / (2.0 * l2))


class LogisticObjective:
    """Mean logistic loss with an L2 penalty.

    Parameters
    ----------
    design : DenseDesign
        X, targets, weights.
    l2 : float
        Strength of the penalty, >= 0.
    fit_intercept : bool
        Whether b is free.
    """

    preconditioner_cost = 2.0  # in passes over X
    value_at_zero = float(np.log(2.0))  # no sample is told from any other

    def __init__(self, design, *, l2=0.0, fit_intercept=True):
        self.design = design
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.n_coef = design.shape[1] + 1
        self._standardisation = None

    def subsample(self, rows):
        """The same objective over some of the rows.

        Parameters
        ----------
        rows : int array
            Indices, ascending.
        """
        return LogisticObjective(self.design.subsample(rows), l2=self.l2, fit_intercept=self.fit_intercept)

    def loss_gradient(self, coef):
        """Value and gradient of f at coef: one pass over X.

        Returns
        -------
        value : float
        gradient : float64 array of shape (n_features + 1,)
        """
        return self.penalised(coef, *self.design.loss_gradient(coef))

    def penalised(self, coef, loss, gradient):
        """Value and gradient of f from the summed loss and its gradient, which is overwritten."""
        gradient /= self.design.weight_sum
        value = loss / self.design.weight_sum
        if self.l2:
            gradient[:-1] += self.l2 * coef[:-1]
            value += 0.5 * self.l2 * float(coef[:-1] @ coef[:-1])
        if not self.fit_intercept:
            gradient[-1] = 0.0
        return value, gradient

    def slope(self, coef, direction, raw, raw_change, length):
        """Derivative of f along a direction, at ``coef + length * direction``, without reading X.

        Parameters
        ----------
        coef, direction : float64 arrays of shape (n_features + 1,)
        raw, raw_change : float64 arrays of shape (n_samples,)
            Raw predictions at `coef`, and how `direction` changes them.
        length : float
        """
        residual = guarded_empty(raw.size)
        self.design.loss_residual(raw + length * raw_change, residual)
        w, d = coef[:-1], direction[:-1]
        return float(residual @ raw_change) / self.design.weight_sum + self.l2 * float((w + length * d) @ d)

    def hessian(self):
        """Hessian of f where `loss_gradient` was last evaluated: one pass.

        Returns
        -------
        float64 array of shape (n_features + 1, n_features + 1)
            Without an intercept, its row and column are those of the identity.
        """
        hessian = self.design.hessian()
        hessian /= self.design.weight_sum
        hessian.flat[: -1 : self.n_coef + 1] += self.l2  # all of the diagonal but its last entry
        if not self.fit_intercept:
            hessian[-1] = hessian[:, -1] = 0.0
            hessian[-1, -1] = 1.0
        return hessian

    def hessian_product(self, direction):
        """`hessian` times a direction, without forming it: one pass."""
        inner = direction if self.fit_intercept else np.append(direction[:-1], 0.0)
        product = self.design.hessian_product(inner)
        product /= self.design.weight_sum
        product[:-1] += self.l2 * direction[:-1]
        if not self.fit_intercept:
            product[-1] = direction[-1]
        return product

    def preconditioner(self):
        """Rough inverse of the Hessian where `loss_gradient` was last evaluated.

        The diagonal of the Hessian, but of centred columns: with b' = b + mean . w in place of b, the intercept no
        longer couples with the rest, and columns far from zero or of any scale are equals. X itself is not touched.

        Returns
        -------
        callable
            Maps a gradient to a direction, both float64 arrays of shape (n_features + 1,).
        """
        first, second, total = self.design.column_moments()
        if not self.fit_intercept or not total > 0.0:
            first, total = np.zeros_like(first), self.design.weight_sum
        mean = first / total
        spread = np.maximum(second - first * mean, np.finfo(np.float64).eps * second)
        diagonal = spread / self.design.weight_sum + self.l2
        diagonal[diagonal == 0.0] = 1.0
        if not self.l2:  # steps along a column that the intercept can replace would be of rounding alone
            diagonal[self.standardisation()[1] == 0.0] = np.inf
        share = total / self.design.weight_sum

        def apply(gradient):
            w = (gradient[:-1] - mean * gradient[-1]) / diagonal
            return np.append(w, gradient[-1] / share - mean @ w)

        return apply

    def rough_gap(self, gradient):
        """Bound on f - f* by strong convexity, were the intercept at its best: a first test, as it costs no pass.

        Returns
        -------
        float
            inf without a penalty.
        """
        return float(gradient[:-1] @ gradient[:-1]) / (2.0 * self.l2) if self.l2 else np.inf

    def gap_bound(self, gradient, intercept_column=None):
        """Bound on f - f* where `loss_gradient` was last evaluated; see the module's docstring.

        Parameters
        ----------
        gradient : float64 array of shape (n_features + 1,)
        intercept_column : float64 array of shape (n_features + 1,), optional
            Last column of the Hessian there, [u, s], if known; else it takes a pass.

        Returns
        -------
        float
            inf without a penalty, or where no feasible dual point is near.
        """
        if not gradient.any():  # f is convex
            return 0.0
        if not self.l2:
            return np.inf
        g_w, g_b = gradient[:-1], gradient[-1]
        if g_b == 0.0:
            return bound_of_shift(0.0, g_b, g_w @ g_w, self.l2)
        if intercept_column is None:
            ones = np.zeros(self.n_coef)
            ones[-1] = 1.0
            intercept_column = self.hessian_product(ones)
        shift = dual_shift(g_b, intercept_column[-1])
        rest = g_w - shift * intercept_column[:-1]
        return bound_of_shift(shift, g_b, rest @ rest, self.l2)

    def standardisation(self):
        """Means and variances of the columns, see `designs.scales.standardisation`; the first time a pass."""
        if self._standardisation is None:
            self._standardisation = standardisation(self.design, centred=self.fit_intercept)
        return self._standardisation

    def overshoot(self, direction):
        """How far the dual point of a step of Newton's method goes, where 1 is as far as it may: one pass.

        With z_d the change of z that the step makes, the largest p z_d and -(1 - p) z_d: at most 1, they leave
        q = p + h z_d between 0 and 1.
        """
        design = self.design
        _, residual, _ = reference.loss_residual_curvature(design.raw.copy(), design.y)
        p = residual + design.y
        change = design.raw_prediction(direction)
        reach = np.maximum(p * change, (p - 1.0) * change)
        return float(reach[design.sample_weight > 0.0].max() if design.sample_weight.size else reach.max())

    def separates(self, coef):
        """Whether all samples that weigh anything lie on the right side of the hyperplane: one pass."""
        raw = self.design.raw_prediction(coef)
        right = np.where(self.design.y > 0.5, raw, -raw) > 0.0
        if self.design.sample_weight.size:
            right |= self.design.sample_weight == 0.0
        return bool(right.all())
