"""The innermost loops over rows of a matrix, written in LLVM's intermediate code.

What a vectorising compiler makes of such loops differs from processor to processor, and with it the length of sums,
the order in which they are added and what is left to do one by one. Here the vectors are explicit: LLVM only cuts them
to the registers there are. So a sum has the same order and length on every processor but those with SSE2 alone, no loop
spills, and there is little to compile.

A strip is a few rows that are read together, so that what they share is loaded once: `WIDE_STRIP` rows by 64 bytes of
products at a time, or `LONG_STRIP` rows by 32 bytes. Both keep eight 32-byte registers of sums, which hides the latency
of multiply-adds; sixteen registers are all that AVX2 has. (SSE2, whose have 16 bytes, makes do with half of this.) The
first suits rows that are short, or of 8-bit numbers, which are widened 16 at a time; the second, with half of the work
around each row, long ones.

The end of a row that fills no vector is done as a whole one all the same: what it reads of the row behind meets zeros
of the other factor, or goes to entries of the sum that nobody reads. At the end of the matrix, where there is no row
behind, the vector ends where the row does, and what was done before is masked out; only in matrices of less than
a vector is it done one by one.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..runtime.machine import vector_registers
from .llvm import int32, intp, multiply_add, splat
from .strips import Strip

WIDE_STRIP = 4
LONG_STRIP = 8

PADDING = 16  # entries behind an array that its last vector may reach


def strip_bytes(registers):
    """Rows of a strip times bytes of products: 256, or half of what a number of registers of some bytes hold."""
    number, n_bytes = registers
    return min(256, number * n_bytes // 2)


def row_sums(builder, vectors):
    """The sum of the entries of each vector; these sums as vectors of the same length or less."""
    while vectors[0].type.count > len(vectors):
        vectors = [_halve(builder, vector) for vector in vectors]
    count = vectors[0].type.count
    groups = [vectors[k : k + count] for k in range(0, len(vectors), count)]
    return [_add_neighbours(builder, group) for group in groups]


def _halve(builder, vector):
    """The upper half of a vector added to the lower."""
    half = vector.type.count // 2
    lower, upper = list(range(half)), list(range(half, 2 * half))
    return _add_shuffled(builder, vector, ir.Constant(vector.type, ir.Undefined), lower, upper)


def _add_neighbours(builder, vectors):
    """The sums of the entries of n vectors of n entries, as one vector."""
    while len(vectors) > 1:
        even = list(range(0, 2 * vectors[0].type.count, 2))
        odd = [k + 1 for k in even]
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [_add_shuffled(builder, a, b, even, odd) for a, b in pairs]
    return vectors[0]


def _add_shuffled(builder, a, b, first, second):
    """The entries `first` of two vectors, taken as one, plus the entries `second`."""
    lanes = ir.VectorType(int32, len(first))
    return builder.fadd(
        builder.shuffle_vector(a, b, ir.Constant(lanes, first)),
        builder.shuffle_vector(a, b, ir.Constant(lanes, second)),
    )


def make_dots(n_rows, n_bytes):
    """The intrinsic `dots` for strips of a number of rows; `n_bytes` as of `strip_bytes`."""

    @intrinsic
    def dots(typingctx, A, first, last, v, start, stop, ahead, out, place):
        """``out[place + r] += A[first + r, start:stop] . v[start:stop]`` for the rows of a strip.

        Parameters
        ----------
        A : array of shape (n, m), whose rows are contiguous
        first, last : int
            First row of the strip, and last row of A, which stands in for rows beyond it.
        v : array of shape (>= stop,)
            Its dtype is that of the products and of their sums. `PADDING` zeros follow it in memory.
        start, stop : int
            Entries; `start` is 0, or at least as large as a vector is long.
        ahead : int
            Ask memory for rows that many further on, half of them here and half in `adds`; negative for all of them
            here, without `adds`; 0 for none.
        out : float64 array of shape (>= place + rows of the strip,)
        place : int
        """

        def codegen(context, builder, signature, args):
            A, v, out = ((signature.args[k], args[k]) for k in (0, 3, 7))
            strip = Strip(context, builder, n_rows, n_bytes, A, args[1], args[2], v[0].dtype)
            factor = strip.entry(v, intp(0))

            def add(k, x, sums):
                entries = strip.entries(k)
                return [multiply_add(builder, entry, x, total) for entry, total in zip(entries, sums, strict=True)]

            def whole(k, sums):
                return add(k, strip.load(factor, k), sums)

            def masked(k, mask, sums):
                return add(k, builder.select(mask, strip.load(factor, k), zero), sums)

            def single(k, sums):
                x = builder.load(builder.gep(factor, [k]))
                first_only = builder.insert_element(zero, x, int32(0))
                return [
                    multiply_add(builder, splat(builder, strip.vector, strip.load_one(row, k)), first_only, total)
                    for row, total in zip(strip.rows, sums, strict=True)
                ]

            zero = ir.Constant(strip.vector, None)
            sums = strip.over_entries(args[4], args[5], args[6], 0, [zero] * n_rows, whole, masked, single)
            target = strip.entry(out, args[8])
            for group in row_sums(builder, sums):
                wide = ir.VectorType(ir.DoubleType(), group.type.count)
                group = group if group.type == wide else builder.fpext(group, wide)
                pointer = builder.bitcast(target, wide.as_pointer())
                before = builder.load(pointer)
                before.align = 8
                builder.store(builder.fadd(before, group), pointer).align = 8
                target = builder.gep(target, [intp(group.type.count)])
            return context.get_dummy_value()

        size = types.intp
        return types.void(A, size, size, v, size, size, size, out, size), codegen

    return dots


def make_adds(n_rows, n_bytes):
    """The intrinsic `adds` for strips of a number of rows; `n_bytes` as of `strip_bytes`."""

    @intrinsic
    def adds(typingctx, A, first, last, r, place, start, stop, ahead, out):
        """``out[start:stop] += sum over r of r[place + r] * A[first + r, start:stop]`` for the rows of a strip.

        Parameters
        ----------
        A, first, last, start, stop, ahead
            See `dots`.
        r : array of shape (>= place + rows of the strip,)
            0 for rows that are beyond `last`.
        place : int
        out : array of shape (>= stop,)
            In r's dtype, that of the products and of their sums. `PADDING` entries that follow it in memory may be
            overwritten.
        """

        def codegen(context, builder, signature, args):
            A, r, out = ((signature.args[k], args[k]) for k in (0, 3, 8))
            strip = Strip(context, builder, n_rows, n_bytes, A, args[1], args[2], out[0].dtype)
            target = strip.entry(out, intp(0))
            factors = strip.entry(r, args[4])
            factors = [builder.load(builder.gep(factors, [intp(m)])) for m in range(n_rows)]
            vectors = [splat(builder, strip.vector, factor) for factor in factors]

            def added(k, before):
                """`before` plus the rows: two chains of multiply-adds, which do not wait for each other."""
                entries = strip.entries(k)
                half = n_rows // 2
                other = builder.fmul(vectors[half], entries[half])
                for m in range(half):
                    before = multiply_add(builder, vectors[m], entries[m], before)
                for m in range(half + 1, n_rows):
                    other = multiply_add(builder, vectors[m], entries[m], other)
                return builder.fadd(before, other)

            def whole(k, _):
                strip.store(added(k, strip.load(target, k)), target, k)
                return []

            def masked(k, mask, _):
                before = strip.load(target, k)
                strip.store(builder.select(mask, added(k, before), before), target, k)
                return []

            def single(k, _):
                pointer = builder.gep(target, [k])
                total = builder.load(pointer)
                for row, factor in zip(strip.rows, factors, strict=True):
                    total = builder.fadd(total, builder.fmul(factor, strip.load_one(row, k)))
                builder.store(total, pointer)
                return []

            strip.over_entries(args[5], args[6], args[7], 1, [], whole, masked, single)
            return context.get_dummy_value()

        size = types.intp
        return types.void(A, size, size, r, size, size, size, size, out), codegen

    return adds


_bytes = strip_bytes(vector_registers())
wide_dots, wide_adds = make_dots(WIDE_STRIP, _bytes), make_adds(WIDE_STRIP, _bytes)
long_dots, long_adds = make_dots(LONG_STRIP, _bytes), make_adds(LONG_STRIP, _bytes)
