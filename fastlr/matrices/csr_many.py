"""Compiled passes over sparse X that serve a few fits, each with a loss and a matrix of its own."""

import math

import numpy as np

from ..kernels import csr_many
from ..kernels.csr_many import LANES
from ..runtime.blocks import guarded_empty


class SharedPasses:
    """Passes that serve up to `LANES` fits to the same X, by the calling thread alone.

    What is computed for a fit does not depend on which others there are.

    Parameters
    ----------
    matrices : list of CSRMatrix
        The same X for each fit.
    losses : list of LogisticLoss
        Of each fit, one formula and one y for all.

    Attributes
    ----------
    n_passes : int
        How often X was read. The matrices count those that serve their fit.
    """

    def __init__(self, matrices, losses):
        self._matrices = matrices
        self.n_passes = 0
        n_features, n_fits = matrices[0].shape[1], len(losses)
        self._goes = np.zeros(LANES, bool)
        self._coefs, self._gradients = guarded_empty((n_features, LANES)), guarded_empty((n_features, LANES))
        self._coefs[:] = 0.0
        self._intercepts, self._sums = np.zeros(LANES), np.zeros((LANES, 2))
        formula, y, _ = losses[0].targets
        # A lane without a fit has the arrays of the first, and is neither read nor written.
        of_lanes = [losses[k if k < n_fits else 0] for k in range(LANES)]
        weights, raw, curvature = (
            tuple(getattr(loss, name) for loss in of_lanes) for name in ("sample_weight", "raw", "curvature")
        )
        data, indices, indptr = matrices[0].arrays
        samples = data, indices.astype(np.uint32, copy=False), indptr, formula, y, weights
        ends = raw, curvature, self._gradients, self._sums
        self._arguments = (*samples, self._goes, self._coefs, self._intercepts, *ends, *csr_many.work_space())

    def sweep(self, coefs):
        """Summed losses and their gradients of some fits: one pass.

        Parameters
        ----------
        coefs : dict of float64 array of shape (1, n_features + 1)
            By place of the fit among the losses.

        Returns
        -------
        dict of (value, gradient)
            As by `Matrix.sweep`, which it is otherwise.
        """
        self._goes[:] = False
        for k, coef in coefs.items():
            self._goes[k] = True
            self._coefs[:, k] = coef[0, :-1]
            self._intercepts[k] = coef[0, -1]
        csr_many.pass_for_each(*self._arguments)
        self.n_passes += 1
        ends = {}
        for k in coefs:
            self._matrices[k].n_passes += 1
            gradient = np.append(self._gradients[:, k], self._sums[k, 1])[None]
            ends[k] = self._sums.item(k, 0), gradient
            if not math.isfinite(ends[k][0]):
                self._matrices[k].check_finite()
        return ends
