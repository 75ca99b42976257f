"""Fits inside one kernel, and the same steps in NumPy: against each other, scikit-learn and the certificate."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression

from fastlr import LogisticRegression, fit_many, reference
from fastlr._validation import check_features, read_only
from fastlr.fits import small
from fastlr.fits.problem import Problem
from fastlr.kernels.newton import fit_paths
from fastlr.kernels.samples import Data, Options, space_for
from fastlr.losses.logistic import Logistic
from fastlr.matrices.small import SmallSamples
from fastlr.solvers import small_newton

NONE, NO_WEIGHT = np.empty((0, 0)), np.empty(0)


def labelled(n_samples, n_features, seed=0):
    """Correlated features of different scales, and labels that depend on them."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    X = rng.normal(size=(n_samples, n_features)) + 0.5 * rng.normal(size=(n_samples, 1))
    z = X @ rng.normal(size=n_features) / np.sqrt(n_features)
    return X * np.geomspace(0.1, 10.0, n_features) + 1.0, (z + rng.logistic(size=n_samples) > 0.3).astype(int)


def weights_of(kind, n_samples):
    rng = np.random.default_rng(n_samples)
    return {"ones": np.ones(n_samples), "counts": rng.integers(0, 3, n_samples).astype(float)}.get(
        kind, rng.random(n_samples)
    )


