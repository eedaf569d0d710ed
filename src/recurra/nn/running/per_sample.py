"""Scans whose weights collect gradients sample by sample, by torch.nn.utils' call_for_per_sample_grads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recurra.engines.torch_internals import add_sample_gradients, is_per_sample, shared_weight
from recurra.nn.running.scan import Sequences

RunScan = Callable[[Sequences, Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], list[Tensor]]
"""Runs a scan over sequences with first states, parameters and masks: output, last states and traced variables."""


def run_per_sample(
    run: RunScan, sequences: Sequences, states: Sequence[Tensor], weights: Sequence[Tensor], masks: Sequence[Tensor]
) -> list[Tensor]:
    """Run a scan; its backward pass gives each weight the gradient of each sequence, as ``grad_sample``.

    The forward pass is one run of the batch. The backward pass runs each sequence again by itself, as the engines sum
    gradients over the batch.

    Args:
        run: runs the scan.
        sequences: the sequences.
        states: the first states.
        weights: the parameters; those that collect gradients by sample are found.
        masks: the values of each random mask.
    """
    results: tuple[Tensor, ...] = _PerSample.apply(run, sequences, masks, weights, sequences.x, *states, *weights)  # type: ignore[no-untyped-call]
    return list(results)


class _PerSample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        run: RunScan,
        sequences: Sequences,
        masks: Sequence[Tensor],
        weights: Sequence[Tensor],
        x: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        states = tensors[: len(tensors) - len(weights)]
        shared = [shared_weight(weight) if is_per_sample(weight) else weight for weight in weights]
        ctx.run, ctx.sequences, ctx.masks, ctx.weights = run, sequences, masks, weights
        ctx.save_for_backward(x, *states, *shared)
        results = run(sequences, states, shared, masks)
        ctx.mark_non_differentiable(*(each for each in results if not each.is_floating_point()))
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *tensors = ctx.saved_tensors
        count, sequences = len(tensors) - len(ctx.weights), ctx.sequences
        states, weights = tensors[:count], tensors[count:]
        dx, d_states = torch.zeros_like(x), [torch.zeros_like(state) for state in states]
        samples: list[list[Tensor]] = [[] for _ in weights]
        for number in range(states[0].shape[0]):
            rows = _RowsOfSequence(sequences, number)
            inputs = [rows.of(x), *(state[number : number + 1] for state in states), *weights]
            inputs = [value.detach().requires_grad_() for value in inputs]
            own = Sequences(inputs[0], None, None if sequences.reset is None else rows.of(sequences.reset))
            with torch.enable_grad():
                results = ctx.run(own, inputs[1 : 1 + count], inputs[1 + count :], [rows.of(m) for m in ctx.masks])
            last = range(1, 1 + count)
            arriving = [g[number : number + 1] if n in last else rows.of(g) for n, g in enumerate(gradients)]
            outputs, given = zip(*(p for p in zip(results, arriving, strict=True) if p[0].requires_grad), strict=True)
            found = torch.autograd.grad(outputs, inputs, given, materialize_grads=True)
            rows.put(dx, found[0])
            for total, each in zip(d_states, found[1 : 1 + count], strict=True):
                total[number : number + 1] = each
            for collected, each in zip(samples, found[1 + count :], strict=True):
                collected.append(each)
        return None, None, None, None, dx, *d_states, *map(_given, ctx.weights, samples)


def _given(weight: Tensor, samples: Sequence[Tensor]) -> Tensor | None:
    """The gradient for autograd: none for a weight that collects those of the samples, else their sum."""
    stacked = torch.stack(list(samples))
    if not is_per_sample(weight):
        return stacked.sum(0)
    add_sample_gradients(weight, stacked)
    return None


class _RowsOfSequence:
    """The rows of one sequence of a batch; as a batch of one sequence they are (T, 1, …)."""

    def __init__(self, sequences: Sequences, number: int) -> None:
        self._number, sizes = number, sequences.batch_sizes
        self._packed: Tensor | None = None
        if sizes is not None:  # step t of the sequence lies behind the rows of all earlier steps
            begins = torch.cumsum(sizes, 0) - sizes
            self._packed = (begins[sizes > number] + number).to(sequences.x.device)

    def of(self, values: Tensor) -> Tensor:
        """The sequence's part of values that have a row for each step of each sequence."""
        if self._packed is None:
            return values[:, self._number : self._number + 1]
        return values[self._packed].unsqueeze(1)

    def put(self, values: Tensor, part: Tensor) -> None:
        """Write the sequence's part into values of all."""
        if self._packed is None:
            values[:, self._number : self._number + 1] = part
        else:
            values[self._packed] = part.squeeze(1)
