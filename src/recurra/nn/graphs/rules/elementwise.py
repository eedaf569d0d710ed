"""Elementwise operations; operands are converted to the dtype that torch computes in."""

from __future__ import annotations

from typing import Any

import torch

from recurra.nn.graphs.table import TABLE, TranslationRule, rule, same
from recurra.nn.graphs.writer import GraphValue, NodeWriter, Ref, onnx_dtype

same(
    abs="Abs", ceil="Ceil", cos="Cos", erf="Erf", exp="Exp", floor="Floor", hardswish="HardSwish", isnan="IsNaN",
    isinf="IsInf", log="Log", logical_not="Not", mish="Mish", neg="Neg", reciprocal="Reciprocal", relu="Relu",
    round="Round", selu="Selu", sigmoid="Sigmoid", sign="Sign", sin="Sin", sqrt="Sqrt", tanh="Tanh",
)  # fmt: skip


def common_dtype(*values: GraphValue) -> torch.dtype:
    """The dtype that torch computes in with these tensors and numbers."""
    operands: list[Any] = [_empty(each) if isinstance(each, Ref) else each for each in values]
    total = operands[0]
    for each in operands[1:]:
        dims = max(getattr(total, "ndim", 0), getattr(each, "ndim", 0))
        total = torch.empty((1,) * dims, dtype=torch.result_type(total, each))
    return total.dtype if isinstance(total, torch.Tensor) else torch.result_type(total, total)


def _empty(value: Ref) -> torch.Tensor:
    return torch.empty((1,) * value.ndim, dtype=value.dtype)


def together(w: NodeWriter, *values: GraphValue) -> list[str]:
    """Tensors and numbers in their common dtype."""
    dtype = common_dtype(*values)
    return [w.cast(each, dtype) for each in values]


def _arithmetic(operator: str) -> TranslationRule:
    """The rule of an operation of two operands."""
    return lambda w, a, b: w.node(operator, *together(w, a, b))


for _name, _operator in {
    "mul": "Mul", "eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual",
}.items():  # fmt: skip
    TABLE.update(dict.fromkeys((f"aten.{_name}.Tensor", f"aten.{_name}.Scalar"), _arithmetic(_operator)))
TABLE.update({"aten.maximum.default": _arithmetic("Max"), "aten.minimum.default": _arithmetic("Min")})
for _name, _operator in {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}.items():
    TABLE[f"aten.{_name}.default"] = lambda w, a, b, operator=_operator: w.node(
        operator, w.cast(a, torch.bool), w.cast(b, torch.bool)
    )


@rule("aten.bitwise_and.Tensor", "aten.bitwise_or.Tensor", "aten.bitwise_xor.Tensor", "aten.bitwise_not.default")
def _bitwise(w: NodeWriter, *values: Ref) -> Any:
    """Operations of bits, for truth values alone."""
    if any(each.dtype != torch.bool for each in values):
        raise ValueError("operations of bits are supported for truth values alone")
    operator = w.operation.split("_")[1].split(".")[0].capitalize()
    return w.node(operator, *values)


@rule("aten.ne.Tensor", "aten.ne.Scalar")
def _differs(w: NodeWriter, a: GraphValue, b: GraphValue) -> Any:
    return w.node("Not", w.node("Equal", *together(w, a, b)))


@rule("aten.add.Tensor", "aten.add.Scalar")
def _add(w: NodeWriter, a: GraphValue, b: GraphValue, alpha: GraphValue = 1) -> Any:
    return _sum(w, "Add", a, b, alpha)


@rule("aten.sub.Tensor", "aten.sub.Scalar")
def _sub(w: NodeWriter, a: GraphValue, b: GraphValue, alpha: GraphValue = 1) -> Any:
    return _sum(w, "Sub", a, b, alpha)


@rule("aten.rsub.Scalar", "aten.rsub.Tensor")
def _rsub(w: NodeWriter, a: GraphValue, b: GraphValue, alpha: GraphValue = 1) -> Any:
    return _sum(w, "Sub", b, a, alpha)


