"""Fits to a small X, dense and with an L2 penalty: of two classes each inside one kernel, of many classes in NumPy.

NumPy does the same steps for few fits to an X so small that one takes it less than a millisecond. The shape of X and
the number of fits decide, not what a process has loaded: the same data give the same bits. Many fits are shared out to
threads. Along a rising C, a fit to a set of weights starts from where its last ones lead; the first of each set at the
optimum of the mean of all sets, with its Hessian.
"""

import math

import numpy as np
from scipy import sparse

from .._validation import read_only
from ..losses.logistic import Logistic
from ..matrices.small import SmallSamples
from ..matrices.small_classes import SmallClassSamples
from ..objectives.penalties import penalty_of
from ..solvers import choose, small_newton
from ..solvers._result import SolverResult, add_record, outcome_of
from .problem import stacked_weights

_MAX_ENTRIES = 200_000  # of X: beyond, threads and fits that share passes are faster
_MAX_FEATURES = 128  # beyond, LAPACK's factors are
_KEPT = 0.05  # see `kernels.newton.fit_paths`; a Hessian costs as much as one to five passes
_LEAST_FITS = 32  # that are worth loading, or once compiling, a kernel where NumPy serves single ones
_HESSIAN_WORK = 11_000_000  # multiply-adds of a Hessian of many classes and its factor: as long as some L-BFGS steps
_THREAD_WORK = 1_000_000  # entries of X times fits that are worth a thread
_GROUP_WORK = 5_000_000  # of a group of sets, in multiply-adds of its Hessians; after each, Ctrl-C gets through
_GROUP_WEIGHTS = 1_000_000  # of a group, at most


def suits(problem):
    """Whether a problem is solved here, if only with many others, by its kind and the shape of X."""
    is_other = problem.n_classes > 2 or problem.l1_ratio or np.isinf(problem.C) or problem.offset is not None
    if is_other or sparse.issparse(problem.X):
        return False
    is_small = problem.X.size <= _MAX_ENTRIES and problem.X.shape[1] <= _MAX_FEATURES
    return is_small and choose(*problem.X.shape, True) == "newton_cholesky"


def are_many(problem, n_fits):
    """Whether so many fits are worth a kernel."""
    return n_fits >= (_LEAST_FITS if problem.is_small else 2)


def solve(problem, start, *, tol, max_iter):
    """One fit, in NumPy.

    Parameters
    ----------
    problem : Problem
        One that `suits` and is small.
    start : float64 array of shape (1, n_features + 1), or None
        [w, b].
    tol, max_iter
        See `solvers.newton_cholesky.solve`.

    Returns
    -------
    SolverResult
        Not converged where another solver is to take over.
    """
    X, weight = problem.X.astype(np.float64, copy=False), problem.sample_weight
    l2 = problem.penalty(float(weight.sum()) if weight.size else float(len(X))).strength
    samples = SmallSamples(X, problem.targets(), weight, l2, problem.fit_intercept)
    start = np.zeros(X.shape[1] + 1) if start is None else start[0]
    coef, records = small_newton.newton(samples, start, tol=problem.aim(tol), max_iter=max_iter)
    return _ended(coef[None], records, tol, max_iter)


def suits_classes(problem):
    """Whether a problem of many classes is solved by `solve_classes`: where a Hessian for each step costs little."""
    is_other = problem.n_classes == 2 or problem.l1_ratio or np.isinf(problem.C) or sparse.issparse(problem.X)
    if is_other or not problem.is_small:
        return False
    n_samples, n_features = problem.X.shape
    n_coef = problem.n_classes * (n_features + 1)
    return n_samples * n_coef**2 + n_coef**3 // 6 <= _HESSIAN_WORK


def solve_classes(problem, start, *, tol, max_iter):
    """One fit to many classes, in NumPy: `solve` for a problem that `suits_classes`."""
    loss = problem.loss()
    samples = SmallClassSamples(problem.X, loss, problem.penalty(loss.weight_sum).strength, problem.fit_intercept)
    start = np.zeros((problem.n_classes, problem.X.shape[1] + 1)) if start is None else start - start.mean(axis=0)
    coef, records = small_newton.newton(samples, start.ravel(), tol=problem.aim(tol), max_iter=max_iter)
    coef = coef.reshape(start.shape)
    return _ended(coef - coef.mean(axis=0), records, tol, max_iter)


def _ended(coef, records, tol, max_iter):
    """What the records of `small_newton` say of where it ended."""
    history = []
    for n_iter, (value, length, gap, n_passes) in enumerate(records):
        add_record(history, None, n_iter, float(value), length, float(gap), n_passes)
    n_iter, last = len(history) - 1, history[-1]
    outcome = outcome_of(last["gap"], n_iter, tol, max_iter)
    return SolverResult(coef, last["value"], last["gap"], n_iter, outcome, history)


