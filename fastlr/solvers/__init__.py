"""One algorithm a file: ``solve(objective, start, *, tol, max_iter, callback) -> SolverResult``."""

import math

from ..matrices.costs import gram_cost, hessian_cost
from . import gram_newton, interior_point, newton_cg, newton_cholesky, preconditioned_lbfgs, prox_newton
from .newton_cholesky import sampled_rows

_MODULES = {
    "gram_newton": gram_newton,
    "newton_cholesky": newton_cholesky,
    "newton_cg": newton_cg,
    "interior_point": interior_point,
    "preconditioned_lbfgs": preconditioned_lbfgs,
    "prox_newton": prox_newton,
}
SOLVERS = {name: module.solve for name, module in _MODULES.items()}

# What each asks of a problem, in words for errors.
NEEDS = {name: module.NEEDS for name, module in _MODULES.items()}

# Those for an L2 penalty or none and any number of classes or two, and those of them that solve many too.
SMOOTH = tuple(name for name, needs in NEEDS.items() if not {"an L1 penalty", "many classes"} & set(needs))
MULTICLASS = tuple(name for name in SMOOTH if "two classes" not in NEEDS[name])

# Above so many coefficients a Hessian takes too much memory.
_LARGEST_FACTOR = 3_000

# Sparse rows make a Hessian of two classes cheaply as long as it stays in cache: first of all, or where L-BFGS fails.
_LARGEST_SPARSE_FACTOR, _LARGEST_AFTER = 350, 500

# Rough numbers of Hessians and passes.
_HESSIANS, _HESSIANS_AFTER_SAMPLE = 4, 2  # that Newton's method takes from zeros, and from a subsample's optimum
_PASSES_WITHOUT = 400  # that conjugate gradients take for two classes
_PASSES_ALIKE = 100  # that L-BFGS takes for two classes where columns are alike, half of what conjugate gradients take
_ALIKE = [("preconditioned_lbfgs", 1.5 * _PASSES_ALIKE)]  # where they are not, twice as many would not do
_CHEAP, _FEW = 16, 500_000  # passes, and samples times coefficients: a Hessian that costs no more is not put off
_TRIED = 2  # Hessians that passes of L-BFGS may cost before one is formed
_LEAST_TRIED, _MOST_TRIED = 40, 300  # of these passes
_MOST_POINTS = 1_000_000  # samples times classes, of which an interior point method keeps a dozen arrays


def plan(n_samples, n_features, has_penalty, *, has_l1=False, n_classes=2, is_sparse=False, in_blocks=False):
    """The solvers that suit a problem, by what they are estimated to cost: the rule of ``solver="auto"``.

    Parameters
    ----------
    n_samples, n_features : int
    has_penalty : bool
        The Gram matrix needs one.
    has_l1 : bool
        Whether it bends at zero.
    n_classes : int
    is_sparse : bool
    in_blocks : bool
        Whether X is anywhere but in memory.

    Returns
    -------
    list of (str, float)
        Names, each for where the one before does not arrive, and how many passes over X it may take.
    """
    if has_l1:
        return [("prox_newton", math.inf)]
    if n_classes > 2:
        fits = n_samples * n_classes <= _MOST_POINTS and n_classes * (n_features + 1) ** 2 <= _LARGEST_FACTOR**2
        by_rows = fits and has_penalty and not is_sparse and not in_blocks
        return _plan_of_many(n_samples, n_classes * (n_features + 1), by_rows)
    if is_sparse:
        return _plan_of_sparse(n_features, has_penalty)
    plan_of_dense = _plan_of_wide if n_samples <= n_features and has_penalty and not in_blocks else _plan_of_tall
    return plan_of_dense(n_samples, n_features, has_penalty)


def _plan_of_wide(n_samples, n_features, has_penalty):
    if n_samples > _LARGEST_FACTOR:
        return _plan_of_tall(n_samples, n_features, has_penalty)
    tried = _ALIKE if gram_cost(n_samples, n_features) > _PASSES_ALIKE else []
    return [
        *tried,
        ("gram_newton", math.inf),
        ("newton_cholesky" if n_features <= _LARGEST_FACTOR else "newton_cg", math.inf),
    ]


def _plan_of_tall(n_samples, n_features, has_penalty):
    tried = _ALIKE if has_penalty else []
    if n_features > _LARGEST_FACTOR:
        return [*tried, ("newton_cg", math.inf)]
    n_hessians = _HESSIANS_AFTER_SAMPLE if sampled_rows(n_samples, n_features) else _HESSIANS
    cost = n_hessians * hessian_cost(n_samples, n_features)
    tried = [*tried, ("newton_cg", cost)] if cost > _PASSES_WITHOUT else []
    return [*tried, ("newton_cholesky", math.inf)]


def _plan_of_sparse(n_features, has_penalty):
    if n_features <= _LARGEST_SPARSE_FACTOR:
        return [("newton_cholesky", math.inf)]
    lbfgs = [("preconditioned_lbfgs", _MOST_TRIED)] if has_penalty else []
    return [*lbfgs, ("newton_cholesky" if n_features <= _LARGEST_AFTER else "newton_cg", math.inf)]


def _plan_of_many(n_samples, n_coef, by_rows):
    if n_coef > _LARGEST_FACTOR:
        tried = [("preconditioned_lbfgs", _MOST_TRIED), ("interior_point", math.inf)] if by_rows else []
        return [*(tried or [("preconditioned_lbfgs", math.inf)]), ("newton_cg", math.inf)]
    cost = hessian_cost(n_samples, n_coef)
    newton = [("newton_cholesky", math.inf)]
    if cost <= _CHEAP and n_samples * n_coef <= _FEW:
        return newton
    return [("preconditioned_lbfgs", min(max(_TRIED * cost, _LEAST_TRIED), _MOST_TRIED)), *newton]


def choose(*shape, **kind):
    """Name of the solver that comes first; parameters as of `plan`."""
    return plan(*shape, **kind)[0][0]
