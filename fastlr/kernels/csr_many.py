"""A few fits of two classes that share sparse X: both products of a pass, for all of them with one read.

The coefficients of a feature, one for each fit, lie side by side, and so do the entries of the gradients. They are a
vector of `LANES` float64 numbers, which is one load and one store where a fit alone takes one too: bound by those, a
pass for four fits takes a fifth longer than one for a fit alone. What is computed for a fit does not depend on which
others there are, not even in rounding.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..runtime.blocks import guarded_empty
from ..runtime.jit import CONTRACT, helper, kernel
from .csr import MAX_CHUNK
from .links import apply_link
from .llvm import intp, item_pointer, load_vector, loop, multiply_add, smaller, splat, vector_type
from .operations import Operation

LANES = 4  # fits: the vectors of AVX2, and two of NEON's


def work_space():
    """What `pass_for_each` works in: raw predictions and residuals of a chunk by sample and by fit."""
    return np.zeros((MAX_CHUNK, LANES)), np.empty(MAX_CHUNK), guarded_empty(MAX_CHUNK)


class _Row:
    """The entries of a row, for code that is generated."""

    def __init__(self, context, builder, data, indices):
        self._context, self.builder = context, builder
        self._data, self._indices = data, indices
        self.vector = vector_type(types.float64, 8 * LANES)

    def lanes(self, array, place):
        """Pointer to the vector of an array of shape (n, LANES) in a row of it."""
        return item_pointer(self._context, self.builder, *array, place, intp(0))

    def load(self, pointer):
        return load_vector(self._context, self.builder, pointer, types.float64, self.vector)

    def store(self, value, pointer):
        self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer())).align = 8

    def entry(self, k):
        """Value of the k-th entry, in all lanes, and its column."""
        value, column = (
            self.builder.load(item_pointer(self._context, self.builder, *array, k))
            for array in (self._data, self._indices)
        )
        value = self._context.cast(self.builder, value, self._data[0].dtype, types.float64)
        return splat(self.builder, self.vector, value), self._context.cast(
            self.builder, column, self._indices[0].dtype, types.intp
        )


@intrinsic
def _dot_row(typingctx, data, indices, first, stop, W, out, place):
    """``out[place] = sum over k of data[k] * W[indices[k]]`` for the entries [first, stop) of a row."""

    def codegen(context, builder, signature, args):
        data, indices, W, out = ((signature.args[k], args[k]) for k in (0, 1, 4, 5))
        row = _Row(context, builder, data, indices)

        def add(k, total):
            value, column = row.entry(k)
            return multiply_add(builder, value, row.load(row.lanes(W, column)), total)

        # Two sums, in turns: an entry need not wait for the one before.
        zero, (first, stop) = ir.Constant(row.vector, None), args[2:4]
        whole = builder.sub(stop, builder.and_(builder.sub(stop, first), intp(1)))
        even, odd = loop(
            builder,
            first,
            whole,
            2,
            [zero, zero],
            lambda k, sums: [add(k, sums[0]), add(builder.add(k, intp(1)), sums[1])],
        )
        (even,) = loop(builder, whole, stop, 1, [even], lambda k, sums: [add(k, sums[0])])
        total = builder.fadd(even, odd)
        row.store(total, row.lanes(out, args[6]))
        return context.get_dummy_value()

    size = types.intp
    return types.void(data, indices, size, size, W, out, size), codegen


@intrinsic
def _add_row(typingctx, data, indices, first, stop, residual, place, gradients):
    """``gradients[indices[k]] += data[k] * residual[place]`` for the entries [first, stop) of a row."""

    def codegen(context, builder, signature, args):
        data, indices, residual, gradients = ((signature.args[k], args[k]) for k in (0, 1, 4, 6))
        row = _Row(context, builder, data, indices)
        factors = row.load(row.lanes(residual, args[5]))

        def add(k, _):
            value, column = row.entry(k)
            target = row.lanes(gradients, column)
            row.store(multiply_add(builder, value, factors, row.load(target)), target)
            return []

        loop(builder, args[2], args[3], 1, [], add)
        return context.get_dummy_value()

    size = types.intp
    return types.void(data, indices, size, size, residual, size, gradients), codegen


@kernel(CONTRACT)
def pass_for_each(
    data, indices, indptr, formula, y, weights, goes, W, intercepts, raw, curvature, gradients, sums, Z, z, residual
):  # fmt: skip
    """Losses and gradients of the fits that go on.

    Parameters
    ----------
    data, indices, indptr
        X, as of `csr.fused_pass`.
    formula, y
        See `links.apply_link`.
    weights, raw, curvature : tuples of LANES float64 arrays
        Of each fit, see `links.apply_link`.
    goes : bool array of shape (LANES,)
        Which fits go on: of the others only gradients of 0 are written.
    W : float64 array of shape (n_features, LANES)
        Coefficients.
    intercepts : float64 array of shape (LANES,)
    gradients : float64 array of shape (n_features, LANES)
        Written.
    sums : float64 array of shape (LANES, 2)
        Written: loss and sum of the residuals of each fit.
    Z : float64 array of shape (MAX_CHUNK, LANES)
    z, residual : float64 arrays of shape (MAX_CHUNK,)
        Work space.
    """
    n_samples = indptr.size - 1
    sums[:] = 0.0
    gradients[:] = 0.0
    for first in range(0, n_samples, MAX_CHUNK):
        count = smaller(MAX_CHUNK, n_samples - first)
        for i in range(count):
            _dot_row(data, indices, indptr[first + i], indptr[first + i + 1], W, Z, i)
        for k in range(LANES):
            if goes[k]:
                _residuals_of_one(
                    Z, k, count, first, formula, y, weights[k], intercepts, raw[k], curvature[k], z, residual, sums
                )
            else:
                for i in range(count):
                    Z[i, k] = 0.0
        for i in range(count):
            _add_row(data, indices, indptr[first + i], indptr[first + i + 1], Z, i, gradients)


@helper(CONTRACT)
def _residuals_of_one(
    Z, k, count, first, formula, y, sample_weight, intercepts, raw, curvature, z, residual, sums
):  # fmt: skip
    """Turn X w of a fit into its residuals, in place."""
    for i in range(count):
        z[i] = Z[i, k] + intercepts[k]
    loss, total = apply_link(
        Operation.LOSS_GRADIENT, z, count, first, formula, y, sample_weight, raw, curvature, residual
    )
    sums[k, 0] += loss
    sums[k, 1] += total
    for i in range(count):
        Z[i, k] = residual[i]
