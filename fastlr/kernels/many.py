"""Many fits of two classes that share X: a tile of samples at a time, for all fits.

A tile's raw predictions Z, of shape (n_fits, samples of the tile), stay in cache: formed from X, turned into weighted
residuals in place, and multiplied with the same rows of X, by the products of `tiles`; where they are asked for, so are
the curvatures, as certificates need them. X is read once for all fits, and nothing of size n_samples x n_fits is
written. What is computed for a fit does not depend on which others there are, but for rounding: its place among them
decides which instructions add its sums.
"""

import numpy as np

from ..runtime.blocks import guarded_empty
from ..runtime.jit import helper, kernel
from ..runtime.rounds import NO_BLOCK, operation, take
from .llvm import as_rows, smaller
from .operations import Operation
from .pointwise import formula_of
from .tiles import FEW_COLUMNS, Loops, add_gradient, load, raw_predictions, tile_rows

MAX_FITS = FEW_COLUMNS  # beyond, products would be left to BLAS
_LOOPS = Loops()


def work_space(n_features, n_fits, dtype):
    """What one thread of `serve` works in.

    Parameters
    ----------
    n_features, n_fits : int
    dtype : numpy dtype
        What products are computed in, float32 or float64.

    Returns
    -------
    tuple of ndarray
    """
    rows = tile_rows(n_features, dtype)
    tile, part = np.empty((rows, n_features), dtype), guarded_empty((2 * n_fits, n_features), dtype)
    return tile, part, guarded_empty(2 * n_fits * rows, dtype)


def step_space(n_features, n_fits, dtype):
    """What one thread of `serve_steps` works in; parameters as of `work_space`."""
    rows = tile_rows(n_features, dtype)
    return *work_space(n_features, 2 * n_fits, dtype), guarded_empty((4, rows))


@helper()
def _weighted_derivatives(formula, z, bend, y, weight, sums):
    """Turn raw predictions into weighted residuals, and write curvatures; adds the loss and sums of both to `sums`."""
    loss = 0.0
    total = 0.0
    total_bend = 0.0
    for i in range(z.size):
        value, r, h = formula_of(formula, np.float64(z[i]), y[i])
        r *= weight[i]
        h *= weight[i]
        loss += weight[i] * value
        total += r
        total_bend += h
        z[i] = r
        bend[i] = h
    sums[0] += loss
    sums[1] += total
    sums[2] += total_bend


