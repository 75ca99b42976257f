"""Whole fits of two classes to a small X, one after the other: Newton's method with no Python between its steps.

The Hessian of a step is kept for the next where it steers well. A step is accepted, or halved, by the pass at its end.
Along a path, a fit starts on the parabola through the last two optima, as functions of log l2, with
the tangent of the last. What this does not bring to its certificate is left, for solvers that know more ways.

A step of 569x30 (30 features, on one thread of an AMD Zen 4) is a pass, 5 us, of which the exponentials are 1.5, the
Hessian, 18, and its factor, 2: 25 us, and 8 of them 0.2 ms. OpenBLAS takes 30 us for the Hessian.
"""

import math

from .. import rules
from ..rules import DOUBTFUL, MAX_LOST, MISLEADING, ROUNDING, SHORTEST
from ..runtime.jit import CONTRACT, helper, kernel
from . import squares
from .cholesky import factorise, solve
from .columns import fused_pass
from .operations import Operation
from .samples import gather

_FARTHEST = 2.0  # times what two fits of a path are apart: where a parabola through them is still followed

_relative_gap = helper(CONTRACT)(rules.relative_gap)
_dual_shift = helper(CONTRACT)(rules.dual_shift)
_bound_of_shift = helper(CONTRACT)(rules.bound_of_shift)
_missed_by = helper(CONTRACT)(rules.missed_by)
_descends = helper(CONTRACT)(rules.descends)


@kernel()
def fit_paths(data, weights, l2, start, factor, options, space, coefs, ends):
    """Fits of sets of weights, each along a path of penalties.

    Parameters
    ----------
    data : Data
    weights : float64 array of shape (n_sets, n_samples)
    l2 : float64 array of shape (n_sets, n_fits)
        > 0, on the mean loss.
    start : float64 array of shape (n_features + 1,)
        [w, b], of the first fit of each set.
    factor : float64 array of shape (m, >= n_features + 1)
        For its first step: `hessian` of a `Space` in which a fit nearby has ended; m = 0 for none.
    options : Options
    space : Space
    coefs : float64 array of shape (n_sets, n_fits, n_features + 1)
        Written: rows [w, b].
    ends : float64 array of shape (n_sets, n_fits, 4)
        Written: value, certified relative gap, steps, passes.
    """
    for k in range(weights.shape[0]):
        samples = gather(data, weights[k], space)
        for i in range(l2.shape[1]):
            _predict(l2[k], i, start, space.step, coefs[k])
            is_known = i == 0 and factor.shape[0] > 0
            if is_known:
                for j in range(start.size):
                    for m in range(j + 1):
                        space.hessian[j, m] = factor[j, m]
            _newton(samples, l2[k, i], options, is_known, space, coefs[k, i], ends[k, i])


@helper()
def _predict(l2, i, start, tangent, coefs):
    """Write where fit i of a path begins, from the ends of those before it and the tangent at the last."""
    ahead = math.log(l2[i - 1] / l2[i]) if i > 0 else 0.0
    back = math.log(l2[i - 2] / l2[i - 1]) if i > 1 else 0.0
    ratio = ahead / back if 0.0 < ahead <= _FARTHEST * back else 0.0
    bend = ratio * ratio
    for j in range(start.size):
        coefs[i, j] = start[j]
        if i > 0:
            coefs[i, j] = coefs[i - 1, j] + ahead * tangent[j]
        if bend > 0.0:
            coefs[i, j] += bend * (coefs[i - 2, j] - (coefs[i - 1, j] - back * tangent[j]))


@helper()
def _newton(samples, l2, options, is_known, space, coef, end):
    """One fit, from `coef`, which is overwritten; leaves the tangent of the path in `space.step`."""
    value = gap = step_gap = decrement = math.inf
    length = 0.0
    pivot = 1.0 if is_known else 0.0  # of the factor at hand; 0 for none
    is_exact = False
    n_iter = n_passes = n_lost = 0
    space.step[:] = 0.0
    while True:
        loss = _evaluate(samples, l2, options.fit_intercept, coef, length, n_iter % 2, space)
        n_passes += 1
        noise = ROUNDING * abs(loss)
        if n_passes == 1 and loss > MISLEADING:
            coef[:] = 0.0
            pivot = 0.0
            continue
        if value < math.inf:
            if not _descends(value, loss, length, decrement, _slope(space)):
                length *= 0.5
                if length < SHORTEST:
                    break
                continue
            if is_exact and pivot > DOUBTFUL and _largest_change(space.raw, samples.y.size) <= length:
                step_gap = decrement if decrement < step_gap else step_gap
            step_gap -= value - loss
            step_gap = (step_gap if step_gap > 0.0 else 0.0) + noise
            n_lost = n_lost + 1 if loss > value - noise or decrement <= noise else 0
            n_iter += 1
        value = loss
        for j in range(coef.size):
            coef[j] += length * space.step[j]
        rough = _rough_bound(space.gradient, l2)
        gap = _relative_gap(step_gap, value)
        if gap > options.tol and _relative_gap(rough, value) <= options.tol:
            gap = _relative_gap(_bound(samples, l2, space), value)
        goes_on = gap > options.tol and n_iter < options.max_iter and n_lost < MAX_LOST and math.isfinite(value)
        if goes_on:
            known = 0.0 if 0.0 < length < 1.0 else pivot
            decrement, pivot, is_exact = _steer(samples, l2, options, known, decrement, rough, value, space)
        if not goes_on or pivot == 0.0:
            break
        length = 1.0
    _write_tangent(l2, coef, gap <= options.tol and pivot > 0.0, space)
    end[0], end[1], end[2], end[3] = value, gap, n_iter, n_passes


