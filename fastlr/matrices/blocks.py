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

from .._validation import read_only
from . import compiled_matrix
from .base import Matrix
from .parts import Place, Position, add_up, of_loss, of_matrix, of_predictions, of_quadratic, run, slope, some_rows


class BlocksLoss:
    """The losses of all blocks, as one: what objectives ask of a `LogisticLoss` or a `SoftmaxLoss`.

    Parameters
    ----------
    blocks : LocalBlocks or DaskBlocks
        See `sources`; their parts are `Part`.
    totals : float64 array of shape (n_classes,)
        Weight of each class.
    """

    def __init__(self, blocks, totals):
        n_classes = len(totals)
        self.blocks, self._totals, self.weight_sum = blocks, totals, float(totals.sum())
        self.passes = "one" if n_classes == 2 else "classes"
        self.n_rows = 1 if n_classes == 2 else n_classes
        self.value_at_zero = math.log(n_classes)
        self.position = Position()
        self._moved = None, None, 0.0

    def best_intercepts(self):
        """See `LogisticLoss` and `SoftmaxLoss`."""
        logs = np.log(self._totals)
        return logs[1:] - logs[0] if len(logs) == 2 else logs - logs.mean()

    def ask(self, task, *args, each=None):
        """What each block says to ``task(matrix, loss, *args)``, in order; X is read only where a loss needs it."""
        answers = list(self.blocks.map(run, self.position, task, *args, each=each, reads=False))
        if any(answer is None for answer in answers):
            answers = list(self.blocks.map(run, self.position, task, *args, each=each))
        return answers

    def remember(self):
        """See `PointwiseLoss`."""
        self.position = self.position._replace(start=self.position.raw)

    def recall(self):
        """See `PointwiseLoss`."""
        self.position = self.position._replace(raw=self.position.start)

    def move(self, position, largest_change):
        """A pass led to `position`, which changed raw predictions by so much since its start."""
        self.position, self._moved = position, (position.start, position.raw, largest_change)

    def largest_change(self):
        """See `PointwiseLoss`; the pass that led here has brought it along, as a rule."""
        start, raw, change = self._moved
        is_known = start is self.position.start and raw is self.position.raw
        return change if is_known else max(self.ask(of_loss, "largest_change"))

    def overshoot(self):
        """See `LogisticLoss`."""
        return max(self.ask(of_loss, "overshoot"))

    def divergence(self):
        """See `LogisticLoss`."""
        return math.fsum(self.ask(of_loss, "divergence"))

    def separates(self):
        """See `LogisticLoss`."""
        return all(self.ask(of_loss, "separates"))

    def loss_of_wrong_side(self):
        """See `LogisticLoss`."""
        return min(self.ask(of_loss, "loss_of_wrong_side"))

    def slopes(self):
        """See `PointwiseLoss`."""
        return lambda length: math.fsum(self.ask(slope, length))

    def heaviest(self):
        """See `PointwiseLoss`."""
        found = self.ask(of_loss, "heaviest")
        block = max(range(len(found)), key=lambda k: found[k][1])
        return self.blocks.starts[block] + found[block][0], found[block][1]

    def has_far(self):
        """See `LogisticLoss`."""
        return any(self.ask(of_loss, "has_far"))

    def towards_far(self):
        """See `LogisticLoss`."""
        return _Quadratics(self, "towards_far", self.position)

    def sides(self):
        """See `LogisticLoss`."""
        least, largest = zip(*self.ask(of_loss, "sides"), strict=True)
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

    def __init__(self, blocks, dtype, team):
        super().__init__(blocks, dtype, team=team)
        self.is_sparse = blocks.is_sparse
        blocks.team = team

    def _map(self, loss, task, *args, each=None, position=None):
        self.n_passes += 1
        return self.X.map(run, position or loss.position, task, *args, each=each)

    def _sum(self, loss, name, *args):
        if isinstance(loss, _Quadratics):
            position = loss.position._replace(dtype=self.dtype)
            sums = add_up(self._map(loss.loss, of_quadratic, name, loss.kind, position=position))
        else:
            sums = add_up(self._map(loss, of_matrix, name, *args))
        return sums[0] if len(sums) == 1 else sums

    def _pass(self, loss, operation, coefs):
        place = Place(self.X.next_stamp(), operation, coefs)
        # Of all that was, a pass overwrites what is not remembered.
        before = Position(start=loss.position.start, dtype=self.dtype)
        sums, changes = zip(*self._map(loss, place, position=before), strict=True)
        here = {"raw": place, "dtype": self.dtype} | ({"curvature": place} if operation == "sweep" else {})
        loss.move(loss.position._replace(**here), max(changes))
        return sums

    def sweep(self, loss, coefs):
        """See `Matrix`."""
        return add_up(self._pass(loss, "sweep", coefs))

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

    def class_sandwich(self, loss, coefs, places=None, near=False):
        """See `Matrix`."""
        position = Position(dtype=self.dtype)  # the coefficients say it all
        return add_up(self._map(loss, of_matrix, "class_sandwich", coefs, places, near, position=position))[0]

    def gather(self, loss, question, coefs):
        """See `Matrix`."""
        position = Position(dtype=self.dtype)
        return add_up(self._map(loss, of_matrix, "gather", question, coefs, position=position))[0]

    def curvature_sum(self, loss):
        """See `Matrix`."""
        return self._sum(loss, "curvature_sum")

    def column_sums(self, loss, weight_sum, seen_from):
        """See `Matrix`."""
        position = Position(dtype=self.dtype)
        return add_up(self._map(loss, of_matrix, "column_sums", weight_sum, seen_from, position=position))

    def ask_of_predictions(self, loss, question, *coefs):
        """See `Matrix`."""
        answers = list(self._map(loss, of_predictions, question, *coefs, position=Position(dtype=self.dtype)))
        joins = {"separates": all, "divergence": math.fsum, "far_moments": add_up}
        joins |= dict.fromkeys(("largest_moves", "largest_spread", "n_far", "overshoot", "sides"), np.maximum.reduce)
        return joins[question](answers)

    def sample(self, loss, rows):
        """See `Matrix`; both are in memory then."""
        position = Position(dtype=self.dtype)
        parts, losses = zip(*self._map(loss, some_rows, each=self.X.split(rows), position=position), strict=True)
        X = sparse.vstack(parts, format="csr") if self.is_sparse else read_only(np.concatenate(parts))
        return compiled_matrix(X, dtype=self.dtype, team=self.team), losses[0].joined(losses)

    def take(self, rows):
        """See `Matrix`; the rows are in memory then."""
        return self.sample(None, rows)[0]
