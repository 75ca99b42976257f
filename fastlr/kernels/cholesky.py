"""Cholesky factors of small matrices, for fits inside a kernel."""

import math

from ..runtime.jit import helper


@helper()
def factorise(matrix, n):
    """Overwrite a lower triangle with its Cholesky factor; the smallest pivot over its diagonal entry, 0 for none."""
    smallest = 1.0
    for j in range(n):
        row = matrix[j]
        square = 0.0
        for k in range(j):
            square += row[k] * row[k]
        pivot = row[j] - square
        if not 0.0 < pivot < math.inf:
            return 0.0
        share = pivot / row[j]
        smallest = share if share < smallest else smallest
        root = math.sqrt(pivot)
        row[j] = root
        for i in range(j + 1, n):
            below = matrix[i]
            dot = 0.0
            for k in range(j):
                dot += below[k] * row[k]
            below[j] = (below[j] - dot) / root
    return smallest


@helper()
def solve(factor, gradient, step):
    """Write step = -H^-1 gradient; returns gradient^T H^-1 gradient."""
    n = gradient.size
    decrement = 0.0
    for i in range(n):
        row = factor[i]
        dot = 0.0
        for k in range(i):
            dot += row[k] * step[k]
        step[i] = (-gradient[i] - dot) / row[i]
        decrement += step[i] * step[i]
    for i in range(n - 1, -1, -1):
        row = factor[i]
        step[i] /= row[i]
        for k in range(i):
            step[k] -= step[i] * row[k]
    return decrement
