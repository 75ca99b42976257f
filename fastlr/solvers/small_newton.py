"""Newton's method for a small X in NumPy: the steps of `kernels.newton`, where nothing is to be compiled.

The same formulas and rules, with the Hessian formed anew for each step, which costs no more than a pass here.
"""

import math

import numpy as np
from scipy.linalg.lapack import dpotrs

from .. import rules


def newton(samples, coef, *, tol, max_iter):
    """Minimise the mean loss plus ``l2 / 2 |w|^2``.

    Parameters
    ----------
    samples : SmallSamples or SmallClassSamples
    coef : float64 array of shape (n_coef,)
        To start from.
    tol : float
        Certified relative gap to reach, see `objectives.logistic` and `objectives.softmax`.
    max_iter : int

    Returns
    -------
    coef : float64 array of shape (n_coef,)
    records : list of tuple
        Value, length of the gradient, certified relative gap and passes, at the start and after each step.
    """
    value = step_gap = math.inf
    length = decrement = pivot = 0.0
    step = np.zeros_like(coef)
    n_lost, n_passes, records = 0, 0, []
    while True:
        trial = coef + length * step
        reached, gradient = samples.loss_gradient(trial)
        n_passes += 1
        noise = rules.ROUNDING * abs(reached)
        if n_passes == 1 and reached > samples.misleading:
            coef = np.zeros_like(coef)
            continue
        if records:
            if not rules.descends(value, reached, length, decrement, float(gradient @ step)):
                length *= 0.5
                if length < rules.SHORTEST:
                    break
                continue
            if pivot > rules.DOUBTFUL and samples.largest_change() <= length:
                step_gap = min(step_gap, decrement)
            step_gap = max(0.0, step_gap - (value - reached)) + noise
            n_lost = n_lost + 1 if reached > value - noise or decrement <= noise else 0
        coef, value, pivot = trial, reached, 0.0
        samples.remember()
        gap = rules.relative_gap(step_gap, value)
        if gap > tol and rules.relative_gap(samples.rough_bound(gradient), value) <= tol:
            gap = rules.relative_gap(samples.bound(gradient), value)
        goes_on = gap > tol and len(records) < max_iter and n_lost < rules.MAX_LOST and math.isfinite(value)
        if goes_on:
            factor, pivot = samples.factor()
        records.append((value, math.sqrt(gradient @ gradient), gap, n_passes))
        if not goes_on or pivot == 0.0:
            break
        step = -dpotrs(factor, gradient, lower=1)[0]
        decrement = -float(gradient @ step)
        length = 1.0
    return coef, records
