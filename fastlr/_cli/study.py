"""``python -m fastlr``: the whole study, from images to figures."""

import argparse
import json
import statistics
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from .. import __version__, functional, reference
from .._validation import check_features
from ..datasets import load_sign_digits
from ..losses.logistic import LogisticLoss
from ..matrices.dense import DenseMatrix
from ..runtime import machine
from ..runtime.team import Team, effective_n_threads
from ..solvers import gradient_descent
from .terminal import progress

_TIMED_RUNS = 7
_PAUSE = 0.2  # seconds: threads of BLAS that have nothing to do keep a core busy for half as long


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="fastlr",
        description="Logistic regression on images of hand signs: loads the images, splits them, trains by gradient "
        "descent on fused kernels, compares with a NumPy reference and with scikit-learn, and shows how fast it was.",
        epilog="Other commands: fastlr fit, fastlr info, fastlr warmup; each has a --help of its own.",
    )
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="real images: a folder with X.npy and Y.npy, an .npz with X and Y, or a folder with one folder of image "
        "files per digit (default: drawn images that come with the package)",
    )
    parser.add_argument(
        "--digits", type=int, nargs=2, default=(0, 1), metavar=("A", "B"), help="the two signs (default: 0 1)"
    )
    parser.add_argument("--iterations", type=int, default=150, metavar="N", help="gradient steps (default: 150)")
    parser.add_argument(
        "--learning-rate", type=float, default=0.01, metavar="RATE", help="length of a step (default: 0.01)"
    )
    parser.add_argument(
        "--method",
        choices=gradient_descent.METHODS,
        default="auto",
        help="how steps are computed; the iterates are the same (default: auto)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads (default: all that the process may use)")
    parser.add_argument("--plot", metavar="FILE", help="write a figure: images, cost curve, weights")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON")
    parser.add_argument("--version", action="version", version=f"fastlr {__version__}")
    return parser


def split(images, target):
    """The study's split: (n_features, n_samples) uint8 pixels and (1, n_samples) labels, to train and to test on."""
    pixels = images.reshape(len(images), -1)
    x_train, x_test, y_train, y_test = train_test_split(pixels, target, test_size=0.15, random_state=42)
    to_columns = np.ascontiguousarray
    return to_columns(x_train.T), to_columns(x_test.T), y_train[None, :], y_test[None, :]


def train(x, y, options, *, method, n_threads, scale=1.0, report=None):
    """One run of gradient descent from the study's start; x of shape (n_features, n_samples)."""
    w, b = functional.initialize_weights_and_bias(len(x))
    X = check_features(x.T, "images")
    with Team(n_threads) as team:
        return gradient_descent.solve(
            DenseMatrix(X, scale=scale, team=team),
            LogisticLoss(y[0].astype(np.float64), np.empty(0)),
            np.append(w[:, 0], b),
            learning_rate=options.learning_rate,
            n_iterations=options.iterations,
            method=method,
            callback=report,
        )


def train_reference(x, y, options):
    """The same run in plain NumPy."""
    w, b = functional.initialize_weights_and_bias(len(x))
    return reference.gradient_descent(
        x.T, y[0].astype(x.dtype), None, np.append(w[:, 0], b), options.learning_rate, options.iterations
    )


def accuracy(coef, x, y):
    """Percent of the labels in y that the model gets right."""
    predicted = functional.predict(coef[:-1, None], coef[-1], x)
    return float(100.0 * np.mean(predicted == y))


def _time_each(runs, seconds):
    """Append the seconds of each run to those of its name."""
    for name, run in runs.items():
        started = time.perf_counter()
        run()
        seconds[name].append(time.perf_counter() - started)


