"""One algorithm a file: ``solve(objective, start, *, tol, max_iter, callback) -> SolverResult``."""

from . import gram_newton, newton_cg, newton_cholesky, preconditioned_lbfgs, prox_newton

_MODULES = {
    "gram_newton": gram_newton,
    "newton_cholesky": newton_cholesky,
    "newton_cg": newton_cg,
    "preconditioned_lbfgs": preconditioned_lbfgs,
    "prox_newton": prox_newton,
}
SOLVERS = {name: module.solve for name, module in _MODULES.items()}

# What each asks of a problem, in words for errors.
NEEDS = {name: module.NEEDS for name, module in _MODULES.items()}

# Those that solve problems of many classes too.
MULTICLASS = tuple(name for name, needs in NEEDS.items() if "two classes" not in needs)

# Factorising a matrix of this size takes about 0.1 s, and several are needed.
_LARGEST_FACTOR = 3_000

# Sparse rows make a Hessian cheaply as long as it stays in cache.
_LARGEST_SPARSE_FACTOR = 500


def choose(n_samples, n_features, has_penalty, *, n_classes=2, is_sparse=False):
    """Name of the solver that suits the problem: the rule of ``solver="auto"``.

    Parameters
    ----------
    n_samples, n_features : int
    has_penalty : bool
        The Gram matrix needs one.
    n_classes : int
    is_sparse : bool

    Returns
    -------
    str
    """
    if n_classes > 2:
        return "preconditioned_lbfgs"
    if is_sparse:
        return "newton_cholesky" if n_features <= _LARGEST_SPARSE_FACTOR else "newton_cg"
    if has_penalty and n_samples <= min(n_features, _LARGEST_FACTOR):
        return "gram_newton"
    return "newton_cholesky" if n_features <= _LARGEST_FACTOR else "newton_cg"
