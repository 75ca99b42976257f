"""What happens between the two products of a pass: from the raw predictions of a few rows to what multiplies X^T.

`LOSS` turns raw predictions into residuals (and adds up the loss), `PRODUCT` turns X v into D X v for a product with
the Hessian. Dense and sparse passes of every layout share these lines.
"""

from .._jit import kernel
from .pointwise import loss_residual_curvature

LOSS, PRODUCT = 0, 1

# The operations of a pass; the first has no link.
RAW_PREDICTION, LOSS_GRADIENT, HESSIAN_PRODUCT = 1, 2, 3


@kernel()
def apply_link(link, z, count, start, y, sample_weight, raw, curvature, residual):
    """Apply a link to the raw predictions ``z[:count]`` of the rows from `start`.

    Parameters
    ----------
    link : int
        `LOSS` or `PRODUCT`.
    z : float64 array of shape (>= count,)
        X w + b (`LOSS`) or X v + v_b (`PRODUCT`) of these rows.
    count, start : int
        Number of rows and index of the first.
    y : float64 array of shape (n_samples,)
        Targets in [0, 1].
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Weights; empty for all ones.
    raw, curvature : float64 arrays of shape (n_samples,)
        `LOSS` writes the raw prediction and the weighted second derivative of these rows; `PRODUCT` reads the latter.
    residual : array of shape (>= count,)
        Written: the coefficient of each row in the sum over rows that follows.

    Returns
    -------
    loss, total : float
        Weighted sum of the losses (0 for `PRODUCT`), and sum of the coefficients.
    """
    stop = start + count
    h = curvature[start:stop]
    loss = 0.0
    total = 0.0
    if link == PRODUCT:
        for i in range(count):
            r = h[i] * z[i]
            total += r
            residual[i] = r
        return loss, total
    # Slices of the block's own rows, so that the loops below vectorise.
    targets = y[start:stop]
    kept = raw[start:stop]
    if sample_weight.size > 0:
        weights = sample_weight[start:stop]
        for i in range(count):
            kept[i] = z[i]
            value, r, second = loss_residual_curvature(z[i], targets[i])
            weight = weights[i]
            loss += weight * value
            total += weight * r
            residual[i] = weight * r
            h[i] = weight * second
    else:
        for i in range(count):
            kept[i] = z[i]
            value, r, second = loss_residual_curvature(z[i], targets[i])
            loss += value
            total += r
            residual[i] = r
            h[i] = second
    return loss, total


@kernel(cache=True)
def apply_loss(z, y, sample_weight, raw, curvature, residual):
    """`apply_link` of `LOSS` to all rows, for Python to call."""
    return apply_link(LOSS, z, z.size, 0, y, sample_weight, raw, curvature, residual)
