"""Inverses of those blocks of a softmax Hessian that belong to one class each, for what only steers.

The block of class k is sum_i h_ik r_i r_i^T, r_i a row of [X 1] and h_ik = p_ik (1 - p_ik) times its weight. A class
has most of its curvature in the few rows that might be its own. With b_k the mean curvature of the others, the block is
taken to be

    b_k [X 1]^T [X 1] + sum_i (h_ik - b_k) r_i r_i^T    over rows where h_ik, times how far a row reaches, is large

of which the first product is formed once.
"""

import numpy as np

from ..linalg.factor import ScaledCholesky
from ..runtime.parallel import run_all

_LARGE = 5.0  # times the floor and the mean: curvatures that count for themselves
_MORE = 1.001  # times the mean curvature of the others, beyond rounding where all are alike
_RARE = 20.0  # see `usual_share`
_THREAD_WORK = 200_000_000  # multiply-adds from which on a second thread pays


def usual_share(floor):
    """Share of the rows, typically, whose curvatures count for themselves."""
    return 1.0 / (1.0 + _RARE * floor)


class ClassFactors:
    """Inverses of the blocks, with the penalty, as W^T W: so they stay positive definite in float32.

    Parameters
    ----------
    sample : Sample
    curvatures : float64 array of shape (n_rows, n_classes)
        p (1 - p).
    floor : float
        Share of the mean that the curvature of every row has at least; 0 makes the blocks exact.
    finished : callable
        Makes a block of the whole Hessian of one of the loss's.
    n_threads : int
    """

    def __init__(self, sample, curvatures, floor, finished, n_threads):
        n_rows, n_classes = curvatures.shape
        square, weight = sample.square(), sample.weight
        curvatures = np.ascontiguousarray(curvatures.T)
        reach = curvatures * sample.extents()
        large = reach > _LARGE * floor * reach.mean(axis=1, keepdims=True)
        others = np.where(large, 0.0, weight)
        bases = (others * curvatures).sum(axis=1) / np.maximum(others.sum(axis=1), 1.0)
        bases = np.maximum(bases, floor * (curvatures @ weight) / n_rows)
        large &= curvatures > _MORE * bases[:, None]
        self._scales = np.empty((n_classes, len(square)))
        self._factors = np.empty((n_classes, *square.shape), sample.dtype)

        def form(k, check):
            check()
            rows = np.flatnonzero(large[k])
            block = bases[k] * square
            if len(rows):
                block += sample.square_of(rows, weight[rows] * (curvatures[k, rows] - bases[k]))
            return ScaledCholesky(finished(block)).inverse_factor()

        def keep(k, found):
            self._scales[k], self._factors[k] = found

        is_worth_it = int(large.sum()) * len(square) ** 2 > _THREAD_WORK
        run_all(form, range(n_classes), n_threads if is_worth_it else 1, keep)

    def __call__(self, gradient):
        """The inverses times a gradient, float64 of shape (n_classes, n_features + 1)."""
        half = self._factors @ (self._scales * gradient).astype(self._factors.dtype)[:, :, None]
        return self._scales * (self._factors.transpose(0, 2, 1) @ half)[:, :, 0]
