"""Every solver against the optimum that NumPy finds: where it ends, what it certifies on the way, and what it keeps."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import csr_passes, dense_passes, logistic_objective, strength
from scipy import sparse
from scipy.special import expit
from test_objective import exact_derivatives, exact_minimum, labelled, objective_of, rounding

from fastlr import LogisticRegression
from fastlr._validation import check_features, check_sparse_features
from fastlr.matrices.scales import standardisation
from fastlr.objectives.newton_bound import NewtonBound
from fastlr.runtime.team import Team
from fastlr.solvers import SMOOTH, SOLVERS, choose, plan

STEPS = {"preconditioned_lbfgs": 10}  # that count as one of Newton's

solvers = pytest.mark.parametrize("name", sorted(SMOOTH))
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])

SCALES = np.logspace(-8, 8, 17)


def solve(name, objective, start=None, *, tol=1e-6, max_iter=100, callback=None):
    return objective.solved(SOLVERS[name], start, tol=tol, max_iter=max_iter, callback=callback)


def check_certificate(result, objective, X, y, weight, minimum):
    """Each gap of the history, and the last one, bounds how far the objective is above its minimum.

    Values are allowed their rounding: for float32 features that of raw predictions in float32.
    """
    minimum = float(minimum)
    error = rounding(X, result.coef) * (1e3 if X.dtype == np.float64 else 1e9)
    for record in result.history:
        assert (record["value"] - minimum) / minimum <= record["gap"] + error / minimum
    value, _, _ = exact_derivatives(X.astype(np.float64), y, weight, objective.l2, result.coef, objective.fit_intercept)
    assert result.value == pytest.approx(float(value), abs=error)
    error = 1e-14 if X.dtype == np.float64 else error
    assert (float(value) - minimum) / minimum <= result.gap + error / minimum


def distance_bound(X, y, weight, l2, optimum, fit_intercept, gap):
    """How far from the optimum coefficients of this relative gap can be, the Hessian being what it is there."""
    value, _, hessian = exact_derivatives(X, y, weight, l2, optimum, fit_intercept)
    smallest = np.linalg.eigvalsh(hessian.astype(float))[0]
    return 1.5 * np.sqrt(2 * gap * float(value) / smallest)


def zipf_one_hot(n_samples, n_categories, n_numbers, seed=0):
    """A standardised table of one-hot columns, some of them rare or constant, and numbers; labels 0 and 1."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n_categories, 0.2))
    X = np.column_stack(
        [np.eye(n_categories)[rng.choice(n_categories, n_samples, p=shares)], rng.normal(size=(n_samples, n_numbers))]
    )
    deviation = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    y = (rng.random(n_samples) < expit(X @ rng.normal(size=X.shape[1]))).astype(np.float64)
    return X, y


# ------------------------------------------------------------------------------------------------------- the optimum


@solvers
@pytest.mark.parametrize("shape", [(80, 6), (300, 25), (25, 60), (30, 30)], ids=str)
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("use_weight", [False, True])
@intercepts
def test_all_solvers_reach_the_optimum_and_certify_it(name, shape, C, use_weight, fit_intercept):
    X, y, weight = labelled(*shape)
    weight = weight if use_weight else None
    l2 = strength(C, len(y) if weight is None else weight.sum())
    optimum, minimum = exact_minimum(X, y, weight, l2, fit_intercept)
    objective = objective_of(X, y, weight, l2=l2, fit_intercept=fit_intercept)
    result = solve(name, objective, tol=1e-11)
    assert result.converged
    assert result.gap <= 1e-11
    check_certificate(result, objective, X, y, weight, minimum)
    assert np.linalg.norm(result.coef - optimum) <= distance_bound(X, y, weight, l2, optimum, fit_intercept, 1e-11)
    if not fit_intercept:
        assert result.coef[-1] == 0.0


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("use_weight", [False, True])
@intercepts
def test_without_a_penalty_the_optimum_is_reached_and_certified(name, seed, use_weight, fit_intercept):
    X, y, weight = labelled(200, 6, seed)
    weight = weight if use_weight else None
    optimum, minimum = exact_minimum(X, y, weight, 0.0, fit_intercept)
    objective = objective_of(X, y, weight, fit_intercept=fit_intercept)
    result = solve(name, objective)
    assert result.converged
    assert result.n_iter <= 30
    check_certificate(result, objective, X, y, weight, minimum)
    assert np.linalg.norm(result.coef - optimum) <= distance_bound(X, y, weight, 0.0, optimum, fit_intercept, 1e-6)


