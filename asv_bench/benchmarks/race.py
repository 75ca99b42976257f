"""How races are run: each competitor's time to the same relative gap, whatever its tolerance means.

The gap is (f - f*) / f*, from coefficients alone, in float64 and by NumPy for everybody. f* is the least value seen,
first of all that of fastlr at a far tighter tolerance. A competitor gets the loosest tolerance of a ladder with which
it reaches the gap, so nobody works for digits that do not count. Peers that use BLAS run with one and with two threads,
each with its own tolerance, and the faster counts.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import argparse
import contextlib
import functools
import signal
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from .problem import THREADS, penalty_name

LADDER = tuple(10.0**-k for k in range(-2, 15))  # some compare with sums over samples: loose is large
HOPELESS = 10.0  # times the seconds of the quickest so far, and at least 2 s: out
TRIES = 3.0  # times as many seconds for all tries to find the tolerance
BUDGET = 3.0  # seconds of measured fits for each competitor
ROUNDS = (3, 20)  # at least, and at most
BURST = 4  # fits in a row, where they are quick
FAR_BEHIND = 3.0  # times the seconds of the quickest: who needs more when tuned will not win


class Event(NamedTuple):
    """What is raced for.

    Attributes
    ----------
    competitors : dict of str to Competitor
    make_problem : callable
        Takes the name of a data set and whether there is an intercept, returns a `Problem`.
    data : sequence of str
        Names, to race on unless others are asked for.
    most_seconds : float
        Of a single fit, else its competitor is out.
    """

    competitors: dict
    make_problem: Callable
    data: Sequence
    most_seconds: float


class NotReachedError(Exception):
    """A competitor does not reach the gap, or not in time."""


@contextlib.contextmanager
def limited(seconds):
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
                    with limited(most_seconds):
                        model = fit(self.tol)
                except (TimeoutError, SystemError):  # the latter, where compiled code returns with the former pending
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


def enter(event, name, competitor, most_seconds=None):
    """The contenders of a competitor, tuned: at least one, with fits of at most so many seconds, or the event's.

    Raises
    ------
    NotImplementedError
        If the competitor is not installed, not for such a problem, or does not reach the gap, or not in time: asv
        skips it.
    """
    entrant = event.competitors[competitor]
    problem = event.make_problem(name, entrant.fit_intercept)
    reason = entrant.refusal(problem)
    if reason:
        raise NotImplementedError(reason)
    ladder = problem.tolerances if competitor == "fastlr" else LADDER
    contenders, reasons = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = entrant.make(problem)
        except ImportError as error:
            raise NotImplementedError(f"not installed: {error}") from error
        thread_pools.cache_clear()  # the import may have brought libraries with it
        for threads in entrant.blas_threads:
            try:
                contenders.append(Contender(fit, problem, threads, ladder, most_seconds or event.most_seconds))
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


def race(event, name, competitors):
    """Seconds of all fits by competitor, and reasons of those that are missing.

    Who is far behind when tuned has that one time.
    """
    entered, reasons, quickest = [], {}, np.inf
    for competitor in competitors:
        try:
            contenders = enter(event, name, competitor, min(event.most_seconds, max(2.0, HOPELESS * quickest)))
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


def print_race(event, names, competitors):
    """A Markdown table of competitors on data sets, and below it why cells are empty."""
    titles = ["data", *competitors, "best other", "ratio"]
    print(table_row(titles))
    print(table_row(["---"] * len(titles)), flush=True)
    notes = []
    for name in names:
        results, reasons = race(event, name, competitors)
        cells = [milliseconds(results[competitor]) if competitor in results else "-" for competitor in competitors]
        medians = {competitor: statistics.median(seconds) for competitor, seconds in results.items()}
        best = min((competitor for competitor in medians if competitor != "fastlr"), key=medians.get, default=None)
        cells.append(best or "-")
        cells.append(f"{medians[best] / medians['fastlr']:.1f} x" if best and "fastlr" in medians else "-")
        print(table_row([name, *cells]), flush=True)
        notes += [f"- {name}, {competitor}: {reason}" for competitor, reason in reasons.items()]
    print("\n° without an intercept, to the optimum of that problem\n")
    print("\n".join(notes))


def command(argv, program, description, make_event, l1_ratio, choices):
    """Print the table of a race as options ask.

    Parameters
    ----------
    argv : list of str or None
    program, description : str
    make_event : callable
        Takes an l1_ratio, returns an Event.
    l1_ratio : float
        Unless asked for another.
    choices : sequence of str
        Data sets there are.
    """
    parser = argparse.ArgumentParser(prog=f"benchmarks.{program}", description=description.partition("\n")[0])
    parser.add_argument("--l1-ratio", type=float, default=l1_ratio, help="share of the L1 penalty (%(default)s)")
    parser.add_argument("--data", nargs="+", choices=choices)
    parser.add_argument("--competitors", nargs="+", help="(all that have the penalty)")
    arguments = parser.parse_args(argv)
    event, penalty = make_event(arguments.l1_ratio), penalty_name(arguments.l1_ratio)
    able = [name for name, entrant in event.competitors.items() if penalty in entrant.penalties]
    for name in arguments.competitors or ():
        if name not in able:
            parser.error(f"--competitors {name!r}: choose from {able}")
    print(f"Milliseconds, medians (and least, where much less); {THREADS} threads, l1_ratio={arguments.l1_ratio:g}\n")
    print_race(event, arguments.data or event.data, arguments.competitors or able)
