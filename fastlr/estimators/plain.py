"""What a model holds as JSON, and back, to the last bit: arrays, sparse matrices, tuples, dictionaries, infinity.

What JSON has stands as it is, lists too; all else is an object with one entry, whose name says what it is.
"""

import numpy as np
from scipy import sparse

_SPARSE = {kind.__name__: kind for kind in (sparse.csr_array, sparse.csr_matrix)}


def encode(value):
    """What `json.dumps` takes.

    Raises
    ------
    TypeError
        If `value` is, or holds, what has no such form.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return {"array": [value.dtype.str, list(value.shape), _entries(np.ravel(value))]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"float": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if type(value) in _SPARSE.values():
        parts = (value.data, value.indices, value.indptr)
        return {type(value).__name__: [list(value.shape), *(encode(part) for part in parts)]}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _entries(flat):
    kind = flat.dtype.kind
    if kind in "biuU" or (kind == "f" and flat.dtype.itemsize <= 8 and np.isfinite(flat).all()):
        return flat.tolist()
    if kind in "fO" and flat.dtype.itemsize <= 8:
        return [encode(entry) for entry in flat.tolist()]
    if kind == "S":
        return [entry.decode("latin-1") for entry in flat.tolist()]
    if kind in "mM":
        return flat.view(np.int64).tolist()
    raise TypeError(f"an array of {flat.dtype} has no form in JSON")


def decode(value):
    """What `encode` was given.

    Raises
    ------
    ValueError, TypeError, OverflowError
        If `value` is not of its making.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((name, content),) = value.items()
    if name in _SPARSE:
        shape, *parts = content
        matrix = _SPARSE[name](tuple(decode(part) for part in parts), shape=shape)
        matrix.check_format(full_check=True)  # what reads it does not look where indices point
        return matrix
    if name not in _DECODERS:
        raise ValueError(f"{name!r} is no kind of value")
    return _DECODERS[name](content)


def _array(content):
    text, shape, entries = content
    dtype = np.dtype(text)
    if dtype.kind == "O":
        flat = np.empty(len(entries), object)
        flat[:] = decode(entries)
    elif dtype.kind == "S":
        flat = np.array([entry.encode("latin-1") for entry in entries], dtype)
    elif dtype.kind in "mM":
        flat = np.array(entries, np.int64).view(dtype)
    elif dtype.kind in "biufU":
        flat = np.array(decode(entries), dtype)
    else:
        raise ValueError(f"an array of {dtype} has no form in JSON")
    return flat.reshape(shape)[()]


_DECODERS = {
    "array": _array,
    "dict": lambda content: {decode(key): decode(item) for key, item in content},
    "float": float,
    "tuple": lambda content: tuple(decode(item) for item in content),
}
