"""The shortest way through autograd: one scan over a dense batch of plain tensors, nothing traced, masked or reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.engines import Call
from recurra.nn.gradient import differentiably

if TYPE_CHECKING:
    import recurra._native as _native
    from recurra.engines.native.kernel import NativeKernel


class QuickScan(torch.autograd.Function):
    """Inputs are x, the first states (None for zeros) and the parameters; outputs the output and the last states."""

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        kernel: NativeKernel,
        passes: _native.Training,
        sizes: dict[str, int],
        reverse: bool,
        states: tuple[int, ...],
        x: Tensor,
        *others: Tensor | None,
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        kept, *values = passes.forward(x, others, torch.get_num_threads())
        ctx.save_for_backward(x, *others, values[0], kept)
        ctx.facts = kernel, passes, sizes, reverse, states
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:  # noqa: D102
        kernel, passes, sizes, reverse, states = ctx.facts
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad[5:]
        if torch.is_grad_enabled():
            x, *others = saved[:-2]
            count = len(states)
            firsts = [
                x.new_zeros((x.shape[1], size)) if o is None else o for o, size in zip(others, states, strict=False)
            ]
            call = Call(x, None, firsts, others[count:], sizes, reverse=reverse)
            return (*(None,) * 5, *differentiably(kernel.plan, call, gradients, needed))
        gradients = tuple(None if gradient is None else plain(gradient) for gradient in gradients)
        return (*(None,) * 5, *passes.backward(needed, saved, gradients, torch.get_num_threads()))


def plain(gradient: Tensor) -> Tensor:
    """A gradient as native code reads it, whatever class and view came."""
    return gradient if type(gradient) is Tensor and not gradient.is_neg() else torch.empty_like(gradient).copy_(gradient)
