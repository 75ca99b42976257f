"""A dense X with targets of two classes and several sets of sample weights: one pass serves a fit to each."""

from functools import partial

import numpy as np

from .._blocks import guarded_empty, softmax_block_rows
from .._team import Task, Team
from .._validation import check_finite, read_only
from ..kernels import many, tiles
from ..kernels.operations import Operation
from .base import LONG_OPERATIONS

# Below this many products of an entry of X and a fit a pass takes less than the start of a thread.
_INLINE_PRODUCTS = 500_000


class WeightSetsDesign:
    """X with targets and sets of weights, and passes that several fits share.

    Coefficients have rows [w, b], one for each fit; all results are float64 sums over samples, weighted with the set
    of weights of the fit. What is computed for a fit depends on which others there are by no more than rounding.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        As returned by `check_features`.
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    weights : float64 array of shape (n_sets, n_samples)
        At most `kernels.many.MAX_FITS` sets.
    dtype : numpy dtype
        What products are computed in, float32 or float64.
    name : str
        What errors call X.
    team : Team, optional
        Threads that work on a pass; by default the calling one alone. Results do not depend on it.

    Attributes
    ----------
    weight_sums : float64 array of shape (n_sets,)
    n_passes : int
        How often X was read.
    """

    def __init__(self, X, y, weights, *, dtype, name="X", team=None):
        (n_samples, n_features), n_sets = X.shape, len(weights)
        self.X = X
        self.weight_sums = weights.sum(axis=1)
        self.dtype = np.dtype(dtype)
        self.team = team or Team(1)
        self.n_passes = 0
        self._name = name
        self._sets, self._n_fits = np.zeros(n_sets, np.int64), np.zeros(1, np.int64)
        self._coef = np.zeros((tiles.even(n_sets), n_features), self.dtype)
        self._intercepts = np.zeros(n_sets)
        rows = softmax_block_rows(n_samples, n_features, n_sets)
        starts = np.append(np.arange(0, n_samples, rows), n_samples)
        self._sums = np.empty((len(starts) - 1, n_sets, 2))
        self._gradients = guarded_empty((len(starts) - 1, n_sets, n_features))
        self._task = Task(
            many.serve,
            (
                X,
                read_only(y),
                read_only(weights),
                self._sets,
                self._n_fits,
                self._coef,
                self._intercepts,
                starts,
                self._sums,
                self._gradients,
            ),
            partial(many.work_space, n_features, n_sets, self.dtype),
        )

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.X.shape

    def _run(self, operation, sets, coefs):
        if self._n_fits[0] != len(sets):
            self._task.fastest.clear()  # passes for fewer fits were faster
        n_fits = self._n_fits[0] = len(sets)
        self._sets[:n_fits] = sets
        self._coef[:n_fits] = coefs[:, :-1]
        self._coef[n_fits : tiles.even(n_fits)] = 0.0
        self._intercepts[:n_fits] = coefs[:, -1]
        n_products = self.X.size * n_fits
        alone, long = n_products <= _INLINE_PRODUCTS, n_products >= LONG_OPERATIONS
        self.team.run(self._task, operation, len(self._sums), alone=alone, long=long)
        self.n_passes += 1
        sums = np.empty((n_fits, self.shape[1] + 1))
        np.sum(self._gradients[:, :n_fits], axis=0, out=sums[:, :-1])
        losses, sums[:, -1] = self._sums[:, :n_fits].sum(axis=0).T
        return losses, sums

    def loss_gradients(self, sets, coefs):
        """Summed losses and their gradients: one pass.

        Parameters
        ----------
        sets : int array of shape (n_fits,)
            The set of weights of each fit.
        coefs : float64 array of shape (n_fits, n_features + 1)

        Returns
        -------
        losses : float64 array of shape (n_fits,)
        gradients : float64 array of shape (n_fits, n_features + 1)

        Raises
        ------
        ValueError
            If X holds NaN or infinity, which this pass finds.
        """
        losses, gradients = self._run(Operation.LOSS_GRADIENT, sets, coefs)
        if not np.isfinite(losses).all():
            check_finite(self.X, self._name)
        return losses, gradients

    def intercept_columns(self, sets, coefs):
        """Last columns of the Hessians of the summed losses: one pass. Parameters as of `loss_gradients`.

        Returns
        -------
        float64 array of shape (n_fits, n_features + 1)
        """
        return self._run(Operation.INTERCEPT_COLUMN, sets, coefs)[1]
