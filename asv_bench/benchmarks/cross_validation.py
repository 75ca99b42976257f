"""The race of cross-validations: 10 values of C times 5 folds, to the same scores.

``python -m benchmarks.cross_validation`` in the folder above prints the table without asv; arguments name data sets.

The reference are the scores of fastlr at a far tighter tolerance. Each competitor gets the loosest tolerance of a
ladder with which the same C is chosen and the scores around it are within 1e-6; scikit-learn runs with its own fastest
solver for the data, with one and with two BLAS threads, and the faster counts.
"""

import argparse
import functools
import statistics
import sys
import time
import tracemalloc
import warnings

import numpy as np
import scipy.sparse
import sklearn.linear_model
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

import fastlr

from . import fit_data

THREADS = 2
SAME = 1e-6  # difference of two scores, mean log-losses
LADDER = tuple(10.0**-k for k in range(4, 14))
FITS = 3
MOST_SECONDS = 60.0
SETTLE = 0.3  # seconds before each fit, in which the last one's waiting BLAS threads go to sleep


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def text_like(n_samples=8_000, n_features=15_000, n_words=120):
    """Rows of unit length of words whose frequency falls like that of ranked words."""
    rng = np.random.default_rng(0)
    p = 1.0 / np.arange(1, n_features + 1)
    columns = rng.choice(n_features, size=(n_samples, n_words), p=p / p.sum()).ravel()
    rows = np.repeat(np.arange(n_samples), n_words)
    X = scipy.sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_samples, n_features))
    X.sum_duplicates()
    X.data = (1.0 + np.log(X.data)) * np.log(n_samples / np.bincount(X.indices, minlength=n_features)[X.indices])
    X.data /= np.repeat(np.sqrt((X * X).sum(axis=1)), np.diff(X.indptr))
    z = X @ rng.normal(size=n_features)
    return X, fit_data.draw_labels(rng, 3.0 * (z - z.mean()) / z.std())


# By name: a maker of X and y, and scikit-learn's fastest solver there.
DATA = {
    "signs 348x4096": (fit_data.signs, "newton-cg"),
    "one-hot 30000x104": (functools.partial(fit_data.one_hot, 30_000), "newton-cholesky"),
    "breast cancer 569x30": (breast_cancer, "newton-cholesky"),
    "digits 1797x64, 10 classes": (digits, "newton-cg"),
    "text-like 8000x15000": (text_like, "newton-cg"),
}

_OPTIONS = {"Cs": 10, "cv": 5, "l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}


def fit_fastlr(X, y, tol):
    return fastlr.LogisticRegressionCV(tol=tol, n_jobs=THREADS, **_OPTIONS).fit(X, y)


def fit_sklearn(X, y, tol, solver):
    model = sklearn.linear_model.LogisticRegressionCV(tol=tol, solver=solver, max_iter=10_000, **_OPTIONS)
    return model.fit(X, y)


def tune(fit, reference, threads, limits):
    """A fit with the loosest tolerance that gives the reference's scores and C; None where there is none in time."""
    with limits(limits=threads):
        for tol in LADDER:
            started = time.perf_counter()
            model = fit(tol)
            if time.perf_counter() - started > MOST_SECONDS:
                return None
            if same(model, reference):
                return functools.partial(fit, tol)
    return None


def same(model, reference):
    """Whether the same C is chosen, and the scores of the values of C around it, which decide, are the same.

    Far beyond them scikit-learn's log-loss is rounded more coarsely: it is of 1 - p, where p is all but 1.
    """
    best = int(np.argmin(np.abs(reference.Cs_ - reference.C_)))
    around = slice(max(0, best - 2), best + 3)
    differences = np.abs(model.scores_ - reference.scores_)[..., around]
    return model.C_ == reference.C_ and differences.max() <= SAME


def race(name):
    """Seconds of fastlr and of scikit-learn, medians of fits that take turns; None where scores are out of reach."""
    make, solver = DATA[name]
    X, y = make()
    limits = ThreadpoolController().limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = fit_fastlr(X, y, 1e-13)
        own = functools.partial(fit_fastlr, X, y)
        other = functools.partial(fit_sklearn, X, y, solver=solver)
        contenders = [(own, THREADS), (other, 1), (other, THREADS)]
        runs = [tune(fit, reference, threads, limits) for fit, threads in contenders]
        seconds = [[] for _ in runs]
        for _ in range(FITS):
            for run, (_, threads), times in zip(runs, contenders, seconds, strict=True):
                if run is None:
                    times.append(np.inf)
                    continue
                with limits(limits=threads):
                    time.sleep(SETTLE)
                    started = time.perf_counter()
                    run()
                    times.append(time.perf_counter() - started)
    medians = [statistics.median(times) for times in seconds]
    return medians[0], min(medians[1:])


class CrossValidation:
    """Two threads; for scikit-learn one or two, whichever is faster."""

    params = (tuple(DATA),)
    param_names = ("data",)
    timeout = 900

    def track_ratio(self, name):
        own, other = race(name)
        return other / own

    track_ratio.unit = "x"


class Memory:
    """Most bytes in use beside X, as a share of X's: folds are no copies."""

    params = (("fastlr", "sklearn"),)
    param_names = ("implementation",)
    timeout = 300

    def setup(self, implementation):
        self.X, self.y = fit_data.one_hot(30_000)
        fit = fit_fastlr if implementation == "fastlr" else functools.partial(fit_sklearn, solver="lbfgs")
        self.fit = functools.partial(fit, self.X, self.y, 1e-4)
        self.fit()  # a compiler would be the peak

    def track_extra_memory(self, implementation):
        tracemalloc.start()
        self.fit()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return 100.0 * peak / self.X.nbytes

    track_extra_memory.unit = "%"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="benchmarks.cross_validation", description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", help="names of data sets, or beginnings of them (default: all)")
    asked = parser.parse_args(argv).data
    names = [name for name in DATA if not asked or any(name.startswith(part) for part in asked)]
    print(f"Milliseconds of LogisticRegressionCV(Cs=10, cv=5) to scores within {SAME:.0e}, medians\n")
    print("| data | fastlr | scikit-learn | ratio |\n| --- | --- | --- | --- |", flush=True)
    for name in names:
        own, other = race(name)
        print(f"| {name} | {1e3 * own:.3g} | {DATA[name][1]} {1e3 * other:.3g} | {other / own:.1f} x |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
