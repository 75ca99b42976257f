"""Competitors of the race: what each of them minimises, and how it is told to.

All solve the same problem but for those that fit no intercept, compared with the optimum of that problem, which is the
easier one: liblinear and snapml would penalise it like a weight, celer has none.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import sklearn.linear_model
from scipy import sparse

import fastlr

from .problem import THREADS, by_columns

MAX_ITER = 10_000
MOST_HESSIAN_BYTES = 1e9


# Each takes a problem and returns a function of a tolerance, which fits and returns coefficients and intercept.


def make_fastlr(problem):
    # Raw bytes have weights a 255th as large: other strengths give the same objective.
    l1, l2 = problem.l1_ratio * problem.unit, (1.0 - problem.l1_ratio) * problem.unit**2

    def fit(tol):
        model = fastlr.LogisticRegression(C=problem.C / (l1 + l2), l1_ratio=l1 / (l1 + l2), tol=tol, n_jobs=THREADS)
        model.fit(problem.X, problem.y)
        return model.coef_ * problem.unit, model.intercept_

    return fit


def make_sklearn(problem, solver, dual):
    check_solver(solver)
    parameters = {"solver": solver, "dual": dual, "l1_ratio": problem.l1_ratio, "random_state": 0}
    return _fitter(sklearn.linear_model.LogisticRegression, problem, C=problem.C, **parameters)


def check_solver(solver):
    """Raise ImportError where the installed scikit-learn is too old to have a solver."""
    if solver not in sklearn.linear_model.LogisticRegression._parameter_constraints["solver"][0].options:
        raise ImportError(f"scikit-learn {sklearn.__version__} has no {solver}")


def make_sklearnex(problem):
    from sklearnex.linear_model import LogisticRegression

    return _fitter(LogisticRegression, problem, C=problem.C, solver="lbfgs", n_jobs=THREADS)


def make_cyanure(problem):
    from cyanure.estimators import Classifier

    loss = "logistic" if problem.n_classes == 2 else "multiclass-logistic"
    strengths = {
        "penalty": problem.penalty,
        "lambda_1": problem.alpha() * (problem.l1_ratio or 1.0),  # the first, or the only one
        "lambda_2": problem.alpha() * (1.0 - problem.l1_ratio),
    }
    fit = _fitter(Classifier, problem, loss=loss, **strengths, n_threads=THREADS, verbose=False)
    if problem.n_classes == 2:
        return fit

    def transposed(tol):  # a column for each class
        coef, intercept = fit(tol)
        return coef.T, intercept

    return transposed


def make_snapml(problem):
    from snapml import LogisticRegression

    parameters = {"regularizer": 1.0 / problem.C, "penalty": problem.penalty, "dual": problem.l1_ratio == 0.0}
    return _fitter(LogisticRegression, problem, **parameters, n_jobs=THREADS)


def make_skglm(problem):
    parameters = {"alpha": problem.alpha(), "l1_ratio": problem.l1_ratio}
    return _fitter(warm_skglm(problem), problem, by_columns(problem.floats), **parameters)


def warm_skglm(problem):
    """Its estimator, compiled: a first fit that is over at once would leave seconds of it for the next."""
    from skglm import SparseLogisticRegression

    few_steps = SparseLogisticRegression(alpha=problem.alpha(), tol=1e-6, max_iter=2, max_epochs=5)
    few_steps.fit(by_columns(problem.floats[:100]), problem.y[:100])
    return SparseLogisticRegression


def make_celer(problem):
    from celer import LogisticRegression

    # It cannot be interrupted, so it has no more than its own 50 steps.
    return _fitter(LogisticRegression, problem, by_columns(problem.floats), C=problem.C, max_iter=50)


def _fitter(estimator, problem, X=None, **parameters):
    """For estimators with scikit-learn's interface; X, unless given, is `floats`."""
    X = problem.floats if X is None else X
    parameters = {"max_iter": MAX_ITER, "fit_intercept": problem.fit_intercept, **parameters}

    def fit(tol):
        model = estimator(tol=tol, **parameters).fit(X, problem.y)
        return model.coef_, model.intercept_ if problem.fit_intercept else 0.0

    return fit


