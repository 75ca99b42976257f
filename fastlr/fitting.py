"""One fit, from checked arrays to coefficients: the design for X, the objective, the solver, and what it falls back on.

Only designs of compiled passes need Numba, so these are imported where one is made.
"""

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ._blas import single_threaded_blas
from ._team import Team
from .designs import small, small_softmax
from .objectives import l2_from_C, relative_gap
from .objectives.logistic import LogisticObjective
from .objectives.softmax import SoftmaxObjective
from .solvers import MULTICLASS, SOLVERS, choose
from .solvers._result import SolverResult

# Up to this many products of an entry of X and a class, a softmax problem is solved to the last digits: they cost next
# to nothing there, and scikit-learn's solvers give them too.
_SMALL_PRODUCTS = 20_000
_SMALL_TOL = 1e-20

_logger = logging.getLogger("fastlr")


@dataclass
class Problem:
    """What is minimised.

    Attributes
    ----------
    X : array or SciPy CSR of shape (n_samples, n_features)
        As returned by `check_features` or `check_sparse_features`.
    codes : int64 array of shape (n_samples,)
        Class of each sample, in [0, n_classes).
    n_classes : int
    sample_weight : float64 array of shape (n_samples,) or (0,)
    C : float
    fit_intercept : bool
    """

    X: np.ndarray
    codes: np.ndarray
    n_classes: int
    sample_weight: np.ndarray
    C: float
    fit_intercept: bool

    def objective(self, dtype, team):
        """The objective over a design whose products are computed in `dtype`."""
        if self.n_classes > 2:
            design, kind = self._softmax_design(dtype, team), SoftmaxObjective
        else:
            design, kind = self._binary_design(dtype, team), LogisticObjective
        return kind(design, l2=l2_from_C(self.C, design.weight_sum), fit_intercept=self.fit_intercept)

    def _softmax_design(self, dtype, team):
        if small_softmax.is_small(self.X, self.n_classes):
            X = self.X.toarray() if sparse.issparse(self.X) else self.X
            return small_softmax.SmallSoftmaxDesign(X, self.codes, self.n_classes, self.sample_weight)
        from .designs.softmax import SoftmaxDesign

        return SoftmaxDesign(self.X, self.codes, self.n_classes, self.sample_weight, dtype=dtype, team=team)

    def _binary_design(self, dtype, team):
        targets = self.codes.astype(np.float64)
        if sparse.issparse(self.X):
            from .designs.csr import CSRDesign

            return CSRDesign(self.X, targets, self.sample_weight, team=team)
        if small.is_small(self.X):
            return small.SmallDesign(self.X, targets, self.sample_weight)
        from .designs.dense import DenseDesign

        return DenseDesign(self.X, targets, self.sample_weight, dtype=dtype, team=team)


@dataclass
class Fit:
    """How a fit ended.

    Attributes
    ----------
    result : SolverResult
        Its `coef` is of shape (1, n_features + 1) for two classes, else (n_classes, n_features + 1): rows [w, b].
    solver : str
        The algorithm that ran last.
    n_passes : int
        How often X was read.
    separated : bool
        Whether there is no optimum: no penalty, and all samples are on the right side.
    """

    result: SolverResult
    solver: str
    n_passes: int
    separated: bool


def fit(problem, *, solver, tol, max_iter, start, dtype, n_threads, report):
    """Minimise the objective of a problem.

    Parameters
    ----------
    problem : Problem
    solver : str
        A name of `SOLVERS`, or anything else for the one that `choose` names.
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
    """
    with quiet_team(n_threads) as team:
        objective = problem.objective(dtype, team)
        return _run(problem, objective, team, solver=solver, tol=tol, max_iter=max_iter, start=start, report=report)


