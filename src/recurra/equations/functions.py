"""The functions of the language of cells.

Every function here takes and returns values of the cell that is being traced; Python numbers may stand wherever a value
may.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from recurra.equations.history import delay, history
from recurra.values import Value, current_recorder

ValueOrNumber = Value | float


def _apply(operation: str, *operands: object, results: int = 1, **attributes: float | int | str) -> list[Value]:
    return current_recorder(operation).apply(operation, operands, attributes, results)


def sigmoid(x: ValueOrNumber) -> Value:
    """1 / (1 + exp(-x)), elementwise."""
    return _apply("sigmoid", x)[0]


def tanh(x: ValueOrNumber) -> Value:
    """The hyperbolic tangent, elementwise."""
    return _apply("tanh", x)[0]


def relu(x: ValueOrNumber) -> Value:
    """max(x, 0), elementwise."""
    return _apply("relu", x)[0]


def hard_sigmoid(x: ValueOrNumber, slope: float = 1 / 6) -> Value:
    """The sigmoid in three straight pieces: ``clip(slope * x + 0.5, 0, 1)``, elementwise (Courbariaux et al. 2015).

    Args:
        x: the value.
        slope: of the middle piece. Default 1/6, as in torch and Keras 3; Keras 2's and ONNX's default is 0.2.
    """
    return clip(slope * x + 0.5, 0.0, 1.0)


def exp(x: ValueOrNumber) -> Value:
    """The exponential, elementwise."""
    return _apply("exp", x)[0]


def log(x: ValueOrNumber) -> Value:
    """The natural logarithm, elementwise."""
    return _apply("log", x)[0]


def softplus(x: ValueOrNumber) -> Value:
    """log(1 + exp(x)), elementwise, without overflow."""
    return _apply("softplus", x)[0]


def sqrt(x: ValueOrNumber) -> Value:
    """The square root, elementwise."""
    return _apply("sqrt", x)[0]


def abs(x: ValueOrNumber) -> Value:
    """The absolute value, elementwise."""
    return _apply("abs", x)[0]


def sin(x: ValueOrNumber) -> Value:
    """The sine of x in radians, elementwise."""
    return _apply("sin", x)[0]


def cos(x: ValueOrNumber) -> Value:
    """The cosine of x in radians, elementwise."""
    return _apply("cos", x)[0]


def erf(x: ValueOrNumber) -> Value:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x, elementwise."""
    return _apply("erf", x)[0]


def sign(x: ValueOrNumber) -> Value:
    """1 where x is positive, -1 where it is negative, 0 where it is 0, elementwise; its gradient is 0."""
    return _apply("sign", x)[0]


def floor(x: ValueOrNumber) -> Value:
    """The largest whole number that is not above x, elementwise; its gradient is 0."""
    return _apply("floor", x)[0]


