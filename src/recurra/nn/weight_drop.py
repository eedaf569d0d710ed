"""``WeightDrop``: a recurrent layer whose weights between states are dropped in training."""

from __future__ import annotations

from typing import Any

from recurra.equations import Cell
from recurra.nn.recurrent import Recurrent


class WeightDrop(Recurrent):
    """A ``Recurrent`` with ``weight_drop``, DropConnect on its weights between states, 0.5 by default.

    Args:
        cell: the equations of a step.
        input_size: features of the input.
        hidden_size: features of the first state.
        num_layers: the number of layers. Default 1.
        weight_drop: the probability of dropping a weight. Default 0.5.
        **options: further arguments of ``Recurrent``, and the cell's options.

    Raises:
        ValueError: ``weight_drop`` is not from 0 to 1; EquationError, a ValueError, where no matrix of the cell
            multiplies a state.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        weight_drop: float = 0.5,
        **options: Any,
    ) -> None:
        super().__init__(cell, input_size, hidden_size, num_layers, weight_drop=weight_drop, **options)

    def extra_repr(self) -> str:
        """The sizes, and the arguments that differ from their defaults."""
        return f"{self.cell.name}, {super().extra_repr()}"
