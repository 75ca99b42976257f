"""A matrix whose rows are at hand: what takes columns, pairs of rows, or rows some at a time."""

from abc import abstractmethod

import numpy as np
from scipy import sparse

from .base import Matrix
from .scales import column_sums

BLOCK_ENTRIES = 1_000_000  # of what NumPy widens at a time


class MemoryMatrix(Matrix):
    """X in memory; parameters and attributes as of `Matrix`."""

    in_memory = True
    _columns = None  # X by columns, once it is asked for

    @abstractmethod
    def columns(self, places):
        """A matrix of some of the columns, which are copied; `places` are ascending indices."""

    @abstractmethod
    def gram(self):
        """X X^T without the intercept: one pass.

        Returns
        -------
        float64 array of shape (n_samples, n_samples)
            Symmetric.

        Raises
        ------
        ValueError
            If X holds NaN or infinity.
        """

    @abstractmethod
    def by_columns(self):
        """X as `kernels.coordinates.dot_column` reads it; copied where it is not laid out so, once."""

    def column_moments(self, loss):
        """The `moments`, exactly and column by column, as `descend` takes them: one pass."""
        from ..kernels.coordinates import column_moments  # here, because a small X needs no Numba

        first, second = np.empty((2, self.shape[1]))
        column_moments(self.by_columns(), loss.curvature, first, second)
        self.n_passes += 1
        return first, second, float(loss.curvature.sum())

    def descend(self, loss, gradient, w, threshold, ridge, moments, step, tol):
        """Coordinate descent on the quadratic model of the summed loss, plus a penalty, D from the last `sweep`.

        Parameters
        ----------
        loss : LogisticLoss
        gradient : float64 array of shape (n_features + 1,)
            Of the loss and the smooth part of the penalty where the step begins.
        w : float64 array of shape (n_features,)
            Coefficients there.
        threshold : float64 array of shape (n_features,)
            Of the absolute values of coefficients.
        ridge : float
            What the penalty adds to the diagonal of the model.
        moments : tuple (first, second, total)
            The `column_moments`; the total is 0 without an intercept.
        step : float64 array of shape (n_features + 1,)
            Where to start; overwritten.
        tol : float
            Ends when no coordinate's gradient changed by more.

        Returns
        -------
        bool
            Whether it ended so.
        """
        from ..kernels.coordinates import descend_columns  # here, because a small X needs no Numba

        n_samples, n_features = self.shape
        model = self.by_columns(), loss.curvature, gradient, w, threshold, ridge, moments
        space = np.empty(n_samples), np.empty(n_features)
        n_sweeps, is_done = descend_columns(*model, step, tol, *space)
        self.n_passes += n_sweeps
        return is_done

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
        n_rows = max(1, min(BLOCK_ENTRIES // max(width, self.shape[1]), most or self.shape[0]))
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
        """See `Matrix`."""
        return getattr(loss, question)(*(self.predictions(coef) for coef in coefs))

    def gather(self, loss, question, coefs):
        """See `Matrix`."""
        self.n_passes += 1
        total = np.zeros(coefs.shape)
        for rows, block in self.blocks(len(coefs)):
            made = getattr(loss, question)(block @ coefs[:, :-1].T + coefs[:, -1], rows)
            total[:, :-1] += (block.T @ made).T
            total[:, -1] += made.sum(axis=0)
        return total

    def column_sums(self, loss, weight_sum, seen_from):
        """See `Matrix`."""
        return column_sums(self, loss, weight_sum, seen_from)

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
