"""Loss plus penalty over a matrix, spelled once: a file for two classes, one for many."""

import numpy as np


def relative_gap(gap, value):
    """Bound on (f - f*) / f* from a bound on f - f*; inf while that is no smaller than f itself."""
    return gap / (value - gap) if gap < value else np.inf
