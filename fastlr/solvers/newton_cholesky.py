"""Newton's method for many samples and up to a few thousand coefficients, with as few passes over X as possible.

Every step costs one pass, which gives the loss and the exact gradient where the step ends: it accepts the step, or has
it halved, for two classes by a line search that does not read X. The Hessian only steers. On large data it is first
taken at the optimum of a subsample, which is also the start; it is kept as long as steps shorten the gradient well,
with what the gradients since have shown of the curvature (L-BFGS) on top, and formed anew, over all rows, when they no
longer do.

Source: Roosta & Mahoney, Sub-sampled Newton methods, Mathematical Programming 174, 2019 (Hessians from a subsample).
"""

import numpy as np

from ..objectives import relative_gap
from ..runtime.blocks import sample_rows
from ._newton import Newton
from ._result import SolverResult, add_record, outcome_of
from ._steps import Promise

_SAMPLED_ENTRIES = 1_000_000  # from this size of X on, a subsample is solved first
_SAMPLE_SHARE = 8
_SAMPLE_MOST = 2**23  # entries, of which a copy is made; with more there are no fewer passes
_SAMPLE_PER_FEATURE = 24
NEEDS = ()


def sampled_rows(n_samples, n_features):
    """Rows of the subsample whose optimum is the start; 0 where X is too small for it to pay."""
    most = _SAMPLE_MOST // n_features
    n_sampled = max(min(n_samples // _SAMPLE_SHARE, most), _SAMPLE_PER_FEATURE * n_features)
    pays = n_samples * n_features >= _SAMPLED_ENTRIES and n_sampled <= n_samples // 4
    return n_sampled if pays else 0


def _start_from_subsample(objective):
    """Optimum of a subsample and the Hessian that led there, or None where X is too small for it to pay."""
    n_samples, n_features = objective.matrix.shape
    n_sampled = sampled_rows(n_samples, n_features)
    if not n_sampled:
        return None
    sample = objective.subsample(sample_rows(n_samples, n_sampled))
    if not sample.loss.weight_sum > 0.0:
        return None
    newton = Newton(sample, *(_start_from_subsample(sample) or (np.zeros(objective.shape),)))
    # Nearer than the subsample's optimum is to that of all rows is not worth a step.
    newton.approach(0.05 * objective.n_coef / n_sampled, 20)
    newton.refresh()
    return newton.coef, newton.steering


def begin(objective, start=None, steering=None):
    """A run from `start`, by default from the optimum of a subsample; from zeros on small data, or where it misleads.

    Returns
    -------
    Newton
    """
    state = _start_from_subsample(objective) if start is None else (objective.centred(start), steering)
    newton = Newton(objective, *(state or (np.zeros(objective.shape),)))
    if state and not newton.value <= objective.value_at_zero:
        newton = Newton(objective, np.zeros(objective.shape))
    return newton


def solve(objective, start=None, *, tol, max_iter, callback=None, steering=None):
    """Minimise an objective.

    Parameters
    ----------
    objective : LogisticObjective or SoftmaxObjective
    start : float64 array of shape (k, n_features + 1), optional
        [w, b]; by default the optimum of a subsample, or zeros on small data.
    tol : float
        Certified relative gap to reach.
    max_iter : int
        Steps at most.
    callback : callable, optional
        Called with each record of the history.
    steering : Steering, optional
        What the fit to a problem nearby left in its result, for steps from `start`.

    Returns
    -------
    SolverResult
    """
    newton = begin(objective, start, steering)
    history, promise, separation = [], Promise(tol), None
    while True:
        gap = newton.gap(promise, tol)
        length = np.linalg.norm(newton.gradient)
        add_record(history, callback, newton.n_iter, newton.value, length, gap, objective.n_passes)
        if gap <= tol or newton.n_iter >= max_iter or objective.shows_separation(newton.value):
            break
        separation = newton.separation()
        if separation is not None:
            break
        if not newton.step(tol):
            if newton.n_iter == 0 and newton.coef.any():  # a start from which no step leads: zeros again
                newton = Newton(objective, np.zeros(objective.shape))
                if newton.step(tol):
                    continue
            gap = min(gap, relative_gap(newton.step_gap, newton.value))
            break
    if gap <= tol and newton.n_iter and not objective.penalty:
        newton.to_last_digits(max_iter - newton.n_iter)
    outcome = outcome_of(gap, newton.n_iter, tol, max_iter)
    return SolverResult(newton.coef, newton.value, gap, newton.n_iter, outcome, history, newton.steering, separation)
