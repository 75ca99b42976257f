"""Fits to an X in blocks: a memory map, Parquet files, partitions of Dask, beside reading alone, and dask-ml.

``python -m benchmarks.blocks`` in the folder above prints the table without asv; `--rows` and `--kinds` choose. Files
are made in a temporary folder; TMPDIR chooses where.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import fastlr

N_FEATURES = 100
CHUNK = 65_536  # rows that are made, or are a row group, at a time
KINDS = ("memmap", "parquet", "dask", "dask_ml", "sgd")
TURNS = 5


def make_files(folder, n_samples, kinds):
    """X, float32, and y as files: paths by kind."""
    coef = np.random.default_rng(0).normal(size=N_FEATURES) / np.sqrt(N_FEATURES)
    X = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (n_samples, N_FEATURES))
    y = np.empty(n_samples, np.int8)
    writer = None
    for first in range(0, n_samples, CHUNK):
        rng, rows = np.random.default_rng([1, first]), slice(first, min(first + CHUNK, n_samples))
        block = rng.standard_normal((rows.stop - first, N_FEATURES), np.float32)
        X[rows], y[rows] = block, block @ coef + rng.logistic(size=len(block)) > 0.0
        if "parquet" in kinds:
            import pyarrow as pa
            import pyarrow.parquet as pq

            columns = {f"x{j}": block[:, j] for j in range(N_FEATURES)}
            table = pa.table(columns | {"y": y[rows]})
            writer = writer or pq.ParquetWriter(folder / "x.parquet", table.schema, compression="snappy")
            writer.write_table(table, row_group_size=CHUNK)
    if writer:
        writer.close()
    np.save(folder / "y.npy", y)


def timed(function):
    """What a function returns, and seconds."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


@contextlib.contextmanager
def peak_memory(found):
    """Append the largest growth of the memory that is no file's pages, in MB, as Linux tells it."""
    status, done = Path("/proc/self/status"), threading.Event()

    def anonymous():
        return int(status.read_text().split("RssAnon:")[1].split()[0]) / 1e3

    def watch():
        while not done.wait(0.005):
            sizes.append(anonymous())

    sizes = [anonymous()]
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        found.append(max(sizes) - sizes[0])


def fit(X, y=None):
    """A fit at the default tolerance and its seconds, after what a small one compiles."""
    return timed(lambda: fastlr.LogisticRegression().fit(X, y))


