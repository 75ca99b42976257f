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
from numba.core import cgutils
from numba.extending import intrinsic

from ..runtime.machine import vector_registers
from .llvm import choose, int32, intp, loop, multiply_add, prefetch, splat, vector_type

WIDE_STRIP = 4
LONG_STRIP = 8

_LINE_BYTES = 64

PADDING = 16  # entries behind an array that its last vector may reach


def strip_bytes(registers):
    """Rows of a strip times bytes of products: 256, or half of what a number of registers of some bytes hold."""
    number, n_bytes = registers
    return min(256, number * n_bytes // 2)


class _Strip:
    """Rows of a matrix that are read together, and the loops over their entries.

    Parameters
    ----------
    context, builder
        Of the code that is generated.
    n_rows, n_bytes : int
        Rows of the strip, and these times bytes of products.
    A : (type, value) of an array of shape (n, m)
        Its rows are contiguous.
    first, last : int values
        First row of the strip, and last row of the matrix, which stands in for rows beyond it.
    dtype : numba type
        What products are computed in.
    """

    def __init__(self, context, builder, n_rows, n_bytes, A, first, last, dtype):
        self.builder = builder
        self.source = A[0].dtype
        self.dtype = dtype
        self.vector = vector_type(dtype, n_bytes // n_rows)
        self.step = self.vector.count
        self._context = context
        array = context.make_array(A[0])(context, builder, A[1])
        self.rows = []
        for r in range(n_rows):
            row = builder.add(first, intp(r))
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            self.rows.append(self._pointer(A[0], array, row, intp(0)))
        shape, strides = (cgutils.unpack_tuple(builder, pair) for pair in (array.shape, array.strides))
        self._row_bytes = strides[0]
        self._last_row = self._pointer(A[0], array, builder.sub(shape[0], intp(1)), intp(0))
        self._row_entries = shape[1]

    def _pointer(self, array_type, array, *indices):
        return cgutils.get_item_pointer(self._context, self.builder, array_type, array, list(indices), wraparound=False)

    def start_of(self, array):
        """Pointer to the first entry of a one-dimensional array, given as (type, value)."""
        made = self._context.make_array(array[0])(self._context, self.builder, array[1])
        return self._pointer(array[0], made, intp(0))

    def entry(self, array, index):
        """Pointer to an entry of a one-dimensional array."""
        return self.builder.gep(self.start_of(array), [index])

    def load(self, pointer, k, source=None):
        """A vector of entries from the k-th on, in the dtype of the products."""
        source = source or self.dtype
        item = self._context.get_value_type(source)
        place = self.builder.gep(pointer, [k])
        loaded = self.builder.load(self.builder.bitcast(place, ir.VectorType(item, self.step).as_pointer()))
        loaded.align = source.bitwidth // 8
        if isinstance(source, types.Integer):
            widen = self.builder.sitofp if source.signed else self.builder.uitofp
            return widen(loaded, self.vector)
        if source.bitwidth < self.dtype.bitwidth:
            return self.builder.fpext(loaded, self.vector)
        return self.builder.fptrunc(loaded, self.vector) if source.bitwidth > self.dtype.bitwidth else loaded

    def load_one(self, pointer, k):
        """One entry of a row, in the dtype of the products."""
        loaded = self.builder.load(self.builder.gep(pointer, [k]))
        return self._context.cast(self.builder, loaded, self.source, self.dtype)

    def store(self, value, pointer, k):
        """Write a vector to the entries from the k-th on."""
        place = self.builder.gep(pointer, [k])
        stored = self.builder.store(value, self.builder.bitcast(place, self.vector.as_pointer()))
        stored.align = self.dtype.bitwidth // 8

    def _ask(self, rows, ahead, k):
        """Ask for the cache lines of some rows of the strip, `ahead` rows on: in a whole line of steps for each once.

        No branch, and no more than one line for each row: which rows a step asks for depends on its place in the line.
        Where a line has more steps than there are rows to ask for, the first half asks for the second as well.
        """
        builder = self.builder
        n_steps = max(1, _LINE_BYTES * 8 // self.source.bitwidth // self.step)
        if len(rows) < n_steps and rows.start > 0:
            return
        count = max(1, len(rows) // n_steps)
        place = builder.and_(builder.lshr(k, intp(self.step.bit_length() - 1)), intp(n_steps - 1))
        row = builder.add(builder.mul(place, intp(count)), intp(rows.start))
        line = builder.bitcast(builder.gep(self.rows[0], [k]), cgutils.voidptr_t)
        for m in range(count):
            offset = builder.mul(builder.add(ahead, builder.add(row, intp(m))), self._row_bytes)
            prefetch(builder, builder.gep(line, [offset]), level=2)

    def over_entries(self, start, stop, ahead, half, values, whole, masked, single):
        """Go through the entries [start, stop) of all rows.

        Parameters
        ----------
        start, stop : int values
        ahead : int value
            Ask memory for a half of the rows that many further on; negative for all of them, 0 for none.
        half : {0, 1}
            Which half.
        values : list of values
            What goes from step to step.
        whole : callable
            ``values = whole(k, values)`` for a vector from k on.
        masked : callable
            ``values = masked(k, mask, values)`` for the vector from k on that ends at `stop`, of which `mask` tells
            the entries that have not been done.
        single : callable
            ``values = single(k, values)`` for one entry.

        Returns
        -------
        list of values
        """
        builder = self.builder
        rest = builder.and_(builder.sub(stop, start), intp(self.step - 1))
        full = builder.sub(stop, rest)
        # Where the last vector would end beyond the matrix, counted in entries of its last row.
        vector_end = builder.gep(self.rows[-1], [builder.add(full, intp(self.step))])
        reached = builder.sub(builder.ptrtoint(vector_end, intp), builder.ptrtoint(self._last_row, intp))
        matrix_ends = builder.mul(self._row_entries, intp(self.source.bitwidth // 8))
        is_last = builder.and_(builder.icmp_signed(">", reached, matrix_ends), builder.icmp_signed("!=", rest, intp(0)))
        end = builder.select(is_last, full, stop)

        def asking(rows, ahead):
            def step(k, values):
                self._ask(rows, ahead, k)
                return whole(k, values)

            return lambda: loop(builder, start, end, self.step, values, step)

        n_rows = len(self.rows)

        def last_vector():
            lanes = ir.VectorType(intp, self.step)
            done = splat(builder, lanes, builder.sub(intp(self.step), rest))
            mask = builder.icmp_signed(">=", ir.Constant(lanes, list(range(self.step))), done)
            return masked(builder.sub(stop, intp(self.step)), mask, values)

        values = choose(
            builder,
            builder.icmp_signed("==", ahead, intp(0)),
            lambda: loop(builder, start, end, self.step, values, whole),
            lambda: choose(
                builder,
                builder.icmp_signed(">", ahead, intp(0)),
                asking(range(half * n_rows // 2, (half + 1) * n_rows // 2), ahead),
                asking(range(n_rows), builder.neg(ahead)),
            ),
        )
        return choose(
            builder,
            is_last,
            lambda: choose(
                builder,
                builder.icmp_signed(">=", stop, intp(self.step)),
                last_vector,
                lambda: loop(builder, full, stop, 1, values, single),
            ),
            lambda: values,
        )


def _row_sums(builder, vectors):
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
            here, 0 for none.
        out : float64 array of shape (>= place + rows of the strip,)
        place : int
        """

        def codegen(context, builder, signature, args):
            A, v, out = ((signature.args[k], args[k]) for k in (0, 3, 7))
            strip = _Strip(context, builder, n_rows, n_bytes, A, args[1], args[2], v[0].dtype)
            factor = strip.start_of(v)

            def add(k, x, sums):
                return [
                    multiply_add(builder, strip.load(row, k, strip.source), x, total)
                    for row, total in zip(strip.rows, sums, strict=True)
                ]

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
            for group in _row_sums(builder, sums):
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
            strip = _Strip(context, builder, n_rows, n_bytes, A, args[1], args[2], out[0].dtype)
            target = strip.start_of(out)
            factors = strip.entry(r, args[4])
            factors = [builder.load(builder.gep(factors, [intp(m)])) for m in range(n_rows)]
            vectors = [splat(builder, strip.vector, factor) for factor in factors]

            def added(k, before):
                """`before` plus the rows: two chains of multiply-adds, which do not wait for each other."""
                entries = [strip.load(row, k, strip.source) for row in strip.rows]
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
