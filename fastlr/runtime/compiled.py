"""What of the package is compiled, for reports."""

import importlib
import pkgutil

from numba.core.dispatcher import Dispatcher


def cached_signatures(package):
    """How many signatures of each kernel the disk cache holds for the sources as they are.

    Parameters
    ----------
    package : str
        Name of the package whose modules hold the kernels.

    Returns
    -------
    counts : dict
        Numbers by name of the kernel, "dense.sweep_rows" say; None where the cache cannot tell.
    folders : set of str
        Where the cache is; empty where there is none.
    """
    counts, folders = {}, set()
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{found.name}")
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                counts[f"{found.name}.{name}"] = _signatures(value)
                folders.add(getattr(value._cache, "cache_path", None))
    return counts, folders - {None}


def _signatures(dispatcher):
    try:
        return len(dispatcher._cache._cache_file._load_index())
    except Exception:  # private parts that are not there, or a damaged file
        return None
