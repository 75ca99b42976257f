"""A fit on two threads beside a process that keeps one core busy.

Threads that wait for each other can lose whole time slices there: each wait may end only when the neighbour is
preempted. What counts is how much slower than one thread a fit becomes, which would not wait for anybody.
"""

import os
import subprocess
import sys

import numpy as np

import fastlr

from .common import ratio

FIT = {"many short passes": (3_000, 100, "newton_cg"), "few long passes": (60_000, 100, "newton_cholesky")}


# Ends with its maker, whatever becomes of that.
KEEP_BUSY = """
import os
parent = os.getppid()
print("busy", flush=True)
while os.getppid() == parent:
    sum(range(1_000_000))
"""


class BusyNeighbour:
    """Time on the default number of threads over time on one: 1.3 is the most it should be."""

    params = (list(FIT),)
    param_names = ("fit",)
    timeout = 300

    def setup(self, name):
        n_samples, n_features, solver = FIT[name]
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_samples, n_features))
        y = (X[:, 0] + rng.normal(size=n_samples) > 0).astype(int)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        # As many as a fit takes by default, and at least two.
        self.fits = [
            lambda n_jobs=n_jobs: fastlr.LogisticRegression(n_jobs=n_jobs, solver=solver, tol=1e-8).fit(X, y)
            for n_jobs in (max(2, cores), 1)
        ]
        for fit in self.fits:
            fit()
        self.neighbour = subprocess.Popen([sys.executable, "-c", KEEP_BUSY], stdout=subprocess.PIPE)
        self.neighbour.stdout.readline()

    def teardown(self, name):
        self.neighbour.kill()
        self.neighbour.communicate()

    def track_slowdown(self, name):
        return ratio(*self.fits, number=15, burst=3)

    track_slowdown.unit = "times as long as on one thread"
