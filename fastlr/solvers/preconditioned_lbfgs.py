"""L-BFGS on top of a preconditioner, for many classes, and for two where X is sparse.

A step costs one pass, which gives the loss and the gradient where it ends. The first guess of the inverse Hessian is
the objective's preconditioner, which knows the scales of the features and how they are correlated; it is formed anew
as the loss falls, and nearer to the Hessian, at a higher price, where the end does not come. The pairs of L-BFGS, which
belong to the old one, are dropped.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., 2006, 7.2.
"""

import math

import numpy as np

from ._quasi_newton import QuasiNewton
from ._result import SolverResult, add_record, outcome_of
from ._steps import Progress, certificate_for, evaluated, first_evaluation, safeguarded_step

NEEDS = ()

_LEAST_MEMORY, _MEMORY = 5, 30
_ENTRIES_PER_PAIR = 4  # of a column, whose pass costs as much as what a pair adds to a step
_MAX_LOST = 30
_REFRESH = 0.7  # share of the objective that is left when the preconditioner is formed anew
_PROVISIONAL = 4  # steps after which one that was formed at zeros is
_FLOORS = (0.1, 0.03, 0.003, 0.0)  # of curvatures, one after the other
_LEAST_STEPS = 50  # before the next
_STEPS_PER_ITERATION = 10  # such steps count as one of Newton's


class _Model:
    """The model of the inverse Hessian, where it was formed, and how many steps ago.

    One that is formed at coefficients of zero, where no sample is told from any other, knows nothing of the classes: it
    is replaced as soon as there is something to know. Others stay until their cost has been spent on steps. Where they
    have not brought the end by the time that the next, of a lower floor of curvatures, would cost, it takes their
    place, unless by their pace the end is nearer than that.
    """

    def __init__(self, objective, value, rough, stage=0, *, provisional=False):
        self._objective = objective
        self._stage = stage
        affordable = int(objective.matrix.column_entries / _ENTRIES_PER_PAIR)
        memory = min(max(affordable, _LEAST_MEMORY), _MEMORY)
        self.inverse = QuasiNewton(objective.preconditioner(_FLOORS[stage]), memory, rescaled=True)
        self._formed_at = value
        self._first = self._least = rough
        self.n_steps = 0
        self._lasts = _PROVISIONAL if provisional else objective.preconditioner_cost(_FLOORS[stage])
        self._next = min(stage + 1, len(_FLOORS) - 1)
        self._next_cost = objective.preconditioner_cost(_FLOORS[self._next])

    def renewed(self, value, rough, target):
        """What takes its place at a value of the objective; None while it stays.

        Parameters
        ----------
        value : float
        rough, target : float
            A rough bound on f - f*, and how small it is to be.
        """
        self._least = min(self._least, rough)
        if self.n_steps >= max(_LEAST_STEPS, self._next_cost) and not self._is_near(target):
            return _Model(self._objective, value, rough, self._next)
        if value < _REFRESH * self._formed_at and self.n_steps >= self._lasts:
            return self.here(value, rough)
        return None

    def _is_near(self, target):
        """Whether at the pace of the rough bound so far fewer steps are to come than the next one costs."""
        if not 0.0 < target < self._least < self._first < math.inf:
            return self._least <= target
        pace = math.log(self._first / self._least) / self.n_steps
        return math.log(self._least / target) < pace * self._next_cost

    def here(self, value, rough):
        """The same, formed anew."""
        return _Model(self._objective, value, rough, self._stage)


def solve(objective, start=None, *, tol, max_iter, callback=None, max_passes=np.inf):
    """Minimise an objective, with at most about so many passes over X.

    Parameters and result are those of `newton_cholesky.solve`, but ten steps count as one.
    """
    asking = steps(objective, start, tol=tol, max_iter=max_iter, callback=callback, max_passes=max_passes)
    return evaluated(asking, objective)


def steps(objective, start=None, *, tol, max_iter, callback=None, max_passes=np.inf):
    """`solve`, but it asks for its evaluations, which may serve other fits too: see `_steps.evaluated`."""
    last_pass = objective.n_passes + max_passes
    coef, value, gradient = yield from first_evaluation(objective, start)
    certificate, progress = certificate_for(objective, tol), Progress(objective)
    model = _Model(objective, value, objective.rough_gap(gradient), provisional=not coef[:, :-1].any())
    history = []
    n_steps = 0
    while True:
        direction = -model.inverse(gradient)
        gap, reached, direction = certificate(value, gradient, direction)
        add_record(history, callback, n_steps, value, np.linalg.norm(gradient), gap, objective.n_passes)
        ended = n_steps >= _STEPS_PER_ITERATION * max_iter or objective.n_passes >= last_pass
        if reached or ended or progress.n_lost == _MAX_LOST or objective.shows_separation(value):
            break
        end = yield from safeguarded_step(objective, coef, value, gradient, direction)
        if end is None:
            if model.n_steps == 0:
                break
            # The model misled: start again from a preconditioner of where we are.
            value, gradient = yield coef
            model = model.here(value, objective.rough_gap(gradient))
            continue
        step, new_value, new_gradient = end
        progress.note(value, new_value, new_gradient)
        n_steps += 1
        model.n_steps += 1
        renewed = model.renewed(new_value, objective.rough_gap(new_gradient), tol * new_value)
        if renewed is None:
            model.inverse.learn(step, gradient, new_gradient)
        model = renewed or model
        coef, value, gradient = coef + step, new_value, new_gradient
    n_iter = -(-n_steps // _STEPS_PER_ITERATION)
    return SolverResult(coef, value, gap, n_iter, outcome_of(gap, n_iter, tol, max_iter), history)