class _Kernel:
    """The kernel, for fits to the X of a problem."""

    def __init__(self, problem):
        X = problem.X.astype(np.float64, copy=False)
        self.shape, self.y = X.shape, read_only(problem.targets())
        steps = X.strides[0] // X.itemsize, X.strides[1] // X.itemsize
        self._data = read_only(X.ravel(order="K")), steps, Logistic(), self.y
        self.fit_intercept = problem.fit_intercept

    def __call__(self, weights, l2, start=None, factor=None, *, tol, max_iter):
        """`kernels.newton.fit_paths` in a work space of its own: `coefs`, `ends`, and the last factor."""
        from ..kernels.newton import fit_paths
        from ..kernels.samples import Data, Options, space_for

        l2, space = np.array(l2), space_for(*self.shape)
        start = np.zeros(self.shape[1] + 1) if start is None else start
        factor = np.empty((0, 0)) if factor is None else factor
        coefs, ends = np.empty((*l2.shape, len(start))), np.empty((*l2.shape, 4))
        data, options = Data(*self._data), Options(self.fit_intercept, tol, max_iter, _KEPT)
        fit_paths(data, read_only(weights), l2, start, factor, options, space, coefs, ends)
        return coefs, ends, space.hessian


class ManySmall:
    """The fits to sets of weights, for several values of C.

    Parameters
    ----------
    problem : Problem
        One that `suits`; its weights and its C are not looked at.
    weight_of : callable
        Gives the weights of a set by its index.
    Cs : float64 array of shape (n_Cs,)
        Ascending, finite.
    start : float64 array of shape (1, n_features + 1), or None
        [w, b], for the first C.
    tol, max_iter
        As for a single fit.
    """

    def __init__(self, problem, weight_of, Cs, start, *, tol, max_iter):
        self._kernel = _Kernel(problem)
        self._weight_of, self._Cs = weight_of, Cs.tolist()
        self._tol, self._limits = tol, {"tol": problem.aim(tol), "max_iter": max_iter}
        self._near = None if start is None else start[0], None

    def groups(self, sets):
        """Sets of weights in lists that a thread does at a time. Results do not depend on them."""
        n_samples, n_features = self._kernel.shape
        size = min(_GROUP_WORK // (n_samples * n_features**2 * len(self._Cs)), _GROUP_WEIGHTS // n_samples)
        size = max(1, size)
        return [sets[first : first + size] for first in range(0, len(sets), size)]

    def useful_threads(self, n_sets, n_threads):
        """How many threads the fits to so many sets are worth, at most."""
        return min(n_threads, 1 + n_sets * len(self._Cs) * math.prod(self._kernel.shape) // _THREAD_WORK)

    def lead(self, sets):
        """Have all sets start at the optimum of their mean."""
        mean, n_whole = np.zeros((1, self._kernel.shape[0])), 0
        for group in self.groups(sets):
            weights = self._weights(group)
            weights = weights[self._are_whole(weights)]
            mean += weights.sum(axis=0)
            n_whole += len(weights)
        if n_whole:
            mean /= n_whole
            coefs, ends, factor = self._kernel(mean, [self._l2(mean)[0][:1]], **self._limits)
            _, gap, n_iter, _ = ends[0, 0]
            if gap <= self._tol and n_iter > 0:  # without a step there is no factor
                self._near = coefs[0, 0], factor

    def fit(self, sets):
        """Fits to some sets.

        Returns
        -------
        coefs : float64 array of shape (n_sets, n_Cs, n_features + 1)
            Rows [w, b].
        ends : float64 array of shape (n_sets, n_Cs, 4)
            Value, certified relative gap, steps, passes; no gap where a class has no weight.
        """
        weights = self._weights(sets)
        coefs, ends, _ = self._kernel(weights, self._l2(weights), *self._near, **self._limits)
        ends[~self._are_whole(weights), :, 1] = np.inf
        return coefs, ends

    def _weights(self, sets):
        return stacked_weights(self._weight_of, sets, self._kernel.shape[0])

    def _l2(self, weights):
        sums = weights.sum(axis=1).tolist()
        return [[penalty_of(C, 0.0, weight_sum).strength for C in self._Cs] for weight_sum in sums]

    def _are_whole(self, weights):
        """Whether all classes weigh something: else the limit of small weights is wanted, see `absent`."""
        y = self._kernel.y
        return ((weights @ y > 0.0) & (weights @ (1.0 - y) > 0.0)) | (not self._kernel.fit_intercept)
