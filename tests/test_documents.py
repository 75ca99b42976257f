"""What the READMEs name is there, and what they show runs."""

import ast
import json
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastlr.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path for folder in ("", "fastlr", "tests", "asv_bench", ".github") for path in (ROOT / folder).glob("*.md")
)
PAGES += sorted((ROOT / "fastlr").glob("*/*.md"))
pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_pages_are_found():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"} == {page.name for page in PAGES}
    assert len(PAGES) > 8


@pages
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pages
def test_every_named_test_exists(page):
    for file, name in re.findall(r"(test_\w+\.py)(?:::(\w+))?", page.read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, f"{file}::{name}"


def test_every_promise_names_a_test():
    lines = (ROOT / "tests" / "README.md").read_text(encoding="utf-8").splitlines()
    promises = lines[lines.index("| promise | test, in `tests/` |") + 2 :]
    assert len(promises) > 40
    for promise in promises:
        assert re.search(r"`test_\w+\.py", promise), promise


@pages
def test_every_named_file_of_the_package_exists(page):
    package = ROOT / "fastlr"
    for name in re.findall(r"`((?:fastlr/)?\w+/\w+\.py)", page.read_text(encoding="utf-8")):
        places = (ROOT / name, package / name, page.parent / name)
        assert any(place.exists() for place in places), name


@pages
def test_every_extra_that_is_to_be_installed_is_there(page):
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
    for names in re.findall(r"(?:\.|fastlr)\[([\w,]+)\]", page.read_text(encoding="utf-8")):
        assert set(names.split(",")) <= extras, names


def test_the_first_page_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert all(len(line) <= 120 for line in lines if not line.startswith("|"))


def test_the_code_of_the_first_page_runs(capsys):
    for code in blocks(ROOT / "README.md", "python"):
        exec(compile(code, "README.md", "exec"), {})
    accuracy, gap = map(float, capsys.readouterr().out.split())
    assert accuracy > 0.9
    assert gap < 1e-6


def test_the_code_of_the_rooms_pages_runs(capsys):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "income", "visits"])  # no bootstrap set is separated
    y = X["age"] + 2 * rng.normal(size=200) > 0
    x = rng.random((9, 30))
    names = {"X": X, "y": y, "x_train": x, "x_test": x, "y_train": np.arange(30)[None] % 2}
    for room in ("_cli", "_inference"):
        for code in blocks(ROOT / "fastlr" / room / "README.md", "python"):
            exec(compile(code, room, "exec"), names)
    assert "odds ratio" in capsys.readouterr().out


def test_the_commands_of_the_first_page_do_what_they_say(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    bought = np.where(X[:, 0] + rng.normal(size=60) > 0, "yes", "no")
    pd.DataFrame(X, columns=["age", "income"]).assign(bought=bought).to_csv(tmp_path / "data.csv", index=False)
    monkeypatch.chdir(tmp_path)
    lines = "".join(blocks(ROOT / "README.md", "console")).splitlines()
    (command,) = [line for line in lines if " fastlr fit " in line]
    assert main(shlex.split(command)[3:]) == 0
    assert "Accuracy" in capsys.readouterr().out
    assert (tmp_path / "model.json").exists()
    assert (tmp_path / "predictions.csv").exists()


def test_the_picture_is_what_the_stored_results_say():
    headline = runpy.run_path(str(ROOT / "asv_bench" / "headline.py"))
    stored = json.loads((ROOT / "asv_bench" / "headline.json").read_text(encoding="utf-8"))
    assert set(stored["rows"]) == set(headline["ROWS"])
    assert (ROOT / "asv_bench" / "headline.svg").read_text(encoding="utf-8") == headline["draw"](stored)
    assert min(row["other"] / row["fastlr"] for row in stored["rows"].values()) < 1.0  # one that is slower is shown
