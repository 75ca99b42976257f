"""The command line: files become models, bad ones a line and status 2; what is printed says what it is of."""

import builtins
import csv
import io
import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression as Theirs

from fastlr import __version__, from_json
from fastlr.__main__ import main
from fastlr._cli import study
from fastlr._cli.terminal import progress
from fastlr.kernels import pointwise
from fastlr.runtime import compiled, machine

_rng = np.random.default_rng(0)
X = np.round(_rng.normal(size=(120, 3)), 6)
LABELS = np.where(X[:, 0] + _rng.normal(size=120) > 0, "yes", "no")
NAMES = ["age", "income", "x 3"]
FRAME = pd.DataFrame(X, columns=NAMES).assign(bought=LABELS)


def written(folder, kind):
    """The path of a file of a kind, and the arguments that fit it."""
    path = str(folder / f"data.{kind}")
    if kind in ("csv", "tsv", "csv.gz"):
        FRAME.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    elif kind == "parquet":
        pytest.importorskip("pyarrow")
        FRAME.to_parquet(path)
    elif kind == "npz":
        np.savez(path, X=X, bought=LABELS)
    else:
        dump_svmlight_file(X, LABELS == "yes", path)
        return [path]
    return [path, "--target", "bought"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "parquet", "npz", "svm"])
def test_a_file_becomes_a_model_and_predictions(tmp_path, capsys, kind):
    out, table = tmp_path / "model.json", tmp_path / "predictions.csv"
    arguments = ["fit", *written(tmp_path, kind), "--C", "0.5", "--model", str(out), "--predictions", str(table)]
    assert main(arguments) == 0
    printed, errors = capsys.readouterr()
    assert errors == ""
    assert "120 samples, 3 features" in printed
    expected = Theirs(C=0.5, tol=1e-10, solver="newton-cholesky").fit(X, LABELS)
    model = from_json(out.read_text())
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)
    if kind not in ("npz", "svm"):
        assert model.feature_names_in_.tolist() == NAMES
        shown = re.search(r"^x 3 +(\S+)$", printed, re.MULTILINE)[1]
        assert float(shown) == pytest.approx(model.coef_[0, 2], rel=1e-4)
    assert f"{100 * expected.score(X, LABELS):.2f} % of the samples it was fitted to" in printed
    assert f"commonest class alone has {100 * max(np.mean(LABELS == 'no'), np.mean(LABELS == 'yes')):.2f} %" in printed
    assert f"within {model.gap_:.1e} of the optimum" in printed
    with open(table, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "prediction", *(f"probability of {label}" for label in model.classes_)]
    probabilities = np.array([row[2:] for row in rows], float)
    np.testing.assert_allclose(probabilities, expected.predict_proba(X), atol=1e-3)
    assert [int(row[0]) for row in rows] == list(range(len(X)))
    assert [row[1] for row in rows] == model.classes_[probabilities.argmax(axis=1)].astype(str).tolist()


def test_options_of_fit_say_which_model(tmp_path, capsys):
    data, out = written(tmp_path, "csv"), tmp_path / "model.json"

    def fitted(*options):
        assert main(["fit", *data, "--model", str(out), *options]) == 0
        return from_json(out.read_text()), capsys.readouterr().out

    model, printed = fitted("--penalty", "l1", "--C", "0.03")
    assert model.l1_ratio == 1.0
    n_zero = (model.coef_ == 0).sum()
    assert n_zero
    assert f"{n_zero} of 3 features have no coefficient but 0" in printed
    model, printed = fitted("--cv", "3", "--penalty", "l1")
    assert model.l1_ratio_ == 1.0
    assert f"C={model.C_:g}, chosen by 3 folds: " in printed
    model, printed = fitted("--penalty", "none", "--inference")
    assert model.C == np.inf
    assert "odds ratio" in printed
    model, printed = fitted("--penalty", "firth", "--drop", "age", "income")
    assert model.feature_names_in_.tolist() == ["x 3"]
    assert "No certificate" in printed


def test_many_classes_have_a_column_each(tmp_path, capsys):
    path = tmp_path / "three.csv"
    FRAME.assign(bought=np.arange(120) % 3).to_csv(path, index=False)
    assert main(["fit", str(path), "--target", "bought"]) == 0
    assert re.search(r"^ +class 0 +class 1 +class 2$", capsys.readouterr().out, re.MULTILINE)


def test_text_and_missing_values_are_dealt_with_where_that_is_asked_for(tmp_path, capsys):
    path, out = tmp_path / "people.csv", tmp_path / "model.json"
    people = FRAME.assign(city=np.tile(["Ulm", "Bonn", "Köln"], 40))
    people.loc[3, "age"] = np.nan
    people.to_csv(path, index=False)
    arguments = ["fit", str(path), "--target", "bought", "--model", str(out)]
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        "fastlr fit: column 'age' has 1 missing values: pass --drop-missing, or --drop 'age'\n"
    )
    assert main([*arguments, "--drop-missing"]) == 2
    assert (
        capsys.readouterr().err
        == "fastlr fit: column 'city' holds no numbers, but 'Ulm': pass --one-hot, or --drop 'city'\n"
    )
    assert main([*arguments, "--drop-missing", "--one-hot"]) == 0
    assert "119 samples" in capsys.readouterr().out
    assert from_json(out.read_text()).feature_names_in_.tolist() == [*NAMES, "city=Bonn", "city=Köln", "city=Ulm"]


