"""Competitors of the race: what each of them minimises, and how it is told to.

All solve the same problem but for two kinds, compared with the optimum of their own objective: liblinear and snapml
would penalise an intercept like a weight, so they fit none. That is the easier problem.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import sklearn.linear_model
from scipy import sparse
from scipy.special import logsumexp

import fastlr

from . import fit_data

C = 1.0
THREADS = 2
MAX_ITER = 10_000
MOST_HESSIAN_BYTES = 1e9


class Problem:
    """A data set and the optimum of an objective over it.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    y : int64 array of shape (n_samples,)
        Classes from 0.
    fit_intercept : bool

    Attributes
    ----------
    floats : array or CSR array of shape (n_samples, n_features)
        X for those who need floats, made beforehand: uint8 divided by 255 and in float32; all else as it is.
    unit : float
        What X was divided by.
    gap : float
        The relative gap to reach.
    """

    def __init__(self, X, y, fit_intercept=True):
        self.X, self.y, self.fit_intercept = X, y, fit_intercept
        self.unit = 255.0 if X.dtype == np.uint8 else 1.0
        self.floats = (X / self.unit).astype(np.float32) if X.dtype == np.uint8 else X
        self.n_classes = int(y.max()) + 1
        self.gap = 1e-8 if self.n_classes == 2 else 1e-6
        exact = self.floats if sparse.issparse(X) else self.floats.astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the gap may be less than float64 has to give
            model = fastlr.LogisticRegression(C=C, tol=1e-5 * self.gap, fit_intercept=fit_intercept, n_jobs=THREADS)
            model.fit(exact, y)
        self.best = self.value(model.coef_, model.intercept_)

    @property
    def n_coef(self):
        """Of scikit-learn's parametrisation."""
        return (self.X.shape[1] + 1) * (1 if self.n_classes == 2 else self.n_classes)

    def value(self, coef, intercept):
        """Mean loss and penalty at coefficients of `floats`, in float64."""
        coef = np.asarray(coef, dtype=np.float64).reshape(-1, self.X.shape[1])
        raw = self.floats @ coef.T + np.asarray(intercept, dtype=np.float64)
        if self.n_classes == 2:
            losses = np.logaddexp(0.0, np.where(self.y == 1, -raw[:, 0], raw[:, 0]))
        else:
            losses = logsumexp(raw, axis=1) - np.take_along_axis(raw, self.y[:, None], axis=1)[:, 0]
        return float(np.mean(losses) + np.vdot(coef, coef) / (2.0 * C * len(raw)))

    def reached(self, coef, intercept):
        """Relative gap at coefficients of `floats`."""
        value = self.value(coef, intercept)
        self.best = min(self.best, value)
        return (value - self.best) / self.best


@functools.lru_cache(maxsize=2)
def make_problem(name, fit_intercept=True):
    return Problem(*fit_data.load(name), fit_intercept)


# Each takes a problem and returns a function of a tolerance, which fits and returns coefficients and intercept.


def make_fastlr(problem):
    def fit(tol):
        # Raw bytes with weights a 255th as large: the same objective.
        model = fastlr.LogisticRegression(C=C / problem.unit**2, tol=tol, n_jobs=THREADS).fit(problem.X, problem.y)
        return model.coef_ * problem.unit, model.intercept_

    return fit


def make_sklearn(problem, solver, **parameters):
    return _fitter(sklearn.linear_model.LogisticRegression, problem, C=C, solver=solver, **parameters)


def make_sklearnex(problem):
    from sklearnex.linear_model import LogisticRegression

    return _fitter(LogisticRegression, problem, C=C, solver="lbfgs", n_jobs=THREADS)


def make_cyanure(problem):
    from cyanure.estimators import Classifier

    fit = _fitter(
        Classifier,
        problem,
        loss="logistic" if problem.n_classes == 2 else "multiclass-logistic",
        lambda_1=1.0 / (C * len(problem.y)),
        n_threads=THREADS,
        verbose=False,
    )
    if problem.n_classes == 2:
        return fit

    def transposed(tol):  # a column for each class
        coef, intercept = fit(tol)
        return coef.T, intercept

    return transposed


