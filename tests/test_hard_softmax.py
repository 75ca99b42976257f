"""Many classes where curvature is unevenly spread: rare classes, columns of any scale, any C, next to separable."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate, linalg, sparse
from scipy.special import expit, log_softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.preprocessing import StandardScaler
from test_softmax import make_softmax_problem, softmax_objective

from fastlr import LogisticRegression, reference
from fastlr.fits.one import fit_path, quiet_team
from fastlr.fits.problem import Problem
from fastlr.linalg.blas import single_threaded_blas
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices import matrix_for
from fastlr.objectives.penalties import L2
from fastlr.objectives.softmax import SoftmaxObjective
from fastlr.solvers import SOLVERS, plan
from fastlr.solvers._newton import Newton
from fastlr.solvers._steps import evaluated, safeguarded_step
from fastlr.solvers.preconditioned_lbfgs import _Model


def geometric(n_samples, n_features, n_classes, *, spread=0.5, decades=4.0, seed=0):
    """Classes of geometric sizes, the last of one sample each, and columns scaled over so many decades."""
    rng = np.random.default_rng(seed)
    sizes = 0.7 ** np.arange(n_classes)
    y = rng.choice(n_classes, size=n_samples, p=sizes / sizes.sum())
    y[:n_classes] = np.arange(n_classes)
    X = spread * rng.normal(size=(n_classes, n_features))[y] + rng.normal(size=(n_samples, n_features))
    return X * 10.0 ** rng.uniform(-decades, decades, size=n_features), y


def single_precision(*shape, **kind):
    """The same, of numbers that are float32's."""
    X, y = geometric(*shape, **kind)
    return X.astype(np.float32).astype(np.float64), y


def objective_at(coef, X, y, C):
    """scikit-learn's objective over C and the number of samples, in plain NumPy."""
    losses = -log_softmax(X @ coef[:, :-1].T + coef[:, -1], axis=1)[np.arange(len(y)), y]
    return losses.mean() + (coef[:, :-1] ** 2).sum() / (2 * C * len(y))


@cache
@single_threaded_blas()
def plain_newton(shape, spread, decades, C):
    """The objective where 30 steps of a plain Newton's method get to: never below the minimum."""
    X, y = single_precision(*shape, spread=spread, decades=decades)
    n, n_classes, width = len(y), y.max() + 1, X.shape[1] + 1
    l2 = np.append(np.full(width - 1, 1 / (C * n)), 0.0)
    coef = np.zeros((n_classes, width))
    value = objective_at(coef, X, y, C)
    for _ in range(30):
        gradient = reference.softmax_loss_gradient(X, y, None, coef)[1] / n + l2 * coef
        hessian = reference.softmax_hessian(X, None, coef) / n + np.diag(np.tile(l2, n_classes))
        scale = 1 / np.sqrt(hessian.diagonal() + 1e-300)
        scaled = hessian * scale * scale[:, None] + 1e-12 * np.eye(coef.size)  # equal changes of all classes
        step = scale * np.linalg.solve(scaled, -scale * gradient.ravel())
        for length in 0.5 ** np.arange(30.0):
            trial = coef + length * step.reshape(coef.shape)
            if objective_at(trial, X, y, C) < value:
                coef, value = trial, objective_at(trial, X, y, C)
                break
        else:
            break
    return value


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, np.float32], ids=["dense", "sparse", "float32"])
@pytest.mark.parametrize(
    ("shape", "spread", "decades", "C"),
    [
        ((247, 10, 19), 0.5, 4.0, 1e4),
        ((300, 6, 8), 0.5, 0.0, 1e6),
        ((120, 5, 9), 0.5, 4.0, 1e-5),
        ((500, 3, 29), 0.7, 4.0, 1e4),
        ((200, 8, 5), 1.5, 2.0, 1e4),
        ((60, 40, 4), 0.5, 3.0, 10.0),
        ((4_583, 2, 22), 0.1, 2.0, 1e-4),
    ],
    ids=str,
)
def test_hard_tables_arrive_without_a_warning(form, shape, spread, decades, C):
    X, y = single_precision(*shape, spread=spread, decades=decades)
    model = LogisticRegression(C=C).fit(form(X), y)
    assert model.gap_ <= 1e-6
    assert model.objective_ <= plain_newton(shape, spread, decades, C) * (1 + 1e-6)


