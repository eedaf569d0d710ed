"""Sizes of tensors and arithmetic on them."""

from __future__ import annotations

from typing import Any

import torch

from recurra.nn.graphs.rules.shaping import size_of
from recurra.nn.graphs.table import TABLE, TranslationRule, rule
from recurra.nn.graphs.writer import GraphSize, GraphValue, NodeWriter, Ref


@rule("aten.sym_size.int")
def _size(w: NodeWriter, x: Ref, dim: int) -> Any:
    size = size_of(w, x, dim)
    return size if isinstance(size, int) else size.name


@rule("aten.sym_numel.default")
def _numel(w: NodeWriter, x: Ref) -> Any:
    return w.node("Size", x)


def _whole(operator: str) -> TranslationRule:
    def written(w: NodeWriter, a: GraphSize, b: GraphSize) -> Any:
        if any(isinstance(each, float) for each in (a, b)):
            raise ValueError("arithmetic of sizes is supported for whole numbers alone")
        return w.node(operator, w.scalar(a), w.scalar(b))

    return written


TABLE.update({f"builtin.{name}": _whole(operator) for name, operator in {
    "add": "Add", "sub": "Sub", "mul": "Mul", "sym_max": "Max", "sym_min": "Min", "mod": "Mod",
}.items()})  # fmt: skip


@rule("builtin.floordiv")
def _floordiv(w: NodeWriter, a: GraphSize, b: GraphSize) -> Any:
    left, right = w.scalar(a), w.scalar(b)
    return w.node("Div", w.node("Sub", left, w.node("Mod", left, right)), right)


@rule("builtin.neg")
def _neg(w: NodeWriter, a: GraphSize) -> Any:
    return w.node("Neg", w.scalar(a))


@rule("builtin.getitem")
def _getitem(w: NodeWriter, values: GraphValue, number: int) -> Any:
    return values[number]


@rule("aten.item.default", "aten._local_scalar_dense.default")
def _item(w: NodeWriter, x: Ref) -> Any:
    if x.dtype.is_floating_point:
        raise ValueError("a number of a tensor's element (.item()) is supported for whole numbers alone")
    return w.cast(x, torch.int64)


# Facts that torch.export checks before a run: the graph's operators refuse what does not fit.
NO_VALUES = frozenset({
    "aten._assert_tensor_metadata.default", "aten._assert_scalar.default", "aten._assert_async.msg",
    "aten.sym_constrain_range_for_size.default", "aten.sym_constrain_range.default", "builtin.le", "builtin.ge",
    "builtin.eq", "builtin.lt", "builtin.gt", "builtin.ne", "builtin.and_", "builtin.or_", "builtin.not_",
    "builtin._set_grad_enabled", "builtin.sym_not",
})  # fmt: skip
