"""How fast the kernels are on this processor: a table of ratios, and the cells below 1.

    python portability.py             # some minutes
    python portability.py --quick     # a first look

Run it again for other processors' code with ``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES`` and, to match,
``OPENBLAS_CORETYPE`` set; ``README.md`` beside this file has the commands, and the tables of the processors met so far.

All ratios are times of the other side over times of fastlr's, warm, with the same number of threads on both sides,
timed in turn: medians.
"""

import argparse
from functools import partial

import numpy as np
from benchmarks.common import PAUSE_OF_THREADS, PIXEL, labels, matrix_and_loss, ratio, seconds_of
from benchmarks.plain import numpy_products, plain_pass, reader
from threadpoolctl import threadpool_info, threadpool_limits

from fastlr import functional, reference
from fastlr._validation import check_features
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.dense import DenseMatrix
from fastlr.runtime import machine
from fastlr.runtime.team import Team
from fastlr.solvers import gradient_descent

SHAPES = ((348, 4096), (3480, 4096), (348, 4160))
LAYOUTS = {"samples": "C", "features": "F"}
DTYPES = ("float64", "float32", "uint8")
PRODUCT_COLUMNS = (10, 30, 50, 104, 400, 1000, 3000)


def features(shape, dtype, order):
    """Random features of a shape."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, shape, dtype=np.uint8)
    return np.array(X if dtype == "uint8" else X * PIXEL, dtype=dtype, order=order)


def read_by_fastlr(X, n_threads):
    """X as a matrix, and a loss of random labels."""
    y = np.random.default_rng(1).integers(0, 2, len(X)).astype(np.float64)
    return matrix_and_loss(X, y, n_threads, PIXEL if X.dtype == np.uint8 else 1.0)


def passes(rounds):
    """Rows of the table of passes: (what, {column: ratio})."""
    for shape in SHAPES:
        for contiguous, order in LAYOUTS.items():
            for dtype in DTYPES:
                X = features(shape, dtype, order)
                coefs = np.append(np.full(shape[1], 1e-3), 0.0)[None]
                others = {"NumPy": numpy_products(X), "plain": plain_pass(X), "read": reader(X)}
                cells = {}
                for n_threads in (1, 2):
                    matrix, loss = read_by_fastlr(X, n_threads)
                    with threadpool_limits(n_threads, user_api="blas"), matrix.team:
                        names = ("NumPy", "plain", "read") if n_threads == 1 else ("NumPy",)
                        functions = {name: others[name] for name in names}
                        functions["fastlr"] = partial(matrix.sweep, loss, coefs)
                        pause = PAUSE_OF_THREADS if n_threads > 1 else 0.005
                        seconds = seconds_of(functions, rounds, pause=pause)
                        for name in names:
                            cells[f"{name}, {n_threads} thr."] = seconds[name] / seconds["fastlr"]
                        if n_threads == 1:
                            cells["µs"] = seconds["fastlr"] * 1e6
                yield f"{shape[0]}x{shape[1]} {dtype}, {contiguous} contiguous", cells


def training(rounds):
    """Rows of the table of 150 iterations over the study's own array, features contiguous."""
    start = np.append(np.full(4096, 0.01), 0.0)
    y = labels()
    for method, dtype in (("fused", "float64"), ("fused", "float32"), ("fused", "uint8"), ("gram", "float64")):
        X = features((348, 4096), dtype, "F")
        floats = X if X.dtype.kind == "f" else (X * np.float32(PIXEL)).astype(np.float32, order="F")
        cells = {}
        for n_threads in (1, 2):
            with threadpool_limits(n_threads, user_api="blas"):

                def train(X=X, n_threads=n_threads, method=method):
                    with Team(n_threads) as team:
                        scale = PIXEL if X.dtype == np.uint8 else 1.0
                        matrix = DenseMatrix(check_features(X), scale=scale, team=team)
                        loss = LogisticLoss(y, np.empty(0))
                        gradient_descent.solve(matrix, loss, start, learning_rate=0.01, n_iterations=150, method=method)

                def train_numpy(X=floats):
                    reference.gradient_descent(X, y.astype(X.dtype), None, start, 0.01, 150)

                seconds = seconds_of({"NumPy": train_numpy, "fastlr": train}, rounds, burst=1, pause=PAUSE_OF_THREADS)
                cells[f"NumPy, {n_threads} thr."] = seconds["NumPy"] / seconds["fastlr"]
        yield f"150 iterations, {method}, {dtype}", cells


