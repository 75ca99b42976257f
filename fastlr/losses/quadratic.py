"""A quadratic of the raw predictions: second derivatives that are given and stay what they are."""

import numpy as np

from .._validation import read_only
from ..runtime.blocks import guarded_empty
from .logistic import Logistic

_NONE = np.empty(0)


class Quadratic:
    """sum_i d_i z_i^2 / 2; no more than a place for raw predictions where nobody looks at d.

    A matrix asks no more of a loss for `predict`, `product`, `sandwich` and `moments`.

    Parameters
    ----------
    curvature : float64 array of shape (n_samples,)
        d.
    """

    passes = "one"
    targets = Logistic(), read_only(_NONE), read_only(_NONE)  # of which no pass for a quadratic makes use

    def __init__(self, curvature):
        self.curvature = np.require(curvature, np.float64, ["C", "W"])
        self.raw = guarded_empty(len(curvature))

    def curve(self, change):
        """Second derivative times a change of the raw predictions, for matrices whose passes are NumPy's."""
        return self.curvature * change

    def predicted(self):
        """Raw predictions at the last `predict` of a matrix; overwritten by the next."""
        return self.raw
