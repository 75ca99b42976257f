"""Panels of columns for products of matrices, see `products`: stretches of columns side by side, sliver by sliver.

A panel of floats has an entry of a column at each place, scaled; one of int32 has two, one below the other, as a pair
of 16-bit integers: for 8-bit X, which is not scaled.
"""

from llvmlite import ir
from numba import int64, types, uint64
from numba.extending import intrinsic, overload

from ..runtime.jit import helper, options
from .llvm import intp, item_pointer, larger, load_vector, smaller, splat, vector_type

DEPTH = 256  # places of the summed axis in a panel: a sliver of them takes half of a first-level cache of 32 KB
PITCH = DEPTH + 4  # slivers a power of two apart would share lines of that cache

SLIVER_BYTES = 64

_SQUARE = 8  # columns that are transposed together, and pairs of each


def entries(dtype):
    """How many entries of the summed axis are in a panel of some dtype."""
    return 2 * DEPTH if dtype.kind == "i" else DEPTH


def pack(A, scale, start, count, first, n_columns, panel):
    """``panel[c // width, k, c % width] = scale[k] * A[start + k, first + c]`` for k < count and c < n_columns.

    Of an int32 panel, place k has the entries 2 k and 2 k + 1, or 0 behind the last.

    Parameters
    ----------
    A : array of shape (n, m)
        C or F order.
    scale : array of shape (>= count,)
        Of no account to int32 panels.
    start, count : int
        Stretch of the summed axis.
    first, n_columns : int
        Columns.
    panel : array of `panel_shape`
        Columns behind the last, up to a whole sliver, are left with any numbers.

    Returns
    -------
    int
        How many places were written.
    """
    raise TypeError("only kernels can call this: how it packs is chosen by the layout of A, where they are compiled")


@overload(pack, jit_options=options(is_helper=True))
def _overload_pack(A, scale, start, count, first, n_columns, panel):
    if isinstance(panel.dtype, types.Integer):
        return _pack_pairs_along_rows if A.layout == "C" else _pack_pairs_along_columns
    return _pack_along_rows if A.layout == "C" else _pack_along_columns


@intrinsic
def _pack_line(typingctx, A, row, column, factor, panel, sliver, k):
    """``panel[sliver, k, c] = factor * A[row, column + c]`` for a whole sliver."""

    def codegen(context, builder, signature, args):
        A_type, _, _, _, panel_type, _, _ = signature.args
        line = vector_type(panel_type.dtype, SLIVER_BYTES)
        source = item_pointer(context, builder, A_type, args[0], args[1], args[2])
        target = item_pointer(context, builder, panel_type, args[4], args[5], args[6], intp(0))
        product = builder.fmul(splat(builder, line, args[3]), load_vector(context, builder, source, A_type.dtype, line))
        builder.store(product, builder.bitcast(target, line.as_pointer())).align = SLIVER_BYTES
        return context.get_dummy_value()

    size = types.intp
    return types.void(A, size, size, panel.dtype, panel, size, size), codegen