def products(rounds):
    """Rows of the table of Hessian and Gram matrix, beside BLAS on one thread: X' X of an X scaled in NumPy, X X'."""
    for dtype in ("float64", "float32"):
        for n_columns in PRODUCT_COLUMNS:
            n_rows = min(100_000, max(2_000, 2 * n_columns, 60_000_000 // n_columns**2))
            X = np.random.default_rng(0).random((n_rows, n_columns)).astype(dtype)
            matrix, loss = read_by_fastlr(X, 1)
            matrix.sweep(loss, np.zeros((1, n_columns + 1)))
            scale = np.sqrt(loss.curvature).astype(dtype)[:, None]
            # The Gram matrix of as many samples as the Hessian has columns.
            wide, _ = read_by_fastlr(np.ascontiguousarray(X.T), 1)

            def hessian_numpy(X=X, scale=scale):
                scaled = X * scale
                return scaled.T @ scaled

            with threadpool_limits(1, user_api="blas"):
                cells = {
                    "Hessian": ratio(hessian_numpy, partial(matrix.sandwich, loss), max(3, rounds // 4), burst=3),
                    "Gram": ratio(lambda wide=wide: wide.X @ wide.X.T, wide.gram, max(3, rounds // 4), burst=3),
                }
            yield f"{n_columns} columns, {dtype}", cells


def calls(rounds):
    """Microseconds that a function of the study costs beside its pass."""
    X = features((348, 4096), "float64", "F")
    x, y, w = X.T, labels()[None, :], np.full((4096, 1), 1e-3)
    matrix, loss = read_by_fastlr(X, 1)
    coefs = np.append(w[:, 0], 0.0)[None]
    functions = {
        "pass": partial(matrix.sweep, loss, coefs),
        "call": lambda: functional.forward_backward_propagation(w, 0.0, x, y),
        "raw": partial(matrix.predict, loss, coefs),
        "predict": lambda: functional.predict(w, 0.0, x),
    }
    seconds = seconds_of(functions, 4 * rounds)
    yield "forward_backward_propagation", {"µs beside its pass": 1e6 * (seconds["call"] - seconds["pass"])}
    yield "predict", {"µs beside its pass": 1e6 * (seconds["predict"] - seconds["raw"])}


def print_table(title, rows):
    """A table in Markdown; returns the names of cells below 1."""
    below = []
    print(f"\n{title}\n")
    columns = None
    for what, cells in rows:
        if columns is None:
            columns = list(cells)
            print(f"| | {' | '.join(columns)} |")
            print(f"| --- |{' --- |' * len(columns)}")
        print(f"| {what} | {' | '.join(f'{cells[c]:.0f}' if 'µs' in c else f'{cells[c]:.2f}' for c in columns)} |")
        below += [f"{what} / {c}: {v:.2f}" for c, v in cells.items() if "µs" not in c and "read" not in c and v < 1.0]
    return below


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: a first look")
    rounds = 3 if parser.parse_args().quick else 11
    blas = sorted({library["architecture"] for library in threadpool_info() if library["user_api"] == "blas"})
    print(f"{machine.processor()}, code for {machine.instruction_set()}, BLAS for {', '.join(blas)}")
    print("caches: " + ", ".join(f"L{k} {v >> 10} KB" for k, v in sorted(machine.cache_sizes().items())))
    title = "Passes: times as fast as NumPy's two products, as plain loops, and share of reading X"
    below = print_table(title, passes(rounds))
    below += print_table("Training: times as fast as the NumPy reference", training(rounds))
    below += print_table("Products of matrices, one thread: times as fast as BLAS", products(rounds))
    print_table("Calls", calls(rounds))
    print("\nBelow 1: " + ("; ".join(below) or "none"))


if __name__ == "__main__":
    main()
