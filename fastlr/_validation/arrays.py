"""Checks of arrays: one clear error that names the argument, or an array that kernels can read."""

import numbers
from decimal import Decimal

import numpy as np
from scipy import sparse

# Dtypes that kernels read as they stand; bool is read as uint8. The rest is converted.
NATIVE_DTYPES = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.int8))

_NUMBERS = (numbers.Real, Decimal, np.bool_)  # that objects may be

# float64 has no numbers between 0 and 5e-324: products with weights not far above that round to nothing.
LEAST_SUM = 1e-312


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


def check_finite(X, name="X"):
    """Raise ValueError if X, dense or sparse, holds NaN or infinity."""
    values = X.data if sparse.issparse(X) else X
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    if sparse.issparse(X):
        place = int(np.isfinite(values).argmin())
        row, column = int(np.searchsorted(X.indptr, place, side="right")) - 1, int(X.indices[place])
    else:
        row, column = divmod(int(np.isfinite(values).argmin()), X.shape[1])
    raise ValueError(f"{name} must be finite, but contains NaN or infinity: in row {row}, column {column}")


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
    """Sample weights as a contiguous float64 array, of shape (0,) for None; a number is the weight of all samples.

    Raises
    ------
    TypeError, ValueError
        If the weights are not n_samples finite numbers >= 0, or all zero, or next to it.
    """
    if sample_weight is None:
        return np.empty(0)
    weight = as_real(sample_weight, name)
    weight = _check_vector(weight if weight.ndim else np.full(n_samples, weight), n_samples, name)
    with np.errstate(over="ignore", invalid="ignore"):
        total = weight.sum()
    if not (weight.min() >= 0.0 and np.isfinite(total)):
        raise ValueError(f"{name} must hold finite numbers >= 0, with a finite sum")
    if total == 0.0:
        raise ValueError(f"{name} must not be zero for all samples")
    if total < LEAST_SUM:
        raise ValueError(f"{name} must have a sum of at least {LEAST_SUM:.1e}, got {total:.1e}")
    return weight


def check_offset(offset, n_samples, name="offset"):
    """Offsets as a contiguous float64 array of shape (n_samples,), or None; a number is the offset of all samples.

    Raises
    ------
    TypeError, ValueError
        If they are not n_samples finite numbers.
    """
    if offset is None:
        return None
    offset = as_real(offset, name)
    offset = _check_vector(offset if offset.ndim else np.full(n_samples, offset), n_samples, name)
    if not np.isfinite(offset).all():
        raise ValueError(f"{name} must hold finite numbers")
    return offset


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
    """An array of bool, integers or floats; objects that are numbers become float64.

    Raises
    ------
    TypeError
        If `values` holds anything else.
    ValueError
        If entries are masked, or rows differ in length.
    """
    if type(values) is np.ndarray and values.dtype.kind in "biuf":
        return values
    refuse_masked(**{name: values})
    try:
        values = np.asarray(as_array(values, name))
    except ValueError as error:
        raise ValueError(f"{name} must be an array of numbers, with rows of one length") from error
    dtype = values.dtype
    if dtype.kind == "O" and values.ndim and all(isinstance(value, _NUMBERS) for value in values.flat):
        try:
            values = values.astype(np.float64)
        except OverflowError as error:
            raise ValueError(f"{name} holds numbers that are too large") from error
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {dtype}")
    return values


def as_array(values, name):
    """An array of another library as one of NumPy, by way of DLPack; all else as it is.

    Raises
    ------
    TypeError
        If NumPy cannot read it: it is not in the memory of the CPU, or of a dtype that NumPy does not know.
    """
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack__"):
        return values
    for read in (np.from_dlpack, np.asarray):  # DLPack has no place for missing values, Arrow's bits and gradients
        try:
            return read(values)
        except Exception as error:  # every library has its own
            reason = next(iter(str(error).splitlines()), type(error).__name__)
    raise TypeError(
        f"{name} cannot be read by NumPy ({reason}): pass a NumPy array, "
        "x.detach().cpu().numpy() of PyTorch, say, or x.get() of CuPy"
    )
