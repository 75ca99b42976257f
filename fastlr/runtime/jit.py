"""The decorators of all compiled functions: `kernel` for those that Python calls, `helper` for those that kernels call.

Why not a bare ``@njit``:

* Every flag is stated. A helper without ``fastmath=`` takes the flags of whichever caller happens to compile it
  first, and the disk cache would keep that accident.
* ``FASTMATH`` lets reductions vectorise but keeps NaN and inf alive (no ``nnan``, no ``ninf``), so a bad value in X
  reaches the sums and is reported. Scalar formulas are compiled with ``CONTRACT`` only: fused multiply-adds, no
  reordering.
* Numba's cache knows only the source file of the cached function. A kernel calls helpers of other files, so its
  entries are stamped with the sources of all rooms that compiled code comes from, and the flags that change code
  generation.
* Helpers are inlined, always. Left to the compiler, each kernel carries a copy of its own, and which copy runs,
  in which order its sums are added, depends on what the process loaded first. It also spares most of the compiler's
  work on them, see `helpers`.
* A cache that cannot be read or written costs time, never a result: the kernel is then compiled in memory.
"""

import glob
import hashlib
import logging
import sys
import threading
import uuid
import warnings
from pathlib import Path

import llvmlite
import numba
from numba.extending import register_jitable

from . import helpers, seed

try:
    from numba.core.caching import FunctionCache
except ImportError:  # a private class: without it kernels are compiled once a process
    FunctionCache = None

try:
    from numba.core.runtime import rtsys
except ImportError:  # private too: without it Numba makes ready to compile where code is only loaded
    rtsys = None

try:
    from numba.core.cpu import CPUTargetOptions
except ImportError:  # private as well
    CPUTargetOptions = None

FASTMATH = frozenset({"reassoc", "contract", "nsz"})
CONTRACT = frozenset({"contract"})


def options(fastmath=FASTMATH, *, counting=False, is_helper=False):
    """Numba's options for a kernel or a helper, or what `@overload` returns for one; parameters as of `kernel`."""
    flags = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "fastmath": set(fastmath)}
    # An option of Numba's, which without it would count references everywhere. Whoever calls a kernel holds what it
    # works on, and the counts would be kept in the innermost loops.
    counted = {"_nrt": counting} if hasattr(CPUTargetOptions, "_nrt") else {}
    return {**flags, **counted, **helpers.options(is_helper)}


_logger = logging.getLogger("fastlr")


# All that compiled code is made of: loops, what hands out their work, formulas of losses, constants.
COMPILED = ("kernels", "runtime", "losses", "rules.py")


def package_stamp(folder=None):
    """Hash of all sources that compiled code comes from (`COMPILED`), and of what else decides the machine code.

    Parameters
    ----------
    folder : path-like, optional
        Root of the sources; the installed package by default.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    folder = Path(folder or Path(__file__).parents[1]).resolve()
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] in COMPILED):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    flags = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "ENABLE_AVX")
    digest.update(repr([(flag, str(getattr(numba.config, flag, None))) for flag in flags]).encode())
    digest.update(f"{numba.__version__} {llvmlite.__version__}".encode())
    return digest.hexdigest()


_STAMP = package_stamp()
_MOMENT = 1.0  # seconds that the compiler may take without a word
_warned = False


def _cache_unavailable(reason):
    """Say once that kernels are compiled anew in every process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"fastlr cannot cache compiled kernels on disk, so each process compiles them anew ({reason}). "
            "Set NUMBA_CACHE_DIR to a writable folder to speed up the first call.",
            RuntimeWarning,
            stacklevel=2,
        )


