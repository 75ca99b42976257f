"""Products of a matrix with its own transpose: the Hessian X^T D X and the Gram matrix X X^T.

Both are sums of outer products of columns. A panel holds a stretch of the summed axis, in slivers of as many columns
as fill a cache line, so that what one multiply-add needs lies side by side. `add_block` is the inner loop: it keeps
some rows of the product, a sliver wide, in registers, and loads one line and a number for each row in a step. Sums are
as long as a panel is deep and come in one order on every processor, since vectors only lie across columns. `packing`
fills panels.

Beside OpenBLAS on one thread of an AMD Zen 4, which scales a copy first, float64 Hessians are 1.0 to 1.8 times as fast
up to 1,000 columns and 0.9 times at 3,000; `asv_bench/README.md` has all sizes, and the Gram matrix.

Products of 8-bit integers are exact, as pairs of 16-bit integers in an int32: one instruction multiplies pairs and adds
them. 104e9 multiply-adds a second on one thread of an AMD Zen 4, 51e9 in float32; with code for AVX2, 78e9 and
48e9; for SSE2, which has too few registers, still 1.9 times those of float32.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..runtime.jit import helper
from ..runtime.machine import vector_registers
from .llvm import intp, item_pointer, larger, multiply_add, multiply_add_pairs, prefetch, smaller, splat, vector_type
from .packing import PITCH, SLIVER_BYTES

_MULTIPLE = 24  # of all numbers of `rows_in_registers`

_ROWS_IN_CACHE = 48  # rows of the left factor that stay in a second-level cache while slivers of the right pass by

_MIRRORED = 128  # rows that are made symmetric at a time: what is read by columns stays in cache


def rows_in_registers(registers):
    """Rows of a product, each a line of sums, that a number of registers of some bytes hold, beside what they meet.

    8 for AVX-512, 6 for AVX2 and NEON, 2 for SSE2.
    """
    number, n_bytes = registers
    return min(8, number * n_bytes * 3 // 4 // SLIVER_BYTES // 2 * 2)


def gram_dtype(X_dtype, dtype):
    """What panels of X hold, where its Gram matrix is to be as exact as products in `dtype`."""
    return dtype if X_dtype.itemsize > 1 else np.dtype(np.int32)


def padded_rows(n):
    """n rounded up to as many rows as `add_product` writes."""
    return (n + _MULTIPLE - 1) // _MULTIPLE * _MULTIPLE


def padded_columns(n):
    """n rounded up to as many columns as `add_product` writes."""
    return (n + 15) // 16 * 16


def panel_shape(n_columns, dtype):
    """Shape of a panel of a number of columns: (slivers, entries of one, columns of one)."""
    width = SLIVER_BYTES // dtype.itemsize
    return -(-padded_rows(n_columns) // width), PITCH, width


def make_add_block(n_rows):
    """The intrinsic `add_block` for blocks of a number of rows, which is even."""

    @intrinsic
    def add_block(typingctx, left, row, right, sliver, depth, out):
        """``out[row + m, sliver * width + c] += sum over k of left[.., k, ..] right[sliver, k, c]``, m < n_rows.

        Parameters
        ----------
        left, right : arrays of `panel_shape`, on a boundary of 64 bytes
        row : int
            First column of `left`, a row of the product; even.
        sliver : int
            Of `right`.
        depth : int
            How many places are summed, at least one.
        out : float64 array of shape (>= row + rows of a block, >= columns of `right`)
        """

        def codegen(context, builder, signature, args):
            dtype = signature.args[0].dtype
            is_of_pairs = isinstance(dtype, types.Integer)
            add, widen = (multiply_add_pairs, builder.sitofp) if is_of_pairs else (multiply_add, builder.fpext)
            line = vector_type(dtype, SLIVER_BYTES)
            width = line.count
            wide = ir.VectorType(ir.DoubleType(), width)

            def pointer(position, *indices):
                return item_pointer(context, builder, signature.args[position], args[position], *indices)

            zero = intp(0)
            rows = []
            for m in range(0, n_rows, 2):  # rows are even, so two of them lie in one sliver
                column = builder.add(args[1], intp(m))
                place = builder.and_(column, intp(width - 1))
                pair = pointer(0, builder.lshr(column, intp(width.bit_length() - 1)), zero, place)
                rows += [pair, builder.gep(pair, [intp(1)])]
            lines = builder.bitcast(pointer(2, args[3], zero, zero), line.as_pointer())
            first_column = builder.mul(args[3], intp(width))
            targets = [pointer(5, builder.add(args[1], intp(m)), first_column) for m in range(n_rows)]
            for target in targets:
                for k in range(0, width, 8):
                    prefetch(builder, builder.gep(target, [intp(k)]), level=3)

            before = builder.block
            inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
            builder.branch(inside)
            builder.position_at_end(inside)
            k = builder.phi(intp)
            sums = [builder.phi(line) for _ in rows]
            b = builder.load(builder.gep(lines, [k]))
            b.align = SLIVER_BYTES
            entry = builder.mul(k, intp(width))
            following = [
                add(builder, splat(builder, line, builder.load(builder.gep(a, [entry]))), b, total)
                for a, total in zip(rows, sums, strict=True)
            ]
            next_k = builder.add(k, intp(1))
            k.add_incoming(zero, before)
            k.add_incoming(next_k, inside)
            for total, value in zip(sums, following, strict=True):
                total.add_incoming(ir.Constant(line, None), before)
                total.add_incoming(value, inside)
            builder.cbranch(builder.icmp_signed("<", next_k, args[4]), inside, after)
            builder.position_at_end(after)
            for target, total in zip(targets, following, strict=True):
                place = builder.bitcast(target, wide.as_pointer())
                known = builder.load(place)
                known.align = 8
                total = total if line == wide else widen(total, wide)
                builder.store(builder.fadd(known, total), place).align = 8
            return context.get_dummy_value()

        size = types.intp
        return types.void(left, size, right, size, size, out), codegen

    return add_block


_BLOCK = rows_in_registers(vector_registers())
_SHORT_BLOCK = min(4, _BLOCK)  # for the last rows, if they are few
_add_block, _add_short_block = make_add_block(_BLOCK), make_add_block(_SHORT_BLOCK)


@helper()
def add_product(left, n_rows, right, n_columns, depth, lower, out):
    """out += left^T right, of the first columns of two panels.

    Parameters
    ----------
    left, right : arrays of `panel_shape`
        From `packed_space`.
    n_rows, n_columns : int
        Columns of `left` and of `right`.
    depth : int
        Places of the summed axis, at least one.
    lower : bool
        Whether the lower triangle is enough; blocks on the diagonal are filled whole.
    out : float64 array
        At least of shape (padded_rows(n_rows), padded_columns(n_columns)); written beyond the product.
    """
    width = SLIVER_BYTES // left.itemsize
    for top in range(0, n_rows, _ROWS_IN_CACHE):
        bottom = smaller(n_rows, top + _ROWS_IN_CACHE)
        right_end = smaller(n_columns, bottom) if lower else n_columns
        for column in range(0, right_end, width):
            start = larger(top, column // _BLOCK * _BLOCK) if lower else top
            for row in range(start, bottom, _BLOCK):
                if bottom - row > _SHORT_BLOCK:
                    _add_block(left, row, right, column // width, depth, out)
                else:
                    _add_short_block(left, row, right, column // width, depth, out)


def mirrored(parts, n):
    """The symmetric matrix whose lower triangle is the sum of those of some parts.

    Parameters
    ----------
    parts : float64 array of shape (n_parts, >= n, >= n)
    n : int

    Returns
    -------
    float64 array of shape (n, n)
    """
    # Above the diagonal may stand what is no number, and adding that would warn.
    out = parts[0, :n, :n].copy() if len(parts) == 1 else parts[:, :n, :n].sum(axis=0)
    for k in range(0, n, _MIRRORED):
        rows, behind = slice(k, k + _MIRRORED), slice(k + _MIRRORED, n)
        tile = out[rows, rows]
        np.copyto(tile, tile.T, where=~np.tri(len(tile), dtype=bool))
        out[rows, behind] = out[behind, rows].T
    return out
