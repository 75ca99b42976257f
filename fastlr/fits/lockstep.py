"""Fits of two classes to sparse X with sets of weights, a few at a time: each goes its own way, with shared passes.

Every fit follows its path of C as it would alone, by the same solver, and none waits for another one's C: whatever
coefficients the fits of a group ask for next, one pass evaluates them all.
"""

from dataclasses import replace

import numpy as np

from ..kernels.csr_many import LANES
from ..matrices.csr_many import SharedPasses
from ..solvers import plan, preconditioned_lbfgs
from .foretold import Foretold


def groups_of(sets, n_threads):
    """The sets that go together: as many groups for each thread, of up to `LANES` sets, and alike in size."""
    n_rounds = -(-len(sets) // (LANES * n_threads))
    n_groups = min(len(sets), n_rounds * n_threads)
    return [sets[k::n_groups] for k in range(n_groups)]


class _Path:
    """Fits of one set of weights along a rising C, the next one asked for evaluations; parameters as of `fit_group`.

    Attributes
    ----------
    objective : LogisticObjective
        Of the C that it is at.
    asked : float64 array of shape (1, n_features + 1), or None
        Where it wants value and gradient next; None at the end.
    results : list of SolverResult
        By C, those within the tolerance: the path ends before the first that is not.
    """

    def __init__(self, problem, weight, Cs, start, **limits):
        self.objective = replace(problem, sample_weight=weight).objective(np.float64, None)
        self.results = []
        self._asking = self._steps(problem, Cs, start, limits)
        self.asked = next(self._asking)

    def _steps(self, problem, Cs, start, limits):
        path = Foretold()
        for C in Cs:
            penalty = replace(problem, C=C).penalty(self.objective.loss.weight_sum)
            self.objective = self.objective.with_penalty(penalty)
            start = path.start(C) if path.is_begun else start
            result = yield from preconditioned_lbfgs.steps(self.objective, start, **limits)
            if result.gap > limits["tol"]:
                return
            self.results.append(result)
            path.arrive(C, result.coef)

    def arrive(self, value, gradient):
        """Go on, with the summed loss and its gradient at what was asked."""
        try:
            self.asked = self._asking.send(self.objective.of_sums(self.asked, value, gradient))
        except StopIteration:
            self.asked = None


def fit_group(problem, weights, Cs, *, start, check, **limits):
    """Paths of fits along a rising C, one for each set of weights, with shared passes.

    Parameters
    ----------
    problem : Problem
        Of two classes, with sparse X; its weights and its C are not looked at.
    weights : list of float64 array of shape (n_samples,) or (0,)
        Of up to `LANES` sets.
    Cs : list of float
        At least one.
    start : float64 array of shape (1, n_features + 1), or None
        Where all paths start.
    check : callable
        Called after each pass.
    limits
        "tol" and "max_iter" of each fit.

    Returns
    -------
    results : list of list of SolverResult
        By set and C, as far as fits were within the tolerance.
    n_passes : int
        How often X was read.
    """
    _, limits["max_passes"] = plan(*problem.X.shape, True, is_sparse=True)[0]
    paths = [_Path(problem, weight, Cs, start, **limits) for weight in weights]
    matrices = [path.objective.matrix for path in paths]
    shared = SharedPasses(matrices, [path.objective.loss for path in paths])
    n_served = 0
    while True:
        going = {k: path for k, path in enumerate(paths) if path.asked is not None}
        if not going:
            break
        check()
        for k, end in shared.sweep({k: path.asked for k, path in going.items()}).items():
            going[k].arrive(*end)
        n_served += len(going)
    n_passes = sum(matrix.n_passes for matrix in matrices) - n_served + shared.n_passes
    return [path.results for path in paths], n_passes
