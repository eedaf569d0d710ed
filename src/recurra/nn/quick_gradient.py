"""The shortest way through autograd: one scan over a dense batch of plain tensors, nothing traced, masked or reset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.engines import Call
from recurra.nn.gradient import differentiably

if TYPE_CHECKING:
    from recurra.engines.native.kernel import NativeKernel, Training


class QuickScan(torch.autograd.Function):
    """Inputs are x, the first states (None for zeros) and the parameters; outputs the output and the last states."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kernel: NativeKernel,
        training: Training,
        sizes: dict[str, int],
        reverse: bool,
        states: Sequence[int],
        width: int,
        x: Tensor,
        *others: Tensor | None,
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        steps, batch, _ = x.shape
        rows, item, count = steps * batch, x.element_size(), len(states)
        output = x.new_empty((steps, batch, width))
        kept = x.new_empty(rows * sum(training.kept_widths))
        last = [x.new_empty((batch, size)) for size in states]
        words = [steps, batch, 0, reverse, 0, torch.get_num_threads()]
        for parameter in others[count:]:
            words.append(parameter.data_ptr())  # type: ignore[union-attr]
            words += (0, 0, *parameter.stride())[-2:]  # type: ignore[union-attr]
        words += (x.data_ptr(), x.stride(0), x.stride(1), output.data_ptr(), batch * width, width)
        place = kept.data_ptr()
        for kept_width in training.kept_widths:
            words += (place, batch * kept_width, kept_width)
            place += rows * kept_width * item
        for first, value, size in zip(others, last, states, strict=False):
            words += (0, 0) if first is None else (first.data_ptr(), first.stride(0))
            words += (value.data_ptr(), size)
        words.append(0)
        training.forward.run(words, None)
        ctx.save_for_backward(x, *others, output, kept)
        ctx.facts = kernel, training, sizes, reverse, states
        return (output, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:  # noqa: D102
        x, *others, output, kept = ctx.saved_tensors
        kernel, training, sizes, reverse, states = ctx.facts
        count = len(states)
        if torch.is_grad_enabled():
            firsts = [
                x.new_zeros((x.shape[1], size)) if o is None else o for o, size in zip(others, states, strict=False)
            ]
            call = Call(x, None, firsts, others[count:], sizes, reverse=reverse)
            return (*(None,) * 6, *differentiably(kernel.plan, call, gradients, ctx.needs_input_grad[6:]))
        return (
            *(None,) * 6,
            *_backward(ctx.needs_input_grad, training, x, others, states, reverse, output, kept, gradients),
        )


def _backward(
    needed: Sequence[bool],
    training: Training,
    x: Tensor,
    others: Sequence[Tensor | None],
    states: Sequence[int],
    reverse: bool,
    output: Tensor,
    kept: Tensor,
    gradients: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of x, of each state and of each parameter."""
    steps, batch, _ = x.shape
    rows, item, count = steps * batch, x.element_size(), len(states)
    plan, built = training.plan, training.backward
    words = [steps, batch, 0, not reverse, 0, torch.get_num_threads()]
    for number in plan.constants:
        parameter = others[count + number]
        words.append(parameter.data_ptr())  # type: ignore[union-attr]
        words += (0, 0, *parameter.stride())[-2:]  # type: ignore[union-attr]
    places, place = [], kept.data_ptr()
    for width in training.kept_widths:
        places.append((place, batch * width, width))
        place += rows * width * item
    held = []
    for group, number in plan.rows:
        if group == "kept":
            words += places[number]
            continue
        row = x if group == "x" else output if group == "output" else gradients[0]
        if row is None:
            row = torch.zeros_like(output)
        elif row.stride(2) != 1:
            row = row.contiguous()
        held.append(row)
        words += (row.data_ptr(), row.stride(0), row.stride(1))
    dx = x.new_empty(x.shape) if plan.has_input else None
    if dx is not None:
        words += (dx.data_ptr(), dx.stride(0), dx.stride(1))
    found: list[Tensor | None] = [None] * count
    for number in plan.carried:
        gradient = gradients[1 + number]
        if gradient is None:
            words += (0, 0)
        else:
            gradient = gradient if gradient.stride(1) == 1 else gradient.contiguous()
            held.append(gradient)
            words += (gradient.data_ptr(), gradient.stride(0))
        if needed[7 + number]:
            made = found[number] = x.new_empty((batch, states[number]))
            words += (made.data_ptr(), states[number])
        else:
            words += (0, 0)
    words.append(len(plan.entering))
    for _, number in plan.entering:
        first = others[number]
        words += (0, 0) if first is None else (first.data_ptr(), first.stride(0))
    results = [x.new_empty(shape) for shape in built.result_shapes]
    words += [result.data_ptr() for result in results]
    built.kernel.run(words, None)
    numbers = plan.results
    parameters = [
        None if n < 0 else results[n] if n not in numbers[:place] else results[n].clone()
        for place, n in enumerate(numbers)
    ]
    return [dx, *found, *parameters]
