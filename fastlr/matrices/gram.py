"""Samples of which nothing is known but their inner products."""

import numpy as np


class GramMatrix:
    """What `solvers.gram_newton` needs of a matrix, over a Gram matrix that is there already.

    Parameters
    ----------
    gram : float64 array of shape (n_samples, n_samples)
        X X^T.
    """

    dtype = np.dtype(np.float64)
    n_passes = 0
    is_sparse = False

    def __init__(self, gram):
        self._gram = gram
        self.shape = gram.shape

    def gram(self):
        """X X^T without the intercept."""
        return self._gram
