"""Many fits of two classes with a penalty that bends at zero, to dense X with more samples than features.

All sets of weights go along their paths of C together, see `solvers.together_l1`: a pass over X serves them all.
"""

from dataclasses import replace

from ..kernels.many import MAX_FITS
from ..losses.weight_sets import StepSets
from ..objectives.weight_sets import WeightSetsObjective
from ..solvers.together_l1 import begin, solve_together

_FEW_WEIGHTS = 1_000_000  # numbers that the weights of the sets that go together take at most,
_FEWEST_SETS = 5  # or those of so many sets


def groups_of(sets, n_samples):
    """The sets that go together."""
    size = min(MAX_FITS // 2, max(_FEWEST_SETS, _FEW_WEIGHTS // n_samples))
    return [sets[first : first + size] for first in range(0, len(sets), size)]


def fit_group(problem, weights, Cs, *, matrix, start, check, tol, max_iter):
    """Paths of fits along a rising C, one for each set of weights.

    Parameters
    ----------
    problem : Problem
        Of two classes, with dense X and a share of the L1 penalty; its weights and its C are not looked at.
    weights : float64 array of shape (n_sets, n_samples)
        At most half of `MAX_FITS`.
    Cs : list of float
        At least one.
    matrix : DenseMatrix
    start : float64 array of shape (1, n_features + 1), or None
        Where all paths start.
    check : callable
        Called before each pass.
    tol, max_iter
        Of each fit.

    Returns
    -------
    results : list of list of SolverResult
        By set and C, as far as fits were within the tolerance.
    n_passes : int
        How often X was read.
    """
    n_before = matrix.n_passes
    loss, results, runs = StepSets(problem.targets(), weights), [[] for _ in weights], None
    for C in Cs:
        penalties = [replace(problem, C=C).penalty(weight_sum) for weight_sum in loss.weight_sums.tolist()]
        objective = WeightSetsObjective(matrix, loss, penalties, problem.fit_intercept)
        if runs is None:
            n_sets = len(weights)
            runs = begin(objective, [objective.without_features(k) if start is None else start for k in range(n_sets)])
        ends = solve_together(objective, runs, tol=tol, max_iter=max_iter, check=check)
        going = []
        for run, end in zip(runs, ends, strict=True):
            if end.converged:
                results[run.place].append(end)
                going.append(run)
        runs = going
        if not runs:
            break
    return results, matrix.n_passes - n_before
