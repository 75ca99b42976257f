"""The losses of blocks of rows: which passes they have seen, what they are asked, and how answers add up.

All is known by name, for processes send it to each other.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._validation import check_features, check_sparse_features
from ..runtime.team import Team
from . import compiled_matrix


class Place(NamedTuple):
    """A pass that left something with the losses."""

    stamp: int
    operation: str  # "sweep" or "predict"
    coefs: np.ndarray


class Position(NamedTuple):
    """The passes that left what the losses hold; None for those that nothing asks for."""

    raw: Place | None = None
    curvature: Place | None = None
    start: Place | None = None  # what was remembered
    dtype: np.dtype | None = None  # of products


class Part:
    """The loss of a block of rows, and which passes it has seen.

    Parameters
    ----------
    loss : LogisticLoss or SoftmaxLoss
    shape : tuple of int
        Of the block.
    name : str
        What errors call it.
    """

    def __init__(self, loss, shape, name):
        self.loss, self._shape, self._name = loss, shape, name
        self._forget()

    def __reduce__(self):
        return Part, (self.loss, self._shape, self._name)  # a copy has seen no passes

    def _forget(self):
        self._raw = self._curvature = self._start = None

    def matrix(self, X, dtype, team):
        """The matrix of the block."""
        X = check_sparse_features(X, self._name) if sparse.issparse(X) else check_features(X, self._name)
        if X.shape[0] != self._shape[0]:
            raise ValueError(f"{self._name} must have a label for each row, got {self._shape[0]} for {X.shape[0]} rows")
        if X.shape != self._shape:
            raise ValueError(f"{self._name} has shape {X.shape}, where {self._shape} was expected")
        return compiled_matrix(X, dtype=dtype, team=team, name=self._name)

    def stand(self, matrix, place):
        """Do a pass, and take note of it."""
        result = getattr(matrix, place.operation)(self.loss, place.coefs)
        self._raw = place.stamp
        if place.operation == "sweep":
            self._curvature = place.stamp
        return result

    def restore(self, matrix, position):
        """Hold what the passes of a position have left; False where that takes a matrix and there is none."""
        raw, curvature, start, _ = position
        if self.loss.passes == "classes":  # what a sweep has left is with a matrix that is gone
            self._forget()
        if start and self._start != start.stamp:
            if self._raw != start.stamp:
                if matrix is None:
                    return False
                self.stand(matrix, start)
            self.loss.remember()
            self._start = start.stamp
        for place, stamp in ((curvature, "_curvature"), (raw, "_raw")):
            if place and getattr(self, stamp) != place.stamp:
                if matrix is None:
                    return False
                self.stand(matrix, place)
        return True


def run(part, X, team, position, task, *args):
    """What a block has to say to a request; None where that takes X, which is None.

    Of a pass: its sums, and the largest change of a raw prediction since `start`, 0.0 where that is None.

    Parameters
    ----------
    part : Part
    X : array or SciPy CSR of the block's shape, or None
    team : Team or None
    position : Position
    task : callable or Place
        ``task(matrix, loss, *args)``, or a pass to do.
    """
    with np.errstate(all="ignore"):
        matrix = None if X is None else part.matrix(X, position.dtype, team or Team(1))
        if not part.restore(matrix, position):
            return None
        if not isinstance(task, Place):
            return task(matrix, part.loss, *args)
        return part.stand(matrix, task), part.loss.largest_change() if position.start else 0.0


def of_matrix(matrix, loss, name, *args):
    """Task: a method of the block's matrix."""
    sums = getattr(matrix, name)(loss, *args)
    return sums if isinstance(sums, tuple) else (sums,)


def of_quadratic(matrix, loss, name, kind):
    """Task: the same for what a method of the loss makes in its place."""
    sums = getattr(matrix, name)(getattr(loss, kind)())
    return sums if isinstance(sums, tuple) else (sums,)


def of_loss(matrix, loss, name, *args):
    """Task: a method of the loss."""
    return getattr(loss, name)(*args)


def of_predictions(matrix, loss, name, *coefs):
    """Task: a method of the loss that takes predictions."""
    return getattr(loss, name)(*(matrix.predictions(coef) for coef in coefs))


def slope(matrix, loss, length):
    """Task: the derivative along the line that the loss remembers."""
    return loss.slopes()(length)


def some_rows(matrix, loss, rows):
    """Task: rows of a block, and their loss."""
    return matrix.take(rows).X, loss.take(rows)


def add_up(parts):
    """The sum of tuples of numbers and arrays, in a fixed tree: neighbours first."""
    sums = []
    for count, part in enumerate(parts, 1):
        sums.append(part)
        while count % 2 == 0:
            _join_last(sums)
            count //= 2
    while len(sums) > 1:
        _join_last(sums)
    return sums[0]


def _join_last(sums):
    right = sums.pop()
    sums[-1] = tuple(a + b for a, b in zip(sums[-1], right, strict=True))
