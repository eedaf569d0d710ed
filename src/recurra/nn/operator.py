"""``recurra::scan``: one scan as a single operator, which torch.compile and torch.export keep whole.

Its gradient is a second operator, which runs the forward pass again and differentiates it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recurra.nn.scan import SYMBOLS, Sequences, execute, plan_of
from recurra.program import Variable


@torch.library.custom_op("recurra::scan", mutates_args=())
def scan_operator(
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    masks: list[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    program: str,
    sizes: list[int],
    reverse: bool,
    traced: bool,
) -> list[Tensor]:
    """Output, last states and traced variables of one scan; see ``recurra.nn.scan.execute``."""
    sequences = Sequences(x, batch_sizes, reset)
    values = execute(program, sizes, reverse, sequences, states, parameters, masks, traced)
    # An operator's results must not share memory with its operands or with each other.
    return [value.clone() for value in values]


@scan_operator.register_fake
def _(x: Tensor, states: list[Tensor], *rest: Any) -> list[Tensor]:
    *_, program, sizes, _reverse, traced = rest
    scheduled, named = plan_of(program, traced), dict(zip(SYMBOLS, sizes, strict=True))

    def rows(variable: Variable) -> Tensor:
        dtype = x.dtype if variable.kind == "real" else torch.bool
        return x.new_empty((*x.shape[:-1], variable.width(named)), dtype=dtype)

    last = [x.new_empty(state.shape) for state in states]
    return [rows(scheduled.program.output), *last, *(rows(variable) for _, variable in scheduled.traced)]


def _recording_gradients() -> Any:
    """Inside of an operator torch records no gradients; this switches the recording on again."""
    return torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False)


@torch.library.custom_op("recurra::scan_backward", mutates_args=())
def scan_backward_operator(
    gradients: list[Tensor],
    x: Tensor,
    states: list[Tensor],
    parameters: list[Tensor],
    masks: list[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    program: str,
    sizes: list[int],
    reverse: bool,
    traced: bool,
) -> list[Tensor]:
    """The gradients of x, of each state and of each parameter."""
    inputs = [value.detach().requires_grad_() for value in (x, *states, *parameters)]
    count = 1 + len(states)
    with torch.enable_grad(), _recording_gradients():
        sequences = Sequences(inputs[0], batch_sizes, reset)
        values = execute(program, sizes, reverse, sequences, inputs[1:count], inputs[count:], masks, traced)
        pairs = [(value, g) for value, g in zip(values, gradients, strict=True) if value.requires_grad]
        if not pairs:
            raise RuntimeError("no gradients were recorded for recurra::scan")  # never zeros in their place
        outputs, given = [value for value, _ in pairs], [g for _, g in pairs]
        found = torch.autograd.grad(outputs, inputs, given, allow_unused=True)
    made = [
        torch.zeros_like(value) if gradient is None else gradient.clone(memory_format=torch.contiguous_format)
        for value, gradient in zip(inputs, found, strict=True)
    ]
    return [gradient.detach() for gradient in made]


@scan_backward_operator.register_fake
def _(gradients: list[Tensor], x: Tensor, states: list[Tensor], parameters: list[Tensor], *rest: Any) -> list[Tensor]:
    return [value.new_empty(value.shape) for value in (x, *states, *parameters)]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, states, parameters, masks, batch_sizes, reset, *rest = inputs
    ctx.counts = len(states), len(parameters), len(masks)
    ctx.rest = rest
    ctx.save_for_backward(x, *states, *parameters, *masks, batch_sizes, reset)
    ctx.likes = [(value.shape, value.dtype) for value in output]


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    x, *others, batch_sizes, reset = ctx.saved_tensors
    n_states, n_parameters, _ = ctx.counts
    states, others = others[:n_states], others[n_states:]
    parameters, masks = others[:n_parameters], others[n_parameters:]
    given = [
        x.new_zeros(shape, dtype=dtype) if gradient is None else gradient
        for gradient, (shape, dtype) in zip(gradients, ctx.likes, strict=True)
    ]
    found = scan_backward_operator(given, x, states, parameters, masks, batch_sizes, reset, *ctx.rest)
    dx, *rest = found
    return dx, rest[:n_states], rest[n_states:], [None] * len(masks), None, None, None, None, None, None


scan_operator.register_autograd(_differentiate, setup_context=_keep)
