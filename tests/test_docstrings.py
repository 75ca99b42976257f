"""What docstrings show is what happens, and type checkers are told of every public name."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import fastlr

ROOT = Path(fastlr.__file__).parent
SHOWING = [
    path.relative_to(ROOT.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", SHOWING)
def test_examples_of_docstrings_are_what_happens(name):
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_every_class_and_function_of_the_package_shows_an_example():
    names = [name for name in fastlr.__all__ if callable(getattr(fastlr, name))]
    assert [name for name in names if ">>> " not in getattr(fastlr, name).__doc__] == []


def test_type_checkers_know_every_public_name():
    tree = ast.parse((ROOT / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {name.name: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert {name: module for name, module in imported.items() if module} == fastlr._NAMES
    assert {name for name, module in imported.items() if not module} == set(fastlr._MODULES)
    assert (ROOT / "py.typed").exists()
