"""X in blocks of rows: the fit is that of the whole X in memory, whatever the blocks come from."""

import re
import threading
import tracemalloc
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from conftest import threads_of_fits, wait_until
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from fastlr import LogisticRegression, LogisticRegressionCV, fit_many
from fastlr._validation import check_features, check_sparse_features
from fastlr.losses.logistic import LogisticLoss
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices.blocks import BlocksLoss, BlocksMatrix
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.dense import DenseMatrix
from fastlr.matrices.parts import Part, add_up
from fastlr.matrices.scales import standardisation
from fastlr.runtime.team import Team
from fastlr.sources import source_of
from fastlr.sources.iterators import IteratorSource
from fastlr.sources.local import LocalBlocks, NumberedSource, read_ahead
from fastlr.sources.progress import size

CUTS = [0, 90, 100, 330, 600]
kinds = pytest.mark.parametrize("is_sparse", [False, True])
classes = pytest.mark.parametrize("n_classes", [2, 4])


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("fastlr-reader")]


def draw(n_classes=2, shape=(600, 9)):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=shape) * (rng.random(shape) < 0.7)
    y = (X @ rng.normal(size=(shape[1], n_classes)) + 2.0 * rng.gumbel(size=(shape[0], n_classes))).argmax(axis=1)
    return X, y, rng.exponential(size=shape[0])


def in_blocks(X, *vectors, cuts=CUTS):
    """A callable that returns a fresh iterator."""

    def make():
        for first, stop in pairwise(cuts):
            yield X[first:stop], *(vector[first:stop] for vector in vectors)

    return make


def loss_of(y, weight, n_classes):
    if n_classes == 2:
        return LogisticLoss(y.astype(float), weight)
    return SoftmaxLoss(y.astype(np.int64), n_classes, weight)


def whole_and_blocks(n_classes, is_sparse):
    """A matrix with its loss in memory, and the same in blocks."""
    X, y, weight = draw(n_classes)
    X = sparse.csr_array(X) if is_sparse else X
    matrix = CSRMatrix(check_sparse_features(X)) if is_sparse else DenseMatrix(check_features(X))
    parts = [
        Part(loss_of(y[a:b], weight[a:b], n_classes), (b - a, X.shape[1]), f"block {k}")
        for k, (a, b) in enumerate(pairwise(CUTS))
    ]
    blocks = LocalBlocks(IteratorSource(in_blocks(X, y), None, None), parts, np.diff(CUTS).tolist())
    pair = BlocksMatrix(blocks, np.float64, Team(1)), BlocksLoss(blocks, np.bincount(y, weight))
    return (matrix, loss_of(y, weight, n_classes)), pair


def close(actual, expected, rtol=1e-11):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * max(1e-3, np.abs(other).max()))


@kinds
@classes
def test_sums_over_blocks_are_those_of_the_whole(n_classes, is_sparse):
    ends = []
    for matrix, loss in whole_and_blocks(n_classes, is_sparse):
        rng = np.random.default_rng(0)
        first, second, direction = rng.normal(size=(3, loss.n_rows, 10))
        end = [
            *matrix.sweep(loss, first),
            matrix.product(loss, direction),
            *standardisation(matrix, loss, centred=True),
        ]
        taken, part = matrix.sample(loss, np.arange(3, 600, 7))
        end += taken.sweep(part, second)
        assert loss.value_at_zero == np.log(n_classes)
        if n_classes == 2:
            end += [*matrix.moments(loss)] if is_sparse else []
            end += [matrix.sandwich(loss), matrix.intercept_column(loss)]
            loss.remember()
            end += matrix.sweep(loss, second)
            end += [loss.largest_change(), loss.slopes()(0.3), loss.separates()]
            loss.remember()
            end += matrix.sweep(loss, second + 0.01 * direction)
            end += [loss.divergence()]
            assert np.isfinite(end[-1])
            loss.remember()
            matrix.predict(loss, direction)
            end += [loss.overshoot(), matrix.product(loss, first)]
        else:
            end += [
                matrix.curvature_sum(loss),
                matrix.class_sandwich(loss, first),
                *matrix.moments(loss.weighted())[-1:],
            ]
            questions = ("largest_spread", first), ("overshoot", first, second), ("separates", first)
            questions += (("divergence", first, 0.01 * second),)
            end += [matrix.ask_of_predictions(loss, *question) for question in questions]
        ends.append(end)
    close(*ends)


