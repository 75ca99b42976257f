"""Many fits that share X: sets of sample weights, of which folds are a kind, times values of C.

X is never copied: rows that a fit leaves out weigh nothing. For each set of weights there is one design, and along a
rising C every fit starts from the one before.
"""

import logging
import warnings
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from ._classifier import LogisticModel
from ._labels import combine_weights
from ._parallel import run_all
from ._team import effective_n_threads
from ._validation import as_real, check_flag, check_number, check_sample_weight
from .designs.small import is_small
from .fitting import Problem, fit_path, quiet_team
from .solvers import choose
from .wide import SharedGram, fit_set

_NAMED = 5  # failures that a warning lists

_logger = logging.getLogger("fastlr")


@dataclass
class ManyFits:
    """What `fit_many` returns: arrays over sets of weights and values of C.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Labels, sorted.
    Cs : float64 array of shape (n_Cs,)
    coefs : float64 array of shape (n_sets, n_Cs, n_rows, n_features)
        One row for two classes, else one for each class; NaN where there is no fit.
    intercepts : float64 array of shape (n_sets, n_Cs, n_rows)
    objectives : float64 array of shape (n_sets, n_Cs)
        As `LogisticRegression.objective_`.
    gaps : float64 array of shape (n_sets, n_Cs)
        Certified bounds on (f - f*) / f*; inf where there is none.
    n_iters : int32 array of shape (n_sets, n_Cs)
        Steps taken, each fit from the end of its neighbour.
    n_passes : int
        How often X was read, by all fits together.
    failures : dict
        By (set, C) as indices: why that fit has no certificate of `tol`. Other fits are as if it were not there.
    """

    classes: np.ndarray
    Cs: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    objectives: np.ndarray
    gaps: np.ndarray
    n_iters: np.ndarray
    n_passes: int = 0
    failures: dict = field(default_factory=dict)

    @classmethod
    def empty(cls, classes, Cs, n_sets, n_features):
        """Results to be filled in: no fits yet."""
        shape = (n_sets, len(Cs))
        n_rows = 1 if len(classes) == 2 else len(classes)
        return cls(
            classes,
            Cs,
            np.full((*shape, n_rows, n_features), np.nan),
            np.full((*shape, n_rows), np.nan),
            np.full(shape, np.nan),
            np.full(shape, np.inf),
            np.zeros(shape, np.int32),
        )

    def put(self, place, coef, value, gap, n_iter):
        """Fill in one fit; `coef` has rows [w, b]."""
        self.coefs[place], self.intercepts[place] = coef[:, :-1], coef[:, -1]
        self.objectives[place], self.gaps[place], self.n_iters[place] = value, gap, n_iter

    def warn_of_failures(self, name="set", stacklevel=3):
        """One ConvergenceWarning that names the fits without a certificate, if there are any."""
        if not self.failures:
            return
        listed = [f"{name} {k}, C={self.Cs[i]:g}: {why}" for (k, i), why in list(self.failures.items())[:_NAMED]]
        if len(self.failures) > _NAMED:
            listed.append(f"{len(self.failures) - _NAMED} more")
        message = f"{len(self.failures)} of {self.gaps.size} fits failed. " + "; ".join(listed)
        _logger.info(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)


def fit_many(
    X,
    y,
    *,
    Cs=10,
    folds=None,
    sample_weight=None,
    class_weight=None,
    fit_intercept=True,
    tol=1e-6,
    max_iter=100,
    n_jobs=None,
    verbose=0,
):
    """Fit many logistic regressions that share X: one for each set of weights and each C.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels.
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty, > 0, ``np.inf`` for none; a number of them means so many from 1e-4 to 1e4.
    folds : iterable of (train, test), optional
        What a splitter of scikit-learn yields: each is a set of weights, 1 for the rows in `train`, as often as they
        occur, 0 for all other.
    sample_weight : array-like of shape (n_samples,) or (n_sets, n_samples), optional
        Non-negative: one set, multiplied into the folds, or, without folds, one for each set.
    class_weight : dict, "balanced" or None, default=None
        As in `LogisticRegression`; "balanced" balances each set of weights, but the whole data where there are folds.
    fit_intercept, tol, max_iter, n_jobs
        As in `LogisticRegression`, for each fit.
    verbose : int, default=0
        1 shows a progress bar (needs tqdm).

    Returns
    -------
    ManyFits

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; the message names it.

    Warns
    -----
    ConvergenceWarning
        Once, if fits fail: it names them. The others are not touched.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import StratifiedKFold
    >>> from fastlr import fit_many
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> fits = fit_many(X, y, Cs=[0.1, 1.0, 10.0], folds=StratifiedKFold(5).split(X, y))
    >>> fits.coefs.shape
    (5, 3, 1, 30)
    """
    Cs = check_Cs(Cs)
    options = check_options(fit_intercept, tol, max_iter, n_jobs, verbose)
    model = LogisticModel()
    data = model._read(X, y)
    n_samples = len(data.codes)
    if folds is not None:
        weight = combine_weights(sample_weight, class_weight, data.classes, data.codes)
        trains = [train for train, _ in folds]
        n_sets = len(trains)

        def weight_of(k):
            return fold_weight(trains[k], n_samples, weight)

    else:
        weights = [None] if sample_weight is None else as_real(sample_weight, "sample_weight")
        weights = [weights] if np.ndim(weights) == 1 and sample_weight is not None else weights
        n_sets = len(weights)

        def weight_of(k):
            weight = check_sample_weight(weights[k], n_samples)
            if class_weight is not None and missing_classes(weight, data).size == 0:
                weight = combine_weights(weight if weight.size else None, class_weight, data.classes, data.codes)
            return weight

    if n_sets == 0:
        raise ValueError("folds and sample_weight must hold one set of weights at least, got none")
    with model._finite(data.X):
        fits = solve_many(data, n_sets, weight_of, Cs, **options)
    fits.warn_of_failures("fold" if folds is not None else "set")
    return fits


