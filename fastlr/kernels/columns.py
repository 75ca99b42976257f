"""Dense X with contiguous features (Fortran order; the study's C-ordered (n_features, n_samples) array is one).

A tile of samples, all features, is read from memory for the raw predictions and again, from cache, for the gradient.
Four features are handled together. Where n_features is so large that a tile's pieces get short, reading jumps through
memory; gradient descent then uses `descend`, which reads feature after feature.
"""

from numba import uint64

from .._jit import kernel
from .links import apply_link

_TILE_BYTES = 98_304  # fits a second-level cache with room to spare, and pieces stay long
_MIN_TILE = 32
_SUMMED_FEATURES = 128  # features added up in w's dtype before the sum goes on in float64
MAX_TILE = 256  # as many as work space has room for


@kernel()
def _tile_samples(n_features, itemsize):
    fitting = _TILE_BYTES // max(1, n_features * itemsize)
    return max(_MIN_TILE, min(MAX_TILE, fitting // _MIN_TILE * _MIN_TILE))


@kernel()
def _add_features(X, w, first, count, j_first, j_stop, part, z):
    """z += X w over the samples [first, first + count) and the features [j_first, j_stop).

    `part`, of w's dtype, takes the sum of some features before it is added to z, which is float64.
    """
    base = uint64(first)
    for start in range(j_first, j_stop, _SUMMED_FEATURES):
        stop = min(j_stop, start + _SUMMED_FEATURES)
        full = start + (stop - start) // 4 * 4
        part[:count] = 0
        for k in range(start, full, 4):
            j = uint64(k)
            j1, j2, j3 = j + uint64(1), j + uint64(2), j + uint64(3)
            w0, w1, w2, w3 = w[j], w[j1], w[j2], w[j3]
            for t in range(count):
                s = uint64(t)
                i = base + s
                part[s] += (w0 * X[i, j] + w1 * X[i, j1]) + (w2 * X[i, j2] + w3 * X[i, j3])
        for k in range(full, stop):
            j = uint64(k)
            for t in range(count):
                s = uint64(t)
                part[s] += w[j] * X[base + s, j]
        for t in range(count):
            s = uint64(t)
            z[s] += part[s]


@kernel()
def _dot_four(X, j, j1, j2, j3, first, count, residual):
    zero = residual.dtype.type(0)
    a0 = zero
    a1 = zero
    a2 = zero
    a3 = zero
    base = uint64(first)
    for t in range(count):
        s = uint64(t)
        i = base + s
        r = residual[s]
        a0 += r * X[i, j]
        a1 += r * X[i, j1]
        a2 += r * X[i, j2]
        a3 += r * X[i, j3]
    return a0, a1, a2, a3


@kernel()
def _quad(first, last):
    """Indices of four features from `first`; past `last` the last one again."""
    return (
        uint64(first),
        uint64(min(first + 1, last)),
        uint64(min(first + 2, last)),
        uint64(min(first + 3, last)),
    )


@kernel()
def fused_pass(link, X, y, sample_weight, w, b, start, stop, raw, curvature, gradient, z, residual, part):
    """Both products of a pass over the rows [start, stop); parameters as in `rows.fused_pass`, X in F order."""
    n_features = X.shape[1]
    tile = _tile_samples(n_features, X.itemsize)
    margins = residual[MAX_TILE:]
    gradient[:] = 0
    loss = 0.0
    total = 0.0
    for first in range(start, stop, tile):
        count = min(tile, stop - first)
        z[:count] = b
        _add_features(X, w, first, count, 0, n_features, margins, z)
        value, value_total = apply_link(link, z, count, first, y, sample_weight, raw, curvature, residual)
        loss += value
        total += value_total
        for k in range(0, n_features, 4):
            j, j1, j2, j3 = _quad(k, n_features - 1)
            a0, a1, a2, a3 = _dot_four(X, j, j1, j2, j3, first, count, residual)
            gradient[j] += a0
            if k + 1 < n_features:
                gradient[j1] += a1
            if k + 2 < n_features:
                gradient[j2] += a2
            if k + 3 < n_features:
                gradient[j3] += a3
    return loss, total


@kernel()
def raw_prediction(X, w, b, start, stop, raw, part):
    """Write X w + b of the rows [start, stop) into `raw`; `part` as `residual` in `fused_pass`."""
    for first in range(start, stop, MAX_TILE):
        count = min(MAX_TILE, stop - first)
        raw[first : first + count] = b
        _add_features(X, w, first, count, 0, X.shape[1], part, raw[first : first + count])


@kernel()
def descend(X, step, coef, w, first, stop, residual, gradient, raw, part):
    """A gradient step of the features [first, stop), and what they add to the next raw predictions, X read once.

    The update of a coefficient needs the gradient of its own feature only, so a feature is read into cache, gives
    its gradient from the residuals, is stepped, and gives its share of X w at the new coefficients.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), F order
    step : float
        Learning rate over the sum of the weights.
    coef : float64 array of shape (n_features,)
        Stepped in place.
    w : array of shape (n_features,)
        Written: `coef` in the dtype the products are computed in.
    first, stop : int
        Features of this block.
    residual : array of w's dtype, shape (n_samples,)
        Residuals at the old coefficients.
    gradient : float64 array of shape (n_features,)
        Written: X^T residual.
    raw : float64 array of shape (n_samples,)
        Written: X w of these features at the new coefficients.
    part : array of w's dtype, shape (n_samples,)
        Work space.
    """
    n_samples = X.shape[0]
    raw[:] = 0
    for k in range(first, stop, 4):
        j, j1, j2, j3 = _quad(k, stop - 1)
        a0, a1, a2, a3 = _dot_four(X, j, j1, j2, j3, 0, n_samples, residual)
        gradient[j], gradient[j1], gradient[j2], gradient[j3] = a0, a1, a2, a3
        quad = min(4, stop - k)
        for m in range(k, k + quad):
            coef[m] -= step * gradient[m]
            w[m] = coef[m]
        _add_features(X, w, 0, n_samples, k, k + quad, part, raw)
