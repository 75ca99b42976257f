"""Where blocks of rows come from when X is not an array in memory: a file for each kind.

Blocks have ``map(function, *args)``, which calls ``function(part, X, team, *args)`` for each, whose part stays where it
is from call to call, and brings the results in the order of blocks. `engine.py` is for engines that users bring; see
`README.md`.
"""

import os

import numpy as np


def source_of(X, y=None, sample_weight=None, names=()):
    """A source of blocks, where X is one; None for all that is to be read as an array.

    Parameters
    ----------
    X : object
        An array or a frame of Dask; a path of Parquet files, a list of paths or a `pyarrow.dataset.Dataset`, whose y
        and sample_weight are names of columns; an array with chunks that slices, of h5py, Zarr or xarray; a callable
        that returns a fresh iterator of blocks; an engine, see `engine.EngineSource`.
    y, sample_weight : object, optional
        None where labels are not asked for.
    names : list of str
        Columns to read of a data set, in their order; empty for all others.

    Returns
    -------
    Source or None
    """
    kind = _kind(X)
    if kind == "dask":
        from .dask import DaskSource

        return DaskSource(X, y, sample_weight).by_engine()
    if kind == "parquet":
        from .parquet import ParquetSource

        return ParquetSource(X, y, sample_weight, names)
    if kind == "engine":
        from .engine import EngineSource

        return EngineSource(X, y, sample_weight)
    if kind == "array":
        from .arrays import ArraySource

        return ArraySource(X, y, sample_weight)
    if kind == "iterator":
        from .iterators import IteratorSource

        return IteratorSource(X, y, sample_weight)
    return None


def refuse_blocks(X):
    """Raise ValueError where X is a source of blocks, for what needs it in memory."""
    if _kind(X) is not None:
        raise ValueError("X must be in memory here: files, iterators and Dask are for LogisticRegression alone")


def is_dask(X):
    """Whether X is an array or a frame of Dask; those of xarray may be made of one."""
    return hasattr(X, "to_delayed") and isinstance(getattr(X, "ndim", None), int)


def _is_path(X):
    if isinstance(X, str):  # other text is no path, and refused like all that is no array
        return bool(os.path.dirname(X) or os.path.splitext(X)[1] or os.path.exists(X))
    return isinstance(X, os.PathLike)


def _kind(X):
    if isinstance(X, np.ndarray):
        return None
    if is_dask(X):
        return "dask"
    if hasattr(X, "map_cells"):
        return "engine"
    are_paths = isinstance(X, (list, tuple)) and len(X) and all(map(_is_path, X))
    if are_paths or _is_path(X) or type(X).__module__ == "pyarrow._dataset":
        return "parquet"
    if hasattr(X, "chunks") and hasattr(X, "dtype") and len(getattr(X, "shape", ())) == 2:
        return "array"
    return "iterator" if callable(X) and not hasattr(X, "shape") else None
