"""One algorithm a file: ``solve(objective, start, *, tol, max_iter, callback) -> SolverResult``."""

from . import gram_newton, newton_cg, newton_cholesky

SOLVERS = {
    "gram_newton": gram_newton.solve,
    "newton_cholesky": newton_cholesky.solve,
    "newton_cg": newton_cg.solve,
}

# Factorising a matrix of this size takes about 0.1 s, and several are needed.
_LARGEST_FACTOR = 3_000


def choose(n_samples, n_features, l2):
    """Name of the solver that suits the shape of X: the rule of ``solver="auto"``.

    Parameters
    ----------
    n_samples, n_features : int
    l2 : float
        Strength of the penalty; the Gram matrix needs one.

    Returns
    -------
    str
    """
    if l2 > 0.0 and n_samples <= min(n_features, _LARGEST_FACTOR):
        return "gram_newton"
    return "newton_cholesky" if n_features <= _LARGEST_FACTOR else "newton_cg"
