"""Blocks that this process reads, one after the other, the next ones while it works on one."""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np


def read_ahead(calls, n_readers=1):
    """What calls return, in their order; threads do the next `n_readers` calls while the caller works on one result."""
    readers, ahead = ThreadPoolExecutor(n_readers, thread_name_prefix="fastlr-reader"), deque()
    try:
        for call in calls:
            ahead.append(readers.submit(call))
            if len(ahead) > n_readers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        readers.shutdown(wait=False, cancel_futures=True)  # nobody waits for blocks that are not wanted any more


class Source(ABC):
    """Blocks of rows, read anew for each pass.

    Attributes
    ----------
    n_features : int
    dtype : numpy dtype
    is_sparse : bool
    feature_names : list of str or None
    labels : list of (y, sample_weight or None)
        Of each block.
    """

    is_sparse = False
    feature_names = None

    @abstractmethod
    def read(self):
        """Blocks of X, in their order: arrays or SciPy CSR. One may be overwritten when the next is asked for."""

    def passes(self):
        """`read` again and again."""
        while True:
            yield self.read()

    @abstractmethod
    def name(self, k):
        """What errors call a block."""

    def ask(self, function, *args):
        """``function(y, sample_weight, name, *args)`` of each block."""
        return [function(*labels, self.name(k), *args) for k, labels in enumerate(self.labels)]

    def ask_with_rows(self, function, *args):
        """``function(y, sample_weight, name, *args, X)`` of each block."""
        rows = enumerate(zip(self.labels, self.read(), strict=True))
        return [function(*labels, self.name(k), *args, X) for k, (labels, X) in rows]

    def blocks(self, function, n_rows, *args):
        """The blocks with parts ``function(y, sample_weight, name, *args)``; `n_rows` of each block."""
        return LocalBlocks(self, self.ask(function, *args), n_rows)


class NumberedSource(Source):
    """Blocks that are read by number, several at a time; those that a pass begins with, while the one before ends."""

    n_readers = 1

    @abstractmethod
    def _read(self, k):
        """What a thread gets of a block of X."""

    def _blocks(self, numbers):
        """The blocks of these numbers."""
        return read_ahead((partial(self._read, k) for k in numbers), self.n_readers)

    def read(self):
        """See `Source`."""
        return self._blocks(range(len(self.labels)))

    def passes(self):
        """See `Source`."""
        n_blocks = len(self.labels)
        blocks = self._blocks(itertools.cycle(range(n_blocks)))
        while True:
            yield itertools.islice(blocks, n_blocks)


class Starts:
    """Shape and first rows of blocks, and numbers for their passes."""

    dtype = np.dtype(np.float64)  # of the entries of X, for whoever knows it to set

    def __init__(self, n_rows, n_features, is_sparse):
        self.starts = np.concatenate([[0], np.cumsum(n_rows)]).tolist()
        self.shape = self.starts[-1], n_features
        self.is_sparse = is_sparse
        self.next_stamp = itertools.count().__next__
        self.team = None  # of threads that work on a block
        self.progress = None  # a `Progress`, where somebody watches

    def split(self, rows):
        """For each block, which of the ascending `rows` of all are its own, counted from its first."""
        bounds = np.searchsorted(rows, self.starts)
        return [rows[bounds[k] : bounds[k + 1]] - self.starts[k] for k in range(len(self.starts) - 1)]


class LocalBlocks(Starts):
    """Blocks of a source, with a part for each that stays in memory.

    Parameters
    ----------
    source : Source
    parts : list
    n_rows : list of int
    """

    def __init__(self, source, parts, n_rows):
        super().__init__(n_rows, source.n_features, source.is_sparse)
        self._source, self._parts = source, parts
        self._passes = None

    def map(self, function, *args, each=None, reads=True):
        """Results of ``function(part, X, team, *args)``, one for each block, in their order.

        Parameters
        ----------
        each : list, optional
            A last argument for each block.
        reads : bool
            Whether X is read; if not, it is None.
        """
        own = [()] * len(self._parts) if each is None else [(one,) for one in each]
        blocks = self._pass() if reads else itertools.repeat(None, len(self._parts))
        for part, X, last in zip(self._parts, blocks, own, strict=True):
            yield function(part, X, self.team, *args, *last)

    def _pass(self):
        passes, self._passes = self._passes or self._source.passes(), None
        blocks = next(passes)
        yield from self.progress.of(blocks) if self.progress else blocks
        self._passes = passes  # where a pass ended early, the next one begins anew
