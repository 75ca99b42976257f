"""Fit all sets of weights with all values of C, by the way that suits X.

X is never copied, but where it is small: rows that a fit leaves out weigh nothing. Fits to wide, tall and sparse X go
together, see `wide`, `tall`, `tall_l1` and `lockstep`, and those to a small one run inside kernels, see `small`. For
all other, and what these leave, each set of weights has a loss of its own; along a rising C every fit starts from the
one before.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from ..runtime.parallel import run_all
from ..runtime.team import Team
from ..solvers import plan
from ..solvers._l1_features import ALL_COEFFICIENTS
from . import small
from .absent import present_classes
from .errors import add_std_errs
from .one import fit_path, quiet_team
from .problem import Problem, stacked_weights
from .progress import progress_bar
from .result import ManyFits
from .wide import SharedGram, certify, fit_set, groups_of


def fold_weight(train, n_samples, weight):
    """Weights of the samples at the indices `train`, as often as they occur; `weight` may be empty for ones."""
    counts = np.bincount(train, minlength=n_samples).astype(np.float64)
    return counts * weight if weight.size else counts


def solve_many(
    data,
    n_sets,
    weight_of,
    Cs,
    *,
    fit_intercept,
    tol,
    max_iter,
    n_threads,
    progress,
    l1_ratio=0.0,
    gram=None,
    start=None,
    n_others=0,
    std_errs=False,
):
    """Fit all sets of weights with all values of C.

    Parameters
    ----------
    data : Samples
    n_sets : int
    weight_of : callable
        Gives the weights of a set, a float64 array of shape (n_samples,) or (0,), by its index.
    Cs : float64 array of shape (n_Cs,)
    fit_intercept, tol, max_iter, n_threads
        See `Problem` and `fit`.
    progress : bool
        Show a progress bar.
    l1_ratio : float
        Share of the L1 penalty; infinite values of C have none.
    gram : SharedGram, optional
        What other fits to the same X have made, or are to use.
    start : float64 array of shape (n_rows, n_features + 1), optional
        Where the fits with the smallest C start, in place of zeros; fits to tall X that go together do not.
    n_others : int
        Fits to the same X that the caller makes besides.
    std_errs : bool
        Add standard errors, for two classes and no L1 penalty.

    Returns
    -------
    ManyFits
    """
    fits = ManyFits.empty(data.classes, Cs, n_sets, data.X.shape[1])
    fits.l1_ratio = l1_ratio
    problem = Problem(data.features, data.codes, len(data.classes), np.empty(0), np.inf, fit_intercept, l1_ratio)
    problem = replace(problem, proportions=data.proportions, offset=data.offset)
    with quiet_team(n_threads) as team, progress_bar(n_sets * len(Cs), progress) as bar:
        batch = _Batch(problem, weight_of, fits, {"tol": tol, "max_iter": max_iter}, data.dtype, team, bar)
        starts = dict.fromkeys(range(n_sets), start)
        way, n_fits = _shared_way(problem), n_others + n_sets * int(np.isfinite(Cs).sum())
        if way == "gram_newton":
            batch.fit_wide(batch.whole(range(n_sets)), gram or SharedGram(), start)
        elif small.suits(replace(problem, C=Cs.min())) and tol > 0.0 and small.are_many(problem, n_fits):
            batch.fit_small(range(n_sets), start)
        elif way == "prox_newton" and not problem.is_small and n_fits > np.isfinite(Cs).sum():
            batch.fit_l1(batch.whole(range(n_sets)), start)
        elif way == "newton_cholesky" and not problem.is_small and n_sets > 1:
            starts.update(batch.fit_tall(batch.whole(range(n_sets))))
        elif way == "lockstep" and n_sets > 1:
            starts.update(batch.fit_sparse(batch.whole(range(n_sets)), start))
        batch.fit_each(starts)
        if std_errs:
            add_std_errs(fits, problem, weight_of, team)
    fits.failures = dict(sorted(fits.failures.items()))  # threads tell of them in any order
    return fits


def _shared_way(problem):
    """What fits may share: the work of a solver, by its name, or "lockstep"; None where they go one by one."""
    if problem.n_classes > 2 or problem.offset is not None:
        return None
    names = [name for name, _ in plan(*problem.X.shape, True, is_sparse=problem.is_sparse)]
    if problem.l1_ratio:
        has_all = problem.X.shape[1] < ALL_COEFFICIENTS and not problem.is_sparse
        return "prox_newton" if has_all and names[0] == "newton_cholesky" else None
    if problem.is_sparse:
        return "lockstep" if names[0] == "preconditioned_lbfgs" and not problem.is_cheap else None
    return "gram_newton" if "gram_newton" in names else names[0]


class _Batch:
    """Fits of one problem, which fill in their place in `fits` as they end: each way to go takes what is left.

    Parameters
    ----------
    problem : Problem
        Its weights and its C are not looked at.
    weight_of : callable
        Gives the weights of a set by its index.
    fits : ManyFits
    limits : dict
        "tol" and "max_iter" of each fit.
    dtype : numpy dtype
        What products are computed in at first.
    team : Team
    bar : progress bar
    """

    def __init__(self, problem, weight_of, fits, limits, dtype, team, bar):
        self.problem, self.weight_of, self.fits, self.limits = problem, weight_of, fits, limits
        self.dtype, self.team, self.bar = dtype, team, bar
        self._order = np.argsort(fits.Cs, kind="stable")
        self._finite = self._order[np.isfinite(fits.Cs[self._order])].tolist()
        self._done = set()  # as (set, C)

    def _put(self, place, *end):
        self.fits.put(place, *end)
        self._done.add(place)
        self.bar.update(1)

    def whole(self, sets):
        """Those of some sets that leave no class without weight."""
        return [k for k in sets if present_classes(replace(self.problem, sample_weight=self.weight_of(k))) is None]

    def fit_small(self, sets, start):
        """Fits that run inside a kernel; those that are certified to the tolerance are done."""
        many = small.ManySmall(self.problem, self.weight_of, self.fits.Cs[self._finite], start, **self.limits)
        if len(sets) > 1:
            many.lead(sets)

        def fit(group, check):
            check()
            return many.fit(group)

        def put(group, ends):
            coefs, (values, gaps, n_iter, n_passes) = ends[0], np.moveaxis(ends[1], -1, 0)
            self.fits.n_passes += int(n_passes.sum())
            self.fits.put(np.ix_(group, self._finite), coefs[:, :, None], values, gaps, n_iter)
            done = np.argwhere(gaps <= self.limits["tol"]).tolist()
            self._done.update((group[k], self._finite[i]) for k, i in done)
            self.bar.update(len(done))

        run_all(fit, many.groups(sets), many.useful_threads(len(sets), self.team.n_threads), put)

    def fit_wide(self, sets, gram, start):
        """Fits on one Gram matrix for all; those that are certified to the tolerance are done."""
        if not (sets and self._finite):
            return
        made_before = gram.n_passes
        K = gram.matrix(self.problem, self.team)
        Cs = self.fits.Cs[self._finite]
        paths = {}

        def fit(k, check):
            problem = replace(self.problem, sample_weight=self.weight_of(k))
            return fit_set(problem, K, Cs, **self.limits, start=start, check=check)

        def certify_group(group, check):
            check()
            matrix = self.problem.matrix(np.float64, None)
            ends = certify(matrix, [paths[k] for k in group], self.problem.fit_intercept)
            return ends, matrix.n_passes

        def put(group, result):
            ends, n_passes = result
            self.fits.n_passes += n_passes + sum(paths[k].n_passes for k in group)
            places = [(k, i) for k in group for i in self._finite]
            n_iters = np.concatenate([paths[k].n_iter for k in group])
            for place, coef, value, gap, n_iter in zip(places, *ends, n_iters, strict=True):
                if gap <= self.limits["tol"]:
                    self._put(place, coef[None], value, gap, n_iter)

        run_all(fit, sets, self.team.n_threads, paths.__setitem__)
        run_all(certify_group, groups_of(sets, len(Cs)), self.team.n_threads, put)
        self.fits.n_passes += gram.n_passes - made_before

    def fit_tall(self, sets):
        """Fits that go together; where those that are left to others may start, by set."""
        from .tall import Pack

        if not sets:
            return {}
        pack = Pack(self.problem, self.weight_of, sets, dtype=self.dtype, team=self.team)
        for i in self._finite:
            ends = pack.fit(float(self.fits.Cs[i]), **self.limits)
            for k, end in ends.items():
                self._put((k, i), end.coef, end.value, end.gap, end.n_iter)
            if not ends:
                break
        self.fits.n_passes += pack.n_passes
        return pack.ends

    def fit_sparse(self, sets, start):
        """Fits to sparse X that share passes; where those that are left to others may start, by set."""
        from .lockstep import fit_group, groups_of

        n_threads = self.team.n_threads

        def fit(group, Cs, check):
            weights = [self.weight_of(k) for k in group]
            return fit_group(self.problem, weights, Cs, start=start, check=check, **self.limits)

        return self._fit_paths(fit, groups_of(sets, n_threads), n_threads)

    def fit_l1(self, sets, start):
        """The same of fits to dense X with an L1 penalty, all features in the model."""
        from .tall_l1 import fit_group, groups_of

        matrix = self.problem.matrix(self.dtype, self.team)
        n_samples = len(self.problem.X)

        def fit(group, Cs, check):
            weights = stacked_weights(self.weight_of, group, n_samples)
            return fit_group(self.problem, weights, Cs, matrix=matrix, start=start, check=check, **self.limits)

        return self._fit_paths(fit, groups_of(sets, n_samples), 1)

    def _fit_paths(self, fit, groups, n_threads):
        """Fits by group, each along its paths of C; where those that are left to others may start, by set."""
        starts, Cs = {}, self.fits.Cs[self._finite].tolist()

        def put(group, ends):
            self.fits.n_passes += ends[1]
            for k, path in zip(group, ends[0], strict=True):
                for i, end in zip(self._finite, path, strict=False):
                    starts[k] = end.coef
                    self._put((k, i), end.coef, end.value, end.gap, end.n_iter)

        run_all(lambda group, check: fit(group, Cs, check), groups if Cs else [], n_threads, put)
        return starts

    def fit_each(self, starts):
        """A path of fits for each set of weights, by where it starts.

        Where passes are not short, threads share out the sets, and with them what is between two passes. Those sets
        that are left when there are no more for each thread share the threads.
        """
        left = {k: [i for i in self._order.tolist() if (k, i) not in self._done] for k in starts}
        sets, n_threads = [k for k in left if left[k]], self.team.n_threads

        def fit(k, check, n_threads):
            # Steps with an L1 penalty go on with what fits before have learnt: the whole path is made alone.
            path = self._order.tolist() if self.problem.l1_ratio else left[k]
            with Team(n_threads) as own:
                ends = fit_path(
                    replace(self.problem, sample_weight=self.weight_of(k)),
                    self.fits.Cs[path].tolist(),
                    **self.limits,
                    start=starts[k],
                    dtype=self.dtype,
                    team=own,
                    report=lambda name, record: check(),
                )
                return list(zip(path, ends, strict=True))

        def put(k, ends):
            for i, end in ends:
                result = end.result
                self.fits.n_passes += end.n_passes
                failure = end.failure()
                if (k, i) in self._done:
                    continue
                if failure is not None:
                    self.fits.failures[k, i] = failure
                self._put((k, i), result.coef, result.value, result.gap, result.n_iter)

        n_shared = 0 if self.problem.has_short_passes else len(sets) - len(sets) % n_threads
        for some, n_workers in ((sets[:n_shared], n_threads), (sets[n_shared:], 1)):
            run_all(partial(fit, n_threads=n_threads // n_workers), some, n_workers, put)
