"""Passes over dense X, block by block, for as many threads as came.

The `serve` kernels are what the threads of a `Team` run. A pass is one operation done on all blocks; every
block writes sums of its own. Numba picks the file for X's layout when it compiles.
"""

from numba.extending import overload

from ..runtime.blocks import guarded_empty
from ..runtime.jit import helper, kernel, options
from ..runtime.rounds import NO_BLOCK, is_odd, operation, take, wait_for_blocks
from . import columns, rows
from .blocks import add_blocks, add_sums
from .links import apply_link
from .llvm import smaller
from .operations import Operation
from .vectors import LONG_STRIP, PADDING


def _fused_pass(
    what, X, formula, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
):
    return (rows if X.flags.c_contiguous else columns).fused_pass(
        what, X, formula, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
    )


# The implementation itself, not a function that calls it: a layer less to compile.
@overload(_fused_pass, jit_options=options(is_helper=True))
def _overload_fused_pass(
    what, X, formula, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
):
    return (rows if X.layout == "C" else columns).fused_pass


def padded_vector(n, dtype, beside=None):
    """Zeros of which kernels may read, and zeros behind them, see `vectors`; placed by `guarded_empty`."""
    vector = guarded_empty(n + PADDING, dtype, beside)
    vector[:] = 0
    return vector[:n]


def work_space(X, dtype):
    """What one thread of `serve` works in: raw predictions and residuals of a chunk, and sums over its rows.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    dtype : numpy dtype
        What products are computed in, float32 or float64.

    Returns
    -------
    tuple of ndarray
    """
    n_features = X.shape[1]
    chunk = max(rows.MAX_CHUNK, columns.MAX_TILE)
    z = guarded_empty(chunk + n_features + LONG_STRIP)
    return z, guarded_empty(chunk + PADDING, dtype, X), padded_vector(max(n_features, chunk), dtype, X)


def features_work_space(X, dtype):
    """What one thread of `serve_features` works in: the products of some features."""
    return (padded_vector(len(X), dtype, X),)


@kernel()
def serve(
    state, n_blocks, seen, task, z, residual, part,
    X, formula, y, sample_weight, w, intercept, rows_per_block, ahead, raw, curvature, sums, gradients, result,
):  # fmt: skip
    """Passes over blocks of rows.

    Parameters
    ----------
    z, residual, part
        One thread's `work_space`.
    X : array of shape (n_samples, n_features)
    formula, y, sample_weight
        See `links.apply_link`.
    w : array of shape (n_features,)
        Coefficients, or a direction, in the dtype the products are computed in: a `padded_vector`.
    intercept : float64 array of shape (1,)
    rows_per_block, ahead : int64 arrays of shape (1,)
        See `rows.fused_pass`.
    raw, curvature : float64 arrays of shape (n_samples,)
        Raw predictions, and weighted second derivatives of the loss there.
    sums : float64 array of shape (n_blocks, 2)
        Written: loss and sum of the residuals of each block.
    gradients : float64 array of shape (n_blocks, n_features)
        Written: X^T residual of each block.
    result : float64 array of shape (n_features + 2,)
        Written but for raw predictions, see `add_blocks`.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            if n_blocks > 0 and operation(state) != Operation.RAW_PREDICTION:
                add_blocks(sums, gradients, result)
            return seen
        place = _to_and_fro(block, sums.shape[0], is_odd(state))
        start = place * rows_per_block[0]
        stop = smaller(X.shape[0], start + rows_per_block[0])
        sums[place, 0], sums[place, 1] = _fused_pass(
            operation(state), X, formula, y, sample_weight, w, intercept[0], start, stop, ahead[0],
            raw, curvature, gradients[place], z, residual, part,
        )  # fmt: skip


@helper()
def _to_and_fro(block, n_blocks, odd):
    """The block counted from the other end in every other round, which begins where the last one left X in cache."""
    return n_blocks - 1 - block if odd else block


@kernel()
def serve_features(
    state, n_blocks, seen, task, part,
    X, formula, y, sample_weight, step, coef, w, intercept, features_per_block, rows_per_block,
    raw, curvature, residual, partial, sums, result,
):  # fmt: skip
    """Passes over X in F order that go feature after feature; see `columns`.

    A round has up to three parts, each with blocks of its own, and none begins before the one before it is written:
    X w, or a step and X w there, for blocks of features; what comes between the products, for blocks of samples; and
    X^T residual, for blocks of features. Blocks are taken from the last to the first.

    Parameters
    ----------
    part : `padded_vector` of n_samples in w's dtype
        One thread's work space.
    X, formula, y, sample_weight, w, intercept, rows_per_block, raw, curvature
        See `serve`.
    step : float64 array of shape (1,)
    coef : float64 array of shape (n_features,)
        See `columns.descend`, which alone needs them.
    features_per_block : int64 array of shape (1,)
        A multiple of `LONG_STRIP`.
    residual : `padded_vector` of n_samples in w's dtype
        Written.
    partial : float64 array of shape (blocks of features, n_samples)
        X w of each block; the first is overwritten by their sum.
    sums : float64 array of shape (blocks of samples, 2)
        Written: loss and sum of the residuals of each block.
    result : float64 `padded_vector` of n_features + 2
        Written as by `add_blocks`.
    """
    n_features_blocks = partial.shape[0]
    gradient = result[: X.shape[1]]
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            if n_blocks > 0:
                add_sums(sums, result[X.shape[1] :])
            return seen
        what = operation(state)
        if what == Operation.NONE:  # the round was abandoned since the block was taken
            continue
        has_gradient = what == Operation.LOSS_GRADIENT or what == Operation.HESSIAN_PRODUCT
        place = block - n_features_blocks if has_gradient else block  # from the first block of samples
        if place >= sums.shape[0]:
            place -= sums.shape[0]
            if what == Operation.STEP:
                place = _to_and_fro(place, n_features_blocks, is_odd(state))
            first = place * features_per_block[0]
            stop = smaller(X.shape[1], first + features_per_block[0])
            if what == Operation.STEP:
                columns.descend(X, step[0], coef, w, first, stop, residual, gradient, part, partial[place])
            else:
                columns.product(X, w, first, stop, part, partial[place])
        elif place >= 0:
            wait_for_blocks(state, n_features_blocks)
            first = place * rows_per_block[0]
            stop = smaller(X.shape[0], first + rows_per_block[0])
            sums[place, 0], sums[place, 1] = _link_block(
                what, formula, y, sample_weight, intercept[0], first, stop, raw, curvature, residual, partial
            )
        else:
            wait_for_blocks(state, n_features_blocks + sums.shape[0])
            first = (n_features_blocks - 1 - block) * features_per_block[0]  # back from where the products ended
            stop = smaller(X.shape[1], first + features_per_block[0])
            columns.transposed_product(X, residual, first, stop, gradient)


@helper()
def _link_block(what, formula, y, sample_weight, b, first, stop, raw, curvature, residual, partial):
    """Add up the raw predictions of the samples [first, stop) and apply the link."""
    z = partial[0, first:stop]
    for k in range(1, partial.shape[0]):
        for i in range(z.size):
            z[i] += partial[k, first + i]
    for i in range(z.size):
        z[i] += b
    return apply_link(what, z, z.size, first, formula, y, sample_weight, raw, curvature, residual[first:stop])
