"""Coordinate descent on a quadratic plus absolute values: what the Newton step of an L1 penalty minimises.

The quadratic is given by its matrix or, where to form that would cost more than to descend, by the columns of X.
"""

import numpy as np
from numba import types, uint64
from numba.extending import overload

from ..runtime.jit import CONTRACT, helper, kernel, options
from .csr import dot_row

_SUPPORT_SWEEPS = 10  # one over all, the others over what is not zero
_COLUMN_SWEEPS = 30  # along columns, where every so many goes over all
_WHOLE_EVERY = 4
_CONSTANT = 1e-12  # of its square: the bend of a column that the intercept can replace, which is rounding


@helper()
def _minimum(old, slope, bend, threshold):
    """Where bend / 2 (v - old)^2 + slope (v - old) + threshold |v| is smallest."""
    pull = bend * old - slope
    if pull > threshold:
        return (pull - threshold) / bend
    if pull < -threshold:
        return (pull + threshold) / bend
    return 0.0


@kernel()
def descend(H, threshold, v, q, n_sweeps, tol):
    """Minimise v H v / 2 + c v + sum_j threshold_j |v_j| one coordinate at a time, in place.

    A sweep over all coordinates, then some over those that are not zero, and so on: most stay zero.

    Parameters
    ----------
    H : float64 array of shape (n, n)
        Symmetric, positive semidefinite, C order.
    threshold : float64 array of shape (n,)
        >= 0.
    v : float64 array of shape (n,)
        Where to start; overwritten.
    q : float64 array of shape (n,)
        H v + c, kept up to date.
    n_sweeps : int
        Sweeps over all coordinates, at most.
    tol : float
        Ends when no coordinate's gradient changed by more in such a sweep.
    """
    n = len(v)
    for _ in range(n_sweeps):
        largest = 0.0
        for inner in range(_SUPPORT_SWEEPS):
            change = 0.0
            for j in range(n):
                old = v[j]
                bend = H[j, j]
                # A column of zeros has no bend: what is left of its gradient is rounding.
                if bend <= 0.0 or (inner > 0 and old == 0.0):
                    continue
                new = _minimum(old, q[j], bend, threshold[j])
                if new != old:
                    step = new - old
                    v[j] = new
                    row = H[j]
                    for i in range(n):
                        q[i] += step * row[i]
                    moved = abs(step) * bend
                    change = moved if moved > change else change
            if inner == 0:
                largest = change
            if change <= tol:
                break
        if largest <= tol:
            break


def dot_column(X, j, u):
    """x . u of column j of X.

    Parameters
    ----------
    X : float array of shape (n_features, n_samples), or tuple (data, indices, indptr)
        Columns as rows of an array; or compressed, with unsigned indices, none of them twice in a column.
    j : int
    u : float64 array of shape (n_samples,)
    """
    raise TypeError("only kernels can call this: how it reads X is chosen where they are compiled")


def column_square(X, j, h):
    """x . D x of column j, D = diag(h); see `dot_column`."""
    raise TypeError("only kernels can call this: how it reads X is chosen where they are compiled")


def add_column(X, j, step, h, u):
    """Add step D x of column j, D = diag(h), to u; see `dot_column`."""
    raise TypeError("only kernels can call this: how it reads X is chosen where they are compiled")


@overload(dot_column, jit_options=options(CONTRACT, is_helper=True))
def _overload_dot_column(X, j, u):
    if isinstance(X, types.Array):
        return lambda X, j, u: _dot(X[j], u)
    return lambda X, j, u: dot_row(X[0], X[1], X[2][j], X[2][j + 1], u)


@overload(column_square, jit_options=options(CONTRACT, is_helper=True))
def _overload_column_square(X, j, h):
    if isinstance(X, types.Array):
        return lambda X, j, h: _square(X[j], h)
    return lambda X, j, h: _square_sparse(X[0], X[1], X[2][j], X[2][j + 1], h)