def check_Cs(Cs):
    """Values of C: float64 array, in the order given; a number of them means a grid from 1e-4 to 1e4."""
    if isinstance(Cs, (int, np.integer)) and not isinstance(Cs, bool):
        return np.logspace(-4, 4, check_number(Cs, "Cs", low=1, integer=True))
    Cs = as_real(Cs, "Cs").astype(np.float64)
    if Cs.ndim != 1 or Cs.size == 0:
        raise ValueError(f"Cs must be a number of values, or a list of them, got an array of shape {Cs.shape}")
    if not (Cs > 0.0).all():  # written so that NaN fails as well
        raise ValueError(f"Cs must be > 0, got {Cs.tolist()}")
    return Cs


def check_options(fit_intercept, tol, max_iter, n_jobs, verbose):
    """What `solve_many` takes by name."""
    if not isinstance(verbose, (bool, np.bool_)):
        check_number(verbose, "verbose", low=0, integer=True)
    return {
        "fit_intercept": check_flag(fit_intercept, "fit_intercept"),
        "tol": check_number(tol, "tol", low=0.0, inclusive=False),
        "max_iter": check_number(max_iter, "max_iter", low=0, integer=True),
        "n_threads": effective_n_threads(n_jobs),
        "progress": bool(verbose),
    }


def fold_weight(train, n_samples, weight):
    """Weights of the samples of which `train`, as indices or a mask, takes some; `weight` may be empty for ones."""
    counts = np.bincount(np.arange(n_samples)[train], minlength=n_samples).astype(np.float64)
    return counts * weight if weight.size else counts


def missing_classes(weight, data):
    """The classes to which a set of weights, empty for ones, gives nothing."""
    totals = np.bincount(data.codes, weight if weight.size else None, len(data.classes))
    return data.classes[~(totals > 0.0)]


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
        Where the fits with the smallest C start, in place of zeros.

    Returns
    -------
    ManyFits
    """
    gram = gram or SharedGram()
    fits = ManyFits.empty(data.classes, Cs, n_sets, data.X.shape[1])
    problem = Problem(data.features, data.codes, len(data.classes), np.empty(0), np.inf, fit_intercept)
    order = np.argsort(Cs, kind="stable")
    usable = []
    for k in range(n_sets):
        missing = missing_classes(weight_of(k), data)
        if missing.size:
            why = f"no sample of class {missing.tolist()[0]!r} has weight"
            fits.failures.update({(k, i): why for i in range(len(Cs))})
        else:
            usable.append(k)
    limits = {"tol": tol, "max_iter": max_iter}
    with quiet_team(n_threads) as team, _progress_bar(n_sets * len(Cs), progress) as bar:
        bar.update(len(fits.failures))
        done = set()
        if usable and _is_wide(problem):
            K = gram.matrix(problem, team)
            done = _fit_wide(K, problem, usable, weight_of, fits, order, limits, start, team, bar)
        starts = {}
        if len(usable) > 1 and _is_tall(problem):
            done, starts = _fit_tall(problem, usable, weight_of, fits, order, limits, data.dtype, team, bar)
        for k in usable:
            left = [i for i in order if (k, i) not in done]
            path = fit_path(
                replace(problem, sample_weight=weight_of(k)),
                Cs[left].tolist(),
                **limits,
                start=starts.get(k, start),
                dtype=data.dtype,
                team=team,
            )
            for i, end in zip(left, path, strict=True):
                _put_end(fits, (k, int(i)), end)
                bar.update(1)
    return fits


def _put_end(fits, place, end):
    result = end.result
    fits.put(place, result.coef, result.value, result.gap, result.n_iter)
    fits.n_passes += end.n_passes
    if end.separated:
        fits.failures[place] = "the classes are perfectly separated and there is no penalty"
    elif not result.converged:
        fits.failures[place] = f"a certified gap of {result.gap:.1e} after {result.n_iter} steps"


def _is_wide(problem):
    if sparse.issparse(problem.X) or problem.n_classes > 2:
        return False
    return choose(*problem.X.shape, 1.0) == "gram_newton"


def _fit_wide(K, problem, usable, weight_of, fits, order, limits, start, team, bar):
    """Fits on one Gram matrix for all; those that are done, as (set, C): certified to the tolerance."""
    finite = order[np.isfinite(fits.Cs[order])]
    done = set()

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
    fits.n_passes += 1 + 3 * len(usable)
    return done


def _is_tall(problem):
    if sparse.issparse(problem.X) or problem.n_classes > 2 or is_small(problem.X):
        return False
    return choose(*problem.X.shape, 1.0) == "newton_cholesky"


def _fit_tall(problem, usable, weight_of, fits, order, limits, dtype, team, bar):
    """Fits that go together; those that are done, as (set, C), and where the fits left to others may start, by set."""
    from .tall import Pack

    pack = Pack(problem, weight_of, usable, dtype=dtype, team=team)
    done = set()
    for i in order[np.isfinite(fits.Cs[order])].tolist():
        ends = pack.fit(float(fits.Cs[i]), **limits)
        for k, end in ends.items():
            fits.put((k, i), end.coef[None], end.value, end.gap, end.n_iter)
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


def _progress_bar(total, shown):
    if not shown:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("verbose=1 needs tqdm: pip install tqdm") from error
    return tqdm(total=total, desc="fits", unit="fit")
