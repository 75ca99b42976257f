"""X that an engine holds: the fit of blocks in this process, whatever calls the functions, and what it forgets."""

import pickle
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import fastlr
from fastlr import LogisticRegression
from fastlr.sources.engine import Cell

CUTS = [0, 90, 90, 100, 330, 600]  # the second block is empty


def draw(n_classes=2):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(600, 9)).astype(np.float32)
    y = (X @ rng.normal(size=(9, n_classes)) + 2.0 * rng.gumbel(size=(600, n_classes))).argmax(axis=1)
    return X, y, rng.exponential(size=600)


def in_blocks(*vectors):
    return lambda: (tuple(vector[a:b] for vector in vectors) for a, b in pairwise(CUTS))


class Engine:
    """Calls functions in this process, with what a wire leaves of them; may make cells anew at each call."""

    def __init__(self, *vectors, forgets=False):
        self._make, self._forgets = in_blocks(*vectors), forgets
        self._cells = self._new()

    def _new(self):
        return [Cell(*block, name=f"block {k}") for k, block in enumerate(self._make())]

    def map_cells(self, function, shared, each):
        cells = self._new() if self._forgets else self._cells
        asked = [pickle.dumps((function, shared, own)) for own in each or [None] * len(cells)]
        calls = [pickle.loads(call) for call in asked]
        return [
            pickle.loads(pickle.dumps(function(cell, *args)))
            for cell, (function, *args) in zip(cells, calls, strict=True)
        ]


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_fit_by_an_engine_has_the_bits_of_one_to_blocks(n_classes, is_sparse, forgets):
    X, y, weight = draw(n_classes)
    X = sparse.csr_array(X) if is_sparse else X
    options = {"tol": 1e-9, "class_weight": "balanced"}
    expected = LogisticRegression(**options).fit(in_blocks(X, y, weight))
    engine = Engine(X, y, weight, forgets=forgets)
    for _ in range(2):  # cells outlive a fit
        model = LogisticRegression(**options).fit(engine)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.gap_ <= 1e-9
    assert model.score(engine) == pytest.approx(expected.score(X, y, weight), rel=1e-12)
    other = LogisticRegression(C=0.01).fit(engine)
    np.testing.assert_array_equal(other.coef_, LogisticRegression(C=0.01).fit(in_blocks(X, y, weight)).coef_)


def test_what_is_wrong_with_a_cell_is_named():
    X, y, _ = draw()
    X[205, 3] = np.nan
    with pytest.raises(ValueError, match=r"block 3 must be finite.*row 105, column 3"):
        LogisticRegression().fit(Engine(X, y))
    with pytest.raises(ValueError, match="requires y to be passed, but block 0"):
        LogisticRegression().fit(Engine(X))
    model = LogisticRegression().fit(*draw()[:2])
    with pytest.raises(ValueError, match="y and sample_weight must be None"):
        LogisticRegression().fit(Engine(X, y), y)
    with pytest.raises(ValueError, match="beside each block"):
        model.predict(Engine(X, y))
    narrow = Engine(X, y)
    narrow._cells[2].X = narrow._cells[2].X[:, :5]
    with pytest.raises(ValueError, match="cell 2 of X must have the columns of cell 0, 9, got 5"):
        LogisticRegression().fit(narrow)
    narrow._cells.clear()
    with pytest.raises(ValueError, match="the engine has no cells"):
        LogisticRegression().fit(narrow)


def recipe(engine):
    """What the code of the room's page defines."""
    page = (Path(fastlr.__file__).parent / "sources" / "README.md").read_text(encoding="utf-8")
    [code] = [code for code in re.findall(r"```python\n(.*?)```", page, re.S) if f"class {engine}" in code]
    names = {"__name__": "__main__"}  # so that classes are sent, and not looked for
    exec(code, names)
    return names[engine]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_recipe_for_ray():
    ray = pytest.importorskip("ray")
    X, y, weight = draw()
    expected = LogisticRegression(tol=1e-9).fit(in_blocks(X, y, weight))
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    try:
        blocks = list(in_blocks(X, y, weight)())
        engine = recipe("OnRay")(lambda k: blocks[k], len(blocks))
        model = LogisticRegression(tol=1e-9).fit(engine)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        assert model.score(engine) == pytest.approx(expected.score(X, y, weight), rel=1e-12)
        ray.kill(engine.holders[3], no_restart=False)
        np.testing.assert_array_equal(LogisticRegression(tol=1e-9).fit(engine).coef_, expected.coef_)
    finally:
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_recipe_for_spark(monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    pandas = pytest.importorskip("pandas")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    X, y, _ = draw()
    names = [f"x{j}" for j in range(9)]
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = spark.createDataFrame(pandas.DataFrame(X, columns=names).assign(label=y)).coalesce(2)
        model = LogisticRegression(tol=1e-9).fit(recipe("OnSpark")(frame, names, "label"))
    finally:
        spark.stop()
    np.testing.assert_allclose(model.coef_, LogisticRegression(tol=1e-9).fit(X, y).coef_, rtol=1e-4)
