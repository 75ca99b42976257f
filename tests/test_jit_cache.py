"""Machine code on disk costs time when it is stale, damaged or missing, and never a result."""

import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

import fastlr
from fastlr.runtime.jit import COMPILED, CONTRACT, FASTMATH, kernel, options, package_stamp

ROOT = Path(fastlr.__file__).parent

# Prints what the kernels give, how many were compiled rather than loaded, and what was warned of.
_SCRIPT = """
import json, os, shutil, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    if "without-cache-class" in sys.argv:
        import numba, numba.core.caching
        kept = numba.core.caching.FunctionCache
        del numba.core.caching.FunctionCache
        import fastlr.runtime.jit
        numba.core.caching.FunctionCache = kept  # which Numba's own modules need
    import numpy as np
    from fastlr.kernels.links import apply_loss
    from fastlr.losses.logistic import Logistic
    from fastlr.kernels.pointwise import sigmoid_array
    dispatchers = [apply_loss, sigmoid_array]
    if "lose-folder" in sys.argv:
        shutil.rmtree(os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)
        open(os.environ["NUMBA_CACHE_DIR"], "w").close()
    z, y, none = np.linspace(-2, 3, 6), np.array([0.0, 1, 0, 1, 0, 1]), np.empty(0)
    out = {"loss": apply_loss(z, Logistic(), y, none, z.copy(), z.copy(), z.copy())[0]}
    probability = np.empty(6)
    sigmoid_array(z, probability)
    out["sigmoid"] = probability.tolist()
    if "with-design" in sys.argv:
        from fastlr.runtime import rounds
        from fastlr.kernels import dense
        from fastlr.losses.logistic import LogisticLoss
        from fastlr.matrices.dense import DenseMatrix
        from fastlr._validation import check_features
        matrix = DenseMatrix(check_features(z[:, None]))
        out["design"] = matrix.sweep(LogisticLoss(y, none), np.array([[1.0, 0.0]]))[0]
        dispatchers += [dense.serve, rounds.open_round]
    out["compiled"] = [d.__name__ for d in dispatchers if sum(d.stats.cache_misses.values())]
    out["loaded"] = [d.__name__ for d in dispatchers if sum(d.stats.cache_hits.values())]
out["warnings"] = [f"{w.category.__name__}: {w.message}" for w in caught]
print(json.dumps(out))
"""

_Z = np.linspace(-2, 3, 6)
LOSS = float(np.logaddexp(0, np.where(np.arange(6) % 2, -_Z, _Z)).sum())
SIGMOID = 1 / (1 + np.exp(-_Z))