@pytest.mark.parametrize("C", [1.0, 1e4])
def test_standardised_tables_reach_scikit_learns_optimum(C):
    X, y = geometric(247, 10, 19)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression(C=C).fit(X, y)
    theirs = SklearnLogisticRegression(C=C, solver="newton-cholesky", tol=1e-10, max_iter=1_000).fit(X, y)
    expected = objective_at(np.column_stack([theirs.coef_, theirs.intercept_]), X, y, C)
    assert expected / (1 + 1e-9) <= model.objective_ <= expected * (1 + 1e-6)


def test_unscaled_columns_take_few_passes():
    X, y = geometric(3_000, 40, 6, spread=0.3)
    model = LogisticRegression(C=100.0).fit(X, y)
    assert model.solver_ == "preconditioned_lbfgs"
    assert model.n_passes_ <= 60


def test_columns_of_mostly_zeros_take_few_passes():
    rng = np.random.default_rng(0)
    n_samples, n_classes = 6_000, 24
    y = rng.integers(0, n_classes, n_samples)
    X = rng.normal(size=(n_classes, 80))[y] + 2.0 * rng.normal(size=(n_samples, 80))
    rare = np.zeros((n_samples, 80))
    for column in rare.T:  # a few rows, of which none may be in a subsample
        column[rng.choice(n_samples, 3, replace=False)] = 100.0
    model = LogisticRegression(C=1.0).fit(np.column_stack([X, rare]), y)
    assert model.gap_ <= 1e-6
    assert model.n_passes_ <= 200


def test_a_solver_that_does_not_gain_gives_way():
    X, y = geometric(247, 10, 19)
    model = LogisticRegression(C=1e4).fit(X, y)
    assert [name for name, _ in plan(*X.shape, True, n_classes=19)] == ["preconditioned_lbfgs", "newton_cholesky"]
    assert model.solver_ == "newton_cholesky"
    alone = LogisticRegression(C=1e4, solver="preconditioned_lbfgs").fit(X, y)
    assert alone.gap_ <= 1e-6
    assert alone.n_passes_ > model.n_passes_
    values = [record["value"] for record in model.history_]
    assert (np.diff(values) <= 1e-12).all()  # each goes on where the one before ended


@pytest.mark.parametrize(
    ("n_samples", "n_features", "n_classes", "names"),
    [
        (150, 4, 3, ["newton_cholesky"]),
        (1_797, 64, 10, ["preconditioned_lbfgs", "newton_cholesky"]),
        (10_000, 784, 10, ["preconditioned_lbfgs", "interior_point", "newton_cg"]),
        (200_000, 784, 10, ["preconditioned_lbfgs", "newton_cg"]),
        (10_000, 1_500, 10, ["preconditioned_lbfgs", "newton_cg"]),
        (8_000, 2_500, 2, ["preconditioned_lbfgs", "newton_cg", "newton_cholesky"]),
        (50_000, 400, 2, ["newton_cholesky"]),
        (300, 4_000, 2, ["gram_newton", "newton_cg"]),
        (100, 200, 2, ["gram_newton", "newton_cholesky"]),
        (2_000, 2_000, 2, ["preconditioned_lbfgs", "gram_newton", "newton_cholesky"]),
    ],
)
def test_plans_follow_from_what_passes_and_hessians_cost(n_samples, n_features, n_classes, names):
    assert [name for name, _ in plan(n_samples, n_features, True, n_classes=n_classes)] == names