def fit_path(problem, Cs, *, tol, max_iter, start, dtype, team, report=None):
    """Fits of a problem for one C after the other, each from where the ones before lead.

    Parameters
    ----------
    problem : Problem
        Its C is not looked at.
    Cs : iterable of float
        Fits along a rising C need the fewest steps.
    tol, max_iter, start, dtype, report
        See `fit`.
    team : Team

    Yields
    ------
    Fit
        In the order of `Cs`.
    """
    objective = problem.objective(dtype, team)
    ends = []  # the last two, with their C
    for C in Cs:
        problem = replace(problem, C=C)
        objective.l2 = l2_from_C(C, objective.design.weight_sum)
        start = _extrapolated(ends, C) if ends else start
        end = _run(problem, objective, team, solver="auto", tol=tol, max_iter=max_iter, start=start, report=report)
        ends = [*ends[-1:], (C, end.result.coef)]
        yield end


def _extrapolated(ends, C):
    """Where the coefficients of the last fits of a path lead: to first order in log C."""
    last_C, last = ends[-1]
    if len(ends) < 2:
        return last
    before_C, before = ends[0]
    with np.errstate(all="ignore"):
        share = np.log(C / last_C) / np.log(last_C / before_C)
    # No further than the fits are apart; nowhere along a C that turns back, repeats or is infinite.
    return last + min(share, 1.0) * (last - before) if share > 0.0 else last


@contextmanager
def quiet_team(n_threads):
    """Context of fits: a team of threads, BLAS on one thread, and no warnings of NumPy.

    Solvers look at what comes out: NumPy need not warn of an overflow on the way.
    """
    with Team(n_threads) as team, single_threaded_blas(), np.errstate(all="ignore"):
        yield team


def _run(problem, objective, team, *, solver, tol, max_iter, start, report):
    """One fit over an objective that is there already."""
    start = None if start is None else start.ravel()
    name = _choose(problem, objective.l2, solver)
    attempts = [(objective, name)]
    # Where rounding stops a fit: of float32 products, or of a Gram matrix of badly scaled columns.
    if objective.design.dtype == np.float32:
        attempts.append((None, name))
    if name == "gram_newton" and solver not in SOLVERS:
        attempts.append((None, _choose(problem, 0.0, solver)))
    exactly = objective.l2 and problem.n_classes > 2 and np.prod(problem.X.shape) * problem.n_classes <= _SMALL_PRODUCTS
    n_passes, n_iter, history = 0, 0, []
    for objective, name in attempts:
        if objective is None:
            objective = problem.objective(np.float64, team)
        before = objective.design.n_passes
        result = _solve(objective, name, start, min(tol, _SMALL_TOL) if exactly else tol, max_iter - n_iter, report)
        _certify_end(objective, result, tol)
        n_passes += objective.design.n_passes - before
        n_iter += result.n_iter
        history += result.history
        if result.converged or n_iter >= max_iter:
            break
        start = result.coef
        _logger.info("%s in %s is not exact enough for tol=%g", name, objective.design.dtype, tol)
    result.n_iter, result.history = n_iter, history
    separated = not np.isfinite(problem.C) and objective.separates(result.coef)
    if separated:
        result.gap = np.inf
    result.coef = result.coef.reshape(-1, problem.X.shape[1] + 1)
    if problem.n_classes > 2:
        # A shift common to all classes changes no probability: the middle is what a penalty prefers.
        result.coef -= result.coef.mean(axis=0)
    return Fit(result, name, n_passes, separated)


def _choose(problem, l2, solver):
    if solver not in SOLVERS:
        return choose(*problem.X.shape, l2, n_classes=problem.n_classes, is_sparse=sparse.issparse(problem.X))
    if solver == "gram_newton" and not l2:
        raise ValueError('solver="gram_newton" needs a penalty: pass a finite C, or solver="auto"')
    if problem.n_classes > 2 and solver not in MULTICLASS:
        raise ValueError(f'solver="{solver}" is for two classes: pass one of {MULTICLASS}, or solver="auto"')
    return solver


def _solve(objective, name, start, tol, max_iter, report):
    callback = None if report is None else lambda record: report(name, record)
    return SOLVERS[name](objective, start, tol=tol, max_iter=max_iter, callback=callback)


def _certify_end(objective, result, tol):
    """Find out the gap where a solver gave up before it could be within its tolerance."""
    if result.gap == np.inf and objective.l2:
        value, gradient = objective.loss_gradient(result.coef)
        result.gap = relative_gap(objective.gap_bound(gradient), value)
    result.converged |= bool(result.gap <= tol)
