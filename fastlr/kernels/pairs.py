"""Products of a few rows of a matrix with several columns of coefficients, two at a time; see `vectors`.

Four rows and two columns have eight vectors of sums, which stay in registers: what is loaded of either serves the
other. Unlike those of `vectors`, arrays need no zeros behind them.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..runtime.jit import helper
from ..runtime.machine import vector_registers
from .llvm import ask, int32, intp, multiply_add, splat
from .strips import Strip
from .vectors import row_sums

_ROWS = 4
_LINE_BYTES = 64


def pair_bytes(registers):
    """Rows of a strip times bytes of products, so that two columns have half of what a number of registers hold."""
    number, n_bytes = registers
    return min(512, number * n_bytes // 2) // 2


def make_dots(n_bytes):
    """The intrinsic `dots`; `n_bytes` as of `pair_bytes`."""

    @intrinsic
    def dots(typingctx, A, first, last, W, k, out, i):
        """``out[k + c, i + r] = A[first + r] . W[k + c]`` for c in (0, 1) and the rows r of a strip.

        A row beyond `last` is that row again. All arrays are matrices with contiguous rows, W and `out` of one dtype.
        """

        def codegen(context, builder, signature, args):
            A, W, out = ((signature.args[m], args[m]) for m in (0, 3, 5))
            strip = Strip(context, builder, _ROWS, n_bytes, A, args[1], args[2], W[0].dtype)
            columns = [builder.add(args[4], intp(c)) for c in (0, 1)]
            factors = [strip.entry(W, column, intp(0)) for column in columns]

            def add(entries, xs, sums):
                pairs = [(x, entry) for x in xs for entry in entries]
                return [multiply_add(builder, entry, x, total) for (x, entry), total in zip(pairs, sums, strict=True)]

            def whole(k, sums):
                return add(strip.entries(k), [strip.load(factor, k) for factor in factors], sums)

            def masked(k, mask, sums):
                xs = [builder.select(mask, strip.load(factor, k), zero) for factor in factors]
                return add(strip.entries(k), xs, sums)

            def single(k, sums):
                xs = [
                    builder.insert_element(zero, builder.load(builder.gep(factor, [k])), int32(0)) for factor in factors
                ]
                return add([splat(builder, strip.vector, strip.load_one(row, k)) for row in strip.rows], xs, sums)

            zero = ir.Constant(strip.vector, None)
            sums = strip.over_rows([zero] * (2 * _ROWS), whole, masked, single)
            for c in (0, 1):
                target = strip.entry(out, columns[c], args[6])
                for group in row_sums(builder, sums[c * _ROWS : (c + 1) * _ROWS]):
                    stored = builder.store(group, builder.bitcast(target, group.type.as_pointer()))
                    stored.align = strip.dtype.bitwidth // 8
                    target = builder.gep(target, [intp(group.type.count)])
            return context.get_dummy_value()

        return types.void(A, types.intp, types.intp, W, types.intp, out, types.intp), codegen

    return dots


def make_adds(n_bytes):
    """The intrinsic `adds`; `n_bytes` as of `pair_bytes`."""

    @intrinsic
    def adds(typingctx, A, first, last, R, k, i, out):
        """``out[k + c] += sum over r of R[k + c, i + r] A[first + r]`` for c in (0, 1) and the rows r of a strip.

        Rows beyond `last` count nothing. Arrays as of `dots`.
        """

        def codegen(context, builder, signature, args):
            A, R, out = ((signature.args[m], args[m]) for m in (0, 3, 6))
            strip = Strip(context, builder, _ROWS, n_bytes, A, args[1], args[2], R[0].dtype)
            columns = [builder.add(args[4], intp(c)) for c in (0, 1)]
            targets = [strip.entry(out, column, intp(0)) for column in columns]
            vectors, zero = [], context.get_constant(strip.dtype, 0.0)
            for column in columns:
                for r in range(_ROWS):
                    is_there = builder.icmp_signed("<=", builder.add(args[1], intp(r)), args[2])
                    place = builder.add(args[5], builder.select(is_there, intp(r), intp(0)))
                    factor = builder.load(strip.entry(R, column, place))
                    vectors.append(splat(builder, strip.vector, builder.select(is_there, factor, zero)))

            def added(c, before, entries):
                for factor, entry in zip(vectors[c * _ROWS : (c + 1) * _ROWS], entries, strict=True):
                    before = multiply_add(builder, factor, entry, before)
                return before

            def whole(k, _):
                entries = strip.entries(k)
                for c, target in enumerate(targets):
                    strip.store(added(c, strip.load(target, k), entries), target, k)
                return []

            def masked(k, mask, _):
                entries = strip.entries(k)
                for c, target in enumerate(targets):
                    before = strip.load(target, k)
                    strip.store(builder.select(mask, added(c, before, entries), before), target, k)
                return []

            def single(k, _):
                entries = [splat(builder, strip.vector, strip.load_one(row, k)) for row in strip.rows]
                for c, target in enumerate(targets):
                    pointer = builder.gep(target, [k])
                    before = splat(builder, strip.vector, builder.load(pointer))
                    builder.store(builder.extract_element(added(c, before, entries), int32(0)), pointer)
                return []

            strip.over_rows([], whole, masked, single)
            return context.get_dummy_value()

        return types.void(A, types.intp, types.intp, R, types.intp, types.intp, out), codegen

    return adds


_bytes = pair_bytes(vector_registers())
_pair_dots, _pair_adds = make_dots(_bytes), make_adds(_bytes)


@helper()
def _ask_for_rows(A, i):
    """Ask for two rows, which may be beyond the last: then nothing comes.

    Both products ask for half of the rows that come next, so that memory is busy all the time: a pass of five fits
    over 30,000 x 104 numbers of float64 then takes 1.9 ms, and 2.6 without (two threads of an AMD Zen 4).
    """
    for j in range(0, A.shape[1], _LINE_BYTES // A.itemsize):
        ask(A, i, j)
        ask(A, i + 1, j)


@helper()
def project(A, top, n, W, ahead, out):
    """out = W rows^T, for n rows of A from `top` and an even number of rows of W.

    Parameters
    ----------
    A : array of shape (>= top + n, m)
        With contiguous rows.
    top, n : int
    W : array of shape (k, m)
    ahead : int
        Ask memory for a half of the rows that many further on; 0 for none.
    out : array of shape (k, n)
        Written, and the three entries behind it.
    """
    # From the last strip to the first: what one writes beyond the end of a row is of the next, and written anew.
    for i in range((n - 1) // _ROWS * _ROWS, -1, -_ROWS):
        if ahead > 0:
            _ask_for_rows(A, top + i + ahead)
        for k in range(0, W.shape[0], 2):
            _pair_dots(A, top + i, top + n - 1, W, k, out, i)


@helper()
def combine(A, top, n, R, ahead, out):
    """out = R rows, of shape (k, m); the rest as of `project`, which asks for the other half."""
    out[:] = 0
    for i in range(0, n, _ROWS):
        if ahead > 0:
            _ask_for_rows(A, top + i + 2 + ahead)
        for k in range(0, R.shape[0], 2):
            _pair_adds(A, top + i, top + n - 1, R, k, i, out)
