"""Layers that change the form of a value."""

from __future__ import annotations

import math

from recurra.conversion.keras_graphs.table import RuleCall, keras_rule
from recurra.conversion.keras_graphs.writer import Dims, KerasValue, KerasWriter


def _product(sizes: Dims) -> int | None:
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


@keras_rule("Flatten")
def _flatten(w: KerasWriter, call: RuleCall) -> KerasValue:
    """(batch, …) as (batch, all features)."""
    x = call.x
    if call.settings.get("data_format", "channels_last") != "channels_last" and x.rank > 2:
        raise ValueError("data_format='channels_first' is not supported")
    if x.rank == 1:
        return KerasValue(str(w.node("Unsqueeze", x.name, w.whole(1))), (None, 1), kind=x.kind)
    return KerasValue(str(w.node("Flatten", x.name, axis=1)), (None, _product(x.shape[1:])), kind=x.kind)


@keras_rule("Reshape")
def _reshape(w: KerasWriter, call: RuleCall) -> KerasValue:
    x, given = call.x, call.settings.get("target_shape")
    if not isinstance(given, list) or not all(type(n) is int and (n == -1 or n > 0) for n in given):
        raise ValueError(f"target_shape must be whole numbers; it is {str(given)[:60]}")
    if given.count(-1) > 1:
        raise ValueError("target_shape has more than one -1")
    shape = w.node("Concat", w.size(x.name, 0), w.whole(*given), axis=0) if given else w.size(x.name, 0)
    whole, known = _product(x.shape[1:]), math.prod(n for n in given if n > 0)
    if whole is not None and (whole % known if -1 in given else whole != known):
        raise ValueError(f"{whole} numbers do not fit target_shape {given}")
    sizes = [n if n > 0 else None if whole is None else whole // known for n in given]
    return KerasValue(str(w.node("Reshape", x.name, shape)), (None, *sizes), kind=x.kind)


@keras_rule("Permute")
def _permute(w: KerasWriter, call: RuleCall) -> KerasValue:
    x, given = call.x, call.settings.get("dims")
    if not isinstance(given, list) or sorted(map(str, given)) != sorted(map(str, range(1, x.rank))):
        raise ValueError(f"dims must be the numbers 1 to {x.rank - 1} in any order; it is {str(given)[:60]}")
    order = (0, *given)
    return KerasValue(w.transpose(x.name, order), tuple(x.shape[axis] for axis in order), kind=x.kind)


@keras_rule("RepeatVector")
def _repeat(w: KerasWriter, call: RuleCall) -> KerasValue:
    """(batch, features) as (batch, n, features)."""
    x, count = call.x, call.size("n")
    if x.rank != 2:
        raise ValueError(f"its input must be (batch, features); it has {x.rank} dimensions")
    y = w.node("Tile", w.node("Unsqueeze", x.name, w.whole(1)), w.whole(1, count, 1))
    return KerasValue(str(y), (None, count, x.shape[1]), kind=x.kind)
