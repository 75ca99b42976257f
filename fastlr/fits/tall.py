"""Many fits of two classes to more samples than features: one goes ahead, the others follow it together.

Sets of weights that differ in a part of the samples, as folds do, have optima near one another and nearly the same
Hessian. So for each C the fit to the mean of all sets goes first. Every other fit goes as far from its last end as that
one did, while its gradient is thought to change as much, and from there a step with its Hessian: that is the start. A
few steps are left, which all fits do together, with one pass over X for each.

Where the penalty hardly matters any more, optima are smooth in 1/C, and the last ones of a set alone lead nearer to the
next one. A set starts by whichever of the two was nearer the last time.
"""

from dataclasses import replace

import numpy as np

from ..kernels.many import MAX_FITS
from ..losses.weight_sets import WeightSets
from ..objectives.weight_sets import WeightSetsObjective
from ..solvers import newton_cholesky
from ..solvers.together import solve_together
from .foretold import ahead, with_end
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
        self._tracks = {k: _Track() for k in sets}

    @property
    def ends(self):
        """See the class."""
        return {k: track.ends[-1][1][0] for k, track in self._tracks.items() if track.ends}

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
        tracks = [self._tracks[k] for k in group]
        starts = [track.start(1.0 / C, lead, penalty, leader) for track, penalty in zip(tracks, penalties, strict=True)]
        ends, gradients = solve_together(objective, starts, leader.steering, tol=tol, max_iter=max_iter)
        for track, penalty, end, gradient in zip(tracks, penalties, ends, gradients, strict=True):
            track.arrive(1.0 / C, lead, _end(end.coef, gradient, penalty))
        return dict(zip(group, ends, strict=True))

    def _shared_loss(self, group):
        if self._group != group:
            weights = stacked_weights(self._weight_of, group, self._problem.X.shape[0])
            self._loss = WeightSets(self._problem.targets(), weights)
            self._group = group
        return self._loss


class _Track:
    """The path of one set along a rising C: it foretells where the next fit ends, after the leader or on its own.

    Attributes
    ----------
    ends : list of (float, float64 array of shape (2, 1, n_features + 1))
        The last few: 1/C, and the end, see `_end`.
    """

    def __init__(self):
        self.ends = []
        self._apart = 0.0  # the last end from the leader's
        self._goes_alone = False

    def start(self, u, lead, penalty, leader):
        """Where the fit for 1/C = u starts.

        Parameters
        ----------
        u : float
        lead : float64 array of shape (2, 1, n_features + 1)
            Where the leader is, see `_end`.
        penalty : L2
        leader : Newton

        Returns
        -------
        float64 array of shape (1, n_features + 1)
        """
        self._hessian = leader.steering.hessian
        own = ahead(self.ends, u)
        places = [lead + self._apart] if own is None else [lead + self._apart, own]
        self._guesses = [coef - leader.steering(gradient + _gradient(penalty, coef)) for coef, gradient in places]
        return self._guesses[-1 if self._goes_alone else 0]

    def arrive(self, u, lead, end):
        """Take note of the end for 1/C = u."""
        missed = [(guess - end[0]).ravel() for guess in self._guesses]
        distances = [d @ self._hessian @ d for d in missed]
        self._goes_alone = distances[-1] < distances[0]
        self._apart = end - lead
        self.ends = with_end(self.ends, u, end)


def _end(coef, gradient, penalty):
    """Where a fit ended, with the gradient of the loss there: of shape (2, 1, n_features + 1)."""
    return np.stack([coef, gradient - _gradient(penalty, coef)])


def _gradient(penalty, coef):
    gradient = np.zeros_like(coef)
    gradient[:, :-1] = penalty.gradient(coef[:, :-1])
    return gradient
