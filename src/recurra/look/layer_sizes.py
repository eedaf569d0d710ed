"""``LayerSizes``: a layer as numbers: its cell, its sizes, and the batch that it runs on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from recurra import cells
from recurra.compiler import TracedCell, drop_biases, trace
from recurra.equations import Cell
from recurra.errors import EquationError, RecurraError
from recurra.look.batch_form import BatchForm
from recurra.model.arrangement import Arrangement
from recurra.model.recurrent_parts import ARRANGEMENT_DEFAULTS
from recurra.program import Program, Sizes


@dataclass(frozen=True)
class LayerPlace:
    """One layer in one direction.

    Attributes:
        number: its row in h_n: ``layer * num_directions + direction``.
        layer: the layer, from 0.
        direction: 0 forward, 1 backward.
        sizes: the numbers of the program's symbols there; ``sizes.input`` is the width of the layer's input.
        suffix: the end of its parameters' names: ``_l0``, ``_l0_reverse``.
        index: the index of its states in h_n, as Python: ``[3]``, or ``[1][0]`` where states come layer by layer.
    """

    number: int
    layer: int
    direction: int
    sizes: Sizes
    suffix: str
    index: str

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
        hidden_size: features of the hidden state, at least 1; or a tuple of them, one for each layer.
        num_layers: layers, each over the output of the one below, at least 1. Default 1.
        bidirectional: whether each layer also runs from the last step to the first. Default False.
        batch_first: whether input and output are (batch, seq_len, features); states never are. Default False.
        proj_size: features of the projected hidden state, below hidden_size; 0 for no projection. Default 0.
        bias: False drops every parameter that is only ever added. Default True.
        merge_mode: how the outputs of both directions become one; see ``recurra.nn.Recurrent``. Default ``"concat"``.
        residual: whether layers add their input to their output. Default False.
        tie_directions: whether both directions have the same weights. Default False.
        learn_initial_state: whether states begin with learned values. Default False.
        batch: sequences in the batch; None where it is not known. Default None.
        seq_len: steps of a sequence, at least 1; None where it is not known. Default None.

    Raises:
        TypeError: a value of the wrong type.
        RecurraError: a ValueError; a number out of range, or one that the cell's equations do not fit. The message
            begins with the attribute's name where one is at fault.
    """

    cell: Cell
    input_size: int
    hidden_size: int | tuple[int, ...]
    num_layers: int = 1
    bidirectional: bool = False
    batch_first: bool = False
    proj_size: int = 0
    bias: bool = True
    merge_mode: str = "concat"
    residual: bool = False
    tie_directions: bool = False
    learn_initial_state: bool = False
    batch: int | None = None
    seq_len: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(f"cell must be made by @recurra.cell, not {type(self.cell).__name__}")
        for field in fields(self)[1:]:
            _check_type(field.name, getattr(self, field.name), str(field.type))
        least = {"input_size": 1, "num_layers": 1, "proj_size": 0, "batch": 0, "seq_len": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise RecurraError(f"{name} must be at least {lowest}; got {value}")
        if isinstance(self.hidden_size, tuple) and len(self.hidden_size) != self.num_layers:
            raise RecurraError(f"hidden_size has {len(self.hidden_size)} sizes, and num_layers is {self.num_layers}")
        for size in self.hidden_sizes:
            if size < 1:
                raise RecurraError(f"hidden_size must be at least 1; got {size}")
            if self.proj_size >= size:
                raise RecurraError(f"proj_size must be smaller than hidden_size={size}; got {self.proj_size}")
        if self.arrangement.problem is not None:
            raise RecurraError(self.arrangement.problem)
        self._check_cell()
        _ = self.adds_input

    def _check_cell(self) -> None:
        """Refuse sizes that the cell's equations do not fit."""
        if not self.cell.states:
            raise EquationError(f"cell {self.cell.name!r} has no state: there is nothing to run over sequences")
        unprojected = trace(self.cell, at=Sizes(self.input_size, self.hidden_sizes[0]))
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
        if len(widths) > 1 and not self.arrangement.by_layer:
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
    def hidden_sizes(self) -> tuple[int, ...]:
        """The hidden size of each layer."""
        return self.hidden_size if isinstance(self.hidden_size, tuple) else (self.hidden_size,) * self.num_layers

    @property
    def arrangement(self) -> Arrangement:
        """How the layers and directions are put together."""
        by_layer = isinstance(self.hidden_size, tuple)
        return Arrangement(
            self.hidden_sizes, self.bidirectional, self.merge_mode, self.residual, self.tie_directions,
            self.learn_initial_state, by_layer,
        )  # fmt: skip

    @property
    def adds_input(self) -> tuple[bool, ...]:
        """For each layer, whether its input is added to its output."""
        return self.arrangement.adds_input(self.program, [place.sizes for place in self.places[:: self.num_directions]])

    @property
    def learned_count(self) -> int:
        """The numbers of all learned first states."""
        return sum(sum(self.state_sizes(place.layer)) for place in self.places) if self.learn_initial_state else 0

    @property
    def is_plain(self) -> bool:
        """Whether torch.nn's layers put layers and directions together in the same way."""
        return not any((self.residual, self.merge_mode != "concat", self.arrangement.by_layer))

    @property
    def num_directions(self) -> int:
        """2 for a bidirectional layer, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Features of the output, of all directions together."""
        return self.arrangement.width(self.program.output.width(self.places[-1].sizes))

    def state_sizes(self, layer: int = 0) -> tuple[int, ...]:
        """Features of each state in a layer, the hidden state first."""
        return tuple(state.width(self.places[layer * self.num_directions].sizes) for state in self.program.states)

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
        hidden = list(self.hidden_size) if isinstance(self.hidden_size, tuple) else self.hidden_size
        arguments = [*first, str(self.input_size), str(hidden)]
        defaults = {field.name: field.default for field in fields(self)}
        names = ["num_layers", "bias", "batch_first", "bidirectional", "proj_size", *ARRANGEMENT_DEFAULTS]
        for name in names[isinstance(self.hidden_size, tuple) :]:
            value = getattr(self, name)
            arguments += [f"{name}={value!r}"] if value != defaults[name] else []
        return f"{kind}({', '.join(arguments)})"

    @property
    def places(self) -> tuple[LayerPlace, ...]:
        """Every layer in every direction, in the order of the rows of h_n."""
        arranged = self.arrangement
        places: list[LayerPlace] = []
        for layer, sizes in enumerate(arranged.sizes(self.program, self.input_size, self.proj_size)):
            for direction in range(self.num_directions):
                number = len(places)
                index = f"[{layer}][{direction}]" if arranged.by_layer else f"[{number}]"
                places.append(LayerPlace(number, layer, direction, sizes, arranged.weight_suffix(number), index))
        return tuple(places)


def _check_type(name: str, value: object, declared: str) -> None:
    """Refuse a value of another type than a field's: bool, int, or int or None; other fields are checked elsewhere.

    Raises:
        TypeError: it has another type.
    """
    if declared == "str" or (declared.startswith("int | tuple") and isinstance(value, tuple)):
        return
    is_bool = isinstance(value, bool)
    fits = is_bool if declared == "bool" else isinstance(value, int) and not is_bool
    if not fits and not (value is None and declared.endswith("None")):
        raise TypeError(f"{name} must be {'a bool' if declared == 'bool' else 'an int'}, not {type(value).__name__}")
