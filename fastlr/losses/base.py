"""What losses of one raw prediction for each sample share: targets, weights, and where the last pass left them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .._validation import read_only
from ..runtime.blocks import guarded_empty

_IN_CACHE = 32_768  # numbers that are worked on at a time, so that what is made of them never leaves the caches


def heaviest(sample_weight):
    """The index of the largest weight, and that; empty ones are ones."""
    place = int(sample_weight.argmax()) if sample_weight.size else 0
    return place, float(sample_weight[place]) if sample_weight.size else 1.0


def loss_of_wrong_side(sample_weight):
    """Summed loss, at least, with a sample on the wrong side of a hyperplane, where losses are logistic or softmax."""
    some = sample_weight[sample_weight > 0.0]
    return math.log(2.0) * (float(some.min()) if some.size else 1.0)


def largest_moves(sample_weight, predictions):
    """The largest absolute value of each column of predictions, of samples that weigh anything.

    Parameters
    ----------
    sample_weight : float64 array of shape (n_samples,) or (0,)
    predictions : iterable of (rows, array of shape (n, m))

    Returns
    -------
    float64 array of shape (m,)
    """
    largest = 0.0
    for rows, raw in predictions:
        raw = raw[sample_weight[rows] > 0.0] if sample_weight.size else raw
        largest = np.maximum(largest, np.abs(raw).max(axis=0, initial=0.0))
    return largest


class PointwiseLoss:
    """Targets and weights of samples, and where the last pass left them.

    A matrix writes `raw` and `curvature`. All other rooms ask for sums: what it has of each sample is its own. A loss
    adds `formula`, a named tuple whose class says what the loss is, once for kernels and once for NumPy:
    ``compiled()``, see `kernels.pointwise.formula_of`, and ``arrays(z, y)``, the losses of many samples with their
    first and second derivatives.

    Parameters
    ----------
    y : float64 array of shape (n_samples,)
        Targets.
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    compiled : bool, default=True
        Whether `at` is computed by kernels, or by NumPy, which has nothing to compile.

    Attributes
    ----------
    weight_sum : float
    raw : float64 array of shape (n_samples,)
        Raw predictions z at the last `sweep` or `predict` of a matrix.
    curvature : float64 array of shape (n_samples,)
        Weighted second derivatives of the loss with respect to z at the last `sweep`.
    """

    formula: Any
    passes = "one"  # kind of a matrix's passes
    n_rows = 1  # of coefficients

    def __init__(self, y, sample_weight, *, compiled=True):
        self.y = read_only(y)
        self.sample_weight = read_only(sample_weight)
        self.weight_sum = float(sample_weight.sum()) if sample_weight.size else float(len(y))
        self.raw, self.curvature = guarded_empty(len(y)), guarded_empty(len(y))
        self._compiled = compiled
        self._remembered = None

    def __reduce__(self):
        # Arrays that kernels write to are made where they are used: see `guarded_empty`.
        return partial(type(self), compiled=self._compiled), (self.y, self.sample_weight)

    @property
    def targets(self):
        """What kernels read: the formula, targets and weights."""
        return self.formula, self.y, self.sample_weight

    def take(self, rows: np.ndarray) -> "PointwiseLoss":
        """The loss of some of the samples; `rows` are indices."""
        weight = self.sample_weight[rows] if self.sample_weight.size else self.sample_weight
        return type(self)(self.y[rows], weight, compiled=self._compiled)

    def weights(self) -> np.ndarray:
        """Weights, float64 of shape (n_samples,), ones where there are none."""
        return self.sample_weight if self.sample_weight.size else np.ones(len(self.y))

    def weighted(self):
        """The quadratic with the weights for second derivatives."""
        from .quadratic import Quadratic  # here, because it has the formula of one of these

        return Quadratic(self.weights())

    def largest_moves(self, predictions):
        """See `largest_moves`."""
        return largest_moves(self.sample_weight, predictions)

    @classmethod
    def joined(cls, losses):
        """The loss of the samples of several, one after the other."""
        return cls(*(np.concatenate([getattr(loss, name) for loss in losses]) for name in ("y", "sample_weight")))

    def heaviest(self):
        """The index of a sample of the largest weight, and that."""
        return heaviest(self.sample_weight)

    def predicted(self) -> np.ndarray:
        """Raw predictions, for solvers of the dual problem, whose coefficients are those of samples.

        Returns
        -------
        float64 array of shape (n_samples,)
            Overwritten by the next pass of a matrix.
        """
        return self.raw

    def at(self, raw: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss and derivatives at any raw predictions, of shape (n_samples,); `raw` and `curvature` stay.

        Returns
        -------
        value : float
            Summed loss.
        residual, curvature : float64 arrays of shape (n_samples,)
            Weighted first and second derivatives with respect to the raw predictions.
        """
        if self._compiled:
            from ..kernels.links import apply_loss

            unused, residual, curvature = (guarded_empty(len(raw)) for _ in range(3))
            value, _ = apply_loss(raw, *self.targets, unused, curvature, residual)
            return value, residual, curvature
        losses, residual, curvature = self.of_samples(raw)
        if self.sample_weight.size:
            for values in (losses, residual, curvature):
                values *= self.sample_weight
        return float(losses.sum()), residual, curvature

    def of_samples(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Losses at raw predictions, of shape (n_samples,), with both derivatives, none of them weighted: by NumPy."""
        return self.formula.arrays(raw, self.targets[1])

    def of_constants(self, raw: np.ndarray) -> float:
        """Summed loss where all samples have the same raw prediction; `raw` is of shape (1,)."""
        return self.at(np.full(len(self.y), raw[0]))[0]

    def update(self, raw: np.ndarray) -> tuple[float, np.ndarray]:
        """Stand at raw predictions, for matrices whose passes are NumPy's: the summed loss and weighted residuals."""
        self.raw = raw
        value, residual, self.curvature = self.at(raw)
        return value, residual

    def curve(self, change: np.ndarray) -> np.ndarray:
        """Second derivative of the loss times a change of the raw predictions, for the same."""
        return self.curvature * change

    def remember(self) -> None:
        """Keep the raw predictions, as the start of a line whose end is where a matrix evaluates next."""
        if self._remembered is None:
            self._remembered = np.empty_like(self.raw)
        self._remembered[:] = self.raw

    def recall(self) -> None:
        """Have the raw predictions that were kept again."""
        self.raw[:] = self._remembered

    def keep_curvature(self) -> None:
        """Keep the second derivatives, for `moved_along_kept`."""
        self._kept = self.curvature.copy()

    def moved_along_kept(self, shift: float) -> float:
        """Bound on the summed divergence of coin flips p and q = p - shift h', h' what was kept, see `objectives`.

        Returns
        -------
        float
            ``shift^2 sum h'^2 / h``, weighted; inf where that does not bound it, or q may leave [0, 1].
        """
        over = np.divide(self._kept, self.curvature, out=np.zeros_like(self._kept), where=self._kept > 0.0)
        return shift**2 * float(self._kept @ over) if abs(shift) * over.max(initial=0.0) <= 1.0 else np.inf

    def largest_change(self) -> float:
        """The largest absolute change of a raw prediction since `remember`."""
        parts = (slice(first, first + _IN_CACHE) for first in range(0, len(self.raw), _IN_CACHE))
        return float(np.max([np.abs(self.raw[part] - self._remembered[part]).max() for part in parts]))

    def slopes(self) -> Callable[[float], float]:
        """Derivatives of the summed loss along the line from what was remembered to `raw`, without reading X.

        Returns
        -------
        callable
            Maps a place on the line, 0 at its start and 1 at its end, to the derivative there.
        """
        start, change = self._remembered.copy(), self.raw - self._remembered

        def slope(length):
            _, residual, _ = self.at(start + length * change)
            return float(residual @ change)

        return slope
