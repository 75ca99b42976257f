"""Many fits of two classes to more samples than features: one goes ahead, the others follow it together.

Sets of weights that differ in a part of the samples, as folds do, have optima near one another and nearly the same
Hessian. So for each C the fit to the mean of all sets goes first. Every other fit goes as far from its last end as that
one did, while its gradient is thought to change as much, and from there a step with its Hessian: that is the start. A
few steps are left, which all fits do together, with one pass over X for each.
"""

from dataclasses import replace

import numpy as np

from ..kernels.many import MAX_FITS
from ..losses.weight_sets import WeightSets
from ..objectives.weight_sets import WeightSetsObjective
from ..solvers import newton_cholesky
from ..solvers.together import solve_together
from .problem import stacked_weights

_LEAD_TOL = 1e-4  # others start from there, and are further from it than this
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
        self._objective = replace(problem, sample_weight=mean).objective(dtype, team)  # the leader's
        self._leader = None
        self.ends = {}
        self._apart = {}  # by set, how far its last end was from the leader's, see `_end`

    @property
    def n_passes(self):
        """How often X was read."""
        return self._objective.n_passes

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
        ends = {}
        self._go_ahead(C, max(tol, _LEAD_TOL), max_iter)
        if self._leader.steering is not None and np.isfinite(self._leader.coef).all():
            for group in self._groups:
                ends.update(self._follow(group, C, tol, max_iter))
        ends = {k: end for k, end in ends.items() if end.converged}
        self._groups = [group for group in ([k for k in group if k in ends] for group in self._groups) if group]
        return ends

    def _go_ahead(self, C, tol, max_iter):
        """Move the leader to near its optimum."""
        penalty = self._penalty(C, self._objective.loss.weight_sum)
        if self._leader is None:
            self._leader = newton_cholesky.begin(self._objective.with_penalty(penalty))
        else:
            self._leader.change_penalty(penalty)
        self._leader.approach(tol, max_iter)

    def _penalty(self, C, weight_sum):
        return replace(self._problem, C=C).penalty(weight_sum)

    def _follow(self, group, C, tol, max_iter):
        """Fits of one group, by set."""
        loss, leader = self._shared_loss(group), self._leader
        penalties = [self._penalty(C, weight_sum) for weight_sum in loss.weight_sums.tolist()]
        objective = WeightSetsObjective(self._objective.matrix, loss, penalties, self._problem.fit_intercept)
        lead = _end(leader.coef, leader.gradient, leader.objective.penalty)
        starts = []
        for k, penalty in zip(group, penalties, strict=True):
            coef, gradient = lead + self._apart.get(k, 0.0)
            starts.append(coef - leader.steering(gradient + _gradient(penalty, coef)))
        ends, gradients = solve_together(objective, starts, leader.steering, tol=tol, max_iter=max_iter)
        for k, penalty, end, gradient in zip(group, penalties, ends, gradients, strict=True):
            self.ends[k] = end.coef
            self._apart[k] = _end(end.coef, gradient, penalty) - lead
        return dict(zip(group, ends, strict=True))

    def _shared_loss(self, group):
        if self._group != group:
            weights = stacked_weights(self._weight_of, group, self._problem.X.shape[0])
            self._loss = WeightSets(self._problem.targets(), weights)
            self._group = group
        return self._loss


def _end(coef, gradient, penalty):
    """Where a fit ended, with the gradient of the loss there: of shape (2, 1, n_features + 1)."""
    return np.stack([coef, gradient - _gradient(penalty, coef)])


def _gradient(penalty, coef):
    gradient = np.zeros_like(coef)
    gradient[:, :-1] = penalty.gradient(coef[:, :-1])
    return gradient
