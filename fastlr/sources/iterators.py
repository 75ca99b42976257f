"""Blocks that a caller's own function makes: for all that nothing else reads."""

from functools import partial
from itertools import repeat, takewhile

import numpy as np
from scipy import sparse

from .._validation import as_real
from .local import Source, read_ahead

_END = object()


def _ahead(blocks):
    """The same blocks; a thread gets the next one while the caller works on one."""
    return takewhile(lambda block: block is not _END, read_ahead(repeat(partial(next, blocks, _END))))


class IteratorSource(Source):
    """Blocks of a callable that returns a fresh iterator for each pass; a first one is for labels and shapes.

    Parameters
    ----------
    make : callable
        Returns an iterator of (X, y) or (X, y, sample_weight), or, where labels are not asked for, of X.
    y, sample_weight : None
    """

    def __init__(self, make, y, sample_weight):
        if y is not None or sample_weight is not None:
            raise ValueError("y and sample_weight must be None where X is a callable: its blocks have their own")
        self._make = make
        self._shapes, self.labels, dtypes = [], [], []
        for k, (X, *labels) in enumerate(_ahead(self._rows())):
            if X.shape[1] != (self._shapes or [X.shape])[0][1]:
                first = f"block 0 has {self._shapes[0][1]}"
                raise ValueError(f"{self.name(k)} has {X.shape[1]} columns, where {first}")
            self._shapes.append(X.shape)
            self.labels.append((*labels, None, None)[:2])
            dtypes.append(X.dtype)
            self.is_sparse = self.is_sparse or sparse.issparse(X)
            if sparse.issparse(X) != self.is_sparse:
                raise TypeError(f"{self.name(k)} is dense, where others are sparse")
        if not self._shapes:
            raise ValueError("X must not be empty: the iterator has no blocks")
        self.n_features, self.dtype = self._shapes[0][1], np.result_type(*dtypes)

    def _rows(self):
        """Blocks that have rows, as tuples, X an array or sparse."""
        try:
            blocks = iter(self._make())
        except TypeError as error:
            raise TypeError(f"X must return an iterator of (X, y) or (X, y, sample_weight): {error}") from error
        k = 0
        for block in blocks:
            X, *labels = block if isinstance(block, tuple) else (block,)
            if len(labels) > 2:
                raise ValueError(f"{self.name(k)} must be (X, y) or (X, y, sample_weight), got {len(block)} things")
            X = X if sparse.issparse(X) else as_real(X, self.name(k))
            if X.ndim != 2:
                raise ValueError(f"{self.name(k)} must be two-dimensional, got an array of shape {X.shape}")
            if X.shape[0]:
                yield X, *labels
                k += 1

    def name(self, k):
        """See `Source`."""
        return f"block {k} of X"

    def read(self):
        """See `Source`."""
        return _ahead(self._again())

    def _again(self):
        """X of each block, which has the shape that it had."""
        expected, k = len(self._shapes), 0
        for X, *_ in self._rows():
            if k == expected or X.shape != self._shapes[k]:
                was = self._shapes[k] if k < expected else "none"
                raise ValueError(f"{self.name(k)} has shape {X.shape}, and the first time {was}")
            yield X
            k += 1
        if k < expected:
            raise ValueError(
                f"X gave {k} blocks, and the first time {expected}: each call must return a fresh iterator"
            )
