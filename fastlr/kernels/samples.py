"""What a fit inside a kernel is told, and what it works on and in."""

from typing import NamedTuple

import numpy as np

from ..runtime.blocks import guarded_parts
from ..runtime.jit import helper
from . import packing, products
from .columns import MAX_TILE
from .llvm import as_rows, smaller
from .vectors import PADDING

_TILE = 64  # rows that are copied at a time: what is read again of a line of cache is still there


class Data(NamedTuple):
    """What all fits share."""

    flat_X: np.ndarray  # float64, of shape (n_samples * n_features,): X as it lies in memory
    steps: tuple  # from a row of X to the next, and from a column to the next, in entries
    formula: tuple  # the logistic loss, see `pointwise.formula_of`
    y: np.ndarray  # targets


class Options(NamedTuple):
    """How fits are done."""

    fit_intercept: bool
    tol: float  # certified relative gap to reach
    max_iter: int  # steps, at most
    kept: float  # share of the gradient's squared length that a step may leave for its Hessian to be kept


class Samples(NamedTuple):
    """Samples that weigh something."""

    X: np.ndarray  # F order
    formula: tuple
    y: np.ndarray
    weight: np.ndarray
    weight_sum: float


class Space(NamedTuple):
    """What one thread works in, see `space_for`."""

    z: np.ndarray  # as of `rows.fused_pass`
    residual: np.ndarray
    part: np.ndarray
    w: np.ndarray
    panel: np.ndarray  # as of `squares.packed_space`
    scale: np.ndarray
    hessian: np.ndarray  # its lower triangle, or the factor
    step: np.ndarray
    gradient: np.ndarray
    raw: np.ndarray  # here and at the last step's start, in turns
    curvature: np.ndarray
    y: np.ndarray  # of the samples that weigh something, as all that follows
    weight: np.ndarray
    rows: np.ndarray
    flat_X: np.ndarray


def space_for(n_samples, n_features):
    """The work space of fits to X of a shape: parts of one array, which is allocated faster than each would be."""
    coef, samples, long = (n_features + 1,), (n_samples,), max(n_features, MAX_TILE) + PADDING
    panel = products.panel_shape(*coef, np.dtype(np.float64))
    square = products.padded_rows(*coef), products.padded_columns(*coef)
    shapes = [(long + MAX_TILE,), (long,), (long,), (n_features + PADDING,), panel, (packing.DEPTH,), square]
    shapes += [coef, coef, (2, n_samples), *[samples] * 4, (n_samples * n_features,)]
    parts = guarded_parts(shapes)
    for part in parts[:5]:  # what lies behind vectors meets zeros, see `vectors`
        part[:] = 0.0
    parts[3], parts[13] = parts[3][:n_features], parts[13].view(np.int64)
    return Space(*parts)


@helper()
def gather(data, weight, space):
    """Copy the samples that weigh something: a fold has fewer by a fifth, a bootstrap by a third."""
    n = 0
    total = 0.0
    for i in range(weight.size):
        if weight[i] > 0.0:
            space.y[n], space.weight[n], space.rows[n] = data.y[i], weight[i], i
            total += weight[i]
            n += 1
    n_features = space.w.size
    columns = as_rows(space.flat_X, n_features, n)
    for first in range(0, n, _TILE):
        stop = smaller(n, first + _TILE)
        for j in range(n_features):
            column = columns[j]
            for k in range(first, stop):
                column[k] = data.flat_X[space.rows[k] * data.steps[0] + j * data.steps[1]]
    return Samples(columns.T, data.formula, space.y[:n], space.weight[:n], total)
