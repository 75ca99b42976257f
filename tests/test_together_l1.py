"""L1 fits that share passes: what a pass says of steps against NumPy, certificates, and the fits against fits alone."""

import numpy as np
import pytest
from conftest import make_problem, random_weights
from scipy.special import expit
from test_together import k_folds, labelled

from fastlr import LogisticRegression, LogisticRegressionCV, fit_many
from fastlr._validation import check_features
from fastlr.fits import many as fits_many
from fastlr.fits.problem import Problem
from fastlr.fits.tall_l1 import fit_group, groups_of
from fastlr.kernels.many import MAX_FITS
from fastlr.losses.weight_sets import StepSets
from fastlr.matrices.dense import DenseMatrix
from fastlr.objectives.penalties import ElasticNet
from fastlr.objectives.weight_sets import WeightSetsObjective
from fastlr.runtime.team import Team
from fastlr.solvers import together_l1

KINDS = [("float64", "C"), ("float32", "F"), ("uint8", "C")]  # read by rows, by columns, and converted
intercepts = pytest.mark.parametrize("fit_intercept", [True, False])
ratios = pytest.mark.parametrize("ratio", [1.0, 0.5])


@pytest.mark.parametrize("n_sets", [1, 2, 5, MAX_FITS // 2])
@pytest.mark.parametrize(("dtype", "order"), KINDS)
def test_what_a_pass_says_of_steps_is_numpys(n_sets, dtype, order):
    one, rng = make_problem(2_050, 20, dtype, order), np.random.default_rng(n_sets)
    weights = np.stack([random_weights(rng, 2_050) for _ in range(n_sets)])
    weights[:, ::3] = 0.0
    coefs = one.coef * rng.uniform(0.5, 1.0, size=(n_sets, 1))
    ends = coefs + 0.1 * one.coef * rng.normal(size=coefs.shape)
    products = np.float64 if dtype == "float64" else np.float32
    matrix = DenseMatrix(check_features(one.X), dtype=products)
    rtol = 1e-9 if dtype == "float64" else 1e-3
    loss = StepSets(one.y, weights)
    passed = matrix.step_sets(loss, coefs, ends, range(n_sets))
    Z = np.column_stack([np.asarray(one.X, dtype=float), np.ones(2_050)])
    for c, coef, end, found in zip(weights, coefs, ends, zip(*passed, strict=True), strict=True):
        change, p, new = Z @ (end - coef), expit(Z @ coef), expit(Z @ end)
        h, new_h, away = p * (1.0 - p), new * (1.0 - new), p - new + p * (1.0 - p) * (Z @ (end - coef))
        expected = (
            c @ (np.logaddexp(0.0, Z @ end) - one.y * (Z @ end)),
            Z.T @ (c * (new - one.y)),
            Z.T @ (c * h * change),
            Z.T @ (c * h),
            c @ (away**2 / new_h),
            c @ (h**2 / new_h),
            np.maximum(p * change, (p - 1.0) * change)[c > 0.0].max(),
        )
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())
    assert matrix.n_passes == 1
    matrix.curve_set(loss, coefs[-1:], n_sets - 1)
    np.testing.assert_allclose(loss.curved.curvature, weights[-1] * h, rtol=rtol, atol=rtol)
    assert matrix.n_passes == 2


def objective_of(n_samples, n_features, ratio, fit_intercept, n_threads=1):
    X, y = labelled(n_samples, n_features, 1.0)
    rng = np.random.default_rng(0)
    weights = np.stack([random_weights(rng, n_samples) for _ in range(3)])
    penalties = [ElasticNet(ratio * total, (1.0 - ratio) * total) for total in (0.1, 0.01, 0.001)]
    matrix = DenseMatrix(check_features(X), team=Team(n_threads))
    return WeightSetsObjective(matrix, StepSets(y.astype(float), weights), penalties, fit_intercept)


def runs_of(objective):
    return together_l1.begin(objective, [objective.without_features(k) for k in range(3)])


@ratios
@intercepts
def test_a_bound_at_the_end_of_any_step_holds(ratio, fit_intercept):
    objective, rng = objective_of(1_200, 6, ratio, fit_intercept), np.random.default_rng(1)
    ends = together_l1.solve_together(objective, runs_of(objective), tol=1e-11, max_iter=100, check=lambda: None)
    assert all(end.converged for end in ends)
    n_finite = 0
    for size in (1e-1, 1e-2, 1e-4, 1e-6):
        for _ in range(20):
            coefs = [end.coef + size * rng.normal(size=end.coef.shape) for end in ends]
            there = [end.coef + 0.1 * size * rng.normal(size=end.coef.shape) for end in ends]
            if not fit_intercept:
                for coef in coefs + there:
                    coef[0, -1] = 0.0
            gradients = [run.gradient for run in together_l1.begin(objective, coefs)]
            for end, (value, _, bound) in zip(ends, objective.steps(range(3), coefs, gradients, there), strict=True):
                assert bound >= value - end.value * (1.0 + 1e-14)
                n_finite += bound < np.inf
    assert n_finite > 120


@ratios
@intercepts
def test_folds_are_the_fits_one_by_one(ratio, fit_intercept, monkeypatch):
    X, y = labelled(1_500, 14, 1.0)
    folds, Cs = k_folds(1_500, 4), [1e-4, 1e-2, 1.0, 100.0]
    monkeypatch.setattr(fits_many, "fit_path", None)  # none is left to others
    fits = fit_many(X, y, Cs=Cs, folds=folds, tol=1e-9, l1_ratio=ratio, fit_intercept=fit_intercept)
    assert (fits.gaps <= 1e-9).all()
    monkeypatch.undo()
    for k in (0, 3):
        for i, C in enumerate(Cs):
            options = {"C": C, "l1_ratio": ratio, "fit_intercept": fit_intercept, "tol": 1e-11}
            alone = LogisticRegression(**options).fit(X[folds[k][0]], y[folds[k][0]])
            np.testing.assert_allclose(fits.objectives[k, i], alone.objective_, rtol=1.1e-9)
            np.testing.assert_allclose(fits.coefs[k, i], alone.coef_, rtol=1e-3, atol=1e-5)


def test_a_refit_takes_the_passes_of_its_folds(monkeypatch):
    X, y = labelled(1_500, 14, 1.0)
    monkeypatch.setattr(fits_many, "fit_path", None)
    search = LogisticRegressionCV(
        Cs=[1e-2, 1.0], l1_ratios=(1.0,), scoring="accuracy", use_legacy_attributes=False, tol=1e-9
    )
    search.fit(X, y)
    assert search.gap_ <= 1e-9
    monkeypatch.undo()
    alone = LogisticRegression(C=search.C_, l1_ratio=1.0, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(search.objective_, alone.objective_, rtol=1.1e-9)


def test_along_a_path_a_hessian_serves_many_steps(monkeypatch):
    objective, formed = objective_of(3_000, 60, 1.0, True), []
    hessian = objective.hessian
    monkeypatch.setattr(objective, "hessian", lambda k, coef: formed.append(k) or hessian(k, coef))
    runs, n_steps = runs_of(objective), 0
    for _ in range(12):
        for part in objective.of_sets:
            part.penalty = ElasticNet(0.85 * part.penalty.l1, 0.0)
        ends = together_l1.solve_together(objective, runs, tol=1e-4, max_iter=100, check=lambda: None)
        assert all(end.converged for end in ends)
        n_steps += sum(end.n_iter for end in ends)
    assert len(formed) < 0.7 * n_steps


def test_fits_that_do_not_arrive_leave_the_others_and_are_solved_alone(monkeypatch):
    X, y = labelled(1_200, 8, 0.02)
    weights = np.ones((3, len(y)))
    weights[1, 25:] = 0.0  # a few samples, which are separated
    problem = Problem(check_features(X), y.astype(np.int64), 2, np.empty(0), 1.0, True, 1.0)
    options = {"matrix": problem.matrix(np.float64, Team(1)), "start": None, "check": lambda: None}
    paths, _ = fit_group(problem, weights, [1.0, 1e5], tol=1e-10, max_iter=8, **options)
    assert [len(path) for path in paths][1] < 2
    of_fits = {"Cs": [1.0, 1e5], "sample_weight": weights, "l1_ratio": 1.0, "tol": 1e-6, "max_iter": 500}
    monkeypatch.setattr(together_l1, "_MAX_STEPS", 8)
    fits = fit_many(X, y, **of_fits)
    assert not fits.failures
    monkeypatch.setattr(fits_many._Batch, "fit_l1", lambda *unused: None)
    alone = fit_many(X, y, **of_fits)
    assert fits.coefs[1, 1].tobytes() == alone.coefs[1, 1].tobytes()
    assert fits.coefs[0, 0].tobytes() != alone.coefs[0, 0].tobytes()


def test_number_of_threads_cannot_be_seen():
    results = set()
    for n_threads in (1, 2, 3):
        objective = objective_of(9_001, 60, 1.0, True, n_threads)
        with objective.matrix.team:
            ends = together_l1.solve_together(objective, runs_of(objective), tol=1e-8, max_iter=50, check=lambda: None)
        results.add(b"".join(end.coef.tobytes() for end in ends))
    assert len(results) == 1


def test_nothing_to_gain_ends_a_fit_whatever_the_tolerance():
    objective = objective_of(1_000, 4, 1.0, True)
    for part in objective.of_sets:
        part.penalty = ElasticNet(1e3, 0.0)
    ends = together_l1.solve_together(objective, runs_of(objective), tol=0.0, max_iter=100, check=lambda: None)
    assert all(end.n_iter == 0 and not end.coef[:, :-1].any() for end in ends)


def test_groups_hold_as_many_sets_as_a_pass_serves():
    assert [len(group) for group in groups_of(list(range(40)), 2_000)] == [16, 16, 8]
    assert [len(group) for group in groups_of(list(range(12)), 10**7)] == [5, 5, 2]


def test_an_infinite_c_beside_others_leaves_sets_together_and_is_fitted_alone():
    X, y = labelled(2_000, 30, 1.0)
    weights = np.random.default_rng(0).exponential(size=(2, 2_000))
    fits = fit_many(X, y, Cs=[0.01, np.inf], l1_ratio=1.0, sample_weight=weights)
    assert not fits.failures
    for k, weight in enumerate(weights):
        for i, C in enumerate([0.01, np.inf]):
            alone = LogisticRegression(C=C, l1_ratio=1.0).fit(X, y, sample_weight=weight)
            assert fits.objectives[k, i] == pytest.approx(alone.objective_, rel=2e-6)
