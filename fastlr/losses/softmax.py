"""The softmax loss: one class of many for each sample, and a raw prediction for each class."""

import math

import numpy as np
from scipy import special

from .. import reference
from .._validation import read_only
from .base import heaviest, largest_moves, loss_of_wrong_side
from .quadratic import Quadratic

_FAR = 4.5e-5  # probability from where on that of another class is an exponential


class SoftmaxLoss:
    """Classes and weights of samples.

    Passes keep nothing of shape (n_samples, n_classes): the compiled ones go twice through a tile of samples, those of
    NumPy, which are for small X, keep the probabilities here. These are quickest where the numbers of a class are
    together in memory, so raw predictions are transposes of arrays in C order.

    Parameters
    ----------
    classes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    n_classes : int
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.

    Attributes
    ----------
    weight_sum : float
    n_rows : int
        Of coefficients: one for each class.
    value_at_zero : float
        Mean loss of coefficients that tell no sample from any other.
    p : float64 array of shape (n_samples, n_classes)
        Probabilities at the last `update`.
    """

    passes = "classes"  # kind of a matrix's passes

    def __init__(self, classes, n_classes, sample_weight):
        self.classes = read_only(classes)
        self.n_rows = n_classes
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(len(classes))
        self.value_at_zero = math.log(n_classes)
        self.p = None

    def __reduce__(self):
        return SoftmaxLoss, (self.classes, self.n_rows, self.sample_weight)

    def take(self, rows):
        """The loss of some of the samples; `rows` are indices."""
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return SoftmaxLoss(self.classes[rows], self.n_rows, weight)

    def weights(self):
        """Weights, float64 of shape (n_samples,), ones where there are none."""
        return self.sample_weight if self.sample_weight.size else np.ones(len(self.classes))

    @staticmethod
    def joined(losses):
        """The loss of the samples of several, one after the other."""
        classes = np.concatenate([loss.classes for loss in losses])
        return SoftmaxLoss(classes, losses[0].n_rows, np.concatenate([loss.sample_weight for loss in losses]))

    def heaviest(self):
        """The index of a sample of the largest weight, and that."""
        return heaviest(self.sample_weight)

    def best_intercepts(self):
        """The intercepts that are best where all else is zero, of mean 0: float64 of shape (n_classes,)."""
        totals = np.bincount(self.classes, self.weights(), self.n_rows)
        logs = np.log(np.maximum(totals / self.weight_sum, np.finfo(np.float64).tiny))
        return logs - logs.mean()

    def of_constants(self, raw):
        """Summed loss where all samples have the same raw predictions, of shape (n_classes,)."""
        totals = np.bincount(self.classes, self.weights(), self.n_rows)
        return -float(totals @ special.log_softmax(raw))

    def weighted(self):
        """The quadratic with the weights for second derivatives."""
        return Quadratic(self.weights())

    def update(self, raw):
        """Stand at raw predictions of shape (n_samples, n_classes), for matrices whose passes are NumPy's.

        Returns
        -------
        value : float
            Summed loss.
        residual : float64 array of shape (n_samples, n_classes)
            Weighted derivatives with respect to the raw predictions.
        """
        losses, self.p = reference.softmax_loss_probabilities(raw, self.classes)
        residual = self.p.copy(order="K")
        residual[np.arange(len(residual)), self.classes] -= 1.0
        if self.sample_weight.size:
            losses *= self.sample_weight
            residual *= self.sample_weight[:, None]
        return float(losses.sum()), residual

    def curve(self, change):
        """Second derivative of the loss times a change of the raw predictions, for the same."""
        curved = change - (self.p * change).sum(axis=1, keepdims=True)
        curved *= self.p
        return curved * self.sample_weight[:, None] if self.sample_weight.size else curved

    def _far(self, p, rows):
        """The classes that samples are far from, by their probabilities: bool of shape (n, n_classes)."""
        far = p < _FAR
        far[np.arange(len(p)), self.classes[rows]] = False
        return far

    def n_far(self, predictions):
        """How many samples that weigh anything are far from a class."""
        count = 0
        for rows, raw in predictions:
            far = self._far(special.softmax(raw, axis=1), rows).any(axis=1)
            count += int((far & (self.sample_weight[rows] > 0.0) if self.sample_weight.size else far).sum())
        return count

    def towards_far(self, raw, rows):
        """What moves samples on from the classes they are far from: weighted second derivatives, of shape of `raw`."""
        p = special.softmax(raw, axis=1)
        away = np.where(self._far(p, rows), p, 0.0)
        change = p * away.sum(axis=1, keepdims=True) - away
        return change * self.sample_weight[rows, None] if self.sample_weight.size else change

    def far_moments(self, predictions):
        """Sums over samples and the classes they are far from, of changes t of how far, s p t t^T and s p t.

        Parameters
        ----------
        predictions : iterable of (rows, array of shape (n, (1 + m) n_classes))
            Raw predictions by slices of rows, of the coefficients and, behind them, of m directions.

        Returns
        -------
        second : float64 array of shape (m, m)
        first : float64 array of shape (m,)
        """
        second = first = 0.0
        for rows, raw in predictions:
            p, change = special.softmax(raw[:, : self.n_rows], axis=1), raw[:, self.n_rows :]
            far = self._far(p, rows)
            sample, other = np.nonzero(far)
            change = change.reshape(len(raw), -1, self.n_rows)
            towards = change[sample, :, self.classes[rows][sample]] - change[sample, :, other]
            weight = p[far] * self.weights()[rows][sample]
            second = second + (towards.T * weight) @ towards
            first = first + weight @ towards
        return second, first

    def joint_factors(self, p, rows, near=False):
        """Second derivatives of the loss of some samples, of two classes each, in factors.

        Parameters
        ----------
        p : float64 array of shape (n, n_classes)
            Probabilities.
        rows : slice
        near : bool
            Whether to leave out classes that samples are far from, as if there were none.

        Returns
        -------
        float64 array of shape (n, n_classes)
            Minus the derivative for classes k and l of a sample is the product of these two. What is left of a class by
            itself is minus the sum of those with all others.
        """
        if near:
            p = np.where(self._far(p, rows), 0.0, p)
        return self._roots(rows) * p

    def own_factors(self, p, rows):
        """The roots of the second derivatives of classes by themselves; parameters of `joint_factors`."""
        places, top = np.arange(len(p)), p.argmax(axis=1)
        rest = 1.0 - p
        others = p.copy(order="K")
        others[places, top] = 0.0
        rest[places, top] = others.sum(axis=1)  # with the digits that 1 - p has lost
        rest *= p
        return self._roots(rows) * np.sqrt(rest, out=rest)

    def _roots(self, rows):
        return np.sqrt(self.sample_weight[rows, None]) if self.sample_weight.size else 1.0

    def curvature_sum(self):
        """The sum of the second derivatives, of shape (n_classes, n_classes), for the same."""
        weighted = self.p * self.sample_weight[:, None] if self.sample_weight.size else self.p
        return np.diag(weighted.sum(axis=0)) - weighted.T @ self.p

    def overshoot(self, predictions, changes):
        """The largest p . z - z_k of a sample that weighs anything, z its raw predictions along a direction.

        Parameters
        ----------
        predictions, changes : iterables of (rows, array of shape (n, n_classes))
            Raw predictions by slices of rows, of the coefficients and of the direction.

        Returns
        -------
        float
            At most 1 where q = p + J z stays at 0 or above, J = diag(p) - p p^T.
        """
        largest = -math.inf
        for (rows, raw), (_, change) in zip(predictions, changes, strict=True):
            reach = (special.softmax(raw, axis=1) * change).sum(axis=1) - change.min(axis=1)
            if self.sample_weight.size:
                reach = reach[self.sample_weight[rows] > 0.0]
            largest = max(largest, float(reach.max(initial=-np.inf)))
        return largest

    def divergence(self, predictions, changes):
        """Weighted sum of |(q - p) / sqrt(p)|^2, at least KL(q || p), p the probabilities at the end of a step.

        q is its dual point, see `overshoot`, whose parameters are the same.

        Returns
        -------
        float
            inf where a q is negative.
        """
        total = 0.0
        for (rows, raw), (_, change) in zip(predictions, changes, strict=True):
            weight = self.sample_weight[rows] if self.sample_weight.size else np.ones(len(raw))
            start, end = special.softmax(raw, axis=1), special.softmax(raw + change, axis=1)
            reach = (start * change).sum(axis=1, keepdims=True) - change
            if not (reach[weight > 0.0] <= 1.0).all():
                return math.inf
            apart = start * (1.0 - reach) - end
            total += float(weight @ (apart * apart / end).sum(axis=1))
        return total if total < math.inf else math.inf

    def sides(self, predictions):
        """The least and the largest change in favour of its class, against another, that a direction is to a sample.

        Parameters
        ----------
        predictions : iterable of (rows, array of shape (n, n_classes))
            Raw predictions of the direction, by slices of rows.

        Returns
        -------
        float64 array of shape (n_classes + 1,)
            Minus the least, and the largest away from each class; see `LogisticLoss.sides`.
        """
        ends = np.full(self.n_rows + 1, -math.inf)
        for rows, raw in predictions:
            change = np.take_along_axis(raw, self.classes[rows, None], axis=1) - raw
            change[np.arange(len(raw)), self.classes[rows]] = np.nan
            change = change[self.sample_weight[rows] > 0.0] if self.sample_weight.size else change
            if len(change):
                largest = np.fmax.reduce(change, axis=0)
                np.fmax(ends, np.append(-np.nanmin(change), largest), out=ends)
        return ends

    def largest_moves(self, predictions):
        """See `base.largest_moves`."""
        return largest_moves(self.sample_weight, predictions)

    def largest_spread(self, changes):
        """The largest difference between the changes of two raw predictions of a sample."""
        return max(float(np.ptp(change, axis=1).max()) for _, change in changes)

    def loss_of_wrong_side(self):
        """See `loss_of_wrong_side`."""
        return loss_of_wrong_side(self.sample_weight)

    def separates(self, predictions):
        """Whether all samples that weigh anything have their own class's raw prediction above all others."""
        for rows, raw in predictions:
            own = np.take_along_axis(raw, self.classes[rows, None], axis=1)
            right = (raw < own).sum(axis=1) == self.n_rows - 1
            if self.sample_weight.size:
                right |= self.sample_weight[rows] == 0.0
            if not right.all():
                return False
        return True
