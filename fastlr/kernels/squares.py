"""The Hessian and the Gram matrix of dense X, block by block or tile by tile, for as many threads as came."""

import math

import numpy as np

from ..runtime.blocks import guarded_empty
from ..runtime.jit import helper, kernel
from ..runtime.rounds import NO_BLOCK, take
from . import packing, products
from .llvm import smaller

_GRAM_TILE = 1_056  # rows, at most


def packed_space(n_columns, n_panels, dtype):
    """What one thread packs pieces of X into: scales of their entries, and panels of `n_columns` each."""
    dtype = np.dtype(dtype)
    shape = products.panel_shape(n_columns, dtype)
    panels = guarded_empty((n_panels, *shape), dtype)
    panels[:] = 0  # or what stands beyond the last column might be slow to compute with
    return np.ones(packing.entries(dtype), dtype), panels


@kernel()
def serve_hessian(state, n_blocks, seen, task, scale, panels, X, curvature, rows_per_block, hessians):
    """The Hessian of the loss from the curvatures that the last pass left.

    Parameters
    ----------
    scale, panels
        One thread's `packed_space` for a panel of n_features + 1 columns.
    X : array of shape (n_samples, n_features)
    curvature : float64 array of shape (n_samples,)
    rows_per_block : int64 array of shape (1,)
    hessians : float64 array of shape (n_blocks, padded_rows(n_features + 1), padded_columns(n_features + 1))
        Written: lower triangle of [X 1]^T D [X 1] of each block.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        start = block * rows_per_block[0]
        stop = smaller(X.shape[0], start + rows_per_block[0])
        hessian_block(X, curvature, start, stop, scale, panels[0], hessians[block])


@helper()
def hessian_block(X, curvature, start, stop, scale, panel, hessian):
    """The Hessian of some rows, its lower triangle; parameters as of `serve_hessian`."""
    n_features = X.shape[1]
    width = panel.shape[2]
    hessian[:] = 0.0
    for first in range(start, stop, packing.DEPTH):
        count = smaller(stop - first, packing.DEPTH)
        for i in range(count):
            scale[i] = math.sqrt(curvature[first + i])
        packing.pack(X, scale, first, count, 0, n_features, panel)
        # In a loop: assigning one slice to another doubles the time to compile, for the error it might raise.
        for i in range(count):
            panel[n_features // width, i, n_features % width] = scale[i]  # the intercept's column of ones
        products.add_product(panel, n_features + 1, panel, n_features + 1, count, True, hessian)


def gram_panel(n_samples, n_threads):
    """Rows of a tile of the Gram matrix: few tiles, so that packing costs little, but work for every thread.

    Sums do not depend on the tiles.
    """
    n_panels = max(-(-n_samples // _GRAM_TILE), min(n_threads, n_samples // 96), 1)
    return -(-n_samples // (48 * n_panels)) * 48


@kernel()
def serve_gram(state, n_blocks, seen, task, ones, panels, X, rows_per_tile, gram):
    """X X^T, a tile of the lower triangle for each block.

    Parameters
    ----------
    ones, panels
        One thread's `packed_space` for two panels of `gram_panel` columns, in the `gram_dtype` of X.
    X : array of shape (n_samples, n_features)
    rows_per_tile : int64 array of shape (1,)
        `gram_panel`, a multiple of what products are padded to.
    gram : float64 array of shape (padded_rows(n_samples), padded_columns(n_samples))
        Written.
    """
    block = NO_BLOCK
    while True:
        seen, block = take(state, n_blocks, seen, task, block)
        if block < 0:
            return seen
        # Tiles are numbered row by row through the lower triangle.
        i = int((math.sqrt(8.0 * block + 1.0) - 1.0) / 2.0)
        j = block - i * (i + 1) // 2
        _gram_tile(X.T, ones, i * rows_per_tile[0], j * rows_per_tile[0], rows_per_tile[0], panels, gram)


@helper()
def _gram_tile(A, ones, i, j, size, panels, gram):
    """Rows from i and columns from j of A^T A."""
    n_features, n_samples = A.shape
    n_rows = smaller(size, n_samples - i)
    n_columns = smaller(size, n_samples - j)
    tile = gram[i : smaller(i + size, gram.shape[0]), j : smaller(j + size, gram.shape[1])]
    tile[:] = 0.0
    left, right = panels[0], panels[1] if i != j else panels[0]
    stretch = ones.size
    for first in range(0, n_features, stretch):
        count = smaller(n_features - first, stretch)
        depth = packing.pack(A, ones, first, count, i, n_rows, left)
        if i != j:
            packing.pack(A, ones, first, count, j, n_columns, right)
        products.add_product(left, n_rows, right, n_columns, depth, i == j, tile)
