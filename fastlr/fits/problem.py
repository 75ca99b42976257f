"""What is minimised, from checked arrays: the matrix for X, the loss, the penalty."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ..losses.logistic import LogisticLoss
from ..losses.offset import OffsetLogisticLoss
from ..losses.softmax import SoftmaxLoss
from ..matrices import is_small, matrix_for
from ..matrices.blocks import BlocksLoss, BlocksMatrix
from ..objectives.logistic import LogisticObjective
from ..objectives.penalties import penalty_of
from ..objectives.softmax import SoftmaxObjective

# Up to this many products of an entry of X and a class, problems are solved to the last digits: they cost next to
# nothing there, and scikit-learn's solvers give them too.
_SMALL_PRODUCTS = 20_000
_SMALL_TOL = 1e-18

_SHORT_PRODUCTS = 2_000_000  # such products of many classes take no longer than what Python does for a step


@dataclass
class Problem:
    """What is minimised.

    Attributes
    ----------
    X : array or SciPy CSR of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    codes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    n_classes : int
    sample_weight : float64 array of shape (n_samples,) or (0,)
    C : float
    fit_intercept : bool
    l1_ratio : float
        Share of the L1 penalty.
    proportions : float64 array of shape (n_samples,), optional
        Targets in [0, 1] in place of the classes, of which there are two.
    offset : float64 array of shape (n_samples,), optional
        Added to the raw predictions of two classes.
    """

    X: np.ndarray
    codes: np.ndarray
    n_classes: int
    sample_weight: np.ndarray
    C: float
    fit_intercept: bool
    l1_ratio: float = 0.0
    proportions: np.ndarray | None = None
    offset: np.ndarray | None = None

    in_blocks = False  # whether X is anywhere but in memory

    @property
    def is_sparse(self):
        """Whether X is."""
        return sparse.issparse(self.X)

    @property
    def is_small(self):
        """Whether passes are NumPy's."""
        return is_small(self.X, self.n_classes)

    @property
    def has_short_passes(self):
        """Whether fits in several threads would wait for the interpreter's lock, which steps between passes take."""
        is_other = self.n_classes == 2 or self.l1_ratio or self.is_sparse
        return self.is_small or (not is_other and math.prod(self.X.shape) * self.n_classes <= _SHORT_PRODUCTS)

    @property
    def is_cheap(self):
        """Whether the last digits cost next to nothing."""
        return math.prod(self.X.shape) * self.n_classes <= _SMALL_PRODUCTS

    def aim(self, tol):
        """The gap to try for, with an L2 penalty, where a certified one of `tol` is asked."""
        return min(tol, _SMALL_TOL) if self.is_cheap else tol

    def matrix(self, dtype, team):
        """X, its products computed in `dtype`."""
        return matrix_for(self.X, self.n_classes, dtype=dtype, team=team)

    def targets(self):
        """Targets of two classes, 0.0 and 1.0, or proportions."""
        return self.codes.astype(np.float64) if self.proportions is None else self.proportions

    def loss(self):
        """Targets and weights."""
        if self.n_classes > 2:
            return SoftmaxLoss(self.codes, self.n_classes, self.sample_weight)
        if self.offset is not None:
            return OffsetLogisticLoss(self.targets(), self.sample_weight, self.offset, compiled=not self.is_small)
        return LogisticLoss(self.targets(), self.sample_weight, compiled=not self.is_small)

    def penalty(self, weight_sum):
        """The penalty on the mean loss of samples with this sum of weights."""
        return penalty_of(self.C, self.l1_ratio, weight_sum)

    def objective(self, dtype, team):
        """All of it, products computed in `dtype`."""
        loss = self.loss()
        kind = SoftmaxObjective if self.n_classes > 2 else LogisticObjective
        return kind(self.matrix(dtype, team), loss, self.penalty(loss.weight_sum), self.fit_intercept)


def stacked_weights(weight_of, sets, n_samples):
    """Weights of some sets, float64 of shape (len(sets), n_samples), ones where there are none."""
    weights = np.ones((len(sets), n_samples))
    for row, k in zip(weights, sets, strict=True):
        weight = weight_of(k)
        if weight.size:
            row[:] = weight
    return weights


@dataclass
class BlocksProblem(Problem):
    """The same of an X in blocks, whose parts hold classes and weights.

    Attributes
    ----------
    X : LocalBlocks or DaskBlocks
    totals : float64 array of shape (n_classes,)
        Weight of each class.
    """

    totals: np.ndarray = field(default_factory=lambda: np.empty(0))

    in_blocks = True
    is_small = False

    @property
    def is_sparse(self):
        """Whether blocks are."""
        return self.X.is_sparse

    def matrix(self, dtype, team):
        """See `Problem`."""
        return BlocksMatrix(self.X, dtype, team)

    def loss(self):
        """See `Problem`."""
        return BlocksLoss(self.X, self.totals)