def run_script(folder, *options, **environment):
    """A new Python that imports the package from `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    kept |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", _SCRIPT, *options]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(**json.loads(done.stdout))


def copy_package(folder):
    return shutil.copytree(ROOT, folder / "fastlr", ignore=shutil.ignore_patterns("__pycache__"))


def assert_right(result, factor=1.0):
    assert result.loss == pytest.approx(factor * LOSS, rel=1e-13)
    np.testing.assert_allclose(result.sigmoid, SIGMOID, rtol=1e-14)
    if hasattr(result, "design"):
        assert result.design == pytest.approx(factor * LOSS, rel=1e-13)


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """One package in six processes: fresh, again, after an edit, again, after damage, again."""
    folder = tmp_path_factory.mktemp("story")
    package = copy_package(folder)
    cache = folder / "cache"
    story = SimpleNamespace(files={})

    def process(name):
        setattr(story, name, run_script(folder, "with-design", NUMBA_CACHE_DIR=str(cache)))
        story.files[name] = {path.name for path in cache.rglob("*.nb?")}

    process("fresh")
    process("again")

    # Another formula in the file of a helper, and every line of that file further down.
    source = package / "kernels" / "pointwise.py"
    text = source.read_text(encoding="utf-8")
    line = "    return loss, p - y, e * inverse * inverse\n"
    assert text.count(line) == 1
    source.write_text("# edited\n" + text.replace(line, line.replace("loss,", "2.0 * loss,")), encoding="utf-8")
    process("edited")

    for damage, pattern in (
        (empty, "links.apply_loss-*.nbi"),
        (truncate, "rounds.open_round-*.nbi"),
        (empty, "dense.serve-*.nbc"),
        (truncate, "pointwise.sigmoid_array-*.nbc"),
    ):
        paths = list(cache.rglob(pattern))
        assert paths, pattern
        for path in paths:
            damage(path)
    process("damaged")
    process("healed")
    return story


EVERYTHING = {"apply_loss", "sigmoid_array", "serve", "open_round"}


def test_a_second_process_loads_what_the_first_compiled(story):
    assert_right(story.fresh)
    assert_right(story.again)
    assert set(story.fresh.compiled) == EVERYTHING
    assert story.again.compiled == []
    assert set(story.again.loaded) == EVERYTHING
    assert story.files["again"] == story.files["fresh"]
    assert story.fresh.warnings == story.again.warnings == []


def test_an_edited_helper_in_another_file_is_picked_up(story):
    assert_right(story.edited, factor=2.0)
    assert set(story.edited.compiled) == EVERYTHING


def test_data_files_of_an_edited_package_are_removed(story):
    def data_files(name, kernel_name):
        return {file for file in story.files[name] if file.startswith(kernel_name) and file.endswith(".nbc")}

    for name in ("links.apply_loss", "dense.serve-", "rounds.open_round"):
        before, after = data_files("fresh", name), data_files("edited", name)
        assert before
        assert len(after) == len(before)
        assert not before & after


def test_files_of_a_kernel_that_moved_down_its_source_are_removed(story):
    stale = {file for file in story.files["fresh"] if file.startswith("pointwise.sigmoid_array")}
    assert stale
    assert not stale & story.files["edited"]


def test_damaged_files_give_right_results(story):
    assert_right(story.damaged, factor=2.0)
    assert set(story.damaged.compiled) == EVERYTHING


def test_damaged_files_are_replaced_without_a_word(story):
    assert story.damaged.warnings == []
    assert_right(story.healed, factor=2.0)
    assert story.healed.compiled == []
    assert story.healed.warnings == []


def assert_warned_once(result):
    (warning,) = result.warnings
    assert warning.startswith("RuntimeWarning: fastlr cannot cache compiled kernels on disk")
    assert "NUMBA_CACHE_DIR" in warning


def test_where_nothing_is_writable_kernels_work_after_one_warning(tmp_path):
    package = copy_package(tmp_path)
    for folder in {path.parent for path in package.rglob("*.py")}:
        (folder / "__pycache__").write_text("a file where the folder would be")
    file = tmp_path / "file"
    file.write_text("no folder")
    below = {name: str(file / name) for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA")}
    result = run_script(tmp_path, **below)
    assert_right(result)
    assert_warned_once(result)


def test_a_cache_that_goes_away_is_done_without(tmp_path):
    copy_package(tmp_path)
    result = run_script(tmp_path, "lose-folder", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert_right(result)
    assert_warned_once(result)


def test_a_numba_without_its_private_cache_class_is_enough(tmp_path):
    copy_package(tmp_path)
    result = run_script(tmp_path, "without-cache-class", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert_right(result)
    assert_warned_once(result)
    assert not list(tmp_path.rglob("*.nb?"))


# ------------------------------------------------------------------------------------------------------- the stamp


def test_the_stamp_knows_the_sources_and_not_where_they_are(tmp_path):
    package = copy_package(tmp_path)
    stamp = package_stamp(package)
    assert stamp == package_stamp(str(ROOT)) == package_stamp()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "design.pyc").write_bytes(b"1")
    (package / "data.bin").write_bytes(b"2")
    assert package_stamp(package) == stamp


def test_the_stamp_changes_with_every_source_of_compiled_code(tmp_path):
    package = copy_package(tmp_path)
    stamps = {package_stamp(package)}
    changes = 0
    for path in sorted(package.rglob("*.py")):
        path.write_bytes(path.read_bytes() + b"\n# edited\n")
        stamps.add(package_stamp(package))
        changes += path.relative_to(package).parts[0] in COMPILED
    (package / "kernels" / "another.py").write_text("")
    stamps.add(package_stamp(package))
    (package / "kernels" / "another.py").rename(package / "kernels" / "one_more.py")
    stamps.add(package_stamp(package))
    assert len(stamps) == changes + 3


@pytest.mark.parametrize("flag", ["OPT", "LOOP_VECTORIZE", "BOUNDSCHECK", "ENABLE_AVX"])
def test_the_stamp_changes_with_the_flags_of_the_compiler(flag, monkeypatch):
    stamp = package_stamp()
    monkeypatch.setattr(numba.config, flag, "another")
    assert package_stamp() != stamp


# --------------------------------------------------------------------------------------------------- the decorator


@pytest.mark.parametrize("flags", [FASTMATH, CONTRACT])
def test_the_decorator_states_every_flag(flags):
    @kernel(flags)
    def identity(x):
        return x

    assert identity.targetoptions["nogil"] is True
    assert identity.targetoptions["error_model"] == "numpy"
    assert identity.targetoptions["fastmath"] == set(flags)
    assert not identity.targetoptions.get("parallel")


def test_reductions_keep_nan_and_infinity():
    @kernel()
    def total(x):
        s = 0.0
        for i in range(x.size):
            s += x[i]
        return s

    x = np.ones(37)
    assert total(x) == 37
    for bad in (np.nan, np.inf, -np.inf):
        x[20] = bad
        np.testing.assert_equal(total(x), bad)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_rests_while_the_compiler_works_and_is_then_as_it_was(enabled):
    began = []

    def note(phase, info):
        began.append(phase)

    numba.njit(**options())(lambda x: x.sum()).compile("float64(float64[::1])")  # which loads what Numba then has
    compiled = numba.njit(**options())(lambda x: x.sum() + x.size)
    gc.callbacks.append(note)
    (gc.enable if enabled else gc.disable)()
    try:
        gc.collect()
        began.clear()
        compiled.compile("float64(float64[::1])")
        assert len(began) <= 2  # one that was due before
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
        gc.callbacks.remove(note)