@classes
def test_what_a_lost_block_held_is_computed_again_to_the_same_bits(n_classes):
    ends = []
    for loses in (False, True):
        _, (matrix, loss) = whole_and_blocks(n_classes, False)

        def lose(blocks=matrix.X, loses=loses):
            if loses:
                part = blocks._parts[2]
                blocks._parts[2] = Part(part.loss.take(slice(None)), part._shape, part._name)

        first, second, direction = np.random.default_rng(1).normal(size=(3, loss.n_rows, 10))
        matrix.sweep(loss, first)
        lose()
        end = [matrix.product(loss, direction)]
        if n_classes == 2:
            loss.remember()
            end += matrix.sweep(loss, second)
            lose()
            end += [loss.largest_change()]
            loss.remember()
            lose()
            matrix.predict(loss, direction)
            lose()
            end += [loss.overshoot(), matrix.sandwich(loss)]
        ends.append(end)
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sums_are_added_in_a_tree_of_neighbours():
    parts = [(chr(ord("a") + k),) for k in range(7)]

    class Term(str):
        def __add__(self, other):
            return Term(f"({self!s}{other!s})")

    assert add_up((Term(part),) for (part,) in parts) == ("(((ab)(cd))((ef)g))",)


@classes
@kinds
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_a_fit_over_blocks_is_that_in_memory(n_classes, is_sparse, C):
    X, y, weight = draw(n_classes)
    X = sparse.csr_array(X) if is_sparse else X
    options = {"C": C, "tol": 1e-9, "class_weight": "balanced"}
    expected = LogisticRegression(**options).fit(X, y, weight)
    model = LogisticRegression(**options).fit(in_blocks(X, y, weight))
    assert model.gap_ <= 1e-9
    close([model.coef_, model.intercept_], [expected.coef_, expected.intercept_], rtol=1e-3)
    for method in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
        np.testing.assert_allclose(getattr(model, method)(in_blocks(X)), getattr(model, method)(X), rtol=1e-12)
    assert model.score(in_blocks(X, y, weight)) == model.score(X, y, weight)
    again = LogisticRegression(**options, warm_start=True).fit(in_blocks(X, y, weight)).fit(in_blocks(X, y, weight))
    assert again.n_iter_ <= (0 if C == 1.0 else 1)


@kinds
@pytest.mark.parametrize(("n_classes", "shape"), [(2, (600, 9)), (4, (600, 9)), (2, (700, 310))])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_an_l1_penalty_over_blocks_gives_the_fit_in_memory(n_classes, shape, l1_ratio, is_sparse):
    X, y, weight = draw(n_classes, shape)
    X = sparse.csr_array(X) if is_sparse else X
    options = {"C": 0.02, "l1_ratio": l1_ratio, "tol": 1e-9}
    expected = LogisticRegression(**options).fit(X, y, weight)
    cuts = [0, 90, 100, 330, shape[0]]
    model = LogisticRegression(**options).fit(in_blocks(X, y, weight, cuts=cuts))
    assert model.gap_ <= 1e-9
    assert model.objective_ == pytest.approx(expected.objective_, rel=3e-9)
    np.testing.assert_array_equal(model.coef_ == 0.0, expected.coef_ == 0.0)
    assert 0 < np.count_nonzero(model.coef_ == 0.0) < model.coef_.size
    close([model.coef_, model.intercept_], [expected.coef_, expected.intercept_], rtol=1e-3)


def test_best_intercepts_are_those_of_the_whole():
    for n_classes in (2, 4):
        (_, whole), (_, blocks) = whole_and_blocks(n_classes, False)
        np.testing.assert_allclose(blocks.best_intercepts(), whole.best_intercepts(), rtol=1e-12)


@pytest.mark.parametrize("solver", ["newton_cg", "preconditioned_lbfgs", "newton_cholesky"])
@classes
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_all_solvers_but_that_of_the_gram_matrix_run_over_blocks(solver, n_classes, fit_intercept):
    X, y, _ = draw(n_classes)
    options = {"solver": solver, "tol": 1e-9, "fit_intercept": fit_intercept, "class_weight": {1: 2.0}}
    expected = LogisticRegression(**options).fit(X, y)
    model = LogisticRegression(**options).fit(in_blocks(X, y))
    assert model.solver_ == solver
    close([model.coef_, model.intercept_], [expected.coef_, expected.intercept_], rtol=1e-4)


