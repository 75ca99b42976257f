"""What every kind of X has in common: identities that each implementation of the contract passes.

A new one is a line of `KINDS`.
"""

import numpy as np
import pytest
from scipy import sparse

from fastlr import reference
from fastlr._validation import check_features, check_sparse_features
from fastlr.losses.logistic import LogisticLoss
from fastlr.losses.quadratic import Quadratic
from fastlr.losses.softmax import SoftmaxLoss
from fastlr.matrices.csr import CSRMatrix
from fastlr.matrices.dense import DenseMatrix
from fastlr.matrices.scales import standardisation
from fastlr.matrices.small import SmallMatrix

KINDS = {
    "samples contiguous": lambda X: DenseMatrix(check_features(X)),
    "features contiguous": lambda X: DenseMatrix(check_features(np.asfortranarray(X))),
    "compressed rows": lambda X: CSRMatrix(check_sparse_features(sparse.csr_array(X))),
    "small": lambda X: SmallMatrix(check_features(X)),
}
SHAPES = [(1, 1), (40, 7), (300, 33), (9, 700)]  # the last goes feature after feature where these are contiguous

kinds = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
weighted = pytest.mark.parametrize("use_weight", [False, True])
losses = pytest.mark.parametrize("n_rows", [1, 4])


def features(shape):
    rng = np.random.default_rng(shape)
    return rng.normal(size=shape) * (rng.random(shape) < 0.7) * 3.0 / np.sqrt(shape[1])


def draw(shape, use_weight, n_rows):
    """A loss, and coefficients."""
    rng = np.random.default_rng([1, *shape])
    weight = rng.exponential(size=shape[0]) if use_weight else np.empty(0)
    coefs = rng.normal(size=(n_rows, shape[1] + 1))
    if n_rows == 1:
        return LogisticLoss(rng.random(shape[0]), weight, compiled=False), coefs
    return SoftmaxLoss(rng.integers(0, n_rows, shape[0]), n_rows, weight), coefs


def close(actual, expected, rtol=1e-11):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * max(1e-3, np.abs(expected).max(initial=0.0)))


@kinds
@shapes
@weighted
@losses
def test_the_gradient_is_the_difference_of_values_and_the_product_that_of_gradients(kind, shape, use_weight, n_rows):
    matrix, (loss, coefs) = KINDS[kind](features(shape)), draw(shape, use_weight, n_rows)
    direction, h = np.random.default_rng(2).normal(size=coefs.shape), 1e-5
    (above, gradient_above), (below, gradient_below) = (matrix.sweep(loss, coefs + w * h * direction) for w in (1, -1))
    _, gradient = matrix.sweep(loss, coefs)
    assert gradient.shape == coefs.shape
    close((above - below) / (2 * h), np.vdot(gradient, direction), rtol=1e-6)
    close(matrix.product(loss, direction), (gradient_above - gradient_below) / (2 * h), rtol=1e-6)
    assert matrix.n_passes == 4


@kinds
@shapes
@weighted
@losses
def test_parts_add_up_to_the_whole(kind, shape, use_weight, n_rows):
    matrix, (loss, coefs) = KINDS[kind](features(shape)), draw(shape, use_weight, n_rows)
    value, gradient = matrix.sweep(loss, coefs)
    rows = np.arange(shape[0])
    parts = [(matrix.take(some), loss.take(some)) for some in (rows[rows % 3 == 0], rows[rows % 3 > 0]) if some.size]
    ends = [part.sweep(of, coefs) for part, of in parts]
    close(sum(end[0] for end in ends), value)
    close(sum(end[1] for end in ends), gradient)
    close(sum(part.product(of, coefs) for part, of in parts), matrix.product(loss, coefs))


@kinds
@shapes
@losses
def test_columns_are_those_whose_coefficients_are_not_zero(kind, shape, n_rows):
    matrix, (loss, coefs) = KINDS[kind](features(shape)), draw(shape, False, n_rows)
    places = np.arange(0, shape[1], 2)
    coefs[:, np.setdiff1d(np.arange(shape[1]), places)] = 0.0
    kept = np.append(places, shape[1])
    value, gradient = matrix.sweep(loss, coefs)
    some = matrix.columns(places)
    assert some.shape == (shape[0], len(places))
    some_value, some_gradient = some.sweep(loss, coefs[:, kept])
    close(some_value, value)
    close(some_gradient, gradient[:, kept])


