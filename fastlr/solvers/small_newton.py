"""Newton's method for a small X in NumPy: the steps of `kernels.newton`, where nothing is to be compiled.

The same formulas and rules, with the Hessian formed anew for each step, which costs no more than a pass here.
"""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from .. import reference, rules


def newton(X, y, sample_weight, l2, coef, *, fit_intercept, tol, max_iter):
    """Minimise the mean loss of two classes plus ``l2 / 2 |w|^2``.

    Parameters
    ----------
    X : float64 array of shape (n_samples, n_features)
    y : float64 array of shape (n_samples,)
        Targets.
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Empty for all ones.
    l2 : float
        > 0.
    coef : float64 array of shape (n_features + 1,)
        [w, b] to start from.
    fit_intercept : bool
    tol : float
        Certified relative gap to reach, see `objectives.logistic`.
    max_iter : int

    Returns
    -------
    coef : float64 array of shape (n_features + 1,)
    records : list of tuple
        Value, length of the gradient, certified relative gap and passes, at the start and after each step.
    """
    if sample_weight.size:
        some = sample_weight > 0.0
        X, y, sample_weight = X[some], y[some], sample_weight[some]
    weight_sum = float(sample_weight.sum()) if sample_weight.size else float(len(y))
    X1 = np.empty((len(y), X.shape[1] + 1), order="F")
    scaled = np.empty_like(X1)
    X1[:, :-1], X1[:, -1] = X, 1.0
    value = step_gap = np.inf
    length = decrement = pivot = 0.0
    step, before = np.zeros_like(coef), 0.0
    n_lost, n_passes, records = 0, 0, []
    while True:
        trial = coef + length * step
        raw = X1 @ trial
        losses, residual, curvature = _at(raw, y, sample_weight)
        reached = losses.sum() / weight_sum + 0.5 * l2 * (trial[:-1] @ trial[:-1])
        n_passes += 1
        noise = rules.ROUNDING * abs(reached)
        if n_passes == 1 and reached > rules.MISLEADING:
            coef = np.zeros_like(coef)
            continue
        if records:
            if not reached <= value - rules.ARMIJO * length * decrement + noise:
                length *= 0.5
                if length < rules.SHORTEST:
                    break
                continue
            if pivot > rules.DOUBTFUL and np.abs(raw - before).max() <= length:
                step_gap = min(step_gap, decrement)
            step_gap = max(0.0, step_gap - (value - reached)) + noise
            n_lost = n_lost + 1 if reached > value - noise else 0
        coef, value, before = trial, reached, raw
        gradient = (residual @ X1) / weight_sum
        gradient[:-1] += l2 * coef[:-1]
        if not fit_intercept:
            gradient[-1] = 0.0
        rough = rules.missed_by(gradient[:-1] @ gradient[:-1], l2)
        gap = rules.relative_gap(step_gap, value)
        if gap > tol and rules.relative_gap(rough, value) <= tol:
            gap = rules.relative_gap(_bound(gradient, (curvature @ X1) / weight_sum, l2), value)
        goes_on = gap > tol and len(records) < max_iter and n_lost < rules.MAX_LOST and np.isfinite(value)
        if goes_on:
            hessian = X1.T @ np.multiply(X1, curvature[:, None] / weight_sum, out=scaled)
            factor, pivot = _factor(hessian, l2, fit_intercept)
        records.append((value, np.sqrt(gradient @ gradient), gap, n_passes))
        if not goes_on or pivot == 0.0:
            break
        step = -dpotrs(factor, gradient, lower=1)[0]
        decrement = -(gradient @ step)
        length = 1.0
    return coef, records


def _at(raw, y, sample_weight):
    """Losses of samples and their derivatives, weighted."""
    parts = reference.loss_residual_curvature(raw, y)
    return [part * sample_weight for part in parts] if sample_weight.size else parts


def _bound(gradient, column, l2):
    shift = rules.dual_shift(gradient[-1], column[-1])
    rest = gradient[:-1] - shift * column[:-1]
    return rules.bound_of_shift(shift, gradient[-1], rules.missed_by(rest @ rest, l2))


def _factor(hessian, l2, fit_intercept):
    """Cholesky factor of the Hessian with its penalty, and its smallest pivot over the diagonal; 0 for none."""
    hessian.flat[: -1 : len(hessian) + 1] += l2
    if not fit_intercept:
        hessian[-1] = hessian[:, -1] = 0.0
        hessian[-1, -1] = 1.0
    factor, failed = dpotrf(hessian, lower=1)
    failed = failed or not np.isfinite(hessian.diagonal()).all()
    return factor, 0.0 if failed else (factor.diagonal() ** 2 / hessian.diagonal()).min()
