"""Rules of Newton's method in numbers alone, for NumPy as for kernels, which compile them.

What the bounds stand for is in `objectives.logistic`.
"""

import math
import sys

ARMIJO = 1e-4  # share of the predicted decrease that a step must bring
SHORTEST = 0.5**30  # length of a step that is tried, where it began as 1
MAX_LOST = 3  # steps in a row whose effect may be lost in rounding
DOUBTFUL = 1e-9  # with pivots below this, of nearly collinear columns, a step may not solve its equations
MISLEADING = (1.0 + 1e-12) * math.log(2.0)  # above the mean loss at zero, a start is worse than zeros
ROUNDING = 4.0 * sys.float_info.epsilon  # error of an objective, over its value


def relative_gap(gap, value):
    """Bound on (f - f*) / f* from a bound on f - f*; inf while that is no smaller than f itself."""
    return gap / (value - gap) if gap < value else math.inf


def dual_shift(g_b, s):
    """t of the certificate; NaN where it leads to no feasible dual point."""
    if g_b == 0.0:
        return 0.0
    return g_b / s if abs(g_b) <= s else math.nan


def bound_of_shift(shift, g_b, missed):
    """Bound on f - f* with t = `shift` and what the penalty's dual misses, see `missed_by`; inf where t is NaN."""
    return math.inf if math.isnan(shift) else shift * g_b + missed


def missed_by(square, l2):
    """What a dual point costs that misses the gradient of l2 / 2 |W|^2 by this squared length; inf for l2 = 0."""
    return square / (2.0 * l2) if l2 > 0.0 else math.inf
