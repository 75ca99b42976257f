"""Data of the study's shape, and how to time two things side by side.

Both sides get the same number of threads. More than one needs an idle machine: where another process holds a core,
BLAS threads wait for each other whole time slices, and ratios say nothing about fastlr.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import statistics
import time
from functools import cache

import numpy as np

from fastlr._validation import check_features
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.dense import DenseMatrix
from fastlr.runtime.team import Team

LAYOUTS = ("rows", "columns")  # what is contiguous: the features of a sample, or the samples of a feature
DTYPES = ("float64", "float32", "uint8")
THREADS = (1, 2)

N_SAMPLES, SIDE = 348, 64
N_FEATURES = SIDE * SIDE
PIXEL = 1.0 / 255.0

# Seconds between two sides: threads of BLAS that have nothing to do keep a core busy for half as long.
PAUSE_OF_THREADS = 0.2
_PAUSE = 0.005


@cache
def pixels():
    """Bright noise with a patch that depends on the label: uint8, (n_samples, n_features)."""
    images = np.random.default_rng(0).integers(120, 220, size=(N_SAMPLES, SIDE, SIDE), dtype=np.uint8)
    images[labels() == 1, 16:48, 24:40] += 30
    return images.reshape(N_SAMPLES, N_FEATURES)


@cache
def labels():
    """As many 0 as 1: float64, (n_samples,)."""
    return np.random.default_rng(1).permutation(np.arange(N_SAMPLES) % 2).astype(np.float64)


@cache
def features(layout, dtype):
    """X: pixels as uint8, or divided by 255."""
    X = pixels() if dtype == "uint8" else pixels() * PIXEL
    return np.array(X, dtype=dtype, order="C" if layout == "rows" else "F")


def start():
    """[w, b] that the study starts from."""
    return np.append(np.full(N_FEATURES, 0.01), 0.0)


def matrix_and_loss(X, y, threads, scale=1.0):
    """X and y as fastlr reads them."""
    return DenseMatrix(check_features(X), scale=scale, team=Team(threads)), LogisticLoss(y, np.empty(0))


def make_data(layout, dtype, threads):
    """The same for data of the study's shape."""
    return matrix_and_loss(features(layout, dtype), labels(), threads, PIXEL if dtype == "uint8" else 1.0)


def numpy_data(layout, dtype):
    """X and y for NumPy, whose products need floats: float32 in place of uint8, with y to match."""
    X = features(layout, "float32" if dtype == "uint8" else dtype)
    return X, labels().astype(X.dtype)


def _timed(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def median_seconds(function, number):
    """Median seconds of `number` calls, after one that is not counted."""
    function()
    return statistics.median(_timed(function) for _ in range(number))


def seconds_of(functions, number, burst=9, pause=_PAUSE):
    """Seconds of a call of each function, by name: medians over `number` rounds in which all have their turn.

    A slow moment of the machine meets all of them. Each has a burst of calls, as in a fit: the first is not
    counted, since it starts that side's threads. Before it comes a pause, which with several threads has to be
    `PAUSE_OF_THREADS`, for those of another side may still be waiting for work.
    """
    seconds = {name: [] for name in functions}
    for _ in range(number):
        for name, function in functions.items():
            time.sleep(pause)
            seconds[name].append(median_seconds(function, burst))
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio(slow, fast, number, burst=9, pause=_PAUSE):
    """How many times faster `fast` is: the median over `number` rounds that time both, one after the other."""
    ratios = []
    for _ in range(number):
        seconds = seconds_of({"slow": slow, "fast": fast}, 1, burst, pause)
        ratios.append(seconds["slow"] / seconds["fast"])
    return statistics.median(ratios)
