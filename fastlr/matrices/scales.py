"""Means and variances of the columns of any X, over all rows: for what must not depend on a subsample."""

import numpy as np
from scipy import sparse

_SUMMED_ROWS = 256  # in one sum: SciPy adds up one by one, and what is rounded would look like a variance
_CONSTANT = 1e-14  # of the mean square: with less variance a column is a constant in half of its digits


def standardisation(matrix, loss, *, centred):
    """What it takes to standardise the columns: one pass.

    Parameters
    ----------
    matrix : Matrix
    loss : LogisticLoss or SoftmaxLoss
        Its weights count.
    centred : bool
        If not, columns stay where they are: the means are 0, and the variances mean squares.

    Returns
    -------
    mean, variance : float64 arrays of shape (n_features,)
        Weighted. The variance of constant columns (not centred: of those of zeros) is 0; that of columns whose squares
        are beyond what a float64 can hold is inf or NaN.
    """
    # Seen from one of the samples, columns of next to no variance keep their digits. Sparse ones are seen from 0.
    seen_from = np.zeros(matrix.shape[1])
    if centred and not matrix.is_sparse:
        row, _ = loss.heaviest()
        seen_from = next(matrix.take(np.array([row])).blocks())[1][0]
    mean, square = matrix.column_sums(loss, loss.weight_sum, seen_from)
    vanished = (mean != 0.0) & (square == 0.0)
    if centred:
        variance = square - mean * mean
        mean += seen_from
        variance[variance <= _CONSTANT * (variance + mean * mean)] = 0.0
    else:
        variance, mean = square, np.zeros_like(mean)
    variance[vanished] = np.nan
    return mean, variance


def column_sums(matrix, loss, weight_sum, seen_from):
    """Weighted sums over a matrix's rows of what the columns are above `seen_from`, and of its squares: one pass.

    Parameters
    ----------
    matrix : Matrix
    loss : LogisticLoss or SoftmaxLoss
    weight_sum : float
        What its weights are divided by.
    seen_from : float64 array of shape (n_features,)
        Zeros for sparse X.

    Returns
    -------
    first, second : float64 arrays of shape (n_features,)
    """
    weight = loss.weights() / weight_sum
    first, second = np.zeros((2, matrix.shape[1]))
    for rows, block in matrix.blocks(most=_SUMMED_ROWS):
        if sparse.issparse(block):
            squares = block.multiply(block)
        else:
            block = block - seen_from
            squares = block * block
        first += block.T @ weight[rows]
        second += squares.T @ weight[rows]
    matrix.n_passes += 1
    return first, second


def largest_entries(matrix):
    """The largest absolute value of each column: one pass, float64 array of shape (n_features,)."""
    largest = np.zeros(matrix.shape[1])
    for _, block in matrix.blocks():
        most = abs(block).max(axis=0)
        np.maximum(largest, most.toarray().ravel() if sparse.issparse(block) else most, out=largest)
    matrix.n_passes += 1
    return largest
