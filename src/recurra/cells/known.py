"""The layers that other libraries have kernels for, and the search for programs that compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from recurra.cells.standard import gru, lstm, rnn
from recurra.compiler.algebra import Algebra, Block
from recurra.compiler.match import match
from recurra.compiler.trace import trace
from recurra.equations import Cell, relu, tanh
from recurra.program import Program

Gates = tuple[tuple[Block, ...], ...]
"""For each gate, the blocks whose sum is its weight: one block of a matrix, or any number of vectors, none for zeros.
A block's rows and columns are those of ``x @ block``: the layer's weight is its transpose."""


@dataclass(frozen=True)
class KnownLayer:
    """The layer of torch's that a program computes, and the program's parameters that make up each of its weights.

    Attributes:
        mode: torch's name of the layer: ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
        weight_ih: the weight of the input, (gates * hidden, input) together.
        weight_hh: the weight of the first state, (gates * hidden, hidden or proj).
        bias_ih: the bias beside the input's product, (gates * hidden).
        bias_hh: the bias beside the state's product, (gates * hidden).
        weight_hr: the weight of the projection, (proj, hidden); empty without one.
    """

    mode: str
    weight_ih: Gates
    weight_hh: Gates
    bias_ih: Gates
    bias_hh: Gates
    weight_hr: Gates

    @property
    def kind(self) -> tuple[str, bool, bool]:
        """The properties that layers of one call must share: mode, whether there are biases, whether a projection."""
        return self.mode, self.has_biases, self.is_projected

    @property
    def has_biases(self) -> bool:
        """Whether there is any bias."""
        return any((*self.bias_ih, *self.bias_hh))

    @property
    def is_projected(self) -> bool:
        """Whether the first state is multiplied by ``weight_hr`` before it is handed on."""
        return bool(self.weight_hr)


@dataclass(frozen=True)
class _Row:
    mode: str
    cell: Cell
    options: Mapping[str, Any]
    is_projected: bool = False


_TABLE = (
    _Row("LSTM", lstm, {}),
    _Row("LSTM", lstm, {}, is_projected=True),
    _Row("GRU", gru, {}),
    _Row("RNN_TANH", rnn, {"nonlinearity": tanh}),
    _Row("RNN_RELU", rnn, {"nonlinearity": relu}),
)


def find_known(program: Program) -> KnownLayer | None:
    """The layer that computes the same as a program, but for rounding; None where there is none.

    Gates may be stacked in any order or not at all, matrices transposed or not, sums and products written in any order,
    and there may be any number of biases.
    """
    algebra = Algebra(program)
    for row, template in _templates():
        found = match(algebra, template)
        if found is not None:
            return KnownLayer(row.mode, *(_gates(name, found) for name in _WEIGHTS))
    return None


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


@lru_cache(maxsize=1)
def _templates() -> list[tuple[_Row, Algebra]]:
    return [(row, Algebra(trace(row.cell, row.options, projected=row.is_projected))) for row in _TABLE]


def _gates(name: str, found: Mapping[Block, tuple[Block, ...]]) -> Gates:
    """The blocks that stand for a parameter of the template, gate by gate."""
    parts = [
        (block.columns[0].factor("hidden"), blocks) for block, blocks in found.items() if block.parameter.name == name
    ]
    return tuple(blocks for _, blocks in sorted(parts, key=lambda part: part[0]))
