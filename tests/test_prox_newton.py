"""The solver for penalties that bend at zero: optimality, certificates, exact zeros, and what must not matter."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import rel_entr, softmax

from fastlr import reference
from fastlr._validation import check_features, check_sparse_features
from fastlr.fits.problem import Problem
from fastlr.kernels.faces import solve_faces, space_for
from fastlr.linalg.lapack import DPOTRF
from fastlr.losses.logistic import LogisticLoss
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.dense import DenseMatrix
from fastlr.matrices.small import SmallMatrix
from fastlr.objectives.logistic import LogisticObjective
from fastlr.objectives.penalties import ElasticNet
from fastlr.runtime.team import Team
from fastlr.solvers import _l1_features, _l1_models, prox_newton

NONE = np.empty(0)
KINDS = {
    "small": lambda X, team: SmallMatrix(check_features(X)),
    "rows": lambda X, team: DenseMatrix(check_features(X), team=team),
    "columns": lambda X, team: DenseMatrix(check_features(np.asfortranarray(X)), team=team),
    "sparse": lambda X, team: CSRMatrix(check_sparse_features(sparse.csr_array(X)), team=team),
}
kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", [(200, 12), (90, 400), (60, 700)], ids=str)


def make(shape, *, seed=0):
    rng = np.random.default_rng([seed, *shape])
    X = rng.normal(size=shape) * (rng.random(shape) < 0.8)
    w = np.zeros(shape[1])
    w[:5] = 1.0, -1.0, 0.5, 2.0, -0.3
    return X, (X @ w + rng.logistic(size=shape[0]) > 0.2).astype(float), rng.exponential(size=shape[0])


def objective_of(X, y, weight, l1, l2, *, kind="small", fit_intercept=True, team=None):
    loss = LogisticLoss(y, weight, compiled=kind != "small")
    return LogisticObjective(KINDS[kind](X, team), loss, ElasticNet(l1, l2), fit_intercept)


def solve(objective, start=None, *, tol=1e-10, max_iter=100):
    with np.errstate(all="ignore"):
        return prox_newton.solve(objective, start, tol=tol, max_iter=max_iter)


def largest_l1(X, y, weight):
    """The penalty from which on all coefficients are zero."""
    weight = weight / weight.sum()
    return np.abs((weight * (y - weight @ y)) @ X).max()


ratios = pytest.mark.parametrize("ratio", [1.0, 0.5])
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


@shapes
@ratios
@intercepts
def test_the_optimum_is_that_of_proximal_gradients_and_certified(shape, ratio, fit_intercept):
    X, y, weight = make(shape)
    strength = 0.1 * largest_l1(X, y, weight)
    l1, l2 = ratio * strength, (1.0 - ratio) * strength
    objective = objective_of(X, y, weight, l1, l2, fit_intercept=fit_intercept)
    result = solve(objective, tol=1e-13)
    assert result.gap <= 1e-13
    expected = reference.proximal_gradient(X, y, weight, l1, l2, n_iterations=1_500, fit_intercept=fit_intercept)
    assert result.value <= objective.loss_gradient(expected[None])[0] * (1.0 + 1e-13)
    np.testing.assert_allclose(result.coef[0], expected, atol=1e-4)
    # Karush, Kuhn and Tucker's conditions, by NumPy.
    gradient = reference.loss_gradient(X, y, weight, result.coef[0])[1] / weight.sum()
    w = result.coef[0, :-1]
    slope, support = gradient[:-1] + l2 * w, w != 0.0
    np.testing.assert_allclose(slope[support], -l1 * np.sign(w[support]), atol=1e-6 * l1)
    assert np.abs(slope[~support]).max() <= l1 * (1.0 + 1e-6)
    assert abs(gradient[-1]) <= 1e-7 if fit_intercept else result.coef[0, -1] == 0.0
    if ratio == 1.0:
        assert support.sum() < min(shape)


@pytest.mark.parametrize("kind", ["rows", "columns", "sparse"])
@shapes
@ratios
@intercepts
def test_every_kind_of_X_leads_to_one_optimum(kind, shape, ratio, fit_intercept):
    X, y, weight = make(shape)
    strength = 0.05 * largest_l1(X, y, weight)
    arguments = X, y, weight, ratio * strength, (1.0 - ratio) * strength
    expected = solve(objective_of(*arguments, fit_intercept=fit_intercept), tol=1e-13)
    result = solve(objective_of(*arguments, kind=kind, fit_intercept=fit_intercept), tol=1e-13)
    assert result.gap <= 1e-13
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-6)
    np.testing.assert_array_equal(result.coef == 0.0, expected.coef == 0.0)


@shapes
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_gaps_bound_how_far_the_optimum_is_all_the_way(shape, ratio):
    X, y, weight = make(shape)
    strength = 0.02 * largest_l1(X, y, weight)
    objective = objective_of(X, y, weight, ratio * strength, (1.0 - ratio) * strength)
    best = solve(objective, tol=1e-14).value
    history = solve(objective, tol=1e-14).history
    assert len(history) > 3 and history[-1]["gap"] <= 1e-12
    for record in history:
        assert record["gap"] >= (record["value"] - best) / best * (1.0 - 1e-9) - 1e-14


@kinds
def test_at_the_largest_penalty_all_coefficients_are_zero_and_below_one_is_not(kind):
    X, y, weight = make((200, 12))
    largest = largest_l1(X, y, weight)
    above = solve(objective_of(X, y, weight, largest * (1.0 + 1e-9), 0.0, kind=kind))
    assert not above.coef[0, :-1].any() and above.gap <= 1e-10
    below = solve(objective_of(X, y, weight, largest * (1.0 - 1e-3), 0.0, kind=kind))
    assert np.count_nonzero(below.coef[0, :-1]) == 1


@shapes
def test_a_vanishing_l1_part_leaves_the_optimum_of_l2(shape):
    X, y, weight = make(shape)
    l2 = 0.01
    result = solve(objective_of(X, y, weight, 1e-13, l2), tol=1e-14)
    gradient = reference.loss_gradient(X, y, weight, result.coef[0])[1] / weight.sum()
    np.testing.assert_allclose(gradient[:-1], -l2 * result.coef[0, :-1], atol=1e-8)


def test_weights_are_copies():
    X, y, _ = make((200, 12))
    counts = np.arange(200) % 3
    once = solve(objective_of(X, y, counts.astype(float), 0.01, 0.0))
    copies = solve(objective_of(np.repeat(X, counts, axis=0), np.repeat(y, counts), NONE, 0.01, 0.0))
    np.testing.assert_allclose(once.coef, copies.coef, atol=1e-8)


@shapes
def test_features_may_come_in_any_order_repeat_and_vanish(shape):
    X, y, weight = make(shape)
    l1 = 0.1 * largest_l1(X, y, weight)
    expected = solve(objective_of(X, y, weight, l1, 0.0))
    order = np.random.default_rng(3).permutation(shape[1])
    permuted = solve(objective_of(X[:, order], y, weight, l1, 0.0))
    np.testing.assert_allclose(permuted.coef[0, :-1], expected.coef[0, order], atol=1e-6)
    more = np.column_stack([X, X[:, :3], np.zeros(len(X))])
    repeated = solve(objective_of(more, y, weight, l1, 0.0))
    assert repeated.gap <= 1e-10 and repeated.coef[0, -2] == 0.0
    assert repeated.value == pytest.approx(expected.value, rel=1e-9)
    shared = repeated.coef[0, : shape[1]].copy()
    shared[:3] += repeated.coef[0, shape[1] : shape[1] + 3]
    np.testing.assert_allclose(shared, expected.coef[0, :-1], atol=1e-6)


@pytest.mark.parametrize("shape", [(60, 12), (40, 500)], ids=str)
def test_separable_samples_with_next_to_no_penalty(shape):
    X, _, _ = make(shape)
    y = (X[:, 0] > 0.0).astype(float)
    result = solve(objective_of(X, y, NONE, 1e-5, 0.0), tol=1e-6, max_iter=1_000)
    assert result.gap <= 1e-6
    assert ((X @ result.coef[0, :-1] + result.coef[0, -1] > 0.0) == (y > 0.5)).all()


@pytest.mark.parametrize("kind", ["rows", "columns", "sparse"])
def test_the_number_of_threads_cannot_be_seen(kind):
    X, y, weight = make((3_000, 400))
    coefs = []
    for n_threads in (1, 2, 3):
        with Team(n_threads) as team:
            coefs.append(solve(objective_of(X, y, weight, 0.01, 0.0, kind=kind, team=team)).coef)
    for coef in coefs[1:]:
        np.testing.assert_array_equal(coef, coefs[0])


@shapes
def test_a_start_changes_the_way_and_not_the_end(shape):
    X, y, weight = make(shape)
    objective = objective_of(X, y, weight, 0.03, 0.01)
    cold = solve(objective, tol=1e-14)
    warm = solve(objective, cold.coef, tol=1e-14)
    assert warm.n_iter <= 1
    np.testing.assert_allclose(warm.coef, cold.coef, atol=1e-6)
    far = solve(objective, np.random.default_rng(0).normal(size=cold.coef.shape), tol=1e-14)
    np.testing.assert_allclose(far.coef, cold.coef, atol=1e-6)


def test_one_class_alone_and_no_gradient_at_all():
    X, _, _ = make((50, 5))
    result = solve(objective_of(X * 0.0, np.arange(50) % 2.0, NONE, 0.1, 0.0))
    assert result.gap <= 1e-12 and not result.coef[0, :-1].any()


@pytest.mark.parametrize("tol", [0.5, 0.1, 3e-2, 3e-3])
@pytest.mark.parametrize(("shape", "ratio", "share"), [((120, 2_000), 1.0, 1 / 1.1), ((60, 5_000), 0.01, 0.6)])
def test_loose_tolerances_end_too(shape, ratio, share, tol):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=shape), rng.integers(0, 2, shape[0]).astype(float)
    strength = share * largest_l1(X, y, np.ones(len(y))) / ratio
    objective = objective_of(X, y, NONE, ratio * strength, (1.0 - ratio) * strength)
    assert solve(objective, tol=tol).gap <= tol
    start = np.zeros(objective.shape)
    start[0, : shape[1] // 3] = 1e-3
    assert solve(objective, start, tol=tol).gap <= tol


@pytest.mark.parametrize("shape", [(60, 12), (60, 400)], ids=str)
def test_a_gap_without_a_dual_point_is_none(shape):
    X, _, _ = make(shape)
    y = (X[:, 0] > 0.0).astype(float)  # separable: the first models' steps go far too far
    objective = objective_of(X, y, NONE, 1e-5, 0.0)
    best = solve(objective, tol=1e-8, max_iter=1_000).value
    for max_iter in range(6):
        result = solve(objective, tol=1e-8, max_iter=max_iter)
        assert result.n_iter == max_iter
        assert result.gap >= (result.value - best) / best * (1.0 - 1e-6)
        assert [record["iteration"] for record in result.history] == sorted({r["iteration"] for r in result.history})
        for record in result.history:
            assert record["gap"] >= (record["value"] - best) / best * (1.0 - 1e-6)


def test_working_sets_do_not_take_turns():
    rng = np.random.default_rng(9)
    X = 0.3 * rng.normal(size=(50, 600)) + rng.normal(size=(50, 2)) @ rng.normal(size=(2, 600))
    y = np.arange(50) % 2.0
    largest = largest_l1(X, y, np.ones(50))
    objective = objective_of(X, y, NONE, 0.1 * largest, 10.0 * largest)
    records = []

    def callback(record):
        records.append(record)
        assert len(records) < 100

    with np.errstate(all="ignore"):
        assert prox_newton.solve(objective, tol=0.05, max_iter=100, callback=callback).gap <= 0.05


def tall(n_classes=2):
    """So much that a Hessian is worth keeping."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(3_000, 120)) @ (np.eye(120) + 0.05 * rng.normal(size=(120, 120)))
    raw = X[:, :n_classes] @ rng.normal(size=(n_classes, n_classes)) + rng.gumbel(size=(3_000, n_classes))
    return X, raw.argmax(axis=1)


