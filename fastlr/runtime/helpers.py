"""How helpers of kernels are compiled, which only compiled code calls: as far as LLVM's intermediate code.

Numba optimises each function, and makes machine code of it for Python to call. A helper is inlined into all its
callers, and optimised there again: half of the compiler's time would go into what nobody runs. What Numba writes, with
each variable in memory, is cleared up function by function all the same: that is quick in small ones, and a kernel of
many helpers is then compiled in two thirds of the time.
"""

import gc
from contextlib import contextmanager
from types import SimpleNamespace

from llvmlite import binding
from numba.core.compiler import Compiler

try:
    from numba.core.codegen import CPUCodegen, JITCodeLibrary
except ImportError:  # private classes: without them helpers are compiled as other functions are
    CPUCodegen = JITCodeLibrary = None

# The steps that are left out or done otherwise. One that goes by another name would not be.
_STEPS = ("_optimize_functions", "_optimize_final_module", "_finalize_final_module", "get_pointer_to_function")
_MAKERS = ("_pass_builder", "_module_pass_manager")

# Passes over Numba's representation, of which each takes a look at all of it: for closures, functions to inline, and
# expressions of arrays, which kernels write as loops.
_SPARED = ("inline_closure_likes", "inline_overloads", "nopython_rewrites")


def _run_passes(library, module, names):
    """Run passes of LLVM over a module: methods of its pass manager, by what follows "add_" in their names."""
    passes = binding.create_new_module_pass_manager()
    for name in names:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, library._codegen._pass_builder())


def options(is_helper):
    """Options of `numba.njit` for a helper, or for a kernel, beside those of all functions."""
    flags = {"forceinline": True} if is_helper else {}
    needed = [(JITCodeLibrary, _STEPS), (CPUCodegen, _MAKERS)]
    if JITCodeLibrary is None or not all(hasattr(owner, name) for owner, names in needed for name in names):
        return flags
    return {**flags, "pipeline_class": _HelperCompiler if is_helper else _KernelCompiler}


def _shortened(manager):
    """The passes of a pipeline without `_SPARED`."""
    manager.passes = [named for named in manager.passes if named[0]._name not in _SPARED]
    manager.finalize()
    return manager


@contextmanager
def _no_collection():
    """Keep the garbage collector from walking what the compiler builds up, again and again."""
    is_mine = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_mine:
            gc.enable()


if JITCodeLibrary is not None:

    class _KernelLibrary(JITCodeLibrary):
        """Code that is optimised once, with what it calls, and not function by function before."""

        def _optimize_functions(self, ll_module):
            _run_passes(self, ll_module, ["sroa", "simplify_cfg"])

        def _optimize_final_module(self):
            _run_passes(self, self._final_module, ["always_inliner", "global_dead_code_eliminate"])
            passes, builder = self._codegen._module_pass_manager()
            passes.run(self._final_module, builder)

    class _HelperLibrary(_KernelLibrary):
        """Code for other libraries to link, none that runs."""

        codegen = SimpleNamespace(set_env=lambda name, environment: None)  # an address in code that runs

        def _optimize_final_module(self):
            pass

        def _finalize_final_module(self):
            self._finalized = True

        def get_pointer_to_function(self, name):
            return 0

    class _KernelCompiler(Compiler):
        library_class = _KernelLibrary

        def __init__(self, *args):
            with _no_collection():  # the first loads all that Numba knows of types
                super().__init__(*args)

        def define_pipelines(self):
            self.state.library = self.library_class(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
            self.state.library.enable_object_caching()
            return [_shortened(manager) for manager in super().define_pipelines()]

        def compile_extra(self, func):
            with _no_collection():
                return super().compile_extra(func)

    class _HelperCompiler(_KernelCompiler):
        library_class = _HelperLibrary