@pytest.mark.parametrize("options", [{"sep": ";"}, {"sep": "|"}, {"sep": ";", "decimal": ","}, {"encoding": "utf-16"}])
@pytest.mark.parametrize("packed", ["", ".gz", ".zip"])
def test_csv_files_as_they_come(options, packed, tmp_path, capsys):
    def printed(name, *arguments, **of_file):
        frame.to_csv(tmp_path / name, index=False, **of_file)
        assert main(["fit", str(tmp_path / name), "--target", "bought, net", *arguments]) == 0
        return capsys.readouterr().out.split(" samples, ")[1].rsplit(";", 1)[0]

    frame = FRAME.rename(columns={"age": " age ", "bought": "bought, net"})
    asked = [word for name, value in options.items() if name != "sep" for word in (f"--{name}", value)]
    assert printed("x.csv" + packed, *asked, **options) == printed("plain.csv")


@pytest.mark.parametrize("first", [0, 1])
def test_features_of_svmlight_files_have_the_numbers_of_the_file(first, tmp_path, capsys):
    path = str(tmp_path / "x.svm")
    dump_svmlight_file(X, LABELS == "yes", path, zero_based=not first)
    for options in ([], ["--inference"]):
        assert main(["fit", path, *options]) == 0
        found = re.findall(r"^(\d+) +(-?\d+\.\d+)", capsys.readouterr().out, re.MULTILINE)
        coefs = [float(value) for _, value in sorted(found)]
        assert sorted(name for name, _ in found) == [str(j + first) for j in range(3)]
        np.testing.assert_allclose(coefs, Theirs(tol=1e-10).fit(X, LABELS).coef_[0], rtol=0.01)


def test_what_a_fit_warns_of_is_one_line(tmp_path, capsys):
    path = tmp_path / "separated.csv"
    pd.DataFrame({"a": [0.0, 1, 2, 3], "b": [0, 0, 1, 1]}).to_csv(path, index=False)
    assert main(["fit", str(path), "--target", "b", "--penalty", "none"]) == 0
    assert re.fullmatch(r"Warning: The classes are perfectly separated.*\n", capsys.readouterr().err)


