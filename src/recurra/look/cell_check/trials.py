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
    """A layer of one cell with inputs and first states, all in float64.

    Attributes:
        layer: one layer, forwards, in evaluation mode.
        inputs: the inputs of the cell by name, the first one first, each (seq_len, batch, features).
        states: the first states by name, which the layer itself has reached from zeros if it can, (1, batch, size).
    """

    layer: Recurrent
    inputs: Mapping[str, Tensor]
    states: Mapping[str, Tensor]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """seq_len, batch, input_size and hidden_size."""
        steps, batch, width = next(iter(self.inputs.values())).shape
        return steps, batch, width, self.layer._scans[0].sizes.hidden

    def run(self) -> list[Tensor]:
        """The output and each last state."""
        states = tuple(self.states.values())
        return results(self.layer, self.inputs, states if len(states) > 1 else states[0])


def results(layer: Recurrent, inputs: Mapping[str, Any], state: Any = None) -> list[Any]:
    """The output and each last state of a call.

    Args:
        layer: the layer.
        inputs: the inputs by name, the first one first.
        state: the first states, as the layer takes them. Default None: zeros.
    """
    first, *others = inputs
    output, last = layer(inputs[first], state, **{name: inputs[name] for name in others})
    return [output, *(last if isinstance(last, tuple) else (last,))]


def random_inputs(layer: Recurrent, steps: int, batch: int) -> dict[str, Tensor]:
    """Inputs of a layer by name: the first around 0; the others, such as times and masks, from 0 to 1."""
    import torch

    dtype = next((parameter.dtype for parameter in layer.parameters()), torch.get_default_dtype())
    found = {next(iter(layer.cell.inputs)): torch.randn(steps, batch, layer.input_size, dtype=dtype)}
    for each in layer._further:
        found[each.name] = torch.rand(steps, batch, each.size, dtype=dtype)
    return found


def state_names(layer: Recurrent) -> list[str]:
    """The names of all states, those that the language adds to the cell's own included."""
    return [state.name for state in layer.program.states]


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
        with torch.no_grad():
            _, *states = results(layer, random_inputs(layer, steps, batch))
        if not all(bool(state.isfinite().all()) for state in states):  # from zeros it reaches none
            states = [torch.randn_like(state) for state in states]
        yield Trial(layer, random_inputs(layer, steps, batch), dict(zip(state_names(layer), states, strict=True)))


def trained(layer: Recurrent) -> dict[str, Parameter]:
    """The parameters that training changes, by name."""
    return {name: parameter for name, parameter in layer.named_parameters() if parameter.requires_grad}


def _spread(layer: Recurrent) -> None:
    """Move parameters a little off their first values: zeros and ones hide errors."""
    import torch

    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
