"""Operations on tensors that Keras writes as layers: arithmetic, comparisons, slices, reductions."""

from __future__ import annotations

from typing import Any

from recurra.conversion.keras_config import sole
from recurra.conversion.keras_graphs.rules.merging import broadcast
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule, values_in
from recurra.conversion.keras_graphs.writer import KerasValue, KerasWriter

_ARITHMETIC = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "Divide": "Div", "TrueDivide": "Div",
               "Maximum": "Max", "Minimum": "Min"}  # fmt: skip
_COMPARISONS = {"Equal": "Equal", "NotEqual": "Equal", "Greater": "Greater", "GreaterEqual": "GreaterOrEqual",
                "Less": "Less", "LessEqual": "LessOrEqual"}  # fmt: skip
_LOGICAL = {"LogicalAnd": "And", "LogicalOr": "Or"}
_ELEMENTWISE = {"Exp": "Exp", "Log": "Log", "Sqrt": "Sqrt", "Abs": "Abs", "Absolute": "Abs", "Negative": "Neg",
                "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Relu": "Relu"}  # fmt: skip
_REDUCTIONS = {"Sum": "ReduceSum", "Mean": "ReduceMean", "Max": "ReduceMax", "Min": "ReduceMin"}
_BEYOND = 2**62


def _operands(call: RuleCall) -> list[Any]:
    """The operands: tensors and numbers, which may stand in one list."""
    flat: list[Any] = []
    for each in call.arguments:
        flat += each if isinstance(each, list) else [each]
    if not values_in(flat) or len(flat) < 2:
        raise ValueError("two operands or more are needed")
    return flat


def _real(w: KerasWriter, operand: Any) -> str:
    """An operand as real numbers.

    Raises:
        ValueError: it is neither a tensor nor a number.
    """
    if isinstance(operand, KerasValue):
        return w.real(operand)
    if isinstance(operand, bool) or not isinstance(operand, (int, float)) or not abs(operand) < 1e38:
        raise ValueError(f"{str(operand)[:60]} is neither a tensor nor a number")
    return w.constant(float(operand))


@keras_rule(*_ARITHMETIC)
def _arithmetic(w: KerasWriter, call: RuleCall) -> KerasValue:
    """Arithmetic of tensors and numbers; the layers of these names have masks, too."""
    operands = _operands(call)
    values = values_in(operands)
    y = w.together(_ARITHMETIC[call.layer.kind], [_real(w, each) for each in operands])
    masks = [value.mask for value in values if value.mask is not None]
    mask = w.together("Or", masks) if len(masks) == len(operands) else None
    return KerasValue(y, broadcast(values), mask)


@keras_rule(*_COMPARISONS)
def _comparison(w: KerasWriter, call: RuleCall) -> KerasValue:
    operands, kind = _operands(call), call.layer.kind
    first, second = operands[0], operands[1]
    if kind == "NotEqual" and isinstance(first, KerasValue) and isinstance(second, (int, float)):
        return KerasValue(w.not_equal(first, second), first.shape, kind="bool")
    y = w.node(_COMPARISONS[kind], _real(w, first), _real(w, second))
    y = w.node("Not", y) if kind == "NotEqual" else y
    return KerasValue(str(y), broadcast(values_in(operands)), kind="bool")


@keras_rule(*_LOGICAL)
def _logical(w: KerasWriter, call: RuleCall) -> KerasValue:
    values = values_in(_operands(call))
    y = w.together(_LOGICAL[call.layer.kind], [w.truth(value) for value in values])
    return KerasValue(y, broadcast(values), kind="bool")


@keras_rule("LogicalNot")
def _not(w: KerasWriter, call: RuleCall) -> KerasValue:
    return KerasValue(str(w.node("Not", w.truth(call.x))), call.x.shape, kind="bool")


@keras_rule(*_ELEMENTWISE)
def _elementwise(w: KerasWriter, call: RuleCall) -> KerasValue:
    y = w.node(_ELEMENTWISE[call.layer.kind], w.real(call.x))
    return KerasValue(str(y), call.x.shape)


