"""The demo's races of layers: an own cell beside its loop in torch, a GRU, and a packed batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra.nn import GRU, LSTM, Recurrent
from recurra.tasks.demo.own_cell import coupled_lstm, loop
from recurra.tasks.demo.races import Race, of_calls, raced

STEPS, BATCH, INPUT, HIDDEN = 64, 32, 64, 128


def own_cell_race() -> Race:
    """The demo's own cell beside its loop in torch."""
    x = _input()
    layer = Recurrent(coupled_lstm, INPUT, HIDDEN)
    weights = dict(layer.named_parameters())
    W, U, b = (weights[f"{name}_l0"] for name in "WUb")
    ours, theirs = of_calls(lambda: _output(layer(x)), (W, U, b)), of_calls(lambda: loop(x, W, U, b), (W, U, b))
    return raced("own cell", ours, theirs)


def gru_race() -> Race:
    """A GRU of two layers beside torch.nn's."""
    x = _input()
    ours, theirs = GRU(INPUT, HIDDEN, 2), nn.GRU(INPUT, HIDDEN, 2)
    return _same_weights_race("GRU, 2 layers", ours, theirs, x)


def packed_race(lengths: Sequence[int]) -> Race:
    """A bidirectional LSTM on a packed batch beside torch.nn's.

    Args:
        lengths: the length of each sequence, at least 1.
    """
    x = torch.randn(max(lengths), len(lengths), INPUT)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    ours, theirs = LSTM(INPUT, HIDDEN, bidirectional=True), nn.LSTM(INPUT, HIDDEN, bidirectional=True)
    return _same_weights_race("packed LSTM", ours, theirs, packed)


def line_lengths(text: str, count: int = BATCH) -> list[int]:
    """The lengths of the first lines of a text that are no longer than 80 characters, and not empty.

    Args:
        text: the text.
        count: the number of lines. Default 32.
    """
    return [length for length in map(len, text.splitlines()) if 0 < length <= 80][:count]


def _same_weights_race(name: str, ours: nn.Module, theirs: nn.Module, x: object) -> Race:
    theirs.load_state_dict(ours.state_dict())
    sides = [
        of_calls(lambda module=module: _output(module(x)), list(module.parameters()))  # type: ignore[misc]
        for module in (ours, theirs)
    ]
    return raced(name, *sides)


def _input() -> Tensor:
    return torch.randn(STEPS, BATCH, INPUT)


def _output(returned: tuple[Tensor | nn.utils.rnn.PackedSequence, object]) -> Tensor:
    output = returned[0]
    return output if isinstance(output, Tensor) else output.data
