"""The shortest way through autograd: one scan over a dense batch of plain tensors, nothing traced, masked or reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.engines import Call
from recurra.nn.gradient import Kept, in_torch, readable, suits_backward

if TYPE_CHECKING:
    import recurra._native as _native
    from recurra.engines.native.kernel import NativeKernel


@dataclass(frozen=True, eq=False)
class Facts:
    """What autograd's node knows of a scan.

    Attributes:
        kernel: for gradients of gradients.
        passes: both passes in native code.
        sizes: the numbers of the program's symbols.
        reverse: whether it runs from the last step to the first.
        states: features of each state.
        is_cell: whether x is one step; then states are (batch, size) instead of (1, batch, size).
    """

    kernel: NativeKernel
    passes: _native.TensorScan
    sizes: dict[str, int]
    reverse: bool
    states: tuple[int, ...]
    is_cell: bool


class QuickScan(torch.autograd.Function):
    """Inputs are x, the first states (None for zeros) and the parameters; outputs the output and the last states.

    A cell gives the last states alone.
    """

    @staticmethod
    def forward(ctx: Any, facts: Facts, x: Tensor, *others: Tensor | None) -> tuple[Tensor, ...]:  # noqa: D102
        ctx.set_materialize_grads(False)
        kept, output, *last = facts.passes.forward(x, others, (), None, None, torch.get_num_threads())
        ctx.save_for_backward(x, *others, kept)
        ctx.output = Kept(output)
        ctx.facts = facts
        return tuple(last) if facts.is_cell else (output, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:  # noqa: D102
        facts: Facts = ctx.facts
        if facts.is_cell:
            gradients = (None, *gradients)
        *inputs, kept = ctx.saved_tensors
        needed, output = ctx.needs_input_grad[1:], ctx.output.unchanged()
        if output is None or not suits_backward((*inputs, kept), gradients):
            return (None, *_in_torch(facts, inputs, gradients, needed))
        saved = (*inputs, output, kept)
        return (None, *facts.passes.backward(needed, saved, readable(gradients), None, None, torch.get_num_threads()))


# Function.apply without what it does for functorch's transforms, which are not active where this is called.
run_scan = super(torch.autograd.Function, QuickScan).apply


def _in_torch(
    facts: Facts, inputs: Sequence[Tensor | None], gradients: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients, made of torch operations: of x as a sequence and of states as (batch, size), then as they came."""
    x, *others = inputs
    count = len(facts.states)
    assert x is not None

    def inner(state: Tensor | None) -> Tensor | None:
        return state if state is None or facts.is_cell else state.squeeze(0)

    sequence = x.unsqueeze(0) if facts.is_cell else x
    firsts = [
        x.new_zeros((sequence.shape[1], size)) if state is None else inner(state)
        for state, size in zip(others, facts.states, strict=False)
    ]
    call = Call(sequence, None, firsts, others[count:], facts.sizes, reverse=facts.reverse)
    found = in_torch(facts.kernel.plan, call, [gradients[0], *map(inner, gradients[1:])], needed)
    dx, states, parameters = found[0], found[1 : 1 + count], found[1 + count :]
    if facts.is_cell:
        return [dx if dx is None else dx.squeeze(0), *states, *parameters]
    return [dx, *(state if state is None else state.unsqueeze(0) for state in states), *parameters]