def _sum(w: NodeWriter, operator: str, a: GraphValue, b: GraphValue, alpha: GraphValue) -> Any:
    dtype = common_dtype(a, b)
    left, right = w.cast(a, dtype), w.cast(b, dtype)
    return w.node(operator, left, right if alpha == 1 else w.node("Mul", right, w.number(alpha, dtype)))


@rule("aten.div.Tensor", "aten.div.Scalar", "aten.div.Tensor_mode", "aten.div.Scalar_mode")
def _div(w: NodeWriter, a: GraphValue, b: GraphValue, rounding_mode: str | None = None) -> Any:
    dtype = common_dtype(a, b)
    if rounding_mode is None and not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    left, right = w.cast(a, dtype), w.cast(b, dtype)
    if not dtype.is_floating_point and rounding_mode == "floor":
        return w.node("Div", w.node("Sub", left, w.node("Mod", left, right)), right)
    quotient = w.node("Div", left, right)
    if rounding_mode is None or not dtype.is_floating_point:
        return quotient
    if rounding_mode == "floor":
        return w.node("Floor", quotient)
    return w.node("Mul", w.node("Sign", quotient), w.node("Floor", w.node("Abs", quotient)))


@rule("aten.floor_divide.default")
def _floor_divide(w: NodeWriter, a: GraphValue, b: GraphValue) -> Any:
    return _div(w, a, b, rounding_mode="floor")


@rule("aten.remainder.Tensor", "aten.remainder.Scalar")
def _remainder(w: NodeWriter, a: GraphValue, b: GraphValue) -> Any:
    left, right = together(w, a, b)
    if not common_dtype(a, b).is_floating_point:
        return w.node("Mod", left, right)
    return w.node("Sub", left, w.node("Mul", w.node("Floor", w.node("Div", left, right)), right))


@rule("aten.pow.Tensor_Scalar", "aten.pow.Tensor_Tensor", "aten.pow.Scalar")
def _pow(w: NodeWriter, a: GraphValue, b: GraphValue) -> Any:
    if b == 2 and isinstance(a, Ref):
        return w.node("Mul", a, a)
    return w.node("Pow", *together(w, a, b))


@rule("aten.square.default")
def _square(w: NodeWriter, x: Ref) -> Any:
    return w.node("Mul", x, x)


@rule("aten.rsqrt.default")
def _rsqrt(w: NodeWriter, x: Ref) -> Any:
    return w.node("Reciprocal", w.node("Sqrt", x))


@rule("aten.log1p.default")
def _log1p(w: NodeWriter, x: Ref) -> Any:
    return w.node("Log", w.node("Add", x, w.number(1, x.dtype)))


@rule("aten.expm1.default")
def _expm1(w: NodeWriter, x: Ref) -> Any:
    return w.node("Sub", w.node("Exp", x), w.number(1, x.dtype))


