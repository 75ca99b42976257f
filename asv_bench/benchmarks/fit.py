"""The race of whole fits: each competitor's time to the same relative gap, whatever its tolerance means.

``python -m benchmarks.fit`` in the folder above prints the table without asv; arguments name data sets.

The gap is (f - f*) / f*, from coefficients alone, in float64 and by NumPy for everybody. f* is the least value seen,
first of all that of a fastlr fit to a far tighter tolerance. A competitor gets the loosest tolerance of a ladder with
which it reaches the gap, so nobody works for digits that do not count. Peers that use BLAS run with one and with two
threads, each with its own tolerance, and the faster counts: BLAS threads often cost more than they bring.

One competitor solves a neighbouring problem. liblinear penalises the intercept like a weight, so its gap is that to
the optimum of its own objective, with a column of ones appended to X.
"""

import argparse
import functools
import statistics
import sys
import time
import tracemalloc
import warnings

import numpy as np
import sklearn.linear_model
from threadpoolctl import ThreadpoolController

import fastlr

from . import fit_data

GAP = 1e-8
C = 1.0
THREADS = 2
LADDER = tuple(10.0**-k for k in range(-2, 15))  # some compare with sums over samples: loose is large
MAX_ITER = 10_000

MOST_SECONDS = 20.0  # of a single fit, else its competitor is out
BUDGET = 3.0  # seconds of measured fits for each competitor
ROUNDS = (3, 20)  # at least, and at most
BURST = 4  # fits in a row, where they are quick


class NotReachedError(Exception):
    """A competitor does not reach the gap, or not in time."""


class Problem:
    """A data set and its optimum.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels 0 and 1.
    intercept_penalised : bool
        As liblinear does.
    """

    def __init__(self, X, y, intercept_penalised=False):
        self.X, self.y = X, y
        self.intercept_penalised = intercept_penalised
        columns = [X, np.ones((len(X), 1))] if intercept_penalised else [X]
        model = fastlr.LogisticRegression(C=C, tol=1e-13, fit_intercept=not intercept_penalised, n_jobs=THREADS)
        model.fit(np.hstack(columns, dtype=np.float64), y)
        if intercept_penalised:
            coef, intercept = model.coef_[0, :-1], model.coef_[0, -1]
        else:
            coef, intercept = model.coef_[0], model.intercept_[0]
        self.best = self.value(coef, intercept)

    def value(self, coef, intercept):
        """Mean loss and penalty."""
        coef, intercept = np.asarray(coef, dtype=np.float64), float(intercept)
        z = self.X @ coef + intercept
        square = coef @ coef + (intercept**2 if self.intercept_penalised else 0.0)
        return float(np.mean(np.logaddexp(0.0, np.where(self.y == 1, -z, z))) + square / (2.0 * C * len(z)))

    def gap(self, model):
        """Relative gap that a fitted model reached."""
        value = self.value(np.ravel(model.coef_), np.ravel(model.intercept_)[0])
        self.best = min(self.best, value)
        return (value - self.best) / self.best