def test_large_blocks_start_from_a_subsample_and_take_few_passes_each_of_them_one_reading():
    X, y, _ = draw(shape=(60_000, 30))
    n_readings = 0

    def make():
        nonlocal n_readings
        n_readings += 1
        return in_blocks(X.astype(np.float32), y, cuts=[0, 20_000, 45_000, 60_000])()

    model = LogisticRegression().fit(make)
    assert model.coef_.dtype == np.float32
    assert model.gap_ <= 1e-6
    assert model.n_passes_ <= 7
    assert n_readings == model.n_passes_ + 1  # for labels and shapes
    assert model.history_[0]["value"] < 1.01 * model.objective_


def test_the_same_bits_for_any_number_of_threads():
    X, y, _ = draw(shape=(30_000, 40))
    models = [LogisticRegression(n_jobs=n).fit(in_blocks(X, y, cuts=[0, 11_000, 30_000])) for n in (1, 3)]
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    wait_until(lambda: not threads_of_fits())


def test_the_next_block_is_read_while_this_one_is_worked_on():
    reading = threading.Event()

    found = read_ahead([lambda: 0, lambda: reading.set() or 1])
    assert next(found) == 0
    assert reading.wait(10)
    assert list(found) == [1]
    wait_until(lambda: not readers())


@pytest.mark.parametrize("n_readers", [1, 2])
def test_the_first_blocks_of_a_pass_are_read_while_the_one_before_ends(n_readers):
    asked = []

    class Numbers(NumberedSource):
        labels, n_features = [()] * 3, 1

        def _read(self, k):
            asked.append(k)
            return k

        def name(self, k):
            return str(k)

    Numbers.n_readers = n_readers
    blocks = LocalBlocks(Numbers(), "abc", [1, 1, 1])
    take = partial(blocks.map, lambda part, k, team: f"{part}{k}")
    assert list(take()) == ["a0", "b1", "c2"]
    wait_until(lambda: asked == [0, 1, 2, 0, 1][: 3 + n_readers])
    assert list(take()) == ["a0", "b1", "c2"]
    assert next(take()) == "a0"  # nothing goes on where a pass has ended early
    assert list(take()) == ["a0", "b1", "c2"]
    del take, blocks
    wait_until(lambda: not readers())


@kinds
def test_a_line_shows_how_far_a_pass_is_where_tqdm_is_installed(is_sparse, monkeypatch, capsys):
    lines = []

    class Line:
        def __init__(self, **options):
            lines.append(options | {"rows": []})

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

        def set_postfix_str(self, text, refresh):
            assert re.fullmatch(r"\d+ MB/s", text)

        def update(self, rows):
            lines[-1]["rows"].append(rows)

    monkeypatch.setattr("fastlr.sources.progress.tqdm", Line)
    X, y, _ = draw()
    given = in_blocks(sparse.csr_array(X) if is_sparse else X, y)
    model = LogisticRegression(verbose=1).fit(given)
    assert len(lines) == model.n_passes_
    assert [line["rows"] for line in lines] == [np.diff(CUTS).tolist()] * model.n_passes_
    assert {line["total"] for line in lines} == {600}
    assert lines[0]["desc"] == "pass 1"
    assert re.fullmatch(rf"pass {model.n_passes_}, gap \d.\de-\d\d", lines[-1]["desc"])
    assert capsys.readouterr().out.count("\n") == len(model.history_)
    monkeypatch.setattr("fastlr.sources.progress.tqdm", None)
    assert LogisticRegression(verbose=1).fit(given).coef_.tobytes() == model.coef_.tobytes()


def test_bytes_of_a_block_are_counted():
    X = sparse.csr_array(np.eye(3))
    assert size(X) == X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    assert size(np.eye(3)) == 72


# Files


@pytest.fixture
def stored(tmp_path):
    """Makes what holds X: by kind of file, (X, y, sample_weight) as `fit` takes them."""

    def store(kind, X, y, weight, chunk=100):
        if kind == "parquet":
            pq, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
            names = [f"x{j}" for j in range(X.shape[1])]
            columns = dict(zip(names, X.T, strict=True)) | {"label": y, "weight": weight}
            pq.write_table(arrow.table(columns), tmp_path / "x.parquet", row_group_size=chunk)
            return tmp_path / "x.parquet", "label", "weight"
        if kind == "hdf5":
            file = pytest.importorskip("h5py").File(tmp_path / "x.h5", "w")
            return file.create_dataset("X", data=X, chunks=(chunk, 4)), file.create_dataset("y", data=y), weight
        zarr = pytest.importorskip("zarr")
        return zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(chunk, 4)), y, weight

    return store


