"""Products of a matrix with its own transpose: the Hessian X^T D X and the Gram matrix X X^T.

Both are sums of outer products of columns. A panel holds a stretch of the summed axis, in slivers of as many columns
as fill a cache line, so that what one multiply-add needs lies side by side. `add_block` is the inner loop: it keeps
some rows of the product, a sliver wide, in registers, and loads one line and a number for each row in a step. Sums are
as long as a panel is deep and come in one order on every processor, since vectors only lie across columns.

Beside OpenBLAS on one thread of an AMD Zen 4, which scales a copy first, float64 Hessians are 1.0 to 1.8 times as fast
up to 1,000 columns and 0.9 times at 3,000; `asv_bench/README.md` has all sizes, and the Gram matrix.

Products of 8-bit integers are exact even in float32: `DEPTH` of them stay below 2^24.
"""

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic, overload

from ..runtime.jit import helper, options
from ..runtime.machine import vector_registers
from .llvm import intp, item_pointer, larger, load_vector, multiply_add, prefetch, smaller, splat, vector_type

DEPTH = 256  # entries of the summed axis in a panel: a sliver of them takes half of a first-level cache of 32 KB
_PITCH = DEPTH + 4  # slivers a power of two apart would share lines of that cache

_SLIVER_BYTES = 64

_MULTIPLE = 24  # of all numbers of `rows_in_registers`

_ROWS_IN_CACHE = 48  # rows of the left factor that stay in a second-level cache while slivers of the right pass by

_MIRRORED = 256  # rows and columns of the tiles in which a matrix is made symmetric


def rows_in_registers(registers):
    """Rows of a product, each a line of sums, that a number of registers of some bytes hold, beside what they meet.

    8 for AVX-512, 6 for AVX2 and NEON, 2 for SSE2.
    """
    number, n_bytes = registers
    return min(8, number * n_bytes * 3 // 4 // _SLIVER_BYTES // 2 * 2)


def padded_rows(n):
    """n rounded up to as many rows as `add_product` writes."""
    return (n + _MULTIPLE - 1) // _MULTIPLE * _MULTIPLE


def padded_columns(n):
    """n rounded up to as many columns as `add_product` writes."""
    return (n + 15) // 16 * 16


def panel_shape(n_columns, dtype):
    """Shape of a panel of a number of columns: (slivers, entries of one, columns of one)."""
    width = _SLIVER_BYTES // dtype.itemsize
    return -(-padded_rows(n_columns) // width), _PITCH, width


def pack(A, scale, start, count, first, n_columns, panel):
    """``panel[c // width, k, c % width] = scale[k] * A[start + k, first + c]`` for k < count and c < n_columns.

    Parameters
    ----------
    A : array of shape (n, m)
        C or F order.
    scale : array of shape (>= count,)
    start, count : int
        Stretch of the summed axis.
    first, n_columns : int
        Columns.
    panel : array of `panel_shape`
        Columns behind the last, up to a whole sliver, are left with any numbers.
    """
    raise TypeError("only kernels can call this: how it packs is chosen by the layout of A, where they are compiled")


@overload(pack, jit_options=options(is_helper=True))
def _overload_pack(A, scale, start, count, first, n_columns, panel):
    return _pack_along_rows if A.layout == "C" else _pack_along_columns


@intrinsic
def _pack_line(typingctx, A, row, column, factor, panel, sliver, k):
    """``panel[sliver, k, c] = factor * A[row, column + c]`` for a whole sliver."""

    def codegen(context, builder, signature, args):
        A_type, _, _, _, panel_type, _, _ = signature.args
        line = vector_type(panel_type.dtype, _SLIVER_BYTES)
        source = item_pointer(context, builder, A_type, args[0], args[1], args[2])
        target = item_pointer(context, builder, panel_type, args[4], args[5], args[6], intp(0))
        product = builder.fmul(splat(builder, line, args[3]), load_vector(context, builder, source, A_type.dtype, line))
        builder.store(product, builder.bitcast(target, line.as_pointer())).align = _SLIVER_BYTES
        return context.get_dummy_value()

    size = types.intp
    return types.void(A, size, size, panel.dtype, panel, size, size), codegen


@helper()
def _pack_along_rows(A, scale, start, count, first, n_columns, panel):
    width = _SLIVER_BYTES // panel.itemsize
    n_slivers = (n_columns + width - 1) // width
    # Whole slivers are copied: the last one reads what follows in memory, which only rows at the end have not.
    n_whole = smaller(count, larger(0, (A.size - first - n_slivers * width) // A.shape[1] + 1 - start))
    for k in range(n_whole):
        for s in range(n_slivers):
            _pack_line(A, start + k, first + s * width, scale[k], panel, s, k)
    for k in range(n_whole, count):
        for c in range(n_columns):
            panel[c // width, k, c % width] = scale[k] * A[start + k, first + c]


@helper()
def _pack_along_columns(A, scale, start, count, first, n_columns, panel):
    """Eight columns are written together, which the compiler does by transposing them in registers."""
    width = _SLIVER_BYTES // panel.itemsize
    last = A.shape[1] - 1
    stop = start + count
    for left in range(0, n_columns, 8):
        j = first + left
        x0, x1 = A[start:stop, j], A[start:stop, smaller(j + 1, last)]
        x2, x3 = A[start:stop, smaller(j + 2, last)], A[start:stop, smaller(j + 3, last)]
        x4, x5 = A[start:stop, smaller(j + 4, last)], A[start:stop, smaller(j + 5, last)]
        x6, x7 = A[start:stop, smaller(j + 6, last)], A[start:stop, smaller(j + 7, last)]
        sliver = panel[left // width].reshape(_PITCH * width)
        offset = uint64(left % width)
        for t in range(count):
            k = uint64(t)
            c = k * uint64(width) + offset
            v = scale[k]
            sliver[c], sliver[c + uint64(1)] = v * x0[k], v * x1[k]
            sliver[c + uint64(2)], sliver[c + uint64(3)] = v * x2[k], v * x3[k]
            sliver[c + uint64(4)], sliver[c + uint64(5)] = v * x4[k], v * x5[k]
            sliver[c + uint64(6)], sliver[c + uint64(7)] = v * x6[k], v * x7[k]


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
            How many entries are summed, at least one.
        out : float64 array of shape (>= row + rows of a block, >= columns of `right`)
        """

        def codegen(context, builder, signature, args):
            dtype = signature.args[0].dtype
            line = vector_type(dtype, _SLIVER_BYTES)
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
            b.align = _SLIVER_BYTES
            entry = builder.mul(k, intp(width))
            following = [
                multiply_add(builder, splat(builder, line, builder.load(builder.gep(a, [entry]))), b, total)
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
                total = total if line == wide else builder.fpext(total, wide)
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
        Entries of the summed axis, at least one.
    lower : bool
        Whether the lower triangle is enough; blocks on the diagonal are filled whole.
    out : float64 array
        At least of shape (padded_rows(n_rows), padded_columns(n_columns)); written beyond the product.
    """
    width = _SLIVER_BYTES // left.itemsize
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
    out = np.empty((n, n))
    places = [slice(k, min(n, k + _MIRRORED)) for k in range(0, n, _MIRRORED)]
    for k, rows in enumerate(places):
        for columns in places[: k + 1]:
            tile = parts[:, rows, columns].sum(axis=0)
            if rows == columns:
                tile = np.tril(tile) + np.tril(tile, -1).T
            out[rows, columns], out[columns, rows] = tile, tile.T
    return out