def memmap(folder):
    """Seconds of a fit, its passes, and what it takes beside the pages of the file."""
    X, y, found = np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy"), []
    fit(X[: len(X) // 10], y[: len(y) // 10])
    with peak_memory(found):
        turns = [(timed(lambda: X.sum())[1], *fit(X, y)) for _ in range(TURNS)]
    model, (sums, seconds) = turns[0][1], (statistics.median(turn[k] for turn in turns) for k in (0, 2))
    share = model.n_passes_ * sums / seconds
    return {
        "seconds": seconds,
        "passes": model.n_passes_,
        "gap": model.gap_,
        "sum(X), seconds": sums,
        "rate of the fit's passes, times that of sum(X)": share,
        "MB beside pages": found[0],
        "MB allowed": 300 + 40 * len(X) / 1e6,
    }


def parquet(folder):
    """Seconds of a fit, and of reading the files as often."""
    import pyarrow.parquet as pq

    path, found = folder / "x.parquet", []

    def read():
        file = pq.ParquetFile(path)
        for k in range(file.num_row_groups):
            file.read_row_group(k)

    names = [f"x{j}" for j in range(N_FEATURES)]
    fastlr.LogisticRegression().fit(
        lambda: iter([(np.eye(400, N_FEATURES, dtype=np.float32, order="F"), np.arange(400) % 2)])
    )
    seconds_of_reading = statistics.median(timed(read)[1] for _ in range(3))
    with peak_memory(found):
        model, seconds = fit(path, "y")
    assert model.feature_names_in_.tolist() == names
    reading = model.n_passes_ * seconds_of_reading
    return {
        "seconds": seconds,
        "passes": model.n_passes_,
        "gap": model.gap_,
        "reading alone as often, seconds": reading,
        "times that": seconds / reading,
        "MB": found[0],
    }


@contextlib.contextmanager
def two_workers(*paths):
    """Dask arrays of files with the same rows, in 8 partitions that two processes hold."""
    import dask.array as da
    import distributed

    def chunk(array, path, block_info):
        (first, stop), *_ = block_info[None]["array-location"]
        return np.load(path, mmap_mode="r")[first:stop].copy()

    def held(path):
        array = np.load(path, mmap_mode="r")
        shape = da.empty(array.shape, chunks=(-(-len(array) // 8), *array.shape[1:]), dtype=array.dtype)
        return shape.map_blocks(chunk, path, dtype=array.dtype)

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            there = client.persist([held(str(path)) for path in paths])
            distributed.wait(there)
            yield there


def dask(folder):
    """Seconds of a fit on two workers, of an empty round, and of the fit in memory."""
    import dask

    paths = folder / "x.npy", folder / "y.npy"
    X, y = map(np.load, paths)
    with two_workers(*paths) as there:
        fit(X, y)
        fit(*there)
        turns = [(*fit(X, y), *fit(*there)) for _ in range(TURNS)]
        empty = dask.delayed(lambda part: None, pure=False)
        rounds = [timed(lambda: dask.compute(*map(empty, there[0].to_delayed().ravel())))[1] for _ in range(9)]
    model, _, remote, _ = turns[0]
    seconds, remote_seconds = (statistics.median(turn[k] for turn in turns) for k in (1, 3))
    return {
        "seconds": remote_seconds,
        "passes": remote.n_passes_,
        "in memory, seconds": seconds,
        "times that": remote_seconds / seconds,
        "empty round, ms": 1e3 * statistics.median(rounds),
        "largest difference of coefficients": float(np.abs(remote.coef_ - model.coef_).max()),
    }


def dask_ml(folder):
    """Seconds of a fit to 300,000 x 50 on two workers, and of each solver of dask-ml to a gap of 1e-6.

    Its objective has the intercept penalised, so its optimum is that of another column, of ones. Its solvers take twice
    as many steps until they are there.
    """
    from dask_ml.linear_model import LogisticRegression as Other

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300_000, 50)) @ (np.eye(50) + 0.04 * rng.normal(size=(50, 50)))
    y = (X @ rng.normal(size=50) / 7 + rng.logistic(size=len(X)) > 0).astype(int)
    ones, signs = np.column_stack([X, np.ones(len(X))]), 2 * y - 1

    def value(coef):
        return np.logaddexp(0.0, -signs * (ones @ coef)).sum() + 0.5 * coef @ coef

    least = value(fastlr.LogisticRegression(tol=1e-13, fit_intercept=False).fit(ones, y).coef_[0])
    found, paths = {}, (folder / "ml_x.npy", folder / "ml_y.npy")
    for path, array in zip(paths, (X, y), strict=True):
        np.save(path, array)
    with two_workers(*paths) as there:
        fit(*there)
        found["seconds"] = statistics.median(fit(*there)[1] for _ in range(TURNS))
        for solver in ("newton", "lbfgs", "admm", "gradient_descent", "proximal_grad"):
            Other(solver=solver, C=1.0, max_iter=1).fit(*there)
            for max_iter in (1, 2, 4, 8, 16, 32):
                other = Other(solver=solver, C=1.0, max_iter=max_iter, tol=1e-12)
                _, seconds = timed(lambda other=other: other.fit(*there))
                gap = value(np.append(other.coef_, other.intercept_)) / least - 1.0
                if gap <= 1e-6:
                    break
            found[f"{solver} to {gap:.0e}, seconds"] = seconds
    return found


def sgd(folder):
    """Seconds of ten epochs of scikit-learn's stochastic gradient descent, and of a fit to a gap of 1e-3."""
    from sklearn.linear_model import SGDClassifier

    X, y = np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy")
    other = SGDClassifier(loss="log_loss", alpha=1.0 / len(X))

    def epochs():
        for _ in range(10):
            for first in range(0, len(X), CHUNK):
                other.partial_fit(X[first : first + CHUNK], y[first : first + CHUNK], classes=[0, 1])

    _, others = timed(epochs)
    model, seconds = timed(lambda: fastlr.LogisticRegression(tol=1e-3).fit(X, y))
    right = {name: one.score(X[:500_000], y[:500_000]) for name, one in (("fastlr", model), ("sgd", other))}
    return {"seconds": seconds, "SGD, seconds": others, "times as fast": others / seconds} | right


class Blocks:
    """Times as long as reading alone, of a fit to 500,000 rows."""

    params = (("memmap", "parquet"),)
    param_names = ("kind",)
    timeout = 600

    def setup(self, kind):
        self.folder = tempfile.TemporaryDirectory()
        make_files(Path(self.folder.name), 500_000, [kind])

    def teardown(self, kind):
        self.folder.cleanup()

    def track_seconds(self, kind):
        return globals()[kind](Path(self.folder.name))["seconds"]

    track_seconds.unit = "s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[kind for kind in KINDS if kind != "dask_ml"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=os.name == "nt") as folder:
        make_files(Path(folder), options.rows, options.kinds)
        for kind in options.kinds:
            print(f"{kind}, {options.rows:,} x {N_FEATURES} float32")
            for name, value in globals()[kind](Path(folder)).items():
                print(f"    {name}: {value:.4g}")


if __name__ == "__main__":
    main()
