"""Data of the study's shape, and how to time two things side by side.

Both sides get the same number of threads. More than one needs an idle machine: where another process holds a core,
BLAS threads wait for each other whole time slices, and ratios say nothing about fastlr.

No name here may begin with what asv takes for a benchmark: ``time_``, ``track_``, ``mem_``, ``peakmem_``.
"""

import statistics
import time
from functools import cache

import numpy as np

from fastlr._jit import kernel
from fastlr._team import Team
from fastlr._validation import check_features
from fastlr.designs.dense import DenseDesign

LAYOUTS = ("rows", "columns")  # what is contiguous: the features of a sample, or the samples of a feature
DTYPES = ("float64", "float32", "uint8")
THREADS = (1, 2)

N_SAMPLES, SIDE = 348, 64
N_FEATURES = SIDE * SIDE
PIXEL = 1.0 / 255.0


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


def make_design(layout, dtype, threads):
    """X as fastlr reads it."""
    return DenseDesign(
        check_features(features(layout, dtype)),
        labels(),
        np.empty(0),
        scale=PIXEL if dtype == "uint8" else 1.0,
        team=Team(threads),
    )


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


def speedup(slow, fast, number, burst=1):
    """How many times faster `fast` is: the median over `number` rounds that time both, one after the other.

    A slow moment of the machine meets both sides. Each side has a burst of calls, as in a fit: the first is not
    counted, since it starts that side's threads while those of the other side may still be waiting for work. A pause
    lets those go.
    """
    ratios = []
    for _ in range(number):
        seconds = []
        for function in (slow, fast):
            time.sleep(0.005)
            seconds.append(median_seconds(function, burst))
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


@kernel()
def _sum_words(words):
    total = np.uint64(0)
    for i in range(words.size):
        total += words[i]
    return total


def reader(X):
    """A function by which one thread reads X: the floor of a pass.

    The bytes are added up as 64-bit words, so that reading is all there is to it, whatever X holds.
    """
    words = X.reshape(-1, order="A").view(np.uint64)
    _sum_words(words)  # compile
    return lambda: _sum_words(words)
