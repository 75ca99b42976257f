"""The interior point method for many classes: its equations and products, and raw columns whose end it finds."""

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.exceptions import ConvergenceWarning
from test_hard_softmax import geometric, objective_at
from test_softmax import classified, exact_softmax_minimum, softmax_objective

from fastlr import LogisticRegression
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices import strips
from fastlr.matrices.dense import DenseMatrix
from fastlr.objectives.penalties import L2
from fastlr.objectives.softmax import SoftmaxObjective
from fastlr.runtime.team import Rest, Team
from fastlr.solvers import SOLVERS, interior_point


def raw_pixels(n_samples=600, width=12, n_classes=5, seed=0):
    """Strokes of classes that overlap, in numbers of 0 to 255."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_samples)
    shapes = np.maximum(rng.normal(size=(n_classes, width * width)), 0.0)
    X = np.clip(90.0 * shapes[y] + 70.0 * rng.normal(size=(n_samples, width * width)) - 20.0, 0.0, 255.0)
    return X.astype(np.uint8), y


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_products_by_strips_are_those_of_numpy(monkeypatch, n_threads, dtype):
    monkeypatch.setattr(strips, "_STRIP_ENTRIES", 70)  # ten rows: eleven strips, two calls
    rng = np.random.default_rng(0)
    X = rng.integers(0, 100, (104, 7)).astype(dtype)
    matrix = DenseMatrix(X, dtype=np.float64, scale=0.5, team=Team(n_threads, rest=Rest(np.inf)))
    with_ones = np.column_stack([0.5 * X.astype(np.float64), np.ones(104)])
    coefs, amounts, shares = rng.normal(size=(3, 8)), rng.normal(size=(3, 104)), rng.random((3, 104))
    raw = coefs @ with_ones.T
    np.testing.assert_allclose(strips.raw_predictions(matrix, coefs), raw, rtol=1e-12)
    np.testing.assert_allclose(strips.gathered(matrix, amounts), amounts @ with_ones, rtol=1e-12)
    found = strips.curved(matrix, lambda change, rows: shares[:, rows] * change, coefs)
    np.testing.assert_allclose(found, (shares * raw) @ with_ones, rtol=1e-12)
    assert matrix.n_passes == 3


def test_central_points_solve_the_equations_of_a_sample():
    raw = np.random.default_rng(0).normal(size=(6, 50)) * np.logspace(-2, 4, 50)
    for complementarity in (1e-6, 1e-2, 10.0):
        dual, slack, level = interior_point._central(raw, complementarity)
        np.testing.assert_allclose(dual.sum(axis=0), 1.0, rtol=1e-12)
        np.testing.assert_allclose(dual * slack, complementarity, rtol=1e-6)
        np.testing.assert_allclose(slack, level + np.log(dual) - raw, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(interior_point._central(raw, 1e-12)[0], special.softmax(raw, axis=0), atol=1e-9)


def test_positive_numbers_stay_so_and_in_order():
    moved = interior_point._moved(np.ones(5), np.array([2.0, 0.0, -0.9, -1.8, -1e9]))
    np.testing.assert_allclose(moved, [3.0, 1.0, 0.1, 0.05, 9e-11])
    assert interior_point._moved(np.array([1e-200]), np.array([-1e200]))[0] > 0.0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [1e-4, 1.0])
def test_the_optimum_is_reached_and_certified(l2, use_weight, fit_intercept):
    X, classes, weight = classified(150, 5, 4)
    weight = weight if use_weight else None
    _, minimum = exact_softmax_minimum(X, classes, 4, weight, l2, fit_intercept)
    objective = softmax_objective(X, classes, weight, l2=l2, fit_intercept=fit_intercept)
    result = objective.solved(SOLVERS["interior_point"], tol=1e-10, max_iter=60)
    assert result.converged
    assert result.n_iter <= 30
    assert result.value == pytest.approx(float(minimum), rel=2e-10)
    assert fit_intercept or not result.coef.reshape(4, -1)[:, -1].any()


@pytest.mark.parametrize("C", [1.0, 1e4])
def test_raw_pixels_take_a_few_dozen_steps_whatever_the_penalty(C):
    X, y = raw_pixels()
    model = LogisticRegression(C=C, solver="interior_point").fit(X, y)
    assert model.gap_ <= 1e-6
    assert model.n_iter_[0] <= 40
    expected = LogisticRegression(C=C, solver="newton_cholesky", tol=1e-9, max_iter=1_000).fit(X, y)
    assert expected.gap_ <= 1e-9
    assert model.objective_ == pytest.approx(expected.objective_, rel=2e-6)


def test_the_bits_are_the_same_for_any_number_of_threads():
    X, y = raw_pixels()
    one, three = (LogisticRegression(solver="interior_point", n_jobs=n).fit(X, y).coef_ for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_small_integers_are_multiplied_in_float32_for_what_steers():
    X, classes = raw_pixels(300, 4, 3)
    objective = SoftmaxObjective(DenseMatrix(X, dtype=np.float64), SoftmaxLoss(classes, 3, np.empty(0)), L2(1e-3), True)
    curvatures = np.random.default_rng(0).random((300, 3))
    gradient = np.random.default_rng(1).normal(size=(3, 17))
    gradient -= gradient.mean(axis=0)
    with_ones = np.column_stack([X, np.ones(300)])
    blocks = [with_ones.T @ (curvatures[:, [k]] * with_ones) / 300 + np.diag([1e-3] * 16 + [0.0]) for k in range(3)]
    expected = np.array([np.linalg.solve(block, row) for block, row in zip(blocks, gradient, strict=True)])
    found = objective.class_factors(curvatures, 0.0)(gradient)
    np.testing.assert_allclose(found, expected - expected.mean(axis=0), rtol=0.0, atol=1e-2 * np.abs(expected).max())
    assert objective._sample(300).dtype == np.float32


def test_the_end_is_where_the_gradient_was_shortest(monkeypatch):
    monkeypatch.setattr(interior_point, "_MAX_STEPS", 2)
    X, y = raw_pixels()
    with pytest.warns(ConvergenceWarning, match="certified relative gap"):
        model = LogisticRegression(C=1e4, solver="interior_point", fit_intercept=False).fit(X, y)
    assert model.n_iter_[0] == 2
    best = min(model.history_, key=lambda record: record["gradient_norm"])
    assert best is not model.history_[-1]
    coef = np.pad(model.coef_, ((0, 0), (0, 1)))
    assert model.objective_ == best["value"] == pytest.approx(objective_at(coef, X, y, 1e4), rel=1e-9)


def test_the_penalty_falls_with_what_is_to_come():
    X, classes, _ = classified(150, 5, 4)
    objective = softmax_objective(X, classes, l2=1e-6).inner
    coef = np.random.default_rng(0).normal(size=objective.shape)
    iterate = interior_point._Iterate(objective, coef, 1.0)
    strengths = [iterate._on_the_way(amount).penalty.strength for amount in (1.0, 1e-2, 1e-9)]
    assert strengths[0] == pytest.approx(100.0 * strengths[1])
    assert strengths[1] > strengths[2] == 1e-6


@pytest.mark.parametrize(
    ("parameters", "form", "n_classes", "message"),
    [
        ({}, np.asarray, 2, "more than two classes"),
        ({"C": np.inf}, np.asarray, 3, "needs a penalty"),
        ({}, "sparse", 3, "needs dense X"),
        ({"l1_ratio": 1.0}, np.asarray, 3, "with l1_ratio=1"),
    ],
)
def test_what_it_is_not_for_is_refused(parameters, form, n_classes, message):
    X, y = geometric(60, 4, n_classes, decades=0.0)
    X = sparse.csr_array(X) if form == "sparse" else X
    with pytest.raises(ValueError, match=message):
        LogisticRegression(solver="interior_point", **parameters).fit(X, y)
