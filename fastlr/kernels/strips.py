"""Strips of rows and the ways through their entries, for the loops of `vectors`."""

from llvmlite import ir
from numba.core import cgutils

from .llvm import choose, intp, item_pointer, load_vector, loop, prefetch, splat, vector_type

_LINE_BYTES = 64


class Strip:
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
            self.rows.append(self.entry(A, row, intp(0)))
        shape, strides = (cgutils.unpack_tuple(builder, pair) for pair in (array.shape, array.strides))
        self._row_bytes = strides[0]
        self._last_row = self.entry(A, builder.sub(shape[0], intp(1)), intp(0))
        self._row_entries = shape[1]

    def entry(self, array, *indices):
        """Pointer to an entry of an array, given as (type, value)."""
        return item_pointer(self._context, self.builder, *array, *indices)

    def load(self, pointer, k, source=None):
        """A vector of entries from the k-th on, in the dtype of the products."""
        place = self.builder.gep(pointer, [k])
        return load_vector(self._context, self.builder, place, source or self.dtype, self.vector)

    def entries(self, k):
        """A vector of each row's entries from the k-th on."""
        return [self.load(row, k, self.source) for row in self.rows]

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
            Ask memory for a half of the rows that many further on; of the first half, negative for all of them; 0 for
            none.
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

            return loop(builder, start, end, self.step, values, step)

        def asking_half():
            return asking(range(half * n_rows // 2, (half + 1) * n_rows // 2), ahead)

        def asking_half_or_all():
            is_half = builder.icmp_signed(">", ahead, intp(0))
            return choose(builder, is_half, asking_half, lambda: asking(range(n_rows), builder.neg(ahead)))

        n_rows = len(self.rows)
        values = choose(
            builder,
            builder.icmp_signed("==", ahead, intp(0)),
            lambda: loop(builder, start, end, self.step, values, whole),
            asking_half if half else asking_half_or_all,
        )
        return self._after_whole_ones(is_last, full, stop, values, masked, single)

    def over_rows(self, values, whole, masked, single):
        """Go through all entries of all rows, none beyond them; parameters as of `over_entries`."""
        builder = self.builder
        stop = self._row_entries
        rest = builder.and_(stop, intp(self.step - 1))
        full = builder.sub(stop, rest)
        values = loop(builder, intp(0), full, self.step, values, whole)
        has_rest = builder.icmp_signed("!=", rest, intp(0))
        return self._after_whole_ones(has_rest, full, stop, values, masked, single)

    def _after_whole_ones(self, has_rest, full, stop, values, masked, single):
        """Go through the entries [full, stop), less than a vector, if so it is."""
        builder = self.builder

        def last_vector():
            lanes = ir.VectorType(intp, self.step)
            done = splat(builder, lanes, builder.sub(intp(self.step), builder.sub(stop, full)))
            mask = builder.icmp_signed(">=", ir.Constant(lanes, list(range(self.step))), done)
            return masked(builder.sub(stop, intp(self.step)), mask, values)

        return choose(
            builder,
            has_rest,
            lambda: choose(
                builder,
                builder.icmp_signed(">=", stop, intp(self.step)),
                last_vector,
                lambda: loop(builder, full, stop, 1, values, single),
            ),
            lambda: values,
        )