@helper()
def _steer(samples, l2, options, pivot, last, rough, value, space):
    """Write the next step, by the factor at hand, if that steers well enough, or that of the Hessian here.

    Parameters
    ----------
    pivot : float
        Of the factor at hand; 0 for none.
    last : float
        What the gradient measured by the factor at the start of the last step.
    rough : float
        Bound on f - f*.
    value : float
        f.

    Returns
    -------
    decrement : float
        Gradient^T H^-1 gradient.
    pivot : float
        Of the factor it is from; 0 where there is none.
    is_exact : bool
        Whether that is of the Hessian here.
    """
    enough = options.tol * value
    is_exact = False
    while True:
        decrement = 0.0
        if pivot > 0.0:
            decrement = solve(space.hessian, space.gradient, space.step)
        # Where only a step with the Hessian here may certify, one is due.
        is_due = decrement <= enough and rough * decrement > enough * last
        if is_exact or (pivot > 0.0 and not is_due and (decrement <= options.kept * last or last == math.inf)):
            return decrement, pivot, is_exact
        _form_hessian(samples, l2, options.fit_intercept, space)
        pivot = factorise(space.hessian, space.gradient.size)
        is_exact = True


@helper()
def _evaluate(samples, l2, fit_intercept, coef, length, turn, space):
    """Value of f a length of the step away, and its gradient: one pass."""
    X, formula, y, weight, weight_sum = samples
    n_samples, n_features = X.shape
    w, gradient = space.w, space.gradient
    for j in range(n_features):
        w[j] = coef[j] + length * space.step[j]
    b = coef[n_features] + length * space.step[n_features]
    loss, total = fused_pass(
        Operation.LOSS_GRADIENT, X, formula, y, weight, w, b, 0, n_samples, 0,
        space.raw[turn], space.curvature, gradient[:n_features], space.z, space.residual, space.part,
    )  # fmt: skip
    square = 0.0
    for j in range(n_features):
        gradient[j] = gradient[j] / weight_sum + l2 * w[j]
        square += w[j] * w[j]
    gradient[n_features] = total / weight_sum if fit_intercept else 0.0
    return loss / weight_sum + 0.5 * l2 * square


@helper()
def _slope(space):
    """Derivative of f along the step, at its end."""
    slope = 0.0
    for j in range(space.gradient.size):
        slope += space.gradient[j] * space.step[j]
    return slope


@helper()
def _largest_change(raw, n_samples):
    """The largest change of a raw prediction by the last step."""
    largest = 0.0
    for i in range(n_samples):
        change = abs(raw[0, i] - raw[1, i])
        largest = change if change > largest else largest
    return largest


@helper()
def _form_hessian(samples, l2, fit_intercept, space):
    """The Hessian of f, its lower triangle."""
    n_samples, n_features = samples.X.shape
    hessian = space.hessian
    squares.hessian_block(samples.X, space.curvature, 0, n_samples, space.scale, space.panel, hessian)
    for i in range(n_features + 1):
        row = hessian[i]
        for j in range(i + 1):
            row[j] /= samples.weight_sum
        if i < n_features:
            row[i] += l2
    if not fit_intercept:
        hessian[n_features, :n_features] = 0.0
        hessian[n_features, n_features] = 1.0


@helper()
def _rough_bound(gradient, l2):
    """Bound on f - f*, were the intercept at its best."""
    square = 0.0
    for j in range(gradient.size - 1):
        square += gradient[j] * gradient[j]
    return _missed_by(square, l2)


@helper()
def _bound(samples, l2, space):
    """Bound on f - f*, see `objectives.logistic`: it takes the last column of the Hessian."""
    n_samples, n_features = samples.X.shape
    gradient, curvature = space.gradient, space.curvature
    g_b = gradient[n_features]
    total = 0.0
    for i in range(n_samples):
        total += curvature[i]
    shift = _dual_shift(g_b, total / samples.weight_sum)
    square = 0.0
    for j in range(n_features):
        column = samples.X[:, j]
        dot = 0.0
        for i in range(n_samples):
            dot += column[i] * curvature[i]
        rest = gradient[j] - shift * dot / samples.weight_sum
        square += rest * rest
    return _bound_of_shift(shift, g_b, _missed_by(square, l2))


@helper()
def _write_tangent(l2, coef, is_optimal, space):
    """Write the derivative of the optimum with respect to -log l2, by the last factor, in place of the step."""
    if not is_optimal:
        space.step[:] = 0.0
        return
    for j in range(coef.size - 1):
        space.gradient[j] = -l2 * coef[j]
    space.gradient[coef.size - 1] = 0.0
    solve(space.hessian, space.gradient, space.step)