@pytest.mark.parametrize(("n_classes", "ratio"), [(2, 1.0), (2, 0.5), (4, 1.0)])
def test_along_a_path_hessians_are_kept_and_every_gap_holds(n_classes, ratio, monkeypatch):
    X, y = tall(n_classes)
    problem = Problem(check_features(X), y, n_classes, NONE, 1.0, True, ratio)
    one, objective = (problem.objective(np.float64, Team(1)) for _ in range(2))
    hessian, formed, steering = type(objective).hessian, [], None

    def counted(self, *places):
        formed.append(places)
        return hessian(self, *places)

    for strength in np.geomspace(0.1, 0.04, 6):
        penalty = ElasticNet(ratio * strength, (1.0 - ratio) * strength)
        one = one.with_penalty(penalty)
        best = solve(objective.with_penalty(penalty), tol=1e-9).value
        with np.errstate(all="ignore"), monkeypatch.context() as patch:
            patch.setattr(type(objective), "hessian", counted)
            result = prox_newton.solve(one, np.zeros(one.shape), tol=1e-5, max_iter=100, steering=steering)
        steering = result.steering
        assert (result.value - best) / best <= result.gap + 1e-9 <= 1e-5 + 1e-9
    assert 0 < len(formed) < 6


def test_a_step_teaches_the_kept_hessian_its_curvature():
    X, y = tall()
    objective = objective_of(X, y.astype(float), NONE, 0.01, 0.01, kind="rows")
    features = _l1_features.Features(objective, np.arange(120))
    coef = np.zeros(objective.shape)
    value, gradient = objective.loss_gradient(coef)
    features.step(coef, value, gradient, 1e-8, 0.0)
    step = np.random.default_rng(0).normal(size=coef.shape)
    change = objective.loss_gradient(coef + step)[1] - gradient
    features.learn(step, change)
    np.testing.assert_allclose(features._hessian @ step[0], change[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(features._hessian, features._hessian.T, atol=1e-14)


def test_a_kept_hessian_that_misleads_is_formed_anew():
    X, y = tall()
    objective = objective_of(X, y.astype(float), NONE, 0.01, 0.0, kind="rows")
    result = prox_newton.solve(objective.with_penalty(ElasticNet(0.015, 0.0)), tol=1e-6, max_iter=100)
    result.steering._hessian *= 0.01  # steps a hundred times too long
    again = prox_newton.solve(objective, tol=1e-10, max_iter=30, steering=result.steering)
    assert again.gap <= 1e-10


@pytest.mark.parametrize(("data", "keeps"), [(make((90, 12)), False), (make((90, 400)), False), (tall(), True)])
def test_a_path_goes_on_where_a_near_fit_with_a_kept_hessian_ended_else_where_fits_lead(data, keeps):
    X, y = data[0], data[1].astype(float)
    objective = objective_of(X, y, NONE, 0.05, 0.0, kind="rows")
    steering = solve(objective).steering
    assert steering.keeps_hessian == keeps
    begun = []
    for times in (1.5, 8.0):
        weaker = objective.with_penalty(ElasticNet(0.05 / times, 0.0))
        expected = solve(weaker, tol=1e-13)
        options = {"tol": 1e-10, "max_iter": 100, "steering": steering}
        result = prox_newton.solve(weaker, expected.coef, **options)
        assert result.gap <= 1e-10 and result.value == pytest.approx(expected.value, rel=1e-9)
        begun.append(result.history[0]["value"] == pytest.approx(expected.value, rel=1e-9))
    assert begun == [not keeps, True]


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_a_start_may_have_coefficients_that_the_features_at_hand_lack(ratio):
    X, y, weight = make((90, 400))
    strength = 0.9 * largest_l1(X, y, weight) / ratio
    objective = objective_of(X, y, weight, ratio * strength, (1.0 - ratio) * strength, kind="rows")
    steering = solve(objective).steering
    start = solve(objective).coef
    start[0, np.setdiff1d(np.arange(400), steering.members)[-1]] = 0.03
    weaker = objective.with_penalty(ElasticNet(0.999 * ratio * strength, 0.999 * (1.0 - ratio) * strength))
    best = solve(weaker, tol=1e-12).value
    for tol in (0.3, 1e-6):
        result = prox_newton.solve(weaker, start, tol=tol, max_iter=100, steering=steering)
        value, _ = weaker.loss_gradient(result.coef)
        assert (value - best) / best <= result.gap + 1e-12 <= tol + 1e-12


def test_signs_that_change_together_take_one_factor_together():
    rng = np.random.default_rng(0)
    H = np.eye(200) + 0.3 / 201 * np.ones((200, 200))
    v, q = rng.uniform(0.1, 1.0, size=200), rng.uniform(2.0, 3.0, size=200)
    violation, left = solve_faces(H, np.ones(200), v, q, 0.0, space_for(200, DPOTRF))
    assert not v.any()
    assert violation == np.abs(q).max() - 1.0
    assert left == 0.0


def test_models_whose_factors_are_dear_are_solved_as_far_as_a_step_is_worth(monkeypatch):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(90, 81)) + 3.0 * rng.normal(size=(90, 1))
    H, coefs, gradient = A.T @ A / 90.0, rng.normal(size=81), rng.normal(size=81)
    left = {}
    monkeypatch.setattr(_l1_models, "_SWEEPS", 1)
    for name, factored in (("exact", 2e8), ("dear", 1.0)):
        monkeypatch.setattr(_l1_models, "_FACTORED", factored)
        at = coefs, gradient, np.arange(81) == 80, np.empty((1, 0), dtype=np.int64)
        step = _l1_models.HessianModel(ElasticNet(0.2, 0.0), H, *at).minimise()
        q, v = (gradient + H @ step)[:-1], (coefs + step)[:-1]
        left[name] = np.where(v == 0.0, np.abs(q) - 0.2, np.abs(q + 0.2 * np.sign(v))).max()
    assert left["exact"] <= 1e-9
    assert 1e-9 < left["dear"] <= 0.02 * np.abs(gradient).max()


@pytest.mark.parametrize("n", [1, 2, 33, 150])
@pytest.mark.parametrize("is_singular", [False, True])
def test_equations_of_a_face_lead_to_its_minimum(n, is_singular):
    rng = np.random.default_rng(n)
    A = rng.normal(size=(n // 2 + 1 if is_singular else n + 20, n)) * np.geomspace(1e-3, 1e3, n)
    H, threshold = A.T @ A, np.full(n, 1e-3)
    v = rng.choice([-1.0, 1.0], size=n)
    v[2::5] = 0.0
    face, before = v != 0.0, v.copy()
    c = -H @ v - threshold * np.sign(v) * face  # the minimum is at v
    v[face] *= 1.1
    q, space = H @ v + c, space_for(n, DPOTRF)
    value = 0.5 * v @ H @ v + c @ v + threshold @ np.abs(v)
    solve_faces(H, threshold, v, q, 0.0, space)
    np.testing.assert_allclose(q, H @ v + c, atol=1e-9 * np.abs(H).max())
    assert not v[~face].any()
    if not is_singular:
        np.testing.assert_allclose(v, before, rtol=1e-8)
    assert 0.5 * v @ H @ v + c @ v + threshold @ np.abs(v) <= value


def many_classes(X, weight):
    codes = np.digitize(X[:, 0], [-0.5, 0.7])
    return Problem(check_features(X), codes, 3, weight, 1.0, True, 1.0).objective(np.float64, Team(1))


@kinds
@pytest.mark.parametrize("use_weight", [False, True])
def test_where_a_step_ends_the_divergence_of_its_dual_point_is_bounded(kind, use_weight):
    X, y, weight = make((200, 12))
    weight = weight * (np.arange(200) % 7 > 0) if use_weight else NONE
    two, many = objective_of(X, y, weight, 0.01, 0.0, kind=kind), many_classes(X, weight)
    rng = np.random.default_rng(2)
    for objective in (two, many):
        coef, step = 0.3 * rng.normal(size=objective.shape), 0.1 * rng.normal(size=objective.shape)
        for length in (0.1, 1.0, 30.0):
            objective.loss_gradient(coef)
            objective.remember()
            objective.loss_gradient(coef + length * step)
            start, change, end = (X @ c[:, :-1].T + c[:, -1] for c in (coef, length * step, coef + length * step))
            if objective is two:
                start, change, end = (np.column_stack([0.0 * z, z]) for z in (start, change, end))
            p = softmax(start, axis=1)
            q = p * (1.0 + change - (p * change).sum(axis=1, keepdims=True))
            if (q[weight > 0.0] if use_weight else q).min() < 0.0:
                assert objective.divergence() == np.inf
                continue
            apart = np.average(rel_entr(q, softmax(end, axis=1)).sum(axis=1), weights=weight if use_weight else None)
            assert apart <= objective.divergence() <= (2.5 if length < 1.0 else np.inf) * apart


@kinds
@intercepts
def test_what_a_step_with_some_features_pulls_all_with_is_its_gradient_and_product(kind, fit_intercept):
    X, y, weight = make((200, 12))
    whole = objective_of(X, y, weight, 0.01, 0.3, kind=kind, fit_intercept=fit_intercept)
    places, rng = np.array([1, 4, 5, 11]), np.random.default_rng(3)
    members = np.append(places, 12)
    coef, step = np.zeros((2, 1, 13))
    coef[:, members], step[:, members] = rng.normal(size=(2, 1, 5)) * (np.arange(5) < 4 + fit_intercept)
    _, gradient = whole.loss_gradient(coef)
    product = whole.hessian_product(step)
    expected = whole.pull(coef + step, gradient + product)
    bend = np.vdot(step, product) - 0.3 * np.vdot(step[:, :-1], step[:, :-1])
    part = whole.columns(places)
    part.loss_gradient(coef[:, members])
    for _ in range(2):  # as the predictions are left where they were
        a, divergence = whole.pull_of_step(step[:, members], part)
        np.testing.assert_allclose(a, expected, rtol=1e-10, atol=1e-12)
        assert divergence == pytest.approx(bend, rel=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_fit_is_certified_where_its_last_step_ends(n_classes, monkeypatch):
    X, y = (part[:400] for part in tall(n_classes))
    objective = Problem(check_features(X[:, :20]), y, n_classes, NONE, 1.0, True, 1.0).objective(np.float64, Team(1))
    objective = objective.with_penalty(ElasticNet(0.01, 0.0))
    formed, form = [], type(objective).hessian

    def counted(self, *places):
        formed.append(places)
        return form(self, *places)

    monkeypatch.setattr(type(objective), "hessian", counted)
    result = solve(objective, tol=1e-8)
    assert result.gap <= 1e-8 and len(formed) == result.n_iter
    monkeypatch.setattr(type(objective), "divergence", lambda self: np.inf)
    assert solve(objective, tol=1e-8).n_iter == len(formed) - result.n_iter - 1


@shapes
def test_the_history_says_how_many_features_are_active(shape):
    X, y, weight = make(shape)
    result = solve(objective_of(X, y, weight, 0.1 * largest_l1(X, y, weight), 0.0))
    counts = [record["n_active"] for record in result.history]
    assert counts[-1] == np.count_nonzero(result.coef[0, :-1]) > 0
    assert counts[0] == 0


@kinds
def test_steps_reach_no_further_than_the_largest_entries_say(kind):
    X, y, _ = make((200, 12))
    objective = objective_of(X, y, NONE, 0.01, 0.0, kind=kind)
    rng = np.random.default_rng(1)
    objective.loss_gradient(rng.normal(size=objective.shape))
    passes = objective.n_passes
    for step in rng.normal(size=(20, *objective.shape)):
        assert objective.overshoot(step) <= objective.reach(step)
    assert objective.n_passes <= passes + 21
    np.testing.assert_array_equal(objective._known["largest"], np.abs(X).max(axis=0))


def test_asking_how_far_a_step_goes_leaves_the_predictions():
    X, y, _ = make((200, 12))
    objective = objective_of(X, y, NONE, 0.01, 0.0)
    coef, step = np.random.default_rng(1).normal(size=(2, 1, 13))
    objective.loss_gradient(coef)
    objective.overshoot(step)
    np.testing.assert_allclose(objective.loss.raw, X @ coef[0, :-1] + coef[0, -1], rtol=1e-12)


def alike(n_samples=60, n_features=420):
    """Columns that are a mix of a few: coordinates hinder one another."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 12)) @ rng.normal(size=(12, n_features))
    X += 0.02 * rng.normal(size=X.shape)
    return X, (X[:, :3].sum(axis=1) + rng.logistic(size=n_samples) > 0.0).astype(float)


@pytest.fixture
def formed(monkeypatch):
    """Shapes of the Hessians that fits form."""
    shapes, form = [], LogisticObjective.hessian

    def counted(self, *args):
        shapes.append(self.shape)
        return form(self, *args)

    monkeypatch.setattr(LogisticObjective, "hessian", counted)
    return shapes


@pytest.mark.parametrize("kind", ["rows", "columns", "sparse", "small"])
@pytest.mark.parametrize("ratio", [1.0, 0.1])
def test_steps_along_columns_and_those_of_the_hessian_lead_to_one_optimum(kind, ratio, formed, monkeypatch):
    X, y, weight = make((60, 700))
    strength = 0.02 * largest_l1(X, y, weight) / ratio
    objective = objective_of(X, y, weight, ratio * strength, (1.0 - ratio) * strength, kind=kind)
    monkeypatch.setattr(_l1_features, "_DEAR", 0.0)
    monkeypatch.setattr(_l1_features, "_DEAR_SPARSE", 0.0)
    monkeypatch.setattr(LogisticObjective, "hessian_cost", 1e9)
    along = solve(objective, tol=1e-11)
    assert not formed
    monkeypatch.undo()
    monkeypatch.setattr(LogisticObjective, "hessian_cost", 0.0)
    other = solve(objective, tol=1e-11)
    assert max(along.gap, other.gap) <= 1e-11
    np.testing.assert_allclose(along.coef, other.coef, atol=1e-5)


def test_where_columns_are_alike_the_hessian_is_formed_after_as_many_passes_as_it_costs(formed, monkeypatch):
    monkeypatch.setattr(_l1_features, "_DEAR", 0.0)
    X, y = alike()
    objective = objective_of(X, y, NONE, 0.002, 1e-5)
    assert solve(objective, tol=1e-10).gap <= 1e-10
    assert formed
    formed.clear()
    monkeypatch.setattr(LogisticObjective, "hessian_cost", 1e9)
    solve(objective, tol=1e-10, max_iter=3)
    assert not formed


@pytest.mark.parametrize(("cost", "is_tried"), [(150.0, False), (1e6, True)])
def test_a_descent_that_did_not_arrive_is_tried_again_where_a_hessian_costs_twice_as_much(cost, is_tried, monkeypatch):
    X, y, weight = make((60, 700))
    objective = objective_of(X, y, weight, 0.1 * largest_l1(X, y, weight), 0.0, kind="sparse")
    before = _l1_features.Features(objective, np.arange(10))
    before._descended = 100.0
    features = _l1_features.Features(objective, np.arange(700), before)
    coef = objective.without_features()
    value, gradient = objective.loss_gradient(coef)
    monkeypatch.setattr(LogisticObjective, "hessian_cost", cost)
    step, _, _ = features._descent(coef, value, gradient, 1e-8)
    assert (step is not None) == is_tried


@pytest.mark.parametrize("damping", [1.0, 1e3])
def test_damped_steps_along_columns_are_shorter_and_certify_nothing(damping, monkeypatch):
    X, y, weight = make((60, 700))
    objective = objective_of(X, y, weight, 0.1 * largest_l1(X, y, weight), 0.0, kind="sparse")
    features, coef = _l1_features.Features(objective, np.arange(700)), objective.without_features()
    value, gradient = objective.loss_gradient(coef)
    monkeypatch.setattr(LogisticObjective, "hessian_cost", 1e6)
    step, _, gap = features._descent(coef, value, gradient, 1e-8)
    features._damping = damping
    damped, _, unknown = features._descent(coef, value, gradient, 1e-8)
    assert np.linalg.norm(damped[0, :-1]) < np.linalg.norm(step[0, :-1]) and gap < unknown == np.inf
    assert np.vdot(gradient, damped) < 0.0


def test_more_coefficients_than_any_hessian_holds_are_fitted_along_columns(formed, monkeypatch):
    monkeypatch.setattr(_l1_features, "LARGEST_HESSIAN", 100)
    X, y, weight = make((60, 700))
    strength = 0.02 * largest_l1(X, y, weight)
    result = solve(objective_of(X, y, weight, 0.1 * strength, 0.9 * strength, kind="sparse"), tol=1e-10)
    assert result.gap <= 1e-10
    assert np.count_nonzero(result.coef) > 100
    assert all(n_coef <= 100 for _, n_coef in formed)


@pytest.mark.parametrize("kind", ["rows", "sparse"])
def test_any_number_of_threads_gives_the_same_steps_along_columns(kind, formed):
    X, y, weight = make((60, 700))
    strength = 0.02 * largest_l1(X, y, weight)
    ends = []
    for n_threads in (1, 2, 3):
        with Team(n_threads) as team:
            objective = objective_of(X, y, weight, 0.1 * strength, 0.9 * strength, kind=kind, team=team)
            ends.append(solve(objective, tol=1e-9).coef)
    assert all(n_coef < 400 for _, n_coef in formed)
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_array_equal(ends[0], ends[2])


def test_ends_of_a_step_change_fewer_signs_each_time_and_at_last_one():
    v, step = np.array([1.0, -1.0, 2.0, 0.0, 3.0]), np.array([-8.0, 10.0, -4.0, 0.0, 1.0])
    ends = list(_l1_models._ends(v, step))
    assert [np.flatnonzero(end == 0.0).tolist() for end in ends] == [[0, 1, 2, 3], [0, 1, 3], [1, 3]]
    np.testing.assert_allclose(ends[-1], v + 0.1 * step, atol=1e-15)
    assert all((end * v >= 0.0).all() for end in ends)
    [whole] = _l1_models._ends(v, 0.01 * step)
    np.testing.assert_array_equal(whole, v + 0.01 * step)


def test_equations_follow_each_other_until_no_coefficient_becomes_zero(monkeypatch):
    X, y, weight = make((60, 700))
    objective = objective_of(X, y, weight, 0.1 * largest_l1(X, y, weight), 0.0, kind="sparse")
    coef, ends, done = objective.without_features(), [False, False, True], []
    model = _l1_models.ColumnModel(objective, coef, *objective.loss_gradient(coef), 1e-8)
    monkeypatch.setattr(objective, "descend", lambda *_: done.append("descent"))
    monkeypatch.setattr(model, "_solve_face", lambda _: done.append("face") or ends.pop(0))
    monkeypatch.setattr(model, "_is_settled", lambda: True)
    monkeypatch.setattr(model, "_is_solved", lambda: not ends)
    assert model.minimise(np.inf)
    assert done == ["descent", "face", "face", "face"]


def minimum_of_last_model(strength):
    """What the model at zeros, were its step worth little, leaves in thresholds; how far it goes; and its passes."""
    X, y, weight = make((60, 700))
    objective = objective_of(X, y, weight, strength * largest_l1(X, y, weight), 0.0, kind="sparse")
    coef, l1 = objective.without_features(), objective.penalty.l1
    value, gradient = objective.loss_gradient(coef)
    model = _l1_models.ColumnModel(objective, coef, value, gradient, 1e-4)
    model._last_worth, n_before = np.inf, objective.n_passes
    assert model.minimise(np.inf)
    end = model.step[0, :-1], (gradient + model.product)[0, :-1], np.full(700, l1)
    return _l1_models.violation(*end) / l1, objective.overshoot(model.step), objective.n_passes - n_before


def test_of_last_steps_those_that_no_certificate_follows_are_solved_no_further_than_they_are_worth():
    left, reach, _ = minimum_of_last_model(0.5)
    assert reach < 1.0 and left <= 1e-4
    left, reach, _ = minimum_of_last_model(0.2)
    assert reach > 1.0 and left > 1e-2


def test_equations_of_a_face_that_will_be_left_are_not_solved_to_the_end(monkeypatch):
    monkeypatch.setattr(LogisticObjective, "overshoot", lambda *_: 0.0)
    *_, n_passes = minimum_of_last_model(0.02)
    monkeypatch.setattr(_l1_models, "_LEFT", 0.0)
    *_, n_passes_to_the_end = minimum_of_last_model(0.02)
    assert n_passes < 0.9 * n_passes_to_the_end
