"""Writes the kernel that runs a schedule's loop over whole sequences: one program for each tile of sequences.

States, and all values of a step, stay in registers. A loop without products and reductions may also be cut into tiles
of units, as no unit meets another.
"""

from __future__ import annotations

from dataclasses import dataclass

from recurra.compiler import Schedule
from recurra.engines.triton.body import REDUCTIONS, KernelBody, matrix_parts
from recurra.engines.triton.expressions import FUNCTIONS
from recurra.engines.triton.identifiers import Identifiers
from recurra.engines.triton.pieces import RUNNING, FeaturePiece, Pieces, block
from recurra.program import Equation, Sizes, Variable


@dataclass(frozen=True, eq=False)
class SequenceSource:
    """A kernel for whole sequences, and the arrays that it takes.

    Its arguments are a pointer for each of these, in this order, for each state two (the first and the last value),
    the strides of the inputs' rows, and then those of ``ARGUMENTS``.

    Attributes:
        name: the kernel's name in the text.
        text: the source.
        constants: read once.
        inputs: rows that it reads.
        outputs: rows that it writes.
        states: the states.
        units: features of a tile of units; 0 where the units of a program are all.
        width: the number of units that the tiles share out.
        types: the type of each argument that is not constant, ``T`` for that of the call's tensors.
    """

    name: str
    text: str
    types: tuple[str, ...]
    constants: tuple[Variable, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    states: tuple[Variable, ...]
    units: int
    width: int


ARGUMENTS = {
    "begins_ptr": "*i64",
    "counts_ptr": "*i32",
    "reset_ptr": "*i8",
    "steps": "i32",
    "batch": "i32",
    "first": "i32",
    "direction": "i32",
}
OPTIONS = ("SEQUENCES", "PACKED", "RESET", "PRECISION")
HEADER = f"""import triton
import triton.language as tl

from recurra.engines.triton.functions import {", ".join(FUNCTIONS)}


"""


class _SequenceBody(KernelBody):
    """A step whose values are all in registers."""

    def __init__(self, pieces: Pieces, names: Identifiers, hold_weights: bool, units: int) -> None:
        super().__init__(pieces, names)
        self._hold_weights, self._units = hold_weights, units

    def columns(self, width: int) -> str:
        return "UNITS" if self._units else str(block(width))

    def product(self, equation: Equation) -> None:
        left, right = equation.variables
        result = equation.results[0]
        self.constants[right] = None
        ready: dict[FeaturePiece, str] = {}
        for piece, parts in matrix_parts(self.pieces, equation):
            products = []
            for part, offset, columns in parts:
                matrix = self._matrix(right, part.width, piece, offset, columns)
                if part not in ready:
                    ready[part] = self._operand(left, part)
                products.append(f"product({ready[part]}, {matrix}, PRECISION)")
            self.give(result, piece, " + ".join(products))

    def _operand(self, left: Variable, part: FeaturePiece) -> str:
        """A factor of a product: zeros in the columns beyond its width."""
        value = self.value(left, part)
        if block(part.width) == part.width:
            return value
        name = self.names.fresh("left")
        self.lines.append(f"{name} = tl.where(in_{part.width}, {value}, 0.0)")
        return name

    def _matrix(self, right: Variable, rows: int, piece: FeaturePiece, offset: int, columns: int) -> str:
        name = self.names.fresh(self.names.of(right) + "_part")
        place = f"{self.place(right, offset)} + k_{rows} * {columns} + j_{piece.width}"
        mask = f"(k_{rows} < {rows}) & in_{piece.width}"
        lines = self.head if self._hold_weights else self.lines
        lines.append(f"{name} = tl.load({place}, mask={mask}, other=0.0)")
        return name

    def reduction(self, equation: Equation) -> None:
        (operand,), result = equation.variables, equation.results[0]
        if not operand.shape:
            self.hold(result, FeaturePiece(0, 1), self.value(operand, FeaturePiece(0, 1)))
            return
        pieces = self.pieces.of(operand)
        is_max = equation.operation == "max"
        parts = [f"{'largest' if is_max else 'total'}({self.value(operand, p)}, in_{p.width})" for p in pieces]
        text = parts[0]
        for part in parts[1:]:
            text = f"maximum({text}, {part})" if is_max else f"{text} + {part}"
        if equation.operation == "mean":
            text = f"({text}) * {1.0 / self.pieces.width(operand)!r}"
        self.give(result, FeaturePiece(0, 1), text)

    def running(self, equation: Equation) -> None:
        (operand,), result = equation.variables, equation.results[0]
        is_reverse = equation.operation == "reverse_cumsum"
        pieces, before = self.pieces.of(operand), "0.0"
        for piece in reversed(pieces) if is_reverse else pieces:
            value = self.value(operand, piece)
            self.give(result, piece, f"running({value}, in_{piece.width}, {before}, {is_reverse})")
            if len(pieces) > 1:
                name = self.names.fresh("before")
                self.lines.append(f"{name} = {before} + total({value}, in_{piece.width})")
                before = name


def meets_units(schedule: Schedule) -> bool:
    """Whether a unit of a step's values depends on other units: by products, reductions or running sums."""
    return any(e.operation in ("product", *REDUCTIONS, *RUNNING) for e in schedule.step)


def sequence_source(name: str, schedule: Schedule, sizes: Sizes, hold_weights: bool, units: int = 0) -> SequenceSource:
    """Write the kernel.

    Args:
        name: of the cell and the pass.
        schedule: its loop is written.
        sizes: the values of its symbols.
        hold_weights: whether the matrices of products are read once, and stay in registers.
        units: features of a tile of units; 0 for one tile of all, as a loop needs whose units meet each other.
    """
    return _SequenceWriter(name, schedule, sizes, hold_weights, units).source()


class _SequenceWriter:
    def __init__(self, name: str, schedule: Schedule, sizes: Sizes, hold_weights: bool, units: int) -> None:
        self.schedule, self.units = schedule, units
        self.pieces, self.names = Pieces(schedule, sizes), Identifiers()
        for taken in ("seq", "in_batch", "i", "t", "row", "alive", "resets", "UNITS", *ARGUMENTS, *OPTIONS):
            self.names.fresh(taken)
        self.kernel = self.names.fresh(name)
        self.body = _SequenceBody(self.pieces, self.names, hold_weights, units)
        for width in self._widths():
            for taken in (f"j_{width}", f"k_{width}", f"in_{width}"):
                self.names.fresh(taken)
        self.inputs = schedule.loop_inputs()
        self.outputs = schedule.loop_outputs()

    def _widths(self) -> list[int]:
        return sorted({piece.width for variable in self.pieces.varying for piece in self.pieces.of(variable)})

    def source(self) -> SequenceSource:
        """The kernel."""
        self._states_in()
        self._rows_in()
        for equation in self.schedule.step:
            self.body.write(equation)
        self._rows_out(self.outputs, of_states=False)
        handed = self._hand_on()
        constants = tuple(self.body.constants)
        arguments = [self.names.of(v, "_ptr") for v in (*constants, *self.inputs)]
        arguments += [self.names.of(v, "_out_ptr") for v in self.outputs]
        for state in self.schedule.states:
            arguments += [self.names.of(state, "_first_ptr"), self.names.of(state, "_last_ptr")]
        types = [*("*T",) * len(arguments), *("i32",) * len(self.inputs), *ARGUMENTS.values()]
        arguments += [self.names.of(variable, "_stride") for variable in self.inputs]
        arguments += [*ARGUMENTS, *(f"{option}: tl.constexpr" for option in OPTIONS)]
        arguments += ["UNITS: tl.constexpr"] if self.units else []
        lines = ['@triton.jit(do_not_specialize=["steps", "batch", "first", "direction"])', f"def {self.kernel}("]
        lines += [f"    {argument}," for argument in arguments] + ["):"]
        lines += [f"    {line}" for line in (*self._places(), *self.body.head, *self.first, *_LOOP)]
        lines += [f"        {line}" for line in (*self.start, *self.body.lines, *handed)]
        lines += [f"    {line}" for line in self._states_out()]
        text = HEADER + "\n".join(lines) + "\n"
        arrays = constants, self.inputs, self.outputs, self.schedule.states
        return SequenceSource(self.kernel, text, tuple(types), *arrays, self.units, max(self._widths()))

    def _places(self) -> list[str]:
        """The indices of sequences and features."""
        lines = ["seq = tl.program_id(0).to(tl.int64) * SEQUENCES + tl.arange(0, SEQUENCES)[:, None]"]
        lines += ["in_batch = seq < batch"]
        for width in self._widths():
            if self.units:
                lines.append(f"j_{width} = tl.program_id(1) * UNITS + tl.arange(0, UNITS)[None, :]")
            else:
                lines.append(f"j_{width} = tl.arange(0, {block(width)})[None, :]")
                lines.append(f"k_{width} = tl.arange(0, {block(width)})[:, None]")
            lines.append(f"in_{width} = j_{width} < {width}")
        return lines

    def _element(
        self, index: str, variable: Variable, piece: FeaturePiece, mask: str, stride: str = ""
    ) -> tuple[str, str]:
        """The place of a piece in an array of rows, and the mask of its elements."""
        place = f"{index} * {stride or self.pieces.width(variable)}"
        if not variable.shape:
            return place, mask
        offset = f" + {piece.offset}" if piece.offset else ""
        return f"{place}{offset} + j_{piece.width}", f"{mask} & in_{piece.width}"

    def _states_in(self) -> None:
        """States before the first step, and their resets and copies in each step."""
        self.first, self.start = [], ["if RESET == 1:"]
        for state in self.schedule.states:
            pointer = self.names.of(state, "_first_ptr")
            for piece in self.pieces.of(state):
                name = self.body.name(state, piece)
                self.body.hold(state, piece, name)
                place, mask = self._element("seq", state, piece, "in_batch")
                self.first.append(f"{name} = tl.load({pointer} + {place}, mask={mask}, other=0.0).to(tl.float32)")
                self.start.append(f"    {name} = tl.where(resets, 0.0, {name})")
        if len(self.start) == 1:
            self.start = []
        self._rows_out(self.outputs, of_states=True)

    def _rows_in(self) -> None:
        for variable in self.inputs:
            pointer, stride = self.names.of(variable, "_ptr"), self.names.of(variable, "_stride")
            for piece in self.pieces.of(variable):
                place, mask = self._element("row", variable, piece, "alive", stride)
                read = f"tl.load({pointer} + {place}, mask={mask}, other=0.0).to(tl.float32)"
                self.body.give(variable, piece, f"{read} != 0.0" if variable.kind == "bool" else read)

    def _rows_out(self, variables: tuple[Variable, ...], of_states: bool) -> None:
        for variable in variables:
            if (variable in self.schedule.states) == of_states:
                pointer = self.names.of(variable, "_out_ptr")
                for piece in self.pieces.of(variable):
                    place, mask = self._element("row", variable, piece, "alive")
                    value = self.body.value(variable, piece)
                    self.body.lines.append(f"tl.store({pointer} + {place}, {value}, mask={mask})")

    def _hand_on(self) -> list[str]:
        """The states that the next step begins with: the new ones, of sequences that have this step."""
        ahead, lines = [], []
        for state, new in zip(self.schedule.states, self.schedule.next_states, strict=True):
            for piece in self.pieces.of(state):
                name, value = self.body.name(state, piece), self.body.value(new, piece)
                next_name = self.names.fresh(f"next_{name}")
                ahead.append(f"{next_name} = tl.where(alive, {value}, {name})")
                ahead += ["if RESET == 2:", f"    {next_name} = tl.where(resets, 0.0, {next_name})"]
                lines.append(f"{name} = {next_name}")
        return [*ahead, *lines]

    def _states_out(self) -> list[str]:
        lines = []
        for state in self.schedule.states:
            pointer = self.names.of(state, "_last_ptr")
            for piece in self.pieces.of(state):
                place, mask = self._element("seq", state, piece, "in_batch")
                lines.append(f"tl.store({pointer} + {place}, {self.body.name(state, piece)}, mask={mask})")
        return lines


_LOOP = """for i in range(steps):
    t = first + i * direction
    if PACKED:
        row = tl.load(begins_ptr + t) + seq
        alive = seq < tl.load(counts_ptr + t)
    else:
        row = tl.cast(t, tl.int64) * batch + seq
        alive = in_batch
    if RESET:
        resets = tl.load(reset_ptr + row, mask=alive, other=0) != 0""".splitlines()
