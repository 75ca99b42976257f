"""The fused and the Gram loop against plain gradient descent in NumPy, step for step."""

import sys

import numpy as np
import pytest
from conftest import DTYPES, ORDERS, WEIGHTS, make_problem
from hypothesis import given
from hypothesis import strategies as st

from fastlr import functional, reference
from fastlr.solvers.gradient_descent import METHODS, choose_method, solve

# A fused pass per step; the sweep over features, which needs F order and 1000 of them; one block and several.
SHAPES = [(1, 1), (67, 13), (400, 351), (1, 1003), (37, 1000), (130, 1003)]
SWEPT = (130, 1003)

dtypes = pytest.mark.parametrize("dtype", DTYPES)
orders = pytest.mark.parametrize("order", ORDERS)
weighted = pytest.mark.parametrize("weights", WEIGHTS)
methods = pytest.mark.parametrize("method", ["fused", "gram"])


def stable_rate(problem):
    """Half of 2 / L: the curvature of the mean loss is at most a quarter of the mean square of a row."""
    return 4.0 / float(np.mean((problem.with_ones**2).sum(axis=1)))


def both(problem):
    design = problem.design()
    return design.matrix, design.loss


def run(problem, n_iterations=12, n_threads=1, method="fused", **options):
    design = problem.design(n_threads)
    return solve(
        design.matrix,
        design.loss,
        problem.coef,
        learning_rate=stable_rate(problem),
        n_iterations=n_iterations,
        method=method,
        **options,
    )


def expected_run(problem, n_iterations=12):
    return reference.gradient_descent(
        problem.effective, problem.y, problem.sample_weight, problem.coef, stable_rate(problem), n_iterations
    )


def assert_same_run(result, expected, rtol):
    """Coefficients, last gradient and costs to rounding, relative to the largest entry of each."""
    parts = (result.coef, result.gradient, result.costs) if hasattr(result, "coef") else result
    for part, wanted in zip(parts, expected, strict=True):
        assert part.dtype == np.float64
        np.testing.assert_allclose(part, wanted, rtol=rtol, atol=rtol * max(1e-3, np.abs(wanted).max(initial=0)))


def rounding(problem):
    return 1e-10 if problem.X.dtype == np.float64 else 5e-5


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@dtypes
@orders
@weighted
@methods
def test_the_loop_equals_plain_gradient_descent(shape, dtype, order, weights, method):
    scale = {"uint8": 1 / 255, "int8": 0.1}.get(dtype, 1.0)
    problem = make_problem(*shape, dtype, order, weights, scale)
    result = run(problem, method=method)
    assert result.method == method
    assert result.costs.shape == (12,)
    assert_same_run(result, expected_run(problem), rounding(problem))


