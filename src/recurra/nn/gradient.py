"""The native engine under torch's autograd: one node for each scan, with the derived backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra.compiler import Plan
from recurra.engines import Call, Result, reference

if TYPE_CHECKING:
    from recurra.engines.native.kernel import NativeKernel

_PLAIN = {Tensor, torch.nn.Parameter}
_is_batched = torch._C._functorch.is_legacy_batchedtensor
_SAVED = {*_PLAIN, type(None)}  # beside plain tensors, what is not there
_STORED_BYTES = 1 << 26  # what a forward pass may keep beside states before products are computed again instead


def stores(rows: int, item: int, width: int, states: Sequence[int]) -> bool:
    """Whether a forward pass keeps its products' results, or the backward pass computes them again.

    To compute them again takes the longer the wider the layer is, and to keep them does not: so up to some 64 MiB are
    kept, and in proportion more where input and state together have more than 256 features.

    Args:
        rows: how many there are.
        item: bytes of an element.
        width: features of the input.
        states: features of each state.
    """
    return rows * item * 4 * sum(states) <= _STORED_BYTES * max(1.0, (width + max(states)) / 256)


def suits(call: Call) -> bool:
    """Whether native code can run a call: plain tensors on the CPU, and nobody who wants to see torch's operations."""
    tensors = (call.x, *call.states, *call.parameters, *call.masks)
    return (
        all(type(tensor) in _PLAIN and tensor.device.type == "cpu" for tensor in tensors)
        and call.x.dtype in (torch.float32, torch.float64)
        and forward_ad._current_level < 0
        and not torch._C._are_functorch_transforms_active()
        and torch._C._len_torch_dispatch_stack() == 0
        and not torch._C._is_tracing()
    )


def run_natively(kernel: NativeKernel, call: Call, checkpoint: bool | int | None = None) -> list[Tensor]:
    """Output, last states and what is traced; differentiable."""
    inputs = (call.x, *call.states, *call.parameters)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
        if checkpoint and call.batch_sizes is None and not kernel.plan.traced:
            from recurra.nn.checkpoint import run_checkpointed

            return run_checkpointed(kernel, call, checkpoint)
        return list(_Scan.apply(kernel, call, *inputs))  # type: ignore[no-untyped-call]
    result = kernel.forward(call)
    return [result.output, *result.states, *result.traced.values()]


