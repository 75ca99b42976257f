"""The logistic loss with several sets of weights: a fit to each."""

from .._validation import read_only
from ..runtime.blocks import guarded_empty
from .logistic import Logistic, LogisticLoss
from .quadratic import Quadratic


class WeightSets:
    """Targets, and weights by set.

    Parameters
    ----------
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    weights : float64 array of shape (n_sets, n_samples)

    Attributes
    ----------
    weight_sums : float64 array of shape (n_sets,)
    n_rows : int
        Of coefficients, at most: one for each set.
    """

    formula = Logistic()
    passes = "sets"  # kind of a matrix's passes

    def __init__(self, y, weights):
        self.targets = self.formula, read_only(y), read_only(weights)  # what kernels read
        self.weight_sums = weights.sum(axis=1)
        self.n_rows = len(weights)

    def of_set(self, k):
        """The loss with set k of weights alone."""
        _, y, weights, *_ = self.targets
        return LogisticLoss(y, weights[k])


class StepSets(WeightSets):
    """The same, for passes that are about steps.

    Attributes
    ----------
    curved : Quadratic
        Of the weighted second derivatives of a set's loss, where a pass last left them.
    """

    passes = "steps"

    def __init__(self, y, weights):
        super().__init__(y, weights)
        self.curved = Quadratic(guarded_empty(len(y)))
        self.targets = *self.targets, self.curved.curvature
