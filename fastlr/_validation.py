"""Checks of what callers hand in: one clear error that names the argument, or an array that kernels can read."""

import numbers
import sys

import numpy as np
from scipy import sparse

# Dtypes that kernels read as they stand; bool is read as uint8. The rest is converted.
NATIVE_DTYPES = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.int8))

_INDEX_DTYPES = (np.dtype(np.int32), np.dtype(np.int64))  # of sparse matrices, as SciPy has them

# float64 has no numbers between 0 and 5e-324: products with weights not far above that round to nothing.
_LEAST_SUM = 1e-312


def check_features(X, name="X"):
    """Make X readable by the kernels, without a copy where dtype and layout allow.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    name : str
        What errors call it.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Read-only view in C or F order of float64, float32, uint8 or int8. bool is viewed as uint8, float16 converted
        to float32, everything else and arrays with gaps are copied. Finiteness is not checked here, which would take
        a pass over X: the first pass of a kernel finds out.

    Raises
    ------
    TypeError
        If X holds complex numbers, objects or text.
    ValueError
        If X is not two-dimensional, or empty.
    """
    X = as_real(X, name)
    if X.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got an array of shape {X.shape}")
    if 0 in X.shape:
        raise ValueError(f"{name} must not be empty, got an array of shape {X.shape}")
    dtype = X.dtype.newbyteorder("=")
    if dtype.kind == "b":
        X = X.view(np.uint8)
    elif dtype not in NATIVE_DTYPES:
        with np.errstate(over="ignore"):  # of long doubles: infinity is found as any other
            X = X.astype(np.float32 if dtype == np.float16 else np.float64)
    elif not X.dtype.isnative:
        X = X.astype(dtype)
    if not (X.flags.c_contiguous or X.flags.f_contiguous) or not X.flags.aligned:
        X = X.copy()
    # Kernels are compiled for read-only arrays alone: no second compilation for memory maps, and no write by mistake.
    return read_only(X)


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


def check_finite(X, name="X"):
    """Raise ValueError if X, dense or sparse, holds NaN or infinity."""
    values = X.data if sparse.issparse(X) else X
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, but contains NaN or infinity")


def read_only(array):
    """View of an array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def check_targets(y, n_samples, name="y"):
    """Targets as a contiguous float64 array of shape (n_samples,).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels 0 and 1, or probabilities between.
    n_samples : int
    name : str
        What errors call it.

    Raises
    ------
    TypeError, ValueError
        If y does not hold numbers in [0, 1], or not n_samples of them.
    """
    y = _check_vector(y, n_samples, name)
    if not (np.minimum.reduce(y) >= 0.0 and np.maximum.reduce(y) <= 1.0):  # written so that NaN fails as well
        raise ValueError(f"{name} must lie in [0, 1], got values from {y.min()} to {y.max()}")
    return y


def check_sample_weight(sample_weight, n_samples, name="sample_weight"):
    """Sample weights as a contiguous float64 array, of shape (0,) for None.

    Raises
    ------
    TypeError, ValueError
        If the weights are not n_samples finite numbers >= 0, or all zero, or next to it.
    """
    if sample_weight is None:
        return np.empty(0)
    weight = _check_vector(sample_weight, n_samples, name)
    with np.errstate(over="ignore", invalid="ignore"):
        total = weight.sum()
    if not (weight.min() >= 0.0 and np.isfinite(total)):
        raise ValueError(f"{name} must hold finite numbers >= 0, with a finite sum")
    if total == 0.0:
        raise ValueError(f"{name} must not be zero for all samples")
    if total < _LEAST_SUM:
        raise ValueError(f"{name} must have a sum of at least {_LEAST_SUM:.1e}, got {total:.1e}")
    return weight


def _check_vector(values, size, name):
    values = as_real(values, name)
    if values.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), one value per sample, got {values.shape}")
    if values.dtype == np.float64:
        return np.ascontiguousarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):  # of long doubles
        return np.ascontiguousarray(values, dtype=np.float64)


def refuse_masked(**arguments):
    """Raise ValueError where entries are masked: NumPy drops masks without a word, and what is under them counts."""
    for name, values in arguments.items():
        if np.ma.is_masked(values):
            raise ValueError(f"{name} must not have masked entries: fill or leave them out")


def as_real(values, name):
    """An array of bool, integers or floats.

    Raises
    ------
    TypeError
        If `values` holds anything else.
    ValueError
        If entries are masked, or rows differ in length.
    """
    refuse_masked(**{name: values})
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of numbers, with rows of one length") from error
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {values.dtype}")
    return values


def check_flag(value, name):
    """True or False, of Python or NumPy; returned as bool.

    Raises
    ------
    TypeError
        If `value` is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_choice(value, name, choices):
    """One of some strings, or None where that is among them; returned as it is.

    Raises
    ------
    ValueError
        If `value` is anything else.
    """
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value


def check_number(value, name, *, low=None, high=None, inclusive=True, integer=False):
    """A real number (or integer) in a range, finite by default; returned as float (or int).

    Raises
    ------
    TypeError
        If `value` is not a number of the kind.
    ValueError
        If it is NaN or outside the range.
    """
    kind = numbers.Integral if integer else numbers.Real
    if isinstance(value, np.ndarray) and value.size == 1 and not integer:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kind):
        raise TypeError(f"{name} must be {'an integer' if integer else 'a real number'}, got {value!r}")
    try:
        value = int(value) if integer else float(value)
    except OverflowError as error:  # an integer beyond all floats
        raise ValueError(f"{name} is too large") from error
    too_low = low is not None and not (value >= low if inclusive else value > low)
    too_high = not value <= (sys.float_info.max if high is None else high)
    if value != value or value == -np.inf or too_low or too_high:
        sign = ">=" if inclusive else ">"
        wanted = [f"{sign} {low}"] * (low is not None)
        wanted += ["finite"] if high is None else [f"<= {high}"]
        raise ValueError(f"{name} must be {' and '.join(wanted)}, got {value!r}")
    return value
