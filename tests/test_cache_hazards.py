"""Races, upgrades in place, full disks, other compiler flags and other Numbas: right results, at most one warning.

The kernels here are those of a small module that each test writes; `test_jit_cache.py` goes through the package's own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba.core.caching
import numpy as np
import pytest
from conftest import run_python

import fastlr
from fastlr.runtime import jit

MODULE = """
from fastlr.runtime.jit import kernel
from helper import change

@kernel()
def total(x):
    s = x[0] - x[0]
    for i in range(x.size):
        s += change(x[i])
    return s
"""

HELPER = """
from fastlr.runtime.jit import helper

@helper()
def change(value):
    return value + {amount}
"""

# Sums of arrays of the given dtypes, how many kernels were compiled rather than loaded, and what was warned of.
SCRIPT = """
import json, os, sys, time, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import numba.core.caching
    import numpy as np

    if "in-turns" in sys.argv:
        role = sys.argv[sys.argv.index("in-turns") + 1]
        index = numba.core.caching.IndexDataCacheFile
        saving = []

        def in_turns(name):
            original = getattr(index, name)

            def method(self, *arguments):
                turn = f"{role}{name}"
                if not saving or turn not in turns:
                    return original(self, *arguments)
                before = turns[: turns.index(turn)][-1:]
                deadline = time.monotonic() + 60
                while not all(os.path.exists(other) for other in before):
                    assert time.monotonic() < deadline, "the other process does not come"
                    time.sleep(0.01)
                try:
                    return original(self, *arguments)
                finally:
                    open(turn, "w").close()

            return method

        def save(self, key, data, original=index.save):
            saving.append(True)
            return original(self, key, data)

        turns = sys.argv[-1].split(",")
        index.save = save
        for name in ("_load_index", "_save_index", "_save_data"):
            setattr(index, name, in_turns(name))
    if "limit" in sys.argv:
        import resource
        size = int(sys.argv[sys.argv.index("limit") + 1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    from module import total
    sums = [float(total(np.arange(4, dtype=dtype))) for dtype in sys.argv[1].split(",")]
    stats = total.stats
print(json.dumps({
    "sums": sums,
    "compiled": sum(stats.cache_misses.values()),
    "loaded": sum(stats.cache_hits.values()),
    "warnings": [f"{w.category.__name__}: {w.message}" for w in caught],
}))
"""


def start(folder, dtypes, *options, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    kept |= {
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(fastlr.__file__).parents[1])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        **environment,
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, dtypes, *options],
        env=kept, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return SimpleNamespace(**json.loads(out))


def run(*arguments, **environment):
    return finish(start(*arguments, **environment))


def entries(folder):
    return {path.name for path in (folder / "cache").rglob("*.nbc")}


@pytest.fixture
def project(tmp_path):
    """A folder with a cached kernel, and a helper in another file."""
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "helper.py").write_text(HELPER.format(amount=1))
    return tmp_path


# Both have seen the index before either writes it; the index is the second's, a data file of one name the first's.
TURNS = "a_load_index,b_load_index,a_save_index,b_save_index,b_save_data,a_save_data"


def test_two_processes_that_compile_different_signatures_never_load_each_others_code(project):
    processes = [start(project, dtype, "in-turns", role, TURNS) for dtype, role in (("int64", "a"), ("float64", "b"))]
    assert [finish(process).sums for process in processes] == [[10.0], [10.0]]
    assert all((project / turn).exists() for turn in TURNS.split(","))
    after = run(project, "int64,float64")
    assert after.sums == [10.0, 10.0]
    assert after.loaded == 1  # of two that wrote the index, the last counts
    assert after.warnings == []
    assert run(project, "int64,float64").loaded == 2


def test_code_of_other_compiler_flags_is_never_run(project):
    assert run(project, "float64", NUMBA_OPT="0").compiled == 1
    unoptimised = entries(project)
    fast = run(project, "float64")
    assert (fast.sums, fast.compiled, fast.loaded) == ([10.0], 1, 0)
    assert not unoptimised & entries(project)  # old entries are pruned
    assert run(project, "float64", NUMBA_BOUNDSCHECK="1").compiled == 1
    assert len(entries(project)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
@pytest.mark.parametrize("size", [0, 2_000])
def test_a_disk_that_is_full_costs_time_and_one_warning(project, size):
    """Files may not grow beyond `size`: nothing can be written, or the index can and the machine code cannot."""
    result = run(project, "float64,int64", "limit", str(size))
    assert result.sums == [10.0, 10.0]
    (warning,) = result.warnings
    assert warning.startswith("RuntimeWarning: fastlr cannot cache compiled kernels on disk")
    assert not list((project / "cache").rglob("*.tmp.*"))
    assert entries(project) == set()
    after = run(project, "float64,int64")
    assert (after.sums, after.compiled, after.warnings) == ([10.0, 10.0], 2, [])
    assert run(project, "float64,int64").loaded == 2


# ----------------------------------------------------------------------------------------------------- other Numbas


@pytest.fixture
def unwarned(monkeypatch):
    monkeypatch.setattr(jit, "_warned", False)


def triple(x):
    return 3 * x


def assert_done_without_a_cache():
    with pytest.warns(RuntimeWarning, match="cannot cache compiled kernels") as caught:
        compiled = [jit.kernel()(triple) for _ in range(2)]
    assert len(caught) == 1
    assert [dispatcher(2) for dispatcher in compiled] == [6, 6]
    assert all(dispatcher.stats.cache_path is None for dispatcher in compiled)


@pytest.mark.parametrize("name", ["_source_stamp", "_index_name", "_data_name", "_load_index"])
def test_an_index_without_one_of_its_private_attributes_is_done_without(name, monkeypatch, unwarned):
    """Silence would be worse than no cache: without unique names, say, processes would mix up their code."""
    index = numba.core.caching.IndexDataCacheFile

    class Other:
        def __init__(self, *arguments, **options):
            inner = index(*arguments, **options)
            for other in {"_source_stamp", "_index_name", "_data_name", "_load_index"} - {name}:
                setattr(self, other, getattr(inner, other))

    monkeypatch.setattr(numba.core.caching, "IndexDataCacheFile", Other)
    assert_done_without_a_cache()


@pytest.mark.parametrize("name", ["__init__", "_cache_file"])
def test_a_cache_class_of_another_make_is_done_without(name, monkeypatch, unwarned):
    def init(self, py_func):
        if name == "__init__":
            raise AttributeError("another interface")

    monkeypatch.setattr(numba.core.caching.Cache, "__init__", init)
    assert_done_without_a_cache()


def test_a_dispatcher_without_a_place_for_the_cache_is_done_without(unwarned):
    class Bare:
        py_func = staticmethod(triple)
        __slots__ = ()

    with pytest.warns(RuntimeWarning, match="have no _cache"):
        jit._enable_cache(Bare())


def test_a_missing_counter_of_threads_is_done_without(monkeypatch):
    """scikit-learn's own is private; the cores and the limits of threadpoolctl tell as much."""
    from threadpoolctl import threadpool_limits

    from fastlr.runtime import team
    from fastlr.runtime.threads import available_cores

    monkeypatch.setattr(team, "_openmp_effective_n_threads", None)
    assert 1 <= team.effective_n_threads() <= available_cores()
    with threadpool_limits(1):
        assert team.effective_n_threads() == 1


WITHOUT = """
import numba.core.codegen, numba.core.cpu
{without}
import numpy as np
from fastlr.runtime import jit
from fastlr._validation import check_features
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.dense import DenseMatrix
assert {missing!r} not in jit.options(is_helper=True)
X, y = np.arange(30.0).reshape(10, 3) / 30, np.arange(10) % 2 * 1.0
loss, gradient = DenseMatrix(check_features(X)).sweep(LogisticLoss(y, np.empty(0)), np.zeros((1, 4)))
print(loss, *gradient[0])
"""


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("del numba.core.cpu.CPUTargetOptions", "_nrt"),  # always counts references
        ("del numba.core.codegen.JITCodeLibrary", "pipeline_class"),  # compiles helpers for themselves
        ("from fastlr.runtime import helpers; helpers._STEPS += ('another',)", "pipeline_class"),
        ("from fastlr.runtime import helpers; helpers._MAKERS += ('another',)", "pipeline_class"),
    ],
)
def test_a_numba_without_its_private_options_and_libraries_is_done_with(without, missing, tmp_path):
    code = WITHOUT.format(without=without, missing=missing)
    loss, *gradient = map(float, run_python(code, NUMBA_CACHE_DIR=str(tmp_path)).split())
    X, y = np.arange(30.0).reshape(10, 3) / 30, np.arange(10) % 2
    assert loss == pytest.approx(10 * np.log(2))
    np.testing.assert_allclose(gradient, np.append(X.T @ (0.5 - y), 0.0), atol=1e-14)


