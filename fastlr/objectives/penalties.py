"""What is added to the mean loss: the one room that knows what a penalty looks like.

A penalty is a function of W, the coefficients without intercepts, of shape (k, n_features). `diagonal`, what it adds
to the diagonal of the Hessian there, is 0 where it does not bend.
"""

import numpy as np


class L2:
    """strength / 2 |W|^2; no penalty where the strength is 0.

    Parameters
    ----------
    strength : float
        >= 0.
    """

    def __init__(self, strength):
        self.strength = self.diagonal = float(strength)

    @classmethod
    def from_C(cls, C, weight_sum):
        """The penalty on the mean loss with the same optimum as scikit-learn's C, which weighs the summed loss.

        Parameters
        ----------
        C : float
            > 0; inf for no penalty.
        weight_sum : float
            Sum of the sample weights.
        """
        # Never inf, however small C is.
        return cls(1.0 / max(C * weight_sum, float(np.finfo(np.float64).tiny)))

    def __bool__(self):
        """Whether there is a penalty."""
        return self.strength > 0.0

    def value(self, W):
        """The penalty at W."""
        return 0.5 * self.strength * float(np.vdot(W, W))

    def gradient(self, W):
        """Its gradient, of W's shape."""
        return self.strength * W

    def prox(self, W, step):
        """The V that makes ``|V - W|^2 / (2 step)`` plus the penalty smallest."""
        return W / (1.0 + step * self.strength)

    def dual_bound(self, square):
        """What the certificate adds for a dual point that misses the penalty's gradient by this squared length.

        Parameters
        ----------
        square : float
            ``|X^T alpha + gradient|^2``.

        Returns
        -------
        float
            A bound on the part of f - f* that is due to it; inf without a penalty.
        """
        return square / (2.0 * self.strength) if self.strength else np.inf
