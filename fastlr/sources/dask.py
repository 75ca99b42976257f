"""Partitions of Dask, on the scheduler that is active: they stay where they are, and sums travel.

A task costs milliseconds wherever it runs, for the scheduler. So where workers hold the partitions in memory, an actor
beside them is an engine, see `engine.py`, which is asked past the scheduler. Partitions that are read anew for each
pass have a task each.
"""

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import dask
import dask.array as da
import numpy as np
from scipy import sparse

from ..runtime.team import Team
from . import is_dask
from .engine import Cell, EngineSource
from .local import Starts

_MOST_LOST = 3  # times in a row: what workers are asked for may be what ends them


def _ask(function, args, *block):
    """``function(y, sample_weight, name, *args, *X)``."""
    return function(*block[:3], *args, *block[3:])


def _run(function, args, part, X, *own):
    with Team(1) as team:
        return function(part, X, team, *args, *own)


def _held(values, blocks):
    """Futures of the blocks of a collection that all are in the memory of workers, or None."""
    distributed = sys.modules.get("distributed")  # loaded where workers hold anything
    futures = {future.key: future for future in distributed.futures_of(values)} if distributed else {}
    if not all(block is not None and block.key in futures for block in blocks):
        return None
    held = [futures[block.key] for block in blocks]
    distributed.wait(held)
    return held


def _tasks(function, *columns):
    call = dask.delayed(function, pure=False)
    return [call(*block) for block in zip(*columns, strict=True)]


