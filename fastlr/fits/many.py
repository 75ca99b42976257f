"""Fit all sets of weights with all values of C, by the way that suits X.

X is never copied: rows that a fit leaves out weigh nothing. Fits to wide and to tall X go together, see `wide` and
`tall`; for all other, and for what these leave, each set of weights has a loss of its own, and along a rising C every
fit starts from the one before.
"""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy import sparse

from ..runtime.parallel import run_all
from ..runtime.team import Team
from ..solvers import choose
from .absent import present_classes
from .one import fit_path, quiet_team
from .problem import Problem
from .result import ManyFits
from .wide import SharedGram, fit_set


def fold_weight(train, n_samples, weight):
    """Weights of the samples at the indices `train`, as often as they occur; `weight` may be empty for ones."""
    counts = np.bincount(train, minlength=n_samples).astype(np.float64)
    return counts * weight if weight.size else counts


def solve_many(
    data, n_sets, weight_of, Cs, *, fit_intercept, tol, max_iter, n_threads, progress, gram=None, start=None
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
    gram : SharedGram, optional
        What other fits to the same X have made, or are to use.
    start : float64 array of shape (n_rows, n_features + 1), optional
        Where the fits with the smallest C start, in place of zeros; fits to tall X that go together do not.

    Returns
    -------
    ManyFits
    """
    gram = gram or SharedGram()
    fits = ManyFits.empty(data.classes, Cs, n_sets, data.X.shape[1])
    problem = Problem(data.features, data.codes, len(data.classes), np.empty(0), np.inf, fit_intercept)
    order = np.argsort(Cs, kind="stable")
    whole = [k for k in range(n_sets) if present_classes(replace(problem, sample_weight=weight_of(k))) is None]
    limits = {"tol": tol, "max_iter": max_iter}
    with quiet_team(n_threads) as team, _progress_bar(n_sets * len(Cs), progress) as bar:
        done, starts = set(), {}
        if whole and _is_wide(problem):
            done = _fit_wide(gram, problem, whole, weight_of, fits, order, limits, start, team, bar)
        elif len(whole) > 1 and _is_tall(problem):
            done, starts = _fit_tall(problem, whole, weight_of, fits, order, limits, data.dtype, team, bar)
        left = {k: [i for i in order.tolist() if (k, i) not in done] for k in range(n_sets)}
        left = {k: places for k, places in left.items() if places}
        starts = {k: starts.get(k, start) for k in left}
        _fit_each(problem, left, weight_of, fits, limits, starts, data.dtype, team, bar)
    fits.failures = dict(sorted(fits.failures.items()))  # threads tell of them in any order
    return fits


def _fit_each(problem, left, weight_of, fits, limits, starts, dtype, team, bar):
    """A path of fits for each set of weights; `left` are the places in `Cs` that each goes to, by set.

    Where passes are compiled, threads share out the sets, and with them what is between two passes. Those sets that
    are left when there are no more for each thread share the threads.
    """

    def fit(k, check, n_threads):
        with Team(n_threads) as own:
            path = fit_path(
                replace(problem, sample_weight=weight_of(k)),
                fits.Cs[left[k]].tolist(),
                **limits,
                start=starts[k],
                dtype=dtype,
                team=own,
                report=lambda name, record: check(),
            )
            return list(path)

    def put(k, ends):
        for i, end in zip(left[k], ends, strict=True):
            _put_end(fits, (k, i), end)
            bar.update(1)

    sets, n_threads = list(left), team.n_threads
    n_shared = 0 if problem.is_small else len(sets) - len(sets) % n_threads
    for some, n_workers in ((sets[:n_shared], n_threads), (sets[n_shared:], 1)):
        run_all(partial(fit, n_threads=n_threads // n_workers), some, n_workers, put)


def _put_end(fits, place, end):
    result = end.result
    fits.put(place, result.coef, result.value, result.gap, result.n_iter)
    fits.n_passes += end.n_passes
    if not result.converged:
        fits.failures[place] = result.failure()


def _is_wide(problem):
    if sparse.issparse(problem.X) or problem.n_classes > 2:
        return False
    return choose(*problem.X.shape, True) == "gram_newton"


def _fit_wide(gram, problem, usable, weight_of, fits, order, limits, start, team, bar):
    """Fits on one Gram matrix for all; those that are done, as (set, C): certified to the tolerance."""
    finite = order[np.isfinite(fits.Cs[order])]
    done = set()
    made_before = gram.n_passes
    K = gram.matrix(problem, team)

    def fit(k, check):
        set_problem = replace(problem, sample_weight=weight_of(k))
        return fit_set(set_problem, K, fits.Cs[finite], **limits, start=start, check=check)

    def put(k, ends):
        for i, coef, value, gap, n_iter in zip(finite, *ends, strict=True):
            if gap <= limits["tol"]:
                fits.put((k, int(i)), coef[None], value, gap, n_iter)
                done.add((k, int(i)))
                bar.update(1)

    run_all(fit, usable, team.n_threads, put)
    fits.n_passes += gram.n_passes - made_before + 3 * len(usable)
    return done


def _is_tall(problem):
    if sparse.issparse(problem.X) or problem.n_classes > 2 or problem.is_small:
        return False
    return choose(*problem.X.shape, True) == "newton_cholesky"


def _fit_tall(problem, usable, weight_of, fits, order, limits, dtype, team, bar):
    """Fits that go together; those that are done, as (set, C), and where the fits left to others may start, by set."""
    from .tall import Pack

    pack = Pack(problem, weight_of, usable, dtype=dtype, team=team)
    done = set()
    for i in order[np.isfinite(fits.Cs[order])].tolist():
        ends = pack.fit(float(fits.Cs[i]), **limits)
        for k, end in ends.items():
            fits.put((k, i), end.coef, end.value, end.gap, end.n_iter)
            done.add((k, i))
            bar.update(1)
        if not ends:
            break
    fits.n_passes += pack.n_passes
    return done, pack.ends


class _NoBar:
    """A progress bar that is not shown."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def update(self, n):
        pass


class _Lines(_NoBar):
    """A progress bar where tqdm is not installed: a line for each fit."""

    def __init__(self, total):
        self._done, self._total = 0, total

    def update(self, n):
        self._done += n
        print(f"{self._done} of {self._total} fits")


def _progress_bar(total, shown):
    if not shown:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Lines(total)
    return tqdm(total=total, desc="fits", unit="fit")
