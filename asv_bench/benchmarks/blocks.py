"""Fits to an X in blocks: a memory map, Parquet files, partitions of Dask, beside what reading alone takes.

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
KINDS = ("memmap", "parquet", "dask", "sgd")


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
    sums = statistics.median(timed(lambda: X.sum())[1] for _ in range(3))
    with peak_memory(found):
        model, seconds = fit(X, y)
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


def dask(folder):
    """Seconds of a fit on two workers, of an empty round, and of the fit in memory."""
    import dask
    import dask.array as da
    import distributed

    X, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    fit(X[: len(X) // 10], y[: len(y) // 10])
    model, seconds = fit(X, y)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            rows = -(-len(X) // 8)
            paths = str(folder / "x.npy"), str(folder / "y.npy")
            parts = [
                [
                    dask.delayed(lambda path, a: np.load(path, mmap_mode="r")[a : a + rows].copy())(path, a)
                    for path in paths
                ]
                for a in range(0, len(X), rows)
            ]
            lengths = [min(rows, len(X) - a) for a in range(0, len(X), rows)]
            sizes = zip(parts, lengths, strict=True)
            blocks = [
                (da.from_delayed(x, (n, N_FEATURES), X.dtype), da.from_delayed(v, (n,), y.dtype)) for (x, v), n in sizes
            ]
            there = client.persist([da.concatenate(some) for some in zip(*blocks, strict=True)])
            distributed.wait(there)
            fit(*there)
            remote, remote_seconds = fit(*there)
            empty = dask.delayed(lambda part: None, pure=False)
            rounds = [timed(lambda: dask.compute(*map(empty, there[0].to_delayed().ravel())))[1] for _ in range(9)]
    return {
        "seconds": remote_seconds,
        "passes": remote.n_passes_,
        "in memory, seconds": seconds,
        "times that": remote_seconds / seconds,
        "empty round, ms": 1e3 * statistics.median(rounds),
        "largest difference of coefficients": float(np.abs(remote.coef_ - model.coef_).max()),
    }


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
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=os.name == "nt") as folder:
        make_files(Path(folder), options.rows, options.kinds)
        for kind in options.kinds:
            print(f"{kind}, {options.rows:,} x {N_FEATURES} float32")
            for name, value in globals()[kind](Path(folder)).items():
                print(f"    {name}: {value:.4g}")


if __name__ == "__main__":
    main()
