"""``fastlr fit``: a model of a table in a file."""

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from .._inference import inference
from .._validation import listed
from ..estimators.cross_validation import LogisticRegressionCV
from ..estimators.logistic_regression import LogisticRegression
from .tables import read_table

_SHOWN = 40  # coefficients


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="fastlr fit",
        description="Fit a logistic regression to a table; print its coefficients, its score and how near to the "
        "optimum it is.",
    )
    parser.add_argument(
        "file", help="CSV (.csv, .tsv, .txt, also packed), Parquet, svmlight (.svm, .libsvm) or NPZ (with an array X)"
    )
    parser.add_argument("--target", metavar="NAME", help="column of the labels, or their array in an NPZ file")
    parser.add_argument("--encoding", metavar="NAME", help="of the text of a CSV file (default: utf-8)")
    parser.add_argument("--decimal", metavar="CHARACTER", help="decimal point of a CSV file (default: .)")
    parser.add_argument("--drop", nargs="+", default=[], metavar="NAME", help="columns to leave out")
    parser.add_argument("--drop-missing", action="store_true", help="leave out rows with a missing value")
    parser.add_argument("--one-hot", action="store_true", help="make columns of the values of columns that hold text")
    parser.add_argument("--penalty", choices=("l2", "l1", "firth", "none"), default="l2", help="default: l2")
    parser.add_argument("--C", type=float, metavar="C", help="inverse strength of the penalty (default: 1)")
    parser.add_argument(
        "--cv", type=int, nargs="?", const=5, metavar="FOLDS", help="choose C by cross-validation (default: five folds)"
    )
    parser.add_argument("--inference", action="store_true", help="print standard errors, tests and intervals as well")
    parser.add_argument("--model", metavar="FILE", help="write the model as JSON, for fastlr.from_json")
    parser.add_argument(
        "--predictions", metavar="FILE", help="write labels and probabilities of the rows that were fitted to, as CSV"
    )
    return parser


def main(argv):
    """Read, fit, print, write."""
    options = build_parser().parse_args(argv)
    if options.cv is not None and (options.C is not None or options.penalty not in ("l1", "l2")):
        raise ValueError("--cv chooses C for --penalty l2 or l1: leave --C out")
    if options.cv is None and options.C is not None and options.penalty not in ("l1", "l2"):
        raise ValueError("--C is for --penalty l2 or l1")
    reading = ("drop", "drop_missing", "one_hot", "encoding", "decimal")
    X, y, names = read_table(options.file, options.target, **{name: getattr(options, name) for name in reading})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        started = time.perf_counter()
        model = make_model(options).fit(X, y)
        seconds = time.perf_counter() - started
        names = names or model._names()
        table = inference_table(model, X, y, names) if options.inference else "\n".join(coefficient_lines(model, names))
    for warning in caught:
        print(f"Warning: {' '.join(str(warning.message).split())}", file=sys.stderr)
    print(f"{options.file}: {X.shape[0]} samples, {X.shape[1]} features, classes {listed(model.classes_)}")
    print(f"\n{table}\n")
    print_scores(model, X, y, seconds)
    if options.model:
        Path(options.model).write_text(model.to_json(), encoding="utf-8")
        print(f"Model written to {options.model}")
    if options.predictions:
        write_predictions(model, X, options.predictions)
        print(f"Predictions written to {options.predictions}")


def make_model(options):
    """What the command line asks for, not fitted."""
    l1_ratio = float(options.penalty == "l1")
    if options.cv is not None:
        asked = {"l1_ratios": (l1_ratio,), "scoring": "accuracy", "use_legacy_attributes": False}
        return LogisticRegressionCV(cv=options.cv, **asked)
    if options.penalty == "firth":
        return LogisticRegression(penalty="firth")
    C = np.inf if options.penalty == "none" else 1.0 if options.C is None else options.C
    return LogisticRegression(C=C, l1_ratio=l1_ratio)


def inference_table(model, X, y, names):
    """A table of errors, tests and intervals."""
    result = inference(model, X, y)
    result.names[-len(names) :] = names
    return str(result.summary())


def coefficient_lines(model, names):
    """A table: the intercept, then the coefficients that are largest in absolute value."""
    largest = np.argsort(-np.abs(model.coef_).max(axis=0), kind="stable")[:_SHOWN]
    width = max(len("intercept"), *(len(names[j]) for j in largest))
    two = len(model.classes_) == 2
    heads = [f"log odds of {model.classes_[1]}"] if two else [f"class {label}" for label in model.classes_]
    widths = [max(12, len(head)) for head in heads]

    def line(name, values):
        return f"{name:<{width}}  " + "  ".join(f"{v:>{w}}" for v, w in zip(values, widths, strict=True))

    yield line("", heads)
    yield line("intercept", [f"{value:.5g}" for value in model.intercept_])
    for j in largest:
        yield line(names[j], [f"{value:.5g}" for value in model.coef_[:, j]])
    n_left, n_zero = len(names) - len(largest), int((~model.coef_.any(axis=0)).sum())
    if n_left:
        yield f"and {n_left} features with smaller coefficients"
    if n_zero:
        yield f"{n_zero} of {len(names)} features have no coefficient but 0"


def print_scores(model, X, y, seconds):
    """Accuracy beside that of the commonest class, and the certificate."""
    commonest = np.unique(y, return_counts=True)[1].max() / len(y)
    beside = f"the commonest class alone has {100 * commonest:.2f} %"
    if isinstance(model, LogisticRegressionCV):
        held_out = model.scores_.mean(axis=0).max()
        print(f"C={model.C_:g}, chosen by {len(model.scores_)} folds: {100 * held_out:.2f} % of what was held out")
    right = np.mean(model.predict(X) == y)
    print(f"Accuracy: {100 * right:.2f} % of the samples it was fitted to; {beside}")
    if np.isfinite(model.gap_):
        print(f"The objective is within {model.gap_:.1e} of the optimum, relatively", end="; ")
    else:
        print("No certificate", end="; ")
    print(f"fitted in {seconds:.2g} s")


def write_predictions(model, X, path):
    """A line for each row that was fitted to: its number in the file, its label, the probabilities of all classes."""
    rows = getattr(X, "index", range(X.shape[0]))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "prediction", *(f"probability of {label}" for label in model.classes_)])
        for row, label, values in zip(rows, model.predict(X), model.predict_proba(X).tolist(), strict=True):
            writer.writerow([row, label, *values])