def make_snapml(problem):
    from snapml import LogisticRegression

    return _fitter(LogisticRegression, problem, regularizer=1.0 / C, n_jobs=THREADS)


def _fitter(estimator, problem, **parameters):
    """For estimators with scikit-learn's interface."""

    def fit(tol):
        model = estimator(tol=tol, max_iter=MAX_ITER, fit_intercept=problem.fit_intercept, **parameters)
        model.fit(problem.floats, problem.y)
        return model.coef_, model.intercept_ if problem.fit_intercept else 0.0

    return fit


def make_glum(problem):
    from glum import GeneralizedLinearRegressor

    X = problem.floats.tocsc() if sparse.issparse(problem.floats) else problem.floats
    y = problem.y.astype(X.dtype)

    def fit(tol):
        model = GeneralizedLinearRegressor(
            family="binomial", alpha=1.0 / (C * len(y)), l1_ratio=0, gradient_tol=tol, max_iter=MAX_ITER
        )
        model.fit(X, y)
        return model.coef_, model.intercept_

    return fit


def make_liblinear(problem):
    from liblinear import liblinearutil

    # Its own format, made beforehand.
    data = liblinearutil.problem(problem.y.astype(np.float64), sparse.csr_matrix(problem.floats, dtype=np.float64))

    def fit(tol):
        model = liblinearutil.train(data, liblinearutil.parameter(f"-s 0 -c {C} -e {tol} -q"))
        coef, _ = model.get_decfun()
        return coef if model.get_labels()[0] == 1 else np.negative(coef), 0.0

    return fit


class Competitor(NamedTuple):
    """How a competitor is made, and what it can do.

    Attributes
    ----------
    make : callable
        Takes a problem, returns a function of a tolerance.
    blas_threads : tuple of int
        Numbers to try.
    sparse, multiclass, fit_intercept : bool
        Whether it reads CSR, has the softmax loss, leaves an intercept free.
    forms_hessian : bool
        Then problems of very many coefficients are not for it.
    """

    make: Callable
    blas_threads: tuple = (1, THREADS)  # threads of BLAS often cost more than they bring
    sparse: bool = True
    multiclass: bool = True
    fit_intercept: bool = True
    forms_hessian: bool = False

    def refusal(self, problem):
        """Why it cannot solve a problem, or None."""
        if sparse.issparse(problem.X) and not self.sparse:
            return "not for sparse X"
        if problem.n_classes > 2 and not self.multiclass:
            return "has no softmax loss"
        n_bytes = 8.0 * problem.n_coef**2
        if self.forms_hessian and n_bytes > MOST_HESSIAN_BYTES:
            return f"its Hessian would take {n_bytes / 1e9:.0f} GB"
        return None


SKLEARN_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")  # those of the softmax loss, and of a free intercept
_own = {"multiclass": False, "fit_intercept": False}
COMPETITORS = {
    "fastlr": Competitor(make_fastlr, (THREADS,)),
    **{
        f"sklearn {solver}": Competitor(
            functools.partial(make_sklearn, solver=solver), forms_hessian=solver == "newton-cholesky"
        )
        for solver in SKLEARN_SOLVERS
    },
    # It has threads of its own; waiting BLAS threads, of SciPy's small steps, would take their cores.
    "sklearnex lbfgs": Competitor(make_sklearnex, sparse=False),
    "cyanure": Competitor(make_cyanure),
    "glum": Competitor(make_glum, multiclass=False, forms_hessian=True),
    "sklearn liblinear°": Competitor(functools.partial(make_sklearn, solver="liblinear"), (1,), **_own),
    "sklearn liblinear dual°": Competitor(functools.partial(make_sklearn, solver="liblinear", dual=True), (1,), **_own),
    "liblinear°": Competitor(make_liblinear, (1,), **_own),
    "snapml°": Competitor(make_snapml, (1,), **_own),
}