@pytest.mark.parametrize("kind", ["parquet", "hdf5", "zarr"])
@classes
def test_a_fit_over_a_file_is_that_in_memory(kind, n_classes, stored, monkeypatch):
    monkeypatch.setattr("fastlr.sources.arrays._BLOCK_BYTES", 10_000)
    X, y, weight = draw(n_classes)
    X = X.astype(np.float32)
    names = np.array(["no", "yes", "maybe", "never"])
    given = stored(kind, X, names[y] if kind != "hdf5" else y, weight)
    model = LogisticRegression(tol=1e-9).fit(*given)
    expected = LogisticRegression(tol=1e-9).fit(X, y if kind == "hdf5" else names[y], weight)
    assert model.classes_.tolist() == expected.classes_.tolist()
    close([model.coef_, model.intercept_], [expected.coef_, expected.intercept_], rtol=1e-4)
    assert model.coef_.dtype == np.float32
    np.testing.assert_allclose(model.predict_proba(given[0]), expected.predict_proba(X), rtol=1e-4)
    assert model.score(*given) == pytest.approx(expected.score(X, y if kind == "hdf5" else names[y], weight), rel=1e-12)
    if kind == "parquet":
        assert model.feature_names_in_.tolist() == [f"x{j}" for j in range(9)]


def test_a_folder_and_a_data_set_of_parquet_files_are_read_by_name(tmp_path):
    arrow, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    dataset = pytest.importorskip("pyarrow.dataset")
    X, y, _ = draw()
    for k, (a, b) in enumerate(pairwise(CUTS)):
        columns = {"b": X[a:b, 1], "label": y[a:b], "a": X[a:b, 0], "c": (X[a:b, 2] > 0)}
        pq.write_table(arrow.table(columns), tmp_path / f"{k}.parquet")
    expected = LogisticRegression(tol=1e-9).fit(np.column_stack([X[:, 1], X[:, 0], X[:, 2] > 0]), y)
    for data in (tmp_path, str(tmp_path), sorted(tmp_path.iterdir()), dataset.dataset(tmp_path)):
        model = LogisticRegression(tol=1e-9).fit(data, "label")
        assert model.feature_names_in_.tolist() == ["b", "a", "c"]
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5)
        assert model.score(data, "label") == expected.score(np.column_stack([X[:, 1], X[:, 0], X[:, 2] > 0]), y)


def test_a_large_row_group_and_columns_of_several_types_are_one_block(tmp_path):
    arrow, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    y = np.random.default_rng(0).integers(0, 2, 300_000)  # pyarrow reads 131,072 rows at a time
    X = np.random.default_rng(1).normal(size=(len(y), 3)) + 0.3 * y[:, None]
    columns = {"a": X[:, 0], "b": X[:, 1].astype(np.float32), "c": X[:, 2] > 0, "d": (9 * X[:, 2]).astype(np.int8)}
    table = arrow.table(columns | {"label": y})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=200_000)
    expected = np.column_stack(list(columns.values()))
    found = list(map(np.array, source_of(tmp_path / "x.parquet", "label").read()))
    assert [block.shape for block in found] == [(200_000, 4), (100_000, 4)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    model = LogisticRegression(tol=1e-9).fit(tmp_path / "x.parquet", "label")
    close(model.coef_, LogisticRegression(tol=1e-9).fit(expected, y).coef_)


def test_the_last_sweep_brings_what_its_certificate_takes(monkeypatch):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(30_000, 40))
    y = (X[:, 0] + rng.logistic(size=len(X)) > 0.5).astype(int)
    for kind in (DenseMatrix, BlocksMatrix):
        monkeypatch.setattr(kind, "intercept_column", None)  # a pass of its own
    monkeypatch.setattr(BlocksLoss, "ask", None)  # a round
    for data in ((X, y), (in_blocks(X, y, cuts=[0, 10_000, 30_000]), None)):
        model = LogisticRegression().fit(*data)
        assert model.gap_ <= 1e-6
        assert model.n_passes_ == model.n_iter_[0] + (1 if data[1] is not None else 2)  # the start, the subsample