def measure(pixels, y, options, n_threads):
    """Median seconds of whole training runs, by name; both sides with the same number of threads."""
    doubles = pixels / 255.0
    singles = doubles.astype(np.float32)
    by_numpy = {
        "NumPy reference, float64": lambda: train_reference(doubles, y, options),
        "NumPy reference, float32": lambda: train_reference(singles, y, options),
    }
    by_kernels = {
        "fused, float64": lambda: train(doubles, y, options, method="fused", n_threads=n_threads),
        "fused, float32": lambda: train(singles, y, options, method="fused", n_threads=n_threads),
        "fused, uint8": lambda: train(pixels, y, options, method="fused", n_threads=n_threads, scale=1 / 255),
        "gram, float64": lambda: train(doubles, y, options, method="gram", n_threads=n_threads),
    }
    seconds = {name: [] for name in by_numpy | by_kernels}
    with threadpool_limits(n_threads, user_api="blas"):
        for run in (by_numpy | by_kernels).values():
            run()  # compile, warm caches
        for _ in progress([None] * _TIMED_RUNS, "timing"):  # in turn, so that a slow moment of the machine meets all
            _time_each(by_numpy, seconds)
            time.sleep(_PAUSE)
            _time_each(by_kernels, seconds)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run_study(options):
    """All of it; prints as it goes and returns the results."""
    n_threads = effective_n_threads(options.threads)
    data = load_sign_digits(options.data, digits=tuple(options.digits))
    print(f"Data: {data.description}")
    x_train, x_test, y_train, y_test = split(data.images, data.target)
    doubles, doubles_test = x_train / 255.0, x_test / 255.0
    print(f"{x_train.shape[1]} images to train on, {x_test.shape[1]} to test on, {len(x_train)} pixels each")

    def report(iteration, cost):
        if iteration % 10 == 0:
            print(f"Cost after iteration {iteration}: {cost:f}")

    print(f"\nGradient descent, {options.iterations} iterations at {options.learning_rate:g}, {n_threads} threads,")
    print(f"on {machine.processor()}, kernels for {machine.instruction_set()}")
    result = train(doubles, y_train, options, method=options.method, n_threads=n_threads, report=report)
    scores = {"train": accuracy(result.coef, doubles, y_train), "test": accuracy(result.coef, doubles_test, y_test)}
    if len(result.costs):
        print(f"Cost after iteration {options.iterations - 1}: {result.costs[-1]:f} (method: {result.method})")
    print(f"Accuracy: {scores['train']:.3f} % of the training images, {scores['test']:.3f} % of the test images")

    coef, _, costs = train_reference(doubles, y_train, options)
    difference = {
        "cost": float(np.max(np.abs(result.costs - costs), initial=0.0)),
        "weights": float(np.max(np.abs(result.coef - coef)[:-1])),
        "bias": float(abs(result.coef[-1] - coef[-1])),
    }
    print("\nLargest difference from the NumPy reference")
    print("  " + ", ".join(f"{name} {value:.1e}" for name, value in difference.items()))

    other = LogisticRegression(random_state=42, max_iter=150).fit(doubles.T, y_train[0])
    sklearn_scores = {
        "train": 100.0 * other.score(doubles.T, y_train[0]),
        "test": 100.0 * other.score(doubles_test.T, y_test[0]),
    }
    print(
        f"scikit-learn's LogisticRegression: {sklearn_scores['train']:.3f} % train, {sklearn_scores['test']:.3f} % test"
    )

    seconds = measure(x_train, y_train, options, n_threads)
    print_times(seconds, options, n_threads)
    return {
        "data": data.description,
        "iterations": options.iterations,
        "learning_rate": options.learning_rate,
        "method": result.method,
        "threads": n_threads,
        "costs": result.costs.tolist(),
        "accuracy": scores,
        "difference_from_reference": difference,
        "sklearn_accuracy": sklearn_scores,
        "processor": machine.processor(),
        "instruction_set": machine.instruction_set(),
        "seconds": seconds,
    }, (data, result)


def print_times(seconds, options, n_threads):
    """The table of times, each beside the reference."""
    base_name = next(iter(seconds))
    print(
        f"\nTimes of {options.iterations} iterations, medians of {_TIMED_RUNS} runs, {n_threads} threads on both sides,"
    )
    print(f"on {machine.processor()}, kernels for {machine.instruction_set()}; ratios to the {base_name}")
    for name, value in seconds.items():
        print(f"  {name:<26}{value * 1e3:9.1f} ms   {seconds[base_name] / value:6.1f} times as fast")


def main(argv):
    """Run the study."""
    options = build_parser().parse_args(argv)
    results, (data, result) = run_study(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
        print(f"\nResults written to {options.json}")
    if options.plot:
        from ..plotting import plot_study

        plot_study(data, result.costs, result.coef, options.plot)
        print(f"\nFigure written to {options.plot}")
