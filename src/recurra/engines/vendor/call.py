"""Calls of torch's fused layers: one layer or a stack, on dense, packed or empty batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells.known import KnownLayer


def run_layers(
    known: KnownLayer,
    x: Tensor,
    batch_sizes: Tensor | None,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    layers: int = 1,
    directions: int = 1,
    dropout: float = 0.0,
) -> tuple[Tensor, list[Tensor]]:
    """Run layers; return the last layer's output, and the last value of each state.

    Args:
        known: the layer.
        x: (T, batch, input), or with ``batch_sizes`` packed rows, (rows, input).
        batch_sizes: int64 (T,) on the CPU; None for a dense batch.
        states: (layers * directions, batch, size); the batch may be larger than that of any step.
        weights: of each layer and direction, one after the other.
        layers: the number of layers.
        directions: 1, or 2 with a second run from the last step to the first.
        dropout: the probability of zeroing an element of the output of each layer but the last.
    """
    if x.shape[:-1].numel() == 0:
        return x.new_zeros((*x.shape[:-1], directions * states[0].shape[-1])), [state.clone() for state in states]
    batch = x.shape[1] if batch_sizes is None else int(batch_sizes[0])
    first = [state[:, :batch].contiguous() for state in states]
    # cuDNN's backward pass requires a forward pass in training mode, with or without dropout.
    is_training = dropout > 0 or (torch.is_grad_enabled() and any(v.requires_grad for v in (x, *states, *weights)))
    options = known.has_biases, layers, dropout, is_training, directions == 2
    function = _function(known.mode)
    hidden = first if len(first) > 1 else first[0]
    if batch_sizes is None:
        output, *last = function(x, hidden, list(weights), *options, False)
    else:
        output, *last = function(x, batch_sizes, hidden, list(weights), *options)
    if batch < states[0].shape[1]:
        last = [torch.cat([value, state[:, batch:]], 1) for value, state in zip(last, states, strict=True)]
    return output, last


def run_step(known: KnownLayer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Run one step of a layer without a projection on x (batch, input); return the new states, (batch, size)."""
    hidden = tuple(states) if len(states) > 1 else states[0]
    biases = weights[2:] if known.has_biases else (None, None)
    result = _function(f"{known.mode}_cell")(x, hidden, *weights[:2], *biases)
    return list(result) if isinstance(result, tuple) else [result]


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(torch._VF, name.lower())
    return function