@pytest.mark.parametrize("name", ["newton_cg", "preconditioned_lbfgs"])
def test_no_more_passes_than_allowed(name):
    X, y = geometric(247, 10, 19, decades=0.0)
    objective = softmax_objective(X, y, l2=1e-7)
    result = objective.solved(SOLVERS[name], tol=1e-12, max_iter=100, max_passes=20)
    assert not result.converged
    assert 20 <= result.history[-1]["n_passes"] <= 25  # the last step may have been shortened


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg", "preconditioned_lbfgs"])
def test_what_is_common_to_all_classes_of_a_start_is_no_hindrance(name):
    X, y = geometric(400, 6, 5, decades=0.0)
    objective = softmax_objective(X, y, l2=1e-6)
    start = np.tile(np.arange(7.0), 5)
    result = objective.solved(SOLVERS[name], start, tol=1e-8, max_iter=100)
    assert result.converged
    assert result.value <= objective.solved(SOLVERS[name], tol=1e-8, max_iter=100).value * (1 + 1e-8)


def test_hessians_have_the_same_bits_for_any_number_of_threads():
    problem = make_softmax_problem((9_000, 20, 5))
    results = []
    for n_threads in (1, 2, 3):
        design = problem.design(n_threads)
        results.append(design.matrix.class_sandwich(design.loss, problem.coef))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    expected = reference.softmax_hessian(problem.dense, None, problem.coef)
    np.testing.assert_allclose(results[0], expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("shape", [(60, 127, 3), (60, 128, 3)], ids=str)  # from where on pairs of classes are quicker
@pytest.mark.parametrize("weights", [None, "random"])
def test_hessians_of_long_rows_are_those_of_the_reference(shape, weights):
    problem = make_softmax_problem(shape, weights=weights)
    design = problem.design()
    hessian = design.matrix.class_sandwich(design.loss, problem.coef)
    expected = reference.softmax_hessian(problem.dense, problem.sample_weight, problem.coef)
    np.testing.assert_allclose(hessian, expected, rtol=1e-11, atol=1e-13 * np.abs(expected).max())
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("slope", [0.0, 1e-20])  # of both there is a way of its own
def test_the_hessian_keeps_the_digits_of_probabilities_near_one(slope):
    coef = np.array([[slope, 40.0], [0.0, 0.0], [0.0, 0.0]])
    problem = make_softmax_problem((6, 1, 3))
    design = problem.design()
    hessian = design.matrix.class_sandwich(design.loss, coef)
    # 1 - p = 2 exp(-40) of the first class, of which 1.0 - p would leave nothing.
    assert hessian[1, 1] == pytest.approx(6 * 2 * np.exp(-40.0), rel=1e-10)


@pytest.mark.parametrize("kind", ["float32-F", "csr-float64-int32"])
@pytest.mark.parametrize("weights", [None, "random"])
def test_hessians_of_samples_of_like_probabilities_are_those_of_the_reference(kind, weights):
    problem = make_softmax_problem((40, 5, 4), kind, weights)
    coef = problem.coef * ([0.0] * 5 + [1.0])
    design = problem.design()
    hessian = design.matrix.class_sandwich(design.loss, coef)
    expected = reference.softmax_hessian(problem.dense, problem.sample_weight, coef)
    np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-13 * np.abs(expected).max())
    np.testing.assert_array_equal(hessian, hessian.T)


def test_a_step_is_searched_for_where_the_objective_still_falls():
    def slope(length):  # falls up to 0.1, rises slowly from there
        return -1.0 + 1.4 * expit(2_000 * (length - 0.1))

    objective = SimpleNamespace(slopes=lambda coef, direction: slope)
    newton = SimpleNamespace(objective=objective, coef=None, gradient=np.array([[-1.0]]))
    length = Newton._search(newton, np.array([[1.0]]))
    assert integrate.quad(slope, 0.0, length, points=[0.1])[0] < 0.0


def test_a_step_that_fails_is_shortened_to_the_minimum_of_a_parabola():
    tried = []

    def loss_gradient(coef):
        tried.append(float(coef[0]))
        return float(coef @ coef), 2.0 * coef

    objective = SimpleNamespace(loss_gradient=loss_gradient, dtype=np.dtype(np.float64))
    asking = safeguarded_step(objective, np.array([1.0]), 1.0, np.array([2.0]), np.array([-8.0]))
    step, value, gradient = evaluated(asking, objective)
    assert tried == [-7.0, 0.0]
    assert (step[0], value, gradient[0]) == (-1.0, 0.0, 0.0)


