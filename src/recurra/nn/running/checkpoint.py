"""Training over long sequences with little memory: only the states of a few steps are kept, the rest is recomputed.

Chen, Xu, Zhang & Guestrin 2016, "Training deep nets with sublinear memory cost", on the time axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from recurra.engines import Call, Kernel, Wishes
from recurra.nn.checks import as_int
from recurra.nn.running.autograd import Node, in_torch, readable, saved_by, suits_backward


def check_checkpoint(value: object) -> bool | int | None:
    """Check a layer's ``checkpoint``, and return it as None, a bool or an int.

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


def run_checkpointed(kernel: Kernel, call: Call, node: Node, checkpoint: bool | int) -> list[Tensor]:
    """Run a call under autograd: output, last states and traced variables.

    Args:
        kernel: the plan's kernel, of any engine.
        call: a dense or a packed batch.
        node: the same scan, for gradients of gradients.
        checkpoint: the number of steps between two kept states; True for about √T.
    """
    run = SegmentedRun(kernel, call, checkpoint)
    return list(_Checkpointed.apply(run, node, call.x, *call.states, *call.parameters))  # type: ignore[no-untyped-call]


class SegmentedRun:
    """A call cut in segments of steps, which run one after the other, forward and backward.

    Args:
        kernel: the plan's kernel.
        call: the call.
        checkpoint: the number of steps of a segment; True for about √T.

    Attributes:
        kernel: the kernel.
        template: the call without the tensors that autograd saves: x, states, parameters.
        states: the number of states.
        given: for the output and each traced variable, whether a gradient may arrive.
    """

    def __init__(self, kernel: Kernel, call: Call, checkpoint: bool | int) -> None:
        steps = len(call.x) if call.batch_sizes is None else len(call.batch_sizes)
        length = math.isqrt(max(1, steps - 1)) + 1 if checkpoint is True else int(checkpoint)
        self.kernel, self.template = kernel, replace(call, x=None, states=(), parameters=())
        ends = None if call.batch_sizes is None else [0, *accumulate(int(size) for size in call.batch_sizes)]
        cuts = [(begin, min(begin + length, steps)) for begin in range(0, steps, length)] or [(0, 0)]
        cuts = cuts[::-1] if call.reverse else cuts  # in running order
        self._steps = cuts
        self._rows = cuts if ends is None else [(ends[begin], ends[end]) for begin, end in cuts]
        self.states = len(call.states)
        offered = (kernel.plan.program.output, *(variable for _, variable in kernel.plan.traced))
        self.given = tuple(variable.kind == "real" for variable in offered)

    def call(self, inputs: Sequence[Tensor], masks: Sequence[Tensor], reset: Tensor | None) -> Call:
        """The whole call, with the tensors that the template lacks."""
        first = 1 + self.states
        return replace(
            self.template, x=inputs[0], states=inputs[1:first], parameters=inputs[first:], masks=masks, reset=reset
        )

    def forward(self, call: Call) -> tuple[list[Tensor], list[Tensor]]:
        """Output, last states and traced variables; and the states that enter every segment but the first."""
        pieces: dict[int, list[Tensor]] = {}
        kept: list[Tensor] = []
        states: Sequence[Tensor] = call.states
        for number, (begin, _) in enumerate(self._rows):
            kept += states if number else ()
            result = self.kernel.forward(self._part(call, number, states))
            pieces[begin] = [result.output, *result.traced.values()]
            states = result.states
        output, *traced = (_joined(each) for each in zip(*(pieces[begin] for begin in sorted(pieces)), strict=True))
        return [output, *states, *traced], kept

    def backward(
        self, call: Call, kept: Sequence[Tensor], gradients: Sequence[Tensor | None], needed: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of x, of each state and of each parameter."""
        count = self.states
        wanted = (needed[0], *(True,) * count, *needed[1 + count :])  # the segment before needs those of states
        wishes = Wishes(wanted, self.given)
        rows = [gradients[0], *gradients[1 + count :]]
        last = gradients[1 : 1 + count]
        pieces: dict[int, Tensor] = {}
        sums: list[Tensor | None] = [None] * (len(needed) - 1 - count)
        for number, (begin, end) in reversed(list(enumerate(self._rows))):
            first = call.states if number == 0 else kept[(number - 1) * count : number * count]
            part = self._part(call, number, first)
            result = self.kernel.forward(part, wishes)
            arriving = [
                gradient if gradient is None else gradient[begin:end]
                for gradient, is_real in zip(rows, self.given, strict=True)
                if is_real
            ]
            found = self.kernel.backward(part, result, wishes, arriving, last)
            last = found[1 : 1 + count]
            if needed[0]:
                pieces[begin] = torch.zeros_like(part.x) if found[0] is None else found[0]
            sums = [_sum(old, new) for old, new in zip(sums, found[1 + count :], strict=True)]
        x = _joined([pieces[begin] for begin in sorted(pieces)]) if needed[0] else None
        firsts = [value if is_wanted else None for value, is_wanted in zip(last, needed[1:], strict=False)]
        return [x, *firsts, *sums]

    def _part(self, call: Call, number: int, states: Sequence[Tensor]) -> Call:
        """A segment as a call of its own."""
        (first, last), (begin, end) = self._steps[number], self._rows[number]
        return replace(
            call,
            x=call.x[begin:end],
            batch_sizes=None if call.batch_sizes is None else call.batch_sizes[first:last],
            states=states,
            masks=[mask[begin:end] for mask in call.masks],
            reset=None if call.reset is None else call.reset[begin:end],
        )


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


def _joined(pieces: Sequence[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))


class _Checkpointed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: SegmentedRun, node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        masks, reset = run.template.masks, run.template.reset
        values, kept = run.forward(run.call(inputs, masks, reset))
        ctx.save_for_backward(*inputs, *masks, *kept)
        ctx.run, ctx.node, ctx.masks = run, node, len(masks)
        ctx.reset = reset if reset is None else reset.clone()  # the caller may change it before the backward pass
        bools = [value for value, is_real in zip(values[1 + run.states :], run.given[1:], strict=True) if not is_real]
        ctx.mark_non_differentiable(*bools)
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        run: SegmentedRun = ctx.run
        needed, saved = ctx.needs_input_grad[2:], saved_by(ctx)
        inputs, masks = saved[: len(needed)], saved[len(needed) : len(needed) + ctx.masks]
        kept = saved[len(needed) + ctx.masks :]
        if not suits_backward(saved, gradients):
            sizes: Any = run.template.batch_sizes
            return (None, None, *in_torch(ctx.node, inputs, masks, sizes, ctx.reset, gradients, needed))
        call = run.call(inputs, masks, ctx.reset)
        return (None, None, *run.backward(call, kept, readable(gradients), needed))
