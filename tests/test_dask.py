"""Partitions of Dask: the fit of the whole X in memory, by sums that travel, on any scheduler."""

import os
import signal
import threading

import numpy as np
import pytest
from scipy import sparse

from fastlr import LogisticRegression
from fastlr.sources import source_of

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")
of_dask = pytest.importorskip("fastlr.sources.dask")
Holder, partitions = of_dask.Holder, of_dask.partitions


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


def test_what_a_worker_holds_is_asked_through_one_actor():
    X, y, _ = draw()
    X, y = da.from_array(X, chunks=(100, -1)), da.from_array(y, chunks=100)
    cluster = {"n_workers": 2, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.Client(**cluster) as client:
        assert isinstance(source_of(X, y), of_dask.DaskSource)
        X = client.persist(X)
        engine = source_of(X, y)._engine
        members = [members for members, _ in engine.actors]
        assert sorted(k for some in members for k in some) == list(range(6))
        holders = client.who_has(X)
        places = [set(holders[block.key]) for block in partitions(X)]
        for some in members:
            assert set.intersection(*(places[k] for k in some))
        found = engine.map_cells(lambda cell, shared, own: (cell.name, len(cell.y), shared, own), "all", range(6))
    assert found == [(f"partition {k} of X", 100, "all", k) for k in range(6)]


@pytest.mark.parametrize(("n_blocks", "n_at_once", "n_threads"), [(2, 2, 2), (7, 5, 1)])
def test_all_threads_of_a_worker_work(n_blocks, n_at_once, n_threads):
    holder = Holder(5, *[[None] * n_blocks] * 4)
    meeting = threading.Barrier(n_at_once)  # nobody passes before so many are there
    own = [k < n_at_once for k in range(n_blocks)]
    found, error = holder.do(lambda cell, shared, meets: (meets and meeting.wait(30.0), cell.n_threads), None, own)
    assert error is None
    assert {threads for _, threads in found} == {n_threads}


def test_an_error_of_a_holder_is_no_loss():
    error = ValueError("of a block")

    def fail(cell, shared, own):
        raise error

    assert Holder(1, *[[None]] * 4).do(fail, None, [None]) == (None, error)


def test_a_worker_that_is_lost_again_and_again_ends_a_fit(monkeypatch):
    X, y, _ = draw()
    cluster = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.Client(**cluster) as client:
        held = client.persist([da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)])

        class Lost:
            def do(self, *args):
                raise RuntimeError("Worker holding Actor was lost")

        monkeypatch.setattr(client, "gather", lambda futures: [Lost() for _ in futures])
        with pytest.raises(RuntimeError, match="X was lost with workers, 4 times in a row"):
            LogisticRegression().fit(*held)


@pytest.mark.slow
@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("is_asked", [False, True])
def test_a_process_that_is_killed_on_the_way_changes_no_bit(is_held, is_asked, partitioned, monkeypatch):
    with dask.config.set(scheduler="synchronous"):
        expected = LogisticRegression(tol=1e-9).fit(*partitioned)
    place, name = (of_dask, "_begin") if is_held else (of_dask.DaskBlocks, "map")
    begin, calls = getattr(place, name), []

    def killing(*args, **options):
        calls.append(args)
        said = begin(*args, **options) if is_asked else None
        if len(calls) == 11:
            os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
        return said or begin(*args, **options)

    with distributed.LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            X = partitioned[0].rechunk({1: -1})
            X = client.persist(X) if is_held else X
            assert LogisticRegression(tol=1e-9).fit(X, *partitioned[1:]).coef_.tobytes() == expected.coef_.tobytes()
            monkeypatch.setattr(place, name, killing)
            model = LogisticRegression(tol=1e-9).fit(X, *partitioned[1:])
    assert len(calls) > 11
    np.testing.assert_array_equal(model.coef_, expected.coef_)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this platform sends itself no signals")
@pytest.mark.parametrize("is_held", [False, True])
def test_ctrl_c_ends_a_fit_and_says_what_was_reached(is_held, partitioned, monkeypatch):
    place, name = (of_dask, "_begin") if is_held else (dask, "compute")
    begin, calls = getattr(place, name), []

    def interrupting(*args, **options):
        calls.append(args)
        if len(calls) == 7:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return begin(*args, **options)

    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with distributed.Client(n_workers=1, processes=False, dashboard_address=None) as client:
            X = client.persist(partitioned[0].rechunk({1: -1})) if is_held else partitioned[0]
            options = {"tol": 1e-12, "warm_start": True}
            model = LogisticRegression(**options)
            monkeypatch.setattr(place, name, interrupting)
            with pytest.raises(KeyboardInterrupt, match=r"after . passes over X.*goes on from there"):
                model.fit(X, *partitioned[1:])
            assert not hasattr(model, "coef_")
            model.fit(X, *partitioned[1:])
            expected = LogisticRegression(**options).fit(X, *partitioned[1:])
            np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5)
    finally:
        signal.signal(signal.SIGINT, heard)


def test_what_is_wrong_with_a_partition_is_named(partitioned):
    X, y, weight = partitioned
    fit = LogisticRegression().fit
    with dask.config.set(scheduler="threads"):
        with pytest.raises(ValueError, match=r"partition 2 of X must be finite.*row 0, column 7"):
            fit(da.where(X == X[100, 7], np.nan, X), y, weight)
        with pytest.raises(ValueError, match=r"y must have shape \(600,\)"):
            fit(X, y[:-1])
        with pytest.raises(ValueError, match=r"y must have one value per sample, got an array of shape \(\)"):
            fit(X, "label")
        with pytest.raises(ValueError, match="requires y"):
            fit(X)
        with pytest.raises(ValueError, match="X must be two-dimensional"):
            fit(X[:, 0], y)
        frame = pytest.importorskip("dask.dataframe").from_dask_array(X.rechunk({1: -1}), columns=list("abcdefghi"))
        for kind in (str, "Float64"):
            with pytest.raises(TypeError, match="column 'b' of X is of type"):
                fit(frame.assign(b=frame["b"].astype(kind)), y.rechunk((X.chunks[0],)))
