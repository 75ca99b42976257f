"""One fit, or a path of fits: the objective, the solver, and what it falls back on."""

import logging
import math
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .._validation import check_features, listed
from ..linalg.blas import single_threaded_blas
from ..linalg.factor import ScaledCholesky
from ..objectives import relative_gap
from ..objectives.newton_bound import NewtonBound
from ..objectives.separation import Separation
from ..runtime.team import Team
from ..solvers import MULTICLASS, NEEDS, SOLVERS, plan
from ..solvers._result import Outcome, SolverResult, outcome_of
from . import small
from .absent import of_one_class, present_classes, with_others, without_others
from .foretold import Foretold
from .row_space import RowSpace, has_small_row_space
from .undetermined import separation_of, without_collinear, without_idle_parts

_logger = logging.getLogger("fastlr")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a fit to an X in blocks.

    Parameters
    ----------
    coef : float64 array of shape (n_rows, n_features + 1), or None
        The best coefficients that were seen.
    """

    def __init__(self, coef):
        super().__init__()
        self.coef = coef


@dataclass
class Fit:
    """How a fit ended.

    Attributes
    ----------
    result : SolverResult
        Its outcome may be `SEPARATED`: there is no optimum, for want of a penalty.
    solver : str
        The algorithm that ran last; "none" where one class alone has weight.
    n_passes : int
        How often X was read.
    separation : Separation, or None
        Without a penalty, features along which some samples are separated, and from which classes.
    collinear : sequence of int
        Without a penalty, places of columns that make up one another, n_features for the intercept. The coefficients
        are then those of least norm.
    """

    result: SolverResult
    solver: str
    n_passes: int
    separation: Separation | None = None
    collinear: Sequence[int] = ()

    def failure(self):
        """In a few words, why there is no optimum or no certificate of the tolerance; None where there are both."""
        if self.separation is not None:
            columns = listed(self.separation.features)
            return f"some samples are separated, along columns {columns} of X, and there is no penalty"
        return None if self.result.converged else self.result.failure()


def fit(problem, *, solver, tol, max_iter, start, dtype, n_threads, report):
    """Minimise the objective of a problem.

    Parameters
    ----------
    problem : Problem
    solver : str
        A name of `SOLVERS`, or anything else for the one that `plan` names.
    tol, max_iter
        See `newton_cholesky.solve`.
    start : float64 array of shape (n_rows, n_features + 1), or None
    dtype : numpy dtype
        What products are computed in at first.
    n_threads : int
    report : callable or None
        Called with the name of the solver and each record of its history.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If X holds NaN or infinity, or the solver cannot solve the problem.
    Interrupted
        By Ctrl-C, where X is in blocks.
    """
    options = {"tol": tol, "max_iter": max_iter, "start": start, "dtype": dtype, "report": report, "solver": solver}
    with quiet_team(n_threads) as team:
        [end] = fit_path(problem, [problem.C], team=team, **options)
        return end


def fit_path(problem, Cs, *, tol, max_iter, start, dtype, team, report=None, solver="auto"):
    """Fits of a problem for one C after the other, each from where the ones before lead.

    Parameters
    ----------
    problem : Problem
        Its C is not looked at.
    Cs : iterable of float
        Fits along a rising C need the fewest steps.
    tol, max_iter, start, dtype, report, solver
        See `fit`.
    team : Team

    Yields
    ------
    Fit
        In the order of `Cs`.
    """
    options = {"tol": tol, "max_iter": max_iter, "dtype": dtype, "report": report, "solver": solver}
    present = present_classes(problem)
    if present is None:
        yield from _shortest_path(problem, Cs, team, start=start, **options)
    elif len(present) == 1:
        yield from (Fit(of_one_class(problem, present), "none", 0) for _ in Cs)
    else:
        part, C_factor = without_others(problem, present)
        for end in _shortest_path(part, [C_factor * C for C in Cs], team, start=None, **options):
            found = end.separation and end.separation._replace(classes=present[end.separation.classes])
            yield replace(end, result=with_others(end.result, problem, present), separation=found)


def _shortest_path(problem, Cs, team, *, start, dtype, **options):
    """`fit_path`, of classes that all have weight: in the row space of X where that is less work."""
    space = RowSpace(problem.X) if has_small_row_space(problem, Cs) else None
    if space is None or not np.isfinite(space.X).all():  # passes over X say what it holds
        yield from _path(problem, Cs, team, start=start, dtype=dtype, **options)
        return
    part = replace(problem, X=check_features(space.X))
    start = None if start is None else space.coordinates(start)
    for end in _path(part, Cs, team, start=start, dtype=space.X.dtype, **options):
        yield replace(end, result=replace(end.result, coef=space.features(end.result.coef)))


def _path(problem, Cs, team, *, tol, max_iter, start, dtype, report, solver):
    """`fit_path`, of classes that all have weight, over X as it is."""
    objective, limits = None, {"tol": tol, "max_iter": max_iter}
    path, steering = Foretold(), None
    for C in Cs:
        problem = replace(problem, C=C)
        start = path.start(C) if path.is_begun else start
        end = _small(problem, start, solver, report, **limits)
        if end is None:
            objective = objective or problem.objective(np.float64 if problem.is_cheap else dtype, team)
            objective = objective.with_penalty(problem.penalty(objective.loss.weight_sum))
            from_there = {"start": start, "steering": steering}
            end = _run(problem, objective, team, solver=solver, report=report, **limits, **from_there)
        steering = end.result.steering
        path.arrive(C, end.result.coef)
        yield end


def _small(problem, start, solver, report, *, tol, max_iter):
    """One fit to a small X; None where that does not lead to a certificate, or is not what is asked."""
    is_asked = tol > 0.0 and (solver not in SOLVERS or solver == "newton_cholesky")
    if not is_asked:
        return None
    if small.suits_classes(problem):
        result = small.solve_classes(problem, start, tol=tol, max_iter=max_iter)
    elif problem.is_small and small.suits(problem):
        result = small.solve(problem, start, tol=tol, max_iter=max_iter)
    else:
        return None
    if not result.converged:
        _logger.info("newton_cholesky by small steps does not reach tol=%g", tol)
        return None
    for record in result.history if report else ():
        report("newton_cholesky", record)
    return Fit(result, "newton_cholesky", result.history[-1]["n_passes"])


@contextmanager
def quiet_team(n_threads):
    """Context of fits: a team of threads, BLAS on one thread, and no warnings of NumPy.

    Solvers look at what comes out: NumPy need not warn of an overflow on the way.
    """
    with Team(n_threads) as team, single_threaded_blas(), np.errstate(all="ignore"):
        yield team


def _run(problem, first, team, *, solver, tol, max_iter, start, steering, report):
    """One fit over an objective that is there already."""
    aim = problem.aim(tol) if first.penalty and first.penalty.is_smooth else tol
    n_passes, n_iter, history = 0, 0, []
    objective, steps = first, _plan(problem, first.penalty, solver)
    while True:
        name, most = steps[0]
        before = objective.n_passes
        if name != "newton_cholesky":  # whose Hessians show it
            start = without_collinear(objective, start)
        limits = {"tol": aim, "max_iter": max_iter - n_iter, "callback": report and partial(report, name)}
        if most < math.inf:
            limits["max_passes"] = most
        if not objective.penalty.is_smooth:
            limits["steering"] = steering
        try:
            result = SOLVERS[name](objective, start, **limits)
        except KeyboardInterrupt as interrupt:
            if problem.in_blocks:
                raise Interrupted(start if objective.least[1] is None else objective.least[1]) from interrupt
            raise
        _certify_end(objective, result, tol)
        n_passes += objective.n_passes - before
        n_iter += result.n_iter
        history += result.history
        start = result.coef
        is_blurred = objective.dtype == np.float32 and objective.n_passes - before < most  # by products in float32
        steps = steps if is_blurred else steps[1:]
        ended = result.gap <= tol or n_iter >= max_iter or not steps or result.separation is not None
        if ended or objective.shows_separation(result.value):
            break
        if is_blurred or name == "gram_newton":
            objective, n_read = problem.objective(np.float64, team), objective.n_passes
            objective.matrix.n_passes = n_read  # the history counts on
        _logger.info("%s in %s is not exact enough for tol=%g", name, objective.dtype, tol)
    result.n_iter, result.history = n_iter, history
    result.outcome = outcome_of(result.gap, n_iter, tol, max_iter)
    separation, collinear = None, ()
    if not objective.penalty:
        if objective.separates(result.coef):
            result.gap, result.outcome = np.inf, Outcome.SEPARATED
        else:
            separation = result.separation or separation_of(objective, result.coef)
            result.coef, collinear = without_idle_parts(objective, result.coef, result.steering)
    result.coef = objective.centred(result.coef)
    return Fit(result, name, n_passes, separation, collinear)


def _plan(problem, penalty, solver):
    """Names of solvers and how many passes they may take, each for where the one before does not arrive."""
    if solver not in SOLVERS:
        kind = {"n_classes": problem.n_classes, "is_sparse": problem.is_sparse, "in_blocks": problem.in_blocks}
        return plan(*problem.X.shape, bool(penalty), has_l1=not penalty.is_smooth, **kind)
    if "X in memory" in NEEDS[solver] and problem.in_blocks:
        raise ValueError(f'solver="{solver}" needs X in memory: pass solver="auto"')
    if "dense X" in NEEDS[solver] and problem.is_sparse:
        raise ValueError(f'solver="{solver}" needs dense X: pass solver="auto"')
    if "a penalty" in NEEDS[solver] and not penalty:
        raise ValueError(f'solver="{solver}" needs a penalty: pass a finite C, or solver="auto"')
    if ("an L1 penalty" in NEEDS[solver]) == penalty.is_smooth:
        there = "without an L1 penalty" if penalty.is_smooth else f"with l1_ratio={problem.l1_ratio:g}"
        raise ValueError(f'solver="{solver}" is not for problems {there}: pass solver="auto"')
    if "two classes" in NEEDS[solver] and problem.n_classes > 2:
        raise ValueError(f'solver="{solver}" is for two classes: pass one of {MULTICLASS}, or solver="auto"')
    if "many classes" in NEEDS[solver] and problem.n_classes == 2:
        raise ValueError(f'solver="{solver}" is for more than two classes: pass solver="auto"')
    return [(solver, math.inf)]


def _certify_end(objective, result, tol):
    """Find out the gap where a solver gave up before it could be within its tolerance."""
    if result.gap > tol and objective.penalty and objective.penalty.is_smooth:
        value, gradient = objective.loss_gradient(result.coef)
        result.gap = min(result.gap, relative_gap(objective.gap_bound(gradient), value))
        is_left = result.gap > tol and result.outcome is Outcome.ROUNDING
        if is_left and result.steering is not None and objective.dtype == np.float64:
            result.gap = min(result.gap, relative_gap(_bound_of_step(objective, gradient), value))


def _bound_of_step(objective, gradient):
    """Bound on f - f* from a Newton step, which a solver that aims at less than the tolerance may not have taken."""
    hessian = objective.hessian()
    if not np.isfinite(hessian).all():
        return np.inf
    direction = -ScaledCholesky(hessian).solve(gradient.ravel()).reshape(gradient.shape)
    return NewtonBound(objective)(gradient, direction)
