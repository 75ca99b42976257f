"""The race over shapes: two classes, tables of many sizes and scales, C from 1e-4 to 1e6, to a relative gap of 1e-6.

``python -m benchmarks.shapes`` in the folder above names the tables of which fastlr was not the quickest, and how the
others did. It draws some of all shapes, the same each time; ``--draws 200`` draws more. How it is run is in `race.py`.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import argparse
import functools
import statistics
import sys
from typing import NamedTuple

import numpy as np
from scipy import sparse

from . import fit_data, race
from .fit_peers import COMPETITORS
from .problem import Problem

N_SAMPLES, N_FEATURES = (60, 50_000), (3, 3_000)
MOST_ENTRIES = 4_000_000
MOST_SECONDS = 20.0
RIVALS = ("fastlr", "sklearn lbfgs", "sklearn newton-cg", "sklearn newton-cholesky")


class Shape(NamedTuple):
    """A table to make, and the C to fit it with."""

    n_samples: int
    n_features: int
    kind: str
    dtype: str
    C: float
    seed: int

    def __str__(self):
        return f"{self.n_samples}x{self.n_features} {self.kind} {self.dtype} C={self.C:.0e} #{self.seed}"


class ShapeProblem(Problem):
    """One of them, to a gap that users ask for."""

    gap = 1e-6


def draw(seed):
    """A shape: sizes and C on a logarithmic scale."""
    rng = np.random.default_rng([7, seed])
    n_samples, n_features = (round(float(np.exp(rng.uniform(*np.log(limits))))) for limits in (N_SAMPLES, N_FEATURES))
    n_samples = min(n_samples, MOST_ENTRIES // n_features)
    kind, dtype = rng.choice(["standardised", "unlike", "sparse"]), rng.choice(["float64", "float32"])
    return Shape(n_samples, n_features, str(kind), str(dtype), float(10.0 ** rng.integers(-4, 7)), seed)


def make(shape):
    """X and y: correlated columns, of like scales or not, or rare positive numbers; overlapping classes."""
    rng = np.random.default_rng([8, shape.seed])
    n_samples, n_features = shape.n_samples, shape.n_features
    if shape.kind == "sparse":
        density = min(0.2, 30.0 / n_features)
        X = sparse.random_array((n_samples, n_features), density=density, format="csr", rng=rng)
    else:
        X = rng.normal(size=(n_samples, n_features)) + 0.7 * rng.normal(size=(n_samples, 1))
    z = fit_data.standardised(X @ rng.normal(size=n_features))
    y = fit_data.draw_labels(rng, 2.0 * z - 0.5)
    y[:2] = 0, 1
    if shape.kind == "unlike":
        X = X * 10.0 ** rng.uniform(-1.5, 1.5, n_features) + rng.normal(size=n_features)
    return X.astype(shape.dtype), y.astype(np.int64)


@functools.lru_cache(maxsize=1)
def problem_of(shape):
    """The problem of a shape, with its optimum."""
    return ShapeProblem(*make(shape), C=shape.C)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="benchmarks.shapes", description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=40, help="how many tables (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (%(default)s)")
    arguments = parser.parse_args(argv)
    ratios = []
    for seed in range(arguments.first, arguments.first + arguments.draws):
        shape = draw(seed)
        event = race.Event(COMPETITORS, lambda name, _, shape=shape: problem_of(shape), (), MOST_SECONDS)
        results, reasons = race.race(event, str(shape), RIVALS)
        medians = {name: 1e3 * statistics.median(seconds) for name, seconds in results.items()}
        own = medians.pop("fastlr", np.inf)
        best = min(medians, key=medians.get, default=None)
        ratios.append(medians[best] / own if best else np.inf)
        if ratios[-1] < 1.0:
            print(f"{shape}: {own:.3g} ms, {best} {medians[best]:.3g}; {reasons.get('fastlr', '')}", flush=True)
    print(f"{sum(np.array(ratios) >= 1.0)} of {len(ratios)} as quick or quicker; ratios' quarters", end=" ")
    print(np.quantile(ratios, [0.0, 0.25, 0.5, 0.75], method="lower").round(2))


if __name__ == "__main__":
    sys.exit(main())
