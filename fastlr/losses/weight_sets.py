"""The logistic loss with several sets of weights: a fit to each."""

from .._validation import read_only


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

    passes = "sets"  # kind of a matrix's passes

    def __init__(self, y, weights):
        self.y = read_only(y)
        self.weights = read_only(weights)
        self.weight_sums = weights.sum(axis=1)
        self.n_rows = len(weights)