class _Scan(torch.autograd.Function):
    """Forward: the kernel's. Backward: the derived one; the reference engine's, to be differentiated itself."""

    @staticmethod
    def forward(ctx: Any, kernel: NativeKernel, call: Call, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        real = [variable.kind == "real" for _, variable in kernel.plan.traced]
        rows = call.x.numel() // max(1, call.x.shape[-1])
        store = stores(rows, call.x.element_size(), call.x.shape[-1], [state.shape[1] for state in call.states])
        backward = kernel.backward_of(ctx.needs_input_grad[2:], [True, *real], store)
        result = kernel.forward(call, backward)
        traced = list(result.traced.values())
        ctx.mark_non_differentiable(*(value for value, is_real in zip(traced, real, strict=True) if not is_real))
        save(ctx, (*inputs, *result.kept))
        ctx.output = Kept(result.output)
        ctx.kernel, ctx.backward_pass, ctx.real = kernel, backward, real
        reset = None if call.reset is None else call.reset.clone()  # it may be changed before the backward pass
        ctx.call = replace(call, x=None, states=(), parameters=(), reset=reset)
        ctx.states = len(call.states)
        ctx.likes = [(value.shape, value.dtype) for value in (result.output, *traced)]
        return (result.output, *result.states, *traced)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        saved = unpacked(ctx)
        count = len(ctx.needs_input_grad) - 2
        inputs, output, kept = saved[:count], ctx.output.unchanged(), saved[count:]
        if output is None or not suits_backward(saved, gradients):
            call = with_inputs(ctx.call, inputs, ctx.states)
            return (None, None, *in_torch(ctx.kernel.plan, call, gradients, ctx.needs_input_grad[2:]))
        call = with_inputs(ctx.call, [value.detach() for value in inputs], ctx.states)
        gradients = readable(gradients)
        arriving = []
        rows = [gradients[0], *gradients[1 + ctx.states :]]
        for gradient, (shape, dtype), is_real in zip(rows, ctx.likes, [True, *ctx.real], strict=True):
            if is_real:
                arriving.append(inputs[0].new_zeros(shape, dtype=dtype) if gradient is None else gradient)
        result = Result(output, (), {}, kept)
        last = gradients[1 : 1 + ctx.states]
        return (None, None, *ctx.kernel.backward(call, result, ctx.backward_pass, arriving, last))


class Kept:
    """A result that the backward pass reads, and that its owner may change in place before.

    torch would raise an error then, as it does for what ``save_for_backward`` keeps; some of torch.nn's layers do not
    read their results again, and programs change them: in place ReLU and dropout. The pass is made in torch then.
    """

    def __init__(self, result: Tensor) -> None:
        self._result = result.detach()  # shares memory and version, and keeps no graph alive
        self._version = result._version

    def unchanged(self) -> Tensor | None:
        """The result; None if it was changed."""
        return self._result if self._result._version == self._version else None


def save(ctx: Any, tensors: Sequence[Tensor]) -> None:
    """Keep tensors for the backward pass."""
    ctx.save_for_backward(*tensors)
    ctx.forms = [(tensor.shape, tensor.dtype) for tensor in tensors]


def unpacked(ctx: Any) -> tuple[Tensor, ...]:
    """The tensors that were kept, through the hooks that there may be.

    Raises:
        RuntimeError: a hook gave another shape or dtype.
    """
    saved: tuple[Tensor, ...] = ctx.saved_tensors
    for tensor, (shape, dtype) in zip(saved, ctx.forms, strict=True):
        if tensor.shape != shape or tensor.dtype != dtype:
            raise RuntimeError(
                f"a saved tensor was {dtype} {tuple(shape)}; its hook unpacked {tensor.dtype} {tuple(tensor.shape)}"
            )
    return saved


def with_inputs(call: Call, inputs: Sequence[Tensor], states: int) -> Call:
    """A call on these: x, as many states, the parameters."""
    return replace(call, x=inputs[0], states=inputs[1 : 1 + states], parameters=inputs[1 + states :])


def suits_backward(saved: Sequence[Tensor | None], gradients: Sequence[Tensor | None]) -> bool:
    """Whether native code can run a backward pass; ``in_torch`` can run every one.

    It cannot where this pass is differentiated itself, where a transform is applied to it alone
    (``is_grads_batched``), and on classes of tensors that a loss or ``saved_tensors_hooks`` bring in.
    """
    if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
        return False
    if not _SAVED.issuperset(map(type, (*saved, *gradients))):
        return False
    return not any(gradient is not None and _is_batched(gradient) for gradient in gradients)


def readable(gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Gradients with their numbers in memory: torch has some that stand for zeros, or for the opposite of it."""
    found = []
    for gradient in gradients:
        if gradient is not None and (gradient.is_neg() or gradient._is_zerotensor()):
            gradient = gradient.clone().resolve_neg()
        found.append(gradient)
    return tuple(found)


def in_torch(plan: Plan, call: Call, gradients: Sequence[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """The gradients of x, states and parameters, made of torch operations; where gradients are recorded, of these too.

    Args:
        plan: what ran.
        call: on what.
        gradients: of the output, the last states and what is traced.
        needed: of which of x, states and parameters the gradient is wanted.
    """
    again = torch.is_grad_enabled()
    inputs = [call.x, *call.states, *call.parameters]
    if not again:
        inputs = [value.detach().requires_grad_(is_wanted) for value, is_wanted in zip(inputs, needed, strict=True)]
    with torch.enable_grad():
        result = reference().build(plan).forward(with_inputs(call, inputs, len(call.states)))
        values = [result.output, *result.states, *result.traced.values()]
        pairs = [(v, g) for v, g in zip(values, gradients, strict=True) if g is not None and v.requires_grad]
        if not pairs:
            return [None] * len(inputs)
        outputs, given = zip(*pairs, strict=True)
        wanted = [value for value, is_wanted in zip(inputs, needed, strict=True) if is_wanted]
        found = iter(torch.autograd.grad(outputs, wanted, given, create_graph=again, allow_unused=True))
    return [next(found) if is_wanted else None for is_wanted in needed]
