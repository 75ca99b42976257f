"""Means and variances of the columns of any X, over all rows: for what must not depend on a subsample."""

import numpy as np
from scipy import sparse

_CHUNK_ENTRIES = 250_000  # of those that NumPy widens at a time
_CONSTANT = 1e-14  # of the mean square: with less variance a column is a constant in half of its digits


def standardisation(design, *, centred):
    """What it takes to standardise the columns: one pass.

    Parameters
    ----------
    design : Design, SmallDesign or ClassesDesign
    centred : bool
        If not, columns stay where they are: the means are 0, and the variances mean squares.

    Returns
    -------
    mean, variance : float64 arrays of shape (n_features,)
        Weighted. The variance of constant columns (not centred: of those of zeros) is 0; that of columns whose squares
        are beyond what a float64 can hold is inf or NaN.
    """
    X, weight = design.X, design.sample_weight if design.sample_weight.size else np.ones(design.shape[0])
    weight = weight / weight.max()  # their sum might overflow
    weight /= weight.sum()
    # Seen from one of the samples, columns of next to no variance keep their digits. Sparse ones are seen from 0.
    seen_from = X[weight.argmax()].astype(np.float64) if centred and not sparse.issparse(X) else np.zeros(X.shape[1])
    mean, square = np.zeros((2, X.shape[1]))
    n_rows = max(1, _CHUNK_ENTRIES // X.shape[1])
    for first in range(0, X.shape[0], n_rows):
        rows = slice(first, first + n_rows)
        chunk = X[rows].astype(np.float64)
        if sparse.issparse(chunk):
            squares = chunk.multiply(chunk)
        else:
            chunk -= seen_from
            squares = chunk * chunk
        mean += chunk.T @ weight[rows]
        square += squares.T @ weight[rows]
    design.n_passes += 1
    vanished = (mean != 0.0) & (square == 0.0)
    if centred:
        variance = square - mean * mean
        mean += seen_from
        variance[variance <= _CONSTANT * (variance + mean * mean)] = 0.0
    else:
        variance, mean = square, np.zeros_like(mean)
    variance[vanished] = np.nan
    return design.scale * mean, design.scale**2 * variance
