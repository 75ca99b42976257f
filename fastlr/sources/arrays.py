"""Arrays on disk that slice and have chunks: datasets of HDF5, Zarr and the like."""

import numpy as np

from .local import NumberedSource

_BLOCK_BYTES = 2**24


class ArraySource(NumberedSource):
    """Blocks of as many of an array's own chunks as make some megabytes.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y, sample_weight : array-like of shape (n_samples,), optional
    """

    def __init__(self, X, y, sample_weight):
        if 0 in X.shape:
            raise ValueError(f"X must not be empty, got an array of shape {X.shape}")
        self._X, self.dtype = X, np.dtype(X.dtype)
        n_samples, self.n_features = X.shape
        rows = self._chunk_rows()
        rows *= max(1, _BLOCK_BYTES // (rows * self.n_features * self.dtype.itemsize))
        self._bounds = [*range(0, n_samples, rows), n_samples]
        vectors = self._vector(y, "y"), self._vector(sample_weight, "sample_weight")
        self._rows = [slice(*bounds) for bounds in zip(self._bounds, self._bounds[1:], strict=False)]
        self.labels = [tuple(v if v is None else v[rows] for v in vectors) for rows in self._rows]

    def _chunk_rows(self):
        chunk = (self._X.chunks or (1,))[0]
        return max(chunk) if isinstance(chunk, tuple) else chunk  # of Dask within xarray: all sizes

    def _vector(self, values, name):
        if values is None:
            return None
        values = np.asarray(values)
        if values.ndim == 0 and name == "sample_weight":
            return np.full(self._X.shape[0], values)
        if values.shape != self._X.shape[:1]:
            raise ValueError(f"{name} must have shape {self._X.shape[:1]}, one value per sample, got {values.shape}")
        return values

    def name(self, k):
        """See `Source`."""
        return f"block {k} of X (from row {self._bounds[k]})"

    def _read(self, k):
        """See `NumberedSource`."""
        try:
            return np.asarray(self._X[self._rows[k]])
        except (OSError, ValueError, RuntimeError) as error:  # of a file that is truncated or broken, say
            raise OSError(f"{self.name(k)} cannot be read: {error}") from error