def test_an_old_hessian_that_brings_nothing_any_more_is_formed_anew():
    X, y = geometric(600, 40, 6, spread=0.15)
    assert LogisticRegression(C=1e4, solver="newton_cholesky").fit(X, y).gap_ <= 1e-6


def test_a_path_over_rare_classes_arrives_for_every_C():
    X, y = geometric(300, 8, 12)
    problem = Problem(X, y, 12, np.empty(0), 1.0, True)
    with quiet_team(1) as team:
        path = fit_path(problem, np.logspace(-4, 6, 8), tol=1e-6, max_iter=100, start=None, dtype=np.float64, team=team)
        assert all(end.result.converged for end in path)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_factors_are_near_the_inverses_of_a_hessians_blocks(dtype, weighted):
    X, y = geometric(2_000, 12, 5, decades=0.0)
    X = (3.0 + X).astype(dtype)
    weight = np.random.default_rng(0).exponential(size=len(y)) if weighted else np.empty(0)
    coef = 0.4 * np.random.default_rng(1).normal(size=(5, 13))
    objective = SoftmaxObjective(matrix_for(X, 5), SoftmaxLoss(y, 5, weight), L2(0.01), True)
    objective.loss_gradient(coef)
    apply = objective._factored_blocks(0.1)
    hessian = reference.softmax_hessian(X, weight if weighted else None, coef) / objective.loss.weight_sum
    for k in range(5):
        block = hessian[13 * k : 13 * k + 13, 13 * k : 13 * k + 13] + np.diag([0.01] * 12 + [0.0])
        inverse = np.empty((13, 13))
        for j in range(13):
            gradient = np.zeros((5, 13))
            gradient[k, j] = 1.0
            inverse[:, j] = apply(gradient)[k]
        np.testing.assert_allclose(inverse, inverse.T, rtol=1e-4, atol=1e-5 * np.abs(inverse).max())
        values = linalg.eigvals(inverse @ block).real
        assert 0.5 < values.min()
        assert values.max() < 2.0


def test_rows_that_reach_far_count_in_class_factors_though_their_curvature_is_small():
    # Of a column that is zero but for a few rows, whose class is nearly certain, no other row knows anything.
    X, y = geometric(2_000, 12, 5, decades=0.0)
    X[:, 0] = X[:8] = 0.0
    X[:8, 0] = 50.0
    coef = np.random.default_rng(1).normal(size=(5, 13))
    coef[:, [0, -1]] = 0.0
    coef[0, 0] = np.log(0.97 / 0.0075) / 50.0  # probabilities of 0.97 and 0.0075
    objective = SoftmaxObjective(matrix_for(X, 5), SoftmaxLoss(y, 5, np.empty(0)), L2(1e-8), True)
    objective.loss_gradient(coef)
    gradient = np.zeros((5, 13))
    gradient[0, 0] = 1.0
    found = objective._factored_blocks(0.1)(gradient)[0, 0]
    block = reference.softmax_hessian(X, None, coef)[:13, :13] / len(y) + np.diag([1e-8] * 12 + [0.0])
    assert found == pytest.approx(np.linalg.inv(block)[0, 0], rel=0.2)


def test_digits_take_few_passes():
    X, y = load_digits(return_X_y=True)
    assert LogisticRegression(C=1.0, tol=1e-8).fit(X / 16.0, y).n_passes_ <= 24


@pytest.mark.parametrize(
    ("rough", "is_replaced"),
    [(1e-6, False), (1e-1, True), (1.0, True), (math.inf, True)],
    ids=["near", "far", "stuck", "unknown"],
)
def test_a_dearer_preconditioner_is_formed_where_more_steps_are_to_come_than_it_costs(rough, is_replaced):
    objective = SimpleNamespace(
        matrix=SimpleNamespace(column_entries=1e4),
        preconditioner=lambda floor: np.copy,
        preconditioner_cost=lambda floor: 60.0,
    )
    model = _Model(objective, 1.0, max(rough, 1.0))
    model.n_steps = 60  # as many as the next costs
    assert (model.renewed(0.9, rough, 1e-8) is not None) == is_replaced
