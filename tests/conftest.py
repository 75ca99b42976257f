"""Problems that the tests share, the tolerances they are held to, and the profiles of hypothesis.

Expectations are formed in float64 by NumPy. A tolerance is a bound on rounding: `rtol` times the sum of the absolute
values of what was added up, carried through the loss by its largest derivatives.
"""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import fastlr
from fastlr._validation import check_features, check_sample_weight, check_targets
from fastlr.linalg.blas import single_threaded_blas
from fastlr.losses.logistic import LogisticLoss
from fastlr.losses.quadratic import Quadratic
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.dense import DenseMatrix
from fastlr.matrices.small import SmallMatrix
from fastlr.objectives.logistic import LogisticObjective
from fastlr.objectives.penalties import L2, penalty_of
from fastlr.runtime import team, threads
from fastlr.runtime.team import Rest, Team

REAL_DATA = os.environ.get("FASTLR_SIGN_DIGITS", "")  # an .npz with X and Y

DTYPES = ("float64", "float32", "uint8", "int8", "bool")
ORDERS = ("C", "F")
WEIGHTS = (None, "random")

_TOLERANCES = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 4e-6}

_relaxed = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "database": None}
settings.register_profile("default", derandomize=True, max_examples=40, **_relaxed)
settings.register_profile("nightly", max_examples=3_000, print_blob=True, **_relaxed)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture
def helpers_never_rest(monkeypatch):
    """Whatever else runs on this machine: fits that are to have threads have them."""
    monkeypatch.setattr(team._rest, "excess", np.inf)
    monkeypatch.setattr(team._rest, "until", -np.inf)


def threads_of_fits():
    """Identifiers of the threads that fits started and that have not ended."""
    found = []
    for ident, frame in sys._current_frames().items():
        while frame.f_back:
            frame = frame.f_back
        if frame.f_code.co_filename == threads.__file__:
            found.append(ident)
    return found


