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
