"""The race of whole fits: each competitor's time to the same relative gap, whatever its tolerance means.

``python -m benchmarks.fit`` in the folder above prints the table without asv; options choose data sets and
competitors.

The gap is (f - f*) / f*, from coefficients alone, in float64 and by NumPy for everybody: 1e-8 for two classes, 1e-6
for more. f* is the least value seen, first of all that of a fastlr fit to a far tighter tolerance. A competitor gets
the loosest tolerance of a ladder with which it reaches the gap, so nobody works for digits that do not count. Peers
that use BLAS run with one and with two threads, each with its own tolerance, and the faster counts.
"""

import argparse
import contextlib
import functools
import signal
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
from .fit_peers import COMPETITORS, THREADS, C, make_problem

LADDER = tuple(10.0**-k for k in range(-2, 15))  # some compare with sums over samples: loose is large
MOST_SECONDS = 60.0  # of a single fit, else its competitor is out
HOPELESS = 10.0  # times the seconds of the quickest so far, and at least 2 s: also out
TRIES = 3.0  # times as many seconds for all tries to find the tolerance
BUDGET = 3.0  # seconds of measured fits for each competitor
ROUNDS = (3, 20)  # at least, and at most
BURST = 4  # fits in a row, where they are quick
FAR_BEHIND = 3.0  # times the seconds of the quickest: who needs more when tuned will not win

# What asv runs beside fastlr, as tuning all of scikit-learn's solvers takes minutes. The race decided.
QUICKEST_SKLEARN = dict.fromkeys(fit_data.NAMES, "newton-cg") | {
    "one-hot 30,000x100": "lbfgs",
    "correlated 300,000x50": "newton-cholesky",
    "7,000x28": "newton-cholesky",
    "breast cancer": "newton-cholesky",
    "50,000x400 float32": "newton-cholesky",
    "text 25,000x44,798": "lbfgs",
    "web 49,749x300": "newton-cholesky",
}


class NotReachedError(Exception):
    """A competitor does not reach the gap, or not in time."""


@contextlib.contextmanager
def time_limit(seconds):
    """Raise TimeoutError, as soon as Python code runs again, where a block takes longer; not on Windows."""

    def stop(signum, frame):
        raise TimeoutError

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@functools.cache
def thread_pools():
    """To find the libraries takes milliseconds, so it is done once, when all of them are loaded."""
    return ThreadpoolController()


class Contender:
    """A competitor on one data set with one number of threads, tuned to the gap.

    Parameters
    ----------
    fit : callable
        Takes a tolerance, returns coefficients and intercept.
    problem : Problem
    threads : int
        Of BLAS and OpenMP.
    ladder : sequence of float
        Tolerances, the loosest first.
    most_seconds : float
        Of a fit.

    Raises
    ------
    NotReachedError
    """

    def __init__(self, fit, problem, threads, ladder, most_seconds):
        self.threads = threads
        self.limits = thread_pools().limit
        least = np.inf
        with self.limits(limits=threads):
            fit(ladder[0])  # compilers, caches, threads
            end = time.perf_counter() + TRIES * most_seconds
            for self.tol in ladder:
                started = time.perf_counter()
                try:
                    with time_limit(most_seconds):
                        model = fit(self.tol)
                except TimeoutError:
                    model = None
                self.seconds = time.perf_counter() - started
                if model is not None:
                    least = min(least, problem.reached(*model))
                if self.seconds > most_seconds:
                    raise NotReachedError(f"a gap of {least:.1e}, then a fit took over {most_seconds:.0f} s")
                if least <= problem.gap:
                    break
                if time.perf_counter() > end:
                    raise NotReachedError(f"a gap of {least:.1e}, then tries took over {TRIES * most_seconds:.0f} s")
            else:
                raise NotReachedError(f"no tolerance reaches a gap below {least:.1e}")
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


def enter(name, competitor, most_seconds=MOST_SECONDS):
    """The contenders of a competitor, tuned: at least one, with fits of at most so many seconds.

    Raises
    ------
    NotImplementedError
        If the competitor is not installed, not for such a problem, or does not reach the gap, or not in time: asv
        skips it.
    """
    make, blas_threads = COMPETITORS[competitor][:2]
    problem = make_problem(name, COMPETITORS[competitor].fit_intercept)
    reason = COMPETITORS[competitor].refusal(problem)
    if reason:
        raise NotImplementedError(reason)
    try:
        fit = make(problem)
    except ImportError as error:
        raise NotImplementedError(f"not installed: {error}") from error
    thread_pools.cache_clear()  # the import may have brought libraries with it
    # fastlr's tolerance is the gap, so it has no choice.
    ladder = (problem.gap,) if competitor == "fastlr" else LADDER
    contenders, reasons = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for threads in blas_threads:
            try:
                contenders.append(Contender(fit, problem, threads, ladder, most_seconds))
            except NotReachedError as error:
                reasons.append(str(error))
    if not contenders:
        raise NotImplementedError("; ".join(dict.fromkeys(reasons)))
    return contenders


def measure(contenders):
    """Seconds of each contender's fits, which take turns: a slow moment of the machine meets all."""
    samples = [[] for _ in contenders]
    least, most = ROUNDS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n_done in range(most):
            for contender, seconds in zip(contenders, samples, strict=True):
                if n_done < least or sum(seconds) < BUDGET:
                    seconds += contender.burst()
    return samples


