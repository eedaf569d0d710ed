"""A scan under torch's autograd: one node, with the derived backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.compiler import Plan
from recurra.engines import Passes, reference
from recurra.engines.passes import CallPasses
from recurra.engines.torch_internals import applies_directly, is_batched, is_transformed, is_zero_tensor, version_of
from recurra.mistakes import address
from recurra.program import Sizes

PLAIN = {Tensor, torch.nn.Parameter}
_SAVED = {*PLAIN, type(None)}  # plain tensors, and None for an absent one


@dataclass(frozen=True, eq=False)
class Node:
    """A scan as autograd's node needs it.

    Attributes:
        plan: the plan that runs.
        passes: both passes of the engine that runs it.
        sizes: the numbers of the program's symbols.
        reverse: whether it runs from the last step to the first.
        layer_states: whether states are (1, batch, size) instead of (batch, size).
        is_cell: whether x is one step, and the results the last states alone.
    """

    plan: Plan
    passes: Passes
    sizes: Sizes
    reverse: bool
    layer_states: bool
    is_cell: bool = False


Beside = tuple[Sequence[Tensor], Tensor | None, Tensor | None]  # inputs without gradients: masks, batch sizes, resets
_NOTHING: Beside = ((), None, None)
_NO_MASKS = (0, None, None)


class ScanFunction(torch.autograd.Function):
    """A scan as one node of autograd: both passes are the engine's; a differentiated backward pass is the reference's.

    Inputs are the node, the inputs without gradients, x, the first states (None for zeros) and the parameters. Results
    are the output, the last states and the traced variables; for a cell the last states alone.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any, node: Node, beside: Beside | None, x: Tensor, *others: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        masks, batch_sizes, reset = beside or _NOTHING
        kept, output, *rest = node.passes.forward(x, others, masks, batch_sizes, reset, torch.get_num_threads())
        if kept.__class__ is tuple:
            ctx.save_for_backward(x, *others, *masks, *kept)
        else:
            ctx.save_for_backward(x, *others, *masks, kept)
        ctx.output, ctx.node = KeptOutput(output), node
        # The caller may change the resets before the backward pass.
        ctx.beside = beside and (len(masks), batch_sizes, None if reset is None else reset.clone())
        ctx.is_whole = kept.__class__ is tuple
        if node.plan.traced:
            rest = _marked(ctx, node.plan, rest)
        return tuple(rest) if node.is_cell else (output, *rest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:  # noqa: D102
        node: Node = ctx.node
        if node.is_cell:
            gradients = (None, *gradients)
        needed, saved, output = ctx.needs_input_grad[2:], saved_by(ctx), ctx.output.unchanged()
        count = len(needed)
        number, batch_sizes, reset = ctx.beside or _NO_MASKS
        inputs, masks, kept = saved[:count], saved[count : count + number], saved[count + number :]
        if output is None or not suits_backward(saved, gradients):
            return (None, None, *in_torch(node, inputs, masks, batch_sizes, reset, gradients, needed))
        given = (*inputs, output, kept if ctx.is_whole else kept[0], *masks)
        threads = torch.get_num_threads()
        return (None, None, *node.passes.backward(needed, given, readable(gradients), batch_sizes, reset, threads))


def saved_by(ctx: Any) -> tuple[Any, ...]:
    """The tensors that a node saved for its backward pass.

    Raises:
        RuntimeError: an earlier backward pass has freed them.
    """
    try:
        return ctx.saved_tensors  # type: ignore[no-any-return]
    except RuntimeError as error:
        if "second time" not in str(error):
            raise
        raise RuntimeError(
            "Trying to backward through the graph a second time: an earlier backward pass has freed the graph of this "
            "recurrent call. If the call's states went into the next call, detach them there: h.detach(); if both "
            f"passes are meant, give retain_graph=True to the first {address('states-not-detached')}"
        ) from None


# For callers that know that no transform is active.
run_node = applies_directly(ScanFunction)


def _marked(ctx: Any, plan: Plan, results: Sequence[Tensor]) -> list[Tensor]:
    """Last states and traced values; traced bools become tensors of bools, marked as not differentiable."""
    count = len(plan.program.states)
    values, bools = list(results), []
    for position, (_, variable) in enumerate(plan.traced, count):
        if variable.kind == "bool":
            values[position] = values[position] != 0
            bools.append(values[position])
    ctx.mark_non_differentiable(*bools)
    return values


class KeptOutput:
    """An output that the backward pass reads, and that the caller may change in place before that.

    ``save_for_backward`` would make torch raise an error in that case. But some of torch.nn's layers do not read their
    results again, and programs change these, by ReLU or dropout in place. The backward pass is ``in_torch`` then.
    """

    def __init__(self, output: Tensor) -> None:
        self._output = output.detach()  # shares memory and version, and keeps no graph alive
        self._version = version_of(output)

    def unchanged(self) -> Tensor | None:
        """The output; None if it was changed."""
        return self._output if version_of(self._output) == self._version else None


def suits_backward(saved: Sequence[Tensor | None], gradients: Sequence[Tensor | None]) -> bool:
    """Whether an engine's own backward pass can run; ``in_torch`` can run in every case.

    The engine's own pass cannot be differentiated itself. It cannot run under a transform of the backward pass alone
    (``is_grads_batched``), nor on classes of tensors that a loss or ``saved_tensors_hooks`` bring in.
    """
    if torch.is_grad_enabled() or is_transformed():
        return False
    if not _SAVED.issuperset(map(type, (*saved, *gradients))):
        return False
    return not any(gradient is not None and is_batched(gradient) for gradient in gradients)


def readable(gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Gradients with their numbers in memory; torch has tensors that stand for zeros, or for their memory negated."""
    resolved = []
    for gradient in gradients:
        if gradient is not None and (gradient.is_neg() or is_zero_tensor(gradient)):
            gradient = gradient.clone().resolve_neg()
        resolved.append(gradient)
    return tuple(resolved)


def in_torch(
    node: Node,
    inputs: Sequence[Tensor | None],
    masks: Sequence[Tensor],
    batch_sizes: Tensor | None,
    reset: Tensor | None,
    gradients: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients of x, states and parameters by torch's operations; differentiable where gradients are recorded.

    Args:
        node: the scan that ran.
        inputs: x, the first states and the parameters.
        masks: the masks of the forward pass.
        batch_sizes: the batch sizes of the forward pass.
        reset: the resets of the forward pass.
        gradients: the gradients of the output, the last states and the traced variables.
        needed: for each input, whether its gradient is wanted.
    """
    again = torch.is_grad_enabled()
    if not again:
        pairs = zip(inputs, needed, strict=True)
        inputs = [v if v is None else v.detach().requires_grad_(is_wanted) for v, is_wanted in pairs]
    kernel = reference().build(node.plan)
    passes = CallPasses(kernel, node.sizes, node.reverse, None, node.layer_states)
    x, *others = inputs
    with torch.enable_grad():
        _, *values = passes.forward(x, others, masks, batch_sizes, reset, 1)
        given = [(v, g) for v, g in zip(values, gradients, strict=True) if g is not None and v.requires_grad]
        if not given:
            return [None] * len(inputs)
        outputs, arriving = zip(*given, strict=True)
        wanted = [v for v, is_wanted in zip(inputs, needed, strict=True) if is_wanted and v is not None]
        found = iter(torch.autograd.grad(outputs, wanted, arriving, create_graph=again, allow_unused=True))
    return [next(found) if is_wanted else None for is_wanted in needed]
