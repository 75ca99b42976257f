"""The race over shapes: tables of many sizes and scales, C from 1e-4 to 1e6, to a relative gap of 1e-6.

``python -m benchmarks.shapes`` in the folder above names the tables of which fastlr was not the quickest, and how the
others did, and fits without a certificate. It draws some of all shapes, the same each time, of two classes, or with
``--softmax`` of 3 to 30; ``--draws 200`` draws more, ``--only 3 8`` runs those. How it is run is in `race.py`.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import argparse
import functools
import statistics
import sys
import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse

import fastlr

from . import fit_data, race
from .fit_peers import COMPETITORS
from .problem import Problem

N_SAMPLES, N_FEATURES, N_CLASSES = (60, 50_000), (3, 3_000), (3, 30)
MOST_ENTRIES, MOST_PRODUCTS = 4_000_000, 20_000_000  # of X, and of those and classes
RARITY = 0.75  # of each class, next to the one before, where they are not all alike
MOST_SECONDS = 20.0
RIVALS = ("fastlr", "sklearn lbfgs", "sklearn newton-cg", "sklearn newton-cholesky")


class Shape(NamedTuple):
    """A table to make, and the C to fit it with."""

    n_samples: int
    n_features: int
    n_classes: int
    kind: str
    dtype: str
    C: float
    seed: int

    def __str__(self):
        size = f"{self.n_samples}x{self.n_features}x{self.n_classes}"
        return f"{size} {self.kind} {self.dtype} C={self.C:.0e} #{self.seed}"


class ShapeProblem(Problem):
    """One of them, to a gap that users ask for."""

    gap = 1e-6


def draw(seed, softmax=False):
    """A shape: sizes and C on a logarithmic scale."""
    rng = np.random.default_rng([9 if softmax else 7, seed])
    ranges = (N_SAMPLES, (N_FEATURES[0], 1_000), N_CLASSES) if softmax else (N_SAMPLES, N_FEATURES)
    sizes = [round(float(np.exp(rng.uniform(*np.log(limits))))) for limits in ranges]
    n_samples, n_features, n_classes = sizes if softmax else [*sizes, 2]
    n_samples = min(n_samples, MOST_ENTRIES // n_features, MOST_PRODUCTS // (n_features * n_classes))
    kind, dtype = rng.choice(["standardised", "unlike", "sparse"]), rng.choice(["float64", "float32"])
    return Shape(n_samples, n_features, n_classes, str(kind), str(dtype), float(10.0 ** rng.integers(-4, 7)), seed)


def make(shape):
    """X and y: correlated columns, of like scales or not, or rare positive numbers; overlapping classes.

    Of more than two classes those of odd draws are ever rarer.
    """
    rng = np.random.default_rng([8, shape.seed])
    n_samples, n_features, n_classes = shape[:3]
    if shape.kind == "sparse":
        density = min(0.2, 30.0 / n_features)
        X = sparse.random_array((n_samples, n_features), density=density, format="csr", rng=rng)
    else:
        X = rng.normal(size=(n_samples, n_features)) + 0.7 * rng.normal(size=(n_samples, 1))
    if n_classes == 2:
        z = fit_data.standardised(X @ rng.normal(size=n_features))
        y = fit_data.draw_labels(rng, 2.0 * z - 0.5)
    else:
        z = 2.0 * fit_data.standardised(X @ rng.normal(size=(n_features, n_classes)))
        z += shape.seed % 2 * np.log(RARITY) * np.arange(n_classes)
        y = (z + rng.gumbel(size=z.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    if shape.kind == "unlike":
        spread = 1.5 if n_classes == 2 else 4.0
        X = X * 10.0 ** rng.uniform(-spread, spread, n_features) + rng.normal(size=n_features)
    return X.astype(shape.dtype), y.astype(np.int64)


def is_certified(problem):
    """Whether a fit with the default tolerance ends without a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fastlr.LogisticRegression(C=problem.C).fit(problem.X, problem.y)
    return not caught and model.gap_ <= model.tol


@functools.lru_cache(maxsize=1)
def problem_of(shape):
    """The problem of a shape, with its optimum."""
    return ShapeProblem(*make(shape), C=shape.C)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="benchmarks.shapes", description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=40, help="how many tables (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (%(default)s)")
    parser.add_argument("--only", type=int, nargs="+", help="the numbers of some, in place of these")
    parser.add_argument("--softmax", action="store_true", help="of 3 to 30 classes")
    arguments = parser.parse_args(argv)
    ratios = []
    for seed in arguments.only or range(arguments.first, arguments.first + arguments.draws):
        shape = draw(seed, arguments.softmax)
        event = race.Event(COMPETITORS, lambda name, _, shape=shape: problem_of(shape), (), MOST_SECONDS)
        results, reasons = race.race(event, str(shape), RIVALS)
        medians = {name: 1e3 * statistics.median(seconds) for name, seconds in results.items()}
        own = medians.pop("fastlr", np.inf)
        best = min(medians, key=medians.get, default=None)
        ratios.append(medians[best] / own if best else np.inf)
        doubt = "" if is_certified(problem_of(shape)) else "not certified"
        if ratios[-1] < 1.0 or doubt:
            rival = f"{best} {medians[best]:.3g}" if best else "no other"
            print(f"{shape}: {own:.3g} ms, {rival}; {reasons.get('fastlr', doubt)}", flush=True)
    print(f"{sum(np.array(ratios) >= 1.0)} of {len(ratios)} as quick or quicker; ratios' quarters", end=" ")
    print(np.quantile(ratios, [0.0, 0.25, 0.5, 0.75], method="lower").round(2))


if __name__ == "__main__":
    sys.exit(main())
