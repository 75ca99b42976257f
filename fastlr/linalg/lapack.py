"""Cholesky factors while other Python threads work: SciPy's wrappers hold the interpreter's lock, ctypes does not."""

import ctypes

import numpy as np
from scipy.linalg import cython_lapack


def address_of(name):
    """Address of a routine of the LAPACK that SciPy has, which gives it to Cython."""
    capsule = ctypes.py_object(cython_lapack.__pyx_capi__[name])
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, pointer_of.restype = ctypes.c_char_p, ctypes.c_void_p
    name_of.argtypes, pointer_of.argtypes = [ctypes.py_object], [ctypes.py_object, ctypes.c_char_p]
    return pointer_of(capsule, name_of(capsule))


def _routine(name):
    count = ctypes.POINTER(ctypes.c_int)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_char_p, count, ctypes.c_void_p, count, count)
    return kind(address_of(name))


DPOTRF = address_of("dpotrf")  # for kernels
_POTRF = {np.dtype(np.float32): _routine("spotrf"), np.dtype(np.float64): _routine("dpotrf")}


def cholesky_in_place(matrix):
    """Overwrite a symmetric matrix with its lower Cholesky factor, but for what is above the diagonal.

    Parameters
    ----------
    matrix : float32 or float64 array of shape (n, n)
        Fortran order.

    Returns
    -------
    bool
        Whether the matrix has one: whether it is positive definite.
    """
    if not (matrix.flags.f_contiguous and matrix.flags.writeable and matrix.shape[0] == matrix.shape[1]):
        raise ValueError("the matrix must be square, in Fortran order and writeable")
    n, failed = ctypes.c_int(len(matrix)), ctypes.c_int()
    _POTRF[matrix.dtype](b"L", n, matrix.ctypes.data, n, failed)
    return failed.value == 0
