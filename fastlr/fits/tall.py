"""Many fits of two classes to more samples than features: one goes ahead, the others follow it together.

Sets of weights that differ in a part of the samples, as folds do, have optima near one another and nearly the same
Hessian. So for each C the fit to the mean of all sets is solved first. Every other fit starts from its optimum, plus
what the two were apart at the last C, and takes its Hessian: a few steps are left, which all fits do together, with
one pass over X for each.
"""

from dataclasses import replace

import numpy as np

from ..kernels.many import MAX_FITS
from ..losses.weight_sets import WeightSets
from ..objectives.weight_sets import WeightSetsObjective
from ..solvers import newton_cholesky
from ..solvers.together import solve_together
from .problem import stacked_weights

_LEAD_TOL = 1e-6  # its optimum is where others start, and further from theirs than this
_FEATURES_PER_SET = 8  # the weights of the sets that go together take an eighth of X's memory,
_FEWEST_SETS = 5  # or are those of so many sets,
_FEW_WEIGHTS = 1_000_000  # or so many numbers


class Pack:
    """The fits to all sets of weights, for one C after the other.

    Parameters
    ----------
    problem : Problem
        Of two classes, with dense X; its weights and its C are not looked at.
    weight_of : callable
        Gives the weights of a set, a float64 array of shape (n_samples,) or (0,), by its index.
    sets : list of int
        Indices of the sets.
    dtype : numpy dtype
        What products are computed in.
    team : Team

    Attributes
    ----------
    ends : dict
        By set, where its last fit ended, a float64 array of shape (1, n_features + 1).
    """

    def __init__(self, problem, weight_of, sets, *, dtype, team):
        self._problem, self._weight_of = problem, weight_of
        n_samples, n_features = problem.X.shape
        size = min(MAX_FITS, max(_FEWEST_SETS, n_features // _FEATURES_PER_SET, _FEW_WEIGHTS // n_samples))
        self._groups = [sets[first : first + size] for first in range(0, len(sets), size)]
        self._group, self._loss = None, None  # the last that was made
        mean = np.zeros(n_samples)
        for k in sets:
            mean += stacked_weights(weight_of, [k], n_samples)[0]
        mean /= len(sets)
        self._leader = replace(problem, sample_weight=mean).objective(dtype, team)
        self._steering = None
        self._optimum = None  # of the leader, at the last C
        self.ends = {}

    @property
    def n_passes(self):
        """How often X was read."""
        return self._leader.n_passes

    def fit(self, C, *, tol, max_iter):
        """Fits for one C: finite, and best no smaller than the last.

        Parameters
        ----------
        C : float
        tol : float
            Certified relative gap to reach.
        max_iter : int
            Steps at most of each fit.

        Returns
        -------
        dict of SolverResult
            By set, of those that have converged. All other sets leave the pack.
        """
        before = self._optimum
        ends = {}
        if self._go_ahead(C, max(tol, _LEAD_TOL), max_iter):
            apart = {k: coef - before for k, coef in self.ends.items()}
            for group in self._groups:
                ends.update(self._follow(group, C, apart, tol, max_iter))
        self.ends.update({k: end.coef for k, end in ends.items()})
        ends = {k: end for k, end in ends.items() if end.converged}
        self._groups = [group for group in ([k for k in group if k in ends] for group in self._groups) if group]
        return ends

    def _go_ahead(self, C, tol, max_iter):
        """Solve for the leader; False where there is nothing to follow."""
        penalty = self._penalty(C, self._leader.loss.weight_sum)
        steering = self._steering and self._steering.with_penalty(penalty.diagonal - self._leader.penalty.diagonal)
        self._leader = self._leader.with_penalty(penalty)
        end = newton_cholesky.solve(self._leader, self._optimum, tol=tol, max_iter=max_iter, steering=steering)
        self._optimum, self._steering = end.coef, end.steering
        return end.steering is not None and bool(np.isfinite(end.coef).all())

    def _penalty(self, C, weight_sum):
        return replace(self._problem, C=C).penalty(weight_sum)

    def _follow(self, group, C, apart, tol, max_iter):
        """Fits of one group, by set; `apart` is how far each was from the leader at the last C."""
        loss = self._shared_loss(group)
        penalties = [self._penalty(C, weight_sum) for weight_sum in loss.weight_sums.tolist()]
        objective = WeightSetsObjective(self._leader.matrix, loss, penalties, self._problem.fit_intercept)
        starts = [self._optimum + apart.get(k, 0.0) for k in group]
        ends = solve_together(objective, starts, self._steering, tol=tol, max_iter=max_iter)
        return dict(zip(group, ends, strict=True))

    def _shared_loss(self, group):
        if self._group != group:
            weights = stacked_weights(self._weight_of, group, self._problem.X.shape[0])
            self._loss = WeightSets(self._problem.targets(), weights)
            self._group = group
        return self._loss
