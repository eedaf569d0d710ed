"""``linear_nats``: the cross-entropy of a linear map's outputs, without an array of all logits.

A linear map to V tokens and its cross-entropy need arrays of (rows, V) numbers several times: logits, probabilities and
their gradients. Here one workspace holds them one after the other, some rows at a time. The gradients are computed
there too, as the probabilities settle them up to a factor. An engine does all of that if it can, else torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recurra import engines
from recurra.engines import LinearNats
from recurra.engines.torch_internals import has_bfloat16

WORKSPACE_BYTES = 64 * 2**20
# From so many tokens on, `auto` computes in bfloat16: the products are then nearly all of a training step.
BFLOAT16_TOKENS = 10_000
NatsAndGradients: TypeAlias = (
    "Callable[[Tensor, Tensor, Tensor | None, tuple[bool, ...]], tuple[Tensor, list[Tensor | None]]]"
)
_FAINT = 1e-30  # a target's probability, below which its logarithm is computed in another way


class Workspace:
    """The memory that calls reuse, as new memory of tens of megabytes is slow: the system fills it with zeros first.

    It grows up to some 64 MiB. Copies begin without any. One thread at a time may use it.
    """

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)
        self._of_engines: dict[type, object] = {}

    def take(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """A matrix (rows, columns) with `like`'s dtype and device, whose elements may be anything."""
        size = rows * columns * like.element_size()
        if self._bytes.numel() < size or self._bytes.device != like.device:
            self._bytes = torch.empty(size, dtype=torch.uint8, device=like.device)
        return self._bytes[:size].view(like.dtype).view(rows, columns)

    def of(self, nats: LinearNats) -> object:
        """The memory that calls of an engine's cross-entropy reuse."""
        kept = self._of_engines.get(type(nats))
        if kept is None:
            kept = self._of_engines[type(nats)] = nats.memory()
        return kept

    def __reduce__(self) -> tuple[type[Workspace], tuple[()]]:
        return Workspace, ()


def linear_nats(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    precision: str = "auto",
    workspace: Workspace | None = None,
) -> Tensor:
    """The cross-entropy of the logits ``hidden @ weight.T + bias``, summed over all targets, in nats.

    Args:
        hidden: (rows, features).
        weight: (V, features).
        bias: (V,), or None for zeros.
        targets: the number of each row's token, (rows,), from 0 to V − 1.
        precision: ``"float32"`` computes in hidden's dtype; ``"bfloat16"`` rounds the operands and results of products
            to bfloat16, and adds up in float32; ``"auto"`` is bfloat16 for float32 tensors and vocabularies from
            10,000 tokens, where the processor has instructions for it.
        workspace: memory to reuse. Default: memory for this call.

    Returns:
        The sum, a scalar of the weight's dtype. It can be differentiated once.

    Raises:
        IndexError: a target is no token (RuntimeError where torch's operations compute).
    """
    how = Computation(is_bfloat16(hidden, weight, precision), workspace or Workspace())
    run = partial(_run, targets=targets, how=how)
    result: Tensor = NatsOfLogits.apply(hidden, weight, bias, run)  # type: ignore[no-untyped-call]
    return result


def is_bfloat16(hidden: Tensor, weight: Tensor, precision: str) -> bool:
    """Whether products are to be computed in bfloat16; see :func:`linear_nats`."""
    return precision == "bfloat16" or (
        precision == "auto" and hidden.dtype == torch.float32 and len(weight) >= BFLOAT16_TOKENS and has_bfloat16()
    )


class Computation(NamedTuple):
    """The settings of a call: whether it computes in bfloat16, and the memory that it reuses."""

    is_narrow: bool
    workspace: Workspace


class NatsOfLogits(torch.autograd.Function):
    """A cross-entropy whose gradients are computed along with it.

    Its arguments are hidden, weight and bias, and a function of them, and of which of their gradients are wanted, that
    gives the sum of nats and these gradients.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, run: NatsAndGradients) -> Tensor:
        """The sum of nats."""
        ctx.save_for_backward(hidden, weight, bias)
        ctx.run, ctx.wanted = run, tuple(ctx.needs_input_grad[:3])
        with torch.autocast(hidden.device.type, enabled=False), torch.no_grad():
            total, ctx.gradients = run(hidden, weight, bias, ctx.wanted)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of hidden, weight and bias."""
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:  # a second backward pass over the same graph: the first one gave the tensors away
            hidden, weight, bias = ctx.saved_tensors
            with torch.autocast(hidden.device.type, enabled=False), torch.no_grad():
                _, gradients = ctx.run(hidden, weight, bias, ctx.wanted)
        if gradient.device.type != "cpu" or gradient.item() != 1:  # elsewhere it costs less to multiply than to look
            gradients = [each if each is None else each.mul_(gradient) for each in gradients]
        return *gradients, None


