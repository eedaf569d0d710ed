"""The kernel of a plan that is one of torch's layers, for tensors on any device and numpy's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.cells.known import KnownLayer
from recurra.compiler import Plan
from recurra.engines.protocol import Array, Call, DType, Kernel, Result, Wishes
from recurra.engines.vendor.call import run_layers, run_step
from recurra.engines.vendor.weights import Weights
from recurra.errors import EngineError
from recurra.program import Sizes


class VendorKernel(Kernel):
    """A plan that is one of torch's layers."""

    def __init__(self, plan: Plan, known: KnownLayer) -> None:
        self.plan = plan
        self.known = known
        self._weights: dict[Sizes, Weights] = {}

    def weights(self, parameters: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
        """Return torch's weights of the layer; a parameter that is one of them is returned itself."""
        if sizes not in self._weights:
            self._weights[sizes] = Weights(self.plan.program, self.known, sizes)
        return self._weights[sizes].of(parameters)

    def pack(self, parameters: Sequence[Array], sizes: Sizes, dtype: DType) -> object:
        """Return torch's weights of the layer."""
        with torch.no_grad():
            return self.weights([_tensor(parameter) for parameter in parameters], sizes)

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the layer. Autograd records it, if it is recording.

        Raises:
            EngineError: the call resets states.
        """
        if call.reset is not None:
            raise EngineError("torch's fused layers know no reset")
        x, *states = (_tensor(array) for array in (call.x, *call.states))
        weights = call.packed
        if weights is None:
            weights = self.weights([_tensor(parameter) for parameter in call.parameters], call.sizes)
        output, last = self._run(call, x, states, weights)  # type: ignore[arg-type]
        if isinstance(call.x, np.ndarray):
            return Result(output.numpy(), tuple(state.numpy() for state in last))
        return Result(output, tuple(last))

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients. Nothing was kept, so the layer runs again under torch's autograd."""
        arrays = (call.x, *call.states, *call.parameters)
        inputs = [_tensor(a).detach().requires_grad_(w) for a, w in zip(arrays, wishes.wanted, strict=True)]
        states = len(call.states)
        x, parameters = inputs[0], inputs[1 + states :]
        with torch.enable_grad():
            output, ends = self._run(call, x, inputs[1 : 1 + states], self.weights(parameters, call.sizes))
        incoming = [*(arriving if wishes.given[0] else [None]), *last]
        pairs = [
            (value, _tensor(gradient))
            for value, gradient in zip((output, *ends), incoming, strict=True)
            if gradient is not None and value.requires_grad
        ]
        leaves = [value for value in inputs if value.requires_grad]
        derived = _gradients(pairs, leaves)
        is_numpy = isinstance(call.x, np.ndarray)
        gradients = (gradient.numpy() if is_numpy else gradient for gradient in derived)
        return [next(gradients) if value.requires_grad else None for value in inputs]

    def _run(
        self, call: Call, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output and the last states, (batch, size)."""
        if call.batch_sizes is None and x.shape[0] == 1 and not self.known.is_projected and x.shape[1]:
            last = run_step(self.known, x[0], states, weights)
            return torch.stack(last[:1]), last
        batch_sizes = None if call.batch_sizes is None else _filled(call.batch_sizes)
        turn = _Turn(batch_sizes, x) if call.reverse else None
        output, last = run_layers(
            self.known,
            x if turn is None else turn(x),
            batch_sizes,
            [state.unsqueeze(0) for state in states],
            weights,
        )
        return output if turn is None else turn(output), [state.squeeze(0) for state in last]


class _Turn:
    """Reverses the steps of every sequence."""

    def __init__(self, batch_sizes: Tensor | None, x: Tensor) -> None:
        self._order = None if batch_sizes is None else _turned(tuple(batch_sizes.tolist())).to(x.device)

    def __call__(self, values: Tensor) -> Tensor:
        """Reverse the steps of values (T, batch, size), or of packed rows."""
        return values.flip(0) if self._order is None else values.index_select(0, self._order)


@lru_cache(maxsize=64)
def _turned(batch_sizes: tuple[int, ...]) -> Tensor:
    """For each row of packed sequences, the row that takes its place in reverse order; int64 on the CPU."""
    sizes = np.array(batch_sizes, np.int64)
    starts = np.cumsum(sizes) - sizes
    steps = np.repeat(np.arange(len(sizes)), sizes)
    sequences = np.arange(sizes.sum()) - starts[steps]
    lengths = np.searchsorted(-sizes, -np.arange(sizes[0]) if len(sizes) else [], side="left")
    return torch.from_numpy(starts[lengths[sequences] - 1 - steps] + sequences)


def _filled(batch_sizes: Sequence[int] | Array) -> Tensor:
    """The batch sizes without steps of size 0, int64 on the CPU."""
    sizes = torch.as_tensor(batch_sizes, dtype=torch.int64)
    return sizes[sizes > 0]


def _gradients(pairs: Sequence[tuple[Tensor, Tensor]], leaves: Sequence[Tensor]) -> list[Tensor]:
    if not pairs:
        return [torch.zeros_like(leaf) for leaf in leaves]
    outputs, arriving = zip(*pairs, strict=True)
    return list(torch.autograd.grad(outputs, leaves, arriving, allow_unused=True, materialize_grads=True))


def _tensor(array: Array) -> Any:
    """A tensor over an array's memory; tensors are returned as they are."""
    if not isinstance(array, np.ndarray):
        return array
    readable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if readable else array.copy())
