"""The activations of torch.nn, as equations: a table, and those that it cannot hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from recurra import equations as eq
from recurra.equations import feed_forward


@feed_forward
def _relu(x: Any) -> Any:
    return eq.relu(x)


@feed_forward
def _tanh(x: Any) -> Any:
    return eq.tanh(x)


@feed_forward
def _sigmoid(x: Any) -> Any:
    return eq.sigmoid(x)


@feed_forward
def _silu(x: Any) -> Any:
    return x * eq.sigmoid(x)


@feed_forward
def _softsign(x: Any) -> Any:
    return x / (1 + eq.abs(x))


@feed_forward
def _hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return eq.clip(x, min_val, max_val)


@feed_forward
def _elu(x: Any, *, alpha: float = 1.0) -> Any:
    return eq.where(x > 0, x, alpha * (eq.exp(eq.minimum(x, 0.0)) - 1))


@feed_forward
def _leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    return eq.where(x > 0, x, negative_slope * x)


@feed_forward
def prelu(x: Any, *, weight: Any) -> Any:
    """He et al. 2015, with one slope for all features."""
    return eq.where(x > 0, x, eq.scalar(weight) * x)


@feed_forward
def _softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return eq.where(beta * x > threshold, x, eq.softplus(beta * x) / beta)


@feed_forward
def gelu_tanh(x: Any) -> Any:
    """The approximation by tanh (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + eq.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


@feed_forward
def gelu(x: Any) -> Any:
    """x Φ(x) (Hendrycks & Gimpel 2016); erf to the last digit (Cody 1969, "Rational Chebyshev approximations for the
    error function", with the coefficients of his CALERF); where erfc is below 1e-16, erf is 1.
    """
    z = x / math.sqrt(2)
    size = eq.minimum(eq.abs(z), 6.0)
    square = size * size
    small = z * _polynomial(square, _NEAR) / _polynomial(square, _NEAR_BELOW)
    large = 1 - eq.exp(-square) * _polynomial(size, _FAR) / _polynomial(size, _FAR_BELOW)
    erf = eq.where(size <= 0.46875, small, eq.where(z > 0, large, -large))
    return 0.5 * x * (1 + erf)


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """The coefficient of the highest power comes first."""
    first, *others = coefficients
    value = first * x + others[0]
    for coefficient in others[1:]:
        value = value * x + coefficient
    return value


_NEAR = (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947)
_NEAR_BELOW = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)
_FAR = (
    2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
    881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725,
)  # fmt: skip
_FAR_BELOW = (
    1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963,
    4362.61909014324716, 3439.36767414372164, 1230.33935480374942,
)  # fmt: skip


@feed_forward
def _relu6(x: Any) -> Any:
    return eq.clip(x, 0.0, 6.0)


@feed_forward
def _selu(x: Any) -> Any:
    """Klambauer et al. 2017."""
    return 1.0507009873554805 * eq.where(x > 0, x, 1.6732632423543772 * (eq.exp(eq.minimum(x, 0.0)) - 1))


@feed_forward
def _celu(x: Any, *, alpha: float = 1.0) -> Any:
    """Barron 2017."""
    return eq.where(x > 0, x, alpha * (eq.exp(eq.minimum(x, 0.0) / alpha) - 1))


@feed_forward
def _mish(x: Any) -> Any:
    """Misra 2019."""
    return x * eq.tanh(eq.softplus(x))


@feed_forward
def _hardsigmoid(x: Any) -> Any:
    return eq.clip(x + 3, 0.0, 6.0) / 6


@feed_forward
def _hardswish(x: Any) -> Any:
    return x * eq.clip(x + 3, 0.0, 6.0) / 6


@feed_forward
def _log_sigmoid(x: Any) -> Any:
    return -eq.softplus(-x)


@feed_forward
def _tanhshrink(x: Any) -> Any:
    return x - eq.tanh(x)


@feed_forward
def _softshrink(x: Any, *, lambd: float = 0.5) -> Any:
    return x - eq.clip(x, -lambd, lambd)


@feed_forward
def _hardshrink(x: Any, *, lambd: float = 0.5) -> Any:
    return eq.where(eq.abs(x) <= lambd, 0.0, x)


@feed_forward
def _threshold(x: Any, *, threshold: float = 0.0, value: float = 0.0) -> Any:
    return eq.where(x <= threshold, value, x)


@feed_forward
def _softmax(x: Any) -> Any:
    return eq.softmax(x)


@feed_forward
def _log_softmax(x: Any) -> Any:
    centred = x - eq.max(x)
    return centred - eq.log(eq.sum(eq.exp(centred)))


@feed_forward
def _softmin(x: Any) -> Any:
    return eq.softmax(-x)


# By kind of part: the cell, and the settings that are its options.
ACTIVATIONS: Mapping[str, tuple[Any, ...]] = {
    "ReLU": (_relu,),
    "ReLU6": (_relu6,),
    "Tanh": (_tanh,),
    "Sigmoid": (_sigmoid,),
    "LogSigmoid": (_log_sigmoid,),
    "SiLU": (_silu,),
    "Mish": (_mish,),
    "Softsign": (_softsign,),
    "Hardtanh": (_hardtanh, "min_val", "max_val"),
    "Hardsigmoid": (_hardsigmoid,),
    "Hardswish": (_hardswish,),
    "ELU": (_elu, "alpha"),
    "CELU": (_celu, "alpha"),
    "SELU": (_selu,),
    "LeakyReLU": (_leaky_relu, "negative_slope"),
    "Softplus": (_softplus, "beta", "threshold"),
    "Tanhshrink": (_tanhshrink,),
    "Softshrink": (_softshrink, "lambd"),
    "Hardshrink": (_hardshrink, "lambd"),
    "Threshold": (_threshold, "threshold", "value"),
    "Softmax": (_softmax,),
    "Softmin": (_softmin,),
    "LogSoftmax": (_log_softmax,),
}
