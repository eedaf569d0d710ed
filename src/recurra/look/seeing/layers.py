"""Recurrent layers of recurra and of torch.nn as scans that run step by step, over one sequence of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.look.seeing.steps import ScanRun, StepwiseScan
from recurra.nn.acceleration.classes import own_class
from recurra.nn.acceleration.fitness import ACCELERATED, counterpart
from recurra.nn.recurrent import Recurrent
from recurra.nn.running.layers import through_layers
from recurra.nn.weights import weight_of

KNOWN = "a recurrent layer of recurra, or torch.nn's RNN, LSTM or GRU"


def is_layer(module: object) -> bool:
    """Whether a module is a recurrent layer that can be looked into."""
    if isinstance(module, Recurrent):
        return True
    return isinstance(module, nn.RNNBase) and own_class(module) in ACCELERATED


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What a layer computed for one sequence.

    Attributes:
        output: (steps, directions * size).
        scans: what each scan computed, by layer and direction.
    """

    output: Tensor
    scans: dict[tuple[int, int], ScanRun]


class StepLayer:
    """A recurrent layer whose scans run step by step, without dropout, in float32 or float64 on the CPU.

    Args:
        module: a layer of recurra, accelerated or not, or of torch.nn.
        dtype: the dtype to compute in. Default: the layer's, or float32 for half precision.

    Raises:
        TypeError: the module is no such layer.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype | None = None) -> None:
        if not is_layer(module):
            raise TypeError(f"look takes {KNOWN}, not {type(module).__name__}")
        like: Any = module if isinstance(module, Recurrent) else counterpart(module)
        self.batch_first: bool = bool(module.batch_first)
        self.input_size, self.layers = int(like.input_size), int(like.num_layers)
        self.directions = 2 if like.bidirectional else 1
        self._merge_mode, self._adds_input = like.merge_mode, like._adds_input
        self.state_names: tuple[str, ...] = tuple(state.name for state in like.program.states)
        self.scans = [
            StepwiseScan(scan.program, _weights(module, scan, names, dtype), scan.sizes, scan.reverse)
            for scan, names in zip(like._scans, like._all_weights, strict=True)
        ]
        weights = [weight_of(module, name) for names in like._all_weights for name in names]
        self.dtype = dtype or _computed(weights[0].dtype if weights else torch.get_default_dtype())
        learned = zip(*like._initial_names, strict=True)
        self._learned = [[_ready(weight_of(module, name).detach(), self.dtype) for name in each] for each in learned]

    def starts(self) -> list[list[Tensor]]:
        """The states that each scan begins with where none are given, (1, size) each: learned ones, or zeros."""
        if self._learned:
            return [list(states) for states in self._learned]
        return [[torch.zeros(1, size, dtype=self.dtype) for size in scan.state_sizes] for scan in self.scans]

    def __call__(
        self,
        x: Tensor,
        states: Sequence[Sequence[Tensor]] | None = None,
        reset: Tensor | None = None,
        until: int | None = None,
    ) -> LayerRun:
        """Run over one sequence.

        Args:
            x: (steps, input_size).
            states: for each scan its first states, (1, size) each. Default ``starts()``.
            reset: bool (steps,), the steps before which states are put back to ``starts()``. Default: none.
            until: the number of layers to run. Default: all.
        """
        scans: dict[tuple[int, int], ScanRun] = {}
        starts = self.starts()
        first = starts if states is None else states

        def run_scan(number: int, x: Tensor) -> Tensor:
            run = self.scans[number](x, first[number], reset, starts[number])
            scans[divmod(number, self.directions)] = run
            return torch.cat(run.output)

        count = self.directions * (self.layers if until is None else until)
        x = through_layers(count, self.directions, x, run_scan, _same, self._merge_mode, self._adds_input)
        return LayerRun(x, scans)


def _same(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True, eq=False)
class OneSequence:
    """One sequence of a layer's input.

    Attributes:
        x: (steps, input_size).
        states: for each scan its first states, (1, size) each; None for the layer's own.
        reset: bool (steps,); None for none.
        places: the index of each of its steps in the layer's output, or in the data of a packed one.
    """

    x: Tensor
    states: list[list[Tensor]] | None
    reset: Tensor | None
    places: list[tuple[int, ...]]


def one_sequence(layer: StepLayer, number: int, x: Any, state: Any = None, reset: Tensor | None = None) -> OneSequence:
    """One sequence of what a layer is called with.

    Args:
        layer: the layer.
        number: the sequence's number in the batch, from 0, in the caller's order; negative ones count from the end.
        x: the input: batched, unbatched or packed.
        state: the first states. Default zeros.
        reset: bool (seq_len, batch), or (seq_len,) unbatched. Default: none.

    Raises:
        IndexError: the batch has no such sequence.
        TypeError, ValueError: x is no input of the layer, or the sequence has no steps.
    """
    data, places, batch, number = _steps_of(layer, number, x)
    if data.shape[-1] != layer.input_size:
        raise ValueError(f"the input's last dimension must be input_size={layer.input_size}; got {data.shape[-1]}")
    if not len(data):
        raise ValueError(f"sequence {number} of the input has no steps: there is nothing to see")
    states = None
    if state is not None:
        of_states = [state] if len(layer.scans[0].program.states) == 1 else list(state)
        states = [
            [_ready(row[None] if batch is None else row[number : number + 1], layer.dtype) for row in rows]
            for rows in zip(*(_rows(each) for each in of_states), strict=True)
        ]
    if reset is not None:
        reset = (reset if batch is None else reset[:, number])[: len(data)]
    return OneSequence(_ready(data, layer.dtype), states, reset, places)


def _rows(state: Any) -> list[Tensor]:
    """A state by the number of the scan: (batch, size), or unbatched (size,), each."""
    levels = state if isinstance(state, (tuple, list)) else [state]  # a tuple has a tensor for each layer
    return [row for level in levels for row in level.unbind(0)]


def _steps_of(layer: StepLayer, number: int, x: Any) -> tuple[Tensor, list[tuple[int, ...]], int | None, int]:
    """The steps of a sequence, their places in the output, the size of the batch if there is one, and its number."""
    if isinstance(x, PackedSequence):
        sizes = x.batch_sizes.tolist()
        number = _numbered(number, sizes[0])
        row = number if x.unsorted_indices is None else int(x.unsorted_indices[number])
        begins = [sum(sizes[:t]) for t in range(len(sizes))]
        rows = [begin + row for begin, size in zip(begins, sizes, strict=True) if size > row]
        return x.data[rows], [(each,) for each in rows], sizes[0], number
    if not isinstance(x, Tensor):
        raise TypeError(f"the input must be a tensor or a PackedSequence, not {type(x).__name__}")
    if x.dim() == 2:
        if number not in (0, -1):
            raise IndexError(f"an input without batch has sequence 0 alone; got sequence={number}")
        return x, [(t,) for t in range(len(x))], None, 0
    if x.dim() != 3:
        raise ValueError(f"the input must have 3 dimensions, or 2 unbatched; got {tuple(x.shape)}")
    batch = x.shape[0 if layer.batch_first else 1]
    number = _numbered(number, batch)
    if layer.batch_first:
        return x[number], [(number, t) for t in range(x.shape[1])], batch, number
    return x[:, number], [(t, number) for t in range(x.shape[0])], batch, number


def _numbered(number: int, batch: int) -> int:
    if not batch:
        raise ValueError("the batch has no sequences: there is nothing to see")
    if not -batch <= number < batch:
        raise IndexError(f"the batch has {batch} sequences, from 0 to {batch - 1}; got sequence={number}")
    return number % batch


def _computed(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype in (torch.float32, torch.float64) else torch.float32


def _ready(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A value on the CPU; autograd saves no tensor of inference mode, so that of one a copy."""
    value = value.to("cpu", dtype)
    return value.clone() if value.is_inference() else value


def _weights(module: nn.Module, scan: Any, names: Sequence[str], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """The weights of a scan by the names of its parameters, detached."""
    found = {}
    for parameter, name in zip(scan.program.parameters, names, strict=True):
        weight = weight_of(module, name).detach()
        found[parameter.name] = _ready(weight, dtype or _computed(weight.dtype))
    return found
