"""Training over long sequences with little memory: states are kept at a few steps, the rest is computed again.

Chen, Xu, Zhang & Guestrin 2016, "Training deep nets with sublinear memory cost", on the time axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.engines import Call
from recurra.nn.checks import as_int
from recurra.nn.gradient import in_torch, readable, save, suits_backward, unpacked, with_inputs

if TYPE_CHECKING:
    from recurra.engines.native.kernel import NativeKernel


def check_checkpoint(value: object) -> bool | int | None:
    """What a layer's ``checkpoint`` may be.

    Raises:
        TypeError: it is neither None, a bool nor a whole number.
        ValueError: it is below 1.
    """
    if value is None or isinstance(value, bool):
        return value
    steps = as_int("checkpoint", value, "None, a bool or an int")
    if steps < 1:
        raise ValueError(f"checkpoint must be at least 1 step; got {steps}")
    return steps


def run_checkpointed(kernel: NativeKernel, call: Call, checkpoint: bool | int) -> list[Tensor]:
    """Output and last states of a dense batch under autograd.

    Args:
        kernel: of the plan.
        call: x is (T, batch, input).
        checkpoint: how many steps lie between two kept states; True for about √T.
    """
    length = math.isqrt(max(1, call.x.shape[0] - 1)) + 1 if checkpoint is True else int(checkpoint)
    inputs = (call.x, *call.states, *call.parameters)
    return list(_Checkpointed.apply(kernel, call, length, *inputs))  # type: ignore[no-untyped-call]


def _segments(call: Call, length: int) -> list[tuple[int, int]]:
    """First and last step of each segment, in running order."""
    steps = call.x.shape[0]
    cuts = [(begin, min(begin + length, steps)) for begin in range(0, steps, length)]
    return cuts[::-1] if call.reverse else cuts


def _part(call: Call, begin: int, end: int, states: Sequence[Tensor]) -> Call:
    return replace(
        call,
        x=call.x[begin:end],
        states=states,
        masks=[mask[begin:end] for mask in call.masks],
        reset=None if call.reset is None else call.reset[begin:end],
    )


class _Checkpointed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: NativeKernel, call: Call, length: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        outputs: dict[int, Tensor] = {}
        states: Sequence[Tensor] = call.states
        kept: list[Tensor] = []
        for begin, end in _segments(call, length):
            kept += states
            result = kernel.forward(_part(call, begin, end, states))
            outputs[begin] = result.output
            states = result.states
        save(ctx, (*inputs, *kept[len(call.states) :]))
        ctx.kernel, ctx.length, ctx.states = kernel, length, len(call.states)
        reset = None if call.reset is None else call.reset.clone()  # it may be changed before the backward pass
        ctx.call = replace(call, x=None, states=(), parameters=(), reset=reset)
        return (torch.cat([outputs[begin] for begin in sorted(outputs)]), *states)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        needed, count = ctx.needs_input_grad[3:], len(ctx.needs_input_grad) - 3
        saved, states, kernel = unpacked(ctx), ctx.states, ctx.kernel
        kept, call = saved[count:], with_inputs(ctx.call, saved[:count], states)
        if not suits_backward(saved, gradients):
            return (None, None, None, *in_torch(kernel.plan, call, gradients, needed))
        gradients = readable(gradients)
        plan = kernel.backward_of((needed[0], *(True,) * states, *needed[1 + states :]), (True,), True)
        last: Sequence[Tensor | None] = gradients[1:]
        rows: dict[int, Tensor] = {}
        sums: list[Tensor | None] = [None] * (count - 1 - states)
        cuts = _segments(call, ctx.length)
        for number, (begin, end) in reversed(list(enumerate(cuts))):
            first = call.states if number == 0 else kept[(number - 1) * states : number * states]
            part = _part(call, begin, end, first)
            result = kernel.forward(part, plan)
            arriving = torch.zeros_like(result.output) if gradients[0] is None else gradients[0][begin:end]
            found = kernel.backward(part, result, plan, [arriving], last)
            last = found[1 : 1 + states]
            if needed[0]:
                rows[begin] = found[0]
            sums = [new if old is None else old + new for old, new in zip(sums, found[1 + states :], strict=True)]
        x = torch.cat([rows[begin] for begin in sorted(rows)]) if needed[0] else None
        firsts = [value if is_wanted else None for value, is_wanted in zip(last, needed[1:], strict=False)]
        return (None, None, None, x, *firsts, *sums)
