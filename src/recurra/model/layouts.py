"""The order of gates and the orientation of matrices in the weights of libraries and cells.

Gates have letters: ``n`` of an RNN; ``r`` (reset), ``z`` (update) and ``n`` (new) of a GRU; ``i`` (input), ``f``
(forget), ``g`` (cell) and ``o`` (output) of an LSTM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.cells import gru, lstm, rnn
from recurra.program import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.equations import Cell


@dataclass(frozen=True)
class LibraryLayout:
    """A library's order of gates, and the orientation of its matrices.

    Attributes:
        gates: the letters of each kind of layer's gates, in the library's order.
        gates_first: whether matrices are (gates * hidden, features); else (features, gates * hidden).
        peepholes: the letters of the LSTM's gates that may see the cell state, in order.
    """

    gates: Mapping[str, str]
    gates_first: bool = True
    peepholes: str = ""

    def kind(self, count: int) -> str | None:
        """The kind of layer with so many gates; None where there is none."""
        return next((kind for kind, letters in self.gates.items() if len(letters) == count), None)

    def rows(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """A matrix of the library as (gates * hidden, features)."""
        return matrix if self.gates_first else matrix.T


TORCH = LibraryLayout({"RNN": "n", "GRU": "rzn", "LSTM": "ifgo"})
KERAS = LibraryLayout({"RNN": "n", "GRU": "zrn", "LSTM": "ifgo"}, gates_first=False)
ONNX = LibraryLayout({"RNN": "n", "GRU": "zrn", "LSTM": "iofg"}, peepholes="iof")

TORCH_CELLS: Mapping[str, Cell] = {"RNN": rnn, "GRU": gru, "LSTM": lstm}

STACKED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # a cell's parameters, in torch's order of gates
SEPARATE = ("W_", "U_", "b_", "p_")  # parameters of a single gate, whose letter follows


@dataclass(frozen=True)
class GateLayout:
    """A cell's order of gates, and whether their weights are stacked.

    Attributes:
        gates: the letters of the gates, in the cell's order.
        is_stacked: whether the cell has torch's ``weight_ih``, ``weight_hh``, (gates * hidden, features), and two
            biases; else each gate has its own ``W_``, ``U_`` (features, hidden), ``b_`` and perhaps ``p_``, with its
            letter at the end.
    """

    gates: str
    is_stacked: bool

    @staticmethod
    def of(program: Program) -> GateLayout | None:
        """The layout of a program that has all its biases; None where its parameters follow neither scheme."""
        shapes = {parameter.name: parameter.shape for parameter in program.parameters}
        if sorted(shapes) == sorted(STACKED):
            kind = TORCH.kind(int(shapes["weight_ih"][0].factor("hidden")))
            if kind is not None:
                return GateLayout(TORCH.gates[kind], True)
        letters = "".join(name[2:] for name in shapes if name.startswith("W_"))
        if letters and all(name[:2] in SEPARATE and name[2:] in set(letters) for name in shapes):
            return GateLayout(letters, False)
        return None
