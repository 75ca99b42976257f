"""Machine code that travels with the package: a read-only cache, with a folder for each portable level of processors.

An entry is found by the same key as in the user's own cache, with the level in place of the processor. Python, Numba,
llvmlite, the platform and the sources of the package are part of it, so what does not match is not there. Looked into
where the user's cache has nothing, and never written to.
"""

import logging
import os
import shutil
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import numba

try:
    from numba.core.caching import IndexDataCacheFile
except ImportError:  # a private class: without it there is no seed
    IndexDataCacheFile = None

_V2 = ("cx16", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")

# LLVM's names of processors, with the features that code for them may use; the best first.
LEVELS = {"x86-64-v4": _V4, "x86-64-v3": _V3, "x86-64-v2": _V2}
if llvm.get_default_triple().startswith(("aarch64", "arm64")):
    LEVELS = {"generic": ("neon",)}

ENVIRONMENT = "FASTLR_SEED"  # names another folder than the package's own
SHIPPED = Path(__file__).parents[1] / "_seed"

_logger = logging.getLogger("fastlr")


def features_of(level):
    """LLVM's features of a level, as Numba is told them."""
    return ",".join(f"+{name}" for name in sorted(LEVELS[level]))


@cache
def usable_levels():
    """Levels whose code this processor runs, the best first."""
    host = llvm.get_host_cpu_features()
    return tuple(level for level, features in LEVELS.items() if all(host.get(name, False) for name in features))


@cache
def folders():
    """Folders of the levels that this processor runs, the best first, with the names of the levels."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES is not None:  # who asks for a processor gets code for it
        return ()
    seed = Path(os.environ.get(ENVIRONMENT) or SHIPPED)
    return tuple((level, seed / level) for level in usable_levels() if (seed / level).is_dir())


def load(name, stamp, key):
    """What a seed holds of a function, as Numba stores it.

    Parameters
    ----------
    name : str
        What Numba calls the function's files, without suffixes.
    stamp : str
        Of the package's sources.
    key : tuple
        Numba's, for the host: (signature, (triple, processor, features), hashes of the bytecode).

    Returns
    -------
    tuple or None
        None where there is no entry, or none that can be read.
    """
    for level, folder in folders():
        signature, (triple, *_), hashes = key
        try:
            found = IndexDataCacheFile(str(folder), name, stamp).load(
                (signature, (triple, level, features_of(level)), hashes)
            )
        except Exception as error:  # whatever a damaged or foreign file raises
            _logger.info("ignored a damaged seed entry of %s: %r", name, error)
            continue
        if found is not None:
            return found
    return None


def collect(cache_folder, seed, level):
    """Make what Numba left in a cache folder a level of a seed, in place of what was there; returns its bytes."""
    folder = Path(seed) / level
    shutil.rmtree(folder, ignore_errors=True)  # or code of older sources would travel as well
    folder.mkdir(parents=True, exist_ok=True)
    n_bytes = 0
    for path in sorted(Path(cache_folder).rglob("*.nb[ci]")):
        shutil.copyfile(path, folder / path.name)
        n_bytes += path.stat().st_size
    return n_bytes
