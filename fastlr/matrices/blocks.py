"""X in blocks of rows, wherever they lie: each pass reads them in turn, and what it brings are sums.

Beside each block its loss stays from pass to pass, which knows what the last pass left of each sample: 40 bytes a row.
That is no more than a cache. Every request says which passes it builds on (`Position`), and a loss that has not seen
them, since a worker was lost say, does them again.

Sums are added in the order of blocks, in a fixed tree: neighbours, then pairs of neighbours, and so on. So who summed
up which block, and when, cannot be seen in the result.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._validation import check_features, check_sparse_features, read_only
from ..runtime.team import Team
from . import compiled_matrix
from .base import Matrix


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
        return part.stand(matrix, task) if isinstance(task, Place) else task(matrix, part.loss, *args)


# Tasks are functions of this module, for processes send them to each other by name.


def _of_matrix(matrix, loss, name, *args):
    sums = getattr(matrix, name)(loss, *args)
    return sums if isinstance(sums, tuple) else (sums,)


def _of_quadratic(matrix, loss, name, kind):
    sums = getattr(matrix, name)(getattr(loss, kind)())
    return sums if isinstance(sums, tuple) else (sums,)


def _of_loss(matrix, loss, name, *args):
    return getattr(loss, name)(*args)


def _of_predictions(matrix, loss, name, *coefs):
    return getattr(loss, name)(*(matrix.predictions(coef) for coef in coefs))


def _slope(matrix, loss, length):
    return loss.slopes()(length)


def _some_rows(matrix, loss, rows):
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


class BlocksLoss:
    """The losses of all blocks, as one: what objectives ask of a `LogisticLoss` or a `SoftmaxLoss`.

    Parameters
    ----------
    blocks : LocalBlocks or DaskBlocks
        See `sources`; their parts are `Part`.
    n_classes : int
    weight_sum : float
    """

    def __init__(self, blocks, n_classes, weight_sum):
        self.blocks, self.weight_sum = blocks, weight_sum
        self.passes = "one" if n_classes == 2 else "classes"
        self.n_rows = 1 if n_classes == 2 else n_classes
        self.value_at_zero = math.log(n_classes)
        self.position = Position()

    def ask(self, task, *args, each=None):
        """What each block says to ``task(matrix, loss, *args)``, in order; X is read only where a loss needs it."""
        answers = list(self.blocks.map(run, self.position, task, *args, each=each, reads=False))
        if any(answer is None for answer in answers):
            answers = list(self.blocks.map(run, self.position, task, *args, each=each))
        return answers

    def remember(self):
        """See `PointwiseLoss`."""
        self.position = self.position._replace(start=self.position.raw)

    def largest_change(self):
        """See `PointwiseLoss`."""
        return max(self.ask(_of_loss, "largest_change"))

    def overshoot(self):
        """See `LogisticLoss`."""
        return max(self.ask(_of_loss, "overshoot"))

    def separates(self):
        """See `LogisticLoss`."""
        return all(self.ask(_of_loss, "separates"))

    def slopes(self):
        """See `PointwiseLoss`."""
        return lambda length: math.fsum(self.ask(_slope, length))

    def heaviest(self):
        """See `PointwiseLoss`."""
        found = self.ask(_of_loss, "heaviest")
        block = max(range(len(found)), key=lambda k: found[k][1])
        return self.blocks.starts[block] + found[block][0], found[block][1]

    def has_far(self):
        """See `LogisticLoss`."""
        return any(self.ask(_of_loss, "has_far"))

    def towards_far(self):
        """See `LogisticLoss`."""
        return _Quadratics(self, "towards_far", self.position)

    def sides(self):
        """See `LogisticLoss`."""
        least, largest = zip(*self.ask(_of_loss, "sides"), strict=True)
        return min(least), max(largest)

    def weighted(self):
        """Weights for second derivatives, see `SoftmaxLoss`."""
        return _Quadratics(self, "weighted", Position(dtype=self.position.dtype))


class _Quadratics(NamedTuple):
    """What the losses of blocks make in place of themselves: their methods, by name, at a position."""

    loss: BlocksLoss
    kind: str
    position: Position


class BlocksMatrix(Matrix):
    """X in blocks of rows, and the passes over it.

    Parameters
    ----------
    blocks : LocalBlocks or DaskBlocks
        See `sources`; their parts are `Part`.
    dtype : numpy dtype
        What products are computed in.
    team : Team
    """

    in_memory = False

    def __init__(self, blocks, dtype, team):
        super().__init__(blocks, dtype, team=team)
        self.is_sparse = blocks.is_sparse
        blocks.team = team

    def _bind(self, loss):
        raise NotImplementedError  # passes are those of the blocks' matrices

    def _map(self, loss, task, *args, each=None, position=None):
        self.n_passes += 1
        return self.X.map(run, position or loss.position, task, *args, each=each)

    def _sum(self, loss, name, *args):
        if isinstance(loss, _Quadratics):
            position = loss.position._replace(dtype=self.dtype)
            sums = add_up(self._map(loss.loss, _of_quadratic, name, loss.kind, position=position))
        else:
            sums = add_up(self._map(loss, _of_matrix, name, *args))
        return sums[0] if len(sums) == 1 else sums

    def _pass(self, loss, operation, coefs):
        place = Place(self.X.next_stamp(), operation, coefs)
        # Of all that was, a pass overwrites what is not remembered.
        before = Position(start=loss.position.start, dtype=self.dtype)
        results = self._map(loss, place, position=before)
        total = add_up(results) if operation == "sweep" else list(results)
        loss.position = loss.position._replace(raw=place, dtype=self.dtype)
        if operation == "sweep":
            loss.position = loss.position._replace(curvature=place)
        return total

    def sweep(self, loss, coefs):
        """See `Matrix`."""
        return self._pass(loss, "sweep", coefs)

    def predict(self, loss, coefs):
        """See `Matrix`."""
        self._pass(loss, "predict", coefs)

    def product(self, loss, directions):
        """See `Matrix`."""
        return self._sum(loss, "product", directions)

    def moments(self, loss):
        """See `Matrix`."""
        return self._sum(loss, "moments")

    def intercept_column(self, loss):
        """See `Matrix`."""
        return self._sum(loss, "intercept_column")

    def sandwich(self, loss):
        """See `Matrix`."""
        return self._sum(loss, "sandwich")

    def class_sandwich(self, loss, coefs, places=None):
        """See `Matrix`."""
        position = Position(dtype=self.dtype)  # the coefficients say it all
        return add_up(self._map(loss, _of_matrix, "class_sandwich", coefs, places, position=position))[0]

    def curvature_sum(self, loss):
        """See `Matrix`."""
        return self._sum(loss, "curvature_sum")

    def column_sums(self, loss, weight_sum, seen_from):
        """See `Matrix`."""
        position = Position(dtype=self.dtype)
        return add_up(self._map(loss, _of_matrix, "column_sums", weight_sum, seen_from, position=position))

    def ask_of_predictions(self, loss, question, *coefs):
        """See `Matrix`."""
        answers = list(self._map(loss, _of_predictions, question, *coefs, position=Position(dtype=self.dtype)))
        return all(answers) if isinstance(answers[0], bool) else max(answers)

    def sample(self, loss, rows):
        """See `Matrix`; both are in memory then."""
        position = Position(dtype=self.dtype)
        parts, losses = zip(*self._map(loss, _some_rows, each=self.X.split(rows), position=position), strict=True)
        X = sparse.vstack(parts, format="csr") if self.is_sparse else read_only(np.concatenate(parts))
        return compiled_matrix(X, dtype=self.dtype, team=self.team), losses[0].joined(losses)

    def take(self, rows):
        """See `Matrix`; the rows are in memory then."""
        return self.sample(None, rows)[0]

    def columns(self, places):
        """Not there: for L1 penalties, which blocks do not have."""
        raise NotImplementedError

    def by_columns(self):
        """Not there, see `columns`."""
        raise NotImplementedError

    def gram(self):
        """Not there: of so many samples nobody wants a Gram matrix."""
        raise NotImplementedError