@solvers
@pytest.mark.parametrize("shape", [(200, 6), (25, 60)], ids=str)
@pytest.mark.parametrize("C", [0.01, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(3))
@intercepts
def test_float32_features_reach_the_default_tolerance(name, shape, C, seed, fit_intercept):
    # scikit-learn #8769
    if name == "gram_newton" and shape[0] > shape[1]:
        pytest.skip("a float32 Gram matrix of more samples than features is singular to rounding")
    X, y, _ = labelled(*shape, seed)
    X = X.astype(np.float32)
    l2 = strength(C, len(y))
    _, minimum = exact_minimum(X, y, None, l2, fit_intercept)
    objective = objective_of(X, y, l2=l2, fit_intercept=fit_intercept)
    result = solve(name, objective)
    assert result.converged
    check_certificate(result, objective, X, y, None, minimum)


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
@pytest.mark.parametrize("seed", range(6))
@intercepts
def test_float32_features_reach_the_default_tolerance_without_a_penalty(name, seed, fit_intercept):
    X, y, _ = labelled(200, 6, seed)
    X = X.astype(np.float32)
    _, minimum = exact_minimum(X, y, None, 0.0, fit_intercept)
    objective = objective_of(X, y, fit_intercept=fit_intercept)
    result = solve(name, objective)
    # Products in float32 cannot tell whether conjugate gradients are done: the estimator goes on in float64.
    assert result.converged == (name == "newton_cholesky")
    assert result.n_iter <= 30
    check_certificate(result, objective, X, y, None, minimum)
    assert result.value == pytest.approx(float(minimum), rel=1e-5)


# ----------------------------------------------------------------------------------------------------- hard problems


def hard_problem(kind, n_samples=240):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(n_samples, 17))
    y = (rng.random(n_samples) < expit(X @ rng.normal(size=17) / 2)).astype(np.float64)
    if kind == "scales":
        X = X * SCALES
    elif kind == "collinear":
        X[:, 1] = X[:, 0]
        X[:, 2] = X[:, 3] + X[:, 4]
    elif kind == "nearly collinear":
        X[:, 1] = X[:, 0] + 1e-6 * X[:, 1]
    elif kind == "constant":
        X[:, 0], X[:, 1] = 3.0, 0.0
    elif kind == "shifted":
        X = X + 1e3 * rng.normal(size=17)
    elif kind == "one-hot":
        X, y = zipf_one_hot(n_samples, 30, 3)
    return X, y


HARD = ["scales", "collinear", "nearly collinear", "constant", "shifted", "one-hot"]


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("C", [1e-2, 1.0, 1e4, np.inf])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_hard_problems_reach_a_certified_optimum(name, kind, C, dtype):
    # scikit-learn #15556, #23314
    X, y = hard_problem(kind)
    X = X.astype(dtype)
    l2 = strength(C, len(y))
    _, minimum = exact_minimum(X, y, None, l2)
    objective = objective_of(X, y, l2=l2)
    result = solve(name, objective)
    # Whether float32 products are exact enough for these depends on the processor's order of summation.
    beyond_float32 = dtype == "float32" and (kind in ("shifted", "scales") or l2 == 0.0)
    if beyond_float32:
        assert result.n_iter <= 60  # it notices, and does not go on for ever
    else:
        assert result.converged
    assert np.isfinite(result.coef).all()
    check_certificate(result, objective, X, y, None, minimum)


