"""A small layer of each cell of the zoo, with inputs and states that its equations are made for."""

from __future__ import annotations

import torch

from recurra import cells
from recurra.nn import Recurrent
from recurra.program import Sizes

T, B, INPUT, HIDDEN = 4, 3, 3, 4

WHOLE = ("clockwork_rnn t", "gru_d m")  # whole numbers, at which functions jump: they have no gradient
# Values that numbers around 0 are wrong for, by cell and name.
MEANT = {
    "clockwork_rnn t": lambda drawn: drawn.abs().mul(4).round(),
    "slstm n": lambda drawn: drawn.abs() + 1,  # a sum of exponentials, which divides
    "gru_d age": torch.abs,
    "skip_gru gap": lambda drawn: drawn.abs() % 1,
    "gru_d m": lambda drawn: (drawn > 0).to(drawn),
    "dt": lambda drawn: drawn.abs() + 0.1,
}


def layer_of(name, dtype=torch.float64, **options):
    """A layer whose parameters are near their initial values, but none is a round number. All have gradients."""
    torch.manual_seed(1)
    layer = Recurrent(cells.all()[name], INPUT, HIDDEN, dtype=dtype, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer.requires_grad_()


class Arguments:
    """Random inputs and first states of a layer.

    Attributes:
        x: the first input, (steps, batch, features).
        further: the other inputs, by name.
        states: (layers*directions, batch, size) each.
    """

    def __init__(self, layer, steps=T, batch=B):
        self._draw = torch.Generator().manual_seed(2)
        self._cell, self._dtype = layer.cell.name, next(layer.parameters()).dtype
        program = layer.program
        rows = layer.num_layers * (1 + layer.bidirectional)
        names = [state.name for state in program.states]
        self.states = [
            self._drawn(name, rows, batch, size) for name, size in zip(names, layer.state_sizes, strict=True)
        ]
        self.x = self._drawn("x", steps, batch, layer.input_size)
        sizes = Sizes(layer.input_size, layer.hidden_size)
        further = {each.name: each.size.value(sizes) for each in program.further_inputs}
        self.further = {name: self._drawn(name, steps, batch, size) for name, size in further.items()}

    def _drawn(self, name, *shape):
        values = torch.randn(*shape, generator=self._draw, dtype=self._dtype)
        full = f"{self._cell} {name}"
        change = MEANT.get(full) or MEANT.get(name) or torch.clone
        return change(values).requires_grad_(full not in WHOLE)

    @property
    def inputs(self):
        """All inputs, the first one first."""
        return [self.x, *self.further.values()]

    @property
    def leaves(self):
        """What has a gradient."""
        return [value for value in (*self.inputs, *self.states) if value.requires_grad]

    def arrays(self):
        """x, the other inputs by name, and the states, in numpy."""
        further = {name: value.detach().numpy() for name, value in self.further.items()}
        return self.x.detach().numpy(), further, [state.detach().numpy() for state in self.states]

    def of_sequence(self, row, length):
        """The first steps of one sequence, as arguments of a batch of one."""
        return (
            self.x[:length, row : row + 1],
            {name: value[:length, row : row + 1] for name, value in self.further.items()},
            [state[:, row : row + 1] for state in self.states],
        )


def as_state(states):
    """States as a layer takes them."""
    return tuple(states) if len(states) > 1 else states[0]


def as_tuple(last):
    """Last states, of which one stands without a tuple."""
    return last if isinstance(last, tuple) else (last,)


def run(layer, x, further, states):
    """The output and the last states."""
    output, last = layer(x, as_state(states), **further)
    return [output, *as_tuple(last)]