@dtypes
@orders
@weighted
def test_gram_steps_equal_fused_steps_over_a_long_run(dtype, order, weights):
    problem = make_problem(41, 1003, dtype, order, weights, 0.2)
    fused, gram = (run(problem, 200, method=method) for method in ("fused", "gram"))
    assert_same_run(gram, (fused.coef, fused.gradient, fused.costs), rounding(problem))


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@methods
def test_costs_fall_at_a_stable_learning_rate(shape, order, method):
    costs = run(make_problem(*shape, "float64", order, "random"), 60, method=method).costs
    assert (np.diff(costs) <= 0).all()


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@methods
@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_no_iterations_leave_the_start(shape, order, method, scale):
    problem = make_problem(*shape, "float64", order, scale=scale)
    result = run(problem, 0, method=method)
    np.testing.assert_array_equal(result.coef, problem.coef)
    np.testing.assert_array_equal(result.gradient, np.zeros(shape[1] + 1))
    assert result.costs.shape == (0,)


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@methods
def test_one_run_equals_two_halves(shape, order, method):
    problem = make_problem(*shape, "float64", order, "random")
    whole = run(problem, 20, method=method)
    first = run(problem, 8, method=method)
    second = run(problem.but(coef=first.coef), 12, method=method)
    costs = np.append(first.costs, second.costs)
    assert_same_run(whole, (second.coef, second.gradient, costs), 1e-10)


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@methods
def test_a_callback_sees_every_cost_and_ends_the_run_before_its_step(shape, order, method):
    problem = make_problem(*shape, "float64", order, "random")
    seen = []

    def stop_at_five(iteration, cost):
        seen.append((iteration, cost))
        return iteration == 5

    stopped = run(problem, 12, method=method, callback=stop_at_five)
    assert seen == list(enumerate(stopped.costs))
    assert len(stopped.costs) == 6
    five = run(problem, 5, method=method)
    np.testing.assert_allclose(stopped.coef, five.coef, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(stopped.costs[:5], five.costs)
    # Of the last step, where it started: the sixth evaluation was not followed by one.
    np.testing.assert_allclose(stopped.gradient, five.gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@methods
def test_a_callback_that_stops_at_once_leaves_the_start(shape, order, method):
    problem = make_problem(*shape, "float64", order)
    result = run(problem, 12, method=method, callback=lambda *_: True)
    np.testing.assert_array_equal(result.coef, problem.coef)
    np.testing.assert_array_equal(result.gradient, np.zeros(shape[1] + 1))
    assert len(result.costs) == 1


def test_an_error_in_a_callback_reaches_the_caller():
    def fail(iteration, cost):
        raise KeyError("mine")

    for method in ("fused", "gram"):
        with pytest.raises(KeyError, match="mine"):
            run(make_problem(130, 1003, order="F"), n_threads=3, method=method, callback=fail)


@dtypes
@orders
@methods
def test_any_number_of_threads_gives_the_same_bits(dtype, order, method):
    problem = make_problem(260, 1003, dtype, order, "random", 0.5)
    assert problem.X.size > 250_000
    results = [run(problem, 20, n_threads, method) for n_threads in (1, 2, 3, 7)]
    bits = [[part.tobytes() for part in (r.coef, r.gradient, r.costs)] for r in results]
    assert all(other == bits[0] for other in bits)


@orders
@methods
def test_inputs_are_never_written_to(order, method):
    problem = make_problem(*SWEPT, "float64", order, "random", 0.5)
    inputs = (problem.X, problem.y, problem.sample_weight, problem.coef)
    before = [array.tobytes(order="K") for array in inputs]
    for array in inputs:
        array.flags.writeable = False
    run(problem, 5, 2, method)
    assert [array.tobytes(order="K") for array in inputs] == before


def test_the_start_may_be_a_list_of_integers():
    problem = make_problem(20, 3)
    result = solve(*both(problem), [0, 0, 0, 0], learning_rate=0.1, n_iterations=1)
    assert result.costs[0] == pytest.approx(np.log(2))


# ------------------------------------------------------------------------------------------------ which method


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 10**5), st.integers(1, 10**5))
def test_the_rule_takes_gram_where_its_documented_cost_is_lower(n_samples, n_features, n_iterations, more):
    chosen = choose_method(n_samples, n_features, n_iterations)
    # Multiply both sides by 16: integers only.
    cheaper = n_samples * (n_features + 16 * n_iterations) < 16 * n_features * n_iterations
    assert chosen == ("gram" if cheaper else "fused")
    if chosen == "gram":
        assert n_samples < n_features
        assert choose_method(n_samples, n_features, n_iterations + more) == "gram"
        assert choose_method(max(1, n_samples - more), n_features, n_iterations) == "gram"
    else:
        assert choose_method(n_samples + more, n_features, n_iterations) == "fused"
        assert choose_method(n_samples, n_features, max(0, n_iterations - more)) == "fused"


def test_auto_follows_the_rule():
    assert choose_method(348, 4096, 150) == "gram"
    for shape, n_iterations in (((67, 13), 5), ((37, 1000), 12), ((37, 1000), 1)):
        problem = make_problem(*shape)
        result = run(problem, n_iterations, method="auto")
        assert result.method == choose_method(*shape, n_iterations)
        explicit = run(problem, n_iterations, method=result.method)
        assert result.coef.tobytes() == explicit.coef.tobytes()


