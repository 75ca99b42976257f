"""The logistic loss plus a penalty, spelled once.

Conventions
-----------
With S the sum of the sample weights s_i, z_i = x_i . w + b, and coefficients [w, b] of shape (1, n_features + 1),

    f(coef) = 1/S sum_i s_i loss(z_i, y_i) + l2/2 |w|^2

The intercept comes last and is never penalised; without one it stays 0 and its gradient is set to 0. scikit-learn's
C, which weighs the summed loss against |w|^2/2, is l2 = 1 / (C S): `penalties.penalty_of`.

Certificate
-----------
Fenchel duality bounds how far f is above its minimum. With c_i = s_i / S and any q in [0, 1]^n such that
alpha_i = c_i (q_i - y_i) sums to 0 (needed with an intercept only),

    f(coef) - f* <= sum_i c_i KL(q_i || p_i) + |X^T alpha + l2 w|^2 / (2 l2)

where KL is the divergence of two coin flips, p_i = sigmoid(z_i), and KL(q || p) <= (q - p)^2 / (p (1 - p)). Taking
q = p - t h, h = p (1 - p), t = g_b / sum_i c_i h_i, makes alpha sum to 0 and stays in [0, 1] while |t| <= 1:

    f(coef) - f* <= g_b^2 / s + |g_w - t u|^2 / (2 l2),     s = sum_i c_i h_i, u = sum_i c_i h_i x_i     (`gap_bound`)

Taking q = p + t (p' - p), p' and g' those at other coefficients coef', t = g_b / (g_b - g'_b), takes no u. With
m = max_i |z'_i - z_i| <= 1, |p'_i - p_i| is at most h_i (e^m - 1) <= h_i m (1 + m), so that q stays in [0, 1] while
|t| m (1 + m) <= 1, and KL(q_i || p_i) <= t^2 (1 + m) (p'_i - p_i) (z'_i - z_i). With v the difference g' - g of the
gradients of the mean loss alone,

    f(coef) - f* <= t^2 (1 + m) v . (coef' - coef) + |g_w + t v_w|^2 / (2 l2)     (`gap_since`)

Taking q = p - h z_d, z_d = [X 1] d with the Newton step d = H^-1 g, in place of t, gives a bound that holds without a
penalty as well, and is at most twice the true gap near the optimum:

    f(coef) - f* <= g^T H^-1 g    if max_i |z_d,i| <= 1     (used by `solvers.newton_cholesky`)

What it takes to trust a d that solves its equations only nearly is in `newton_bound`.

Sources: Boyd & Vandenberghe, Convex Optimization, 2004, 5.4 and 9.5 (duality, Newton decrement); Yu, Huang & Lin,
Dual coordinate descent methods for logistic regression, Machine Learning 85, 2011 (the dual problem).
"""

import numpy as np

from ..rules import bound_of_shift, dual_shift
from .base import Objective, fix

_CONSTANT = float(np.finfo(np.float64).eps)  # of its square: the spread of a column that the intercept can replace,
_ALIKE = 1e-6  # and the least of one that nothing does: what is left along others like it


def gap_bound(penalty, gradient, intercept_column):
    """Bound on f - f*; see the module's docstring.

    Parameters
    ----------
    penalty : L2
    gradient : float64 array of shape (1, n_features + 1)
    intercept_column : callable
        Gives [u, s], the last column of the Hessian, of shape (n_features + 1,), where it is needed.

    Returns
    -------
    float
        inf without a penalty, or where no feasible dual point is near.
    """
    if not gradient.any():  # f is convex
        return 0.0
    if not penalty:
        return np.inf
    g_w, g_b = gradient[0, :-1], gradient[0, -1]
    if g_b == 0.0:
        return penalty.dual_bound(float(g_w @ g_w))
    column = intercept_column()
    shift = dual_shift(g_b, column[-1])
    rest = g_w - shift * column[:-1]
    return bound_of_shift(shift, float(g_b), penalty.dual_bound(float(rest @ rest)))


