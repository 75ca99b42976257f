"""Products with pairs of columns: those of NumPy for all numbers of rows and entries, and nothing else is touched."""

import numpy as np
import pytest
from numba import njit

from fastlr.kernels.pairs import combine, project
from fastlr.runtime.jit import options

SLACK = 3  # entries that `project` may write behind `out`


@njit(**options())
def run_project(A, top, n, W, ahead, out):
    project(A, top, n, W, ahead, out)


@njit(**options())
def run_combine(A, top, n, R, ahead, out):
    combine(A, top, n, R, ahead, out)


def among_nan(array, behind):
    """A copy of a matrix, with NaN right behind its last entry."""
    flat = np.full(array.size + behind, np.nan, array.dtype)
    flat[: array.size] = array.ravel()
    return flat[: array.size].reshape(array.shape), flat


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("ahead", [0, 8])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 32])
@pytest.mark.parametrize("m", [1, 3, 4, 7, 8, 9, 16, 17, 31, 32, 33])
def test_both_products_are_those_of_numpy(dtype, ahead, n, m):
    rng, top, k = np.random.default_rng([n, m]), 2, 6
    A = np.full((top + n + 1, m), np.nan, dtype)
    A[top : top + n] = rng.normal(size=(n, m))
    rows, eps = A[top : top + n].astype(float), np.finfo(dtype).eps
    W, R = (among_nan(rng.normal(size=(k, size)).astype(dtype), 16)[0] for size in (m, n))

    out, flat = among_nan(np.full((k, n), np.nan, dtype), SLACK + 4)
    run_project(A, top, n, W, ahead, out)
    np.testing.assert_allclose(out, W @ rows.T, rtol=0, atol=8 * m * eps)
    assert np.isnan(flat[out.size + SLACK :]).all()

    out, flat = among_nan(np.full((k, m), np.nan, dtype), 8)
    run_combine(A, top, n, R, ahead, out)
    np.testing.assert_allclose(out, R @ rows, rtol=0, atol=8 * n * eps)
    assert np.isnan(flat[out.size :]).all()
