"""The loss of one sample and its derivatives: the only place where a margin meets an exponential.

For the logistic loss, with the raw prediction z, the target y in [0, 1] and e = exp(-|z|), which never overflows,

    loss(z, y)  = log(1 + e) + max(z, 0) - y z
    sigmoid(z)  = 1 / (1 + e) for z >= 0, e / (1 + e) for z < 0
    residual    = dloss/dz   = sigmoid(z) - y
    curvature   = d2loss/dz2 = e / (1 + e)^2

The exponential and the logarithm are polynomials, written out so that loops over samples vectorise; calls into the
C library do not, and take five times as long. Both are accurate to a few units in the last place. NaN stays NaN.
"""

import math

from numba import types
from numba.extending import intrinsic, overload

from ..runtime.jit import CONTRACT, helper, kernel, options

# Cody & Waite: ln 2 in two parts, the first with enough trailing zeros that k * _LN2_HIGH is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_INV_LN2 = 1.0 / math.log(2.0)
_SHIFT = 1.5 * 2.0**52  # adding it rounds to the nearest integer, which then stands in the low bits
_LOWEST = -708.0  # exp of this is the last normal float64


@intrinsic
def _power_of_two(typingctx, shifted):
    """2.0 ** k for shifted = k + _SHIFT: the low bits of `shifted` are k; they become the exponent bits."""

    def codegen(context, builder, signature, args):
        int64 = context.get_value_type(types.int64)
        k = builder.bitcast(args[0], int64)
        bits = builder.shl(builder.add(k, int64(1023)), int64(52))
        return builder.bitcast(bits, context.get_value_type(types.float64))

    return types.float64(types.float64), codegen


@helper(CONTRACT)
def exp_negative(x):
    """exp(x) for x <= 0; below -708, where float64 leaves its normal range, exp(-708) = 3e-308."""
    x = _LOWEST if x < _LOWEST else x
    shifted = x * _INV_LN2 + _SHIFT
    k = shifted - _SHIFT
    r = x - k * _LN2_HIGH
    r = r - k * _LN2_LOW
    # Taylor series of exp on |r| <= ln(2)/2, to r^13/13!.
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * _power_of_two(shifted)


@helper(CONTRACT)
def log1p_unit(e):
    """log(1 + e) for e in [0, 1].

    log(1 + e) = 2 atanh(s), s = e / (2 + e); above sqrt(2) - 1 the same for (1 + e) / 2, plus ln 2, which keeps
    |s| below 0.172 and the series short.
    """
    high = e > 0.41421356237309503
    s = (e - 1.0) / (e + 3.0) if high else e / (e + 2.0)
    t = s * s
    p = 2.0 / 21.0
    p = p * t + 2.0 / 19.0
    p = p * t + 2.0 / 17.0
    p = p * t + 2.0 / 15.0
    p = p * t + 2.0 / 13.0
    p = p * t + 2.0 / 11.0
    p = p * t + 2.0 / 9.0
    p = p * t + 2.0 / 7.0
    p = p * t + 2.0 / 5.0
    p = p * t + 2.0 / 3.0
    p = p * t + 2.0
    return p * s + (0.6931471805599453 if high else 0.0)


@helper(CONTRACT)
def log1p_positive(x):
    """log(1 + x) for x >= 0."""
    return math.log1p(x)


@helper(CONTRACT)
def sigmoid(z):
    """1 / (1 + exp(-z))."""
    e = exp_negative(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@helper(CONTRACT)
def loss_residual_curvature(z, y):
    """Loss of one sample, its first and its second derivative with respect to the raw prediction z."""
    e = exp_negative(-abs(z))
    inverse = 1.0 / (1.0 + e)
    positive = z if z > 0.0 else 0.0
    loss = log1p_unit(e) + (positive - y * z)  # in this order, or a loss of 1e-9 is lost in z
    p = (1.0 if z >= 0.0 else e) * inverse
    return loss, p - y, e * inverse * inverse


def formula_of(formula, z, y):
    """Loss of one sample, its first and its second derivative with respect to the raw prediction z.

    Parameters
    ----------
    formula : named tuple
        Its class says which loss: ``formula.compiled()`` is a function of (formula, z, y) that Numba can compile. A
        named tuple, because kernels that are called with one are cached, and no two classes share a kernel.
    z : float
    y : float or record
        What the loss has for a target.
    """
    raise TypeError("only kernels can call this: the formula is chosen where they are compiled")


@overload(formula_of, jit_options=options(CONTRACT, is_helper=True))
def _overload_formula_of(formula, z, y):
    return formula.instance_class.compiled()


@kernel()
def sigmoid_array(z, out):
    """Write the sigmoid of each entry of z into out."""
    for i in range(z.size):
        out[i] = sigmoid(z[i])