def make_glum(problem):
    from glum import GeneralizedLinearRegressor

    X, y = by_columns(problem.floats), problem.y.astype(problem.floats.dtype)
    parameters = {"alpha": problem.alpha(), "l1_ratio": problem.l1_ratio, "max_iter": MAX_ITER}

    def fit(tol):
        model = GeneralizedLinearRegressor(family="binomial", gradient_tol=tol, **parameters).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def make_liblinear(problem):
    from liblinear import liblinearutil

    # Its own format, made beforehand.
    data = liblinearutil.problem(problem.y.astype(np.float64), sparse.csr_matrix(problem.floats, dtype=np.float64))
    kind = 6 if problem.l1_ratio else 0

    def fit(tol):
        model = liblinearutil.train(data, liblinearutil.parameter(f"-s {kind} -c {problem.C} -e {tol} -q"))
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
    penalties : set of str
        Those that it has.
    forms_hessian : bool
        Then problems of very many coefficients are not for it.
    """

    make: Callable
    blas_threads: tuple = (1, THREADS)  # threads of BLAS often cost more than they bring
    sparse: bool = True
    multiclass: bool = True
    fit_intercept: bool = True
    forms_hessian: bool = False
    penalties: frozenset = frozenset({"l2"})

    def refusal(self, problem):
        """Why it cannot solve a problem, or None."""
        if sparse.issparse(problem.X) and not self.sparse:
            return "not for sparse X"
        if problem.n_classes > 2 and not self.multiclass:
            return "has no softmax loss"
        if problem.penalty not in self.penalties:
            return f"has no {problem.penalty} penalty"
        n_bytes = 8.0 * problem.n_coef**2
        if self.forms_hessian and n_bytes > MOST_HESSIAN_BYTES:
            return f"its Hessian would take {n_bytes / 1e9:.0f} GB"
        return None


def _sklearn(solver, *blas_threads, dual=False, **abilities):
    return Competitor(functools.partial(make_sklearn, solver=solver, dual=dual), *blas_threads, **abilities)


NO_INTERCEPT = {"multiclass": False, "fit_intercept": False}
NO_L2 = frozenset({"l1", "elasticnet"})
NO_MIX = frozenset({"l1", "l2"})
ALL = NO_L2 | NO_MIX
COMPETITORS = {
    "fastlr": Competitor(make_fastlr, (THREADS,), penalties=ALL),
    "sklearn lbfgs": _sklearn("lbfgs"),
    "sklearn newton-cg": _sklearn("newton-cg"),
    "sklearn newton-cholesky": _sklearn("newton-cholesky", forms_hessian=True),
    "sklearn newton-cd": _sklearn("newton-cd", multiclass=False, penalties=NO_L2),
    "sklearn newton-cd-gram": _sklearn("newton-cd-gram", multiclass=False, forms_hessian=True, penalties=NO_L2),
    "sklearn saga": _sklearn("saga", (1,), penalties=NO_L2),
    # It has threads of its own; waiting BLAS threads, of SciPy's small steps, would take their cores.
    "sklearnex lbfgs": Competitor(make_sklearnex, sparse=False),
    "cyanure": Competitor(make_cyanure, penalties=ALL),
    "glum": Competitor(make_glum, multiclass=False, forms_hessian=True, penalties=ALL),
    "skglm": Competitor(make_skglm, multiclass=False, penalties=NO_L2),
    "celer°": Competitor(make_celer, penalties=frozenset({"l1"}), **NO_INTERCEPT),
    "sklearn liblinear°": _sklearn("liblinear", (1,), penalties=NO_MIX, **NO_INTERCEPT),
    "sklearn liblinear dual°": _sklearn("liblinear", (1,), dual=True, **NO_INTERCEPT),
    "liblinear°": Competitor(make_liblinear, (1,), penalties=NO_MIX, **NO_INTERCEPT),
    "snapml°": Competitor(make_snapml, (1,), penalties=NO_MIX, **NO_INTERCEPT),
}