@kinds
@shapes
@weighted
def test_sandwich_product_column_and_moments_tell_of_the_same_curvatures(kind, shape, use_weight):
    X = features(shape)
    matrix, (loss, coefs) = KINDS[kind](X), draw(shape, use_weight, 1)
    matrix.sweep(loss, coefs)
    D = reference.curvature(X @ coefs[0, :-1] + coefs[0, -1]) * loss.weights()
    ones = np.column_stack([X, np.ones(shape[0])])
    sandwich = matrix.sandwich(loss)
    close(sandwich, ones.T @ (D[:, None] * ones))
    np.testing.assert_array_equal(sandwich, sandwich.T)
    close(matrix.product(loss, coefs)[0], sandwich @ coefs[0])
    close(matrix.intercept_column(loss), sandwich[-1])
    close(matrix.intercept_column(Quadratic(D)), sandwich[-1])
    first, second, total = matrix.moments(loss)
    close(first, sandwich[-1, :-1])
    close(second, sandwich.diagonal()[:-1])
    close(total, sandwich[-1, -1])


@kinds
@shapes
def test_predictions_gram_and_blocks_are_those_of_x(kind, shape):
    X = features(shape)
    matrix, (loss, coefs) = KINDS[kind](X), draw(shape, False, 1)
    expected = X @ coefs[0, :-1] + coefs[0, -1]
    matrix.predict(loss, coefs)
    close(loss.predicted(), expected)
    several = np.concatenate([coefs, 2.0 * coefs])
    close(np.concatenate([raw for _, raw in matrix.predictions(several)]), np.column_stack([expected, 2.0 * expected]))
    close(matrix.gram(), X @ X.T)
    blocks = [block.toarray() if sparse.issparse(block) else block for _, block in matrix.blocks(most=7)]
    np.testing.assert_array_equal(np.concatenate(blocks), X)


@kinds
@weighted
@losses
def test_means_and_variances_are_those_of_all_rows(kind, use_weight, n_rows):
    X = features((300, 33))
    matrix, (loss, _) = KINDS[kind](X), draw(X.shape, use_weight, n_rows)
    mean, variance = standardisation(matrix, loss, centred=True)
    weight = loss.weights() / loss.weights().sum()
    close(mean, weight @ X)
    close(variance, weight @ (X - weight @ X) ** 2)


@kinds
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@losses
def test_what_is_not_finite_is_found_by_the_pass_that_meets_it(kind, bad, n_rows):
    X = features((40, 7))
    X[31, 2] = bad
    loss, coefs = draw(X.shape, False, n_rows)
    with pytest.raises(ValueError, match="X must be finite"):
        KINDS[kind](X).sweep(loss, coefs)


@kinds
@pytest.mark.parametrize("shape", [(40, 7), (9, 700)], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_descent_along_columns_ends_where_the_model_is_smallest(kind, shape, fit_intercept):
    """Karush, Kuhn and Tucker's conditions of the quadratic model, its Hessian formed by NumPy."""
    X, (loss, coefs) = features(shape), draw(shape, True, 1)
    X[:, 3], X[:, 4] = 0.0, 2.5  # nothing, and what an intercept can replace
    coefs[0, : shape[1] // 2] = 0.0
    matrix, w, ridge = KINDS[kind](X), coefs[0, :-1], 0.1
    gradient = matrix.sweep(loss, coefs)[1][0]
    gradient[:-1] += ridge * w
    gradient[-1] *= fit_intercept
    threshold, step = np.full(shape[1], np.abs(gradient[:3]).min()), np.zeros(shape[1] + 1)
    first, second, total = matrix.column_moments(loss)
    moments = first, second, fit_intercept * total
    for _ in range(300):
        matrix.descend(loss, gradient, w, threshold, ridge, moments, step, 1e-14)
    ends = np.append(X, np.full((shape[0], 1), float(fit_intercept)), axis=1)
    slope = gradient + ends.T @ (loss.curvature * (ends @ step)) + ridge * np.append(step[:-1], 0.0)
    v, bound = w + step[:-1], 1e-9 * np.abs(gradient).max()
    moved = np.arange(shape[1]) != 4 if fit_intercept else np.full(shape[1], True)
    np.testing.assert_allclose(slope[:-1][moved & (v != 0)], -(threshold * np.sign(v))[moved & (v != 0)], atol=bound)
    assert (np.abs(slope[:-1][v == 0.0]) <= threshold[v == 0.0] + bound).all()
    assert abs(slope[-1]) <= bound
    assert (v == 0.0).any() and (v != 0.0).any()


@kinds
def test_a_descent_along_columns_ends_when_signs_hold(kind):
    X, (loss, coefs) = features((40, 7)), draw((40, 7), True, 1)
    matrix = KINDS[kind](X)
    gradient = matrix.sweep(loss, coefs)[1][0]
    model = gradient, coefs[0, :-1], np.zeros(7), 1.0, matrix.column_moments(loss)
    before = matrix.n_passes
    assert not matrix.descend(loss, *model, np.zeros(8), 0.0)
    assert matrix.n_passes - before < 30
