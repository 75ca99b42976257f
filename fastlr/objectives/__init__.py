"""Loss plus penalty over a design, spelled once: a file for two classes, one for many."""

import numpy as np


def l2_from_C(C, weight_sum):
    """Penalty on the mean loss that has the same optimum as scikit-learn's C; 0 for C = inf, and never inf."""
    return 1.0 / max(C * weight_sum, float(np.finfo(np.float64).tiny))


def relative_gap(gap, value):
    """Bound on (f - f*) / f* from a bound on f - f*; inf while that is no smaller than f itself."""
    return gap / (value - gap) if gap < value else np.inf
