"""Blocks that another engine holds, of Ray or Spark say: all that it does is to call a function beside each.

`README.md` has an engine for each of these, of some twenty lines.
"""

import uuid

import numpy as np
from scipy import sparse

from ..runtime.team import Team
from .local import Starts


class Cell:
    """A block of rows where an engine holds it, and its part, once there is one.

    An engine may make a cell anew at any time, of the same rows: what the old one knew is computed again.

    Parameters
    ----------
    X : array or SciPy CSR of shape (n, n_features)
    y : array of shape (n,), or None
        Labels.
    sample_weight : array of shape (n,), or None
    name : str
        What errors call the block.
    n_threads : int
        That work on it.
    """

    def __init__(self, X, y=None, sample_weight=None, name="a block of X", n_threads=1):
        self.X, self.y, self.sample_weight, self.name = X, y, sample_weight, name
        self.n_threads = n_threads
        self.part = None


def _shape(cell, shared, own):
    return *cell.X.shape, cell.X.dtype, sparse.issparse(cell.X)


def _ask(cell, shared, own):
    function, args, with_rows = shared
    return function(cell.y, cell.sample_weight, cell.name, *args, *([cell.X] if with_rows else []))


def _run(cell, shared, own):
    (fit, make, make_args), function, args = shared
    if not cell.X.shape[0]:
        return None
    if cell.part is None or cell.part[0] != fit:
        cell.part = fit, make(cell.y, cell.sample_weight, cell.name, *make_args)
    with Team(cell.n_threads) as team:
        return function(cell.part[1], cell.X, team, *args, *(own or ()))


class EngineBlocks(Starts):
    """The blocks of an engine that have rows, with parts beside them; `make` is which fit, a function, arguments."""

    def __init__(self, engine, make, n_rows, *shape):
        self._there = np.flatnonzero(n_rows).tolist()
        super().__init__([n_rows[k] for k in self._there], *shape)
        self._engine, self._make, self._n_blocks = engine, make, len(n_rows)

    def map(self, function, *args, each=None, reads=True):
        """See `LocalBlocks`."""
        own = None
        if each is not None:
            own = [None] * self._n_blocks
            for k, one in zip(self._there, each, strict=True):
                own[k] = (one,)
        found = self._engine.map_cells(_run, (self._make, function, args), own)
        return [found[k] for k in self._there]


class EngineSource:
    """Cells of an engine; attributes and methods as of `Source`, but for `read`.

    Parameters
    ----------
    engine : object
        Has ``map_cells(function, shared, each)``, which returns ``function(cell, shared, each[k])`` of each `Cell`, in
        their order; where `each` is None, its last argument is None.
    y, sample_weight : None
    """

    feature_names = None

    def __init__(self, engine, y, sample_weight):
        if y is not None or sample_weight is not None:
            raise ValueError("y and sample_weight must be None where an engine holds X: its cells have their own")
        self._engine = engine
        shapes = engine.map_cells(_shape, None, None)
        if not shapes:
            raise ValueError("X must not be empty: the engine has no cells")
        _, self.n_features, _, self.is_sparse = shapes[0]
        for k, (_, n_features, _, is_sparse) in enumerate(shapes):
            if n_features != self.n_features:
                raise ValueError(f"cell {k} of X must have the columns of cell 0, {self.n_features}, got {n_features}")
            if is_sparse != self.is_sparse:
                raise ValueError(f"cells of X must be all dense or all sparse: cell {k} is not as cell 0 is")
        self.dtype = np.result_type(*(dtype for _, _, dtype, _ in shapes))

    def ask(self, function, *args):
        """See `Source`."""
        return self._engine.map_cells(_ask, (function, args, False), None)

    def ask_with_rows(self, function, *args):
        """See `Source`."""
        return self._engine.map_cells(_ask, (function, args, True), None)

    def blocks(self, function, n_rows, *args):
        """See `Source`."""
        make = uuid.uuid4().hex, function, args  # cells outlive fits
        return EngineBlocks(self._engine, make, n_rows, self.n_features, self.is_sparse)

    def read(self):
        """Refuse to: rows stay where they are."""
        raise ValueError("X must not be held by an engine here: have it call the model's method beside each block")
