"""The house stands: imports go down only, one decorator compiles, one file meets exponentials."""

import ast
import re
from itertools import takewhile
from pathlib import Path

import pytest

import fastlr
from fastlr.runtime.jit import COMPILED

ROOT = Path(fastlr.__file__).parent
PICTURE = Path(__file__).parents[1] / "fastlr" / "README.md"  # its first table: the floors, from the top


def floors():
    """Floor of each room, rooms of a floor in one row."""
    lines = PICTURE.read_text(encoding="utf-8").splitlines()
    first = lines.index("| --- | --- |") + 1
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in takewhile(lambda line: "|" in line, lines[first:])]
    return {room: len(rows) - k for k, row in enumerate(rows) for room in row}


FLOORS = floors()
ASIDE = {"datasets", "plotting"}
MAY_IMPORT_ASIDE = {"_cli", "examples"}

# Above these rooms a fit sees sums, and nothing of length n_samples. `.y` of an estimator's own samples is labels.
OF_SAMPLES = {
    "objectives": {"raw", "curvature", "y"},
    "solvers": {"raw", "curvature", "y"},
    "fits": {"raw", "curvature"},
}
OF_SAMPLES |= {"functional": {"raw", "curvature"}, "estimators": {"raw", "curvature"}}

# Within the kernels, from the scalar formulas up.
STOREYS = {
    "pointwise": 0,
    "operations": 0,
    "coordinates": 3,
    "blocks": 0,
    "llvm": 0,
    "strips": 1,
    "vectors": 2,
    "links": 1,
    "rows": 3,
    "columns": 3,
    "packing": 1,
    "products": 2,
    "squares": 3,
    "csr": 2,
    "csr_many": 3,
    "dense": 4,
    "pairs": 3,
    "tiles": 4,
    "softmax": 5,
    "many": 5,
    "cholesky": 0,
    "faces": 3,
    "samples": 4,
    "newton": 5,
}

MODULES = {path.relative_to(ROOT).with_suffix("").parts: path for path in sorted(ROOT.rglob("*.py"))}
modules = pytest.mark.parametrize("parts", list(MODULES), ids=".".join)


def parse(parts):
    return ast.parse(MODULES[parts].read_text(encoding="utf-8"))


def imported(parts):
    """Modules of the package that a module imports anywhere in it, each as a tuple of names below the package."""
    package = ("fastlr", *parts[:-1])
    found = set()
    for node in ast.walk(parse(parts)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # A name may be a module itself.
            found.update((*base, alias.name) for alias in node.names)
    inside = {names[1:] for names in found if names[0] == "fastlr" and len(names) > 1}
    return {below(names) for names in inside} - {(), parts}


def below(names):
    """The longest beginning of dotted names that is a module or a folder of the package."""
    while names and names not in MODULES and (*names, "__init__") not in MODULES:
        names = names[:-1]
    return names


@modules
def test_every_module_has_a_floor(parts):
    assert parts == ("__init__",) or parts[0] in FLOORS or parts[0] in ASIDE


@modules
def test_imports_go_down_only(parts):
    targets = imported(parts)
    if parts[0] in ASIDE:
        assert {target[0] for target in targets} <= {"_validation", parts[0]}
        return
    if parts == ("__init__",):
        assert targets == set()  # names are imported when first used
        return
    for target in targets:
        if target[0] in ASIDE:
            assert parts[0] in MAY_IMPORT_ASIDE, f"{parts} imports {target}"
        elif target[0] == parts[0] == "kernels":
            assert target[1:] == () or STOREYS[target[1]] < STOREYS[parts[1]], f"{parts} imports {target}"
        else:
            assert target[0] == parts[0] or FLOORS[target[0]] < FLOORS[parts[0]], f"{parts} imports {target}"


@modules
def test_above_losses_and_matrices_nothing_is_said_of_samples(parts):
    hidden = OF_SAMPLES.get(parts[0], set())
    for node in ast.walk(parse(parts)):
        if isinstance(node, ast.Attribute) and node.attr in hidden:
            raise AssertionError(f"{'.'.join(parts)}, line {node.lineno}, reads .{node.attr}")


def test_every_kernel_file_has_a_storey():
    assert {parts[1] for parts in MODULES if parts[0] == "kernels"} - {"__init__"} == set(STOREYS)


@modules
def test_compiled_code_comes_from_what_the_cache_is_stamped_with(parts):
    stamped = {name.removesuffix(".py") for name in COMPILED}
    if parts[0] == "kernels":
        assert {target[0] for target in imported(parts)} <= stamped
    elif parts[0] not in stamped:
        compiles = {"kernel", "helper", "options", "njit", "jit", "overload", "register_jitable", "compiled"}
        for node in ast.walk(parse(parts)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [node.name] if isinstance(node, ast.FunctionDef) else []
            assert not compiles & set(names), f"{'.'.join(parts)}, line {node.lineno}"


def test_the_reference_stands_on_numpy_alone():
    assert imported(("reference",)) == set()


def test_the_reader_of_imports_sees_all_of_them():
    assert ("runtime", "jit") in imported(("kernels", "rows"))  # from ..runtime.jit import
    assert ("kernels", "links") in imported(("kernels", "rows"))  # from .links import
    assert ("kernels", "dense") in imported(("matrices", "dense"))  # from .kernels import dense
    assert ("solvers", "gradient_descent") in imported(("functional",))


def called_names(tree):
    """Last names of what is called: `exp` for exp(x), np.exp(x) and math.exp(x)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node.func.id


def used_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.split(".")[-1]


@modules
def test_one_decorator_compiles_everything(parts):
    names = set(used_names(parse(parts)))
    if parts != ("runtime", "jit"):
        assert not names & {"njit", "jit", "vectorize", "guvectorize", "generated_jit", "cfunc", "jitclass", "stencil"}
    assert not names & {"prange", "objmode"}


@modules
def test_no_kernel_brings_threads_of_numba(parts):
    for node in ast.walk(parse(parts)):
        if isinstance(node, ast.keyword):
            assert node.arg != "parallel"
        if isinstance(node, ast.Dict):
            assert "parallel" not in [key.value for key in node.keys if isinstance(key, ast.Constant)]


@modules
def test_one_file_meets_exponentials(parts):
    # The asides know no raw predictions: a lamp's glow may fall off as it likes; nor do ratios of odds and likelihoods.
    if parts in {("kernels", "pointwise"), ("reference",), ("_inference", "ratios")} or parts[0] in ASIDE:
        return
    assert not set(called_names(parse(parts))) & {"exp", "expm1", "exp2", "log1p", "logaddexp"}
