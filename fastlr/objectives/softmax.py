"""Softmax loss plus penalty over a design with many classes, spelled once.

Conventions
-----------
With S the sum of the sample weights s_i, z_ik = x_i . w_k + b_k, and coef of shape (n_classes, n_features + 1) with
rows [w_k, b_k], handed around raveled,

    f(coef) = 1/S sum_i s_i loss(z_i, y_i) + l2/2 sum_k |w_k|^2,    loss(z, y) = log sum_k exp(z_k) - z_y

All classes have coefficients and are penalised, as in scikit-learn; intercepts are not penalised.

Certificate
-----------
As in `logistic`, Fenchel duality bounds how far f is above its minimum. With c_i = s_i / S, p_i the probabilities,
and any q_i >= 0 of sum 1 such that A_i = c_i (q_i - e_{y_i}) sums to 0 over samples (needed with intercepts only),

    f(coef) - f* <= sum_i c_i KL(q_i || p_i) + |A^T X + l2 W|^2 / (2 l2)

where KL(q || p) <= sum_k (q_k - p_k)^2 / p_k. Let J_i = diag(p_i) - p_i p_i^T and H_b = sum_i c_i J_i, the block of
the Hessian that belongs to the intercepts. Taking q_i = p_i - J_i t with H_b t = g_b, the gradient of the intercepts,
makes A sum to 0, and q_i is positive while the entries of t differ by at most 1:

    f(coef) - f* <= g_b . t + |G_w - U|^2 / (2 l2),    [U, .] = Hessian of the loss times [0, t]

Source: Boyd & Vandenberghe, Convex Optimization, 2004, 5.4; Yu, Huang & Lin, Dual coordinate descent methods for
logistic regression and maximum entropy models, Machine Learning 85, 2011 (the dual problem).
"""

import numpy as np

from .._factor import ScaledCholesky
from ..designs.scales import standardisation

_FEW_COEFFICIENTS = 200  # up to here, of a small X, the whole Hessian is factorised
_FEW_FEATURES = 128  # up to here every class gets a factor of its own
_FACTORED_FEATURES = 3_000  # up to here all classes share one
_ROWS_PER_FEATURE = 64  # of the subsample, where every class has a factor
_ROWS_PER_SHARED_FEATURE = 8
_ROWS_PER_CURVATURE = 4_096
_FLOOR = 0.1  # share of the mean curvature in that of each sample


