"""The race of cross-validations: 10 values of C times 5 folds, to the same scores.

``python -m benchmarks.cross_validation`` in the folder above prints the table without asv; options choose the penalty,
data sets and competitors. The reference are the scores of fastlr at a far tighter tolerance. They are reached where the
same C is chosen and the scores around it are within 1e-6, for L1 within 1e-4, as others hardly come near. How the race
is run is in `race.py`.
"""

import functools
import sys
import tracemalloc

import numpy as np
import scipy.sparse
import sklearn.linear_model

import fastlr

from . import fit, fit_data, fit_peers, race
from .fit_peers import MAX_ITER, check_solver
from .problem import THREADS, Problem

MOST_SECONDS = 60.0


def text_like(n_samples=8_000, n_features=15_000, n_words=120):
    """Rows of unit length of words whose frequency falls like that of ranked words."""
    rng = np.random.default_rng(0)
    p = 1.0 / np.arange(1, n_features + 1)
    columns = rng.choice(n_features, size=(n_samples, n_words), p=p / p.sum()).ravel().astype(np.int32)
    rows = np.repeat(np.arange(n_samples, dtype=np.int32), n_words)  # indices of 64 bits are not for liblinear
    X = scipy.sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_samples, n_features))
    X.sum_duplicates()
    X.data = (1.0 + np.log(X.data)) * np.log(n_samples / np.bincount(X.indices, minlength=n_features)[X.indices])
    X.data /= np.repeat(np.sqrt((X * X).sum(axis=1)), np.diff(X.indptr))
    z = X @ rng.normal(size=n_features)
    return X, fit_data.draw_labels(rng, 3.0 * (z - z.mean()) / z.std())


def odd_digits():
    """Odd digits and even ones."""
    X, y = fit_data.digits()
    return X, y % 2


# By name: a maker of X and y, and scikit-learn's fastest solver there, which asv runs beside fastlr.
DATA = {
    "signs 348x4096": (fit_data.signs, "newton-cg"),
    "one-hot 30000x104": (functools.partial(fit_data.one_hot, 30_000), "newton-cholesky"),
    "breast cancer 569x30": (fit_data.breast_cancer, "newton-cholesky"),
    "digits 1797x64, 10 classes": (fit_data.digits, "newton-cg"),
    "text-like 8000x15000": (text_like, "newton-cg"),
}
L1_DATA = {
    "breast cancer 569x30": (fit_data.breast_cancer, "liblinear°"),
    "odd digits 1797x64": (odd_digits, "liblinear°"),
    "one-hot 10000x104": (functools.partial(fit_data.one_hot, 10_000), "saga"),
    "text-like 4000x8000": (functools.partial(text_like, 4_000, 8_000), "liblinear°"),
}
QUICKEST_SKLEARN = {name: solver for name, (_, solver) in DATA.items()}
QUICKEST_SKLEARN_L1 = {name: solver for name, (_, solver) in L1_DATA.items()}

_OPTIONS = {"Cs": 10, "cv": 5, "scoring": "neg_log_loss", "use_legacy_attributes": False}


def fit_fastlr(X, y, tol, **parameters):
    return fastlr.LogisticRegressionCV(tol=tol, n_jobs=THREADS, **_OPTIONS, **parameters).fit(X, y)


def fit_sklearn(X, y, tol, **parameters):
    parameters |= {"max_iter": MAX_ITER, "random_state": 0}
    return sklearn.linear_model.LogisticRegressionCV(tol=tol, **_OPTIONS, **parameters).fit(X, y)


class Search(Problem):
    """A data set and a model with the scores to reach, `best`."""

    tolerances = race.LADDER  # of fits, not of scores

    @property
    def gap(self):
        """Of two scores, mean log-losses."""
        return 1e-4 if self.l1_ratio else 1e-6

    def optimum(self):
        return fit_fastlr(self.X, self.y, 1e-13, **self.parameters)

    @property
    def parameters(self):
        return {"l1_ratios": (self.l1_ratio,), "fit_intercept": self.fit_intercept}

    def reached(self, model):
        """The largest difference of scores, infinite where another C is chosen.

        Of the values of C around it, which decide: far beyond them scikit-learn's log-loss is rounded more coarsely,
        as it is of 1 - p, where p is all but 1.
        """
        if model.C_ != self.best.C_:
            return np.inf
        chosen = int(np.argmin(np.abs(self.best.Cs_ - self.best.C_)))
        around = slice(max(0, chosen - 2), chosen + 3)
        return np.abs(model.scores_ - self.best.scores_)[..., around].max()


@functools.lru_cache(maxsize=2)
def make_problem(name, fit_intercept, l1_ratio):
    X, y = (DATA | L1_DATA)[name][0]()
    return Search(X, y.astype(np.int64), fit_intercept, l1_ratio)


def make_fastlr(problem):
    return lambda tol: (fit_fastlr(problem.X, problem.y, tol, **problem.parameters),)


def make_sklearn(problem, solver):
    check_solver(solver)
    return lambda tol: (fit_sklearn(problem.X, problem.y, tol, solver=solver, **problem.parameters),)


_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "newton-cd", "newton-cd-gram", "saga", "liblinear°")
_MAKERS = {"fastlr": make_fastlr} | {
    f"sklearn {solver}": functools.partial(make_sklearn, solver=solver.rstrip("°")) for solver in _SOLVERS
}
COMPETITORS = {name: fit_peers.COMPETITORS[name]._replace(make=make) for name, make in _MAKERS.items()}


def make_event(l1_ratio):
    data = tuple(L1_DATA if l1_ratio else DATA)
    return race.Event(COMPETITORS, functools.partial(make_problem, l1_ratio=l1_ratio), data, MOST_SECONDS)


class CrossValidation(fit.Speedup):
    """Two threads; for scikit-learn one or two, whichever is faster."""

    params = (tuple(DATA),)
    event = make_event(0.0)
    quickest = QUICKEST_SKLEARN


class CrossValidationL1(fit.Speedup):
    """The same for the L1 penalty."""

    params = (tuple(L1_DATA),)
    event = make_event(1.0)
    quickest = QUICKEST_SKLEARN_L1


class Memory:
    """Most bytes in use beside X, as a share of X's: folds are no copies."""

    params = (("fastlr", "sklearn"),)
    param_names = ("implementation",)
    timeout = 300

    def setup(self, implementation):
        self.X, self.y = fit_data.one_hot(30_000)
        fit = fit_fastlr if implementation == "fastlr" else functools.partial(fit_sklearn, solver="lbfgs")
        self.fit = functools.partial(fit, self.X, self.y, 1e-4, l1_ratios=(0.0,))
        self.fit()  # a compiler would be the peak

    def track_extra_memory(self, implementation):
        tracemalloc.start()
        self.fit()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return 100.0 * peak / self.X.nbytes

    track_extra_memory.unit = "%"


def main(argv=None):
    race.command(argv, "cross_validation", __doc__, make_event, 0.0, tuple(DATA | L1_DATA))


if __name__ == "__main__":
    sys.exit(main())
