"""The race of paths: 100 fits along a rising C, to a relative gap of 1e-4 at each of them.

``python -m benchmarks.path`` in the folder above prints the table without asv; options choose the penalty, data sets
and competitors. C rises from the largest that leaves all coefficients 0, by 100 in all, or by 10,000 where there are
more samples than features. Peers start each fit from the one before where they can; liblinear cannot. How the race is
run is in `race.py`.
"""

import functools
import sys

import numpy as np
import sklearn.linear_model
from scipy import sparse

import fastlr

from . import fit, fit_data, fit_peers, race
from .fit_peers import MAX_ITER, check_solver, warm_skglm
from .problem import THREADS, Problem, by_columns

MOST_SECONDS = 180.0
GAP = 1e-4


class PathProblem(Problem):
    """A data set and the optima along a path, one for each of `Cs`."""

    gap = GAP

    def optimum(self):
        n_samples, n_features = self.X.shape
        ratio = 1e-4 if n_samples > n_features else 1e-2
        found = self.fit(self.exact, ratio=ratio, tol=1e-4 * self.gap)
        self.Cs = found.Cs
        return self.value(found.coefs, found.intercepts)

    def fit(self, X, **parameters):
        return fastlr.path(
            X, self.y, l1_ratio=self.l1_ratio, fit_intercept=self.fit_intercept, n_jobs=THREADS, **parameters
        )

    def value(self, coefs, intercepts):
        """Values along the path."""
        ends = zip(coefs, intercepts, self.Cs, strict=True)
        return np.array([super(PathProblem, self).value(_dense(coef), b, C) for coef, b, C in ends])


def _dense(coef):
    return coef.toarray() if sparse.issparse(coef) else coef


@functools.lru_cache(maxsize=2)
def make_problem(name, fit_intercept, l1_ratio):
    return PathProblem(*fit_data.load(name), fit_intercept, l1_ratio)


# Each takes a problem and returns a function of a tolerance, which gives coefficients and intercepts along the path.


def make_fastlr(problem):
    def fit(tol):
        found = problem.fit(problem.floats, Cs=problem.Cs, tol=tol)
        return found.coefs, found.intercepts

    return fit


def make_sklearn(problem, solver):
    check_solver(solver)
    strengths = [{"C": C} for C in problem.Cs]
    estimator = sklearn.linear_model.LogisticRegression
    return _walker(estimator, problem, problem.floats, strengths, solver=solver, random_state=0)


def make_skglm(problem):
    strengths = [{"alpha": problem.alpha(C)} for C in problem.Cs]
    return _walker(warm_skglm(problem), problem, by_columns(problem.floats), strengths)


def _walker(estimator, problem, X, strengths, **parameters):
    """For estimators with scikit-learn's interface."""
    parameters |= {"l1_ratio": problem.l1_ratio, "fit_intercept": problem.fit_intercept, "max_iter": MAX_ITER}

    def fit(tol):
        model = estimator(tol=tol, warm_start=True, **parameters)
        ends = []
        for strength in strengths:
            model.set_params(**strength).fit(X, problem.y)
            ends.append((model.coef_.copy(), np.copy(model.intercept_)))
        return zip(*ends, strict=True)

    return fit


def make_celer(problem):
    from celer import celer_path

    X, y, alphas = by_columns(problem.floats), 2.0 * problem.y - 1.0, 1.0 / problem.Cs

    def fit(tol):
        _, coefs, _ = celer_path(X, y, "logreg", alphas=alphas, tol=tol, use_PN=True)
        return coefs.T, np.zeros(len(alphas))

    return fit


def make_glum(problem):
    from glum import GeneralizedLinearRegressor

    X, y = by_columns(problem.floats), problem.y.astype(problem.floats.dtype)
    parameters = {"alpha": problem.alpha(problem.Cs).tolist(), "l1_ratio": problem.l1_ratio, "max_iter": MAX_ITER}

    def fit(tol):
        model = GeneralizedLinearRegressor(family="binomial", alpha_search=True, gradient_tol=tol, **parameters)
        model.fit(X, y)
        return model.coef_path_, model.intercept_path_

    return fit


_MAKERS = {
    "fastlr": make_fastlr,
    **{
        f"sklearn {solver}": functools.partial(make_sklearn, solver=solver)
        for solver in ("newton-cd", "newton-cd-gram", "saga")
    },
    "glum": make_glum,
    "skglm": make_skglm,
    "celer°": make_celer,
    "sklearn liblinear°": functools.partial(make_sklearn, solver="liblinear"),
}
COMPETITORS = {name: fit_peers.COMPETITORS[name]._replace(make=make) for name, make in _MAKERS.items()}

# What asv runs beside fastlr. The race decided.
QUICKEST_SKLEARN = {"7,000x28": "saga"}


def make_event(l1_ratio):
    return race.Event(COMPETITORS, functools.partial(make_problem, l1_ratio=l1_ratio), fit_data.L1_NAMES, MOST_SECONDS)


class Path(fit.Race):
    """100 fits, by fastlr alone, as others take minutes."""

    params = (fit_data.L1_NAMES, ("fastlr",))
    event = make_event(1.0)


class PathSpeedup(fit.Speedup):
    """Over scikit-learn, where it reaches the gap."""

    params = tuple(QUICKEST_SKLEARN)
    event = make_event(1.0)
    quickest = QUICKEST_SKLEARN


def main(argv=None):
    race.command(argv, "path", __doc__, make_event, 1.0, fit_data.NAMES)


if __name__ == "__main__":
    sys.exit(main())