class Race:
    """The quickest of scikit-learn's solvers on one or two BLAS threads, whichever is faster."""

    params = (fit_data.NAMES, ("fastlr", "scikit-learn"))
    param_names = ("data", "implementation")
    timeout = 900

    def setup(self, name, implementation):
        competitor = "fastlr" if implementation == "fastlr" else f"sklearn {QUICKEST_SKLEARN[name]}"
        self.contenders = enter(name, competitor)

    def track_milliseconds(self, name, implementation):
        return 1e3 * min(map(statistics.median, measure(self.contenders)))

    track_milliseconds.unit = "ms"


class Speedup:
    """Over the quickest of scikit-learn's solvers, side by side in one process."""

    params = fit_data.NAMES
    param_names = ("data",)
    timeout = 900

    def setup(self, name):
        self.contenders = enter(name, "fastlr") + enter(name, f"sklearn {QUICKEST_SKLEARN[name]}")

    def track_ratio(self, name):
        own, *others = map(statistics.median, measure(self.contenders))
        return min(others) / own

    track_ratio.unit = "x"


class HardSoftmax:
    """Fits of many classes that few solvers bring to an end: no competitor reaches the gap on the unscaled ones."""

    params = ((247, 10, 19), (1_500, 3, 29), (3_000, 16, 26), (4_000, 120, 9))
    param_names = ("shape",)
    timeout = 300

    def setup(self, shape):
        self.X, self.y = fit_data.rare_classes(*shape)
        self.model = fastlr.LogisticRegression(C=1e4)
        self.model.fit(self.X, self.y)  # compilers

    def time_fit(self, shape):
        self.model.fit(self.X, self.y)

    def track_gap(self, shape):
        return self.model.gap_


class Memory:
    """Most bytes that a fit has in use beside X, as Python's allocators see them, as a share of X's."""

    params = (("uint8 C", "uint8 F", "float32 C", "float64 C"), (2, 10), ("fastlr", "sklearn lbfgs"))
    param_names = ("X", "classes", "implementation")
    timeout = 300

    def setup(self, kind, n_classes, implementation):
        self.X, self.y = fit_data.pixels_as(*kind.split(), n_classes)
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


def race(name, competitors):
    """Seconds of all fits by competitor, and reasons of those that are missing.

    Who is far behind when tuned has that one time.
    """
    entered, reasons, quickest = [], {}, np.inf
    for competitor in competitors:
        try:
            contenders = enter(name, competitor, min(MOST_SECONDS, max(2.0, HOPELESS * quickest)))
        except NotImplementedError as error:
            reasons[competitor] = str(error)
            continue
        entered += [(competitor, contender) for contender in contenders]
        if competitor != "fastlr":
            quickest = min(quickest, *(contender.seconds for contender in contenders))
    samples = [[contender.seconds] for _, contender in entered]
    close = [i for i, (_, contender) in enumerate(entered) if contender.seconds < max(FAR_BEHIND * quickest, 0.1)]
    for i, seconds in zip(close, measure([entered[i][1] for i in close]), strict=True):
        samples[i] = seconds
    results = {}
    for (competitor, _), seconds in zip(entered, samples, strict=True):
        results[competitor] = min(results.get(competitor, seconds), seconds, key=statistics.median)
    return results, reasons


def table_row(cells):
    return "| " + " | ".join(cells) + " |"


def milliseconds(seconds):
    """The median, and the least where it is much less."""
    median, least = 1e3 * statistics.median(seconds), 1e3 * min(seconds)
    return f"{median:.3g} ({least:.3g})" if least < 0.8 * median else f"{median:.3g}"


def print_race(names, competitors):
    """A Markdown table of competitors on data sets, and below it why cells are empty."""
    titles = ["data", *competitors, "best other", "ratio"]
    print(f"Milliseconds, medians (and least, where much less); {THREADS} threads, C={C:g}\n")
    print(table_row(titles))
    print(table_row(["---"] * len(titles)), flush=True)
    notes = []
    for name in names:
        results, reasons = race(name, competitors)
        cells = [milliseconds(results[competitor]) if competitor in results else "-" for competitor in competitors]
        medians = {competitor: statistics.median(seconds) for competitor, seconds in results.items()}
        best = min((competitor for competitor in medians if competitor != "fastlr"), key=medians.get, default=None)
        cells.append(best or "-")
        cells.append(f"{medians[best] / medians['fastlr']:.1f} x" if best and "fastlr" in medians else "-")
        print(table_row([name, *cells]), flush=True)
        notes += [f"- {name}, {competitor}: {reason}" for competitor, reason in reasons.items()]
    print("\n° without an intercept, to the optimum of that problem\n")
    print("\n".join(notes))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="benchmarks.fit", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", default=fit_data.NAMES, choices=fit_data.NAMES)
    parser.add_argument("--competitors", nargs="+", default=tuple(COMPETITORS), choices=tuple(COMPETITORS))
    arguments = parser.parse_args(argv)
    print_race(arguments.data, arguments.competitors)


if __name__ == "__main__":
    sys.exit(main())
