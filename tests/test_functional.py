"""The functions do what the study's own NumPy functions do, which stand here as the notebook has them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlr import functional as f

# ------------------------------------------------------------------------------------------- the study's functions


def study_sigmoid(z):
    return 1 / (1 + np.exp(-z))


def study_forward_backward(w, b, x_train, y_train):
    z = np.dot(w.T, x_train) + b
    y_head = study_sigmoid(z)
    loss = -y_train * np.log(y_head) - (1 - y_train) * np.log(1 - y_head)
    cost = np.sum(loss) / x_train.shape[1]
    derivative_weight = np.dot(x_train, (y_head - y_train).T) / x_train.shape[1]
    derivative_bias = np.sum(y_head - y_train) / x_train.shape[1]
    return cost, {"derivative_weight": derivative_weight, "derivative_bias": derivative_bias}


def study_update(w, b, x_train, y_train, learning_rate, number_of_iterarion):
    cost_list = []
    for _ in range(number_of_iterarion):
        cost, gradients = study_forward_backward(w, b, x_train, y_train)
        cost_list.append(cost)
        w = w - learning_rate * gradients["derivative_weight"]
        b = b - learning_rate * gradients["derivative_bias"]
    return {"weight": w, "bias": b}, gradients, cost_list


def study_predict(w, b, x_test):
    y_head = study_sigmoid(np.dot(w.T, x_test) + b)
    prediction = np.zeros((1, x_test.shape[1]))
    prediction[y_head > 0.5] = 1
    return prediction


# ---------------------------------------------------------------------------------------------------- the problems

RTOL = {"float64": 1e-11, "float32": 2e-5, "uint8": 2e-5}


def study_problem(n_features=30, n_samples=41, dtype="float64", order="C", seed=0):
    """Pixels that depend on their label, labels, and weights that are not all alike."""
    rng = np.random.default_rng([seed, n_features, n_samples])
    y = rng.integers(0, 2, (1, n_samples)).astype(float)
    x = np.clip(rng.normal(0.5, 0.2, (n_features, n_samples)) + 0.1 * y, 0, 1)
    # Whole pixels need small weights, or the study's own cost is not finite.
    x, size = ((x * 255).astype(np.uint8), 1 / 255) if dtype == "uint8" else (x.astype(dtype), 1.0)
    w = rng.normal(0.01, 0.05, (n_features, 1)) * size
    return np.asarray(x, order=order), y, w, 0.1, size


problems = pytest.mark.parametrize(
    ("dtype", "order", "shape"),
    [(dtype, order, shape) for dtype in RTOL for order in "CF" for shape in ((30, 41), (1, 1), (1003, 110), (7, 300))],
)


def assert_close(actual, expected, rtol):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=1e-3))


@pytest.fixture
def study():
    """x_train, y_train, w, b."""
    return study_problem()[:4]


# ------------------------------------------------------------------------------------------------- the same numbers


@problems
def test_costs_and_gradients_are_the_studys(dtype, order, shape):
    x, y, w, b, _ = study_problem(*shape, dtype, order)
    cost, gradients = f.forward_backward_propagation(w, b, x, y)
    expected_cost, expected = study_forward_backward(w, b, x.astype(float), y)
    assert type(cost) is float
    assert set(gradients) == set(expected)
    assert_close(cost, expected_cost, RTOL[dtype])
    assert gradients["derivative_weight"].dtype == np.float64
    assert type(gradients["derivative_bias"]) is float
    for key in expected:
        assert_close(gradients[key], expected[key], RTOL[dtype])
    assert f.forward_propagation(w, b, x, y) == cost


@problems
@pytest.mark.parametrize("method", ["auto", "fused", "gram"])
def test_update_goes_the_studys_way(dtype, order, shape, method):
    x, y, w, b, size = study_problem(*shape, dtype, order)
    rate = 0.02 * size**2 / max(1, shape[0] / 30)
    parameters, gradients, costs = f.update(w, b, x, y, rate, 25, method=method, verbose=False)
    expected_parameters, expected_gradients, expected_costs = study_update(w, b, x.astype(float), y, rate, 25)
    assert set(parameters) == {"weight", "bias"}
    assert type(parameters["bias"]) is float
    assert isinstance(costs, list)
    assert all(type(cost) is float for cost in costs)
    assert_close(costs, expected_costs, RTOL[dtype])
    for key in expected_parameters:
        assert_close(parameters[key], expected_parameters[key], RTOL[dtype])
    for key in expected_gradients:
        assert_close(gradients[key], expected_gradients[key], RTOL[dtype])


@problems
def test_predictions_are_the_studys(dtype, order, shape):
    x, _, w, b, _ = study_problem(*shape, dtype, order)
    shift = -np.median(w.T @ x.astype(float)) - b  # so that both labels occur
    prediction = f.predict(w, b + shift - 1e-3, x)
    assert prediction.dtype == np.float64
    assert prediction.shape == (1, shape[1])
    np.testing.assert_array_equal(prediction, study_predict(w, b + shift - 1e-3, x.astype(float)))
    assert set(np.unique(prediction)) <= {0.0, 1.0}


def test_a_probability_of_exactly_one_half_is_label_zero():
    np.testing.assert_array_equal(f.predict([[0.0]], 0.0, [[1.0, 2.0]]), [[0.0, 0.0]])


def test_initial_weights_are_the_studys():
    w, b = f.initialize_weights_and_bias(4096)
    np.testing.assert_array_equal(w, np.full((4096, 1), 0.01))
    assert w.dtype == np.float64
    assert type(b) is float
    assert b == 0.0


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=20))
def test_sigmoid_is_the_studys(values):
    z = np.array([values])
    np.testing.assert_allclose(f.sigmoid(z), study_sigmoid(z), rtol=1e-14)


def test_sigmoid_keeps_shapes_and_does_not_overflow():
    assert f.sigmoid(0) == 0.5
    assert type(f.sigmoid(0.3)) is float
    assert type(f.sigmoid(np.float32(0.3))) is float
    assert f.sigmoid([]).shape == (0,)
    z = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_allclose(f.sigmoid(z[:, ::-1].T), study_sigmoid(z[:, ::-1].T), rtol=1e-14)
    np.testing.assert_allclose(f.sigmoid([-1e300, -800, 800, 1e300]), [0, 0, 1, 1], atol=1e-300)
    assert np.isnan(f.sigmoid(np.nan))
    for dtype in ("int64", "uint8", "bool", "float32", ">f8"):
        np.testing.assert_allclose(f.sigmoid(np.ones((1, 2), dtype)), study_sigmoid(np.ones((1, 2))), rtol=1e-14)


# -------------------------------------------------------------------------------------------- the notebook's calls


def test_update_may_be_called_as_in_the_notebook(study, capsys):
    x_train, y_train, w, b = study
    parameters, gradients, cost_list = f.update(w, b, x_train, y_train, learning_rate=0.009, number_of_iterarion=20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for line, iteration in zip(lines, (0, 10), strict=True):
        number, cost = re.fullmatch(r"Cost after iteration (\d+): ([\d.]+)", line).groups()
        assert int(number) == iteration
        assert cost == f"{cost_list[iteration]:f}"
    for spelled in ({"number_of_iterations": 20}, {"number_of_iterarion": 20}):
        again = f.update(w, b, x_train, y_train, learning_rate=0.009, verbose=False, **spelled)
        assert again[2] == cost_list
        assert again[0]["weight"].tobytes() == parameters["weight"].tobytes()
        assert again[1]["derivative_bias"] == gradients["derivative_bias"]
    assert capsys.readouterr().out == ""


def test_logistic_regression_may_be_called_as_in_the_notebook(study, capsys):
    x_train, y_train, _, _ = study
    x_test, y_test = study_problem(30, 17, seed=1)[:2]
    result = f.logistic_regression(x_train, y_train, x_test, y_test, learning_rate=0.01, num_iterations=15)
    printed = capsys.readouterr().out
    w, b = np.full((30, 1), 0.01), 0.0
    parameters, _, costs = study_update(w, b, x_train, y_train, 0.01, 15)
    assert_close(result["weight"], parameters["weight"], 1e-11)
    assert_close(result["bias"], parameters["bias"], 1e-11)
    assert_close(result["cost_list"], costs, 1e-11)
    for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        predicted = study_predict(parameters["weight"], parameters["bias"], x)
        accuracy = 100 - np.mean(np.abs(predicted - y)) * 100
        assert result[f"{name}_accuracy"] == pytest.approx(accuracy)
        assert f"{name} accuracy: {result[f'{name}_accuracy']} %" in printed
    assert printed.count("Cost after iteration") == 2
    f.logistic_regression(x_train, y_train, x_test, y_test, 0.01, 15, verbose=False)
    assert capsys.readouterr().out == ""


def test_lists_vectors_and_integers_are_taken_as_well(study):
    x, y, w, b = study
    cost = f.forward_propagation(w, b, x, y)
    assert f.forward_propagation(w[:, 0], np.array([b]), x.tolist(), y[0].astype(int).tolist()) == cost
    assert f.forward_propagation(w, np.float32(0.5), x, y.astype(bool)) == f.forward_propagation(w, 0.5, x, y)


def test_a_callback_sees_all_costs_and_ends_the_run(study):
    x, y, w, b = study
    seen = []
    costs = f.update(w, b, x, y, 0.01, 30, verbose=False, callback=lambda k, cost: seen.append(cost) or k == 4)[2]
    assert seen == costs
    assert len(costs) == 5


def test_no_iterations_leave_the_start(study):
    x, y, w, b = study
    parameters, gradients, costs = f.update(w, b, x, y, 0.01, 0)
    np.testing.assert_array_equal(parameters["weight"], w)
    assert parameters["bias"] == b
    assert costs == []
    assert not gradients["derivative_weight"].any()


@pytest.mark.parametrize("dtype", list(RTOL))
@pytest.mark.parametrize("order", ["C", "F"])
def test_inputs_are_never_modified_and_may_be_read_only(dtype, order):
    x, y, w, b, _ = study_problem(1003, 110, dtype, order)
    before = [array.tobytes(order="K") for array in (x, y, w)]
    for array in (x, y, w):
        array.flags.writeable = False
    f.forward_backward_propagation(w, b, x, y)
    f.predict(w, b, x)
    f.sigmoid(w)
    for method in ("fused", "gram"):
        parameters, *_ = f.update(w, b, x, y, 1e-9, 3, method=method, verbose=False)
        assert not np.shares_memory(parameters["weight"], w)
    f.logistic_regression(x, y, x, y, 1e-9, 2, verbose=False)
    assert [array.tobytes(order="K") for array in (x, y, w)] == before


def test_the_first_cost_of_the_study_is_finite_in_float32():
    # All pixels white: p rounds to 1, where the study's own formula gives nan.
    x, y = np.ones((4096, 4), np.float32), np.array([[0, 1, 0, 1]])
    cost, gradients = f.forward_backward_propagation(*f.initialize_weights_and_bias(4096), x, y)
    assert cost == pytest.approx(20.48, rel=1e-4)
    np.testing.assert_allclose(gradients["derivative_weight"], 0.5, rtol=1e-6)


# -------------------------------------------------------------------------------------------------------- bad input

X, Y, W, B = study_problem()[:4]


def with_bad_value(x, value):
    x = x.copy()
    x[3, 5] = value
    return x


BAD_X = [
    (X[0], ValueError),
    (X.T, ValueError),
    (X[None], ValueError),
    (X[:, :0], ValueError),
    (X[:0], ValueError),
    (np.empty((0, 0)), ValueError),
    (X.astype(str).astype(object), TypeError),
    (X.astype(complex), TypeError),
    (X.astype(str), TypeError),
    (None, TypeError),
    (with_bad_value(X, np.nan), ValueError),
    (with_bad_value(X, np.inf), ValueError),
    (with_bad_value(X, -np.inf).astype(np.float32), ValueError),
]
BAD_Y = [
    (Y[:, :-1], ValueError),
    (Y[0, :-1], ValueError),
    (np.ones((1, 42)), ValueError),
    (Y.T, ValueError),
    (Y[None], ValueError),
    (Y[:, :0], ValueError),
    (1.0, ValueError),
    (Y + 0.5, ValueError),
    (Y - 1, ValueError),
    (Y * np.nan, ValueError),
    (Y.astype(str).astype(object), TypeError),
    (Y.astype(complex), TypeError),
    (Y.astype(str), TypeError),
    (None, (TypeError, ValueError)),
]
BAD_W = [
    (W[:-1], ValueError),
    (W.T, ValueError),
    (W[:, :0], ValueError),
    (0.01, ValueError),
    (W * np.nan, ValueError),
    (W * np.inf, ValueError),
    (W.astype(str).astype(object), TypeError),
    (W.astype(complex), TypeError),
    (W.astype(str), TypeError),
    (None, TypeError),
]
BAD_B = [
    (np.nan, ValueError),
    (np.inf, ValueError),
    ("0", TypeError),
    (None, TypeError),
    (1j, TypeError),
    (True, TypeError),
    (np.zeros(2), TypeError),
]
BAD_RATE = [(0, ValueError), (-0.01, ValueError), (np.nan, ValueError), (np.inf, ValueError)] + [
    (value, TypeError) for value in ("0.01", None, True, 1j)
]
BAD_COUNT = [(-1, ValueError), (1.5, TypeError), ("10", TypeError), (True, TypeError), (np.nan, TypeError)]


def named(**lists):
    """One case for each argument and bad value."""
    cases = [(name, *case) for name, cases in lists.items() for case in cases]
    ids = [f"{name}-{k}" for name, cases in lists.items() for k in range(len(cases))]
    return pytest.mark.parametrize(("name", "value", "error"), cases, ids=ids)


@named(x_train=BAD_X, y_train=BAD_Y, w=BAD_W, b=BAD_B)
@pytest.mark.parametrize("function", [f.forward_propagation, f.forward_backward_propagation])
def test_bad_input_to_propagation_is_named(function, name, value, error):
    arguments = {"w": W, "b": B, "x_train": X, "y_train": Y, name: value}
    with pytest.raises(error, match=rf"\b{name}\b"):
        function(**arguments)


@named(x_train=BAD_X, y_train=BAD_Y, w=BAD_W, b=BAD_B, learning_rate=BAD_RATE, number_of_iterations=BAD_COUNT)
@pytest.mark.parametrize("method", ["fused", "gram"])
def test_bad_input_to_update_is_named(name, value, error, method):
    arguments = {"w": W, "b": B, "x_train": X, "y_train": Y, "learning_rate": 0.01, "number_of_iterations": 3}
    with pytest.raises(error, match=rf"\b{name}\b"):
        f.update(**{**arguments, name: value}, method=method, verbose=False)


def test_update_wants_the_number_of_iterations_once():
    for counts in ({}, {"number_of_iterations": 3, "number_of_iterarion": 3}):
        with pytest.raises(TypeError, match="number_of_iterations"):
            f.update(W, B, X, Y, 0.01, **counts)
    with pytest.raises(ValueError, match="method"):
        f.update(W, B, X, Y, 0.01, 3, method="newton")
    with pytest.raises(ValueError, match="method"):
        f.update(W, B, X, Y, 0.01, 3, method=np.array(["fused", "gram"]))


@named(x_test=BAD_X, w=BAD_W, b=BAD_B)
def test_bad_input_to_predict_is_named(name, value, error):
    with pytest.raises(error, match=rf"\b{name}\b"):
        f.predict(**{"w": W, "b": B, "x_test": X, name: value})


@named(
    x_train=BAD_X,
    y_train=BAD_Y,
    x_test=[*BAD_X, (X[:-1], ValueError)],
    y_test=BAD_Y,
    learning_rate=BAD_RATE,
    num_iterations=BAD_COUNT,
)
def test_bad_input_to_logistic_regression_is_named(name, value, error):
    arguments = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, "learning_rate": 0.01, "num_iterations": 3}
    with pytest.raises(error, match=rf"\b{name}\b"):
        f.logistic_regression(**{**arguments, name: value}, verbose=False)


def test_a_test_set_of_another_size_is_refused_before_training(capsys):
    with pytest.raises(ValueError, match=r"\bx_test\b"):
        f.logistic_regression(X, Y, X[:-1], Y, 0.01, 30)
    assert "Cost" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dimension", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("3", TypeError), (True, TypeError)]
)
def test_bad_dimension_is_named(dimension, error):
    with pytest.raises(error, match="dimension"):
        f.initialize_weights_and_bias(dimension)


def test_an_array_the_wrong_way_round_is_named_with_the_one_it_does_not_fit():
    for call, name in (
        (lambda: f.forward_propagation(W, B, X.T, Y), "x_train"),
        (lambda: f.update(W, B, X.T, Y, 0.1, 3), "x_train"),
        (lambda: f.predict(W, B, X.T), "x_test"),
        (lambda: f.logistic_regression(X.T, Y, X, Y, 0.1, 3), "x_train"),
        (lambda: f.logistic_regression(X, Y, X.T, Y, 0.1, 3), "x_test"),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must have shape \(n_features, n_samples\).*: pass {name}\.T$"):
            call()
    with pytest.raises(ValueError, match=r"y_train must have shape .*: pass y_train\.T"):
        f.forward_propagation(W, B, X, Y.T)
    with pytest.raises(ValueError, match=r"w must have shape .*: pass w\.T"):
        f.predict(W.T, B, X)


def test_a_vector_is_one_sample():
    np.testing.assert_array_equal(f.predict(W, B, X[:, 0]), f.predict(W, B, X[:, :1]))
    assert f.forward_propagation(W, B, X[:, 0], 1) == f.forward_propagation(W, B, X[:, :1], [[1]])


def test_the_number_of_steps_has_three_names():
    expected = f.update(W, B, X, Y, 0.1, 3, verbose=False)[2]
    for name in ("number_of_iterations", "number_of_iterarion", "num_iterations"):
        assert f.update(W, B, X, Y, 0.1, **{name: 3}, verbose=False)[2] == expected
    with pytest.raises(TypeError, match="number_of_iterations, once"):
        f.update(W, B, X, Y, 0.1, 3, num_iterations=3)


@pytest.mark.parametrize("z", ["a", None, 1j, [object()], np.array(["1"])])
def test_sigmoid_of_what_is_no_number_is_named(z):
    with pytest.raises(TypeError, match=r"\bz\b"):
        f.sigmoid(z)


# ------------------------------------------------------------------------------------------------- the real images


def test_the_study_on_the_real_images_gives_the_known_numbers(sign_digits, capsys):
    x_train, x_test, y_train, y_test = sign_digits
    result = f.logistic_regression(x_train / 255.0, y_train, x_test / 255.0, y_test, 0.01, 150)
    assert "Cost after iteration 0: 13.210986\n" in capsys.readouterr().out
    assert len(result["cost_list"]) == 150
    assert result["cost_list"][-1] == pytest.approx(0.220409, abs=5e-7)
    assert result["train_accuracy"] == pytest.approx(91.667, abs=5e-4)
    assert result["test_accuracy"] == pytest.approx(93.548, abs=5e-4)
