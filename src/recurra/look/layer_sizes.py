"""``LayerSizes``: a layer as numbers: its cell, its sizes, and the batch that it runs on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from recurra import cells
from recurra.compiler import TracedCell, drop_biases, trace
from recurra.equations import Cell
from recurra.errors import EquationError, RecurraError
from recurra.look.batch_form import BatchForm
from recurra.program import Program, Sizes


@dataclass(frozen=True)
class LayerPlace:
    """One layer in one direction.

    Attributes:
        number: its row in h_n: ``layer * num_directions + direction``.
        layer: the layer, from 0.
        direction: 0 forward, 1 backward.
        sizes: the numbers of the program's symbols there; ``sizes.input`` is the width of the layer's input.
    """

    number: int
    layer: int
    direction: int
    sizes: Sizes

    @property
    def suffix(self) -> str:
        """The end of its parameters' names: ``_l0``, ``_l0_reverse``."""
        return f"_l{self.layer}" + ("_reverse" if self.direction else "")

    @property
    def is_backward(self) -> bool:
        """Whether it runs from the last step to the first."""
        return self.direction == 1


@dataclass(frozen=True)
class LayerSizes:
    """A recurrent layer as numbers; torch.nn's names and meanings.

    Attributes:
        cell: the equations of a step, with their options at their defaults.
        input_size: features of the input, at least 1.
        hidden_size: features of the hidden state, at least 1.
        num_layers: layers, each over the output of the one below, at least 1. Default 1.
        bidirectional: whether each layer also runs from the last step to the first. Default False.
        batch_first: whether input and output are (batch, seq_len, features); states never are. Default False.
        proj_size: features of the projected hidden state, below hidden_size; 0 for no projection. Default 0.
        bias: False drops every parameter that is only ever added. Default True.
        batch: sequences in the batch; None where it is not known. Default None.
        seq_len: steps of a sequence, at least 1; None where it is not known. Default None.

    Raises:
        TypeError: a value of the wrong type.
        RecurraError: a ValueError; a number out of range, or one that the cell's equations do not fit. The message
            begins with the attribute's name where one is at fault.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    batch_first: bool = False
    proj_size: int = 0
    bias: bool = True
    batch: int | None = None
    seq_len: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(f"cell must be made by @recurra.cell, not {type(self.cell).__name__}")
        for field in fields(self)[1:]:
            _check_type(field.name, getattr(self, field.name), str(field.type))
        least = {"input_size": 1, "hidden_size": 1, "num_layers": 1, "proj_size": 0, "batch": 0, "seq_len": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise RecurraError(f"{name} must be at least {lowest}; got {value}")
        if self.proj_size >= self.hidden_size:
            raise RecurraError(f"proj_size must be smaller than hidden_size={self.hidden_size}; got {self.proj_size}")
        self._check_cell()

    def _check_cell(self) -> None:
        """Refuse sizes that the cell's equations do not fit."""
        if not self.cell.states:
            raise EquationError(f"cell {self.cell.name!r} has no state: there is nothing to run over sequences")
        unprojected = trace(self.cell, at=Sizes(self.input_size, self.hidden_size))
        try:
            program = self.program
        except EquationError as error:
            name = unprojected.name
            reason = str(error).partition("\n")[0]
            raise EquationError(f"proj_size: cell {name!r} cannot have a projected hidden state: {reason}") from None
        different = {place.sizes for place in self.places}
        widths = {tuple(state.width(sizes) for state in program.states) for sizes in different}
        for sizes in different:
            for variable in program.variables():
                try:
                    variable.width(sizes)
                except EquationError as error:
                    raise EquationError(f"cell {program.name!r}, `{variable.name}`: {error}") from None
        if len(widths) > 1:
            raise EquationError(
                f"num_layers: the size of a state of cell {self.cell.name!r} follows the input's, which differs "
                "between layers: use one layer, or equal sizes"
            )

    @property
    def program(self) -> Program:
        """The cell as the layer runs it: projected, and without biases if ``bias`` is False."""
        program = trace(self.cell, projected=self.proj_size > 0)
        return program if self.bias or isinstance(self.cell, TracedCell) else drop_biases(program)

    @property
    def num_directions(self) -> int:
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Features of the output, of all directions together."""
        return self.num_directions * self.program.output.width(self.places[-1].sizes)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state, the hidden state first."""
        return tuple(state.width(self.places[0].sizes) for state in self.program.states)

    @property
    def form(self) -> BatchForm:
        """The layout of a dense batch of these sizes."""
        return BatchForm(self.batch, self.seq_len)

    @property
    def python(self) -> str:
        """The Python that makes such a layer: ``recurra.nn.LSTM(10, 20, num_layers=2)``."""
        dropin = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}.get(self.cell.name)
        zoo = cells.all()
        if dropin is not None and zoo[self.cell.name] is self.cell:
            return f"recurra.nn.{self.shown(dropin)}"
        place = "recurra.cells." if zoo.get(self.cell.name) is self.cell else ""
        return f"recurra.nn.{self.shown('Recurrent', place + self.cell.name)}"

    def shown(self, kind: str, *first: str) -> str:
        """A call with these sizes: ``LSTM(10, 20, num_layers=2)``; those that have their defaults are left out.

        Args:
            kind: what is called.
            *first: arguments before the sizes, as Python.
        """
        arguments = [*first, str(self.input_size), str(self.hidden_size)]
        defaults = {field.name: field.default for field in fields(self)}
        for name in ("num_layers", "bias", "batch_first", "bidirectional", "proj_size"):
            value = getattr(self, name)
            arguments += [f"{name}={value}"] if value != defaults[name] else []
        return f"{kind}({', '.join(arguments)})"

    @property
    def places(self) -> tuple[LayerPlace, ...]:
        """Every layer in every direction, in the order of the rows of h_n."""
        output = self.program.output
        places: list[LayerPlace] = []
        width = self.input_size
        for layer in range(self.num_layers):
            sizes = Sizes(width, self.hidden_size, self.proj_size)
            for direction in range(self.num_directions):
                places.append(LayerPlace(len(places), layer, direction, sizes))
            width = self.num_directions * output.width(sizes)
        return tuple(places)


def _check_type(name: str, value: object, declared: str) -> None:
    """Refuse a value of another type than a field's: bool, int, or int or None.

    Raises:
        TypeError: it has another type.
    """
    is_bool = isinstance(value, bool)
    fits = is_bool if declared == "bool" else isinstance(value, int) and not is_bool
    if not fits and not (value is None and declared.endswith("None")):
        raise TypeError(f"{name} must be {'a bool' if declared == 'bool' else 'an int'}, not {type(value).__name__}")
