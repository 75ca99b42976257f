"""What LLVM makes of the innermost loops, for processors other than this one as well: no other machine is needed.

The back ends that come with Numba's llvmlite compile the loops for each processor; nothing of it runs here.
"""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit, types

from fastlr.kernels import pairs, products, vectors
from fastlr.runtime.jit import options
from fastlr.runtime.machine import _REGISTERS

# Processor as LLVM calls it, its triple, its features beyond the name's, and the registers that are compiled for.
X86, ARM, APPLE = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "arm64-apple-darwin"
PROCESSORS = {
    "x86-64-v2": (X86, "", "SSE2"),
    "x86-64-v3": (X86, "", "AVX2"),
    "x86-64-v4": (X86, "", "AVX-512"),
    "haswell": (X86, "", "AVX2"),
    "znver3": (X86, "", "AVX2"),
    "icelake-server": (X86, "", "AVX-512"),
    "znver4": (X86, "", "AVX-512"),
    "neoverse-n1": (ARM, "+neon", "NEON"),
    "apple-m1": (APPLE, "+neon", "NEON"),
}
DTYPES = {"float64": types.float64, "float32": types.float32, "uint8": types.uint8, "int32": types.int32}

# Those of pairs of integers too.
_FUSED = re.compile(r"^vfn?m(?:add|sub)\d*p[sd]\b|^fml[as](?:\.\d[sd])?\b|^v?pmaddwd\b|^vpdpwssd\b")
_SEPARATE = re.compile(r"^v?mulp[sd]\b")
_VECTOR_ON_STACK = re.compile(r"\(%rsp\).*%[xyz]mm|%[xyz]mm.*\(%rsp\)|^(?:str|ldr|stp|ldp|stur|ldur)\s+[qv]\d+.*\[sp")


@pytest.fixture(scope="module", autouse=True)
def all_back_ends():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def array(dtype, ndim):
    return types.Array(dtype, ndim, "C", readonly=False)


def intermediate_code(function, *signature):
    """What Numba hands to LLVM's code generators."""
    dispatcher = njit(**options())(function)
    dispatcher.compile(signature)
    return dispatcher.inspect_llvm(dispatcher.signatures[0])


def assembly(code, processor):
    """The instructions of a function for a processor, by label."""
    triple, features, _ = PROCESSORS[processor]
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, features=features, opt=3)
    code = re.sub(r'target (triple|datalayout) = ".*"\n', "", code)
    code = re.sub(r'"(target-cpu|target-features|tune-cpu)"="[^"]*"', "", code)
    module = llvm.parse_assembly(f'target datalayout = "{machine.target_data}"\ntarget triple = "{triple}"\n{code}')
    blocks, label = {}, ""
    for line in machine.emit_assembly(module).splitlines():
        if match := re.match(r"^(\.?L[\w$.]+|[\w$.]+):", line):
            label = match.group(1)
        elif line.startswith("\t") and not line.startswith("\t."):
            blocks.setdefault(label, []).append(line.strip())
    return blocks


def vector_loops(blocks):
    """Innermost loops that multiply vectors: the blocks between one and a jump back to it."""
    labels = list(blocks)
    loops = []
    for end, label in enumerate(labels):
        for line in blocks[label]:
            jump = re.match(r"^(?:j\w+|b(?:\.\w+)?|cbn?z\s.*,|tbn?z\s.*,)\s*(\S+)$", line)
            if jump and jump.group(1) in labels[: end + 1]:
                loops.append((labels.index(jump.group(1)), end))
    innermost = [(i, j) for i, j in loops if not any(i <= k and m <= j and (k, m) != (i, j) for k, m in loops)]
    for start, end in innermost:
        lines = [line for label in labels[start : end + 1] for line in blocks[label]]
        if any(_FUSED.match(line) or _SEPARATE.match(line) for line in lines):
            yield lines


def assert_fused_and_free_of_spills(code, processor, n_loops):
    loops = list(vector_loops(assembly(code, processor)))
    assert len(loops) >= n_loops
    for lines in loops:
        assert not [line for line in lines if _VECTOR_ON_STACK.search(line)]
        if processor != "x86-64-v2":  # which has no fused multiply-adds
            assert any(_FUSED.match(line) for line in lines)
            assert not any(re.match(r"^vmulsd|^vmulss", line) for line in lines)


def registers_of(processor):
    return _REGISTERS[PROCESSORS[processor][2]]


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
@pytest.mark.parametrize("n_rows", [vectors.WIDE_STRIP, vectors.LONG_STRIP])
def test_loops_over_strips_stay_in_registers(processor, dtype, n_rows):
    if dtype == "uint8" and n_rows == vectors.LONG_STRIP:
        pytest.skip("8-bit numbers are read in wide strips")
    entry, product = DTYPES[dtype], types.float64 if dtype == "float64" else types.float32
    n_bytes = vectors.strip_bytes(registers_of(processor))
    dots, adds = vectors.make_dots(n_rows, n_bytes), vectors.make_adds(n_rows, n_bytes)

    def run_dots(A, first, last, v, start, stop, ahead, out):
        dots(A, first, last, v, start, stop, ahead, out, 0)

    def run_adds(A, first, last, r, start, stop, ahead, out):
        adds(A, first, last, r, 0, start, stop, ahead, out)

    A, vector, intp = array(entry, 2), array(product, 1), types.intp
    doubles = array(types.float64, 1)
    for function, out in ((run_dots, doubles), (run_adds, vector)):
        code = intermediate_code(function, A, intp, intp, vector, intp, intp, intp, out)
        assert_fused_and_free_of_spills(code, processor, n_loops=1)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_of_pairs_of_columns_stay_in_registers(processor, dtype):
    dots = pairs.make_dots(pairs.pair_bytes(registers_of(processor)))

    def run(A, first, last, W, k, out, i):
        dots(A, first, last, W, k, out, i)

    matrix, intp = array(DTYPES[dtype], 2), types.intp
    code = intermediate_code(run, matrix, intp, intp, matrix, intp, matrix, intp)
    assert_fused_and_free_of_spills(code, processor, n_loops=1)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_the_loop_of_products_stays_in_registers(processor, dtype):
    if dtype == "int32" and PROCESSORS[processor][2] not in ("AVX2", "AVX-512"):
        pytest.skip("the pairs' products need more registers than there are")
    add_block = products.make_add_block(products.rows_in_registers(registers_of(processor)))

    def run(left, row, right, sliver, depth, out):
        add_block(left, row, right, sliver, depth, out)

    panel, intp = array(DTYPES[dtype], 3), types.intp
    code = intermediate_code(run, panel, intp, panel, intp, intp, array(types.float64, 2))
    assert_fused_and_free_of_spills(code, processor, n_loops=1)


def test_a_loop_that_spills_is_found():
    # Twice as many rows as AVX2 has registers for.
    add_block = products.make_add_block(16)

    def run(left, row, right, sliver, depth, out):
        add_block(left, row, right, sliver, depth, out)

    panel, intp = array(types.float64, 3), types.intp
    code = intermediate_code(run, panel, intp, panel, intp, intp, array(types.float64, 2))
    with pytest.raises(AssertionError):
        assert_fused_and_free_of_spills(code, "x86-64-v3", n_loops=1)


def test_products_of_all_registers_are_padded_alike():
    for registers in _REGISTERS.values():
        n_rows = products.rows_in_registers(registers)
        assert n_rows >= 2 and n_rows % 2 == 0
        assert products.padded_rows(1) % n_rows == 0
        assert vectors.strip_bytes(registers) // vectors.LONG_STRIP >= np.dtype(np.float64).itemsize
