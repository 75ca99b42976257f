"""Partitions of Dask, on the scheduler that is active: they stay where they are, and sums travel.

The same for another engine takes no more than `DaskBlocks`: parts that stay where they were made, and `map`.
"""

import dask
import dask.array as da
import numpy as np
from scipy import sparse

from .local import Starts


def _call(function, part, X, args, *last):
    return function(part, X, None, *args, *last)


class DaskBlocks(Starts):
    """Partitions of X, with a part for each that a worker holds.

    Parameters
    ----------
    X, parts : lists of Delayed
    shape : n_rows of each, n_features, is_sparse
    """

    def __init__(self, X, parts, *shape):
        super().__init__(*shape)
        self._X, self._parts = X, dask.persist(*parts)

    def map(self, function, *args, each=None, reads=True):
        """See `LocalBlocks`."""
        call, shared = dask.delayed(_call, pure=False), dask.delayed(args, pure=False, traverse=False)
        tasks = [
            call(function, part, X if reads else None, shared, *([] if each is None else [each[k]]))
            for k, (part, X) in enumerate(zip(self._parts, self._X, strict=True))
        ]
        return dask.compute(*tasks)


class DaskSource:
    """A `dask.array` or `dask.dataframe`; attributes and methods as of `Source`, but for `read`.

    Parameters
    ----------
    X : dask collection of shape (n_samples, n_features)
    y, sample_weight : dask collection of shape (n_samples,), or array where X knows its chunks, optional
    """

    def __init__(self, X, y, sample_weight):
        self.feature_names = None
        if hasattr(X, "columns"):
            wrong = [name for name, dtype in X.dtypes.items() if getattr(dtype, "kind", "O") not in "biuf"]
            if wrong:
                raise TypeError(f"column {wrong[0]!r} of X is of type {X.dtypes[wrong[0]]}: encode it as numbers")
            self.dtype, self.is_sparse = np.result_type(*X.dtypes), False
            if all(isinstance(name, str) for name in X.columns):
                self.feature_names = list(X.columns)
        else:
            if X.ndim != 2:
                raise ValueError(f"X must be two-dimensional, got a dask array of shape {X.shape}")
            X = X.rechunk({1: -1})
            self.dtype, self.is_sparse = X.dtype, sparse.issparse(X._meta)
        self.n_features, blocks = X.shape[1], partitions(X)
        vectors = [
            _vector(values, name, X, len(blocks)) for values, name in ((y, "y"), (sample_weight, "sample_weight"))
        ]
        self._blocks, self._labels = blocks, list(zip(*vectors, strict=True))
        self._names = [f"partition {k} of X" for k in range(len(blocks))]

    def ask(self, function, *args):
        """See `Source`."""
        return list(dask.compute(*self._delayed(function, args)))

    def blocks(self, function, n_rows, *args):
        """See `Source`."""
        parts = self._delayed(function, args)
        X, parts, n_rows = zip(
            *(block for block in zip(self._blocks, parts, n_rows, strict=True) if block[2]), strict=True
        )
        return DaskBlocks(X, parts, n_rows, self.n_features, self.is_sparse)

    def ask_with_rows(self, function, *args):
        """See `Source`."""
        return list(dask.compute(*self._delayed(function, args, [(X,) for X in self._blocks])))

    def _delayed(self, function, args, last=None):
        function = dask.delayed(function, pure=False)
        args = [dask.delayed(arg, pure=False, traverse=False) for arg in args]
        blocks = zip(self._labels, self._names, last or [()] * len(self._names), strict=True)
        return [function(*labels, name, *args, *end) for labels, name, end in blocks]


def lazily(function, model, name, X):
    """``function(model, name, X, like)`` of each partition of X, put off: a dask array.

    `like` is what the method of that name makes of a row or two.
    """
    like = getattr(model, name)(X._meta_nonempty if hasattr(X, "columns") else np.zeros((1, X.shape[1]), X.dtype))
    model, call = dask.delayed(model, pure=False, traverse=False), dask.delayed(function, pure=False)
    if not hasattr(X, "columns"):
        X = X.rechunk({1: -1})
    n_rows = X.chunks[0] if hasattr(X, "chunks") else [np.nan] * X.npartitions
    parts = [
        da.from_delayed(call(model, name, part, like), (n, *like.shape[1:]), like.dtype)
        for part, n in zip(partitions(X), n_rows, strict=True)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def partitions(values):
    """Those of a collection, in their order."""
    return np.ravel(values.to_delayed()).tolist()


def _vector(values, name, X, n_blocks):
    """A block of a vector for each of X."""
    if values is None:
        return [None] * n_blocks
    if not hasattr(values, "__dask_graph__"):
        values = da.from_array(np.asarray(values), chunks=-1)
    if hasattr(values, "chunks") and hasattr(X, "chunks") and not np.isnan([*X.chunks[0], *values.chunks[0]]).any():
        if values.shape != X.shape[:1]:
            raise ValueError(f"{name} must have shape {X.shape[:1]}, one value per sample, got {values.shape}")
        values = values.rechunk((X.chunks[0],))
    blocks = partitions(values)
    if len(blocks) != n_blocks:
        raise ValueError(f"{name} must have as many partitions as X, {n_blocks}, got {len(blocks)}")
    return blocks
