"""Cholesky factors of matrices that may be singular, or of columns on very different scales."""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dpstrf, dtrtri

_RIDGES = (0.0, *np.logspace(-12, 6, 10))  # the last makes the diagonal dominant, whatever the matrix
_SMALLEST = 1e-7  # of the factor's diagonal, where that of the matrix is 1


COLLINEAR = 1e-11  # share of a pivot that those before leave: what is left then is rounding for the most part


def dependent_places(matrix):
    """Places of the rows of a symmetric, semidefinite matrix that those before them make up.

    Returns
    -------
    list of int
    """
    diagonal = matrix.diagonal()
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    left = matrix * scale * scale[:, None]
    found = []
    for j in range(len(left)):
        if left[j, j] <= COLLINEAR:
            found.append(j)
        else:
            left -= np.outer(left[:, j], left[j] / left[j, j])
    return found


def null_space(matrix):
    """Directions of which a symmetric, semidefinite matrix makes nothing.

    A Cholesky factor whose pivots are sought, P^T H P = U^T U, leaves rows of zeros where some rows are made up of
    others: with U = [U1 U2] above these, the columns of [-U1^-1 U2; 1] are such directions.

    Source: Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990.

    Parameters
    ----------
    matrix : float64 array of shape (n, n)

    Returns
    -------
    directions : float64 array of shape (n_directions, n)
    made_up : int array of shape (n_directions,)
        The row that each direction makes up of the independent ones; never the last, unless it is zero.
    """
    diagonal = matrix.diagonal()
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scale[-1] *= 2.0  # the largest is the first pivot
    factor, places, rank, _ = dpstrf(matrix * scale * scale[:, None], tol=COLLINEAR)
    made_up = solve_triangular(factor[:rank, :rank], factor[:rank, rank:])
    directions = np.zeros((len(matrix) - rank, len(matrix)))
    directions[:, places - 1] = np.column_stack([-made_up.T, np.eye(len(directions))])
    return directions * scale, places[rank:] - 1


class ScaledCholesky:
    """Cholesky factor of a symmetric, finite matrix, brought to unit diagonal and with as much ridge as it needs.

    Parameters
    ----------
    matrix : float64 array of shape (n, n)

    Attributes
    ----------
    smallest_pivot : float
        The smallest pivot without a ridge; 0 for collinear columns.
    is_singular : bool
        Whether columns are zero, or collinear to `COLLINEAR`.
    """

    def __init__(self, matrix):
        diagonal = matrix.diagonal()
        self._scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        for ridge in _RIDGES:
            scaled = matrix * self._scale
            scaled *= self._scale[:, None]
            scaled.flat[:: len(scaled) + 1] = 1.0 + ridge
            self._factor, failed = dpotrf(scaled.T, lower=1, overwrite_a=1)  # the transpose is in LAPACK's order
            smallest = 0.0 if failed else self._factor.diagonal().min()
            if ridge == 0.0:
                self.smallest_pivot = smallest**2
            if smallest > _SMALLEST:
                break
        self.is_singular = not (self.smallest_pivot > COLLINEAR and (diagonal > 0.0).all())

    @property
    def log_determinant(self):
        """Logarithm of the determinant of the matrix, with the ridge."""
        return 2.0 * float(np.log(self._factor.diagonal() / self._scale).sum())

    def solve(self, sides):
        """The inverse times one vector, of shape (n,), or several, of shape (n, m)."""
        scale = self._scale if sides.ndim == 1 else self._scale[:, None]
        solution, _ = dpotrs(self._factor, scale * sides, lower=1)
        return scale * solution

    def inverse_factor(self):
        """A vector s and a lower triangular W for which diag(s) W^T W diag(s) is the inverse."""
        return self._scale, dtrtri(self._factor, lower=1)[0]

    def inverse(self):
        """The inverse, a symmetric float64 array of shape (n, n)."""
        lower, _ = dpotri(self._factor, lower=1)
        inverse = np.tril(lower) + np.tril(lower, -1).T
        inverse *= self._scale
        inverse *= self._scale[:, None]
        return inverse
