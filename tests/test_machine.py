"""What the package knows of the processor, and what must not depend on it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import DTYPES, ORDERS, dense_passes, run_python
from numpy.testing import assert_array_equal

from fastlr._validation import check_features
from fastlr.matrices import dense
from fastlr.runtime import machine
from fastlr.runtime.team import Team


def described(folder, **caches):
    """A folder as Linux has it, with a cache for each of a few strings "kind level size"."""
    for name, text in caches.items():
        index = folder / name
        index.mkdir()
        for file, value in zip(("type", "level", "size"), text.split(), strict=False):
            (index / file).write_text(value + "\n")
    return folder


def test_caches_are_read_as_linux_describes_them(tmp_path):
    folder = described(
        tmp_path,
        index0="Data 1 48K",
        index1="Instruction 1 32K",
        index2="Unified 2 1280K",
        index3="Unified 3 54M",
    )
    assert machine._sysfs_caches(folder) == {1: 48 << 10, 2: 1280 << 10, 3: 54 << 20}


def test_caches_that_are_not_described_are_left_out(tmp_path):
    folder = described(tmp_path, index0="Data 1", index1="Data one 32K", index2="Unified 2 big", index3="Unified 3 0K")
    assert machine._sysfs_caches(folder) == {}
    assert machine._sysfs_caches(tmp_path / "absent") == {}


def test_there_are_always_two_levels_of_caches():
    sizes = machine.cache_sizes()
    assert {1, 2} <= set(sizes)
    assert machine.last_cache() == max(sizes.values())


def test_an_unknown_setting_of_a_mac_counts_for_nothing(monkeypatch):
    def absent(*arguments, **options):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", absent)
    assert machine._sysctl_caches() == {}


def test_a_mac_tells_the_smaller_of_its_cores_caches(monkeypatch):
    answers = {
        "hw.perflevel0.l1dcachesize": "131072",
        "hw.perflevel1.l1dcachesize": "65536",
        "hw.l2cachesize": "4194304",
    }

    def run(command, **options):
        return subprocess.CompletedProcess(command, 0, stdout=answers.get(command[-1], "") + "\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert machine._sysctl_caches() == {1: 65_536, 2: 4_194_304}


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("x86-64-v3", "+avx,+avx2,+fma", ["AVX2", [16, 32]]),
        ("x86-64-v4", "+avx,+avx2,+fma,+avx512f", ["AVX-512", [32, 64]]),
        ("generic", "", ["SSE2", [16, 16]]),
        ("generic", "-avx2,+avx", ["AVX", [16, 32]]),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="names of x86-64")
def test_registers_are_those_that_numba_compiles_for(name, features, expected):
    code = (
        "import json; from fastlr.runtime import machine; machine.platform.machine = lambda: 'x86_64'\n"
        "print(json.dumps([machine.instruction_set(), machine.vector_registers()]))"
    )
    assert json.loads(run_python(code, NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES=features)) == expected


def test_arm_has_registers_of_its_own(monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")
    assert machine.vector_registers() == (32, 16)
    assert machine.processor()


def bits(design, coef):
    loss, gradient = design.loss_gradient(coef)
    return np.append(gradient, loss).tobytes(), design.hessian_product(coef).tobytes(), design.raw.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1_003, 7), (501, 300), (67, 1_500)])
def test_asking_memory_ahead_does_not_show_in_a_result(shape, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    X = check_features((100 * rng.random(shape)).astype(dtype))
    y, coef = rng.random(shape[0]), rng.normal(size=shape[1] + 1) / 100
    results = []
    for cache in (1, 1 << 40):
        monkeypatch.setattr(dense, "last_cache", lambda cache=cache: cache)
        assert bool(dense._rows_ahead(X)) == (cache == 1)
        results.append(bits(dense_passes(X, y, np.empty(0)), coef))
    assert results[0] == results[1]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", [(2_003, 150), (203, 1_300)])
def test_every_pass_gives_the_same_bits_whichever_end_it_begins_at(shape, order):
    rng = np.random.default_rng(0)
    X = check_features(np.asarray(rng.normal(size=shape), order=order))
    y, coef = rng.random(shape[0]), rng.normal(size=shape[1] + 1) / 100
    with Team(2) as team:
        design = dense_passes(X, y, np.empty(0), team=team)
        results = {bits(design, coef) for _ in range(7)}
    assert len(results) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (9, 1), (5, 3), (13, 17), (67, 33), (130, 300), (20, 600), (9, 1_031)]
)
def test_what_lies_behind_the_features_is_never_part_of_a_result(shape, order, dtype):
    # Vectors reach beyond the end of rows, but never count what they find there, and never leave X itself.
    rng = np.random.default_rng([*shape])
    n_samples, n_features = shape
    values = np.asarray((100 * rng.random(shape)).astype(dtype), order=order)
    poison = np.nan if values.dtype.kind == "f" else np.iinfo(np.int8).max if dtype != "bool" else True
    memory = np.full(values.size + 128, poison, dtype=dtype)
    inside = memory[64 : 64 + values.size]
    inside[:] = values.ravel(order="K")
    X = inside.reshape(shape if order == "C" else shape[::-1])
    X = X if order == "C" else X.T
    y, coef = rng.random(n_samples), rng.normal(size=n_features + 1) / 10
    surrounded = dense_passes(check_features(X), y, np.empty(0))
    alone = dense_passes(check_features(values), y, np.empty(0))
    assert bits(surrounded, coef) == bits(alone, coef)
    assert_array_equal(surrounded.hessian(), alone.hessian())
    assert_array_equal(surrounded.gram(), alone.gram())
    assert np.isfinite(surrounded.hessian()).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", [(3, 7), (1, 1), (97, 1_000), (50, 515), (200, 3_333)])
def test_the_gram_matrix_of_small_integers_is_exact(shape, order, dtype):
    rng = np.random.default_rng(0)
    low, high = (0, 2) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max + 1)
    X = np.asarray(rng.integers(low, high, shape).astype(dtype), order=order)
    X[0] = high - 1  # the largest sums there are
    whole = X.astype(np.int64)
    assert_array_equal(dense_passes(check_features(X), np.zeros(shape[0]), np.empty(0)).gram(), whole @ whole.T)
