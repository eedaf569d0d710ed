"""``Problem``: a case with numbers, that is recurra's module with its weights, the input and the first states."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from recurra import cells
from recurra import nn as recurra_nn
from recurra.bench.cases import STANDARD, Case

SEED = 20240229
_CELLS: dict[str, Callable[..., nn.Module]] = {
    "lstm": recurra_nn.LSTMCell,
    "gru": recurra_nn.GRUCell,
    "rnn": recurra_nn.RNNCell,
}
_LAYERS: dict[str, Callable[..., nn.Module]] = {"lstm": recurra_nn.LSTM, "gru": recurra_nn.GRU, "rnn": recurra_nn.RNN}
SHORTEST = 0.3  # the least length of a packed sequence, as a part of the longest


@dataclass(frozen=True)
class Problem:
    """The module, the input and the first states of a case, which are the same for all sides.

    Attributes:
        case: the case.
        layer: recurra's module, whose weights all sides use.
        x: the input, (T, B, I) or packed; (B, I) for a cell.
        states: the first states, shaped as the module takes them; empty for the default, zeros.
    """

    case: Case
    layer: nn.Module
    x: Tensor | PackedSequence
    states: tuple[Tensor, ...]

    @property
    def hx(self) -> Any:
        """The first states as a module takes them."""
        return (None, *self.states)[-1] if len(self.states) < 2 else self.states

    @property
    def weights(self) -> dict[str, Tensor]:
        """The parameters by recurra's names."""
        return {name: value.detach() for name, value in self.layer.named_parameters()}

    @property
    def dense(self) -> Tensor:
        """The input of a case that is not packed."""
        assert isinstance(self.x, Tensor)
        return self.x

    def double(self) -> Problem:
        """The same numbers in float64."""
        states = tuple(state.double() for state in self.states)
        return replace(self, layer=copy.deepcopy(self.layer).double(), x=self.x.double(), states=states)


def make(case: Case) -> Problem:
    """Make the problem of a case, with the same numbers each time."""
    torch.manual_seed(SEED)
    layer, shape = _module(case), case.shape
    if case.group == "step":
        states = (torch.randn(shape.batch, shape.hidden),) * _state_count(case.cell)
        return Problem(case, layer, torch.randn(shape.batch, shape.input), states)
    x = torch.randn(shape.steps, shape.batch, shape.input)
    if case.group == "packed":
        return Problem(case, layer, _packed(x), ())
    count = _state_count(case.cell) if case.group == "stream" else 0
    states = tuple(torch.randn(shape.layers * shape.directions, shape.batch, shape.hidden) for _ in range(count))
    return Problem(case, layer, x, states)


def _module(case: Case) -> nn.Module:
    shape = case.shape
    if case.group == "step":
        return _CELLS[case.cell](shape.input, shape.hidden)
    if case.cell in STANDARD:
        return _LAYERS[case.cell](shape.input, shape.hidden, shape.layers, bidirectional=shape.directions == 2)
    return recurra_nn.Recurrent(cells.all()[case.cell], shape.input, shape.hidden, shape.layers)


def _state_count(cell: str) -> int:
    return len(cells.all()[cell].states)


def _packed(x: Tensor) -> PackedSequence:
    """The sequences of x, packed, with lengths spread uniformly, the longest first."""
    steps, batch, _ = x.shape
    lengths = ((SHORTEST + (1 - SHORTEST) * torch.rand(batch)) * steps).ceil().long()
    return pack_padded_sequence(x, lengths.sort(descending=True).values)