@helper()
def _whole_rows(A, start, count, stop):
    """How many rows have so many columns in memory: whole slivers are copied, the last with what follows there."""
    return smaller(count, larger(0, (A.size - stop) // A.shape[1] + 1 - start))


@helper()
def _pack_along_rows(A, scale, start, count, first, n_columns, panel):
    width = SLIVER_BYTES // panel.itemsize
    n_slivers = (n_columns + width - 1) // width
    n_whole = _whole_rows(A, start, count, first + n_slivers * width)
    for k in range(n_whole):
        for s in range(n_slivers):
            _pack_line(A, start + k, first + s * width, scale[k], panel, s, k)
    for k in range(n_whole, count):
        for c in range(n_columns):
            panel[c // width, k, c % width] = scale[k] * A[start + k, first + c]
    return count


@helper()
def _pack_along_columns(A, scale, start, count, first, n_columns, panel):
    """Eight columns are written together, which the compiler does by transposing them in registers."""
    width = SLIVER_BYTES // panel.itemsize
    last = A.shape[1] - 1
    for left in range(0, n_columns, 8):
        j = first + left
        j0, j1 = uint64(j), uint64(smaller(j + 1, last))
        j2, j3 = uint64(smaller(j + 2, last)), uint64(smaller(j + 3, last))
        j4, j5 = uint64(smaller(j + 4, last)), uint64(smaller(j + 5, last))
        j6, j7 = uint64(smaller(j + 6, last)), uint64(smaller(j + 7, last))
        sliver = panel[left // width]
        c = uint64(left % width)
        for t in range(count):
            k = uint64(t)
            i = uint64(start) + k
            v = scale[k]
            sliver[k, c], sliver[k, c + uint64(1)] = v * A[i, j0], v * A[i, j1]
            sliver[k, c + uint64(2)], sliver[k, c + uint64(3)] = v * A[i, j2], v * A[i, j3]
            sliver[k, c + uint64(4)], sliver[k, c + uint64(5)] = v * A[i, j4], v * A[i, j5]
            sliver[k, c + uint64(6)], sliver[k, c + uint64(7)] = v * A[i, j6], v * A[i, j7]
    return count


def _load_bytes(builder, pointer, count):
    """A vector of 8-bit integers."""
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(ir.IntType(8), count).as_pointer()))
    loaded.align = 1
    return loaded


def _as_pairs(builder, values, dtype, vector):
    """8-bit integers of a Numba type as pairs of 16-bit ones."""
    wide = ir.VectorType(ir.IntType(16), values.type.count)
    return builder.bitcast((builder.sext if dtype.signed else builder.zext)(values, wide), vector)


def _interleaved(builder, a, b, start):
    """Entries of two vectors in turns, from some place on, as many as one has."""
    places = [k for m in range(start, start + a.type.count // 2) for k in (m, m + a.type.count)]
    lanes = ir.VectorType(ir.IntType(32), a.type.count)
    return builder.shuffle_vector(a, b, ir.Constant(lanes, places))


@intrinsic
def _pack_square(typingctx, A, row, column, last, panel, sliver, k, place):
    """Pairs of the next rows of some columns, or of the last in place of those behind, for some places from k on."""

    def codegen(context, builder, signature, args):
        A_type, panel_type = signature.args[0], signature.args[4]
        pairs = vector_type(panel_type.dtype, 4 * _SQUARE)
        rows = []
        for m in range(_SQUARE):
            column = builder.add(args[2], intp(m))
            column = builder.select(builder.icmp_signed("<", column, args[3]), column, args[3])
            source = item_pointer(context, builder, A_type, args[0], args[1], column)
            rows.append(_as_pairs(builder, _load_bytes(builder, source, 2 * _SQUARE), A_type.dtype, pairs))
        half = _SQUARE // 2
        for _ in range(_SQUARE.bit_length() - 1):  # each turn brings the vectors nearer to their mirror image
            rows = [_interleaved(builder, rows[m], rows[m + half], start) for m in range(half) for start in (0, half)]
        for m, values in enumerate(rows):
            target = item_pointer(
                context, builder, panel_type, args[4], args[5], builder.add(args[6], intp(m)), args[7]
            )
            builder.store(values, builder.bitcast(target, pairs.as_pointer())).align = 4 * _SQUARE
        return context.get_dummy_value()

    size = types.intp
    return types.void(A, size, size, size, panel, size, size, size), codegen


@helper()
def _pack_pairs_one_by_one(A, start, count, first, n_columns, done, panel):
    """The same from entry `done` of the stretch on, an even one."""
    width = SLIVER_BYTES // panel.itemsize
    for t in range(done, count, 2):
        for c in range(n_columns):
            low = int64(A[start + t, first + c]) & 0xFFFF
            high = int64(A[start + t + 1, first + c]) << 16 if t + 1 < count else 0
            panel[c // width, t // 2, c % width] = low | high


@helper()
def _pack_pairs_along_columns(A, scale, start, count, first, n_columns, panel):
    width = SLIVER_BYTES // panel.itemsize
    whole = count // (2 * _SQUARE) * (2 * _SQUARE)
    for left in range(0, n_columns, _SQUARE):
        for t in range(0, whole, 2 * _SQUARE):
            _pack_square(A, start + t, first + left, A.shape[1] - 1, panel, left // width, t // 2, left % width)
    _pack_pairs_one_by_one(A, start, count, first, n_columns, whole, panel)
    return (count + 1) // 2


@intrinsic
def _pack_line_of_pairs(typingctx, A, row, column, panel, sliver, k):
    """Pairs of two rows, a whole sliver."""

    def codegen(context, builder, signature, args):
        A_type, panel_type = signature.args[0], signature.args[3]
        line = vector_type(panel_type.dtype, SLIVER_BYTES)
        halves = []
        for m in range(2):
            source = item_pointer(context, builder, A_type, args[0], builder.add(args[1], intp(m)), args[2])
            halves.append(_load_bytes(builder, source, line.count))
        lanes = ir.VectorType(ir.IntType(32), 2 * line.count)
        turns = ir.Constant(lanes, [k for m in range(line.count) for k in (m, m + line.count)])
        pairs = _as_pairs(builder, builder.shuffle_vector(*halves, turns), A_type.dtype, line)
        target = item_pointer(context, builder, panel_type, args[3], args[4], args[5], intp(0))
        builder.store(pairs, builder.bitcast(target, line.as_pointer())).align = SLIVER_BYTES
        return context.get_dummy_value()

    size = types.intp
    return types.void(A, size, size, panel, size, size), codegen


@helper()
def _pack_pairs_along_rows(A, scale, start, count, first, n_columns, panel):
    width = SLIVER_BYTES // panel.itemsize
    n_slivers = (n_columns + width - 1) // width
    whole = _whole_rows(A, start, count, first + n_slivers * width) // 2 * 2
    for t in range(0, whole, 2):
        for s in range(n_slivers):
            _pack_line_of_pairs(A, start + t, first + s * width, panel, s, t // 2)
    _pack_pairs_one_by_one(A, start, count, first, n_columns, whole, panel)
    return (count + 1) // 2
