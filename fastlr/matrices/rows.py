"""Passes of NumPy over the rows of a matrix, some at a time: for what is worth no kernel."""

import numpy as np
from scipy import sparse

from .scales import column_sums

_BLOCK_ENTRIES = 1_000_000  # of rows that NumPy widens at a time


class RowBlocks:
    """What a `Matrix` does so: with its `X`, `shape`, `scale` and `n_passes`."""

    def blocks(self, width=1, most=None, first=0, stop=None, order=None):
        """The rows of the matrix, some at a time: for what is worth no kernel.

        Parameters
        ----------
        width : int
            Numbers that the caller makes of each row.
        most : int, optional
            Rows of a block, at most.
        first, stop : int
            The rows; by default all.
        order : int array, optional
            The rows that come first, second, ..., in place of all as they lie.

        Yields
        ------
        rows : slice or int array
        block : float64 array, or SciPy CSR, of shape (n, n_features)
        """
        n_rows = max(1, min(_BLOCK_ENTRIES // max(width, self.shape[1]), most or self.shape[0]))
        stop = self.shape[0] if stop is None else stop
        for start in range(first, stop, n_rows):
            rows = slice(start, min(start + n_rows, stop))
            rows = rows if order is None else order[rows]
            block = self.X[rows].astype(np.float64, copy=False)
            yield rows, block if self.scale == 1.0 else self.scale * block

    def rows_with_ones(self, width=1, **bounds):
        """The `blocks` as dense arrays of shape (n, n_features + 1), ones behind."""
        for rows, block in self.blocks(width, **bounds):
            dense = block.toarray() if sparse.issparse(block) else block
            yield rows, np.column_stack([dense, np.ones(len(dense))])

    def predictions(self, coefs):
        """Raw predictions X W^T + b, some rows at a time: one pass of NumPy.

        Yields
        ------
        rows : slice
        raw : float64 array of shape (n, k)
        """
        self.n_passes += 1
        for rows, block in self.blocks(len(coefs)):
            yield rows, block @ coefs[:, :-1].T + coefs[:, -1]

    def ask_of_predictions(self, loss, question, *coefs):
        """What a method of a `SoftmaxLoss` says of the `predictions` of some coefficients: a pass for each of these.

        Returns
        -------
        bool or float
            Of all samples: whether it holds for each, or the largest.
        """
        return getattr(loss, question)(*(self.predictions(coef) for coef in coefs))

    def column_sums(self, loss, weight_sum, seen_from):
        """What means and variances of the columns are made of, see `scales.column_sums`: one pass."""
        return column_sums(self, loss, weight_sum, seen_from)

    def transposed(self, coefficients):
        """Coefficients of samples, of shape (k, n_samples), times X, for the dual problem: one pass of NumPy.

        Returns
        -------
        float64 array of shape (k, n_features)
        """
        self.n_passes += 1
        total = np.zeros((len(coefficients), self.shape[1]))
        for rows, block in self.blocks(len(coefficients)):
            # X comes first: BLAS takes up to twice as long for a few rows times X.
            total += (block.T @ coefficients[:, rows].T).T
        return total

    def leverages(self, loss, inverse):
        """Leave c_i [x_i 1] inverse [x_i 1]^T with a `LogisticLoss`, c_i from the last `sweep`: one pass of NumPy.

        Parameters
        ----------
        loss : LogisticLoss
        inverse : float64 array of shape (n_features + 1, n_features + 1)
            Symmetric.
        """
        self.n_passes += 1
        leverage = np.empty(self.shape[0])
        for rows, block in self.rows_with_ones():
            leverage[rows] = np.einsum("ij,ij->i", block @ inverse, block)
        loss.leverage = leverage * loss.curvature
