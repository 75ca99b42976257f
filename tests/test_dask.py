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
of_dask = pytest.importorskip("fastlr.sources.dask")
DaskBlocks, groups_of, partitions = of_dask.DaskBlocks, of_dask.groups_of, of_dask.partitions


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
    for n_workers, n_threads in ((1, 1), (2, 3), (4, 1)):
        cluster = {"n_workers": n_workers, "threads_per_worker": n_threads, "processes": False}
        with distributed.Client(**cluster, dashboard_address=None) as client:
            coefs.append(LogisticRegression(**options).fit(*partitioned).coef_)
            held = client.persist(partitioned[0].rechunk({1: -1}))
            coefs.append(LogisticRegression(**options).fit(held, *partitioned[1:]).coef_)
    for coef in coefs[1:]:
        np.testing.assert_array_equal(coef, coefs[0])
    X, y, weight = draw()
    np.testing.assert_allclose(coefs[0], LogisticRegression(**options).fit(X, y, weight).coef_, rtol=1e-10)


def test_partitions_that_a_worker_holds_are_worked_through_together():
    X = da.from_array(draw()[0], chunks=(100, -1))
    cluster = {"n_workers": 2, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.Client(**cluster) as client:
        assert groups_of(X, partitions(X)) == [([k], 1, False) for k in range(6)]
        X = client.persist(X)
        groups = groups_of(X, partitions(X))
        holders = client.who_has(X)
        places = [holders[block.key] for block in partitions(X)]
    assert sorted(k for group in groups for k in group.members) == list(range(6))
    assert len(groups) <= 4
    for group in groups:
        assert group.is_held
        assert all(places[k] == places[group.members[0]] for k in group.members)


def test_a_worker_with_more_threads_than_partitions_has_several_work_on_one():
    X = da.from_array(draw()[0], chunks=(300, -1))
    cluster = {"n_workers": 1, "threads_per_worker": 5, "processes": False, "dashboard_address": None}
    with distributed.Client(**cluster) as client:
        X = client.persist(X)
        assert groups_of(X, partitions(X)) == [([0], 2, True), ([1], 2, True)]


@pytest.mark.slow
@pytest.mark.parametrize("is_held", [False, True])
def test_a_process_that_is_killed_on_the_way_changes_no_bit(is_held, partitioned, monkeypatch):
    with dask.config.set(scheduler="synchronous"):
        expected = LogisticRegression(tol=1e-9).fit(*partitioned)
    map_blocks, calls = DaskBlocks.map, []

    def killing(self, *args, **options):
        calls.append(args)
        if len(calls) == 3:
            os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
        return map_blocks(self, *args, **options)

    with distributed.LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            X = partitioned[0].rechunk({1: -1})
            X = client.persist(X) if is_held else X
            assert LogisticRegression(tol=1e-9).fit(X, *partitioned[1:]).coef_.tobytes() == expected.coef_.tobytes()
            monkeypatch.setattr(DaskBlocks, "map", killing)
            model = LogisticRegression(tol=1e-9).fit(X, *partitioned[1:])
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