class SoftmaxObjective:
    """Mean softmax loss with an L2 penalty.

    Parameters
    ----------
    design : ClassesDesign
        X, classes, weights.
    l2 : float
        Strength of the penalty, >= 0.
    fit_intercept : bool
        Whether the intercepts are free.
    """

    def __init__(self, design, *, l2=0.0, fit_intercept=True):
        self.design = design
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self._shape = (design.n_classes, design.shape[1] + 1)
        self.n_coef = self._shape[0] * self._shape[1]
        self._factored = design.shape[1] <= (_FEW_FEATURES if design.is_sparse else _FACTORED_FEATURES)
        self._whole = design.forms_hessian and self.n_coef <= _FEW_COEFFICIENTS
        self._moments = self._standardisation = None
        self.value_at_zero = float(np.log(design.n_classes))  # no sample is told from any other

    def loss_gradient(self, coef):
        """Value and gradient of f at coef: one pass over X.

        Returns
        -------
        value : float
        gradient : float64 array of shape (n_coef,)
        """
        self._coef = coef = coef.reshape(self._shape)
        loss, gradient = self.design.loss_gradient(coef)
        gradient /= self.design.weight_sum
        value = loss / self.design.weight_sum
        w = coef[:, :-1]
        if self.l2:
            gradient[:, :-1] += self.l2 * w
            value += 0.5 * self.l2 * float(np.vdot(w, w))
        if not self.fit_intercept:
            gradient[:, -1] = 0.0
        return value, gradient.ravel()

    def hessian_product(self, direction):
        """Hessian of f, where `loss_gradient` was last evaluated, times a direction: one pass."""
        direction = direction.reshape(self._shape).copy()
        if not self.fit_intercept:
            direction[:, -1] = 0.0
        product = self.design.hessian_product(direction)
        product /= self.design.weight_sum
        product[:, :-1] += self.l2 * direction[:, :-1]
        if not self.fit_intercept:
            product[:, -1] = 0.0
        return product.ravel()

    def rough_gap(self, gradient):
        """Bound on f - f* by strong convexity, were the intercepts at their best; inf without a penalty."""
        w = gradient.reshape(self._shape)[:, :-1]
        return float(np.vdot(w, w)) / (2.0 * self.l2) if self.l2 else np.inf

    def gap_bound(self, gradient):
        """Bound on f - f* where `loss_gradient` was last evaluated; see the module's docstring. Takes two passes.

        Parameters
        ----------
        gradient : float64 array of shape (n_coef,)

        Returns
        -------
        float
            inf without a penalty, or where no feasible dual point is near.
        """
        if not self.l2:
            return np.inf
        G = gradient.reshape(self._shape)
        if not G[:, -1].any():
            return self.rough_gap(gradient)
        hessian = self.design.intercept_hessian() / self.design.weight_sum
        # Equal shifts of all intercepts change nothing; taken out of the matrix, it can be inverted.
        hessian += 1.0 / len(hessian)
        direction = np.zeros(self._shape)
        direction[:, -1] = ScaledCholesky(hessian).solve(G[:, -1])
        t = direction[:, -1]
        if np.ptp(t) > 1.0:
            return np.inf
        rest = (G - self.hessian_product(direction).reshape(self._shape))[:, :-1]
        return float(G[:, -1] @ t + np.vdot(rest, rest) / (2.0 * self.l2))

    def standardisation(self):
        """Means and variances of the columns, see `designs.scales.standardisation`; the first time a pass."""
        if self._standardisation is None:
            self._standardisation = standardisation(self.design, centred=self.fit_intercept)
        return self._standardisation

    def overshoot(self, direction):
        """How far the dual point of a step of Newton's method goes, where 1 is as far as it may: two passes.

        With z_d the change of z that the step makes, the largest p . z_d - z_dk: at most 1, it leaves
        q = p + J z_d at 0 or above.
        """
        return self.design.overshoot(self._coef, direction.reshape(self._shape))

    def separates(self, coef):
        """Whether all samples that weigh anything have their own class's raw prediction above all others."""
        return self.design.separates(coef.reshape(self._shape))

    def preconditioner(self):
        """Rough inverse of the Hessian where `loss_gradient` was last evaluated.

        Where X is small and there are few coefficients, the inverse itself. Else the coupling of classes is left out:
        the block of class k is [X 1]^T D_k [X 1], D_k the curvatures p_k (1 - p_k), of which those of a subsample are
        taken. With few features each block is formed and factorised; with more, one for all classes, from mean
        curvatures; with still more, the diagonals, see `_diagonal_preconditioner`.

        Returns
        -------
        callable
            Maps a gradient to a direction, both float64 arrays of shape (n_coef,).
        """
        n_features = self.design.shape[1]
        if self._whole:
            return ScaledCholesky(self._hessian()).solve
        if not self._factored:
            return self._diagonal_preconditioner()
        each = n_features <= _FEW_FEATURES
        sample = self.design.sample((_ROWS_PER_FEATURE if each else _ROWS_PER_SHARED_FEATURE) * n_features)
        curvatures = sample.curvatures(self._coef, average=not each)
        curvatures += _FLOOR * (curvatures.mean(axis=0) - curvatures)
        if not self._coef.any():  # all classes are alike
            curvatures = curvatures[:, :1]
        factors = [ScaledCholesky(self._block(sample, column)) for column in curvatures.T]
        if len(factors) > 1:  # one product with many small inverses is faster than many small solves
            inverses = np.stack([factor.inverse() for factor in factors])

        def apply(gradient):
            gradient = gradient.reshape(self._shape)
            if len(factors) == 1:
                return factors[0].solve(gradient.T).T.ravel()
            return (inverses @ gradient[:, :, None]).ravel()

        return apply

    @property
    def preconditioner_cost(self):
        """What a preconditioner costs to form, roughly, in passes over X."""
        n_samples, n_features = self.design.shape
        if self._whole or not self._factored:
            return 1.0
        each = n_features <= _FEW_FEATURES
        n_sampled = min(n_samples, (_ROWS_PER_FEATURE if each else _ROWS_PER_SHARED_FEATURE) * n_features)
        return n_sampled * n_features / (4.0 * n_samples * (1 if each else self.design.n_classes))

    def _hessian(self):
        """Hessian of f where `loss_gradient` was last evaluated; there equal shifts of all classes cost something."""
        hessian = self.design.hessian() / self.design.weight_sum
        diagonal = hessian.diagonal().copy()
        n_classes, width = self._shape
        for j in range(width):
            same = slice(j, None, width)
            hessian[same, same] += diagonal[same].mean() / n_classes
        diagonal = hessian.reshape(-1)[:: self.n_coef + 1].reshape(self._shape)
        diagonal[:, :-1] += self.l2
        if not self.fit_intercept:
            hessian[width - 1 :: width] = hessian[:, width - 1 :: width] = 0.0
            diagonal[:, -1] = 1.0
        return hessian

    def _block(self, sample, curvature):
        block = sample.hessian(curvature)
        block.flat[: -1 : len(block) + 1] += self.l2  # all of the diagonal but its last entry
        if not self.fit_intercept:
            block[-1] = block[:, -1] = 0.0
            block[-1, -1] = 1.0
        return block

    def _diagonal_preconditioner(self):
        """Diagonals of the blocks, of centred columns, as if the curvatures of a class were those of its mean."""
        if self._moments is None:
            self._moments = self.design.column_moments()
        mean, square = self._moments
        if not self.fit_intercept:
            mean = np.zeros_like(mean)
        sample = self.design.sample(_ROWS_PER_CURVATURE)
        share = np.maximum(sample.curvatures(self._coef, average=False).mean(axis=0), np.finfo(np.float64).tiny)
        spread = np.maximum(square - mean * mean, np.finfo(np.float64).eps * square)
        diagonal = share[:, None] * spread + self.l2
        diagonal[diagonal == 0.0] = 1.0

        def apply(gradient):
            gradient = gradient.reshape(self._shape)
            direction = np.empty(self._shape)
            direction[:, :-1] = (gradient[:, :-1] - gradient[:, -1:] * mean) / diagonal
            direction[:, -1] = gradient[:, -1] / share - direction[:, :-1] @ mean
            return direction.ravel()

        return apply
