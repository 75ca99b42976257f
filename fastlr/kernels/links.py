"""What happens between the two products of a pass: from the raw predictions of a few rows to what multiplies X^T.

`HESSIAN_PRODUCT` turns X v into D X v, `RAW_PREDICTION` keeps raw predictions, and all other operations turn these into
residuals (and add up the loss). Dense and sparse passes of every layout share these lines.
"""

from ..runtime.jit import helper, kernel
from .operations import Operation
from .pointwise import formula_of


@helper()
def apply_link(what, z, count, start, formula, y, sample_weight, raw, curvature, residual):
    """Apply the link of an operation to the raw predictions ``z[:count]`` of the rows from `start`.

    Parameters
    ----------
    what : int
        The operation, see `operations`.
    z : float64 array of shape (>= count,)
        X w + b, or X v + v_b (`HESSIAN_PRODUCT`), of these rows.
    count, start : int
        Number of rows and index of the first.
    formula : named tuple
        The loss, see `pointwise.formula_of`.
    y : float64 array of shape (n_samples,)
        Targets.
    sample_weight : float64 array of shape (n_samples,) or (0,)
        Weights; empty for all ones.
    raw, curvature : float64 arrays of shape (n_samples,)
        `HESSIAN_PRODUCT` reads the weighted second derivatives of these rows; all others write the raw predictions, and
        with the loss these derivatives.
    residual : array of shape (>= count,)
        Written: the coefficient of each row in the sum over rows that follows.

    Returns
    -------
    loss, total : float
        Weighted sum of the losses, and sum of the coefficients; 0 where there are none.
    """
    stop = start + count
    h = curvature[start:stop]
    loss = 0.0
    total = 0.0
    if what == Operation.HESSIAN_PRODUCT:
        for i in range(count):
            r = h[i] * z[i]
            total += r
            residual[i] = r
        return loss, total
    # Slices of the block's own rows, so that the loops below vectorise.
    targets = y[start:stop]
    kept = raw[start:stop]
    for i in range(count):
        kept[i] = z[i]
    if what == Operation.RAW_PREDICTION:
        return loss, total
    for i in range(count):  # until they are written, the place of the second derivatives is that of the weights
        h[i] = sample_weight[start + i] if sample_weight.size > 0 else 1.0
    for i in range(count):
        value, r, second = formula_of(formula, z[i], targets[i])
        weight = h[i]
        loss += weight * value
        total += weight * r
        residual[i] = weight * r
        h[i] = weight * second
    return loss, total


@kernel()
def apply_loss(z, formula, y, sample_weight, raw, curvature, residual):
    """`apply_link` of `LOSS_GRADIENT` to all rows, for Python to call."""
    return apply_link(Operation.LOSS_GRADIENT, z, z.size, 0, formula, y, sample_weight, raw, curvature, residual)