def kernel_fit(X, y, weight, l2, start=None, factor=NONE, *, fit_intercept=True, tol=1e-10, max_iter=100, kept=0.0):
    """One fit of the kernel: coefficients; value, gap, steps and passes; and its work space."""
    n_coef = X.shape[1] + 1
    steps = tuple(stride // X.itemsize for stride in X.strides)
    data = Data(read_only(X.ravel(order="K")), steps, Logistic(), read_only(y.astype(float)))
    space, coefs, ends = space_for(*X.shape), np.empty((1, 1, n_coef)), np.empty((1, 1, 4))
    start = np.zeros(n_coef) if start is None else start
    options = Options(fit_intercept, tol, max_iter, kept)
    fit_paths(data, read_only(weight[None]), np.array([[l2]]), start, factor, options, space, coefs, ends)
    return coefs[0, 0], ends[0, 0], space


def numpy_fit(X, y, weight, l2, start=None, *, fit_intercept=True, tol=1e-10, max_iter=100):
    """The same in NumPy: coefficients and records."""
    start = np.zeros(X.shape[1] + 1) if start is None else start
    samples = SmallSamples(X, y.astype(float), weight, l2, fit_intercept)
    coef, records = small_newton.newton(samples, start, tol=tol, max_iter=max_iter)
    return coef, np.array(records)


@pytest.mark.parametrize("shape", [(2, 1), (40, 3), (257, 31), (600, 12)], ids=str)
@pytest.mark.parametrize("weights", ["ones", "counts", "random"])
@pytest.mark.parametrize(("fit_intercept", "order"), [(True, "C"), (False, "F")])
def test_the_kernel_and_numpy_take_the_same_steps(shape, weights, fit_intercept, order):
    X, y = labelled(*shape)
    y[:2] = 0, 1
    X, weight = np.asarray(X, order=order), weights_of(weights, len(X))
    weight[:2] = 1.0
    for l2, tol in ((1e-4, 1e-12), (1e-2, 1e-6), (10.0, 1e-3)):
        coef, (value, gap, n_iter, n_passes), _ = kernel_fit(X, y, weight, l2, fit_intercept=fit_intercept, tol=tol)
        expected, records = numpy_fit(X, y, weight, l2, fit_intercept=fit_intercept, tol=tol)
        assert (n_iter, n_passes) == (len(records) - 1, records[-1, 3])
        assert value == pytest.approx(records[-1, 0], rel=1e-12)
        assert gap <= tol
        np.testing.assert_allclose(coef, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
        assert coef[-1] == 0.0 or fit_intercept


def objective_at(X, y, weight, l2, coef):
    """Mean loss plus penalty, by NumPy."""
    loss, _ = reference.loss_gradient(X, y, weight, coef)
    return loss / weight.sum() + 0.5 * l2 * coef[:-1] @ coef[:-1]


def minimum_of(X, y, weight, l2):
    """The minimum by SciPy, from where the kernel ends."""
    start = kernel_fit(X, y, weight, l2, tol=1e-14)[0]
    return minimize(lambda coef: objective_at(X, y, weight, l2, coef), start, method="BFGS").fun


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_certificates_hold(C):
    X, y = labelled(300, 6)
    weight = weights_of("random", 300)
    args = X, y, weight, 1.0 / (C * weight.sum())
    best = minimum_of(*args)
    for tol in (0.5, 1e-2, 1e-4, 1e-7, 1e-11):
        for kept in (0.0, 0.3):
            coef, (value, gap, _, _), _ = kernel_fit(*args, tol=tol, kept=kept)
            assert value == pytest.approx(objective_at(*args, coef), rel=1e-12)
            assert (value - best) / best <= gap * (1 + 1e-9) + 1e-13
            assert gap <= tol
    _, records = numpy_fit(*args, tol=1e-11)
    assert ((records[:, 0] - best) / best <= records[:, 2] * (1 + 1e-9) + 1e-13).all()


def test_a_kept_hessian_leads_to_the_same_optimum_in_more_steps():
    X, y = labelled(900, 20)
    one, (_, _, n_iter, _), _ = kernel_fit(X, y, np.ones(900), 1e-3, tol=1e-12)
    other, (_, _, more, _), _ = kernel_fit(X, y, np.ones(900), 1e-3, tol=1e-12, kept=0.3)
    assert more > n_iter
    np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)


def test_a_fit_nearby_lends_its_optimum_and_its_factor():
    X, y = labelled(500, 8)
    weight = weights_of("counts", 500)
    start, _, space = kernel_fit(X, y, np.ones(500), 1e-3)
    alone, _, _ = kernel_fit(X, y, weight, 1e-3)
    factor = space.hessian.copy()
    led, (_, gap, n_iter, _), _ = kernel_fit(X, y, weight, 1e-3, start, factor, tol=1e-4, kept=0.5)
    assert gap <= 1e-4
    assert 0 < n_iter < kernel_fit(X, y, weight, 1e-3, tol=1e-4, kept=0.5)[1][2]
    np.testing.assert_allclose(led, alone, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("fit", [kernel_fit, numpy_fit])
def test_a_start_that_misleads_is_left_for_zeros(fit):
    X, y = labelled(200, 4)
    coef = fit(X, y, np.ones(200), 1e-2, np.full(5, 50.0))[0]
    np.testing.assert_array_equal(coef, fit(X, y, np.ones(200), 1e-2)[0])


@pytest.mark.parametrize("fit", [kernel_fit, numpy_fit])
@pytest.mark.parametrize("C", [1.0, 1e4, 1e6])
@pytest.mark.parametrize("seed", [0, 3, 9])
def test_where_rounding_hides_what_steps_gain_they_are_neither_shortened_nor_go_on(fit, C, seed):
    """Raw columns that rise together: large terms of a raw prediction cancel out, and so its rounding is large."""
    rng = np.random.default_rng(seed)
    trend = 1e4 * (1.0 + rng.random(8)) * np.linspace(0.3, 1.3, 300)[:, None]
    X = trend + rng.normal(size=(300, 8)) * rng.lognormal(3.0, 1.0, 8)
    y = ((X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=8) + rng.logistic(size=300) > 0.0).astype(int)
    _, last = fit(X, y, np.ones(300), 1.0 / (300 * C), tol=1e-18)[:2]
    gap, n_passes = (last[1], last[3]) if fit is kernel_fit else last[-1, 2:]
    assert gap <= 1e-13
    assert n_passes <= 25  # a step that is halved to nothing takes 30


@pytest.mark.parametrize("factor", [1e160, 1e300])
def test_what_overflows_is_not_certified(factor):
    X, y = labelled(200, 4)
    X[:, 0] *= factor
    with np.errstate(all="ignore"):
        assert not kernel_fit(X, y, np.ones(200), 1e-2)[1][1] <= 1e-10
        assert not numpy_fit(X, y, np.ones(200), 1e-2)[1][-1, 2] <= 1e-10


def test_what_is_certified_of_collinear_columns_holds():
    X, y = labelled(300, 3)
    twice = np.column_stack([X, X[:, 0] * (1 + 1e-13)])
    # Two equal columns share what one of sqrt(2) times their length has.
    best = kernel_fit(X * [np.sqrt(2.0), 1.0, 1.0], y, np.ones(300), 1e-9, tol=1e-13)[1][0]
    _, records = numpy_fit(twice, y, np.ones(300), 1e-9, tol=1e-8)
    ends = [*records[:, [0, 2]], kernel_fit(twice, y, np.ones(300), 1e-9, tol=1e-8)[1][:2]]
    for value, gap in ends:
        assert (value - best) / best <= gap * (1 + 1e-9) + 1e-13


def folds_of(n_samples, n_folds):
    rows = np.arange(n_samples)
    return [(rows[rows % n_folds != k], rows[rows % n_folds == k]) for k in range(n_folds)]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(300, 9), (3_000, 20)])
