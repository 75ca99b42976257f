"""The worked examples run without a warning, stay short, and leave the figures they speak of."""

import re
import runpy
from pathlib import Path

import pytest

from fastlr import examples

PAGES = sorted(path for path in Path(examples.__file__).parent.glob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_its_figures(path, tmp_path, monkeypatch, capsys):
    text = path.read_text(encoding="utf-8")
    if ".plotting" in text:
        pytest.importorskip("matplotlib")
    if "parquet" in text:
        pytest.importorskip("pyarrow")
    assert len(text.splitlines()) < 40
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    assert capsys.readouterr().out
    figures = re.findall(r'savefig\("(.+?)"\)', text)
    assert sorted(found.name for found in tmp_path.glob("*.png")) == sorted(figures)


def test_every_plot_has_an_example():
    from fastlr import plotting

    texts = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [name for name in plotting.__all__ if name not in texts] == ["plot_study"]  # the command line's own