def bad_files(folder):
    """Arguments after ``fit``, and what the line says."""
    (folder / "empty.csv").write_text("")
    (folder / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (folder / "bytes.csv").write_bytes(b"a,b\n\xff\xfe,2\n")
    (folder / "header.csv").write_text("a,b\n")
    (folder / "one.csv").write_text("a,b\n1,2\n3,2\n")
    (folder / "words.svm").write_text("yes it is\n")
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.npz").write_bytes(b"no archive")
    np.savez(folder / "broken.npz", X=X, y=LABELS)
    content = bytearray((folder / "broken.npz").read_bytes())
    content[300] ^= 1
    (folder / "broken.npz").write_bytes(content)
    np.savez(folder / "objects.npz", X=np.array([None, {}]), y=[1, 2])
    np.savez(folder / "no_y.npz", X=X)
    FRAME.to_csv(folder / "fine.csv", index=False)
    FRAME.assign(age=np.inf).to_csv(folder / "infinite.csv", index=False)
    FRAME.to_csv(folder / "rows.csv")
    FRAME.assign(city="Köln").to_csv(folder / "latin.csv", index=False, encoding="latin-1")
    FRAME.to_csv(folder / "decimal.csv", index=False, sep=";", decimal=",")
    FRAME.assign(income=["1e3", "?"] * 60).to_csv(folder / "mark.csv", index=False)
    yield from [
        (["missing.csv"], "No such file"),
        (["data.xlsx"], "must end in one of .csv"),
        (["empty.csv"], "No columns"),
        (["ragged.csv"], "line 3"),
        (["bytes.csv"], "utf-8"),
        (["header.csv", "--target", "b"], "no rows"),
        (["one.csv", "--target", "b"], "one class"),
        (["words.svm"], "could not convert|fields"),
        (["words.svm", "--target", "b"], "leave --target out"),
        (["words.svm", "--one-hot"], "for CSV and Parquet"),
        (["empty.npz"], "is no NPZ file"),
        (["text.npz"], "is no NPZ file"),
        (["broken.npz"], "Bad CRC"),
        (["objects.npz"], "arrays of objects"),
        (["no_y.npz"], "no array 'y', but X"),
        (["fine.csv"], "--target must name the column of the labels, one of age, "),
        (["fine.csv", "--target", "c"], "no column 'c', but age, income"),
        (["fine.csv", "--target", "bought", "--drop", "c"], "no column 'c'"),
        (["fine.csv", "--target", "bought", "--drop", "bought"], "leave out the labels"),
        (["fine.csv", "--target", "bought", "--drop", *NAMES], "no column is left"),
        (["fine.csv", "--target", "bought", "--C", "-1"], "C must be"),
        (["fine.csv", "--target", "bought", "--C", "1", "--cv"], "leave --C out"),
        (["fine.csv", "--target", "bought", "--penalty", "none", "--cv"], "l2 or l1"),
        (["fine.csv", "--target", "bought", "--penalty", "none", "--C", "2"], "l2 or l1"),
        (["fine.csv", "--target", "bought", "--penalty", "l1", "--inference"], "penalty"),
        (["fine.csv", "--target", "bought", "--model", "no/folder/m.json"], "no/folder"),
        (["infinite.csv", "--target", "bought"], "infinity"),
        (["rows.csv", "--target", "bought"], "no name: pass --drop 'Unnamed: 0'"),
        (["latin.csv", "--target", "bought"], "latin.csv is not in utf-8: pass its --encoding"),
        (["latin.csv", "--target", "bought", "--encoding", "latin"], "column 'city' holds no numbers, but 'Köln'"),
        (["latin.csv", "--target", "bought", "--encoding", "none"], "--encoding must be one that Python knows: .*none"),
        (["decimal.csv", "--target", "bought"], f"column 'age' holds no numbers, but '{X[0, 0]}'".replace(".", ",")),
        (["mark.csv", "--target", "bought"], "column 'income' holds no numbers, but '.'"),
        (["one.svm", "--decimal", ","], "--decimal is for CSV files"),
    ]


def test_bad_files_and_options_get_one_line_and_status_2(tmp_path, capsys, monkeypatch):
    cases = list(bad_files(tmp_path))
    monkeypatch.chdir(tmp_path)
    for arguments, message in cases:
        assert main(["fit", *arguments]) == 2, arguments
        assert re.fullmatch(rf"fastlr fit: .*({message}).*\n", capsys.readouterr().err), arguments


def test_without_pandas_a_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    data = written(tmp_path, "csv")
    load = builtins.__import__

    def without_pandas(name, *arguments, **options):
        if name.split(".")[0] == "pandas":
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    assert main(["fit", *data]) == 2
    assert 'pip install "fastlr[table]"' in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------- the study


def test_the_study_says_what_it_ran_on_and_what_its_ratios_are_against(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "measure", lambda *_: {"NumPy reference, float64": 0.03, "fused, float64": 0.01})
    figure, numbers = tmp_path / "study.png", tmp_path / "study.json"
    assert main(["--iterations", "12", "--plot", str(figure), "--json", str(numbers)]) == 0
    printed = capsys.readouterr().out
    for words in (machine.processor(), machine.instruction_set(), "threads", "Cost after iteration 10"):
        assert words in printed
    assert "ratios to the NumPy reference, float64" in printed
    assert re.search(r"fused, float64 +10\.0 ms +3\.0 times as fast", printed)
    assert figure.stat().st_size
    results = json.loads(numbers.read_text())
    assert results["difference_from_reference"]["weights"] < 1e-9
    assert len(results["costs"]) == 12


def test_the_study_refuses_what_is_not_there_in_one_line(tmp_path, capsys):
    assert main(["--data", str(tmp_path / "nothing")]) == 2
    assert re.fullmatch(r"fastlr: .+\n", capsys.readouterr().err)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_shown_on_a_terminal_alone(monkeypatch):
    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(progress(["a", "b", "c"], "timing")) == ["a", "b", "c"]
        assert ("timing [##########" in stream.getvalue()) is is_shown
        assert ("1/3" in stream.getvalue()) is is_shown


# ------------------------------------------------------------------------------------------------------------ others


def test_info_names_what_a_report_needs(capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for line in (f"fastlr: +{__version__}", f"numpy: +{np.__version__}", "OMP_NUM_THREADS: +2", "seed: +.+"):
        assert re.search(f"^{line}$", printed, re.MULTILINE), line
    assert re.search(f"^processor: +{re.escape(machine.processor())}$", printed, re.MULTILINE)
    assert re.search(r"^cache folder: +/?.+$", printed, re.MULTILINE)


def test_info_does_without_private_parts_of_numba(capsys, monkeypatch):
    for name in ("cache_path", "_cache_file"):
        monkeypatch.setattr(type(pointwise.sigmoid_array._cache), name, property(), raising=False)  # raises
    assert compiled._signatures(pointwise.sigmoid_array) is None
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert re.search("^compiled: +nothing$", printed, re.MULTILINE)
    assert re.search("^cache folder: +none", printed, re.MULTILINE)


def test_a_kernel_that_ran_counts_as_compiled():
    pointwise.sigmoid_array(np.zeros(3), np.empty(3))
    counts, folders = compiled.cached_signatures("fastlr.kernels")
    assert counts["pointwise.sigmoid_array"] >= 1
    assert len(folders) == 1


def test_warmup_refuses_a_level_that_is_none(tmp_path, capsys):
    assert main(["warmup", "--seed", str(tmp_path), "--levels", "x86-64-v9"]) == 2
    assert re.fullmatch(r"fastlr warmup: levels must be some of .*\n", capsys.readouterr().err)