class LogisticObjective(Objective):
    """Mean logistic loss with a penalty; parameters and attributes as of `Objective`."""

    _column = None  # the Hessian's last, where a preconditioner was formed from all of X

    def remember(self):
        """Where `loss_gradient` was last evaluated a line begins; it ends at the next evaluation."""
        self.loss.remember()

    def slopes(self, coefs, directions):
        """Derivatives of f along the line from what was remembered, `coefs`, to the last evaluation, without reading X.

        Returns
        -------
        callable
            Maps the share of `directions` to the derivative there.
        """
        of_loss = self.loss.slopes()
        w, d = coefs[:, :-1], directions[:, :-1]

        def slope(length):
            of_penalty = float(np.vdot(self.penalty.gradient(w + length * d), d))
            return of_loss(length) / self.loss.weight_sum + of_penalty

        return slope

    def largest_change(self):
        """The largest change of a raw prediction since `remember`."""
        return self.loss.largest_change()

    def hessian(self, loss=None):
        """Hessian of f where `loss_gradient` was last evaluated: one pass.

        Parameters
        ----------
        loss : Quadratic, optional
            In place of the objective's own, for second derivatives that are known otherwise.

        Returns
        -------
        float64 array of shape (n_features + 1, n_features + 1)
            Without an intercept, its row and column are those of the identity.
        """
        hessian = self.matrix.sandwich(loss or self.loss)
        hessian /= self.loss.weight_sum
        hessian.flat[: -1 : self.n_coef + 1] += self.penalty.diagonal  # all of the diagonal but its last entry
        fix(hessian, self.fixed)
        return hessian

    def preconditioner_cost(self, floor=0.0):
        """What a preconditioner costs to form, in passes over X."""
        return 1.0

    def preconditioner(self, floor=0.0, moments=None):
        """Rough inverse of the Hessian where `loss_gradient` was last evaluated.

        The diagonal of the Hessian, but of centred columns: with b' = b + mean . w in place of b, the intercept no
        longer couples with the rest, and columns far from zero or of any scale are equals. X itself is not touched.
        Where b stays 0, b' moves by mean . w: with D that diagonal and s the share of curvature, the inverse of
        D + s mean mean^T, by Sherman and Morrison's formula. Entries that are mostly positive bend along their mean far
        more than along any column.

        Parameters
        ----------
        floor : float
            Has no say here: no curvature but the mean of all counts.
        moments : tuple, optional
            The matrix's there, where they are known.

        Returns
        -------
        callable
            Maps a gradient to a direction, both float64 arrays of shape (1, n_features + 1).
        """
        weight_sum = self.loss.weight_sum
        first, second, total = moments or self.matrix.moments(self.loss)
        if self.matrix.is_sparse and self.matrix.in_memory:  # those of dense X are of a subsample
            self._column = np.append(first, total) / weight_sum
            self.loss.keep_curvature()
        if not total > 0.0:
            first, total = np.zeros_like(first), weight_sum
        mean = first / total
        spread = np.maximum(second - first * mean, (_CONSTANT if self.fit_intercept else _ALIKE) * second)
        diagonal = spread / weight_sum + self.penalty.diagonal
        diagonal[diagonal == 0.0] = 1.0
        if not self.penalty:  # steps along a column that the intercept can replace would be of rounding alone
            diagonal[self.standardisation()[1] == 0.0] = np.inf
            diagonal[self.made_up or []] = np.inf
        inverse, share = 1.0 / diagonal, total / weight_sum
        held = None if self.fit_intercept else inverse * mean / (1.0 / share + mean @ (inverse * mean))

        def apply(gradient):
            direction = np.empty_like(gradient)
            w, g_b = direction[0, :-1], gradient[0, -1] if held is None else held @ gradient[0, :-1]
            np.multiply(mean, -g_b, out=w)
            w += gradient[0, :-1]
            w *= inverse
            direction[0, -1] = g_b / share - mean @ w if held is None else gradient[0, -1]
            return direction

        return apply

    def column_moments(self):
        """The matrix's `column_moments` where `loss_gradient` was last evaluated, without an intercept its total 0."""
        first, second, total = self.matrix.column_moments(self.loss)
        return first, second, total if self.fit_intercept else 0.0

    def descend(self, gradient, w, threshold, moments, step, tol):
        """Coordinate descent on the quadratic model where `loss_gradient` was last evaluated, see `Matrix.descend`.

        Parameters
        ----------
        gradient, step : float64 arrays of shape (1, n_features + 1)
            That there, and the step so far, which is improved in place.
        w, threshold : float64 arrays of shape (n_features,)
        moments : tuple
            The `column_moments`.
        tol : float
        """
        size = self.loss.weight_sum
        penalty = threshold * size, self.penalty.diagonal * size
        return self.matrix.descend(self.loss, gradient[0] * size, w, *penalty, moments, step[0], tol * size)

    def gap_bound(self, gradient, hessian=None):
        """Bound on f - f* where `loss_gradient` was last evaluated, see `gap_bound`.

        Parameters
        ----------
        gradient : float64 array of shape (1, n_features + 1)
        hessian : float64 array of shape (n_features + 1, n_features + 1), optional
            That there, if known; else its last column takes a pass.
        """

        def column():
            if hessian is not None:
                return hessian[:, -1]
            return self.matrix.intercept_column(self.loss) / self.loss.weight_sum

        return gap_bound(self.penalty, gradient, column)

    def free_gap_bound(self, gradient):
        """Bound on f - f* as `gap_bound`, from the curvatures h' that the last preconditioner was formed from: no pass.

        With q = p - t h', t = g_b / sum_i c_i h'_i, and u' the column of h' in place of u,

            f(coef) - f* <= t^2 sum_i c_i h'_i^2 / h_i + |g_w - t u'|^2 / (2 l2)    if |t| h'_i <= h_i for all i
        """
        if self._column is None:
            return np.inf
        shift = gradient[0, -1] / self._column[-1]
        rest = gradient[0, :-1] - shift * self._column[:-1]
        moved = self.loss.moved_along_kept(shift) / self.loss.weight_sum
        return moved + self.penalty.dual_bound(float(rest @ rest))

    def gap_since(self, coefs, gradient, before, gradient_before, enough):
        """Bound on f - f* from what was known where `remember` was called, see the module's docstring: no pass.

        Parameters
        ----------
        coefs, gradient, before, gradient_before : float64 arrays of shape (1, n_features + 1)
            Where `loss_gradient` was last evaluated, and there.
        enough : float
            inf is returned where there is no bound as small.
        """
        step = before - coefs
        change = gradient_before - gradient
        change[:, :-1] -= self.penalty.gradient(step[:, :-1])
        if not change[0, -1]:
            return np.inf
        share = -gradient[0, -1] / change[0, -1]
        rest = gradient[0, :-1] + share * change[0, :-1]
        missed = self.penalty.dual_bound(float(rest @ rest))
        if not missed <= enough:
            return np.inf
        largest = self.loss.largest_change()
        if not (largest <= 1.0 and abs(share) * largest * (1.0 + largest) <= 1.0):
            return np.inf
        return missed + share**2 * (1.0 + largest) * max(0.0, float(np.vdot(change, step)))

    def overshoot(self, directions):
        """How far the dual point of a step of Newton's method goes, where 1 is as far as it may: one pass.

        With z_d the change of z that the step makes, the largest p z_d and -(1 - p) z_d: at most 1, they leave
        q = p + h z_d between 0 and 1.
        """
        return self._of_step(directions, self.loss.overshoot)

    def _of_step(self, directions, question):
        self.loss.remember()
        self.matrix.predict(self.loss, directions)
        answer = question()
        self.loss.recall()  # the next step begins there
        return answer

    def pull_of_step(self, step, part):
        """What a step's dual point pulls the features with, and its divergence: see `step_gap`.

        Parameters
        ----------
        step : float64 array of shape (1, n + 1)
        part : LogisticObjective
            The same over the n features of the step, which are not all: a pass over these, and one over all.
        """
        residuals, divergence = part._of_step(step, part.loss.linearised)
        size = self.loss.weight_sum
        return self.matrix.intercept_column(residuals)[None, :-1] / size, divergence / size

    def divergence(self):
        """Mean KL(q || p) at most, q the dual point of the step since `remember`, p the probabilities now."""
        return self.loss.divergence() / self.loss.weight_sum

    def has_far(self, coefs):
        """Whether samples are far on their side, where raw predictions at `coefs` were left last."""
        return self.loss.has_far()

    def recession(self, coefs, solve):
        """What is a direction of recession if there is one: see `separation`."""
        self.loss_gradient(coefs)
        side = self.matrix.intercept_column(self.loss.towards_far())
        side[self.fixed] = 0.0
        return solve(side[None] / self.loss.weight_sum)

    def sides(self, direction):
        """The least change in favour of its class that a direction is to a sample, and the largest, an array: a pass.

        See `LogisticLoss.sides`.
        """
        self.matrix.predict(self.loss, direction)
        least, largest = self.loss.sides()
        return least, np.array([largest])

    def separates(self, coefs):
        """Whether all samples that weigh anything lie on the right side of the hyperplane: one pass."""
        self.matrix.predict(self.loss, coefs)
        return self.loss.separates()
