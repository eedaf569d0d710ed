"""Writes the kernels of a step: one for each phase and width, whose programs compute a tile of units each.

States and values of earlier phases are in memory. So a kernel holds a tile of each value alone, however
wide a layer is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recurra.compiler import Schedule
from recurra.engines.triton.body import KernelBody, matrix_parts
from recurra.engines.triton.expressions import literal
from recurra.engines.triton.identifiers import Identifiers
from recurra.engines.triton.phases import Home, Phases
from recurra.engines.triton.pieces import FeaturePiece, Pieces
from recurra.engines.triton.sequences import HEADER
from recurra.program import Equation, Sizes, Variable

# The kinds of arrays of a kernel, and the ends of their pointers' names.
KINDS = {
    "constant": "_ptr",
    "row": "_ptr",
    "output": "_out_ptr",
    "entering": "_entering_ptr",
    "leaving": "_leaving_ptr",
    "between": "_between_ptr",
}
_EXACT = ("entering", "leaving", "between")  # float32 in any call
ARGUMENTS = {"begins_ptr": "*i64", "counts_ptr": "*i32", "reset_ptr": "*i8", "t": "i32", "batch": "i32"}
OPTIONS = ("SEQUENCES", "UNITS", "INNER", "PACKED", "RESET", "PRECISION")


@dataclass(frozen=True, eq=False)
class StepSource:
    """A kernel of a step.

    Its arguments are a pointer for each of ``arrays``, the strides of the arrays of kind "row", and ``ARGUMENTS``.

    Attributes:
        name: the kernel's name in the text.
        text: the source.
        arrays: kinds and variables: a "constant"; a "row", read; an "output", a row that is written; states as they
            are "entering" and "leaving" the step; values "between" phases.
        width: the number of units that the tiles share out.
        products: the number of products in the text.
        types: the type of each argument that is not constant, ``T`` for that of the call's tensors.
    """

    name: str
    text: str
    types: tuple[str, ...]
    arrays: tuple[tuple[str, Variable], ...]
    width: int
    products: int


def step_sources(name: str, schedule: Schedule, sizes: Sizes) -> list[StepSource]:
    """Write the kernels of a step, in the order in which they run.

    Args:
        name: of the cell and the pass.
        schedule: its loop is written.
        sizes: the values of its symbols.
    """
    pieces = Pieces(schedule, sizes)
    phases = Phases(schedule, pieces)
    stores = _stores(schedule, phases)
    sources = []
    for number in range(phases.count):
        widths = _widths(schedule, phases, stores, number)
        for width in widths:
            writer = _StepWriter(f"{name}_{number}", schedule, phases, number, width, width == widths[0])
            sources.append(writer.source())
    return sources


@dataclass(frozen=True)
class _StepStore:
    """A piece of a variable that a step leaves in memory.

    Attributes:
        kind: "output", "leaving" or "between".
        variable: the array's variable.
        piece: the part of it.
        value: where its value comes from.
        phase: in which it is stored.
    """

    kind: str
    variable: Variable
    piece: FeaturePiece
    value: Home
    phase: int


def _stores(schedule: Schedule, phases: Phases) -> list[_StepStore]:
    stores = []
    pieces = phases.pieces
    for variable in schedule.loop_outputs():
        for piece, home in zip(pieces.of(variable), phases.homes(variable), strict=True):
            stores.append(_StepStore("output", variable, piece, home, phases.of(home)))
    for state, new in zip(schedule.states, schedule.next_states, strict=True):
        for piece in pieces.of(state):
            home = phases.home(new, piece)
            stores.append(_StepStore("leaving", state, piece, home, phases.of(home)))
    for home in _between(schedule, phases):
        stores.append(_StepStore("between", home.variable, home.piece, home, phases.of(home)))
    return stores


def _between(schedule: Schedule, phases: Phases) -> list[Home]:
    """The computed pieces that a later phase reads."""
    found: dict[Home, None] = {}
    for equation in schedule.step:
        for result in equation.results:
            for piece in phases.pieces.of(result):
                if phases.home(result, piece) != Home(result, piece):
                    continue
                now = phases.of(Home(result, piece))
                for operand in equation.variables:
                    if operand in phases.pieces.varying:
                        for home in phases.homes(operand):
                            if phases.is_computed(home) and phases.of(home) < now:
                                found[home] = None
    return list(found)


def _widths(schedule: Schedule, phases: Phases, stores: list[_StepStore], number: int) -> list[int]:
    """The widths of the pieces that a phase computes or stores; that of a scalar only where there is no other."""
    wide, has_scalar = set(), False
    for equation in schedule.step:
        for result in equation.results:
            for piece in phases.pieces.of(result):
                home = Home(result, piece)
                if phases.is_computed(home) and phases.of(home) == number:
                    if result.shape:
                        wide.add(piece.width)
                    has_scalar |= not result.shape
    for store in stores:
        if store.phase == number:
            if store.variable.shape:
                wide.add(store.piece.width)
            has_scalar |= not store.variable.shape
    return sorted(wide, reverse=True) or ([1] if has_scalar else [])


class _StepBody(KernelBody):
    """The statements of one kernel: values of this phase are in registers, all others in memory."""

    def __init__(self, phases: Phases, names: Identifiers, number: int, width: int, states: Sequence[Variable]) -> None:
        super().__init__(phases.pieces, names)
        self._phases, self._number, self._width, self._states = phases, number, width, frozenset(states)
        self.arrays: dict[tuple[str, Variable], None] = {}

    def columns(self, width: int) -> str:
        return "UNITS"

    def wanted(self, variable: Variable, piece: FeaturePiece) -> bool:
        home = Home(variable, piece)
        is_here = not variable.shape or piece.width == self._width
        return is_here and self._phases.is_computed(home) and self._phases.of(home) == self._number

    def known(self, variable: Variable, piece: FeaturePiece) -> str:
        home = self._phases.home(variable, piece)
        if home.variable not in self.pieces.varying:
            value = self.constant(home.variable, home.piece)
            return f"tl.broadcast_to({value}, {self.shape(piece, not variable.shape)})"
        held = self._values.get(home.variable, {}).get(home.piece)
        if held is None:
            held = self.name(home.variable, home.piece)
            column = f"j_{home.piece.width}" if home.variable.shape else ""
            mask = f" & in_{home.piece.width}" if home.variable.shape else ""
            self.lines += self._read(held, home, column, mask)
            self.hold(home.variable, home.piece, held)
        return held

    def at(self, kind: str, variable: Variable, piece: FeaturePiece, column: str) -> str:
        """The address of elements of an array of rows or sequences; an empty column for a scalar."""
        self.arrays[(kind, variable)] = None
        pointer = self.names.of(variable, KINDS[kind])
        index = "row" if kind in ("row", "output") else "seq"
        stride = self.names.of(variable, "_stride") if kind == "row" else str(self.pieces.width(variable))
        terms = [pointer, f"{index} * {stride}", *([str(piece.offset)] if piece.offset else []), column]
        return " + ".join(term for term in terms if term)

    def _read(self, name: str, home: Home, column: str, mask: str) -> list[str]:
        """Statements that read elements of a piece that is in memory."""
        variable = home.variable
        kind = "between"
        if variable in self._phases.given:
            kind = "entering" if variable in self._states else "row"
        place = self.at(kind, variable, home.piece, column)
        text = f"tl.load({place}, mask=alive{mask}, other=0.0).to(tl.float32)"
        lines = [f"{name} = {text} != 0.0" if variable.kind == "bool" else f"{name} = {text}"]
        if kind == "entering":
            lines += ["if RESET == 1:", f"    {name} = tl.where(resets, 0.0, {name})"]
        return lines

    def product(self, equation: Equation) -> None:
        left, right = equation.variables
        result = equation.results[0]
        parts = [each for each in matrix_parts(self.pieces, equation) if self.wanted(result, each[0])]
        if not parts:
            return
        self.arrays[("constant", right)] = None
        names = {piece: self.name(result, piece) for piece, _ in parts}
        self.lines += [f"{name} = tl.zeros((SEQUENCES, UNITS), tl.float32)" for name in names.values()]
        for part in self.pieces.of(left):
            sums: dict[str, tuple[int, int]] = {}
            for piece, terms in parts:
                for each, offset, columns in terms:
                    if each == part:
                        sums[names[piece]] = (offset, columns)
            if sums:
                self._accumulate(left, right, part, sums)
        for piece, name in names.items():
            self.hold(result, piece, name)

    def _accumulate(
        self, left: Variable, right: Variable, part: FeaturePiece, sums: dict[str, tuple[int, int]]
    ) -> None:
        """Write the loop over the features of a piece of the left operand, which several sums share."""
        value, inside = self.names.fresh("left"), f"k < {part.width}"
        read = self._read(value, self._phases.home(left, part), "k[None, :]", f" & ({inside})[None, :]")
        lines = ["k = begin + tl.arange(0, INNER)", *read]
        for name, (offset, columns) in sums.items():
            matrix = self.names.fresh(self.names.of(right) + "_part")
            place = f"{self.place(right, offset)} + k[:, None] * {columns} + j_{self._width}"
            lines.append(f"{matrix} = tl.load({place}, mask=({inside})[:, None] & in_{self._width}, other=0.0)")
            lines.append(f"{name} += product({value}, {matrix}, PRECISION)")
        self.lines += [f"for begin in range(0, {part.width} + zero, INNER):", *(f"    {line}" for line in lines)]

    def reduction(self, equation: Equation) -> None:
        (operand,), result = equation.variables, equation.results[0]
        if not self.wanted(result, FeaturePiece(0, 1)):
            return
        is_max, name = equation.operation == "max", self.name(result, FeaturePiece(0, 1))
        begin = literal(-math.inf if is_max else 0.0)
        self.lines.append(f"{name} = tl.full((SEQUENCES, 1), {begin}, tl.float32)")
        for piece in self.pieces.of(operand):
            self._add_up(name, operand, piece, "0", str(piece.width), is_max)
        if equation.operation == "mean":
            self.lines.append(f"{name} = {name} * {1.0 / self.pieces.width(operand)!r}")
        self.hold(result, FeaturePiece(0, 1), name)

    def _add_up(
        self, name: str, operand: Variable, piece: FeaturePiece, first: str, end: str, is_max: bool = False
    ) -> None:
        """Write the loop that adds features of a piece to a sum, or takes the largest of them."""
        value, inside = self.names.fresh("part"), f"(k < {end})[None, :]"
        read = self._read(value, self._phases.home(operand, piece), "k[None, :]", f" & {inside}")
        function = "largest" if is_max else "total"
        added = f"{function}({value}, {inside})"
        lines = ["k = begin + tl.arange(0, INNER)", *read]
        lines.append(f"{name} = maximum({name}, {added})" if is_max else f"{name} = {name} + {added}")
        self.lines += [f"for begin in range({first}, {end} + zero, INNER):", *(f"    {line}" for line in lines)]

    def running(self, equation: Equation) -> None:
        (operand,), result = equation.variables, equation.results[0]
        is_reverse = equation.operation == "reverse_cumsum"
        pieces = self.pieces.of(operand)
        for number, piece in enumerate(pieces):
            if not self.wanted(result, piece):
                continue
            before = self.names.fresh("before")
            self.lines.append(f"{before} = tl.zeros((SEQUENCES, 1), tl.float32)")
            for other in pieces[number + 1 :] if is_reverse else pieces[:number]:
                self._add_up(before, operand, other, "0", str(other.width))
            first, end = ("tile * UNITS + UNITS", str(piece.width)) if is_reverse else ("0", "tile * UNITS")
            self._add_up(before, operand, piece, first, end)
            value = self.value(operand, piece)
            self.give(result, piece, f"running({value}, in_{piece.width}, {before}, {is_reverse})")

    def store(self, store: _StepStore, is_first: bool) -> None:
        """Write a piece to memory; a scalar by the first tile of the first kernel of its phase."""
        is_scalar = not store.variable.shape
        if is_scalar and not is_first:
            return
        value = self.known(store.value.variable, store.value.piece)
        column = "" if is_scalar else f"j_{store.piece.width}"
        mask = " & (seq * 0 + tile == 0)" if is_scalar else f" & in_{store.piece.width}"
        if store.kind == "leaving":
            old, read = self.names.fresh("old"), self.at("entering", store.variable, store.piece, column)
            name = self.names.fresh("leaving")
            self.lines.append(f"{old} = tl.load({read}, mask=in_batch{mask}, other=0.0)")
            self.lines.append(f"{name} = tl.where(alive, {value}, {old})")
            self.lines += ["if RESET == 2:", f"    {name} = tl.where(resets, 0.0, {name})"]
            value = name
        place = self.at(store.kind, store.variable, store.piece, column)
        rows = "in_batch" if store.kind == "leaving" else "alive"
        self.lines.append(f"tl.store({place}, {value}, mask={rows}{mask})")


class _StepWriter:
    def __init__(self, name: str, schedule: Schedule, phases: Phases, number: int, width: int, is_first: bool) -> None:
        self.schedule, self.number, self.width, self.is_first = schedule, number, width, is_first
        self.stores, names = _stores(schedule, phases), Identifiers()
        for taken in ("seq", "in_batch", "row", "alive", "resets", "tile", "zero", "k", "begin", *ARGUMENTS, *OPTIONS):
            names.fresh(taken)
        names.fresh(f"j_{width}")
        names.fresh(f"in_{width}")
        self.kernel = names.fresh(name if is_first else f"{name}_{width}")
        self.names = names
        self.body = _StepBody(phases, names, number, width, schedule.states)

    def source(self) -> StepSource:
        """The kernel."""
        body = self.body
        for equation in self.schedule.step:
            if equation.operation not in _VIEWS:
                body.write(equation)
        for store in self.stores:
            is_here = not store.variable.shape or store.piece.width == self.width
            if store.phase == self.number and is_here:
                body.store(store, self.is_first)
        arrays = {**dict.fromkeys(("constant", v) for v in body.constants), **body.arrays}
        arguments = [self.names.of(variable, KINDS[kind]) for kind, variable in arrays]
        types = ["*fp32" if kind in _EXACT else "*T" for kind, _ in arrays]
        arguments += [self.names.of(variable, "_stride") for kind, variable in arrays if kind == "row"]
        types += [*("i32",) * (len(arguments) - len(types)), *ARGUMENTS.values()]
        arguments += [*ARGUMENTS, *(f"{option}: tl.constexpr" for option in OPTIONS)]
        lines = ['@triton.jit(do_not_specialize=["t", "batch"])', f"def {self.kernel}("]
        lines += [f"    {argument}," for argument in arguments] + ["):"]
        lines += [f"    {line}" for line in (*self._places(), *body.head, *body.lines)]
        text, products = HEADER + "\n".join(lines) + "\n", sum("+= product(" in line for line in lines)
        return StepSource(self.kernel, text, tuple(types), tuple(arrays), self.width, products)

    def _places(self) -> list[str]:
        width = self.width
        return [
            "seq = tl.program_id(0).to(tl.int64) * SEQUENCES + tl.arange(0, SEQUENCES)[:, None]",
            "in_batch = seq < batch",
            "tile = tl.program_id(1)",
            "zero = batch >> 31",  # unknown to the compiler: unrolled, the loops over features take all registers
            f"j_{width} = tile * UNITS + tl.arange(0, UNITS)[None, :]",
            f"in_{width} = j_{width} < {width}",
            *_ROW,
        ]


_VIEWS = ("split", "partition", "concat", "heads", "flatten", "scalar", "detach")
_ROW = """if PACKED:
    row = tl.load(begins_ptr + t) + seq
    alive = seq < tl.load(counts_ptr + t)
else:
    row = tl.cast(t, tl.int64) * batch + seq
    alive = in_batch
if RESET:
    resets = tl.load(reset_ptr + row, mask=alive, other=0) != 0""".splitlines()
