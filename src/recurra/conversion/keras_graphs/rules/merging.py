"""Layers that make one value of several."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.conversion.keras_graphs.rules.normalizing import unit_length
from recurra.conversion.keras_graphs.table import RuleCall, keras_rule
from recurra.conversion.keras_graphs.writer import Dims, KerasValue, KerasWriter


def broadcast(values: Sequence[KerasValue]) -> Dims:
    """The shape of values that are combined elementwise."""
    rank = max(value.rank for value in values)
    shapes = [(*(1,) * (rank - value.rank), *value.shape) for value in values]
    return tuple(_common(sizes) for sizes in zip(*shapes, strict=True))


def _common(sizes: Sequence[int | None]) -> int | None:
    """The size that sizes give together; those that are free may turn out to be 1."""
    known = {size for size in sizes if size is not None} - {1}
    if len(known) > 1:
        raise ValueError(f"sizes {', '.join(map(str, sorted(known)))} do not go together")
    return known.pop() if known else None if None in sizes else 1


def _checked(call: RuleCall) -> list[KerasValue]:
    """The values that a layer merges, of one number of dimensions.

    Raises:
        ValueError: there are not two, or they have different numbers of dimensions.
    """
    values = call.values
    if len(values) < 2 or len({value.rank for value in values}) > 1:
        shapes = ", ".join(str(value.shape) for value in values)
        raise ValueError(f"its inputs must be several, of one number of dimensions; they are {shapes}")
    return values


def _mask_of_any(w: KerasWriter, values: Sequence[KerasValue]) -> str | None:
    """Steps that any value has; none where a value has no mask."""
    masks = [value.mask for value in values if value.mask is not None]
    return w.together("Or", masks) if len(masks) == len(values) else None


def _merged(w: KerasWriter, values: Sequence[KerasValue], operator: str) -> KerasValue:
    y = w.together(operator, [w.real(value) for value in values])
    return KerasValue(y, broadcast(values), _mask_of_any(w, values))


@keras_rule("Average")
def _average(w: KerasWriter, call: RuleCall) -> KerasValue:
    values = _checked(call)
    summed = _merged(w, values, "Add")
    return summed.named(str(w.node("Div", summed.name, w.constant(float(len(values))))))


@keras_rule("Concatenate")
def _concatenate(w: KerasWriter, call: RuleCall) -> KerasValue:
    values, axis = _checked(call), call.settings.get("axis", -1)
    rank = values[0].rank
    if type(axis) is not int or not -rank <= axis < rank:
        raise ValueError(f"axis {str(axis)[:40]} of {rank} dimensions does not exist")
    axis %= rank
    sizes = [value.shape[axis] for value in values]
    known = [size for size in sizes if size is not None]
    shape: list[int | None] = [
        _common([value.shape[dim] for value in values]) if dim != axis else None for dim in range(rank)
    ]
    shape[axis] = sum(known) if len(known) == len(sizes) else None
    y = w.node("Concat", *(w.real(value) for value in values), axis=axis)
    return KerasValue(str(y), tuple(shape), _joined_mask(w, values, axis))


def _joined_mask(w: KerasWriter, values: Sequence[KerasValue], axis: int) -> str | None:
    """The mask of joined values: steps side by side, or steps that all have, as a step without mask has all."""
    masks = [value.mask for value in values]
    rank = values[0].rank
    if all(mask is None for mask in masks) or rank != 3 or axis == 0:
        return None
    if axis == 2:
        known = [mask for mask in masks if mask is not None]
        return w.together("Or", known) if len(known) == len(masks) else None
    own = [w.all_steps(value) if mask is None else mask for value, mask in zip(values, masks, strict=True)]
    return str(w.node("Concat", *own, axis=1))


@keras_rule("Dot")
def _dot(w: KerasWriter, call: RuleCall) -> KerasValue:
    """The product over one axis of each value, example by example."""
    values, axes = call.values, call.settings.get("axes", -1)
    pair = axes if isinstance(axes, list) else [axes, axes]
    if len(values) != 2 or len(pair) != 2 or not all(type(axis) is int for axis in pair):
        raise ValueError(f"it needs two inputs, and an axis of each; axes is {str(axes)[:40]}")
    if any(value.rank not in (2, 3) or axis % value.rank == 0 for value, axis in zip(values, pair, strict=True)):
        raise ValueError("its inputs must have 2 or 3 dimensions, and axes other than the batch")
    sides, left = [], []
    for number, (value, axis) in enumerate(zip(values, pair, strict=True)):
        own, dim = w.real(value), axis % value.rank
        if call.flag("normalize"):
            own = unit_length(w, own, dim)
        if value.rank == 2:
            own = str(w.node("Unsqueeze", own, w.whole(1 + number)))
        elif (dim == 1) == (number == 0):
            own = w.transpose(own, (0, 2, 1))
        sides.append(own)
        left.append(value.shape[3 - dim] if value.rank == 3 else None)
    y = str(w.node("MatMul", *sides))
    shape = [size for value, size in zip(values, left, strict=True) for _ in range(value.rank - 2)]
    drops = [1 + number for number, value in enumerate(values) if value.rank == 2]
    if len(drops) == 2:
        drops, shape = [2], [1]
    return KerasValue(str(w.node("Squeeze", y, w.whole(*drops))) if drops else y, (None, *shape))
