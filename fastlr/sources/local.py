"""Blocks that this process reads, one after the other, the next one while it works on one."""

import itertools
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_END = object()


def read_ahead(blocks):
    """The same blocks; a thread gets the next one while the caller works on one."""
    blocks = iter(blocks)
    reader = ThreadPoolExecutor(1, thread_name_prefix="fastlr-reader")
    try:
        following = reader.submit(next, blocks, _END)
        while (block := following.result()) is not _END:
            following = reader.submit(next, blocks, _END)
            yield block
    finally:
        reader.shutdown(wait=False, cancel_futures=True)  # nobody waits for a block that is not wanted any more


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
    def _read(self):
        """What a thread gets of each block of X, in their order."""

    def read(self):
        """Blocks of X, in their order: arrays or SciPy CSR. One may be overwritten when the next is asked for."""
        return read_ahead(self._read())

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


class Starts:
    """Shape and first rows of blocks, and numbers for their passes."""

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

    def map(self, function, *args, each=None, reads=True):
        """Results of ``function(part, X, team, *args)``, one for each block, in their order.

        Parameters
        ----------
        each : list, optional
            A last argument for each block.
        reads : bool
            Whether X is read; if not, it is None.
        """
        blocks = self._source.read() if reads else itertools.repeat(None, len(self._parts))
        if reads and self.progress:
            blocks = self.progress.of(blocks)
        own = [()] * len(self._parts) if each is None else [(one,) for one in each]
        for part, X, last in zip(self._parts, blocks, own, strict=True):
            yield function(part, X, self.team, *args, *last)
