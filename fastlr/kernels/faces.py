"""Equations of the coefficients that are not zero, one face of a quadratic plus absolute values after the other."""

import math
from typing import NamedTuple

import numpy as np

from ..runtime.jit import helper, kernel
from .cholesky import solve
from .llvm import call_potrf

_RIDGE, _MORE_RIDGE, _MOST_RIDGE = 1e-12, 100.0, 1e6  # the last makes the diagonal dominant, whatever the matrix
_SMALLEST = 1e-7  # of the factor's diagonal, where that of the matrix is 1


class Space(NamedTuple):
    """What `solve_faces` works in: by coefficient that is not zero, but for `q`, which is by coefficient."""

    places: np.ndarray  # int64
    step: np.ndarray
    new: np.ndarray
    side: np.ndarray
    scale: np.ndarray
    q: np.ndarray
    factor: np.ndarray
    potrf: int  # address of LAPACK's routine, and its arguments
    upper: np.ndarray
    counts: np.ndarray


def space_for(n, potrf):
    """A work space for n coefficients; `potrf` is the address of LAPACK's routine, see `linalg.lapack`."""
    lapack = potrf, np.array([ord("U")], np.uint8), np.zeros(3, np.int32)
    return Space(np.empty(n, np.int64), *np.empty((5, n)), np.empty((n, n)), *lapack)


@kernel()
def solve_faces(H, threshold, v, q, n_factored, space):
    """Go to where v H v / 2 + c v + sum_j threshold_j |v_j| is smallest among v of the same signs, in place.

    Where coefficients become zero on the way, they stay so, and the equations of the others are next.

    Parameters
    ----------
    H, threshold, v, q
        See `coordinates.descend`.
    n_factored : float
        Multiply-adds of factors after the first, after which the next equations are not solved.
    space : Space

    Returns
    -------
    violation : float
        How far q is from a subgradient of the penalty, at most.
    n_factored : float
        What is left of it.
    """
    while True:
        size = 0
        for j in range(v.size):
            if v[j] != 0.0:
                space.places[size] = j
                size += 1
        if _solve_face(H, threshold, v, q, size, space) or n_factored <= 0.0:
            return _violation(threshold, v, q), n_factored
        n_factored -= size * size * size / 6.0


@helper()
def _solve_face(H, threshold, v, q, size, space):
    """Solve the equations of `size` coefficients; False where one of them became zero on the way."""
    _face_step(H, threshold, v, q, size, space)
    places, step, new = space.places, space.step, space.new
    length = 1.0
    is_whole = True
    for a in range(size):
        old = v[places[a]]
        new[a] = old + step[a]
        if new[a] * old <= 0.0:  # what would change its sign becomes zero
            new[a] = 0.0
            is_whole = False
            share = -old / step[a]
            length = share if share < length else length
    if _change(H, threshold, v, q, size, space) > 0.0 and not is_whole:
        # Too bold: up to where the first one does.
        for a in range(size):
            old = v[places[a]]
            is_first = (old + step[a]) * old <= 0.0 and -old / step[a] <= length
            new[a] = 0.0 if is_first else old + length * step[a]
        _change(H, threshold, v, q, size, space)
    for a in range(size):
        v[places[a]] = new[a]
    for i in range(q.size):
        q[i] = space.q[i]
    return is_whole


@helper()
def _face_step(H, threshold, v, q, size, space):
    """Write the solution of the equations, of a matrix brought to unit diagonal with as much ridge as it needs."""
    places, side, scale, factor = space.places, space.side, space.scale, space.factor
    for a in range(size):
        j = places[a]
        scale[a] = 1.0 / math.sqrt(H[j, j]) if H[j, j] > 0.0 else 1.0
        side[a] = scale[a] * (q[j] + (threshold[j] if v[j] > 0.0 else -threshold[j]))
    ridge = 0.0
    while True:
        for a in range(size):
            row, scaled, of_row = H[places[a]], factor[a], scale[a]
            for b in range(a):
                scaled[b] = row[places[b]] * scale[b] * of_row
            scaled[a] = 1.0 + ridge
        if _factorise(size, space) > _SMALLEST or ridge >= _MOST_RIDGE:
            break
        ridge = _RIDGE if ridge == 0.0 else _MORE_RIDGE * ridge
    solve(factor, side[:size], space.step)
    for a in range(size):
        space.step[a] *= scale[a]


@helper()
def _factorise(size, space):
    """Overwrite the matrix with its Cholesky factor; the smallest entry of its diagonal, 0 where there is none."""
    space.counts[0], space.counts[1] = size, space.factor.shape[1]
    call_potrf(space.potrf, space.upper, space.counts, space.factor)
    smallest = 0.0 if space.counts[2] != 0 else math.inf
    for a in range(size):
        diagonal = space.factor[a, a]
        smallest = diagonal if diagonal < smallest else smallest
    return smallest


@helper()
def _change(H, threshold, v, q, size, space):
    """How quadratic and penalty change from v to `new`; writes what q becomes."""
    places, new, new_q = space.places, space.new, space.q
    for i in range(q.size):
        new_q[i] = q[i]
    for a in range(size):
        step, row = new[a] - v[places[a]], H[places[a]]
        for i in range(new_q.size):
            new_q[i] += step * row[i]
    change = 0.0
    for a in range(size):
        j = places[a]
        change += 0.5 * (q[j] + new_q[j]) * (new[a] - v[j]) + threshold[j] * (abs(new[a]) - abs(v[j]))
    return change


@helper()
def _violation(threshold, v, q):
    """How far q is from a subgradient of the penalty, at most."""
    largest = 0.0
    for j in range(v.size):
        if v[j] == 0.0:
            beyond = abs(q[j]) - threshold[j]
        else:
            beyond = abs(q[j] + (threshold[j] if v[j] > 0.0 else -threshold[j]))
        largest = beyond if beyond > largest else largest
    return largest
