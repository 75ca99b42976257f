"""What is added to the mean loss: the one room that knows what a penalty looks like.

A penalty is a function of W, the coefficients without intercepts, of shape (k, n_features). `diagonal`, what it adds
to the diagonal of the Hessian there, is 0 where it does not bend.
"""

import numpy as np

from ..rules import missed_by


def penalty_of(C, l1_ratio, weight_sum):
    """The penalty on the mean loss with the same optimum as scikit-learn's C, which weighs the summed loss.

    Parameters
    ----------
    C : float
        > 0; inf for no penalty.
    l1_ratio : float
        In [0, 1]: the share of the L1 penalty.
    weight_sum : float
        Sum of the sample weights.
    """
    # Never inf, however small C is.
    strength = 1.0 / max(C * weight_sum, float(np.finfo(np.float64).tiny))
    l1, l2 = l1_ratio * strength, (1.0 - l1_ratio) * strength
    return ElasticNet(l1, l2) if l1 > 0.0 else L2(l2)


class L2:
    """strength / 2 |W|^2; no penalty where the strength is 0.

    Parameters
    ----------
    strength : float
        >= 0.
    """

    is_smooth = True

    def __init__(self, strength):
        self.strength = self.diagonal = float(strength)

    def __bool__(self):
        """Whether there is a penalty."""
        return self.strength > 0.0

    def value(self, W):
        """The penalty at W."""
        return 0.5 * self.strength * float(np.vdot(W, W))

    def gradient(self, W):
        """Its gradient, of W's shape."""
        return self.strength * W

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
        return missed_by(square, self.strength)


class ElasticNet:
    """l1 |W|_1 + l2 / 2 |W|^2: bends at zero, so that coefficients there are exactly zero.

    `gradient` and `diagonal` are those of the smooth part, l2 / 2 |W|^2.

    Parameters
    ----------
    l1 : float
        > 0.
    l2 : float
        >= 0.
    """

    is_smooth = False

    def __init__(self, l1, l2):
        self.l1, self.diagonal = float(l1), float(l2)

    def __bool__(self):
        """Whether there is a penalty."""
        return True

    def bent(self, more):
        """The same, with so much more of an l2."""
        return ElasticNet(self.l1, self.diagonal + more)

    def value(self, W):
        """The penalty at W."""
        return self.l1 * float(np.abs(W).sum()) + 0.5 * self.diagonal * float(np.vdot(W, W))

    def gradient(self, W):
        """Gradient of the smooth part, of W's shape."""
        return self.diagonal * W

    def common_part(self, W):
        """What all rows of W are better without, as softmax does not see it: float64 of shape (n_features,).

        The c of ``l1 sum_k |w_k - c| + l2/2 sum_k (w_k - c)^2`` at its least is the median of the w_k and, between as
        many of them, of where the slope would be zero. Without an l2 it is the median of the w_k alone, of two in the
        middle the smaller: some w_k - c is 0, which leaves no more of what the loss does not see.
        """
        n_rows = len(W)
        if not self.diagonal:
            ordered = np.sort(W, axis=0)
            below, above = ordered[(n_rows - 1) // 2], ordered[n_rows // 2]
            return np.where(np.abs(below) <= np.abs(above), below, above)
        surplus = np.arange(n_rows, -n_rows - 1, -2.0)[:, None]  # of rows above c
        flat = W.mean(axis=0) + surplus * (self.l1 / (n_rows * self.diagonal))
        return np.median(np.concatenate([W, flat]), axis=0)

    def duality_gap(self, W, a):
        """Value at W, plus that of the conjugate at -a, plus a . W: 0 where -a is a subgradient at W.

        With u the point where -a is a subgradient and s = clip(-a / l1, -1, 1),
        ``sum l2/2 (W - u)^2 + l1 (|W| - s W)``: no difference of large numbers.

        Parameters
        ----------
        W, a : float64 arrays of one shape

        Returns
        -------
        float
            inf where the conjugate is, as some |a| > l1 and there is no l2.
        """
        beyond = np.maximum(np.abs(a) - self.l1, 0.0)
        if not self.diagonal and beyond.any():
            return np.inf
        pull = np.clip(-a / self.l1, -1.0, 1.0)
        bend = self.l1 * float((np.abs(W) - pull * W).sum())
        if not self.diagonal:
            return bend
        apart = W + np.copysign(beyond, a) / self.diagonal
        return bend + 0.5 * self.diagonal * float(np.vdot(apart, apart))
