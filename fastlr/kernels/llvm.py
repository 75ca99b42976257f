"""Tools for loops that are written in LLVM's intermediate code: vectors, multiply-adds, loops, branches."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

int32 = ir.IntType(32)
intp = ir.IntType(types.intp.bitwidth)


def _choosing(comparison):
    """The intrinsic that returns the one of two integers that compares so; Numba would compile a function for each."""

    @intrinsic
    def choice(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return builder.select(builder.icmp_signed(comparison, *args), *args)

        return types.intp(types.intp, types.intp), codegen

    return choice


smaller, larger = _choosing("<"), _choosing(">")


@intrinsic
def as_rows(typingctx, flat, n_rows, n_columns):
    """The first entries of a contiguous vector as a matrix: `reshape`, of which Numba would compile three functions."""
    matrix = flat.copy(ndim=2)

    def codegen(context, builder, signature, args):
        source = context.make_array(flat)(context, builder, args[0])
        made = context.make_array(matrix)(context, builder)
        made.data, made.itemsize, made.parent, made.meminfo = (
            source.data,
            source.itemsize,
            source.parent,
            source.meminfo,
        )
        made.nitems = builder.mul(*args[1:])
        made.shape = cgutils.pack_array(builder, args[1:])
        made.strides = cgutils.pack_array(builder, [builder.mul(args[2], source.itemsize), source.itemsize])
        view = made._getvalue()
        if context.enable_nrt:
            context.nrt.incref(builder, matrix, view)  # what is returned is the caller's
        return view

    return matrix(flat, types.intp, types.intp), codegen


@intrinsic
def call_potrf(typingctx, address, upper, counts, matrix):
    """Overwrite a matrix with its Cholesky factor, by LAPACK's routine at an address; nothing holds it when cached.

    `upper` is what LAPACK calls U, as an array of uint8, and `counts` an int32 array: order and leading dimension of
    the matrix, and, written, how the routine fared. What it calls upper is lower in C order.
    """
    byte = ir.IntType(8).as_pointer()

    def codegen(context, builder, signature, args):
        arrays = zip(signature.args[1:], args[1:], strict=True)
        a, b, c = (context.make_array(kind)(context, builder, value).data for kind, value in arrays)
        order, leading, info = (builder.gep(b, [intp(i)]) for i in range(3))
        routine = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), [byte] * 5).as_pointer())
        builder.call(routine, [builder.bitcast(pointer, byte) for pointer in (a, order, c, leading, info)])
        return context.get_dummy_value()

    return types.void(types.intp, upper, counts, matrix), codegen


def vector_type(dtype, n_bytes):
    """A vector of `n_bytes` of a Numba type, of integers or floats."""
    item = ir.DoubleType() if dtype.bitwidth == 64 else ir.FloatType()
    if isinstance(dtype, types.Integer):
        item = ir.IntType(dtype.bitwidth)
    return ir.VectorType(item, n_bytes * 8 // dtype.bitwidth)


def item_pointer(context, builder, array_type, array, *indices):
    """Pointer to an entry of an array, given by its Numba type and value, at indices that are not negative."""
    made = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, made, list(indices), wraparound=False)


def load_vector(context, builder, pointer, dtype, vector):
    """The entries of a Numba type from a pointer on, converted to a vector of floats."""
    item = context.get_value_type(dtype)
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(item, vector.count).as_pointer()))
    loaded.align = dtype.bitwidth // 8
    if isinstance(dtype, types.Integer):
        return (builder.sitofp if dtype.signed else builder.uitofp)(loaded, vector)
    if item == vector.element:
        return loaded
    return (builder.fpext if dtype.bitwidth == 32 else builder.fptrunc)(loaded, vector)


def splat(builder, vector, value):
    """A vector of equal entries."""
    undefined = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(int32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(builder.insert_element(undefined, value, int32(0)), undefined, zeros)


def multiply_add(builder, a, b, c):
    """A b + c, in one step where the processor has one."""
    name = "f64" if isinstance(a.type.element, ir.DoubleType) else "f32"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, [a.type] * 3), f"llvm.fmuladd.v{a.type.count}{name}"
    )
    return builder.call(function, [a, b, c])


def multiply_add_pairs(builder, a, b, c):
    """C plus the sums of two products each, of vectors of int32 that are pairs of 16-bit integers.

    On x86 this is one instruction, or two: VPMADDWD and VPADDD, or VPDPWSSD.
    """
    count = a.type.count
    halves, wide = (ir.VectorType(ir.IntType(bits), 2 * count) for bits in (16, 32))
    products = builder.mul(*(builder.sext(builder.bitcast(v, halves), wide) for v in (a, b)))
    lanes, undefined = ir.VectorType(int32, count), ir.Constant(wide, ir.Undefined)
    even, odd = (
        builder.shuffle_vector(products, undefined, ir.Constant(lanes, list(range(k, 2 * count, 2)))) for k in (0, 1)
    )
    return builder.add(c, builder.add(even, odd))


def prefetch(builder, pointer, *, level):
    """Ask for a cache line: `level` 3 for the first-level cache, 2 for the second."""
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, *[int32] * 3]), "llvm.prefetch.p0"
    )
    builder.call(function, [builder.bitcast(pointer, cgutils.voidptr_t), int32(0), int32(level), int32(1)])


@intrinsic
def ask(typingctx, A, i, j):
    """Ask for an entry of a matrix, to be in the second-level cache soon."""

    def codegen(context, builder, signature, args):
        prefetch(builder, item_pointer(context, builder, A, *args), level=2)
        return context.get_dummy_value()

    return types.void(A, types.intp, types.intp), codegen


def loop(builder, start, stop, step, values, body):
    """``for k in range(start, stop, step): values = body(k, values)``; returns the last values."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(intp)
    k.add_incoming(start, before)
    current = [builder.phi(value.type) for value in values]
    for phi, value in zip(current, values, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", k, stop), inside, after)
    builder.position_at_end(inside)
    following = body(k, current)
    k.add_incoming(builder.add(k, intp(step)), builder.block)
    for phi, value in zip(current, following, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return current


def choose(builder, condition, one, other):
    """``values = one() if condition else other()``."""
    blocks = [builder.append_basic_block(name) for name in ("one", "other", "chosen")]
    builder.cbranch(condition, *blocks[:2])
    arms = []
    for block, make in zip(blocks[:2], (one, other), strict=True):
        builder.position_at_end(block)
        values = make()
        arms.append((values, builder.block))
        builder.branch(blocks[2])
    builder.position_at_end(blocks[2])
    phis = [builder.phi(value.type) for value in arms[0][0]]
    for values, block in arms:
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, block)
    return phis