def minimum(a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """The smaller of two, elementwise."""
    return _apply("minimum", a, b)[0]


def maximum(a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """The larger of two, elementwise."""
    return _apply("maximum", a, b)[0]


def clip(x: ValueOrNumber, low: ValueOrNumber, high: ValueOrNumber) -> Value:
    """x, but at least ``low`` and at most ``high``, elementwise."""
    return _apply("clip", x, low, high)[0]


def where(condition: Value, a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """``a`` where the condition (a comparison) holds, ``b`` elsewhere, elementwise."""
    return _apply("where", condition, a, b)[0]


def mean(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The mean over the features, a scalar for each example; of a parameter, over all elements or along an axis.

    Args:
        x: the value.
        axis: of a matrix that is computed from parameters: 0 gives a number for each column, 1 or -1 one for each row.
            Default None: over all elements.
        keepdims: whether a matrix stays a matrix, of one row or column, so that it meets ``x`` elementwise. Default
            False; a row meets a matrix without it.

    Raises:
        EquationError: ``axis`` or ``keepdims`` is something else.
    """
    return _reduced("mean", x, axis, keepdims)


def sum(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The sum over the features, a scalar for each example; of a parameter, over all elements or along an axis.

    ``w / sqrt(sum(w ** 2, axis=0)) * g`` normalises the columns of ``w``. Arguments and errors are those of `mean`.
    """
    return _reduced("sum", x, axis, keepdims)


def max(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The largest feature, a scalar for each example; of a parameter, of all elements or along an axis.

    Arguments and errors are those of `mean`.
    """
    return _reduced("max", x, axis, keepdims)


def _reduced(function: str, x: Value, axis: int | None, keepdims: bool) -> Value:
    recorder = current_recorder(function)
    if axis is None or recorder.is_varying(x):
        if axis not in (None, 0, -1):
            recorder.fail(f"{function}: what differs from step to step has one axis, 0 or -1, not {axis!r}")
        return _apply(function, x)[0]
    if type(axis) is not int or not -2 <= axis <= 1:
        recorder.fail(f"{function}: axis must be 0 (a number for each column) or 1 (one for each row), not {axis!r}")
    result = _apply(f"{function}_along", x, axis=axis)[0]
    return _apply("broadcast", result, axis=axis)[0] if keepdims else result


def cumsum(x: Value) -> Value:
    """The running sum along the features."""
    return _apply("cumsum", x)[0]


def split(x: Value, parts: int) -> tuple[Value, ...]:
    """The features cut in ``parts`` equal parts; a matrix is cut along its columns.

    Raises:
        EquationError: ``parts`` is not a positive whole number.
    """
    if type(parts) is not int or parts < 1:
        current_recorder("split").fail(f"split(x, parts) needs a positive whole number of parts, not {parts!r}")
    return tuple(_apply("split", x, results=parts))


def concat(*values: Value) -> Value:
    """The features of several values one after the other; matrices side by side.

    Raises:
        EquationError: nothing is given.
    """
    if not values:
        current_recorder("concat").fail("concat needs at least one value")
    return _apply("concat", *values)[0]


def heads(x: Value, count: int) -> Value:
    """x as ``count`` blocks of equal size, for a block-diagonal product: ``heads(h, 4) @ R``.

    ``R`` then has the shape (count, size of a block, columns), and the product is a vector again, block after block.

    Raises:
        EquationError: ``count`` is not a whole number from 1 to 65,536.
    """
    if type(count) is not int or not 0 < count <= 65536:
        current_recorder("heads").fail(f"heads(x, count) needs a whole number from 1 to 65536, not {count!r}")
    return _apply("heads", x, count=count)[0]


def eye() -> Value:
    """The identity matrix, of the size that its use asks for: ``M - M.T - 0.1 * eye()``."""
    return _apply("eye")[0]


def scalar(parameter: Value) -> Value:
    """State that a parameter is one number: ``sigmoid(scalar(alpha)) * h``.

    Without it, a parameter that meets a vector elementwise is a vector of that size.
    """
    return _apply("scalar", parameter)[0]


def detach(x: Value) -> Value:
    """x itself, through which no gradient passes, as ``torch.Tensor.detach``.

    ``floor(x) + (x - detach(x))`` is the whole number below x, with the gradient of x: a straight-through estimator
    (Bengio et al. 2013).
    """
    return _apply("detach", x)[0]


def softmax(x: Value) -> Value:
    """exp(x) / sum(exp(x)) over the features, without overflow."""
    powers = exp(x - max(x))
    return powers / sum(powers)


def gelu(x: ValueOrNumber, approximate: str = "none") -> Value:
    """x Φ(x), elementwise, with the normal distribution's Φ (Hendrycks & Gimpel 2016), as ``torch.nn.functional.gelu``.

    Args:
        x: the value.
        approximate: ``"none"`` computes Φ(x) = (1 + erf(x/√2))/2; ``"tanh"`` is their approximation of it by tanh.
            Default ``"none"``.

    Raises:
        EquationError: ``approximate`` is something else.
    """
    if approximate == "none":
        return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))
    if approximate != "tanh":
        current_recorder("gelu").fail(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def layer_norm(x: Value, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5) -> Value:
    """(x - mean) / sqrt(variance + eps) over the features, times ``weight``, plus ``bias`` (Ba et al. 2016, eq. 4).

    The variance is the biased one, as in ``torch.nn.LayerNorm``.
    """
    centred = x - mean(x)
    normal = centred / sqrt(mean(centred * centred) + eps)
    return _affine(normal, weight, bias)


def rms_norm(x: Value, weight: Value | None = None, eps: float = 1e-5) -> Value:
    """x / sqrt(mean(x²) + eps) over the features, times ``weight`` (Zhang & Sennrich 2019, eq. 4)."""
    return _affine(x / sqrt(mean(x * x) + eps), weight, None)


def _affine(x: Value, weight: Value | None, bias: Value | None) -> Value:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def bernoulli(p: float, *, per: str = "step") -> Value:
    """1 with probability ``p``, else 0, for each example and feature; outside training, ``p`` itself.

    The shape follows from use. Zoneout (Krueger et al. 2017, eq. 6–7), for example, is
    ``m = bernoulli(p); h = m * h + (1 - m) * new_h``, in evaluation too.

    Args:
        p: the probability, 0 to 1.
        per: ``"step"`` draws new numbers at every time step, ``"sequence"`` once per sequence. Default ``"step"``.

    Raises:
        EquationError: ``p`` or ``per`` is something else.
    """
    _check_mask("bernoulli", p, per)
    return _apply("mask", probability=float(p), on=1.0, mean=float(p), per=per)[0]


def dropout(x: Value, p: float = 0.5, *, per: str = "step") -> Value:
    """x with each feature zeroed with probability ``p`` and the others divided by 1 - p; x itself outside training.

    Args:
        x: the value.
        p: the probability of zero, 0 to 1. Default 0.5.
        per: ``"step"`` draws a new mask at every time step, ``"sequence"`` one per sequence (Gal & Ghahramani 2016).
            Default ``"step"``.

    Raises:
        EquationError: ``p`` or ``per`` is something else.
    """
    _check_mask("dropout", p, per)
    keep = 1.0 - float(p)
    return x * _apply("mask", probability=keep, on=1 / keep if keep else 0.0, mean=1.0, per=per)[0]


def _check_mask(function: str, p: object, per: object) -> None:
    recorder = current_recorder(function)
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        recorder.fail(f"{function}: the probability must be a number from 0 to 1, not {p!r}")
    if per not in ("step", "sequence"):
        recorder.fail(f"{function}: per must be 'step' or 'sequence', not {per!r}")


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            sigmoid, tanh, relu, hard_sigmoid, exp, log, softplus, sqrt, abs, sin, cos, erf, sign, floor, minimum,
            maximum, clip, where, mean, sum, max, cumsum, split, concat, heads, eye, scalar, detach, softmax, gelu,
            layer_norm, rms_norm, bernoulli, dropout, delay, history,
        )
    }
)  # fmt: skip