def _run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    wanted: tuple[bool, ...],
    *,
    targets: Tensor,
    how: Computation,
) -> tuple[Tensor, list[Tensor | None]]:
    """The sum of nats, and the wanted ones of its gradients of hidden, weight and bias."""
    hidden = hidden.to(weight.dtype)
    empty = torch.empty_like if len(hidden) else torch.zeros_like  # without rows, torch's operations write nothing
    gradients = [
        empty(each, memory_format=torch.contiguous_format) if each is not None and is_wanted else None
        for each, is_wanted in zip((hidden, weight, bias), wanted, strict=True)
    ]
    nats = engines.linear_nats()
    dtypes = {each.dtype for each in (hidden, weight, bias) if each is not None}
    fits = not how.is_narrow and len(dtypes) == 1 and targets.dtype == torch.int64
    if nats is not None and fits and all(map(_is_plain, (hidden, weight, bias, targets))):
        memory = how.workspace.of(nats)
        total = weight.new_tensor(nats(memory, hidden, weight, bias, targets, gradients, WORKSPACE_BYTES))
    else:
        total = _by_torch(hidden, weight, bias, targets, how, gradients)
    return total, gradients


def _is_plain(tensor: Tensor | None) -> bool:
    """Tell whether an engine can read a tensor's memory: None, or a tensor or parameter on the CPU, no subclass."""
    if tensor is None:
        return True
    readable = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" and tensor.layout == torch.strided
    return readable and tensor.dtype in (torch.float32, torch.float64, torch.int64)


def _by_torch(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    how: Computation,
    gradients: list[Tensor | None],
) -> Tensor:
    """The sum of nats by torch's operations; the gradients that are wanted are written."""
    rows = _Rows(hidden, weight, bias, how)
    total = weight.new_zeros(())
    for first, last in rows.pieces():
        total += rows.nats(first, last, targets[first:last]).sum()
        if any(each is not None for each in gradients):
            rows.put_gradients(first, last, targets[first:last], gradients)
    return total


class _Rows:
    """The rows of a call, of which the workspace holds some at a time: their logits, probabilities or gradients."""

    def __init__(self, hidden: Tensor, weight: Tensor, bias: Tensor | None, how: Computation) -> None:
        self.hidden, self.weight, self.bias = hidden, weight, bias
        self.operands = [hidden, weight] if not how.is_narrow else [hidden.bfloat16(), weight.bfloat16()]
        most = max(1, WORKSPACE_BYTES // (len(weight) * self.operands[0].element_size()))
        count = -(-len(hidden) // most)
        self.size = -(-len(hidden) // max(1, count))  # pieces of equal size
        self.workspace = how.workspace.take(self.size, len(weight), self.operands[0])

    def pieces(self) -> list[tuple[int, int]]:
        """The first row of each piece, and the one after its last."""
        return [
            (first, min(first + self.size, len(self.hidden))) for first in range(0, len(self.hidden), self.size or 1)
        ]

    def nats(self, first: int, last: int, targets: Tensor) -> Tensor:
        """The rows' cross-entropy, (rows,); the workspace then holds their probabilities."""
        hidden, weight = self.operands
        values = self.workspace[: last - first]
        torch.mm(hidden[first:last], weight.t(), out=values)
        if self.bias is not None:
            values += self.bias.to(values.dtype)
        torch.softmax(values, 1, out=values)
        found = values.gather(1, targets[:, None])[:, 0].to(self.hidden.dtype)
        nats = -found.log()
        faint = found < _FAINT
        if faint.any():
            nats[faint] = self._from_the_likeliest(first, values, targets, faint)
        return nats

    def _from_the_likeliest(self, first: int, probabilities: Tensor, targets: Tensor, faint: Tensor) -> Tensor:
        """The cross-entropy of rows in which the target's probability may have become zero.

        The likeliest token's probability is at least 1/V, and gives the logarithm of the sum over all tokens.
        """
        likeliest, place = probabilities[faint].max(1)
        rows = self.hidden[first : first + len(faint)][faint]

        def logits(tokens: Tensor) -> Tensor:
            values = (rows * self.weight[tokens]).sum(1)
            return values if self.bias is None else values + self.bias[tokens]

        return logits(place) - likeliest.to(rows.dtype).log() - logits(targets[faint])

    def put_gradients(self, first: int, last: int, targets: Tensor, gradients: list[Tensor | None]) -> None:
        """Write the gradients of these rows, whose probabilities the workspace holds; they add to those before them."""
        values = self.workspace[: last - first]
        values[torch.arange(last - first, device=values.device), targets] -= 1
        hidden, weight = self.operands
        of_hidden, of_weight, of_bias = gradients
        if of_hidden is not None:
            _put_product(of_hidden[first:last], values, weight)
        if of_weight is not None:
            _put_product(of_weight, values.t(), hidden[first:last], adds=first > 0)
        if of_bias is not None:
            _put_product(of_bias[None], values.new_ones(1, last - first), values, adds=first > 0)


def _put_product(target: Tensor, left: Tensor, right: Tensor, adds: bool = False) -> None:
    """Write a product to a target, which may be of another dtype, or add it to what the target holds."""
    if target.dtype == left.dtype:
        target.addmm_(left, right, beta=int(adds))
    elif adds:
        target += left @ right
    else:
        target.copy_(left @ right)
