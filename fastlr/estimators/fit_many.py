"""`fit_many` and the checks of its arguments."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import assert_all_finite, column_or_1d

from .._validation import as_real, check_flag, check_number, refuse_masked
from ..fits.errors import MOST_PARAMS
from ..fits.many import fold_weight, solve_many
from ..fits.result import ManyFits
from ..fits.wide import SharedGram
from .classifier import LogisticModel
from .labels import combine_weights, encode_labels
from .parameters import check_options


def fit_many(
    X: Any,
    y: Any,
    *,
    Cs: Any = 10,
    folds: Iterable | None = None,
    sample_weight: Any = None,
    class_weight: dict | str | None = None,
    l1_ratio: float = 0.0,
    fit_intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int = 100,
    n_jobs: int | None = None,
    verbose: int = 0,
    std_errs: bool = False,
) -> ManyFits:
    """Fit many logistic regressions that share X: one for each set of weights, each target and each C.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Labels. Each of several columns is a target of its own, all of the same two classes: to the number of sets
        that folds and weights make, each adds as many, and those of the first column come first.
    Cs : int or array-like of shape (n_Cs,), default=10
        Inverse strengths of the penalty, > 0, ``np.inf`` for none; a number of them means so many from 1e-4 to 1e4.
    folds : iterable of (train, test), optional
        What a splitter of scikit-learn yields: each is a set of weights, 1 for the rows in `train`, as often as they
        occur, 0 for all other.
    sample_weight : array-like of shape (n_samples,) or (n_sets, n_samples), optional
        Non-negative: one set, multiplied into the folds, or, without folds, one for each set.
    class_weight : dict, "balanced" or None, default=None
        As in `LogisticRegression`; "balanced" balances each set of weights, but the whole data where there are folds.
    l1_ratio, fit_intercept, tol, max_iter, n_jobs
        As in `LogisticRegression`, for each fit.
    verbose : int, default=0
        1 shows a progress bar (needs tqdm).
    std_errs : bool, default=False
        Whether to add standard errors, two passes for each fit: for two classes, without an L1 penalty. They are those
        of `inference` with ``cov_type="nonrobust"``, of the coefficients as they are: `tol` decides how exactly.

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

    Stability selection (Meinshausen & Bühlmann, 2010): which features nine of ten random halves of the samples choose.

    >>> import numpy as np
    >>> halves = np.random.default_rng(0).permuted(np.tile(np.arange(len(y)) % 2, (50, 1)), axis=1)
    >>> fits = fit_many(X / X.std(axis=0), y, Cs=[0.1], sample_weight=halves, l1_ratio=1.0)
    >>> np.flatnonzero((fits.coefs[:, 0, 0] != 0.0).mean(axis=0) >= 0.9)
    array([ 7, 20, 21, 27])
    """
    Cs = check_Cs(Cs)
    options = check_options(fit_intercept, tol, max_iter, n_jobs, verbose)
    options["l1_ratio"] = check_number(l1_ratio, "l1_ratio", low=0.0, high=1.0)
    model = LogisticModel()
    targets = _targets(model, X, y)
    if check_flag(std_errs, "std_errs"):
        _check_std_errs(targets[0], Cs, options["l1_ratio"])
    trains = None if folds is None else [train for train, _ in check_folds(folds, "folds", len(targets[0].codes))]
    gram = SharedGram()
    parts = []
    for data in targets:
        n_sets, weight_of = _sets(data, trains, sample_weight, class_weight)
        with model._finite(data.X):
            n_others = (len(targets) - 1) * n_sets * len(Cs)
            parts.append(
                solve_many(data, n_sets, weight_of, Cs, **options, gram=gram, n_others=n_others, std_errs=std_errs)
            )
    fits = ManyFits.joined(parts)
    fits.warn_of_failures("set" if trains is None else "fold")
    return fits


def _targets(model, X, y):
    """X with each column of y: a list of `Samples`, all of the same classes."""
    refuse_masked(y=y)
    columns = y if sparse.issparse(y) else np.asarray(y)
    if columns.ndim != 2 or sparse.issparse(y) or columns.shape[1] < 2:
        return [model._read(X, y)]
    first = model._read(X, columns[:, 0])
    targets = [first]
    for column in columns.T[1:]:
        column = column_or_1d(column)
        assert_all_finite(column, input_name="y")
        classes, codes = encode_labels(column)
        targets.append(replace(first, y=column, classes=classes, codes=codes))
    if len(first.classes) != 2 or any(not np.array_equal(data.classes, first.classes) for data in targets):
        raise ValueError("y must hold the same two classes in each column, where it has several")
    return targets


def _check_std_errs(data, Cs, l1_ratio):
    if len(data.classes) > 2:
        raise ValueError(f"std_errs are for two classes, got {len(data.classes)}: pass single fits to fastlr.inference")
    if l1_ratio and np.isfinite(Cs).any():
        raise ValueError(f"std_errs are for fits without an L1 penalty, got l1_ratio={l1_ratio:g}")
    n_params = data.X.shape[1] + 1
    if n_params > MOST_PARAMS:
        raise ValueError(f"X makes {n_params} parameters, more than std_errs are for: {MOST_PARAMS}")


def _sets(data, trains, sample_weight, class_weight):
    """How many sets of weights there are, and a function that gives one by its index."""
    n_samples = len(data.codes)
    if trains is not None:
        weight = combine_weights(sample_weight, class_weight, data.classes, data.codes)
        n_sets = len(trains)

        def weight_of(k):
            return fold_weight(trains[k], n_samples, weight)

    else:
        weights = [None] if sample_weight is None else as_real(sample_weight, "sample_weight")
        if sample_weight is not None and weights.ndim not in (1, 2):
            raise ValueError(f"sample_weight must have one or two dimensions, got an array of shape {weights.shape}")
        weights = [weights] if np.ndim(weights) == 1 and sample_weight is not None else weights
        weights = [combine_weights(weight, class_weight, data.classes, data.codes) for weight in weights]
        n_sets, weight_of = len(weights), weights.__getitem__

    if n_sets == 0:
        raise ValueError("folds and sample_weight must hold one set of weights at least, got none")
    return n_sets, weight_of


def check_folds(folds, name, n_samples):
    """Folds as a list of pairs of index arrays.

    Raises
    ------
    TypeError, ValueError
        If there are none, or `folds` holds anything but pairs of indices or masks of samples.
    """
    if not isinstance(folds, Iterable):
        raise TypeError(f"{name} must be an iterable of pairs (train, test), got {folds!r}")
    folds = list(folds)  # a splitter's errors are its own
    rows = np.arange(n_samples)
    try:
        pairs = [(rows[train], rows[test]) for train, test in folds]
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{name} must give pairs (train, test) of indices of samples, or masks: {error}") from error
    if not pairs:
        raise ValueError(f"{name} must give one fold at least, got none")
    return pairs


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
