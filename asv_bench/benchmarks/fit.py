"""The race of whole fits at C=1: the time to a relative gap of 1e-8 for two classes, 1e-6 for more.

``python -m benchmarks.fit`` in the folder above prints the table without asv; options choose the penalty, data sets
(those of rare classes, at C=1e4, of wide X and of genotypes are for who asks for them) and competitors. How it is run
is in `race.py`.
"""

import functools
import statistics
import sys
import tracemalloc
import warnings

import sklearn.linear_model

import fastlr

from . import fit_data, race
from .fit_peers import COMPETITORS
from .problem import C, make_problem

MOST_SECONDS = 60.0

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
QUICKEST_SKLEARN_L1 = {"signs float64": "liblinear°", "7,000x28": "saga", "text 25,000x44,798": "liblinear°"}


def make_event(l1_ratio):
    data = fit_data.L1_NAMES if l1_ratio else fit_data.NAMES
    return race.Event(COMPETITORS, functools.partial(make_problem, l1_ratio=l1_ratio), data, MOST_SECONDS)


class Race:
    """The quickest of scikit-learn's solvers on one or two BLAS threads, whichever is faster."""

    params = (fit_data.NAMES, ("fastlr", "scikit-learn"))
    param_names = ("data", "implementation")
    timeout = 900
    event = make_event(0.0)
    quickest = QUICKEST_SKLEARN

    def setup(self, name, implementation):
        competitor = "fastlr" if implementation == "fastlr" else f"sklearn {self.quickest[name]}"
        self.contenders = race.enter(self.event, name, competitor)

    def track_milliseconds(self, name, implementation):
        return 1e3 * min(map(statistics.median, race.measure(self.contenders)))

    track_milliseconds.unit = "ms"


class Speedup:
    """Over the quickest of scikit-learn's solvers, side by side in one process."""

    params = fit_data.NAMES
    param_names = ("data",)
    timeout = 900
    event = make_event(0.0)
    quickest = QUICKEST_SKLEARN

    def setup(self, name):
        rivals = ("fastlr", f"sklearn {self.quickest[name]}")
        self.contenders = [contender for rival in rivals for contender in race.enter(self.event, name, rival)]

    def track_ratio(self, name):
        own, *others = map(statistics.median, race.measure(self.contenders))
        return min(others) / own

    track_ratio.unit = "x"


class HardSoftmax(Race):
    """The same for many classes: rare ones, of which no other solver brings some to an end, and wide X."""

    params = ((*fit_data.RARE, *fit_data.WIDE), Race.params[1])
    quickest = dict.fromkeys(fit_data.RARE, "newton-cholesky") | dict.fromkeys(fit_data.WIDE, "newton-cg")


class RaceL1(Race):
    """The same for the L1 penalty."""

    params = (tuple(QUICKEST_SKLEARN_L1), Race.params[1])
    event = make_event(1.0)
    quickest = QUICKEST_SKLEARN_L1


class SpeedupL1(Speedup):
    """The same for the L1 penalty."""

    params = tuple(QUICKEST_SKLEARN_L1)
    event = make_event(1.0)
    quickest = QUICKEST_SKLEARN_L1


class Memory:
    """Most bytes that a fit has in use beside X, as Python's allocators see them, as a share of X's."""

    params = (("uint8 C", "uint8 F", "float32 C", "float64 C"), (2, 10), ("fastlr", "sklearn lbfgs"))
    param_names = ("X", "classes", "implementation")
    timeout = 300
    l1_ratio = 0.0

    def setup(self, kind, n_classes, implementation):
        self.X, self.y = fit_data.pixels_as(*kind.split(), n_classes)
        # Memory does not grow with steps, and scikit-learn would need thousands for raw pixels.
        module = fastlr if implementation == "fastlr" else sklearn.linear_model
        self.model = module.LogisticRegression(C=C, l1_ratio=self.l1_ratio, max_iter=5)
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


class MemoryL1(Memory):
    """The same for the L1 penalty."""

    params = (Memory.params[0], (2,), ("fastlr",))
    l1_ratio = 1.0


def main(argv=None):
    race.command(argv, "fit", __doc__, make_event, 0.0, tuple(fit_data.SOURCES))


if __name__ == "__main__":
    sys.exit(main())
