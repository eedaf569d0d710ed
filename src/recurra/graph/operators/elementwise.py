"""Elementwise operators; shapes broadcast as in numpy."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.engines.reference.numpy_table import erf, sigmoid
from recurra.graph.dtypes import read_dtype
from recurra.graph.operators.limits import check_broadcast, check_dtypes, checked_shape
from recurra.graph.table import Array, NodeFunction, functions, one_of, operator


def _together(function: NodeFunction, free: int = 0) -> NodeFunction:
    """Add checks to a function of several arrays: they broadcast, and all but the first ``free`` have one dtype."""

    def checked(*arrays: Array) -> Array:
        check_broadcast(arrays)
        check_dtypes(*arrays[free:])
        return function(*arrays)

    return checked


def _in_turn(function: NodeFunction) -> NodeFunction:
    """Extend a function of two arrays to any number of them."""
    return lambda *arrays: functools.reduce(function, arrays)


def relu(x: Array) -> Array:
    """max(x, 0); NaN stays."""
    return np.maximum(x, np.zeros((), x.dtype))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.logaddexp(x, np.zeros((), x.dtype))


def divide(a: Array, b: Array) -> Array:
    """a / b; the quotient of whole numbers is rounded towards zero."""
    if a.dtype.kind not in "iu":
        return a / b
    quotient = np.floor_divide(a, b)
    is_below = (quotient < 0) & (quotient * b != a)
    return quotient + is_below.astype(a.dtype)


def power(x: Array, exponent: Array) -> Array:
    """x to the power of the exponent, in the dtype of x."""
    return np.power(x, exponent).astype(x.dtype)


def identity(x: Array) -> Array:
    """x."""
    return x


def mean(*arrays: Array) -> Array:
    """The mean of several arrays."""
    return functools.reduce(np.add, arrays) / arrays[0].dtype.type(len(arrays))


functions(
    Abs=np.abs, Ceil=np.ceil, Cos=np.cos, Erf=erf, Exp=np.exp, Floor=np.floor, Identity=identity, IsNaN=np.isnan,
    Log=np.log, Neg=np.negative, Not=np.logical_not, Reciprocal=np.reciprocal, Relu=relu, Round=np.round,
    Sigmoid=sigmoid, Sign=np.sign, Sin=np.sin, Softplus=softplus, Sqrt=np.sqrt, Tanh=np.tanh,
    Softsign=lambda x: x / (1 + np.abs(x)),
    HardSwish=lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    Mish=lambda x: x * np.tanh(softplus(x)),
)  # fmt: skip

_SEVERAL: Mapping[str, NodeFunction] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": divide, "And": np.logical_and, "Or": np.logical_or,
    "Xor": np.logical_xor, "Equal": np.equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal,
    "Less": np.less, "LessOrEqual": np.less_equal, "PRelu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "Max": _in_turn(np.maximum), "Min": _in_turn(np.minimum), "Sum": _in_turn(np.add), "Mean": mean,
}  # fmt: skip
functions(
    Where=_together(np.where, free=1),
    Pow=_together(power, free=2),
    **{name: _together(function) for name, function in _SEVERAL.items()},
)


@operator("Mod", fmod=one_of(0, 1))
def modulo(a: Array, b: Array, *, fmod: int = 0) -> Array:
    """The remainder, with the sign of b; with ``fmod``, with the sign of a."""
    check_broadcast((a, b))
    check_dtypes(a, b)
    return np.fmod(a, b) if fmod else np.mod(a, b)


@operator("IsInf")
def is_infinite(x: Array, *, detect_negative: int = 1, detect_positive: int = 1) -> Array:
    """Whether each element is infinite, with a sign that is asked for."""
    return np.isinf(x) & ((x < 0) & bool(detect_negative) | (x > 0) & bool(detect_positive))


@operator("LeakyRelu")
def leaky_relu(x: Array, *, alpha: float = 0.01) -> Array:
    """x; alpha·x below zero."""
    return np.where(x >= 0, x, alpha * x)


@operator("ThresholdedRelu")
def thresholded_relu(x: Array, *, alpha: float = 1.0) -> Array:
    """x where it is above alpha, else 0."""
    return np.where(x > alpha, x, np.zeros((), x.dtype))


@operator("Elu")
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x; alpha·(exp(x) − 1) below zero."""
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


@operator("Celu")
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """x; alpha·(exp(x/alpha) − 1) below zero."""
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


@operator("Selu")
def selu(x: Array, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Array:
    """gamma·elu(x)."""
    return gamma * elu(x, alpha=alpha)


@operator("HardSigmoid")
def hard_sigmoid(x: Array, *, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """alpha·x + beta, clipped to between 0 and 1."""
    return np.clip(alpha * x + beta, 0, 1)


@operator("Gelu", since=20, approximate=one_of("none", "tanh"))
def gelu(x: Array, *, approximate: str = "none") -> Array:
    """x times the cumulative normal distribution, which may be approximated by tanh."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


@operator("Swish", since=24)
def swish(x: Array, *, alpha: float = 1.0) -> Array:
    """x·sigmoid(alpha·x)."""
    return x * sigmoid(alpha * x)


@operator("Clip", until=10)
def clip_to_attributes(x: Array, *, min: float | None = None, max: float | None = None) -> Array:
    """x, at least min and at most max."""
    return clip(x, min, max)


@operator("Clip", since=11)
def clip(x: Array, low: Any = None, high: Any = None) -> Array:
    """x, at least low and at most high; high wins if it is below low."""
    if low is not None:
        x = np.maximum(x, _number(low, x))
    return x if high is None else np.minimum(x, _number(high, x))


def _number(bound: Any, x: Array) -> Array:
    if np.size(bound) != 1:
        raise ValueError(f"a bound must be one number; got {np.shape(bound)}")
    return np.asarray(bound, x.dtype).reshape(())


@operator("Cast", to=read_dtype)
def cast(x: Array, *, to: np.dtype[Any], saturate: int = 1, round_mode: str = "up") -> Array:
    """x in another dtype; the options are about 8-bit floats, which are not supported."""
    checked_shape(x.shape, to)
    return x.astype(to)


@operator("CastLike")
def cast_like(x: Array, like: Array, *, saturate: int = 1, round_mode: str = "up") -> Array:
    """x in the dtype of another array."""
    checked_shape(x.shape, like.dtype)
    return x.astype(like.dtype)