def wait_until(condition):
    """Wait for something that happens within a moment, or within a minute on a machine that is very busy."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Passes:
    """A matrix with its loss, asked with coefficients as a vector or in rows, and answering in kind."""

    def __init__(self, matrix, loss):
        self.matrix, self.loss = matrix, loss

    def __getattr__(self, name):
        return getattr(self.loss if hasattr(self.loss, name) else self.matrix, name)

    def loss_gradient(self, coef):
        value, gradient = self.matrix.sweep(self.loss, np.atleast_2d(coef))
        return value, gradient.reshape(np.shape(coef))

    def raw_prediction(self, coef):
        self.matrix.predict(self.loss, np.atleast_2d(coef))
        return self.loss.raw

    def hessian_product(self, direction):
        return self.matrix.product(self.loss, np.atleast_2d(direction)).reshape(np.shape(direction))

    def transposed_product(self, vector):
        return self.matrix.intercept_column(Quadratic(vector))

    def hessian(self):
        return self.matrix.sandwich(self.loss)

    def column_moments(self):
        return self.matrix.moments(self.loss)

    def intercept_hessian(self):
        return self.matrix.curvature_sum(self.loss)

    def separates(self, coef):
        return self.loss.separates(self.matrix.predictions(coef))

    def subsample(self, rows):
        return Passes(self.matrix.take(rows), self.loss.take(rows))


def dense_passes(X, y, weight, **parameters):
    return Passes(DenseMatrix(X, **parameters), LogisticLoss(y, weight))


def csr_passes(X, y, weight, **parameters):
    return Passes(CSRMatrix(X, **parameters), LogisticLoss(y, weight))


def small_passes(X, y, weight):
    return Passes(SmallMatrix(X), LogisticLoss(y, weight, compiled=False))


class Asked:
    """An objective, asked with coefficients as a vector or in rows, and answering in kind."""

    def __init__(self, objective):
        self.inner = objective
        self.design = Passes(objective.matrix, objective.loss)
        self.l2 = objective.penalty.strength

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def rows(self, vector):
        return np.reshape(vector, self.inner.shape)

    def loss_gradient(self, coef):
        value, gradient = self.inner.loss_gradient(self.rows(coef))
        return value, gradient.reshape(np.shape(coef))

    def hessian_product(self, direction):
        return self.inner.hessian_product(self.rows(direction)).reshape(np.shape(direction))

    def gap_bound(self, gradient, *hessian):
        return self.inner.gap_bound(self.rows(gradient), *hessian)

    def free_gap_bound(self, gradient):
        return self.inner.free_gap_bound(self.rows(gradient))

    def rough_gap(self, gradient):
        return self.inner.rough_gap(self.rows(gradient))

    def preconditioner(self, *floor):
        apply = self.inner.preconditioner(*floor)
        return lambda gradient: apply(self.rows(gradient)).reshape(np.shape(gradient))

    def separates(self, coef):
        return self.inner.separates(self.rows(coef))

    def overshoot(self, direction):
        return self.inner.overshoot(self.rows(direction))

    def subsample(self, rows):
        return Asked(self.inner.subsample(rows))

    def solved(self, solve, start=None, **options):
        """What a solver returns for it, its coefficients as a vector; with BLAS on one thread, as in a fit."""
        with single_threaded_blas():
            result = solve(self.inner, None if start is None else self.rows(start), **options)
        result.coef = result.coef.ravel()
        return result


def logistic_objective(passes, *, l2=0.0, fit_intercept=True):
    return Asked(LogisticObjective(passes.matrix, passes.loss, L2(l2), fit_intercept))


def strength(C, weight_sum):
    """Of the penalty on the mean loss that stands for C."""
    return penalty_of(C, 0.0, weight_sum).strength


@dataclass
class Problem:
    """X as a caller has it, targets, weights or None, coefficients [w, b], and the factor of all features."""

    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    coef: np.ndarray
    scale: float = 1.0
    rtol: float = field(init=False)

    def __post_init__(self):
        self.rtol = _TOLERANCES[np.dtype(np.float64 if self.X.dtype == np.float64 else np.float32)]

    def but(self, **changes):
        """The same problem with something else in it."""
        return replace(self, **changes)

    def design(self, n_threads=1, **options):
        """The passes over this problem; its helpers never rest, and leave by themselves."""
        return dense_passes(
            check_features(self.X),
            check_targets(self.y, len(self.X)),
            check_sample_weight(self.sample_weight, len(self.X)),
            scale=self.scale,
            team=Team(n_threads, **{"rest": Rest(np.inf), **options}),
        )

    @contextmanager
    def threaded(self, n_threads, **options):
        """The same, and the helpers are gone afterwards."""
        design = self.design(n_threads, **options)
        with design.team:
            yield design

    @property
    def effective(self):
        """scale * X in float64, what the expectations are formed from."""
        return self.X.astype(np.float64) * self.scale

    @property
    def with_ones(self):
        """[scale * X, 1] in float64."""
        return np.column_stack([self.effective, np.ones(len(self.X))])

    @property
    def weights(self):
        """Weights, ones where there are none."""
        return np.ones(len(self.X)) if self.sample_weight is None else self.sample_weight

    def margin_bound(self, coef=None):
        """Bound on the rounding of each raw prediction."""
        return self.rtol * (np.abs(self.with_ones) @ np.abs(self.coef if coef is None else coef)) + 1e-300

    def residual_bound(self):
        """Bound on the rounding of each weighted residual: the curvature is at most 1/4."""
        return self.weights * (np.minimum(1.0, self.margin_bound() / 4) + self.rtol)

    def loss_bound(self):
        """Bound on the rounding of the summed loss: its derivative is at most 1."""
        return float((self.weights * (self.margin_bound() * (1 + self.rtol) + self.rtol)).sum())

    def gradient_bound(self):
        """Bound on the rounding of the gradient."""
        return np.abs(self.with_ones).T @ self.residual_bound()

    def curvature_bound(self):
        """Bound on the rounding of each weighted curvature, whose derivative is at most 0.0963."""
        return self.weights * (np.minimum(0.25, self.margin_bound() / 10) + self.rtol / 4)


def random_features(rng, n_samples, n_features, dtype, order="C"):
    """Features over the whole range of a small dtype, or normal ones."""
    shape = (n_samples, n_features)
    if dtype == "bool":
        X = rng.random(shape) < 0.3
    elif dtype in ("uint8", "int8"):
        limits = np.iinfo(dtype)
        X = rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
    else:
        X = rng.normal(size=shape).astype(dtype)
    return np.asarray(X, order=order)


def random_weights(rng, n_samples):
    """Weights of very different size, a fifth of them zero, but not all."""
    weights = rng.exponential(size=n_samples) * (rng.random(n_samples) > 0.2)
    weights[rng.integers(n_samples)] = 1.5
    return weights


def random_targets(rng, n_samples):
    """Labels 0 and 1, and some probabilities between."""
    labels = rng.integers(0, 2, n_samples).astype(np.float64)
    return np.where(rng.random(n_samples) < 0.25, rng.random(n_samples), labels)


def make_problem(n_samples, n_features, dtype="float64", order="C", weights=None, scale=1.0, seed=0):
    """A random problem whose raw predictions are of order 3."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = random_features(rng, n_samples, n_features, dtype, order)
    spread = 3.0 / (np.sqrt(n_features) * scale * max(1.0, np.abs(X.astype(np.float64)).max() / 2))
    return Problem(
        X,
        random_targets(rng, n_samples),
        random_weights(rng, n_samples) if weights == "random" else None,
        np.append(rng.normal(size=n_features) * spread, 0.7),
        scale,
    )


def assert_within(actual, expected, bound):
    """|actual - expected| <= bound, element by element; NaN never is."""
    actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape
    excess = np.abs(actual - expected) - bound
    assert (excess <= 0).all(), f"off by {np.abs(actual - expected).max():.3e}, bound exceeded by {excess.max():.3e}"


@pytest.fixture(scope="session")
def sign_digits():
    """The study's split of the real images: x_train, x_test of shape (4096, n) in [0, 1], y_train, y_test (1, n)."""
    if not REAL_DATA:
        pytest.skip("needs the real images: FASTLR_SIGN_DIGITS names no file")
    from sklearn.model_selection import train_test_split

    with np.load(REAL_DATA) as archive:
        images = np.concatenate([archive["X"][204:409], archive["X"][822:1027]])
    labels = np.repeat([0, 1], 205)
    x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=0.15, random_state=42)

    def flat(x):
        return np.ascontiguousarray(x.reshape(len(x), -1).T)

    return flat(x_train), flat(x_test), y_train[None, :], y_test[None, :]


def run_python(code, *arguments, timeout=300, cwd=None, **environment):
    """What a new Python prints that runs `code`, with this package on its path."""
    root = str(Path(fastlr.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
