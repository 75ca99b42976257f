"""Fits that share passes: the passes against NumPy, the fits against fits alone."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import assert_within, make_problem, random_weights, strength
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from fastlr import fit_many, reference
from fastlr._validation import check_features, read_only
from fastlr.fits import foretold, tall
from fastlr.fits import many as fits_many
from fastlr.fits.problem import Problem
from fastlr.fits.tall import Pack
from fastlr.kernels import many
from fastlr.kernels.many import MAX_FITS
from fastlr.kernels.operations import Operation
from fastlr.losses.logistic import Logistic
from fastlr.losses.weight_sets import WeightSets
from fastlr.matrices.dense import DenseMatrix
from fastlr.objectives.penalties import L2
from fastlr.objectives.weight_sets import WeightSetsObjective
from fastlr.runtime.rounds import _COUNT_BITS, _DONE, _TICKET, open_round
from fastlr.runtime.team import Team
from fastlr.runtime.threads import start, wait_for
from fastlr.solvers import newton_cholesky
from fastlr.solvers._steps import Promise
from fastlr.solvers.together import solve_together

# dtype and layout of X: read in place by rows and by columns, and converted.
KINDS = [("float64", "C"), ("float64", "F"), ("float32", "C"), ("float32", "F"), ("uint8", "C"), ("uint8", "F")]


class Shared:
    """A matrix with sets of weights."""

    def __init__(self, matrix, loss):
        self.matrix, self.loss, self.team = matrix, loss, matrix.team

    def loss_gradients(self, sets, coefs, with_columns=False):
        return self.matrix.sweep_sets(self.loss, coefs, sets, with_columns=with_columns)


def shared(shape, n_sets, dtype="float64", order="C", n_threads=1):
    """A design of random sets of weights, and for each a problem with coefficients of its own."""
    one = make_problem(*shape, dtype, order)
    rng = np.random.default_rng([n_sets, *shape])
    problems = [one.but(sample_weight=random_weights(rng, shape[0]), coef=one.coef / (1 + k)) for k in range(n_sets)]
    weights = np.stack([problem.sample_weight for problem in problems])
    products = np.float64 if dtype == "float64" else np.float32
    X = check_features(one.X)
    return Shared(DenseMatrix(X, dtype=products, team=Team(n_threads)), WeightSets(one.y, weights)), problems


@pytest.mark.parametrize("n_sets", [1, 2, 5, MAX_FITS])
@pytest.mark.parametrize("shape", [(1, 1), (9, 3), (300, 33), (2_050, 20)])
@pytest.mark.parametrize(("dtype", "order"), KINDS)
def test_passes_are_those_of_numpy_for_each_set_of_weights(shape, n_sets, dtype, order):
    design, problems = shared(shape, n_sets, dtype, order)
    coefs = np.stack([problem.coef for problem in problems])
    losses, gradients, columns = design.loss_gradients(range(n_sets), coefs, with_columns=True)
    intercept = np.eye(coefs.shape[1])[-1]
    for k, problem in enumerate(problems):
        X, weight, coef = problem.effective, problem.sample_weight, problem.coef
        loss, gradient = reference.loss_gradient(X, problem.y, weight, coef)
        assert_within(losses[k], loss, problem.loss_bound())
        assert_within(gradients[k], gradient, problem.gradient_bound())
        column = reference.hessian_product(X, weight, coef, intercept)
        assert_within(columns[k], column, 2 * np.abs(problem.with_ones).T @ problem.curvature_bound())
    assert design.matrix.n_passes == 1


@pytest.mark.parametrize(("dtype", "order"), KINDS)
def test_what_is_computed_for_a_fit_does_not_depend_on_the_others(dtype, order):
    design, problems = shared((1_030, 37), 7, dtype, order)
    coefs = np.stack([problem.coef for problem in problems])
    losses, gradients, _ = design.loss_gradients(range(7), coefs)
    for sets in ([3], [6, 0], [5, 4, 3], [2, 6, 1, 0, 4]):
        some_losses, some_gradients, _ = design.loss_gradients(sets, coefs[sets])
        rtol = problems[0].rtol  # their place may decide how their sums are rounded
        np.testing.assert_allclose(some_losses, losses[sets], rtol=rtol)
        np.testing.assert_allclose(some_gradients, gradients[sets], rtol=rtol, atol=rtol * np.abs(gradients).max())


def test_number_of_threads_cannot_be_seen():
    results = set()
    for n_threads in (1, 2, 3):
        design, problems = shared((9_001, 60), 3, n_threads=n_threads)
        with design.team:
            coefs = np.stack([problem.coef for problem in problems])
            sums = design.loss_gradients(range(3), coefs, with_columns=True)
        results.add(b"".join(part.tobytes() for part in sums))
    assert len(results) == 1


def test_a_pass_reports_nan_in_features():
    design, problems = shared((50, 4), 2)
    X = design.matrix.X.copy()
    X[31, 2] = np.nan
    bad = Shared(DenseMatrix(X, name="features"), WeightSets(problems[0].y, np.ones((2, 50))))
    with pytest.raises(ValueError, match="features"):
        bad.loss_gradients(range(2), np.ones((2, 5)))


def labelled(n_samples, n_features, noise, seed=0):
    """Features of different scale, and labels that are the more predictable the less noise there is."""
    rng = np.random.default_rng([seed, n_samples])
    X = rng.normal(size=(n_samples, n_features)) * np.geomspace(0.1, 10.0, n_features)
    z = X @ (rng.normal(size=n_features) / np.geomspace(0.1, 10.0, n_features))
    return X, (z + noise * rng.logistic(size=n_samples) > 0.0).astype(int)


def k_folds(n_samples, n_folds):
    rows = np.arange(n_samples)
    return [(rows[rows % n_folds != k], rows[rows % n_folds == k]) for k in range(n_folds)]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_more_sets_than_go_together_are_each_the_fit_alone(fit_intercept):
    X, y = labelled(2_500, 8, 1.0)
    folds = k_folds(2_500, 12)
    fits = fit_many(X, y, Cs=[0.001, 0.1], folds=folds, tol=1e-11, fit_intercept=fit_intercept)
    assert not fits.failures
    for k in (0, 5, 11):
        for i, C in enumerate(fits.Cs):
            train = folds[k][0]
            model = SklearnLogisticRegression(
                C=C, solver="newton-cholesky", tol=1e-12, max_iter=1_000, fit_intercept=fit_intercept
            ).fit(X[train], y[train])
            np.testing.assert_allclose(fits.coefs[k, i], model.coef_, rtol=1e-4, atol=1e-6)


def pack_of(X, y, folds):
    problem = Problem(check_features(X), y.astype(np.int64), 2, np.empty(0), np.inf, True)
    weights = [np.bincount(train, minlength=len(y)).astype(float) for train, _ in folds]
    return Pack(problem, weights.__getitem__, list(range(len(folds))), dtype=np.float64, team=Team(1))


def test_fits_that_go_together_read_x_far_less_often_than_fits_alone():
    X, y = labelled(13_000, 20, 1.0)  # of which a fold is too large for a kernel of its own
    folds = k_folds(13_000, 5)
    pack = pack_of(X, y, folds)
    for C in np.logspace(-3, 3, 7):
        assert len(pack.fit(C, tol=1e-8, max_iter=100)) == 5
    alone = sum(fit_many(X[train], y[train], Cs=np.logspace(-3, 3, 7), tol=1e-8).n_passes for train, _ in folds)
    assert pack.n_passes < alone / 2


def test_a_path_of_optima_goes_on_along_the_polynomial_in_the_inverse_of_c():
    def end(u):
        return np.array([[3.0 - u, 2.0 + 5.0 * u - u * u]])

    ends = [(u, end(u)) for u in (0.9, 0.4, 0.1)]
    np.testing.assert_allclose(foretold.ahead(ends, 0.02), end(0.02), rtol=1e-14)
    np.testing.assert_allclose(foretold.ahead(ends, 0.1), end(0.1), rtol=1e-14)
    line = [(u, 3.0 - u) for u in (0.9, 0.4)]
    assert foretold.ahead(line, 0.1) == pytest.approx(2.9)
    assert foretold.ahead(line[:1], 0.1) is None
    for u in (0.1, 0.9):  # much further than those are apart, either way
        assert foretold.ahead([(0.5, 2.5), (0.49, 2.51)], u) is None


def test_a_path_is_foretold_in_the_way_that_was_nearer_the_last_time():
    def missed(end, Cs):
        path = foretold.Foretold()
        assert not path.is_begun
        path.arrive(Cs[0], end(Cs[0]))
        for C in Cs[1:]:
            yield float(path.start(C)[0, 0] - end(C)[0, 0])
            path.arrive(C, end(C))

    Cs = [1.0, 2.0, 4.0, 8.0, 16.0, np.inf]
    of_log = list(missed(lambda C: np.array([[np.log(C)]]), Cs[:-1]))
    assert of_log[1:] == pytest.approx([0.0] * 3, abs=1e-12)
    of_inverse = list(missed(lambda C: np.array([[5.0 - 8.0 / C]]), Cs))
    assert of_inverse[1] == pytest.approx(2.0)  # in log C, as nothing is known of the other way yet
    assert of_inverse[2:] == pytest.approx([0.0] * 3, abs=1e-12)


def test_fits_along_c_to_one_set_foretell_their_ends_too(monkeypatch):
    X, y = labelled(13_000, 20, 2.0)
    options = {"Cs": np.logspace(0, 4, 6), "tol": 1e-9}
    fits = fit_many(X, y, **options)
    monkeypatch.setattr(foretold, "ahead", lambda ends, u: None)
    following = fit_many(X, y, **options)
    assert fits.n_iters.sum() < 0.8 * following.n_iters.sum()
    np.testing.assert_allclose(fits.objectives, following.objectives, rtol=2e-9)


def test_a_set_starts_by_what_was_nearer_the_last_time():
    leader = SimpleNamespace(steering=_Still())
    track, penalty = tall._Track(), L2(0.0)
    zeros, one = np.zeros((2, 1, 3)), np.ones((2, 1, 3))
    starts = []
    # The set goes on along a line of its own, while the leader stays, and then as the leader does.
    for u, lead, end in ((4.0, 0, 1), (3.0, 0, 2), (2.0, 0, 3), (1.0, 0, 4), (0.5, 5, 9), (0.25, 7, 11)):
        starts.append(track.start(u, lead * one, penalty, leader)[0, 0])
        track.arrive(u, lead * one, zeros + end)
    # Its last end, as far as the leader moved; from the fourth on the line, which then was further off than the leader.
    assert starts[:5] == pytest.approx([0.0, 1.0, 2.0, 4.0, 4.5])
    assert starts[5] == pytest.approx(9.0 + 2.0)
    track.arrive(0.25, 7 * one, zeros + 11)  # the same C again is no other place of the path
    assert [u for u, _ in track.ends] == [1.0, 0.5, 0.25]


class _Still:
    """Steering that moves nothing and measures all alike."""

    hessian = np.eye(3)

    def __call__(self, gradient):
        return np.zeros_like(gradient)


def test_fits_that_foretell_their_own_ends_take_fewer_steps(monkeypatch):
    X, y = labelled(13_000, 20, 2.0)  # of which a fold is too large for a kernel of its own
    options = {"Cs": np.logspace(0, 4, 6), "folds": k_folds(13_000, 3), "tol": 1e-9}
    fits = fit_many(X, y, **options)
    monkeypatch.setattr(tall, "ahead", lambda ends, u: None)
    following = fit_many(X, y, **options)
    assert fits.n_iters.sum() < 0.8 * following.n_iters.sum()
    np.testing.assert_allclose(fits.objectives, following.objectives, rtol=2e-9)


def test_no_place_is_evaluated_twice_for_the_sake_of_its_certificate(monkeypatch):
    X, y = labelled(1_500, 12, 1.0)
    places, sweep = [], DenseMatrix.sweep_sets

    def noted(self, loss, coefs, sets, *, with_columns):
        places.extend((k, coef.tobytes()) for k, coef in zip(sets, coefs, strict=True))
        return sweep(self, loss, coefs, sets, with_columns=with_columns)

    monkeypatch.setattr(DenseMatrix, "sweep_sets", noted)
    pack = pack_of(X, y, k_folds(1_500, 3))
    for C in np.logspace(-2, 2, 3):
        assert len(pack.fit(C, tol=1e-8, max_iter=100)) == 3
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_where_all_are_at_their_optimum_no_step_is_taken(fit_intercept):
    X, y = labelled(1_500, 12, 1.0)
    problem = Problem(check_features(X), y.astype(np.int64), 2, np.empty(0), 1.0, fit_intercept)
    leader = newton_cholesky.begin(problem.objective(np.float64, Team(1)))
    leader.approach(1e-4, 100)
    loss = WeightSets(problem.targets(), np.ones((2, 1_500)))
    objective = WeightSetsObjective(leader.objective.matrix, loss, [leader.objective.penalty] * 2, fit_intercept)
    ends, _ = solve_together(objective, [leader.coef] * 2, leader.steering, tol=1e-10, max_iter=100)
    again, gradients = solve_together(objective, [end.coef for end in ends], leader.steering, tol=1e-10, max_iter=100)
    for end, result, gradient in zip(ends, again, gradients, strict=True):
        assert result.converged
        assert result.n_iter == 0
        assert result.gap == pytest.approx(end.gap)
        np.testing.assert_array_equal(result.coef, end.coef)
        np.testing.assert_allclose(gradient, leader.objective.loss_gradient(end.coef)[1], atol=1e-12)


def test_another_penalty_is_taken_note_of_without_a_pass():
    X, y = labelled(1_500, 12, 1.0)
    problem = Problem(check_features(X), y.astype(np.int64), 2, np.empty(0), 1.0, True)
    newton = newton_cholesky.begin(problem.objective(np.float64, Team(1)))
    newton.approach(1e-6, 100)
    n_passes = newton.objective.n_passes
    newton.change_penalty(L2(0.03))
    assert newton.objective.n_passes == n_passes
    value, gradient = newton.objective.loss_gradient(newton.coef)
    assert newton.value == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(newton.gradient, gradient, atol=1e-14)
    gap = newton.gap(Promise(np.inf), 1.0)
    newton.approach(1e-6, 100)
    assert value - newton.value <= gap / (1.0 + gap) * value  # not from gradients of the penalty before
    model = SklearnLogisticRegression(C=1 / (0.03 * 1_500), solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(newton.coef[:, :-1], model.coef_, atol=1e-2 * np.abs(model.coef_).max())


def test_fits_unlike_the_mean_leave_the_pack_and_are_solved_alone():
    X, y = labelled(1_500, 12, 1.0)
    rng = np.random.default_rng(1)
    weights = np.ones((4, len(y)))
    weights[0] = (rng.random(len(y)) < 0.02) * np.where(y == 1, 1.0, 1e-3)  # thirty samples, hardly any of class 0
    Cs = [0.1, 1e4]
    problem = Problem(check_features(X), y.astype(np.int64), 2, np.empty(0), np.inf, True)
    pack = Pack(problem, weights.__getitem__, [0, 1, 2, 3], dtype=np.float64, team=Team(1))
    together = [set(pack.fit(C, tol=1e-9, max_iter=100)) for C in Cs]
    assert together[-1] == {1, 2, 3}

    fits = fit_many(X, y, Cs=Cs, sample_weight=weights, tol=1e-9)
    assert not fits.failures
    assert (fits.gaps <= 1e-9).all()
    for k in range(4):
        for i, C in enumerate(Cs):
            coef = np.append(fits.coefs[k, i, 0], fits.intercepts[k, i])
            loss, gradient = reference.loss_gradient(X, y.astype(float), weights[k], coef)
            gradient[:-1] += coef[:-1] / C
            assert loss + 0.5 * coef[:-1] @ coef[:-1] / C == pytest.approx(
                fits.objectives[k, i] * weights[k].sum(), rel=1e-10
            )
            # The rest is the certificate's, whose formula other tests check: the gradient is as short as it says.
            l2 = strength(C, weights[k].sum())
            bound = 2 * l2 * 1.1e-9 * fits.objectives[k, i]
            assert (gradient[:-1] @ gradient[:-1]) / weights[k].sum() ** 2 <= 4 * bound


def test_a_pack_gives_up_a_fit_after_as_many_steps_as_it_is_allowed():
    X, y = labelled(1_500, 12, 1.0)
    pack = pack_of(X, y, k_folds(1_500, 3))
    assert pack.fit(1.0, tol=1e-12, max_iter=1) == {}
    assert sorted(pack.ends) == [0, 1, 2]
    assert pack.fit(10.0, tol=1e-3, max_iter=100) == {}


def test_a_block_of_the_next_round_is_done_for_the_fits_of_that_round():
    # A helper that is stopped between two blocks may take its next one from a later round, about more fits.
    X = check_features(np.ones((500_000, 1)))
    ones = read_only(np.ones((2, len(X))))
    fits, n_fits, starts = np.arange(2), np.zeros(1, np.int64), np.array([0, 4, len(X)])
    state, sums, gradients = np.zeros(32, np.int64), np.zeros((2, 2, 3)), np.zeros((2, 4, 1))
    space = many.work_space(1, 2, np.float64)
    arguments = (X, Logistic(), ones[0], ones, fits, n_fits, np.zeros((2, 1)), np.zeros(2), starts, sums, gradients)
    many.serve(state, 0, 0, 0, *space, *arguments)  # compiled
    none_left = 1 << _COUNT_BITS
    for _ in range(1_000):
        sums[:], n_fits[0] = np.nan, 1
        open_round(state, 1, int(Operation.LOSS_GRADIENT), 2)
        running = start(many.serve, state, -1, 0, 1, *space, *arguments)
        while state[_TICKET] == none_left + 2:
            time.sleep(0)
        n_fits[0] = 2
        in_time = state[_DONE] == 0  # the first block taken, which has nearly all rows, was still being worked on
        wait_for(running)
        if in_time:
            break
    assert in_time
    assert np.isfinite(sums[0]).all()
    np.testing.assert_array_equal(gradients[0, :2], -2.0)  # four samples with residuals -1/2


def test_failures_are_in_the_order_of_the_fits_whichever_thread_ends_first(monkeypatch):
    def run_backwards(work, items, n_threads, done):
        for item in reversed(items):
            done(item, work(item, lambda: None))

    monkeypatch.setattr(fits_many, "run_all", run_backwards)
    X, y = labelled(200, 3, 1.0)
    with pytest.warns(ConvergenceWarning, match=r"fold 0, C=1: .* fold 0, C=10: .* fold 1, C=1: "):
        fits = fit_many(X, y, Cs=[1.0, 10.0], folds=k_folds(200, 3), max_iter=0)
    assert list(fits.failures) == [(k, i) for k in range(3) for i in range(2)]