@functools.lru_cache(maxsize=2)
def make_problem(name, intercept_penalised=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a gap of 1e-13 may be more than float64 has to give
        return Problem(*fit_data.load(name), intercept_penalised)


def make_sklearn(X, y, solver):
    return lambda tol: sklearn.linear_model.LogisticRegression(C=C, solver=solver, tol=tol, max_iter=MAX_ITER).fit(X, y)


def make_fastlr(X, y):
    return lambda tol: fastlr.LogisticRegression(C=C, tol=tol, n_jobs=THREADS).fit(X, y)


def make_sklearnex(X, y):
    from sklearnex.linear_model import LogisticRegression

    return lambda tol: LogisticRegression(C=C, solver="lbfgs", tol=tol, max_iter=MAX_ITER, n_jobs=THREADS).fit(X, y)


def make_glum(X, y):
    from glum import GeneralizedLinearRegressor

    alpha = 1.0 / (C * len(y))
    y = y.astype(X.dtype)
    return lambda tol: GeneralizedLinearRegressor(
        family="binomial", alpha=alpha, l1_ratio=0, gradient_tol=tol, max_iter=MAX_ITER
    ).fit(X, y)


SKLEARN_SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")  # those that leave the intercept free
BLAS_THREADS = (1, THREADS)
# By name: a function that takes X and y and returns one that fits to a tolerance, and the BLAS threads to try.
COMPETITORS = {
    "fastlr": (make_fastlr, (THREADS,)),
    **{
        f"sklearn {solver}": (functools.partial(make_sklearn, solver=solver), BLAS_THREADS)
        for solver in SKLEARN_SOLVERS
    },
    # It has threads of its own; waiting BLAS threads, of SciPy's small steps, would take their cores.
    "sklearnex lbfgs": (make_sklearnex, BLAS_THREADS),
    "liblinear": (functools.partial(make_sklearn, solver="liblinear"), BLAS_THREADS),
    "glum": (make_glum, BLAS_THREADS),
}


@functools.cache
def thread_pools():
    """To find the libraries takes milliseconds, so it is done once, when all of them are loaded."""
    return ThreadpoolController()


class Contender:
    """A competitor on one data set with one number of threads, tuned to the gap.

    Parameters
    ----------
    fit : callable
        Takes a tolerance, returns a fitted model.
    problem : Problem
    threads : int
        Of BLAS and OpenMP.
    ladder : sequence of float
        Tolerances, the loosest first.

    Raises
    ------
    NotReachedError
    """

    def __init__(self, fit, problem, threads, ladder):
        self.threads = threads
        self.limits = thread_pools().limit
        reached = np.inf
        with self.limits(limits=threads):
            for self.tol in ladder:
                started = time.perf_counter()
                model = fit(self.tol)
                self.seconds = time.perf_counter() - started
                reached = min(reached, problem.gap(model))
                if reached <= GAP:
                    break
                if self.seconds > MOST_SECONDS:
                    raise NotReachedError(f"a fit with tol={self.tol:.0e} takes {self.seconds:.0f} s")
            else:
                raise NotReachedError(f"no tolerance reaches {GAP:.0e}, the least gap is {reached:.1e}")
        if self.seconds > MOST_SECONDS:
            raise NotReachedError(f"a fit takes {self.seconds:.0f} s")
        self.run = functools.partial(fit, self.tol)

    def burst(self):
        """Seconds of fits in a row.

        Before quick ones there is one that is not counted: it starts its threads while those of whoever ran before
        may still be waiting for work. The pause lets those go.
        """
        time.sleep(0.005)
        seconds = []
        with self.limits(limits=self.threads):
            quick = self.seconds < 0.1
            if quick:
                self.run()
            for _ in range(BURST if quick else 1):
                started = time.perf_counter()
                self.run()
                seconds.append(time.perf_counter() - started)
        return seconds


def enter(name, competitor):
    """The contenders of a competitor, tuned: at least one.

    Raises
    ------
    NotImplementedError
        If the competitor is not installed, or does not reach the gap, or not in time: asv skips it.
    """
    make, all_threads = COMPETITORS[competitor]
    X, y = fit_data.load(name)
    try:
        fit = make(X, y)
    except ImportError as error:
        raise NotImplementedError(f"not installed: {error}") from error
    thread_pools.cache_clear()  # the import may have brought libraries with it
    problem = make_problem(name, intercept_penalised=competitor == "liblinear")
    # fastlr's tolerance is the gap, so it has no choice.
    ladder = (GAP,) if competitor == "fastlr" else LADDER
    contenders, reasons = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for threads in all_threads:
            try:
                contenders.append(Contender(fit, problem, threads, ladder))
            except NotReachedError as error:
                reasons.append(str(error))
    if not contenders:
        raise NotImplementedError("; ".join(dict.fromkeys(reasons)))
    return contenders


def measure(contenders):
    """Median seconds of each contender's fits, which take turns: a slow moment of the machine meets all."""
    samples = [[] for _ in contenders]
    least, most = ROUNDS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n_done in range(most):
            for contender, seconds in zip(contenders, samples, strict=True):
                if n_done < least or sum(seconds) < BUDGET:
                    seconds += contender.burst()
    return [statistics.median(seconds) for seconds in samples]


class Race:
    """Two threads; for peers that use BLAS one or two, whichever is faster."""

    params = (fit_data.NAMES, tuple(COMPETITORS))
    param_names = ("data", "competitor")
    timeout = 900

    def setup(self, name, competitor):
        self.contenders = enter(name, competitor)

    def track_milliseconds(self, name, competitor):
        return 1e3 * min(measure(self.contenders))

    track_milliseconds.unit = "ms"


class Speedup:
    """Over the fastest of scikit-learn's solvers that solve the same problem, side by side in one process."""

    params = fit_data.NAMES
    param_names = ("data",)
    timeout = 900

    def setup(self, name):
        self.contenders = enter(name, "fastlr")
        others = []
        for solver in SKLEARN_SOLVERS:
            try:
                others += enter(name, f"sklearn {solver}")
            except NotImplementedError:
                continue
        # Those that were far behind already when they were tuned will not win.
        quickest = min(contender.seconds for contender in others)
        self.contenders += [contender for contender in others if contender.seconds < 3.0 * quickest]

    def track_ratio(self, name):
        own, *others = measure(self.contenders)
        return min(others) / own

    track_ratio.unit = "x"


class Memory:
    """Most bytes that a fit has in use beside X, as Python's allocators see them, as a share of X's."""

    params = (("uint8 C", "uint8 F", "float32 C", "float64 C"), ("fastlr", "sklearn lbfgs"))
    param_names = ("X", "implementation")
    timeout = 300

    def setup(self, kind, implementation):
        self.X, self.y = fit_data.pixels_as(*kind.split())
        # Memory does not grow with steps, and scikit-learn would need thousands for raw pixels.
        module = fastlr if implementation == "fastlr" else sklearn.linear_model
        self.model = module.LogisticRegression(C=C, max_iter=5)
        self.fit()  # a compiler would be the peak

    def fit(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.X, self.y)

    def track_extra_memory(self, *params):
        tracemalloc.start()
        self.fit()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return 100.0 * peak / self.X.nbytes

    track_extra_memory.unit = "%"


def race(name):
    """Milliseconds by competitor, and reasons of those that are missing."""
    owners, contenders, reasons = [], [], {}
    for competitor in COMPETITORS:
        try:
            entered = enter(name, competitor)
        except NotImplementedError as error:
            reasons[competitor] = str(error)
            continue
        owners += [competitor] * len(entered)
        contenders += entered
    results = {}
    for competitor, seconds in zip(owners, measure(contenders), strict=True):
        results[competitor] = min(1e3 * seconds, results.get(competitor, np.inf))
    return results, reasons


def table_row(cells):
    return "| " + " | ".join(cells) + " |"


def print_race(names):
    """A Markdown table of all competitors on the data sets, and below it why cells are empty."""
    titles = ["data", *(f"{name}°" if name == "liblinear" else name for name in COMPETITORS), "best other", "ratio"]
    print(f"Milliseconds to a relative gap of {GAP:.0e}, medians; {THREADS} threads, C={C:g}\n")
    print(table_row(titles))
    print(table_row(["---"] * len(titles)), flush=True)
    notes = []
    for name in names:
        results, reasons = race(name)
        cells = [f"{results[competitor]:.3g}" if competitor in results else "-" for competitor in COMPETITORS]
        others = [competitor for competitor in results if competitor != "fastlr"]
        best = min(others, key=results.get, default=None)
        cells.append(best or "-")
        cells.append(f"{results[best] / results['fastlr']:.1f} x" if best and "fastlr" in results else "-")
        print(table_row([name, *cells]), flush=True)
        notes += [f"- {name}, {competitor}: {reason}" for competitor, reason in reasons.items()]
    print("\n° with a penalised intercept, to the optimum of that problem\n")
    print("\n".join(notes))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="benchmarks.fit", description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", help="names of data sets (default: all): " + ", ".join(fit_data.NAMES))
    names = parser.parse_args(argv).data or fit_data.NAMES
    for name in names:
        if name not in fit_data.NAMES:
            parser.error(f"no data set {name!r}; there are: {', '.join(fit_data.NAMES)}")
    print_race(names)


if __name__ == "__main__":
    sys.exit(main())