class DaskBlocks(Starts):
    """Partitions of X, with parts that workers hold.

    Parameters
    ----------
    X : list of Delayed
    parts : list of Delayed
    shape : n_rows of each block, n_features, is_sparse
    """

    def __init__(self, X, parts, *shape):
        super().__init__(*shape)
        self._X, self._parts = X, dask.persist(*parts)

    def map(self, function, *args, each=None, reads=True):
        """See `LocalBlocks`."""
        columns = [self._X if reads else [None] * len(self._X), *([] if each is None else [each])]
        return dask.compute(*_tasks(partial(_run, function, args), self._parts, *columns))


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
            # Types of pandas that may have missing values are none of NumPy's.
            wrong = [k for k, dtype in X.dtypes.items() if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf"]
            if wrong:
                raise TypeError(
                    f"column {wrong[0]!r} of X is of type {X.dtypes[wrong[0]]}: make it one of NumPy's numbers"
                )
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
        self._X, self._columns = blocks, [*vectors, names]
        self._held = [_held(*pair) for pair in zip((X, y, sample_weight), (blocks, *vectors), strict=True)]

    def ask(self, function, *args):
        """See `Source`."""
        return dask.compute(*_tasks(partial(_ask, function, args), *self._columns))

    def ask_with_rows(self, function, *args):
        """See `Source`."""
        return dask.compute(*_tasks(partial(_ask, function, args), *self._columns, self._X))

    def blocks(self, function, n_rows, *args):
        """See `Source`."""
        places = np.flatnonzero(n_rows)
        X, n_rows, *columns = ([column[k] for k in places] for column in (self._X, n_rows, *self._columns))
        return DaskBlocks(X, _tasks(partial(_ask, function, args), *columns), n_rows, self.n_features, self.is_sparse)

    def by_engine(self):
        """The same, of an engine where workers hold the partitions of X."""
        X, *held = self._held
        if X is None:
            return self
        *vectors, names = self._columns
        vectors = [
            there or (blocks if blocks[0] is None else X[0].client.compute(blocks))
            for there, blocks in zip(held, vectors, strict=True)
        ]
        shape = self.n_features, self.dtype, self.is_sparse, self.feature_names
        return HeldSource(Holders(X, *vectors, names), *shape)


class HeldSource(EngineSource):
    """Partitions that workers hold; parameters but the first as attributes of `Source`."""

    def __init__(self, engine, n_features, dtype, is_sparse, feature_names):
        self._engine, self.n_features, self.dtype = engine, n_features, dtype
        self.is_sparse, self.feature_names = is_sparse, feature_names


class Holder:
    """Cells of a worker, in an actor of its.

    Parameters
    ----------
    n_threads : int
        Of the worker.
    columns : lists
        X, y, weights and names of blocks.
    """

    def __init__(self, n_threads, *columns):
        self._at_once = min(n_threads, len(columns[0]))
        self._cells = [Cell(*block, n_threads=n_threads // self._at_once) for block in zip(*columns, strict=True)]

    def do(self, function, shared, own):
        """What a function says of each cell, or the error that it raised, in place of being lost with its worker."""
        try:
            with ThreadPoolExecutor(self._at_once) as pool:
                return list(pool.map(lambda cell, one: function(cell, shared, one), self._cells, own)), None
        except Exception as error:
            return None, error


class Holders:
    """An engine of actors, one beside what a worker holds; where one is lost with its worker, others are made.

    Parameters
    ----------
    X : list of Future
    columns : lists
        y, weights and names of the same blocks; futures or None.
    """

    def __init__(self, X, *columns):
        self._client, self._columns = X[0].client, (X, *columns)
        self.actors = self._beside(range(len(X)))

    def _beside(self, places):
        """Actors, and the blocks that each is beside."""
        X, groups = self._columns[0], {}
        workers, n_threads = self._client.who_has([X[k] for k in places]), self._client.nthreads()
        for k in places:
            groups.setdefault(next(iter(workers[X[k].key]), None), []).append(k)
        futures = []
        for worker, members in groups.items():
            columns = [[column[k] for k in members] for column in self._columns]
            where = {"workers": worker, "allow_other_workers": True} if worker else {}
            options = {"actor": True, "pure": False, **where}
            futures.append(self._client.submit(Holder, n_threads.get(worker, 1), *columns, **options))
        return list(zip(groups.values(), self._client.gather(futures), strict=True))

    def map_cells(self, function, shared, each):
        """See `EngineSource`."""
        n_blocks = len(self._columns[0])
        each, found, missing = each or [None] * n_blocks, {}, self.actors
        for _ in range(_MOST_LOST + 1):
            asked = [
                (members, _begin(actor, function, shared, [each[k] for k in members])) for members, actor in missing
            ]
            for members, answer in asked:
                try:
                    said, error = answer.result()
                except Exception as lost:
                    loss = lost
                    continue
                if error is not None:
                    raise error
                found.update(zip(members, said, strict=True))
            if len(found) == n_blocks:
                return [found[k] for k in range(n_blocks)]
            self.actors = [(members, actor) for members, actor in self.actors if members[0] in found]
            missing = self._beside([k for k in range(n_blocks) if k not in found])
            self.actors += missing
        raise RuntimeError(f"X was lost with workers, {_MOST_LOST + 1} times in a row") from loss


def _begin(actor, *args):
    """What a holder will say, or how it was lost."""
    try:
        return actor.do(*args)
    except Exception as error:
        lost = Future()
        lost.set_exception(error)
        return lost


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
    if not is_dask(values):
        values = da.from_array(np.asarray(values), chunks=-1)
        if values.ndim != 1:
            raise ValueError(f"{name} must have one value per sample, got an array of shape {values.shape}")
    if hasattr(values, "chunks") and hasattr(X, "chunks") and not np.isnan([*X.chunks[0], *values.chunks[0]]).any():
        if values.shape != X.shape[:1]:
            raise ValueError(f"{name} must have shape {X.shape[:1]}, one value per sample, got {values.shape}")
        values = values.rechunk((X.chunks[0],))
    blocks = partitions(values)
    if len(blocks) != n_blocks:
        raise ValueError(f"{name} must have as many partitions as X, {n_blocks}, got {len(blocks)}")
    return blocks
