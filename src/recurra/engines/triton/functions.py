"""Functions that generated kernels call: what Triton's language has no name for, or computes less exactly.

``expressions.py`` names them; generated sources import them. They take and return float32.
"""

from __future__ import annotations

import triton
import triton.language as tl

INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)); the exponential of a large -x is infinite, and the result 0."""
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def tanh(x):
    """The hyperbolic tangent: near 0 its series, as 1 - exp(-2x) loses digits there."""
    size = tl.abs(x)
    small = tl.exp(-2.0 * size)
    far = (1.0 - small) / (1.0 + small)
    s = x * x
    near = x + x * s * (-0.33333333333 + s * (0.13333333333 + s * (-0.05396825397 + s * 0.02186948854)))
    return tl.where(size < 0.25, near, tl.where(x < 0.0, -far, far))


@triton.jit
def relu(x):
    """x where it is positive or NaN, else 0."""
    return tl.where(x <= 0.0, 0.0, x)


@triton.jit
def softplus(x):
    """log(1 + exp(x)) without overflow; the correction keeps the digits of a small exponential."""
    small = tl.exp(-tl.abs(x))
    one = 1.0 + small
    log1p = tl.where(one == 1.0, small, tl.log(one) * small / (one - 1.0))
    return tl.where(x <= 0.0, 0.0, x) + log1p


@triton.jit
def sign(x):
    """-1, 0 or 1; NaN for NaN."""
    return tl.where(x > 0.0, 1.0, tl.where(x < 0.0, -1.0, x))


@triton.jit
def minimum(a, b):
    """The smaller number; NaN if one is NaN."""
    return tl.where(a < b, a, tl.where(a != a, a, b))


@triton.jit
def maximum(a, b):
    """The larger number; NaN if one is NaN."""
    return tl.where(a > b, a, tl.where(a != a, a, b))


@triton.jit
def clip(x, low, high):
    """x between two bounds; the upper one if they are swapped."""
    return minimum(maximum(x, low), high)


@triton.jit
def power(a, b):
    """a to the power of b; NaN for a negative a, unless b is an integer."""
    size = tl.exp2(b * tl.log2(tl.abs(a)))
    is_odd = tl.floor(0.5 * b) * 2.0 != b
    of_negative = tl.where(tl.floor(b) == b, tl.where(is_odd, -size, size), float("nan"))
    return tl.where((b == 0.0) | (a == 1.0), 1.0, tl.where(a < 0.0, of_negative, size))


@triton.jit
def total(x, inside):
    """The sum over features, (rows, 1); columns outside of the value do not count."""
    return tl.sum(tl.where(inside, x, 0.0), axis=1, keep_dims=True)


@triton.jit
def largest(x, inside):
    """The maximum over features, (rows, 1); NaN if one is NaN."""
    x = tl.where(inside, x, float("-inf"))
    has_nan = tl.sum(tl.where(x != x, 1.0, 0.0), axis=1, keep_dims=True) > 0.0
    return tl.where(has_nan, float("nan"), tl.max(x, axis=1, keep_dims=True))


@triton.jit
def running(x, inside, before, REVERSE: tl.constexpr):
    """The running sum along features, on top of the sum of the pieces before this one."""
    return before + tl.cumsum(tl.where(inside, x, 0.0), axis=1, reverse=REVERSE)


@triton.jit
def product(a, b, PRECISION: tl.constexpr):
    """A block of float32 times a block of a matrix, as float32; the factors have the matrix's dtype."""
    factor = a.to(b.dtype)
    if INTERPRETED:  # whose product of bfloat16 multiplies their bits; these products are exact in float32
        return tl.dot(factor.to(tl.float32), b.to(tl.float32))
    else:  # noqa: RET505  (Triton compiles one of the branches)
        return tl.dot(factor, b, input_precision=PRECISION)
