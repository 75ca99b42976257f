"""Partitions of Dask: the fit of the whole X in memory, by sums that travel, on any scheduler."""

import os
import signal

import numpy as np
import pytest
from scipy import sparse

from fastlr import LogisticRegression

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
DaskBlocks = pytest.importorskip("fastlr.sources.dask").DaskBlocks


def draw(n_classes=2, shape=(600, 9)):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=shape)
    y = (X @ rng.normal(size=(shape[1], n_classes)) + 2.0 * rng.gumbel(size=(shape[0], n_classes))).argmax(axis=1)
    return X, y, rng.exponential(size=shape[0])


@pytest.fixture
def partitioned():
    """X, y and weights in partitions of other cuts, X also cut along columns."""
    X, y, weight = draw()
    cuts = (90, 10, 230, 270)
    return da.from_array(X, chunks=(cuts, 5)), da.from_array(y, chunks=200), da.from_array(weight, chunks=600)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kind", ["dense", "CSR", "frame"])
def test_a_fit_over_partitions_is_that_in_memory(n_classes, kind):
    X, y, weight = draw(n_classes)
    options = {"tol": 1e-9, "class_weight": "balanced"}
    expected = LogisticRegression(**options).fit(X, y, weight)
    given = da.from_array(X, chunks=(200, -1)), da.from_array(y, chunks=200), da.from_array(weight, chunks=200)
    if kind == "CSR":
        given = given[0].map_blocks(sparse.csr_array, meta=sparse.csr_array((0, 0))), *given[1:]
    elif kind == "frame":
        frame = pytest.importorskip("dask.dataframe").from_dask_array(given[0], columns=[f"x{j}" for j in range(9)])
        given = frame[frame["x0"] < 9.0], *given[1:]
        given = given[0], *(part.to_dask_dataframe() for part in given[1:])
    with dask.config.set(scheduler="threads"):
        model = LogisticRegression(**options).fit(*given)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-5)
        for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
            put_off = getattr(model, method)(given[0])
            assert isinstance(put_off, da.Array)
            np.testing.assert_allclose(put_off.compute(), getattr(expected, method)(X), rtol=1e-3, atol=1e-5)
        assert model.score(*given) == pytest.approx(expected.score(X, y, weight), rel=1e-12)
    if kind == "frame":
        assert model.feature_names_in_.tolist() == [f"x{j}" for j in range(9)]


def test_the_same_bits_on_any_scheduler(partitioned):
    options = {"tol": 1e-20, "C": 10.0}
    coefs = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            coefs.append(LogisticRegression(**options).fit(*partitioned).coef_)
    for n_workers in (1, 2):
        with distributed.Client(n_workers=n_workers, threads_per_worker=1, processes=False, dashboard_address=None):
            coefs.append(LogisticRegression(**options).fit(*partitioned).coef_)
    for coef in coefs[1:]:
        np.testing.assert_array_equal(coef, coefs[0])
    X, y, weight = draw()
    np.testing.assert_allclose(coefs[0], LogisticRegression(**options).fit(X, y, weight).coef_, rtol=1e-10)


@pytest.mark.slow
def test_a_process_that_is_killed_on_the_way_changes_no_bit(partitioned, monkeypatch):
    with dask.config.set(scheduler="synchronous"):
        expected = LogisticRegression(tol=1e-9).fit(*partitioned)
    map_blocks, calls = DaskBlocks.map, []

    def killing(self, *args, **options):
        calls.append(args)
        if len(calls) == 3:
            os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
        return map_blocks(self, *args, **options)

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            monkeypatch.setattr(DaskBlocks, "map", killing)
            model = LogisticRegression(tol=1e-9).fit(*partitioned)
    assert len(calls) > 3
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_what_is_wrong_with_a_partition_is_named(partitioned):
    X, y, weight = partitioned
    fit = LogisticRegression().fit
    with dask.config.set(scheduler="threads"):
        with pytest.raises(ValueError, match=r"partition 2 of X must be finite.*row 0, column 7"):
            fit(da.where(X == X[100, 7], np.nan, X), y, weight)
        with pytest.raises(ValueError, match=r"y must have shape \(600,\)"):
            fit(X, y[:-1])
        with pytest.raises(ValueError, match="requires y"):
            fit(X)
        with pytest.raises(ValueError, match="X must be two-dimensional"):
            fit(X[:, 0], y)
        frame = pytest.importorskip("dask.dataframe").from_dask_array(X.rechunk({1: -1}), columns=list("abcdefghi"))
        with pytest.raises(TypeError, match="column 'b' of X is of type"):
            fit(frame.assign(b=frame["b"].astype(str)), y.rechunk((X.chunks[0],)))
