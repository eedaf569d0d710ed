"""Direct calls of layers with residuals, merged directions or sizes of their own: a direct call for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.nn.running.direct import DirectCalls, direct_layer
from recurra.nn.running.layers import merged
from recurra.nn.running.scan import Scan


class _LayerCalls:
    """One layer of a module, as ``direct_layer`` takes a module."""

    dropout = 0.0

    def __init__(self, module: Any, begin: int) -> None:
        end = begin + module._directions
        self._scans: Sequence[Scan] = module._scans[begin:end]
        self._all_weights: Sequence[Sequence[str]] = module._all_weights[begin:end]
        self._directions: int = module._directions
        self._calls = DirectCalls()
        self.batch_first: bool = module.batch_first
        self.checkpoint: int | None = module.checkpoint
        self.compute = module.compute
        self._parameters: dict[str, Any] = {}
        self.training = False

    def run(self, module: Any, x: Tensor, states: Any) -> Any:
        """Output and last states of the layer, with the module's present weights; None where it has no direct call."""
        self._parameters, self.training = module._parameters, module.training
        self.checkpoint, self._calls.is_frozen = module.checkpoint, module._calls.is_frozen
        return direct_layer(self, x, states)


def direct_call(module: Any, x: Any, given: Any) -> Any:
    """Output and last states of a ``Recurrent`` of any arrangement; None where only a checked call can run it."""
    return direct_layer(module, x, given) if module._is_plain else _through_levels(module, x, given)


def _through_levels(module: Any, x: Any, given: Any) -> tuple[Tensor, Any] | None:
    if x.__class__ is not Tensor or x.dim() != 3 or module._further or (module.training and module.dropout > 0):
        return None
    arranged, directions = module._arrangement, module._directions
    count = len(module._scans[0].state_sizes)
    firsts = _by_layer(given, count, arranged)
    if firsts is None:
        return None
    levels = module._calls.levels
    if levels is None:
        levels = module._calls.levels = [_LayerCalls(module, n * directions) for n in range(len(arranged.hidden_sizes))]
    last: list[tuple[Tensor, ...]] = []
    for number, (level, states) in enumerate(zip(levels, firsts, strict=True)):
        result = level.run(module, x, states)
        if result is None:
            return None
        output, ends = result
        if arranged.merge_mode != "concat":
            output = merged(output.chunk(2, -1), arranged.merge_mode)
        x = x + output if module._adds_input and module._adds_input[number] else output
        last.append(ends if count > 1 else (ends,))
    of_states = [values if arranged.by_layer else torch.cat(values) for values in zip(*last, strict=True)]
    return x, tuple(of_states) if count > 1 else of_states[0]


def _by_layer(given: Any, count: int, arranged: Any) -> list[Any] | None:
    """The first states of each layer, as its direct call takes them; None where they have another form."""
    layers, directions = len(arranged.hidden_sizes), arranged.directions
    if given is None:
        return [None] * layers
    states = given if count > 1 else (given,)
    if not isinstance(states, (tuple, list)) or len(states) != count:
        return None
    if arranged.by_layer:
        if not all(isinstance(state, (tuple, list)) and len(state) == layers for state in states):
            return None
        cut = [tuple(state[layer] for state in states) for layer in range(layers)]
    else:
        if not all(isinstance(s, Tensor) and s.dim() == 3 and s.shape[0] == layers * directions for s in states):
            return None
        cut = [tuple(s[layer * directions : (layer + 1) * directions] for s in states) for layer in range(layers)]
    return [each if count > 1 else each[0] for each in cut]