@pytest.mark.parametrize("C", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("kind", ["duplicates", "constant", "one-hot"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_hard_wide_problems_reach_a_certified_optimum_with_the_chosen_solver(kind, C, dtype):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(30, 85))
    y = np.arange(30) % 2 + 0.0
    if kind == "duplicates":  # of both classes
        X[15:] = X[:15]
    elif kind == "constant":
        X[:, :40] = 2.0
    else:
        X = np.eye(85)[rng.integers(85, size=30)]
    X = X.astype(dtype)
    l2 = strength(C, len(y))
    _, minimum = exact_minimum(X, y, None, l2)
    objective = objective_of(X, y, l2=l2)
    result = solve(choose(30, 85, l2), objective)
    assert result.converged
    check_certificate(result, objective, X, y, None, minimum)


def test_pixels_with_a_duplicate_of_the_other_class_reach_the_optimum():
    rng = np.random.default_rng(10)
    X = rng.integers(0, 256, (120, 700), dtype=np.uint8)
    X[3] = X[4]
    y = np.arange(120) % 2 + 0.0
    objective = logistic_objective(dense_passes(check_features(X), y, np.empty(0), dtype=np.float64), l2=1 / 120)
    # Long steps overshoot in what the duplicates have in common: were their rounding to stay, 1e-8 would be the end.
    result = solve("gram_newton", objective, tol=1e-10)
    assert result.converged
    value, gradient, _ = exact_derivatives(X, y, None, 1 / 120, result.coef, dtype=np.float64)
    assert np.sum(gradient**2) * 120 / 2 <= 1e-5 * value


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
@pytest.mark.parametrize(("dtype", "factor"), [("float32", 1e20), ("float32", 1e30), ("float64", 1e160)])
def test_what_overflows_is_never_certified_wrongly(name, dtype, factor):
    # scikit-learn #31888
    X, y, _ = labelled(60, 3)
    small = X.copy()
    X[:, 0] *= factor
    objective = objective_of(X.astype(dtype), y, l2=1 / 60)
    with np.errstate(all="ignore"):
        result = solve(name, objective)
    # As good as no penalty on the first column; with it, f can only be larger.
    free, _ = exact_minimum(small, y, None, 1 / 60)
    coef = np.append(result.coef[0] * factor, result.coef[1:])
    assert np.isfinite(coef).all()
    assert np.isfinite(result.value)

    def value(coef):
        unpenalised = np.append(0.0, coef[1:])
        f, _, _ = exact_derivatives(small, y, None, 0.0, coef)
        return float(f) + unpenalised[:-1] @ unpenalised[:-1] / 120

    if result.gap < np.inf:
        assert value(coef) <= value(free.astype(float)) * (1 + result.gap + 1e-6)


@pytest.mark.parametrize("C", [1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(2))
def test_categories_that_the_subsample_lacks_do_not_stop_the_solver(C, dtype, seed):
    X, y = zipf_one_hot(15_000, 90, 10, seed)
    l2 = strength(C, len(y))
    X = X.astype(dtype)
    _, minimum = exact_minimum(X, y, None, l2, dtype=np.float64)
    result = solve("newton_cholesky", objective_of(X, y, l2=l2))
    if dtype == "float32" and C == 1e3:
        assert result.n_iter <= 60  # as above: the estimator goes on in float64
    else:
        assert result.converged
    value, _, _ = exact_derivatives(X.astype(np.float64), y, None, l2, result.coef, dtype=np.float64)
    assert value <= minimum * (1 + result.gap + 1e-9)


# ------------------------------------------------------------------------------------------------------------ starts


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("use_weight", [False, True])
@pytest.mark.parametrize("l2", [0.0, 1e-4])
def test_a_large_problem_starts_from_a_subsample_and_ends_at_the_optimum(order, use_weight, l2):
    X, y, weight = labelled(50_000, 24)
    weight = weight if use_weight else None
    objective = objective_of(np.asarray(X, order=order), y, weight, l2=l2)
    result = solve("newton_cholesky", objective, tol=1e-8)
    assert result.converged
    optimum, minimum = exact_minimum(X, y, weight, l2, dtype=np.float64)
    assert result.history[0]["value"] < 1.02 * minimum
    value, _, _ = exact_derivatives(X, y, weight, l2, result.coef, dtype=np.float64)
    assert value <= minimum * (1 + result.gap + 1e-13)
    np.testing.assert_allclose(result.coef, optimum, atol=1e-3)


def test_a_subsample_of_a_subsample_leads_to_the_optimum():
    rng = np.random.default_rng(11)
    X = rng.integers(0, 256, (600_000, 28), dtype=np.uint8)
    raw = (X @ rng.normal(size=28).astype(np.float32) - 100.0) / 200.0
    y = (rng.random(len(X)) < expit(raw)).astype(np.float64)
    objective = logistic_objective(dense_passes(check_features(X), y, np.empty(0)), l2=1e-6)
    result = solve("newton_cholesky", objective)
    assert result.converged
    chosen = rng.choice(len(X), 20_000, replace=False)  # enough to see a wrong answer
    _, minimum = exact_minimum(X[chosen], y[chosen], None, 1e-6, dtype=np.float64)
    value, _, _ = exact_derivatives(X[chosen], y[chosen], None, 1e-6, result.coef, dtype=np.float64)
    assert value <= minimum + 3 * 29 / (2 * 20_000)


def test_a_subsample_of_one_class_does_no_harm():
    rng = np.random.default_rng(12)
    X = rng.normal(size=(60_000, 20))
    y = np.zeros(len(X))
    y[rng.choice(len(X), 12, replace=False)] = 1.0
    objective = objective_of(X, y, l2=1e-3)
    result = solve("newton_cholesky", objective)
    assert result.converged
    _, minimum = exact_minimum(X, y, None, 1e-3, dtype=np.float64)
    value, _, _ = exact_derivatives(X, y, None, 1e-3, result.coef, dtype=np.float64)
    assert value <= minimum * (1 + result.gap + 1e-12)


@solvers
@pytest.mark.parametrize("shape", [(300, 25), (25, 60)], ids=str)
@intercepts
def test_a_start_at_the_optimum_needs_hardly_a_step(name, shape, fit_intercept):
    X, y, weight = labelled(*shape)
    optimum, _ = exact_minimum(X, y, weight, 0.01, fit_intercept)
    start = optimum.astype(float)
    kept = start.copy()
    result = solve(name, objective_of(X, y, weight, l2=0.01, fit_intercept=fit_intercept), start, tol=1e-10)
    assert result.converged
    assert result.n_iter <= 1
    np.testing.assert_array_equal(start, kept)
    moved = start + 0.3 * np.append(np.ones(shape[1]), fit_intercept)
    far = solve(name, objective_of(X, y, weight, l2=0.01, fit_intercept=fit_intercept), moved, tol=1e-10)
    assert far.converged
    np.testing.assert_allclose(far.coef[:-1], kept[:-1], atol=1e-4)


@solvers
def test_a_start_of_the_wrong_sign_and_size_is_overcome(name):
    X, y, _ = labelled(200, 6)
    optimum, minimum = exact_minimum(X, y, None, 0.01)
    for factor in (-1.0, -30.0, 1e3):
        start = factor * optimum.astype(float)
        result = solve(name, objective_of(X, y, l2=0.01), start, tol=1e-9)
        assert result.converged
        assert result.value == pytest.approx(float(minimum), rel=1e-8)


# ---------------------------------------------------------------------------------------------------------- contract


@solvers
@pytest.mark.parametrize("max_iter", [0, 1, 2])
def test_no_more_steps_than_allowed(name, max_iter):
    X, y, _ = labelled(120, 6)
    result = solve(name, objective_of(X, y, l2=1e-3), tol=1e-300, max_iter=max_iter)
    assert result.n_iter == max_iter
    assert len(result.history) == STEPS.get(name, 1) * max_iter + 1
    assert not result.converged


@solvers
def test_the_callback_sees_the_history_as_it_grows(name):
    X, y, _ = labelled(120, 6)
    records = []
    objective = objective_of(X, y, l2=1e-3)
    result = solve(name, objective, callback=records.append)
    assert records == result.history
    n_steps = records[-1]["iteration"]
    assert [record["iteration"] for record in records] == list(range(n_steps + 1))
    assert result.n_iter == -(-n_steps // STEPS.get(name, 1))
    assert set(records[0]) == {"iteration", "value", "gradient_norm", "gap", "n_passes"}
    values = [record["value"] for record in records]
    assert all(after <= before * (1 + 1e-13) for before, after in pairwise(values))
    passes = [record["n_passes"] for record in records]
    assert passes == sorted(passes)
    assert passes[-1] <= objective.design.n_passes
    assert records[-1]["gradient_norm"] < records[0]["gradient_norm"]
    assert result.converged == (result.gap <= 1e-6)


@solvers
@pytest.mark.parametrize("shape", [(4000, 80), (150, 2500)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_number_of_threads_gives_the_same_bits(name, shape, dtype, order):
    if name == "gram_newton" and shape[0] > shape[1]:
        pytest.skip("its matrix would be large")
    # scikit-learn #24615, #18790
    X, y, _ = labelled(*shape)
    X = np.asarray((40 * X).clip(-100, 100) + 100 if dtype == "uint8" else X, dtype=dtype, order=order)
    results = []
    for n_threads in (1, 2, 3, 7):
        with Team(n_threads) as team:
            design = dense_passes(check_features(X), y, np.empty(0), team=team)
            scale = 1e-2 if dtype == "uint8" else 1.0
            result = solve(name, logistic_objective(design, l2=0.01 / scale), max_iter=6)
        results.append((result.coef.tobytes(), result.value, result.gap, result.n_iter, str(result.history)))
    assert len(set(results)) == 1


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
def test_the_same_bits_wherever_arrays_are_allocated(name):
    # A loop that sums and writes may take another order for arrays that lie close together.
    X, y, _ = labelled(4_000, 80)
    rng = np.random.default_rng(13)
    results, junk = set(), []
    for _ in range(25):
        result = solve(name, objective_of(X, y, l2=0.01))
        results.add((result.coef.tobytes(), str(result.history)))
        junk.append(np.empty(rng.integers(1, 4_000)))
        if len(junk) > 10:
            del junk[rng.integers(10)]
    assert len(results) == 1


@pytest.mark.parametrize(
    ("n_samples", "n_features", "l2", "name"),
    [
        (10, 10, 0.1, "gram_newton"),
        (11, 10, 0.1, "newton_cholesky"),
        (10, 11, 0.1, "gram_newton"),
        (10, 11, 0.0, "newton_cholesky"),
        (900, 900, 0.1, "gram_newton"),
        (3_000, 3_000, 0.1, "preconditioned_lbfgs"),
        (2_000, 30_000, 0.1, "gram_newton"),
        (3_001, 50_000, 0.1, "preconditioned_lbfgs"),
        (3_001, 3_000, 0.1, "preconditioned_lbfgs"),
        (8_000, 2_500, 0.1, "preconditioned_lbfgs"),
        (8_000, 2_500, 0.0, "newton_cg"),
        (8_000, 900, 0.1, "newton_cholesky"),
        (3_000, 3_001, 0.0, "newton_cg"),
        (10**7, 3_000, 0.0, "newton_cholesky"),
        (10**7, 3_001, 1.0, "preconditioned_lbfgs"),
        (1, 1, 0.1, "gram_newton"),
    ],
)
def test_one_rule_chooses_the_solver_of_dense_X_from_shape_and_penalty(n_samples, n_features, l2, name):
    assert choose(n_samples, n_features, l2) == name
    assert name in SOLVERS


@pytest.mark.parametrize(
    ("n_features", "l2", "names"),
    [
        (350, 0.1, ["newton_cholesky"]),
        (351, 0.1, ["preconditioned_lbfgs", "newton_cholesky"]),
        (500, 0.0, ["newton_cholesky"]),
        (501, 0.1, ["preconditioned_lbfgs", "newton_cg"]),
        (501, 0.0, ["newton_cg"]),
    ],
)
def test_one_rule_chooses_the_solvers_of_sparse_X(n_features, l2, names):
    assert [name for name, _ in plan(10_000, n_features, l2, is_sparse=True)] == names


def test_a_start_from_which_no_step_leads_is_dropped():
    # Categories that the subsample lacks: without a penalty its optimum saturates the samples that have them.
    X, y = zipf_one_hot(30_000, 90, 14)
    penalised = solve("newton_cholesky", objective_of(X, y, l2=strength(1e3, len(y))))
    assert solve("newton_cholesky", objective_of(X, y)).value <= penalised.value * (1 + 1e-9)


# ------------------------------------------------------------------------------------------------- without a penalty


def collinear_problem(difference, kind, seed):
    """Columns that agree to about `difference` of their length, and columns of the same span, far from collinear.

    What sets the columns apart decides the labels, and X as it is stored is what the second are made from.
    """
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(300, 8))
    X = base.copy()
    if kind == "pair":
        X[:, 1] = X[:, 0] + difference * base[:, 1]
    else:
        X[:, 1:] = X[:, [0]] + difference * base[:, 1:]
    y = (rng.random(300) < expit(base @ rng.normal(size=8) / 2 + 1.5 * base[:, 1])).astype(np.float64)
    span = X.copy()
    last = 2 if kind == "pair" else 8
    span[:, 1:last] = (X[:, 1:last] - X[:, [0]]) / (difference or 1.0)
    return X, y, span


@pytest.mark.parametrize("name", ["newton_cholesky", "newton_cg"])
@pytest.mark.parametrize("kind", ["pair", "all"])
@pytest.mark.parametrize("difference", [0.1, 1e-3, 1e-5, 1e-7, 1e-8, 1e-9, 1e-10, 0.0])
@pytest.mark.parametrize("seed", range(2))
def test_without_a_penalty_nothing_is_certified_that_nearly_collinear_columns_hide(name, kind, difference, seed):
    X, y, span = collinear_problem(difference, kind, seed)
    _, minimum = exact_minimum(span, y)
    result = solve(name, objective_of(X, y))
    value, _, _ = exact_derivatives(X, y, None, 0.0, result.coef)
    if result.converged:
        assert float(value - minimum) <= 1e-6 * float(minimum)
    if difference == 0.0 or difference >= 1e-5:
        assert result.converged


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("tol", [1e-6, 1e-10])
def test_without_a_penalty_conjugate_gradients_certify_hard_problems(kind, tol):
    X, y = hard_problem(kind)
    _, minimum = exact_minimum(X, y)
    objective = objective_of(X, y)
    result = solve("newton_cg", objective, tol=tol)
    assert result.converged
    assert result.gap <= tol
    check_certificate(result, objective, X, y, None, minimum)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("use_weight", [False, True])
@intercepts
def test_the_bound_of_an_exact_newton_step_holds_along_the_whole_way(use_weight, fit_intercept, l2):
    X, y, weight = labelled(200, 6)
    weight = weight if use_weight else None
    _, minimum = exact_minimum(X, y, weight, l2, fit_intercept)
    objective = objective_of(X, y, weight, l2=l2, fit_intercept=fit_intercept)
    bound = NewtonBound(objective.inner)
    coef = np.zeros(7)
    for _ in range(6):
        value, gradient = objective.loss_gradient(coef)
        _, _, hessian = exact_derivatives(X, y, weight, l2, coef, fit_intercept, dtype=np.float64)
        step = objective.rows(-np.linalg.solve(hessian, gradient))
        gradient = objective.rows(gradient)
        gap = float(value - minimum)
        certified = bound(gradient, step)
        assert certified >= gap - 1e-15
        # Twice the gap, near the optimum; and what an inexact step leaves undone is not forgotten.
        if 1e-10 < gap < 1e-3:
            assert certified <= 2.2 * gap
        inexact = bound(gradient, 0.9 * step)
        assert inexact >= gap - 1e-15 if l2 else inexact > 1e3 * gap
        coef = coef + step[0]


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("C", [1.0, 1e4, 1e6])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_of_numbers_that_are_made_of_the_digits_of_others_leave_a_certificate(C, n_classes, l1_ratio):
    """What rounding leaves of the gradient of such a column, over the penalty, would be a large gap."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        school, form, pupil = (rng.integers(low, high, 2_400) for low, high in [(1, 260), (0, 4), (1, 30)])
        others = rng.normal(size=(2_400, 5))
        X = np.column_stack([school, 100 * school + form, 10_000 * school + 100 * form + pupil, others])
        raw = np.column_stack([form, 2.0 * others[:, : n_classes - 1]]) + rng.gumbel(size=(2_400, n_classes))
        model = LogisticRegression(C=C, l1_ratio=l1_ratio).fit(X, raw.argmax(axis=1))
        assert model.gap_ <= model.tol


def test_the_bound_of_a_newton_step_says_nothing_where_squares_overflow_or_vanish():
    X, y, _ = labelled(80, 3)
    for factor in (1e160, 1e-170):
        scaled = X.copy()
        scaled[:, 1] *= factor
        objective = objective_of(scaled, y)
        with np.errstate(all="ignore"):
            _, gradient = objective.loss_gradient(np.zeros(4))
            certified = NewtonBound(objective.inner)(objective.rows(gradient), np.zeros((1, 4)))
        assert not certified < np.inf


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("use_weight", [False, True])
def test_columns_are_standardised_over_all_rows(form, use_weight):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(70_000, 5)) * [1.0, 1e-6, 1e4, 0.0, 1.0] + [0.0, 0.0, 0.0, 3.1, 0.0]
    X[:, 4] = np.arange(70_000) == 69_999  # beyond what a subsample sees
    weight = rng.exponential(size=70_000) if use_weight else np.empty(0)
    if form is sparse.csr_array:
        passes = csr_passes(check_sparse_features(form(X)), np.zeros(70_000), weight)
    else:
        passes = dense_passes(check_features(form(X)), np.zeros(70_000), weight)
    mean, variance = standardisation(passes.matrix, passes.loss, centred=True)
    weights = weight if use_weight else None
    expected = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(mean, expected, rtol=1e-9, atol=1e-9)
    spread = np.average((X - expected) ** 2, axis=0, weights=weights)
    spread[3] = 0.0
    np.testing.assert_allclose(variance, spread, rtol=1e-9, atol=0.0)
    mean, square = standardisation(passes.matrix, passes.loss, centred=False)
    assert not mean.any()
    np.testing.assert_allclose(square, np.average(X * X, axis=0, weights=weights), rtol=1e-9)
