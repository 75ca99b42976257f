"""Partitions of Dask, on the scheduler that is active: they stay where they are, and sums travel.

A task costs milliseconds wherever it runs. So partitions in the memory of a worker are worked through by no more tasks
than it has threads; each of the others, read anew for each pass, by one of its own.
"""

import sys
from functools import partial
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
from scipy import sparse

from ..runtime.team import Team
from .local import Starts


class _Group(NamedTuple):
    """Blocks that one task works through."""

    members: list  # ascending
    n_threads: int = 1  # of the task
    is_held: bool = False  # by a worker, in memory

    def among(self, places):
        """The same, counted among some of the blocks."""
        return self._replace(members=np.searchsorted(places, np.intersect1d(self.members, places)).tolist())


def groups_of(X, blocks):
    """The partitions of X in groups."""
    distributed = sys.modules.get("distributed")  # loaded where workers hold anything
    futures = {future.key: future for future in distributed.futures_of(X)} if distributed else {}
    if not all(block.key in futures for block in blocks):
        return [_Group([k]) for k in range(len(blocks))]
    futures = [futures[block.key] for block in blocks]
    distributed.wait(futures)
    client, groups, workers = futures[0].client, [], {}
    places, n_threads = client.who_has(futures), client.nthreads()
    for k, future in enumerate(futures):
        workers.setdefault(next(iter(places[future.key]), None), []).append(k)
    for worker, members in workers.items():
        there = n_threads.get(worker, 1)
        n_tasks = min(there, len(members))
        groups += [_Group(some.tolist(), there // n_tasks, True) for some in np.array_split(members, n_tasks)]
    return groups


def _ask(function, args, nearby, *columns):
    """``function(y, sample_weight, name, *args, *rest)`` of each block of a group; `nearby` is where it is done."""
    return [function(*block[:3], *args, *block[3:]) for block in zip(*columns, strict=True)]


def _run(function, args, n_threads, parts, *columns):
    with Team(n_threads) as team:
        return [function(part, X, team, *args, *own) for part, X, *own in zip(parts, *columns, strict=True)]


def _in_order(groups, tasks):
    """What tasks say of each block of their groups, in the order of blocks."""
    found = {}
    for group, results in zip(groups, dask.compute(*tasks), strict=True):
        found.update(zip(group.members, results, strict=True))
    return [found[k] for k in sorted(found)]


class DaskBlocks(Starts):
    """Partitions of X, with parts that workers hold.

    Parameters
    ----------
    X : list of Delayed
    groups : list of _Group
    parts : list of Delayed
        A list of parts for each group.
    shape : n_rows of each block, n_features, is_sparse
    """

    def __init__(self, X, groups, parts, *shape):
        super().__init__(*shape)
        self._X, self._groups, self._parts = X, groups, dask.persist(*parts)

    def map(self, function, *args, each=None, reads=True):
        """See `LocalBlocks`."""
        columns = [self._X if reads else [None] * len(self._X), *([] if each is None else [each])]
        tasks = []
        for group, parts in zip(self._groups, self._parts, strict=True):
            call = dask.delayed(partial(_run, function, args, group.n_threads), pure=False)
            tasks.append(call(parts, *([column[k] for k in group.members] for column in columns)))
        return _in_order(self._groups, tasks)


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
        names = [f"partition {k} of X" for k in range(len(blocks))]
        self._X, self._columns, self._groups = blocks, [*vectors, names], groups_of(X, blocks)

    def ask(self, function, *args):
        """See `Source`."""
        return _in_order(self._groups, self._tasks(self._groups, function, args, self._columns))

    def ask_with_rows(self, function, *args):
        """See `Source`."""
        return _in_order(self._groups, self._tasks(self._groups, function, args, [*self._columns, self._X]))

    def blocks(self, function, n_rows, *args):
        """See `Source`."""
        places = np.flatnonzero(n_rows)
        X, n_rows, *columns = ([column[k] for k in places] for column in (self._X, n_rows, *self._columns))
        groups = [group for group in (group.among(places) for group in self._groups) if group.members]
        nearby = [X[group.members[0]] if group.is_held else None for group in groups]
        parts = self._tasks(groups, function, args, columns, nearby)
        return DaskBlocks(X, groups, parts, n_rows, self.n_features, self.is_sparse)

    def _tasks(self, groups, function, args, columns, nearby=None):
        """A task for each group that asks a function of each block."""
        call = dask.delayed(partial(_ask, function, args), pure=False)
        nearby = nearby or [None] * len(groups)
        return [
            call(near, *([column[k] for k in group.members] for column in columns))
            for near, group in zip(nearby, groups, strict=True)
        ]


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