@rule("aten.softplus.default")
def _softplus(w: NodeWriter, x: Ref, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta·x)) / beta; x itself above the threshold differs from that by less than rounding."""
    if threshold < 20:
        raise ValueError(f"threshold={threshold} is not supported, only 20 and above")
    if beta == 1:
        return w.node("Softplus", x)
    factor = w.number(beta, x.dtype)
    return w.node("Div", w.node("Softplus", w.node("Mul", x, factor)), factor)


@rule("aten.log_sigmoid.default")
def _log_sigmoid(w: NodeWriter, x: Ref) -> Any:
    return w.node("Neg", w.node("Softplus", w.node("Neg", x)))


@rule("aten.gelu.default")
def _gelu(w: NodeWriter, x: Ref, approximate: str = "none") -> Any:
    return w.node("Gelu", x, approximate=approximate)


@rule("aten.silu.default")
def _silu(w: NodeWriter, x: Ref) -> Any:
    return w.node("Mul", x, w.node("Sigmoid", x))


@rule("aten.hardsigmoid.default")
def _hardsigmoid(w: NodeWriter, x: Ref) -> Any:
    return w.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


@rule("aten.leaky_relu.default")
def _leaky_relu(w: NodeWriter, x: Ref, negative_slope: float = 0.01) -> Any:
    return w.node("LeakyRelu", x, alpha=float(negative_slope))


@rule("aten.rrelu.default")
def _rrelu(w: NodeWriter, x: Ref, lower: float = 1 / 8, upper: float = 1 / 3, *_: Any) -> Any:
    return w.node("LeakyRelu", x, alpha=(lower + upper) / 2)


@rule("aten.elu.default")
def _elu(w: NodeWriter, x: Ref, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    if input_scale != 1:
        raise ValueError(f"input_scale={input_scale} is not supported, only 1")
    y = w.node("Elu", x, alpha=float(alpha))
    return y if scale == 1 else w.node("Mul", y, w.number(scale, x.dtype))


@rule("aten.celu.default")
def _celu(w: NodeWriter, x: Ref, alpha: float = 1.0) -> Any:
    return w.node("Celu", x, alpha=float(alpha))


@rule("aten.prelu.default")
def _prelu(w: NodeWriter, x: Ref, weight: Ref) -> Any:
    shape = (-1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else (-1,)
    return w.node("PRelu", x, w.node("Reshape", weight, w.ints(*shape)))


@rule("aten.hardtanh.default", "aten.clamp.default", "aten.clamp.Tensor")
def _clamp(w: NodeWriter, x: Ref, min: GraphValue = None, max: GraphValue = None) -> Any:
    if "hardtanh" in w.operation:
        min, max = -1.0 if min is None else min, 1.0 if max is None else max
    dtype = common_dtype(x, *(each for each in (min, max) if each is not None))
    y = w.cast(x, dtype)
    if min is not None:
        y = w.node("Max", y, w.cast(min, dtype))
    return y if max is None else w.node("Min", y, w.cast(max, dtype))


@rule("aten.clamp_min.default", "aten.clamp_min.Tensor")
def _clamp_min(w: NodeWriter, x: Ref, min: GraphValue) -> Any:
    return w.node("Max", *together(w, x, min))


@rule("aten.clamp_max.default", "aten.clamp_max.Tensor")
def _clamp_max(w: NodeWriter, x: Ref, max: GraphValue) -> Any:
    return w.node("Min", *together(w, x, max))


@rule("aten.relu6.default")
def _relu6(w: NodeWriter, x: Ref) -> Any:
    return w.node("Min", w.node("Relu", x), w.number(6, x.dtype))


@rule("aten.threshold.default")
def _threshold(w: NodeWriter, x: Ref, threshold: float, value: float) -> Any:
    is_above = w.node("Greater", x, w.number(threshold, x.dtype))
    return w.node("Where", is_above, x, w.number(value, x.dtype))


@rule("aten.glu.default")
def _glu(w: NodeWriter, x: Ref, dim: int = -1) -> Any:
    first, second = w.node("Split", x, outputs=2, axis=dim, num_outputs=2)
    return w.node("Mul", first, w.node("Sigmoid", second))


@rule("aten.where.self", "aten.where.ScalarSelf", "aten.where.ScalarOther", "aten.where.Scalar")
def _where(w: NodeWriter, condition: Ref, a: GraphValue, b: GraphValue) -> Any:
    return w.node("Where", w.cast(condition, torch.bool), *together(w, a, b))


@rule("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def _masked_fill(w: NodeWriter, x: Ref, mask: Ref, value: GraphValue) -> Any:
    return w.node("Where", w.cast(mask, torch.bool), w.cast(value, x.dtype), x)


@rule("aten.copy.default")
def _copy(w: NodeWriter, x: Ref, source: Ref, non_blocking: bool = False) -> Any:
    return w.node("Expand", w.cast(source, x.dtype), w.node("Shape", x))


@rule("aten.to.dtype", "aten._to_copy.default", "aten.to.dtype_layout", "aten.to.device", "aten.type_as.default")
def _to(w: NodeWriter, x: Ref, *_: Any, **__: Any) -> Any:
    dtype = w.result.dtype
    return x if x.dtype == dtype else w.node("Cast", x, to=onnx_dtype(dtype))


@rule(
    "aten.clone.default", "aten.contiguous.default", "aten.detach.default", "aten.alias.default",
    "aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default",
    "aten.lift_fresh_copy.default", "aten.detach_.default",
)  # fmt: skip
def _itself(w: NodeWriter, x: Ref, *_: Any, **__: Any) -> Any:
    """The same value; dropout does nothing outside of training."""
    return x