def test_a_memory_map_is_read_in_place(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (200_000, 50))
    X[:] = np.random.default_rng(0).normal(size=X.shape)
    y = (X[:, 0] + np.random.default_rng(1).normal(size=len(X)) > 0).astype(int)
    X = np.load(tmp_path / "x.npy", mmap_mode="r")
    LogisticRegression().fit(X[:40_000], y[:40_000])
    tracemalloc.start()
    try:
        LogisticRegression().fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 8 * 1.5 + 56 * len(X)  # a sample and one of that, and some vectors


# What is refused


def at(X, row, column, value):
    X = X.copy()
    X[row, column] = value
    return X


def fails_the_second_time():
    X, y, _ = draw()
    once = in_blocks(X, y)()
    return lambda: once


def narrow_block():
    X, y, _ = draw()
    return lambda: iter([(X[:300], y[:300]), (X[300:, :5], y[300:])])


def shorter_later():
    X, y, _ = draw()
    cuts = iter([CUTS, CUTS[:-1]])
    return lambda: in_blocks(X, y, cuts=next(cuts))()


X, Y, WEIGHT = draw()
BAD = {
    "NaN": (in_blocks(at(X, 205, 3, np.nan), Y), "block 2 of X must be finite.*row 105, column 3"),
    "infinity in CSR": (
        in_blocks(sparse.csr_array(at(X, 95, 3, np.inf)), Y),
        "block 1 of X must be finite.*row 5",
    ),
    "other columns": (narrow_block(), "block 1 of X has 5 columns, where block 0 has 9"),
    "one reading only": (fails_the_second_time(), "X gave 0 blocks, and the first time 4"),
    "fewer blocks later": (shorter_later(), "X gave 3 blocks, and the first time 4"),
    "no blocks": (lambda: iter([]), "X must not be empty"),
    "one class": (in_blocks(X, np.zeros(600)), "only one class"),
    "NaN among labels": (in_blocks(X, at(Y[:, None].astype(float), 95, 0, np.nan)[:, 0]), "row 5 of block 1 of X"),
    "no labels": (in_blocks(X), "requires y to be passed, but block 0 of X"),
    "labels for fewer rows": (lambda: iter([(X, Y[:-1])]), "block 0 of X must have .*, got 599 for 600 rows"),
    "four things": (in_blocks(X, Y, WEIGHT, WEIGHT), "block 0 of X must be .X, y. or .*, got 4 things"),
    "negative weights": (in_blocks(X, Y, at(WEIGHT[:, None], 95, 0, -1.0)[:, 0]), "sample_weight.*block 1 of X"),
    "no weight": (in_blocks(X, Y, 0.0 * WEIGHT), "sample_weight must have a finite sum of at least"),
    "a class without weight": (in_blocks(X, Y, WEIGHT * Y), "class .*0.* has no weight"),
    "labels of two kinds": (lambda: iter([(X, Y), (X, Y.astype(str))]), "labels of one kind in all blocks"),
    "weights for some": (lambda: iter([(X, Y), (X, Y, WEIGHT)]), "for all blocks of X, or for none"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_block_is_named_and_the_estimator_as_it_was(case):
    make, message = BAD[case]
    model = LogisticRegression().fit(X, Y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(make)
    assert vars(model) == before
    wait_until(lambda: not readers())


def test_labels_that_only_later_blocks_have_are_classes_too():
    X, y, _ = draw(4)
    order = np.argsort(y, kind="stable")
    model = LogisticRegression(tol=1e-9).fit(in_blocks(X[order], y[order]))
    expected = LogisticRegression(tol=1e-9).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    close([model.coef_, model.intercept_], [expected.coef_, expected.intercept_], rtol=1e-3)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_needs_x_in_memory_is_refused():
    wide = sparse.csr_array((600, 7_000))
    with pytest.raises(
        ValueError, match="l1_ratio must be 0 for more than 6,000 coefficients and X in blocks, got 7,001"
    ):
        LogisticRegression(l1_ratio=1.0).fit(in_blocks(wide, Y))
    with pytest.raises(ValueError, match="is not for X in blocks"):
        LogisticRegression(penalty="firth").fit(in_blocks(X, Y))
    with pytest.raises(ValueError, match="needs X in memory"):
        LogisticRegression(solver="gram_newton").fit(in_blocks(X, Y))
    for fit in (LogisticRegressionCV().fit, fit_many):
        with pytest.raises(ValueError, match="X must be in memory here"):
            fit(in_blocks(X), Y)
    with pytest.raises(ValueError, match="X has 5 features"):
        LogisticRegression().fit(X, Y).predict(in_blocks(X[:, :5]))
    with pytest.raises(ValueError, match="y and sample_weight must be None"):
        LogisticRegression().fit(in_blocks(X, Y), Y)
    with pytest.raises(TypeError, match="X must return an iterator"):
        LogisticRegression().fit(lambda: 3)


def test_errors_of_a_callers_own_are_theirs():
    def make():
        yield X, Y
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        LogisticRegression().fit(make)


@pytest.mark.parametrize(
    "case", ["null", "category", "text", "no column", "no feature", "no y", "truncated", "selection", "scanner"]
)
def test_what_is_wrong_with_parquet_files_is_named(case, tmp_path):
    arrow, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {f"x{j}": arrow.array(X[:, j]) for j in range(3)} | {"label": Y}
    file, data, y = tmp_path / "x.parquet", tmp_path, "label"
    error, message = ValueError, "column 'x1' has 1 nulls in row group 2 of .*x.parquet"
    if case == "null":
        columns["x1"] = arrow.array(X[:, 1], mask=np.arange(600) == 250)
    elif case in ("category", "text"):
        words = arrow.array(np.where(Y > 0, "yes", "no"))
        columns["x1"] = words.dictionary_encode() if case == "category" else words
        error, message = TypeError, "column 'x1' of X .row group 0 of .*x.parquet. is of type (dictionary|string)"
    elif case == "no column":
        y, message = "target", "X has no column 'target'"
    elif case == "no feature":
        columns, message = {"label": Y}, "X has no column for a feature, but .'label'."
    elif case == "no y":
        y, message = None, "requires y to be passed"
    pq.write_table(arrow.table(columns), file, row_group_size=100)
    if case == "truncated":
        file.write_bytes(file.read_bytes()[:-200])
        error, message = OSError, "X cannot be read: .*x.parquet"
    elif case == "selection":
        dataset = pytest.importorskip("pyarrow.dataset")
        data, message = dataset.dataset(file).filter(dataset.field("x0") > 0), "X cannot be read: .*filtered"
    elif case == "scanner":
        data, error = pytest.importorskip("pyarrow.dataset").dataset(file).scanner(), TypeError
        message = "X must be a path of Parquet files or .* got Scanner"
    with pytest.raises(error, match=message):
        LogisticRegression().fit(data, y)


def test_an_array_of_xarray_that_may_be_made_of_one_of_dask_is_read_by_its_chunks():
    class Labelled:
        shape, dtype, ndim, chunks = X.shape, X.dtype, 2, ((250, 350), (9,))

        def __dask_graph__(self):
            return None

        def __getitem__(self, rows):
            return X[rows]

    model, expected = LogisticRegression(tol=1e-9).fit(Labelled(), Y), LogisticRegression(tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(model.predict(Labelled()), model.predict(X))


def test_a_chunk_that_cannot_be_read_is_named():
    class Broken:
        shape, dtype, chunks = X.shape, X.dtype, (100, 9)

        def __getitem__(self, rows):
            if rows.start:
                raise OSError("the disk is gone")
            return X[rows]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastlr.sources.arrays._BLOCK_BYTES", 1)
        with pytest.raises(OSError, match=r"block 1 of X .from row 100. cannot be read: the disk is gone"):
            LogisticRegression().fit(Broken(), Y)


def test_what_separates_blocks_is_named():
    first = np.where(np.arange(600) % 40 == 0, 1.0, 0.0)
    labels = np.where(first > 0, 1, Y)
    with pytest.warns(ConvergenceWarning) as whole:
        LogisticRegression(C=np.inf).fit(np.column_stack([X[:, 1:], first]), labels)
    with pytest.warns(ConvergenceWarning) as blocks:
        LogisticRegression(C=np.inf).fit(in_blocks(np.column_stack([X[:, 1:], first]), labels))
    assert str(blocks[0].message) == str(whole[0].message)


@pytest.mark.parametrize("options", [{"offset": 1.0}, {"proportions": True}])
def test_what_blocks_have_no_place_for_is_refused(options):
    with pytest.raises(ValueError, match="is not for X in blocks"):
        LogisticRegression().fit(in_blocks(X, Y), **options)