def test_many_fits_are_each_that_of_scikit_learn(shape, fit_intercept):
    X, y = labelled(*shape)
    folds, Cs = folds_of(shape[0], 4), [10.0, 1e-3, 0.1, 0.1, 1e3, np.inf, 1.0, 30.0, 5.0]
    options = {"tol": 1e-11, "fit_intercept": fit_intercept}
    fits = fit_many(X, y, Cs=Cs, folds=folds, **options)
    assert not fits.failures
    assert (fits.gaps <= 1e-11).all()
    for k, (train, _) in list(enumerate(folds))[::3]:
        for i, C in enumerate(Cs):
            model = SklearnLogisticRegression(
                C=C, solver="newton-cholesky", tol=1e-10, max_iter=1_000, fit_intercept=fit_intercept
            ).fit(X[train], y[train])
            np.testing.assert_allclose(fits.coefs[k, i], model.coef_, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(fits.intercepts[k, i], model.intercept_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_small_problems_are_solved_to_the_last_digits_alone_and_in_company(tol):
    X, y = labelled(100, 5)
    n_sets, Cs = small._LEAST_FITS // 3 + 1, [0.1, 1.0, 10.0]
    fits = fit_many(X, y, Cs=Cs, sample_weight=np.ones((n_sets, 100)), tol=tol)
    for i, C in enumerate(Cs):
        best = SklearnLogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=1_000).fit(X, y)
        models = [LogisticRegression(C=C, tol=tol).fit(data, y) for data in (X, sparse.csr_array(X))]
        for coef in (*(model.coef_ for model in models), fits.coefs[0, i], fits.coefs[-1, i]):
            np.testing.assert_allclose(coef, best.coef_, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_threads_layouts_and_company_cannot_be_seen_in_many_fits(dtype):
    X, y = labelled(400, 7)
    X = np.clip(10 * X, 0, 255).astype(dtype)
    weights = np.random.default_rng(0).multinomial(400, np.full(400, 1 / 400), size=40)
    results = [fit_many(X, y, Cs=[1.0, 0.1], sample_weight=weights, n_jobs=n_jobs) for n_jobs in (1, 2, 3, 7)]
    results += [fit_many(np.asfortranarray(X), y, Cs=[1.0, 0.1], sample_weight=weights)]
    results += [fit_many(X.astype(np.float64), y, Cs=[1.0, 0.1], sample_weight=weights)]
    assert len({fits.coefs.tobytes() + fits.gaps.tobytes() for fits in results}) == 1
    several = fit_many(X, np.stack([y, 1 - y], axis=1), Cs=[1.0, 0.1], sample_weight=weights)
    assert several.coefs[:40].tobytes() == results[0].coefs.tobytes()


def test_a_set_that_leaves_a_class_without_weight_is_the_limit_of_small_weights():
    X, y = labelled(200, 4)
    weights = np.ones((40, 200))
    weights[7] = y == 1
    fits = fit_many(X, y, Cs=[1.0], sample_weight=weights)
    model = LogisticRegression().fit(X, y, sample_weight=weights[7])
    np.testing.assert_array_equal(fits.coefs[7, 0], model.coef_)
    np.testing.assert_array_equal(fits.intercepts[7, 0], model.intercept_)


def test_fits_that_run_out_of_steps_are_told_of():
    X, y = labelled(200, 4)
    with pytest.warns(ConvergenceWarning, match="5. of 60 fits failed"):  # some starts need no more than a step
        fits = fit_many(X, y, Cs=12, folds=folds_of(200, 5), max_iter=1, tol=1e-12)
    assert set(fits.failures) == set(zip(*np.nonzero(fits.gaps > 1e-12), strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_many_fits_report_nan_and_infinity(value):
    X, y = labelled(200, 4)
    X[13, 2] = value
    with pytest.raises(ValueError, match="contains"):
        fit_many(X, y, Cs=12, folds=folds_of(200, 5))


def problem_of(X, y, weight=NO_WEIGHT, **options):
    return Problem(check_features(X), y.astype(np.int64), 2, weight, **{"C": 1.0, "fit_intercept": True, **options})


def test_the_kind_of_problem_and_its_shape_decide():
    X, y = labelled(60, 5)
    assert small.suits(problem_of(X, y))
    assert not small.suits(problem_of(X, y, C=np.inf))
    assert not small.suits(problem_of(X, y, l1_ratio=0.5))
    assert not small.suits(problem_of(X[:5], y[:5]))  # X X^T is smaller
    for shape, expected in (((10_000, 20), True), ((10_001, 20), False), ((1_000, 128), True), ((1_000, 129), False)):
        X = np.broadcast_to(np.ones(1, np.uint8), shape)
        assert small.suits(problem_of(X, np.arange(shape[0]) % 2)) is expected


def test_a_fit_is_the_same_bits_before_and_after_a_kernel_is_loaded():
    X, y = labelled(300, 6)
    weight = np.ones((40, 300))
    before = LogisticRegression().fit(X, y)
    fit_many(X, y, Cs=[1.0], sample_weight=weight)
    after = LogisticRegression().fit(X, y)
    assert before.coef_.tobytes() == after.coef_.tobytes()


def test_where_a_small_fit_is_left_another_solver_reaches_the_tolerance_and_a_line_says_so(monkeypatch, caplog):
    X, y = labelled(300, 6)
    expected = LogisticRegression(tol=1e-10).fit(X, y)
    solve = small.solve
    monkeypatch.setattr(
        small, "solve", lambda problem, start, *, tol, max_iter: solve(problem, start, tol=tol, max_iter=0)
    )
    with caplog.at_level("INFO", "fastlr"):
        model = LogisticRegression(tol=1e-10).fit(X, y)
    assert "does not reach tol" in caplog.text
    assert model.gap_ <= 1e-10
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3, atol=1e-6)
