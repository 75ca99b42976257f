"""Checks of sparse X: a structure that is sound, before anything reads it."""

import numpy as np

from .arrays import refuse_masked

_INDEX_DTYPES = (np.dtype(np.int32), np.dtype(np.int64))  # as SciPy has them


def check_sparse_features(X, name="X"):
    """Make a sparse X readable by the kernels: CSR, of float32 or float64, with a structure that is sound.

    Parameters
    ----------
    X : SciPy sparse matrix or array of shape (n_samples, n_features)
        Indices may be unsorted, or occur more than once.
    name : str
        What errors call it.

    Returns
    -------
    SciPy CSR matrix or array
        X itself where it is CSR of those dtypes; of CSR with other data, the data are copied; other formats are
        converted. Finiteness is not checked here: the first pass of a kernel finds out.

    Raises
    ------
    TypeError
        If X holds complex numbers or objects.
    ValueError
        If X is empty, or its structure is broken, so that to read it would be to read outside of its arrays.
    """
    values = getattr(X, "data", None)
    if X.format != "dok" and not isinstance(values, np.ndarray):  # DOK has none
        raise ValueError(f"{name} has a broken sparse structure: data must be an array, got {type(values).__name__}")
    if X.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {X.dtype}")
    if X.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got an array of shape {X.shape}")
    if 0 in X.shape:
        raise ValueError(f"{name} must not be empty, got an array of shape {X.shape}")
    refuse_masked(**{name: values})
    _check_structure(X, name)
    if X.format != "csr":
        try:
            X = X.tocsr()
        except (TypeError, ValueError) as error:  # what lists and dictionaries hold, SciPy looks at itself
            raise ValueError(f"{name} has a broken sparse structure: {error}") from error
        _check_indices(X.indices, X.shape[1], name)  # of formats whose indices were not looked at
    if X.dtype not in (np.float32, np.float64) or not X.dtype.isnative:
        X = X.astype(np.float32 if X.dtype.newbyteorder("=") == np.float32 else np.float64)
    return X


def _check_structure(X, name):
    """Raise ValueError unless X can be read, and converted to CSR by SciPy, without leaving its arrays."""
    broken = f"{name} has a broken sparse structure"
    if X.format in ("csr", "csc", "bsr"):
        if X.data.ndim != (3 if X.format == "bsr" else 1):
            raise ValueError(f"{broken}: data of shape {X.data.shape}")
        rows, columns = (size // block for size, block in zip(X.shape, X.data.shape[1:] or (1, 1), strict=True))
        n_major, n_minor = (columns, rows) if X.format == "csc" else (rows, columns)
        _check_pointers(X.indptr, n_major, name)
        used = X.indptr[-1]
        if not used <= min(np.size(X.indices), len(X.data)):
            raise ValueError(f"{broken}: indptr ends beyond the indices or the data")
        _check_indices(X.indices[:used], n_minor, name)
    elif X.format == "coo":
        for indices, size in zip((X.row, X.col), X.shape, strict=True):
            _check_indices(indices, size, name)
            if len(indices) != len(X.data):
                raise ValueError(f"{broken}: arrays of different lengths")
    elif X.format == "lil":
        if not all(isinstance(part, np.ndarray) and part.shape == X.shape[:1] for part in (X.rows, X.data)):
            raise ValueError(f"{broken}: rows and data must be arrays of as many lists as there are rows")
        for row, values in zip(X.rows, X.data, strict=True):
            if not (isinstance(row, list) and isinstance(values, list) and len(row) == len(values)):
                raise ValueError(f"{broken}: rows and data must hold lists of the same lengths")
    elif X.format == "dia":
        if not (isinstance(X.offsets, np.ndarray) and X.data.ndim == 2 and X.offsets.shape == X.data.shape[:1]):
            raise ValueError(f"{broken}: data of shape {X.data.shape} for offsets of shape {np.shape(X.offsets)}")


def _is_index_array(indices):
    return isinstance(indices, np.ndarray) and indices.ndim == 1 and indices.dtype in _INDEX_DTYPES


def _check_pointers(indptr, n_major, name):
    if not _is_index_array(indptr):
        raise ValueError(f"{name} has a broken sparse structure: indptr must be one-dimensional, int32 or int64")
    if not (len(indptr) == n_major + 1 and indptr[0] == 0 and (indptr[1:] >= indptr[:-1]).all()):
        raise ValueError(f"{name} has a broken sparse structure: indptr must rise from 0, one entry more than rows")


def _check_indices(indices, size, name):
    if not _is_index_array(indices):
        raise ValueError(f"{name} has a broken sparse structure: indices must be one-dimensional, int32 or int64")
    # Seen as unsigned, negative ones are large.
    if indices.size and indices.view(f"u{indices.itemsize}").max() >= size:
        raise ValueError(f"{name} has a broken sparse structure: indices outside of [0, {size})")