@keras_rule("ConvertToTensor", "StopGradient")
def _same(w: KerasWriter, call: RuleCall) -> KerasValue:
    return call.x


@keras_rule("Any")
def _any(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis = _axis(call, call.x.rank)
    shape = tuple(size for dim, size in enumerate(call.x.shape) if dim != axis)
    return KerasValue(w.any(w.truth(call.x), axis), shape, kind="bool")


def _axis(call: RuleCall, rank: int) -> int:
    """The layer's axis, counted from the first dimension.

    Raises:
        ValueError: it is no dimension.
    """
    given = sole(call.settings.get("axis", -1))
    if type(given) is not int or not -rank <= given < rank:
        raise ValueError(f"axis {str(given)[:40]} of {rank} dimensions is not supported")
    return given % rank


@keras_rule(*_REDUCTIONS)
def _reduction(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis, keeps = _axis(call, call.x.rank), int(call.flag("keepdims"))
    y = w.node(_REDUCTIONS[call.layer.kind], w.real(call.x), w.whole(axis), keepdims=keeps)
    sizes = [1 if dim == axis else size for dim, size in enumerate(call.x.shape)]
    return KerasValue(str(y), tuple(sizes if keeps else (*sizes[:axis], *sizes[axis + 1 :])))


@keras_rule("ExpandDims")
def _expand(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis = _axis(call, call.x.rank + 1)
    shape = (*call.x.shape[:axis], 1, *call.x.shape[axis:])
    return KerasValue(str(w.node("Unsqueeze", call.x.name, w.whole(axis))), shape, kind=call.x.kind)


@keras_rule("Squeeze")
def _squeeze(w: KerasWriter, call: RuleCall) -> KerasValue:
    axis = _axis(call, call.x.rank)
    shape = (*call.x.shape[:axis], *call.x.shape[axis + 1 :])
    return KerasValue(str(w.node("Squeeze", call.x.name, w.whole(axis))), shape, kind=call.x.kind)


@keras_rule("GetItem")
def _get_item(w: KerasWriter, call: RuleCall) -> KerasValue:
    """x[…] with slices, and numbers, whose dimensions go."""
    x = call.x
    places = call.arguments[1] if len(call.arguments) > 1 else call.options.get("key")
    parts = list(places) if isinstance(places, list) else [places]
    if len(parts) > x.rank or not all(type(part) is int or isinstance(part, slice) for part in parts):
        raise ValueError("only slices and whole numbers are supported between brackets")
    y, shape = x.name, list(x.shape)
    for axis, part in enumerate(parts):
        if isinstance(part, slice):
            y = _sliced(w, y, axis, part)
            shape[axis] = _left(shape[axis], part)
    numbers = {axis: part for axis, part in enumerate(parts) if isinstance(part, int)}
    for axis in sorted(numbers, reverse=True):
        y = str(w.node("Gather", y, w.scalar(numbers[axis]), axis=axis))
        del shape[axis]
    return KerasValue(y, tuple(shape), kind=x.kind)


def _sliced(w: KerasWriter, y: str, axis: int, part: slice) -> str:
    step = 1 if part.step is None else part.step
    ends = (part.start, part.stop)
    if not all(each is None or type(each) is int for each in ends) or type(step) is not int or step == 0:
        raise ValueError("the ends of slices must be whole numbers")
    if part == slice(None):
        return y
    start = part.start if part.start is not None else 0 if step > 0 else _BEYOND
    stop = part.stop if part.stop is not None else _BEYOND if step > 0 else -_BEYOND
    return str(w.node("Slice", y, w.whole(start), w.whole(stop), w.whole(axis), w.whole(step)))


def _left(size: int | None, part: slice) -> int | None:
    """The size of a dimension behind a slice."""
    if part == slice(None):
        return size
    return None if size is None else len(range(*part.indices(size)))
