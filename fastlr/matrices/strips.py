"""Products of a dense X with a row for each class, by BLAS over strips of rows that are widened one at a time.

They are for solvers that keep numbers of shape (n_classes, n_samples). A strip stays in cache between the widening and
the product. Strips depend on the shape alone, and what they sum to is added in their order.
"""

import numpy as np

from ..runtime.parallel import run_all

_STRIP_ENTRIES = 120_000
_STRIPS_AT_ONCE = 8  # that one call does


def _strips(matrix):
    n_samples, n_features = matrix.shape
    rows = max(1, _STRIP_ENTRIES // n_features)
    return [slice(first, min(first + rows, n_samples)) for first in range(0, n_samples, rows)]


def _widened(matrix, rows):
    block = matrix.X[rows].astype(np.float64)
    if matrix.scale != 1.0:
        block *= matrix.scale
    return block


def _for_each(matrix, work):
    """Call a function with the place and the rows of each strip, on the matrix's threads: one pass."""
    strips = _strips(matrix)

    def several(first, check):
        for place in range(first, min(first + _STRIPS_AT_ONCE, len(strips))):
            check()
            work(place, strips[place])

    run_all(several, range(0, len(strips), _STRIPS_AT_ONCE), matrix.team.n_threads, lambda first, result: None)
    matrix.n_passes += 1
    return len(strips)


def raw_predictions(matrix, coefs):
    """W X^T + b of a dense matrix in memory: one pass.

    Parameters
    ----------
    matrix : DenseMatrix
    coefs : float64 array of shape (k, n_features + 1)

    Returns
    -------
    float64 array of shape (k, n_samples)
    """
    raw = np.empty((len(coefs), matrix.shape[0]))

    def predict(place, rows):
        raw[:, rows] = coefs[:, :-1] @ _widened(matrix, rows).T

    _for_each(matrix, predict)
    raw += coefs[:, -1:]
    return raw


def gathered(matrix, amounts):
    """Amounts times [X 1]: one pass.

    Parameters
    ----------
    matrix : DenseMatrix
    amounts : float64 array of shape (k, n_samples)

    Returns
    -------
    float64 array of shape (k, n_features + 1)
    """
    total = np.zeros((len(amounts), matrix.shape[1] + 1))
    parts = {}

    def gather(place, rows):
        parts[place] = amounts[:, rows] @ _widened(matrix, rows)

    for place in range(_for_each(matrix, gather)):
        total[:, :-1] += parts[place]
    total[:, -1] = amounts.sum(axis=1)
    return total


def curved(matrix, curve, directions):
    """[X 1]^T J [X 1] times directions, J the second derivatives of some loss: one pass.

    Parameters
    ----------
    matrix : DenseMatrix
    curve : callable
        ``curve(change, rows)``, J of some rows times a change of their raw predictions, of shape (k, n).
    directions : float64 array of shape (k, n_features + 1)

    Returns
    -------
    float64 array of shape (k, n_features + 1)
    """
    total = np.zeros(directions.shape)
    parts = {}

    def product(place, rows):
        block = _widened(matrix, rows)
        change = curve(directions[:, :-1] @ block.T + directions[:, -1:], rows)
        parts[place] = change @ block, change.sum(axis=1)

    for place in range(_for_each(matrix, product)):
        total[:, :-1] += parts[place][0]
        total[:, -1] += parts[place][1]
    return total
