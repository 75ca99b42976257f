"""Every class of bad input has its error, which names the argument; every good one reads as the same numbers."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from fastlr._validation import check_features, check_number, check_sample_weight, check_targets

_TABLE = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("X", "error"),
    [
        (_TABLE.astype(str).astype(object), TypeError),
        (_TABLE.astype(complex), TypeError),
        (_TABLE.astype(str), TypeError),
        (_TABLE.astype("S8"), TypeError),
        (_TABLE.astype("datetime64[s]"), TypeError),
        (_TABLE.astype("timedelta64[s]"), TypeError),
        (np.zeros((4, 3), dtype=[("a", float)]), TypeError),
        ([[None, 1.0]], TypeError),
        (None, TypeError),
        ("features", TypeError),
        (3.0, ValueError),
        (_TABLE[0], ValueError),
        (_TABLE[None], ValueError),
        (_TABLE[:0], ValueError),
        (_TABLE[:, :0], ValueError),
        (np.empty((0, 0)), ValueError),
        ([], ValueError),
        ([[]], ValueError),
        ([[1.0, 2.0], [3.0]], ValueError),
    ],
)
def test_bad_features_raise_an_error_that_names_them(X, error):
    with pytest.raises(error, match="x_train"):
        check_features(X, "x_train")


@pytest.mark.parametrize(
    ("given", "kept_as"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("uint8", "uint8"),
        ("int8", "int8"),
        ("bool", "uint8"),
        ("float16", "float32"),
        ("int16", "float64"),
        ("uint16", "float64"),
        ("int64", "float64"),
        ("uint64", "float64"),
        ("longdouble", "float64"),
        (">f8", "float64"),
        (">f4", "float32"),
        (">f2", "float32"),
        (">i2", "float64"),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_features_keep_their_values_and_take_a_dtype_of_the_kernels(given, kept_as, order):
    X = (_TABLE % 2 if given == "bool" else _TABLE).astype(given, order=order)
    checked = check_features(X)
    assert checked.dtype == np.dtype(kept_as)
    assert checked.dtype.isnative
    np.testing.assert_array_equal(checked, X)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int8", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_native_features_are_not_copied_and_not_writeable(dtype, order):
    X = np.asarray(_TABLE > 4 if dtype == "bool" else _TABLE.astype(dtype), order=order)
    checked = check_features(X)
    assert np.shares_memory(checked, X)
    assert not checked.flags.writeable
    assert X.flags.writeable
    assert checked.flags.c_contiguous or checked.flags.f_contiguous


def _strided():
    return np.repeat(np.repeat(_TABLE, 2, axis=0), 3, axis=1)[::2, ::3]


def _reversed():
    return _TABLE[::-1, ::-1].copy()[::-1, ::-1]


def _unaligned():
    return np.frombuffer(b"\0" + _TABLE.tobytes(), dtype=np.float64, offset=1).reshape(_TABLE.shape)


def _broadcast():
    return np.broadcast_to(_TABLE[:1], (4, 3))


def _read_only():
    X = _TABLE.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("make", [_strided, _reversed, _unaligned, _broadcast, _read_only, _TABLE.tolist])
def test_features_in_any_place_read_as_the_same_numbers(make):
    X = make()
    expected = np.array(X)
    checked = check_features(X)
    np.testing.assert_array_equal(checked, expected)
    np.testing.assert_array_equal(X, expected)
    assert checked.flags.aligned
    assert checked.flags.c_contiguous or checked.flags.f_contiguous


def test_mapped_features_are_read_where_they_lie(tmp_path):
    np.save(tmp_path / "X.npy", _TABLE)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    checked = check_features(X)
    assert np.shares_memory(checked, X)
    np.testing.assert_array_equal(checked, _TABLE)


@pytest.mark.parametrize(
    ("y", "error"),
    [
        (np.array([0, 1, None, 1], dtype=object), TypeError),
        (np.array([0, 1, 1, 1j]), TypeError),
        (["a", "b", "a", "b"], TypeError),
        (None, TypeError),
        ([0, 1, 1], ValueError),
        ([0, 1, 1, 0, 1], ValueError),
        ([], ValueError),
        (1.0, ValueError),
        ([[0, 1, 1, 0]], ValueError),
        ([[0], [1], [1], [0]], ValueError),
        ([[0, 1], [1]], ValueError),
        ([0, 1, np.nan, 0], ValueError),
        ([np.nan] * 4, ValueError),
        ([0, 1, 2, 0], ValueError),
        ([0, 1, -1, 0], ValueError),
        ([0, 1, 1 + 1e-9, 0], ValueError),
        ([0, 1, np.inf, 0], ValueError),
    ],
)
def test_bad_targets_raise_an_error_that_names_them(y, error):
    with pytest.raises(error, match="y_train"):
        check_targets(y, 4, "y_train")


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", ">f8", "float16", "longdouble"])
def test_targets_become_float64_of_the_same_values(dtype):
    y = np.array([0, 1, 1, 0], dtype=dtype)
    checked = check_targets(y, 4)
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, [0.0, 1.0, 1.0, 0.0])


def test_targets_may_be_probabilities_strided_and_read_only():
    y = np.linspace(0, 1, 7)
    y.flags.writeable = False
    np.testing.assert_array_equal(check_targets(y[::2], 4), y[::2])


@pytest.mark.parametrize(
    ("sample_weight", "error"),
    [
        (np.array([1, 1, None, 1], dtype=object), TypeError),
        (np.ones(4, dtype=complex), TypeError),
        (["1", "1", "1", "1"], TypeError),
        ("balanced", TypeError),
        ([1, 1, 1], ValueError),
        (np.ones((4, 1)), ValueError),
        (-2.0, ValueError),
        ([], ValueError),
        ([1, 1, -1e-300, 1], ValueError),
        ([1, 1, np.nan, 1], ValueError),
        ([1, 1, np.inf, 1], ValueError),
        ([np.inf, 1, -np.inf, 1], ValueError),
        ([1e308, 1e308, 1e308, 1], ValueError),
        (np.zeros(4), ValueError),
    ],
)
def test_bad_weights_raise_an_error_that_names_them(sample_weight, error):
    with pytest.raises(error, match="sample_weight"):
        check_sample_weight(sample_weight, 4)


def test_no_weights_are_an_empty_array_and_good_ones_keep_their_values():
    assert check_sample_weight(None, 4).shape == (0,)
    for dtype in ("float64", "float32", "int64", "uint8", "bool", ">f4"):
        checked = check_sample_weight(np.array([0, 1, 1, 0], dtype=dtype), 4)
        assert checked.dtype == np.float64
        np.testing.assert_array_equal(checked, [0, 1, 1, 0])


@pytest.mark.parametrize("value", [True, False, np.True_, None, "1", 1j, [1.0], (1,), np.ones(2), Decimal(1)])
@pytest.mark.parametrize("integer", [False, True])
def test_what_is_no_number_raises_a_type_error(value, integer):
    with pytest.raises(TypeError, match="learning_rate"):
        check_number(value, "learning_rate", integer=integer)


@pytest.mark.parametrize("value", [1.5, np.float64(3.5), Fraction(1, 2), np.nan, "3"])
def test_what_is_no_integer_raises_a_type_error(value):
    with pytest.raises(TypeError, match="n_iterations"):
        check_number(value, "n_iterations", low=0, integer=True)


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (np.nan, {}),
        (np.float32("nan"), {}),
        (-1, {"low": 0}),
        (0.0, {"low": 0, "inclusive": False}),
        (-0.0, {"low": 0, "inclusive": False}),
        (1.5, {"high": 1}),
        (-np.inf, {"low": 0}),
        (np.nan, {"low": 0, "high": 1}),
    ],
)
def test_numbers_out_of_range_raise_a_value_error(value, limits):
    with pytest.raises(ValueError, match="tol"):
        check_number(value, "tol", **limits)


def test_integers_out_of_range_raise_a_value_error():
    with pytest.raises(ValueError, match=r"n_iterations.*>= 0.*-1"):
        check_number(-1, "n_iterations", low=0, integer=True)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), np.array([[2]]), Fraction(2)])
def test_numbers_come_back_as_float(value):
    result = check_number(value, "b", low=2, high=2)
    assert type(result) is float
    assert result == 2.0


@pytest.mark.parametrize("value", [2, np.int8(2), np.uint64(2)])
def test_integers_come_back_as_int(value):
    result = check_number(value, "n", low=2, integer=True)
    assert type(result) is int
    assert result == 2
