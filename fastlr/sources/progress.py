"""How far a pass is, for whoever watches a long fit."""

import time

from scipy import sparse

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


class Progress:
    """A line for each pass over blocks, where tqdm is installed: rows and bytes a second, and the time to go.

    Parameters
    ----------
    n_rows : int
        Of a pass.

    Attributes
    ----------
    gap : float
        The last that is known; a line says it where it is finite.
    """

    def __init__(self, n_rows):
        self._n_rows, self._n_passes = n_rows, 0
        self.gap = float("inf")

    def of(self, blocks):
        """The same blocks of X; a line moves on with each that was worked through."""
        if tqdm is None:
            yield from blocks
            return
        self._n_passes += 1
        at = f"pass {self._n_passes}" + (f", gap {self.gap:.1e}" if self.gap < float("inf") else "")
        started, n_bytes = time.perf_counter(), 0
        with tqdm(total=self._n_rows, desc=at, unit=" rows", unit_scale=True, leave=False) as line:
            for X in blocks:
                yield X
                n_bytes += size(X)
                rate = n_bytes / 1e6 / (time.perf_counter() - started)
                line.set_postfix_str(f"{rate:.0f} MB/s", refresh=False)
                line.update(X.shape[0])


def size(X):
    """Bytes of an array or a SciPy matrix of whatever format."""
    arrays = vars(X).values() if sparse.issparse(X) else [X]
    return sum(getattr(array, "nbytes", 0) for array in arrays)
