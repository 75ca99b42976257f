"""The fixed partition of rows into blocks.

It depends on the shape of X alone, never on the number of threads: each block writes its own sums, and these are
added in block order. That is why results are the same bits for any number of threads.
"""

import ctypes
import math

import numpy as np

# A block has at least this many entries of X, that handing it out (0.1 us) and adding its sums cost little next to
# it, and this many rows, because a kernel's first and last few rows cannot overlap with others.
_BLOCK_ENTRIES = 120_000
_BLOCK_ROWS = 84
_SPARSE_BLOCK_ENTRIES = 60_000  # each of which costs more
_ENTRIES_PER_ROW = 4
_MAX_BLOCKS = 256
_MAX_HESSIAN_BLOCKS = 16
_MAX_FEATURE_BLOCKS = 16
_ROW_MULTIPLE = 32
_LINE_BYTES = 64
_GUARD_BYTES = 4_096  # more than what one turn of any vectorised loop writes
# Addresses so far apart share the sets of a first-level cache of 32 KB in 8 ways, and a load looks like one of what was
# stored just before. Rows of 4,096 numbers are that far apart already: a vector at the same distance is a ninth line
# for eight places. A pass over 348 x 4,096 float64 numbers took 330 us with vectors at distances of 0 to 256 bytes from
# the rows' and 272 at 1,024 to 3,072 (AMD Zen 4).
_ALIAS_BYTES = 4_096


def block_rows(n_samples, n_features, max_blocks=_MAX_BLOCKS):
    """Rows of each block of a pass; the last block may have fewer.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X.
    max_blocks : int
        Upper bound on the number of blocks: the sums of a pass take ``n_features * n_blocks`` numbers.

    Returns
    -------
    int
        A multiple of 4. A strip of rows that are read together may reach into the next block, where they count nothing.
    """
    n_blocks = max(1, min(max_blocks, n_samples * n_features // _BLOCK_ENTRIES, n_samples // _BLOCK_ROWS))
    rows = -(-n_samples // n_blocks)
    multiple = _ROW_MULTIPLE if rows > 8 * _ROW_MULTIPLE else 4
    return max(4, -(-rows // multiple) * multiple)


def feature_blocks(n_samples, n_features):
    """Features of each block of a pass that goes feature after feature; the last block may have fewer.

    Every block has n_samples sums of its own; together they take a tenth of X's memory at most.

    Returns
    -------
    int
        A multiple of 32, of which the features that kernels read together are a part.
    """
    rows = block_rows(n_features, n_samples, _MAX_FEATURE_BLOCKS)
    return -(-rows // _ROW_MULTIPLE) * _ROW_MULTIPLE


def hessian_block_rows(n_samples, n_features):
    """Rows of each block of a Hessian pass, where every block has a matrix of its own.

    The matrices together have at most an eighth of X's entries, but there are two at least, for two cores.
    """
    allowed = max(2, n_samples // (8 * n_features))
    return block_rows(n_samples, n_features, min(_MAX_HESSIAN_BLOCKS, allowed))


def softmax_block_rows(n_samples, n_features, n_classes):
    """Rows of each block of a pass with many classes, where every block has a gradient for each class.

    The gradients together have at most an eighth of X's entries, but there are two at least, for two cores.
    """
    allowed = max(2, n_samples // (8 * n_classes))
    return block_rows(n_samples, n_features * n_classes, min(_MAX_HESSIAN_BLOCKS, allowed))


def entry_blocks(indptr, n_features, n_classes=1):
    """First rows of the blocks of a pass over a sparse X, and the number of rows: about as many entries in each.

    Every block has a gradient of its own; together they take a sixth of X's memory at most, but there may be two
    blocks, for two cores.

    Parameters
    ----------
    indptr : int64 array of shape (n_samples + 1,)
        Where the entries of each row begin.
    n_features : int
    n_classes : int
        Gradients of a block.

    Returns
    -------
    int64 array of shape (n_blocks + 1,)
    """
    n_samples = len(indptr) - 1
    # Work in units of entries; a row costs as much as a few of them.
    work = indptr + _ENTRIES_PER_ROW * np.arange(n_samples + 1)
    allowed = max(2, int(indptr[-1]) // (4 * n_features * n_classes))
    n_blocks = min(_MAX_BLOCKS, allowed, int(work[-1]) * n_classes // _SPARSE_BLOCK_ENTRIES)
    n_blocks = n_blocks // 4 * 4 if n_blocks > 4 else max(1, n_blocks)  # even shares for a few threads
    starts = np.searchsorted(work, work[-1] * np.arange(n_blocks) // n_blocks)
    return np.unique(np.append(starts, n_samples))


def sample_rows(n_samples, n_sampled):
    """Indices of a subsample, spread evenly but not regularly: one from each of n_sampled equal stretches."""
    golden = 0.6180339887498949
    stretch = n_samples / n_sampled
    offsets = np.modf(golden * np.arange(1, n_sampled + 1))[0]
    return np.minimum(((np.arange(n_sampled) + offsets) * stretch).astype(np.int64), n_samples - 1)


def guarded_empty(shape, dtype=np.float64, beside=None):
    """Uninitialised array on a boundary of 64 bytes, a cache line, with a stretch of unused memory on either side.

    Where a loop both adds up and writes, the compiler tests at run time whether what it writes lies just behind what
    it reads, and takes a scalar loop if so, which adds in another order. Kept apart from all else, arrays that such
    loops write give the same bits wherever they happen to be allocated. Vectors that cross two lines cost a fifth.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : numpy dtype
    beside : ndarray, optional
        A matrix whose rows are read in step with this array: its address is then half of `_ALIAS_BYTES` from theirs.

    Returns
    -------
    ndarray
        C order, a view of a larger one.
    """
    size = (shape if isinstance(shape, int) else math.prod(shape)) * np.dtype(dtype).itemsize
    period = _LINE_BYTES if beside is None else _ALIAS_BYTES
    memory = np.empty(size + 2 * _GUARD_BYTES + period, np.uint8)
    address = 0 if beside is None else (beside.ctypes.data + _ALIAS_BYTES // 2) // _LINE_BYTES * _LINE_BYTES
    # `memory.ctypes.data` would take three times as long.
    start = _GUARD_BYTES + (address - ctypes.addressof(ctypes.c_char.from_buffer(memory))) % period
    return np.ndarray(shape, dtype, memory, start)


def guarded_parts(shapes):
    """Uninitialised float64 arrays of some shapes, tuples, cut from one and kept apart as by `guarded_empty`."""
    starts, stop = [], 0
    for shape in shapes:
        starts.append(stop)
        stop += (math.prod(shape) * 8 + _GUARD_BYTES + _LINE_BYTES) // _LINE_BYTES * _LINE_BYTES
    memory = guarded_empty(stop, np.uint8)
    return [np.ndarray(shape, np.float64, memory, start) for shape, start in zip(shapes, starts, strict=True)]


def count_blocks(n_items, items_per_block):
    """Number of blocks that cover `n_items`."""
    return -(-n_items // items_per_block)