@kernel()
def serve(
    state, n_blocks, seen, task, tile, part, flat_raw,
    X, formula, y, weights, sets, n_fits, coef, intercepts, starts, sums, gradients,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    tile, part, flat_raw
        One thread's work space.
    X : array of shape (n_samples, n_features)
    formula : named tuple
        The loss, see `pointwise.formula_of`.
    y : float64 array of shape (n_samples,)
        Targets.
    weights : float64 array of shape (n_sets, n_samples)
        Sets of sample weights.
    sets : int64 array of shape (n_sets,)
        Set of weights of each fit; as of all that follows, only the first ``n_fits[0]`` entries count.
    n_fits : int64 array of shape (1,)
    coef : array of shape (m, n_features)
        m = n_sets made even; after an odd number of fits a row of zeros.
    intercepts : float64 array of shape (n_sets,)
    starts : int64 array of shape (n_blocks + 1,)
        First row of each block.
    sums : float64 array of shape (n_blocks, n_sets, 3)
        Written: loss, and sums of the residuals and of the curvatures, of each block.
    gradients : float64 array of shape (n_blocks, 2 n_sets, n_features)
        Written: products of the residuals with X of each block, and by `LOSS_GRADIENT_COLUMN`, after those of all fits,
        of the curvatures.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        # As the operation, anew for every block: the next round may be about other fits.
        m = n_fits[0]
        n_products = 2 * m if operation(state) == Operation.LOSS_GRADIENT_COLUMN else m
        W, b = coef[: m + m % 2], intercepts[:m]
        sums[block] = 0.0
        gradients[block, :n_products] = 0.0
        for first in range(starts[block], starts[block + 1], tile.shape[0]):
            stop = smaller(first + tile.shape[0], starts[block + 1])
            rows = load(_LOOPS, X, first, stop - first, tile)
            Z = as_rows(flat_raw, 2 * m, stop - first)
            raw_predictions(_LOOPS, X, first, rows, W, b, part, Z[: W.shape[0]])
            for k in range(m):
                weight = weights[sets[k], first:stop]
                _weighted_derivatives(formula, Z[k], Z[m + k], y[first:stop], weight, sums[block, k])
            n_rows = n_products + n_products % 2
            add_gradient(_LOOPS, X, first, rows, Z[:n_rows], part[:n_rows], gradients[block, :n_products])


@helper()
def _write_derivatives(formula, z, y, weight, residual, bend):
    """Write residuals and curvatures of raw predictions, without the weights; returns the weighted loss."""
    loss = 0.0
    for i in range(y.size):
        value, residual[i], bend[i] = formula_of(formula, np.float64(z[i]), y[i])
        loss += weight[i] * value
    return loss


@helper()
def _step_sums(before, after, derivatives, weight, sums):
    """Add to the sums of `serve_steps` from the second to the sixth; `derivatives` before a step and after it."""
    residuals = products = bends = apart = doubt = 0.0
    old, h, new, new_h = derivatives
    for i in range(weight.size):
        w = weight[i]
        moved = h[i] * (np.float64(after[i]) - before[i])
        away = old[i] - new[i] + moved
        inverse = w / new_h[i] if w > 0.0 else 0.0
        apart += inverse * away * away
        doubt += inverse * h[i] * h[i]
        residuals += w * new[i]
        products += w * moved
        bends += w * h[i]
    sums[1] += residuals
    sums[2] += products
    sums[3] += bends
    sums[4] += apart
    sums[5] += doubt


@helper(frozenset({"nnan", "nsz"}))
def _farthest(before, after, residual, y, weight, farthest):
    """The last of the sums of `serve_steps`; of NaN, which others see, anything: so that it is a loop of vectors."""
    for i in range(y.size):
        change, p = np.float64(after[i]) - before[i], residual[i] + y[i]
        reach = change * (p if change > 0.0 else p - 1.0) if weight[i] > 0.0 else 0.0
        farthest = reach if reach > farthest else farthest
    return farthest


@helper()
def _write_factors(before, after, bend, derivatives, weight):
    """Turn raw predictions before and after a step into what `serve_steps` multiplies with X."""
    _, h, new, _ = derivatives
    for i in range(weight.size):
        bend[i] = weight[i] * h[i]
        before[i] = bend[i] * (after[i] - before[i])
    for i in range(weight.size):
        after[i] = weight[i] * new[i]


@kernel()
def serve_steps(
    state, n_blocks, seen, task, tile, part, flat_raw, lines,
    X, formula, y, weights, curvature, sets, n_fits, coef, intercepts, starts, sums, gradients,
):  # fmt: skip
    """A pass over blocks of rows for fits that make a step: what that is to the loss, and to its dual points.

    Parameters
    ----------
    curvature : float64 array of shape (n_samples,)
        Written by `HESSIAN`: c h of the first fit.
    coef : array of shape (2 n_sets, n_features)
        As `intercepts`, by fit where its step begins, and where it ends.
    sums : float64 array of shape (n_blocks, n_sets, 7)
        Written, of each block, with z_d the changes of raw predictions, p and h residuals (with the target, the
        probabilities) and curvatures before the step, p' and h' after it, and c the weights: the loss after it;
        sums of c p', c h z_d, c h, c (p - p' + h z_d)^2 / h' and c h^2 / h'; the largest p z_d and -(1 - p) z_d.
    gradients : float64 array of shape (n_blocks, 3 n_sets, n_features)
        Written, of each block: products of X with c h z_d and c p' of each fit in turn, then with c h of each.
    state, n_blocks, seen, task, tile, part, flat_raw, lines, X, formula, y, weights, sets, n_fits, starts
        See `serve`, `step_space`.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        m = n_fits[0]
        sums[block] = 0.0
        W, products, n_rows = coef[: 2 * m], gradients[block, : 3 * m], 3 * m + m % 2
        products[:] = 0.0
        for first in range(starts[block], starts[block + 1], tile.shape[0]):
            stop = smaller(first + tile.shape[0], starts[block + 1])
            rows = load(_LOOPS, X, first, stop - first, tile)
            Z = as_rows(flat_raw, n_rows, stop - first)
            raw_predictions(_LOOPS, X, first, rows, W, intercepts[: 2 * m], part, Z[: 2 * m])
            for k in range(m):
                before, after, total = Z[2 * k], Z[2 * k + 1], sums[block, k]
                targets, weight, loss = y[first:stop], weights[sets[k], first:stop], 0.0
                for j in range(2):  # in a loop, so that it is compiled once
                    z, parts = Z[2 * k + j], (lines[2 * j], lines[2 * j + 1])
                    loss = _write_derivatives(formula, z, targets, weight, *parts)
                derivatives = lines[0], lines[1], lines[2], lines[3]
                total[0] += loss
                _step_sums(before, after, derivatives, weight, total)
                total[6] = _farthest(before, after, lines[0], targets, weight, total[6])
                _write_factors(before, after, Z[2 * m + k], derivatives, weight)
            if operation(state) == Operation.HESSIAN:
                for i in range(first, stop):
                    curvature[i] = Z[2 * m, i - first]
            add_gradient(_LOOPS, X, first, rows, Z, part[:n_rows], products)
