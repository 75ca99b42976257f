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
HIDING = 1e-10  # the same where coefficients are large and cancel out


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


def descends(value, reached, length, decrement, slope):
    """Whether a step makes f smaller: Armijo's rule, or where rounding may hide that, what is left of the slope.

    Source: Hager & Zhang, A new conjugate gradient method with guaranteed descent and an efficient line search, SIAM
    Journal on Optimization 16, 2005 (approximate Wolfe conditions).

    Parameters
    ----------
    value, reached : float
        f at the start and at the end.
    length : float
        Of the step, over that of the direction.
    decrement, slope : float
        Minus the derivative of f along the direction at the start, and the derivative at the end.
    """
    if reached <= value - ARMIJO * length * decrement + ROUNDING * abs(reached):
        return True
    return reached <= value + HIDING * abs(value) and slope <= (1.0 - 2.0 * ARMIJO) * decrement
