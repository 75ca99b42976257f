"""Machine code that travels: used where it fits, and nowhere else."""

import json
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import run_python

from fastlr.runtime import seed

SCRIPT = """
import json, sys
import numpy as np
from fastlr.runtime import seed
exec(sys.argv[1] if len(sys.argv) > 1 else "")
from fastlr.kernels.links import apply_loss
from fastlr.kernels.pointwise import sigmoid_array
from fastlr.losses.logistic import Logistic
z, y, none = np.linspace(-2, 3, 6), np.array([0.0, 1, 0, 1, 0, 1]), np.empty(0)
probability = np.empty(6)
sigmoid_array(z, probability)
loss = apply_loss(z, Logistic(), y, none, z.copy(), z.copy(), z.copy())[0]
kernels = apply_loss, sigmoid_array
compiled = sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels)
print(json.dumps({"sigmoid": probability.tolist(), "loss": loss, "compiled": compiled}))
"""
Z = np.linspace(-2, 3, 6)

pytestmark = pytest.mark.skipif(not seed.usable_levels(), reason="no level of this kind of processor")


@pytest.fixture(scope="module")
def level():
    """The lowest, which all processors of the kind run."""
    return seed.usable_levels()[-1]


@pytest.fixture(scope="module")
def seeded(level, tmp_path_factory):
    """A seed of two kernels."""
    cache, folder = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("seed")
    target = {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": seed.features_of(level)}
    run_python(SCRIPT, NUMBA_CACHE_DIR=str(cache), **target)
    (folder / level).mkdir()
    (folder / level / "old.nbc").write_bytes(b"of older sources")
    assert seed.collect(cache, folder, level) == sum(path.stat().st_size for path in folder.rglob("*.nb?"))
    return folder


def run(folder, cache, *code, **environment):
    """What a process prints that finds the seed; checked to be right."""
    environment = {"NUMBA_CACHE_DIR": str(cache), seed.ENVIRONMENT: str(folder), **environment}
    result = SimpleNamespace(**json.loads(run_python(SCRIPT, *code, **environment)))
    np.testing.assert_allclose(result.sigmoid, 1 / (1 + np.exp(-Z)), rtol=1e-14)
    assert result.loss == pytest.approx(np.logaddexp(0, np.where(np.arange(6) % 2, -Z, Z)).sum(), rel=1e-13)
    return result


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_seed_spares_the_compiler_and_is_never_written_to(seeded, tmp_path):
    before = contents(seeded)
    assert run(seeded, tmp_path).compiled == 0
    assert contents(seeded) == before
    assert contents(tmp_path) == {}
    assert run(tmp_path / "none", tmp_path).compiled == 2  # with no seed
    assert run(seeded, tmp_path).compiled == 0  # and the user's own cache before any


def test_who_asks_for_a_processor_gets_code_for_it(seeded, level, tmp_path):
    target = {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": seed.features_of(level)}
    assert run(seeded, tmp_path, **target).compiled == 2


def rewrite_index(path, version=None, stamp=None):
    """Another version of Numba, or of the package, in an index."""
    with path.open("rb") as file:
        old_version = pickle.load(file)
        old_stamp, entries = pickle.loads(file.read())
    path.write_bytes(pickle.dumps(version or old_version) + pickle.dumps((stamp or old_stamp, entries)))


def another_numba(folder):
    for path in folder.rglob("*.nbi"):
        rewrite_index(path, version="0.1")


def another_package(folder):
    for path in folder.rglob("*.nbi"):
        rewrite_index(path, stamp="0" * 64)


def another_python(folder):
    for path in folder.rglob("*.nb?"):
        path.rename(path.with_name(path.name.replace(".py3", ".py2")))


def another_processor(folder):
    for path in folder.iterdir():
        path.rename(path.with_name("x86-64-v9"))


def truncated_code(folder):
    for path in folder.rglob("*.nbc"):
        path.write_bytes(path.read_bytes()[:1_000])


def empty_index(folder):
    for path in folder.rglob("*.nbi"):
        path.write_bytes(b"")


def no_code(folder):
    for path in folder.rglob("*.nbc"):
        path.unlink()


@pytest.mark.parametrize(
    "change",
    [another_numba, another_package, another_python, another_processor, truncated_code, empty_index, no_code],
    ids=lambda change: change.__name__,
)
def test_a_seed_that_does_not_fit_is_never_run(change, seeded, tmp_path):
    folder = shutil.copytree(seeded, tmp_path / "seed")
    change(folder)
    assert run(folder, tmp_path / "cache").compiled == 2


def test_where_nothing_can_be_written_a_seed_is_enough(seeded, tmp_path):
    # A file in place of each folder that Numba would take, the package's own included.
    package = shutil.copytree(Path(seed.__file__).parents[1], tmp_path / "fastlr", ignore=lambda *_: ["__pycache__"])
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    nowhere = {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": str(tmp_path / "file")}
    nowhere |= {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    result = run(seeded, tmp_path / "file", cwd=tmp_path, **nowhere)  # where the package of the copy is found
    assert result.compiled == 0


def test_a_level_that_the_processor_lacks_is_not_looked_at(seeded, tmp_path):
    lacks = "import types; seed.llvm = types.SimpleNamespace(get_host_cpu_features=dict)"
    assert run(seeded, tmp_path, lacks).compiled == 2


def test_a_numba_without_the_private_class_compiles(seeded, tmp_path):
    assert run(seeded, tmp_path, "seed.IndexDataCacheFile = None").compiled == 2


def test_levels_are_from_the_best_down():
    for better, worse in zip(seed.LEVELS.values(), list(seed.LEVELS.values())[1:], strict=False):
        assert set(worse) < set(better)


def test_levels_that_do_not_run_here_are_refused_by_name(tmp_path):
    from fastlr._warmup import make_seed

    with pytest.raises(ValueError, match="x86-64-v9"):
        make_seed(tmp_path, ["x86-64-v9"])
    assert not os.listdir(tmp_path)


TERMINAL = """
import io, time
from fastlr.runtime import jit

class Terminal(io.StringIO):
    def isatty(self):
        return True

sys.stderr = Terminal()
jit._MOMENT = {moment}
import atexit
atexit.register(lambda: (time.sleep(0.1), open({path!r}, "w").write(sys.stderr.getvalue())))
"""


@pytest.mark.parametrize(("moment", "times"), [(0.0, 1), (600.0, 0)])
def test_a_terminal_is_told_once_what_it_waits_for(moment, times, tmp_path):
    path = tmp_path / "stderr"
    code = TERMINAL.format(moment=moment, path=str(path))
    assert run(tmp_path / "none", tmp_path / "cache", code).compiled == 2
    assert path.read_text().count("once per machine") == times
    assert run(tmp_path / "none", tmp_path / "cache", code).compiled == 0
    assert path.read_text() == ""


FIRST_FITS = """
import gc, json, warnings
import numpy as np
from scipy import sparse
from numba.core.dispatcher import Dispatcher
from fastlr import LogisticRegression, LogisticRegressionCV, fit_many, functional

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
dense = rng.normal(size=(2_000, 40))
search = {"Cs": 2, "l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}
two, three, forty = (dense[:, 0] > 0.1).astype(int), rng.integers(0, 3, 2_000), rng.integers(0, 40, 2_000)
wide = rng.normal(size=(60, 900))
for dtype in (np.float64, np.float32, np.float16, np.uint8, np.int8, bool, np.int32):
    for order in "CF":
        X, W = (np.asarray(np.clip(20 * A, 0, 100), dtype=dtype, order=order) for A in (dense, wide))
        LogisticRegression(tol=1e-12).fit(X, two, sample_weight=rng.random(2_000)).predict_proba(X)
        LogisticRegression(solver="newton_cg").fit(X, two)
        LogisticRegression().fit(X, three)
        LogisticRegression().fit(X, forty)
        LogisticRegression().fit(W, two[:60])
        for features, labels in ((X, two), (W, two[:60]), (X, three)):
            LogisticRegression(l1_ratio=1.0).fit(features, labels)
        LogisticRegressionCV(cv=3, **search).fit(X, two)
        x, y = W.T, two[None, :60]
        functional.update(*functional.initialize_weights_and_bias(900), x, y, 1e-3, 3, verbose=False)
        functional.predict(*functional.initialize_weights_and_bias(900), x)
for dtype in (np.float64, np.float32):
    for index in (np.int32, np.int64):
        S = sparse.random_array((2_000, 700), density=0.02, dtype=dtype, rng=rng).tocsr()
        S.indices, S.indptr = S.indices.astype(index), S.indptr.astype(index)
        LogisticRegression().fit(S, two)
        LogisticRegression().fit(S[:, :100].tocsr(), two)
        LogisticRegression().fit(S, three)
        LogisticRegression().fit(S, forty)
        LogisticRegression(l1_ratio=1.0).fit(S, two)
        LogisticRegressionCV(cv=3, **search).fit(S, two)
fit_many(dense, two, Cs=2, sample_weight=rng.random((3, 2_000)))
LogisticRegressionCV(cv="loo", **search).fit(dense, two)
kernels = [thing for thing in gc.get_objects() if isinstance(thing, Dispatcher)]
ours = [kernel for kernel in kernels if kernel.py_func.__module__.startswith("fastlr.")]
missed = {kernel.py_func.__name__: len(kernel.stats.cache_misses) for kernel in ours if kernel.stats.cache_misses}
print(json.dumps([sum(sum(kernel.stats.cache_hits.values()) for kernel in ours), missed]))
"""


@pytest.mark.slow
def test_with_a_whole_seed_no_first_fit_compiles_anything(level, tmp_path):
    from fastlr._warmup import make_seed

    make_seed(tmp_path / "seed", [level])
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), seed.ENVIRONMENT: str(tmp_path / "seed")}
    loaded, missed = json.loads(run_python(FIRST_FITS, timeout=1_200, **environment))
    assert loaded > 50
    assert missed == {}
