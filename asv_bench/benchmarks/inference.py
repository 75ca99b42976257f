"""Tables of a fitted model beside statsmodels: fit, errors and the text of the table, from arrays in memory.

``python -m benchmarks.inference`` in the folder above prints the comparison without asv, sides in turns in one process.
statsmodels is optional. Its Logit fits by Newton's method.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from scipy.special import expit

import fastlr

SHAPES = {"569x30": (569, 30), "30,000x104": (30_000, 104), "1,000,000x50": (1_000_000, 50)}
COV_TYPES = ("nonrobust", "HC0", "cluster")
GROUP = 40  # samples of a cluster
SCAN = 5_000, 10_000  # samples, and int8 columns that are tried


def make_data(name):
    n_samples, n_features = SHAPES[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    y = (rng.random(n_samples) < expit(X @ rng.normal(size=n_features) / np.sqrt(n_features))).astype(np.int64)
    return X, y


def clusters(cov_type, y):
    return {"groups": np.arange(len(y)) // GROUP} if cov_type == "cluster" else {}


def our_table(X, y, cov_type):
    model = fastlr.LogisticRegression(C=np.inf).fit(X, y)
    return str(fastlr.inference(model, X, y, cov_type=cov_type, **clusters(cov_type, y)).summary())


def their_table(X, y, cov_type):
    import statsmodels.api as sm

    options = {"cov_type": cov_type, "cov_kwds": clusters(cov_type, y) or None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(sm.Logit(y, sm.add_constant(X)).fit(disp=0, **options).summary())


class Tables:
    """Seconds from arrays to a printed table."""

    params = (list(SHAPES), COV_TYPES)
    param_names = ("shape", "cov_type")
    timeout = 600

    def setup(self, name, cov_type):
        self.X, self.y = make_data(name)
        our_table(self.X, self.y, cov_type)

    def time_table(self, name, cov_type):
        our_table(self.X, self.y, cov_type)


class Extras:
    """What is asked of a table, at a million samples."""

    timeout = 600

    def setup(self):
        X, y = make_data("1,000,000x50")
        self.result = fastlr.inference(fastlr.LogisticRegression(C=np.inf).fit(X, y), X, y)

    def time_marginal_effects(self):
        self.result.marginal_effects()

    def peakmem_marginal_effects(self):
        self.result.marginal_effects()

    def time_diagnostics(self):
        self.result.diagnostics()


class Scan:
    """Score tests of many columns."""

    def setup(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(SCAN[0], 5))
        y = rng.integers(0, 2, SCAN[0])
        self.Z = rng.integers(0, 3, SCAN).astype(np.int8)
        self.result = fastlr.inference(fastlr.LogisticRegression(C=np.inf).fit(X, y), X, y)

    def time_scan(self):
        self.result.score_scan(self.Z)


def _seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main():
    """Print seconds of both sides, medians and minima, and how many times as fast the first is."""
    parser = argparse.ArgumentParser(prog="benchmarks.inference", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=SHAPES, default=list(SHAPES))
    print(f"{'shape':>12} {'covariance':>10} {'fastlr':>16} {'statsmodels':>16} {'times':>12}")
    for name in parser.parse_args().data:
        X, y = make_data(name)
        for cov_type in COV_TYPES:
            our_table(X, y, cov_type)
            n_runs = 3 if len(y) > 100_000 else 7
            pairs = [[_seconds(table, X, y, cov_type) for table in (our_table, their_table)] for _ in range(n_runs)]
            ours, theirs = zip(*pairs, strict=True)
            middle, least = [(statistics.median(side), min(side)) for side in (ours, theirs)], min(theirs) / min(ours)
            cells = " ".join(f"{median:8.4f} {low:7.4f}" for median, low in middle)
            print(f"{name:>12} {cov_type:>10} {cells} {middle[1][0] / middle[0][0]:6.1f} {least:5.1f}", flush=True)


if __name__ == "__main__":
    main()
