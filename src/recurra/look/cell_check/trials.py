"""Layers of a cell with random sizes, weights and inputs, for comparing engines on them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.equations import Cell
from recurra.errors import EquationError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from recurra.nn import Recurrent

# Sizes of hidden states that equations may need: halves, thirds, quarters, blocks of eight.
_HIDDEN = (5, 6, 8, 9, 12, 16, 24, 30, 48, 60, 64, 96, 120)


@dataclass(frozen=True)
class Trial:
    """A layer of one cell with an input and first states, all in float64.

    Attributes:
        layer: one layer, forwards, in evaluation mode.
        x: (seq_len, batch, input_size).
        states: the first states, which the layer itself has reached from zeros if it can, each (1, batch, size).
    """

    layer: Recurrent
    x: Tensor
    states: tuple[Tensor, ...]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """seq_len, batch, input_size and hidden_size."""
        steps, batch, width = self.x.shape
        return steps, batch, width, self.layer.hidden_size


def fitting_sizes(
    cell: Cell, options: Mapping[str, Any], input_size: int, hidden_size: int, **arguments: Any
) -> Recurrent:
    """A layer of these sizes, or of the nearest that the cell's equations fit.

    A larger hidden size is tried until one fits, with this input size, then with an input as wide as the hidden state.

    Args:
        cell: the cell.
        options: values for its options.
        input_size: features of the input.
        hidden_size: features of the hidden state.
        **arguments: of the layer.

    Raises:
        EquationError: no size fits; the message is that of the first.
    """
    from recurra.nn import Recurrent

    first: EquationError | None = None
    larger = (hidden_size, *(size for size in _HIDDEN if size > hidden_size), *range(hidden_size + 1, hidden_size + 25))
    for hidden in larger:
        for width in (input_size, hidden):
            try:
                return Recurrent(cell, width, hidden, **arguments, **options)
            except EquationError as error:
                first = first or error
    assert first is not None
    raise first


def trials(cell: Cell, options: Mapping[str, Any], seed: int, count: int) -> Iterator[Trial]:
    """Layers of random sizes, each with inputs and states; the first has a batch of 1. Seeds torch's generator.

    Args:
        cell: the cell.
        options: values for its options.
        seed: of sizes, weights and inputs.
        count: the number of trials.

    Raises:
        EquationError: the cell's equations contradict themselves, or fit no size.
    """
    import torch

    draw = random.Random(seed)
    for number in range(count):
        width, hidden = draw.randrange(1, 9), draw.choice(_HIDDEN[:6])
        torch.manual_seed(draw.randrange(2**31))
        layer = fitting_sizes(cell, options, width, hidden, dtype=torch.float64).eval()
        _spread(layer)
        steps, batch = draw.randrange(2, 9), 1 if number == 0 else draw.randrange(2, 6)
        before, x = torch.randn(2, steps, batch, layer.input_size, dtype=torch.float64)
        with torch.no_grad():
            _, last = layer(before)
        states = last if isinstance(last, tuple) else (last,)
        if not all(bool(state.isfinite().all()) for state in states):  # from zeros it reaches none
            states = tuple(torch.randn_like(state) for state in states)
        yield Trial(layer, x, states)


def trained(layer: Recurrent) -> dict[str, Parameter]:
    """The parameters that training changes, by name."""
    return {name: parameter for name, parameter in layer.named_parameters() if parameter.requires_grad}


def _spread(layer: Recurrent) -> None:
    """Move parameters a little off their first values: zeros and ones hide errors."""
    import torch

    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
