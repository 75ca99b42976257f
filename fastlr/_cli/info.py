"""``fastlr info``: what a report of a bug needs."""

import argparse
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from .. import __version__
from ..runtime import machine, seed
from ..runtime.compiled import cached_signatures
from ..runtime.team import effective_n_threads

_NEEDED = ("numba", "llvmlite", "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl")
_OPTIONAL = ("matplotlib", "pandas", "polars", "pyarrow", "h5py", "zarr", "dask", "statsmodels", "tqdm")
_PREFIXES = ("NUMBA_", "FASTLR_", "OMP_", "OPENBLAS_", "MKL_")  # of environment variables that matter


def main(argv):
    """Print it."""
    description = "Print versions, the processor, the cache folder and what is compiled: what a report of a bug needs."
    argparse.ArgumentParser(prog="fastlr info", description=description).parse_args(argv)
    for name, value in facts():
        print(f"{name + ':':<22}{value}")


def facts():
    """Names and values, in the order in which they are printed."""
    yield "fastlr", __version__
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    for name in _NEEDED:
        yield name, _version(name)
    yield "also installed", ", ".join(f"{n} {_version(n)}" for n in _OPTIONAL if _version(n)) or "nothing of use"
    yield "system", platform.platform()
    yield "processor", machine.processor()
    yield "instruction set", machine.instruction_set()
    sizes = machine.cache_sizes()
    yield "caches", ", ".join(f"L{level} {size // 1024} KB" for level, size in sorted(sizes.items()))
    yield "threads of a fit", effective_n_threads(None)
    for library in threadpool_info():
        yield library["user_api"], f"{library['internal_api']} {library['version']}, {library['num_threads']} threads"
    for name in sorted(os.environ):
        if name.startswith(_PREFIXES):
            yield name, os.environ[name]
    yield from _compiled()


def _compiled():
    counts, folders = cached_signatures("fastlr.kernels")
    yield "cache folder", ", ".join(sorted(folders)) or "none that can be written"
    known = {name: count for name, count in counts.items() if count}
    yield "compiled", ", ".join(f"{name} ({count})" for name, count in known.items()) or "nothing"
    yield "levels that run here", ", ".join(seed.usable_levels()) or "none"
    yield "seed", ", ".join(str(folder) for _, folder in seed.folders()) or "none"


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None
