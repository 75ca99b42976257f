"""Dense X with contiguous features (Fortran order; the study's C-ordered (n_features, n_samples) array is one).

Where a tile of some dozens of samples, all features, fits a second-level cache, it is read from memory for the raw
predictions and again, from cache, for the gradient. Where there are too many features for that, the pieces of such
a tile would be short and reading them would jump through memory: X is then read feature after feature, once for each
product. Gradient descent reads it once a step, by `descend`.
"""

from ..runtime.jit import helper
from .links import apply_link
from .llvm import larger, smaller
from .operations import Operation
from .vectors import LONG_STRIP, PADDING, WIDE_STRIP, long_adds, long_dots, wide_adds, wide_dots

_TILE_BYTES = 262_144  # a tile fits a second-level cache with room to spare
_PIECE_BYTES = 512  # of a feature in a tile, at least
_MIN_TILE, MAX_TILE = 64, 512  # samples

# Samples of features that are read one after the other: what they add up to stays in cache.
_MANY_SAMPLES = 8_192

_SUMMED_FEATURES = 128  # features added up in w's dtype before the sum goes on in float64
_SUMMED_SAMPLES = 1_024  # samples likewise


def has_short_pieces(n_features):
    """Whether the tiles of an X would have pieces too short, so that it is read feature after feature."""
    return n_features * _PIECE_BYTES > _TILE_BYTES


@helper()
def _tile_samples(X):
    fitting = _TILE_BYTES // (X.shape[1] * X.itemsize)
    return larger(_MIN_TILE, smaller(MAX_TILE, fitting // _MIN_TILE * _MIN_TILE))


@helper()
def _strip_rows(A):
    """Features that are read together; numbers of 8 bits are not widened as fast in long strips."""
    return WIDE_STRIP if A.itemsize == 1 else LONG_STRIP


@helper()
def _add_dots(A, j, v, sums):
    """Add the products of a strip of features, rows of A from j, with v to `sums`, from the j-th on."""
    last = A.shape[0] - 1
    for left in range(0, A.shape[1], _SUMMED_SAMPLES):
        right = smaller(A.shape[1], left + _SUMMED_SAMPLES)
        if A.itemsize == 1:
            wide_dots(A, j, last, v, left, right, 0, sums, j)
        else:
            long_dots(A, j, last, v, left, right, 0, sums, j)


@helper()
def _add(A, j, w, part):
    """Add the product of w with a strip of features, rows of A from j, to `part`."""
    last = A.shape[0] - 1
    if A.itemsize == 1:
        wide_adds(A, j, last, w, j, 0, A.shape[1], 0, part)
    else:
        long_adds(A, j, last, w, j, 0, A.shape[1], 0, part)


@helper()
def _add_product(A, w, first, stop, part, z):
    """Add to z the product of w with the features [first, stop), rows of A."""
    part[: z.size] = 0
    for j in range(first, stop, _SUMMED_FEATURES):
        for k in range(j, smaller(stop, j + _SUMMED_FEATURES), _strip_rows(A)):
            _add(A, k, w, part)
        _move(part, z)


@helper()
def _move(part, z):
    """Add `part` to z and empty it."""
    for t in range(z.size):
        z[t] += part[t]
        part[t] = 0


@helper()
def fused_pass(
    what, X, formula, y, sample_weight, w, b, start, stop, ahead, raw, curvature, gradient, z, residual, part
):
    """Both products of a pass over the rows [start, stop); parameters as in `rows.fused_pass`, X in F order."""
    n_features = X.shape[1]
    tile = _tile_samples(X)
    n_rows = _strip_rows(X)
    sums = z[MAX_TILE:]  # of all features, and some more that the last strip reaches
    sums[:] = 0
    loss = 0.0
    total = 0.0
    for first in range(start, stop, tile):
        count = smaller(tile, stop - first)
        A = X.T[:, first : first + count]
        z[:count] = b
        _add_product(A, w, 0, n_features, part, z[:count])
        value, value_total = apply_link(what, z, count, first, formula, y, sample_weight, raw, curvature, residual)
        loss += value
        total += value_total
        if what == Operation.RAW_PREDICTION:
            continue
        residual[count : count + PADDING] = 0  # for `dots`
        for j in range(0, n_features, n_rows):
            _add_dots(A, j, residual, sums)
    for j in range(n_features):
        gradient[j] = sums[j]
    return loss, total


@helper()
def product(X, w, first, stop, part, raw):
    """Write X w of the features [first, stop) into `raw`; parameters as in `descend`."""
    raw[:] = 0
    for top in range(0, X.shape[0], _MANY_SAMPLES):
        bottom = smaller(X.shape[0], top + _MANY_SAMPLES)
        _add_product(X.T[:, top:bottom], w, first, stop, part, raw[top:bottom])


@helper()
def transposed_product(X, residual, first, stop, gradient):
    """Write X^T residual of the features [first, stop) into `gradient`; parameters as in `descend`."""
    gradient[first:stop] = 0
    n_rows = _strip_rows(X)
    for k in range((stop - first - 1) // n_rows, -1, -1):  # what `product` has read last is still in cache
        _add_dots(X.T, first + k * n_rows, residual, gradient)


@helper()
def descend(X, step, coef, w, first, stop, residual, gradient, part, raw):
    """A gradient step of the features [first, stop), and what they add to the next raw predictions, X read once.

    The update of a coefficient needs the gradient of its own feature only, so a few features are read into cache,
    give their gradient from the residuals, are stepped, and give their share of X w at the new coefficients.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), F order
    step : float
        Learning rate over the sum of the weights.
    coef : float64 array of shape (n_features,)
        Stepped in place.
    w : array of shape (n_features,)
        Written: `coef` in the dtype the products are computed in; zeros follow it, see `vectors`.
    first, stop : int
        Features of this block; `first` is a multiple of `LONG_STRIP`, and `stop` too, or n_features.
    residual : array of w's dtype, shape (n_samples,)
        Residuals at the old coefficients; zeros follow them.
    gradient : float64 array of shape (n_features,)
        Written: X^T residual; and some entries that follow it in memory.
    part : array of w's dtype, shape (n_samples,)
        Work space, and room behind it, see `vectors`.
    raw : float64 array of shape (n_samples,)
        Written: X w of these features at the new coefficients.
    """
    n_rows = _strip_rows(X)
    gradient[first:stop] = 0
    raw[:] = 0
    part[: raw.size] = 0
    for j in range(first, stop, _SUMMED_FEATURES):
        for k in range(j, smaller(stop, j + _SUMMED_FEATURES), n_rows):
            _add_dots(X.T, k, residual, gradient)
            for m in range(k, smaller(stop, k + n_rows)):
                coef[m] -= step * gradient[m]
                w[m] = coef[m]
            _add(X.T, k, w, part)
        _move(part, raw)