@overload(add_column, jit_options=options(CONTRACT, is_helper=True))
def _overload_add_column(X, j, step, h, u):
    if isinstance(X, types.Array):
        return lambda X, j, step, h, u: _add(X[j], step, h, u)
    return lambda X, j, step, h, u: _add_sparse(X[0], X[1], X[2][j], X[2][j + 1], step, h, u)


@helper()
def _dot(x, u):
    total = 0.0
    for i in range(u.size):
        total += x[i] * u[i]
    return total


@helper()
def _square(x, h):
    total = 0.0
    for i in range(h.size):
        total += h[i] * x[i] * x[i]
    return total


@helper()
def _add(x, step, h, u):
    for i in range(u.size):
        u[i] += step * h[i] * x[i]


@helper(CONTRACT)
def _square_sparse(data, indices, first, stop, h):
    total = 0.0
    for t in range(first, stop):
        k = uint64(t)
        x = float(data[k])
        total += h[indices[k]] * x * x
    return total


@helper(CONTRACT)
def _add_sparse(data, indices, first, stop, step, h, u):
    for t in range(first, stop):
        k = uint64(t)
        u[indices[k]] += step * h[indices[k]] * data[k]


@kernel(CONTRACT)
def column_moments(X, h, first, square):
    """Write X^T D 1 and the diagonal of X^T D X, D = diag(h); see `dot_column`."""
    for j in range(first.size):
        first[j] = dot_column(X, j, h)
        square[j] = column_square(X, j, h)


@kernel(CONTRACT)
def descend_columns(X, h, gradient, w, threshold, ridge, moments, step, tol, u, bend):
    """`descend` on [X 1]^T D [X 1] + ridge I, for the step from some coefficients: a sweep over all, some over others.

    The intercept is at its best throughout: with m = X^T D 1, a change d of coefficient j moves it by
    -m_j d / 1^T D 1.

    Parameters
    ----------
    X
        See `dot_column`.
    h : float64 array of shape (n_samples,)
        Diagonal of D.
    gradient : float64 array of shape (n_features + 1,)
        Of the smooth part where the step begins, by the intercept last.
    w : float64 array of shape (n_features,)
        Coefficients there.
    threshold : float64 array of shape (n_features,)
        >= 0.
    ridge : float
        What is added to the diagonal.
    moments : tuple (first, square, total)
        What `column_moments` writes, and the sum of h, or 0 without an intercept.
    step : float64 array of shape (n_features + 1,)
        Where to start; overwritten.
    tol
        See `descend`.
    u, bend : float64 arrays of shape (n_samples,), (n_features,)
        Work space.

    Returns
    -------
    n_sweeps : int
        It also ends when a sweep over all, but the first, has changed no sign.
    is_done : bool
        Whether all changes of the last sweep over all are within `tol`.
    """
    n = w.size
    first, square, total = moments
    share = 1.0 / total if total > 0.0 else 0.0
    u[:] = 0.0
    b = -gradient[n] * share
    for j in range(n):
        bend[j] = square[j] + ridge - first[j] * first[j] * share
        if bend[j] <= _CONSTANT * square[j]:
            bend[j] = 0.0
        if step[j] != 0.0:
            b -= first[j] * step[j] * share
            add_column(X, j, step[j], h, u)
    change = np.inf
    for sweep in range(_COLUMN_SWEEPS):
        is_whole = sweep % _WHOLE_EVERY == 0 or change <= tol
        change, has_turned = 0.0, sweep == 0
        for j in range(n):
            old = w[j] + step[j]
            if bend[j] <= 0.0 or (old == 0.0 and not is_whole):
                continue
            slope = gradient[j] + ridge * step[j] + b * first[j] + dot_column(X, j, u)
            new = _minimum(old, slope, bend[j], threshold[j])
            if new != old:
                d = new - old
                step[j] = new - w[j]  # where new is 0, exactly -w
                add_column(X, j, d, h, u)
                b -= first[j] * d * share
                moved = abs(d) * bend[j]
                change = moved if moved > change else change
                has_turned |= new * old <= 0.0
        if is_whole and (change <= tol or not has_turned):
            break
    step[n] = b
    return sweep + 1, is_whole and change <= tol