PASSES = """
import hashlib
import numpy as np
from scipy import sparse
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.csr import CSRMatrix

rng = np.random.default_rng(0)
X = sparse.csr_matrix(rng.random((3_000, 40)) * (rng.random((3_000, 40)) < 0.3))
matrix, targets = CSRMatrix(X), LogisticLoss((rng.random(3_000) < 0.5).astype(float), np.empty(0))
loss, gradient = matrix.sweep(targets, rng.normal(size=(1, 41)))
results = [np.float64(loss), gradient, *(matrix.product(targets, v[None]) for v in rng.normal(size=(20, 41)))]
print(hashlib.sha256(b"".join(result.tobytes() for result in results)).hexdigest())
"""


# Without what only compiling needs, and takes a tenth of a second to import.
NO_REGISTRIES = """
from numba.core.base import BaseContext
BaseContext.refresh = None
"""
NO_RUNTIME = """
import numba.core.runtime
del numba.core.runtime.rtsys
"""


def test_code_from_the_cache_gives_the_bits_of_code_just_compiled(tmp_path):
    compiled, *loaded = (
        run_python(first + PASSES, NUMBA_CACHE_DIR=str(tmp_path)) for first in ("", NO_REGISTRIES, NO_RUNTIME)
    )
    assert list(tmp_path.rglob("csr.serve-*.nbc"))
    assert loaded == [compiled, compiled]