# ------------------------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"learning_rate": 0.0}, ValueError),
        ({"learning_rate": -0.01}, ValueError),
        ({"learning_rate": np.nan}, ValueError),
        ({"learning_rate": np.inf}, ValueError),
        ({"learning_rate": "0.01"}, TypeError),
        ({"learning_rate": True}, TypeError),
        ({"learning_rate": None}, TypeError),
        ({"n_iterations": -1}, ValueError),
        ({"n_iterations": 1.5}, TypeError),
        ({"n_iterations": True}, TypeError),
        ({"method": "newton"}, ValueError),
        ({"method": None}, ValueError),
    ],
)
def test_a_bad_argument_raises_an_error_that_names_it(change, error):
    problem = make_problem(20, 3)
    arguments = {"learning_rate": 0.1, "n_iterations": 2, **change}
    with pytest.raises(error, match=next(iter(change))):
        solve(*both(problem), problem.coef, **arguments)


@pytest.mark.parametrize("shape", [(67, 13), SWEPT])
@orders
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_found(shape, order, method, bad):
    problem = make_problem(*shape, "float64", order)
    rate = stable_rate(problem)
    problem.X[shape[0] // 2, shape[1] // 2] = bad
    with pytest.raises(ValueError, match="X must be finite"):
        solve(*both(problem), problem.coef, learning_rate=rate, n_iterations=3, method=method)


def test_the_progress_bar_counts_steps(capsys):
    pytest.importorskip("tqdm")
    problem = make_problem(20, 3)
    with_bar, without = run(problem, 7, progress=True), run(problem, 7)
    assert "7/7" in capsys.readouterr().err
    assert with_bar.coef.tobytes() == without.coef.tobytes()


def test_a_missing_tqdm_is_named(monkeypatch):
    for module in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="tqdm"):
        run(make_problem(20, 3), 2, progress=True)


# ------------------------------------------------------------------------------------------------ the real images


@methods
@orders
def test_the_real_images_give_the_known_numbers(sign_digits, method, order):
    x_train, x_test, y_train, y_test = sign_digits
    x = np.asarray(x_train / 255.0, order=order)
    w, b = functional.initialize_weights_and_bias(4096)
    parameters, _, costs = functional.update(w, b, x, y_train, 0.01, 150, method=method, verbose=False)
    assert len(costs) == 150
    assert costs[0] == pytest.approx(13.210986, abs=5e-7)
    assert costs[149] == pytest.approx(0.220409, abs=5e-7)
    for x, y, accuracy in ((x_train, y_train, 91.667), (x_test, y_test, 93.548)):
        predicted = functional.predict(parameters["weight"], parameters["bias"], x / 255.0)
        assert 100 * np.mean(predicted == y) == pytest.approx(accuracy, abs=5e-4)


@methods
@orders
@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1.0), ("uint8", 1 / 255)])
def test_the_real_images_agree_in_fewer_bytes(sign_digits, method, order, dtype, scale):
    x_train, _, y_train, _ = sign_digits
    doubles = make_problem(348, 4096).but(
        X=np.asarray(x_train.T / 255.0, order=order),
        y=y_train[0].astype(float),
        coef=np.append(np.full(4096, 0.01), 0.0),
    )
    small = doubles.but(X=x_train.T if dtype == "uint8" else doubles.X.astype(dtype), scale=scale)
    options = {"learning_rate": 0.01, "n_iterations": 150, "method": method}
    wanted = solve(*both(doubles), doubles.coef, **options)
    result = solve(*both(small.but(X=np.asarray(small.X, order=order))), doubles.coef, **options)
    np.testing.assert_allclose(result.costs, wanted.costs, rtol=1e-5)
    np.testing.assert_allclose(result.coef, wanted.coef, rtol=0, atol=1e-5)
