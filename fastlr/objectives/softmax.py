"""The softmax loss plus a penalty, spelled once.

Conventions
-----------
With S the sum of the sample weights s_i, z_ik = x_i . w_k + b_k, and coefficients of shape (n_classes, n_features + 1)
with rows [w_k, b_k],

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

from functools import partial

import numpy as np

from ..linalg.factor import ScaledCholesky, null_space
from ._class_factors import ClassFactors, usual_share
from ._sample import Sample
from .base import Objective, fix

_FEW_FEATURES = 128  # up to here every class gets a factor of its own, formed from a subsample
FACTORED_FEATURES = 3_000  # up to here all classes share one at least
_ROWS_PER_FEATURE = 64  # of the subsample
_ROWS_PER_CURVATURE = 4_096
_FLOOR = 0.1  # share of the mean curvature in that of each sample
_BLUR = 8.0 * float(np.finfo(np.float32).eps)  # ridge of what is formed in float32


class SoftmaxObjective(Objective):
    """Mean softmax loss with a penalty; parameters and attributes as of `Objective`."""

    def __init__(self, matrix, loss, penalty, fit_intercept=True):
        super().__init__(matrix, loss, penalty, fit_intercept)
        self._factored = matrix.shape[1] <= (_FEW_FEATURES if matrix.is_sparse else FACTORED_FEATURES)

    def loss_gradient(self, coefs):
        """Value and gradient of f at coefs, see `Objective`."""
        self._coefs = coefs
        return super().loss_gradient(coefs)

    def gap_bound(self, gradient, hessian=None):
        """Bound on f - f* where `loss_gradient` was last evaluated; see the module's docstring.

        Parameters
        ----------
        gradient : float64 array of shape (n_classes, n_features + 1)
        hessian : float64 array of shape (n_coef, n_coef), optional
            That there, if known; else what is needed of it takes two passes.

        Returns
        -------
        float
            inf without a penalty, or where no feasible dual point is near.
        """
        if not self.penalty:
            return np.inf
        if not gradient[:, -1].any():
            return self.rough_gap(gradient)
        if hessian is not None:
            intercepts = slice(self.shape[1] - 1, None, self.shape[1])
            curvature = hessian[intercepts, intercepts]
        else:
            curvature = self.matrix.curvature_sum(self.loss) / self.loss.weight_sum
            # Equal shifts of all intercepts change nothing; taken out of the matrix, it can be inverted.
            curvature += 1.0 / len(curvature)
        direction = np.zeros(self.shape)
        t = direction[:, -1] = ScaledCholesky(curvature).solve(gradient[:, -1])
        t -= t.mean()
        if np.ptp(t) > 1.0:
            return np.inf
        if hessian is not None:
            product = (hessian @ direction.ravel()).reshape(self.shape)
        else:
            product = self.hessian_product(direction)
        rest = (gradient - product)[:, :-1]
        return float(gradient[:, -1] @ t + self.penalty.dual_bound(np.vdot(rest, rest)))

    def remember(self):
        """Where `loss_gradient` was last evaluated a line begins; it ends at the next evaluation."""
        self._start = self._coefs

    def largest_change(self):
        """Bound on how far the dual point of the step since `remember` goes, see `overshoot`: one pass."""
        return self.matrix.ask_of_predictions(self.loss, "largest_spread", self._coefs - self._start)

    def slopes(self, coefs, directions):
        """Derivatives of f along a line from `coefs`.

        Returns
        -------
        callable
            Maps the share of `directions` to the derivative there: a pass.
        """
        return lambda length: float(np.vdot(self.loss_gradient(coefs + length * directions)[1], directions))

    def overshoot(self, directions):
        """How far the dual point of a step of Newton's method goes, where 1 is as far as it may: two passes.

        With z_d the change of z that the step makes, the largest p . z_d - z_dk: at most 1, it leaves
        q = p + J z_d at 0 or above.
        """
        return self.matrix.ask_of_predictions(self.loss, "overshoot", self._coefs, directions)

    def divergence(self):
        """Mean KL(q || p) at most, q the dual point of the step since `remember`, p those now: two passes."""
        change = self._coefs - self._start
        return self.matrix.ask_of_predictions(self.loss, "divergence", self._start, change) / self.loss.weight_sum

    def has_far(self, coefs):
        """Whether samples are far from classes other than their own: one pass."""
        return bool(self.matrix.ask_of_predictions(self.loss, "n_far", coefs))

    def recession(self, coefs, solve):
        """What is a direction of recession if there is one: see `separation`.

        Where a Hessian can be held it is sought among directions that move samples from those classes alone that they
        are far from: what is next to no curvature would be lost beside the others'.
        """
        if self.n_coef > FACTORED_FEATURES:
            self.loss_gradient(coefs)
            return solve(self.matrix.gather(self.loss, "towards_far", coefs) / self.loss.weight_sum)
        n_classes, width = self.shape
        near = self.matrix.class_sandwich(self.loss, coefs, near=True)[width:, width:]  # less those of the first class
        fix(near, self._is_fixed(np.arange(len(near))))
        free = null_space(near)[0].reshape(-1, n_classes - 1, width)
        free = np.pad(free, ((0, 0), (1, 0), (0, 0)))
        if not len(free):
            return np.zeros(self.shape)
        both = np.concatenate([coefs, free.reshape(-1, width)])
        second, first = self.matrix.ask_of_predictions(self.loss, "far_moments", both)
        shares = ScaledCholesky(second).solve(first)
        return self.centred(np.tensordot(shares, free, axes=1))

    def sides(self, direction):
        """The least change in favour of its class that a direction is to a sample, and the largest from each class.

        One pass; see `SoftmaxLoss.sides`.
        """
        ends = self.matrix.ask_of_predictions(self.loss, "sides", direction)
        return -ends[0], ends[1:]

    def separates(self, coefs):
        """Whether all samples that weigh anything have their own class's raw prediction above all others: one pass."""
        return self.matrix.ask_of_predictions(self.loss, "separates", coefs)

    def preconditioner(self, floor=_FLOOR):
        """Rough inverse of the Hessian where `loss_gradient` was last evaluated, for steps that shift no class mean.

        The coupling of classes is left out: the block of class k is [X 1]^T D_k [X 1], D_k the curvatures
        p_k (1 - p_k). With few features each block is formed, from a subsample, and factorised, see `ClassFactors`;
        with more, one for all classes, from mean curvatures; with still more, the diagonals, see `_diagonal_blocks`.
        With more than a few they are formed from all rows, if they are in memory: a subsample may miss what columns of
        mostly zeros hold. Equal changes of all classes, which the loss does not feel and blocks do, are taken out: at
        the optimum the classes' mean is 0, and only the penalty would bring it back there, slowly.

        Parameters
        ----------
        floor : float
            Share of the mean curvature in that of each sample: steps far from the optimum meet curvatures other than
            those where they begin. Below the default, each class has a factor if all of them together are no larger
            than one of the most features.

        Returns
        -------
        callable
            Maps a gradient to a direction, both float64 arrays of shape (n_classes, n_features + 1).
        """
        blocks = self._factored_blocks(floor) if self._factored else self._diagonal_blocks()
        return lambda gradient: self.centred(blocks(self.centred(gradient)))

    def preconditioner_cost(self, floor=_FLOOR):
        """What a preconditioner costs to form, roughly, in passes over X."""
        n_samples, n_features = self.matrix.shape
        if not self._factored:
            return 1.0
        share = usual_share(floor) if self._factors_each(floor) else 1.0 / self.shape[0]
        return share * self._n_factored_rows() * n_features / (8.0 * n_samples)

    def class_factors(self, curvatures, floor):
        """`preconditioner` from a factor for each class, of any curvatures, of shape (n_samples, n_classes)."""
        sample = self._sample(self.matrix.shape[0])
        finished = partial(self._finished, sample)
        factors = ClassFactors(sample, curvatures, floor, finished, self.matrix.team.n_threads)
        return lambda gradient: self.centred(factors(self.centred(gradient)))

    def centred(self, coefs):
        """Coefficients less what classes share: that changes no probability, and a penalty prefers it.

        Without an L1 penalty it is their mean, which is taken off intercepts anyhow.
        """
        common = np.add.reduce(coefs) / len(coefs)
        if not self.penalty.is_smooth:
            common[:-1] = self.penalty.common_part(coefs[:, :-1])
        return coefs - common

    def _factors_each(self, floor):
        n_classes, width = self.shape
        few = n_classes * width**2 <= FACTORED_FEATURES**2
        return width - 1 <= _FEW_FEATURES or (floor < _FLOOR and few)

    def _n_factored_rows(self):
        n_samples, n_features = self.matrix.shape
        from_all = n_features > _FEW_FEATURES and self.matrix.in_memory
        return n_samples if from_all else min(n_samples, _ROWS_PER_FEATURE * n_features)

    def _factored_blocks(self, floor):
        sample = self._sample(self._n_factored_rows())
        finished = partial(self._finished, sample)
        if self._coefs.any() and self._factors_each(floor):
            curvatures = sample.curvatures(self._coefs)
            return ClassFactors(sample, curvatures, floor, finished, self.matrix.team.n_threads)
        if self._coefs.any():
            block = sample.hessian(self._coefs, floor)
        else:  # all samples and classes are alike
            share = 1.0 / self.shape[0]
            block = share * (1.0 - share) * sample.square()
        factor = ScaledCholesky(finished(block))
        return lambda gradient: np.ascontiguousarray(factor.solve(gradient.T).T)

    def _sample(self, n_rows):
        """A `Sample` of at most so many rows."""
        if n_rows not in self._known:
            self._known[n_rows] = Sample(self.matrix, self.loss, n_rows)
        return self._known[n_rows]

    def hessian(self, places=None):
        """Hessian of f where `loss_gradient` was last evaluated: one pass, of much arithmetic.

        Parameters
        ----------
        places : int array of shape (m,), optional
            Ascending indices of `coefs.ravel()`, those of rows and columns; by default all. Some are for an L1 penalty.

        Returns
        -------
        float64 array of shape (m, m)
            Equal changes of all classes, which no gradient here asks for, have the curvature of a change of one, so
            that the matrix can be inverted; not so with an L1 penalty, which may ask for them. Without an intercept,
            its rows and columns are those of the identity.
        """
        hessian = self.matrix.class_sandwich(self.loss, self._coefs, places)
        hessian /= self.loss.weight_sum
        n_classes, width = self.shape
        if self.penalty.is_smooth:
            shift = hessian.diagonal().reshape(self.shape).mean(axis=0) / n_classes
            hessian.reshape(n_classes, width, n_classes, width)[:, range(width), :, range(width)] += shift[
                :, None, None
            ]
        places = np.arange(self.n_coef) if places is None else places
        hessian.reshape(-1)[:: len(hessian) + 1][places % width != width - 1] += self.penalty.diagonal
        fix(hessian, self._is_fixed(places))
        return hessian

    def _is_fixed(self, places):
        """Indices of those of some places of `coefs.ravel()` that are `fixed`."""
        return np.flatnonzero(np.isin(places % self.shape[1], self.fixed))

    def _finished(self, sample, block):
        """What a block of the loss's Hessian, formed from a sample, is with the penalty."""
        diagonal = block.reshape(-1)[:: len(block) + 1]
        diagonal[:-1] += sample.unseen(self.standardisation) * diagonal[-1]
        if sample.dtype == np.float32:
            diagonal *= 1.0 + _BLUR
        diagonal[:-1] += self.penalty.diagonal
        fix(block, self.fixed)
        return block

    def _diagonal_blocks(self):
        """Diagonals of the blocks, of centred columns, as if the curvatures of a class were those of its mean."""
        if "moments" not in self._known:
            first, second, total = self.matrix.moments(self.loss.weighted())
            self._known["moments"] = first / total, second / total
        mean, square = self._known["moments"]
        if not self.fit_intercept:
            mean = np.zeros_like(mean)
        sample = self._sample(_ROWS_PER_CURVATURE)
        share = sample.weight @ sample.curvatures(self._coefs) / sample.n_rows
        share = np.maximum(share, np.finfo(np.float64).tiny)
        spread = np.maximum(square - mean * mean, np.finfo(np.float64).eps * square)
        diagonal = share[:, None] * spread + self.penalty.diagonal
        diagonal[diagonal == 0.0] = 1.0

        def apply(gradient):
            direction = np.empty(self.shape)
            direction[:, :-1] = (gradient[:, :-1] - gradient[:, -1:] * mean) / diagonal
            direction[:, -1] = gradient[:, -1] / share - direction[:, :-1] @ mean
            direction[:, self.fixed] = 0.0
            return direction

        return apply