class _Notice:
    """Tells a terminal, once, what it waits for, where that takes longer than a moment."""

    def __init__(self):
        self._told = False
        self._timer = None

    def begin(self, name):
        """The compiler starts."""
        _logger.info("compiling %s, once per machine", name)
        if self._told or self._timer or sys.stderr is None or not sys.stderr.isatty():
            return
        self._timer = threading.Timer(_MOMENT, self._tell)
        self._timer.daemon = True
        self._timer.start()

    def _tell(self):
        self._told = True
        print("fastlr: compiling kernels, once per machine ...", file=sys.stderr)

    def end(self):
        """The compiler is done."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


_notice = _Notice()

# What `_PackageCache` touches of Numba's private classes. One that goes by another name would be replaced in vain.
_PRIVATE = ("_source_stamp", "_index_name", "_data_name", "_load_index")

if FunctionCache is not None:

    class _PackageCache(FunctionCache):
        """Numba's cache of one function, stamped with all sources of compiled code and safe against damage.

        Data files get unique names: two processes that compile different signatures at the same time may then lose
        an entry, but can never load each other's code.
        """

        def __init__(self, py_func):
            super().__init__(py_func)
            index = self._cache_file
            missing = [name for name in _PRIVATE if not hasattr(index, name)]
            if missing:
                raise AttributeError(f"this Numba's cache index has no {missing}")
            index._source_stamp = _STAMP
            stem = index._index_name.removesuffix(".nbi")
            index._data_name = lambda number: f"{stem}.{uuid.uuid4().hex[:12]}.nbc"

        def load_overload(self, sig, target_context):
            try:
                found = self._load(sig, target_context)
            except Exception as error:  # whatever a truncated or foreign file raises: compile again
                _logger.info("ignored a damaged cache entry of %s: %r", self._name, error)
                found = None
            found = found or self._from_seed(sig, target_context)
            if found is None:
                _notice.begin(self._name)
            return found

        def _load(self, sig, target_context):
            """What is on disk; of Numba's registries, which take 0.13 s to load, only compiling has need."""
            if rtsys is None or not hasattr(self, "_load_overload"):
                return super().load_overload(sig, target_context)
            rtsys.initialize(target_context)  # for code that counts references
            return self._load_overload(sig, target_context)

        def _from_seed(self, sig, target_context):
            try:
                key = self._index_key(sig, target_context.codegen())
                stored = seed.load(self._impl.filename_base, _STAMP, key)
                return stored and self._impl.rebuild(target_context, stored)
            except Exception as error:  # of private parts of a Numba that is not known
                _logger.info("no seed for %s: %r", self._name, error)
                return None

        def save_overload(self, sig, data):
            _notice.end()
            try:
                self._prune()
                super().save_overload(sig, data)
            except Exception as error:  # full disk, quota, a folder that was removed
                _cache_unavailable(repr(error))

        def _prune(self):
            """Remove what an older package left of this function: its index no longer counts, if it can be read."""
            index = self._cache_file
            try:
                if index._load_index():
                    return
            except Exception as error:  # a damaged index: numba would neither read nor replace it
                _logger.info("replaced a damaged cache index of %s: %r", self._name, error)
            # Names are "module.function-line.python": the line changes when code above the function does.
            function, _, line_and_python = index._index_name.removesuffix(".nbi").rpartition("-")
            python = line_and_python.partition(".")[2]
            for path in Path(self.cache_path).glob(f"{glob.escape(function)}-*.{python}*.nb[ci]"):
                path.unlink(missing_ok=True)

    class _Nowhere:
        """A place for a cache, in Numba's terms, that is none."""

        def __init__(self, py_func):
            self._line = py_func.__code__.co_firstlineno

        @classmethod
        def from_function(cls, py_func, source):
            return cls(py_func)

        def get_cache_path(self):
            return str(seed.SHIPPED / "nowhere")

        def get_source_stamp(self):
            return None

        def get_disambiguator(self):
            return str(self._line)  # as that of Numba's places, of which the names of files are made

    class _SeedCache(_PackageCache):
        """The seed alone, where nothing can be written."""

        _impl_class = type("_Impl", (FunctionCache._impl_class,), {"_locator_classes": [_Nowhere]})

        def load_overload(self, sig, target_context):
            return self._from_seed(sig, target_context)

        def save_overload(self, sig, data):
            _cache_unavailable("no folder can be written to")


def kernel(fastmath=FASTMATH, *, counting=False):
    """Compile a function that Python calls, and keep the machine code on disk.

    Parameters
    ----------
    fastmath : frozenset of str
        LLVM's fast-math flags for this function: ``FASTMATH`` or ``CONTRACT``.
    counting : bool
        Count references to arrays, as functions must that call BLAS, or one that returns an array.

    Returns
    -------
    callable
        Decorator that returns a Numba dispatcher.
    """

    def decorate(py_func):
        dispatcher = numba.njit(**options(fastmath, counting=counting))(py_func)
        if not numba.config.DISABLE_JIT:
            _enable_cache(dispatcher)
        return dispatcher

    return decorate


def helper(fastmath=FASTMATH, *, counting=False):
    """Have kernels that call a function compile it as a part of them.

    Parameters
    ----------
    fastmath, counting
        See `kernel`.

    Returns
    -------
    callable
        Decorator that returns the function, which in Python stays what it is.
    """
    return register_jitable(**options(fastmath, counting=counting, is_helper=True))


def _enable_cache(dispatcher):
    if FunctionCache is None:
        _cache_unavailable("this Numba has no numba.core.caching.FunctionCache")
        return
    if not hasattr(dispatcher, "_cache"):
        _cache_unavailable("this Numba's dispatchers have no _cache")
        return
    for kind in (_PackageCache, _SeedCache) if seed.folders() else (_PackageCache,):
        try:
            dispatcher._cache = kind(dispatcher.py_func)
            return
        except (RuntimeError, OSError, AttributeError) as error:
            reason = repr(error)
    _cache_unavailable(reason)
