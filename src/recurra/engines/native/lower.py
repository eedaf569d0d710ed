"""Lowers a schedule to code: places values in memory, groups equations, and writes instructions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from recurra.compiler import Schedule
from recurra.engines.native.chunks import set_rows
from recurra.engines.native.code import OPS, Code, CodeValue, Columns, Instruction, Space
from recurra.engines.native.constants import Constants, cut
from recurra.engines.native.moves import Piece, moves, moves_of_heads, moves_of_pieces, moves_of_transpose
from recurra.engines.native.products import EquationGroup, equation_groups, sink
from recurra.engines.native.segments import Segment
from recurra.program import OPERATIONS, Equation, Operand, Sizes, Variable, depending

_RENAMED = ("heads", "flatten", "scalar", "detach")  # these only rename their operand
_SUMS = ("outer", "rows_sum")
_IN_PLACE = ("product", "split", "partition", "concat")  # these read the columns of a value from any one on


def lower(
    schedule: Schedule,
    sizes: Sizes,
    lanes: int,
    *,
    opposite: bool = False,
    entering: Mapping[Variable, int] | None = None,
) -> Code:
    """Lower a schedule at these sizes.

    Args:
        schedule: of a forward or backward pass.
        sizes: the values of its symbols.
        lanes: elements of one vector.
        opposite: whether it is a backward pass.
        entering: the row variables that are states as they entered each step, with their numbers. Their inputs hold
            the states after each step, as the forward pass kept them.
    """
    return _Lowering(schedule, sizes, lanes, opposite, entering or {}).run()


class _Lowering:
    def __init__(
        self, schedule: Schedule, sizes: Sizes, lanes: int, opposite: bool, entering: Mapping[Variable, int]
    ) -> None:
        self.schedule, self.sizes, self.entering = schedule, sizes, entering
        self.code = Code(lanes, opposite)
        self.readers: dict[Variable, list[Equation]] = {}
        s = schedule
        for equation in (*s.once, *s.before, *s.step, *s.after, *s.finally_):
            for variable in dict.fromkeys(equation.variables):
                self.readers.setdefault(variable, []).append(equation)
        self.roots = {*schedule.next_states, *schedule.row_results, *schedule.constant_results}
        summed = [result for e in schedule.after if e.operation in _SUMS for result in e.results]
        late = depending(schedule.finally_, summed)
        fixed = [*schedule.once, *schedule.finally_]
        self.constants = Constants(self.code, schedule.constants, fixed, late, self.shape)
        self.where: dict[Variable, CodeValue] = {}  # where each row variable lies
        self.kept: dict[Variable, CodeValue] = {}  # where it lies for all rows of a chunk
        self.loaded: dict[Variable, CodeValue] = {}  # inputs as whole vectors, for all rows of a chunk
        self.cuts: dict[Variable, Piece] = {}  # parts of other values that are not copied so far
        self.stage = ""
        self.open: list[Segment] = []

    def shape(self, variable: Variable) -> tuple[int, ...]:
        return tuple(size.value(self.sizes) for size in variable.shape)

    def width(self, variable: Variable) -> int:
        return math.prod(self.shape(variable))

    # ---- the whole ----

    def run(self) -> Code:
        schedule, code = self.schedule, self.code
        for row in schedule.rows:
            self._bind_row(row)
        for number, state in enumerate(schedule.states):
            code.states.append(self.width(state))
            self.where[state] = code.value(Space.STATE, self.width(state), index=number)
        plans = self._stages()
        self._in_step = {result for group in plans["step"] for result in group.results} | set(schedule.states)
        self._needed_later = {variable for group in plans["after"] for variable in group.reads}
        code.outputs = [self.width(variable) for variable in schedule.row_results]
        for stage in ("before", "step", "after"):
            self.stage = stage
            if stage == "step":
                self._keep_states()
            for group in plans[stage]:
                self._group(group)
            self._store_results()
            if stage == "step":
                self._hand_on()
            self._flush_all()
        code.results = [self.constants.value(variable) for variable in schedule.constant_results]
        set_rows(code)
        return code

    def _bind_row(self, row: Variable) -> None:
        code, width = self.code, self.width(row)
        code.inputs.append(width)
        value = code.value(Space.INPUT, width, index=len(code.inputs) - 1, scalar=not row.shape)
        if row in self.entering:
            entered = code.value(Space.CHUNK, width)
            code.add("before", Instruction.PREVIOUS, 0, width, [entered.number, value.number, self.entering[row]])
            value = entered
            self.kept[row] = entered
        self.where[row] = value

    def _stages(self) -> dict[str, list[EquationGroup]]:
        """The groups of each stage. Elementwise equations that only the loop reads move into the loop."""
        schedule = self.schedule
        before = equation_groups(schedule.before, self.readers, self.roots, self._is_ready(()))
        early = {variable for group in before for variable in group.results}
        step = equation_groups(schedule.step, self.readers, self.roots, self._is_ready(early))
        before, sunk = sink(before, step, schedule.step, self.readers, self.roots)
        late = early | {variable for group in step for variable in group.results}
        after = equation_groups(schedule.after, self.readers, self.roots, self._is_ready(late))
        return {"before": before, "step": [*sunk, *step], "after": after}

    def _is_ready(self, earlier: Collection[Variable]) -> Callable[[Variable], bool]:
        def is_ready(variable: Variable) -> bool:
            if variable in self.constants or variable in earlier:
                return True
            value = self.where.get(variable)
            return value is not None and (value.space != Space.INPUT or value.width % self.code.lanes == 0)

        return is_ready

    # ---- places ----

    def _place(self, variable: Variable) -> CodeValue:
        """A new value for a row variable that outlives its segment."""
        width, scalar = self.width(variable), not variable.shape
        if self.stage == "step" and variable in self.schedule.next_states and variable not in self.where:
            value = self.code.value(Space.NEXT, width, index=self.schedule.next_states.index(variable))
        elif self.stage == "step" and variable not in self._needed_later:
            value = self.code.value(Space.STEP, width, scalar=scalar)
        else:
            value = self.code.value(Space.CHUNK, width, scalar=scalar)
            self.kept[variable] = value
        self.where[variable] = value
        if value.space == Space.NEXT and variable in self._needed_later:
            self.kept[variable] = self.code.value(Space.CHUNK, width, scalar=scalar)
        return value

    def _keep_states(self) -> None:
        """Copy the entering states that the stage after the loop reads."""
        for state in self.schedule.states:
            if state in self._needed_later:
                self.kept[state] = self.code.value(Space.CHUNK, self.width(state))
                self._fill("copy", self.kept[state], state)

    def _hand_on(self) -> None:
        """Copy next states that were computed elsewhere, and those that the stage after the loop reads."""
        self._flush_all()
        for number, variable in enumerate(self.schedule.next_states):
            value = self.where.get(variable)
            if value is None or value.space != Space.NEXT or value.index != number:
                target = self.code.value(Space.NEXT, self.width(variable), index=number)
                self._fill("copy", target, variable)
        for variable in dict.fromkeys(self.schedule.next_states):
            value = self.where.get(variable)
            if value is not None and value.space == Space.NEXT and variable in self._needed_later:
                self._fill("copy", self.kept[variable], variable)

    def _store_results(self) -> None:
        """Store the row results: in the loop those that it computes, after the loop all others."""
        for number, variable in enumerate(self.schedule.row_results):
            if (variable in self._in_step) == (self.stage == "step") and self.stage != "before":
                width = self.width(variable)
                self._fill("store", self.code.value(Space.OUTPUT, width, index=number), variable, width)

    def _row_value(self, variable: Variable) -> CodeValue | None:
        """The value of a row variable in the present stage; None if it has none."""
        if self.stage != "step" and variable in self.kept:
            return self.kept[variable]
        return self.where.get(variable)

    def _whole(self, operand: Operand) -> CodeValue:
        """An operand as whole vectors, for instructions outside of segments; the segment that computes it is closed."""
        if not isinstance(operand, Variable):
            return self.code.literal(operand)
        self._flush_for(operand)
        value = self._row_value(operand)
        if value is None:
            return self.constants.value(operand)
        if value.space != Space.INPUT or (value.width % self.code.lanes == 0 and not value.scalar):
            return value
        if operand not in self.loaded:
            self.loaded[operand] = self.code.value(Space.CHUNK, value.width, scalar=value.scalar)
            words = [1, OPS["load"], self.loaded[operand].number, value.number, -1, -1, value.width]
            self.code.add("before", Instruction.ELEMENTWISE, 0, self.code.vectors(value.width), words)
        return self.loaded[operand]

    # ---- equations ----

    def _group(self, group: EquationGroup) -> None:
        equation = group.equation
        operation = equation.operation
        if operation in OPERATIONS and OPERATIONS[operation].elementwise:
            self._elementwise(operation, equation)
        elif operation == "expand":
            self._elementwise("copy", equation)
        elif operation in _RENAMED:
            self._rename(equation)
        elif operation == "product":
            if len(equation.variables[0].shape) == 2:
                self._headed(equation)
            else:
                self._product(group)
        elif operation in ("split", "partition", "concat"):
            self._move(equation)
        elif operation == "transpose":
            self._transpose(equation)
        elif operation in _SUMS:
            self._sum(equation)
        else:
            self._reduce(equation)

    def _rename(self, equation: Equation) -> None:
        source, result = equation.variables[0], equation.results[0]
        self._flush_for(source)
        value = self._row_value(source)
        lasting = value is not None and value.space in (Space.STEP, Space.CHUNK)
        if value is None or not lasting or result in self.roots or result in self._needed_later:
            self._elementwise("copy", equation)
            return
        self.where[result] = value
        if source in self.kept:
            self.kept[result] = self.kept[source]

    def _elementwise(self, operation: str, equation: Equation) -> None:
        """Add an equation to a segment."""
        operands = [operand for operand in equation.operands if isinstance(operand, Variable)]
        self._segment(equation.results[0], operands).compute(operation, equation)

    def _fill(self, operation: str, target: CodeValue, variable: Variable, width: int = 0) -> None:
        """Add a copy or store of a variable to a segment."""
        self._segment(variable, [variable]).fill(operation, target, variable, width)

    def _segment(self, like: Variable, operands: Sequence[Variable]) -> Segment:
        """The open segment for rows as wide as a variable's; other segments that compute its operands are closed."""
        vectors = self.code.vectors(self.width(like)) if like.shape else 1
        segment = next((s for s in self.open if s.vectors == vectors and s.scalar == (not like.shape)), None)
        for operand in operands:
            self._flush_for(operand, keep=segment)
        if segment is None or segment not in self.open:
            segment = Segment(vectors, not like.shape)
            self.open.append(segment)
        return segment

    def _flush_for(self, variable: Variable, keep: Segment | None = None) -> None:
        """Close the segment that computes a variable."""
        for segment in self.open:
            if segment is not keep and variable in segment.results:
                self._close(segment)
                return

    def _flush_all(self) -> None:
        while self.open:
            self._close(self.open[0])

    def _close(self, segment: Segment) -> None:
        if segment not in self.open:
            return
        self.open.remove(segment)
        for operand in segment.reads():  # the segments that compute its operands run first
            self._flush_for(operand)
        places: dict[Variable, CodeValue] = {}
        elsewhere = set(self.schedule.next_states)
        for variable in segment.results:
            inside = segment.holds(self.readers.get(variable, ()))
            if not inside:
                elsewhere.add(variable)
            if not inside or variable in self.roots:
                direct = None if not inside else self._output_alone(segment, variable)
                places[variable] = direct or self._place(variable)
        words = segment.words(self.code, places, elsewhere, self._operand)
        self.code.add(self.stage, Instruction.ELEMENTWISE, 0, segment.vectors, words)

    def _output_alone(self, segment: Segment, variable: Variable) -> CodeValue | None:
        """The output, if a variable goes only there, and as whole vectors. Then the separate store is removed."""
        schedule = self.schedule
        if variable in schedule.next_states or schedule.row_results.count(variable) != 1:
            return None
        whole = self.width(variable) % self.code.lanes == 0 and bool(variable.shape)
        return segment.take_store(variable) if whole else None

    def _operand(self, operand: Operand) -> CodeValue:
        """The value of a segment's operand. The rows of an input may end within a vector."""
        if not isinstance(operand, Variable):
            return self.code.literal(operand)
        value = self._row_value(operand)
        return self.constants.value(operand) if value is None else value

    def _readable(self, variable: Variable) -> tuple[CodeValue, int]:
        """The left operand of a product, and its first column. It is read element by element, from any column on."""
        if variable in self.cuts:
            return self.cuts[variable][:2]
        self._flush_for(variable)
        value = self._row_value(variable)
        return self._whole(variable) if value is None or value.scalar else value, 0

    def _parts(self, right: Variable, widths: Sequence[int]) -> list[Columns]:
        """The matrix of a product, split into parts of these widths."""
        parts = self.constants.parts(right)
        columns, at = [], 0
        for width in widths:
            pieces = cut(parts, at, width)
            if len(pieces) != 1:
                whole = [Columns(self.constants.value(right), 0, 0, sum(widths))]
                return [cut(whole, sum(widths[:n]), width)[0] for n, width in enumerate(widths)]
            columns += pieces
            at += width
        return columns

    def _product(self, group: EquationGroup) -> None:
        left, right = group.equation.variables
        a, at = self._readable(left)
        widths = [self.width(result) for result in group.results]
        rows = self.shape(right)[0]
        matrix = self.code.matrix(rows, 2 if self.stage == "step" else 1, self._parts(right, widths))
        words = [a.number, at, matrix, len(group.results)]
        for result, (init, ahead) in zip(group.results, group.inits, strict=True):
            begin = -1 if init is None else self._whole(init).number
            target = self._place(result)
            words += [target.number, begin, sum(self.width(other) for other in ahead)]
        self.code.add(self.stage, Instruction.PRODUCT, 0, 0, words)

    def _headed(self, equation: Equation) -> None:
        left, right = equation.variables
        a, at = self._readable(left)
        heads, k = self.shape(left)
        columns = self.shape(right)[2]
        pieces = []
        for number in range(heads):
            used = 2 if self.stage == "step" else 1
            matrix = self.code.matrix(k, used, [self.constants.head(right, number)])
            piece = self.code.value(Space.STEP if self.stage == "step" else Space.CHUNK, columns)
            words = [a.number, at + number * k, matrix, 1, piece.number, -1, 0]
            self.code.add(self.stage, Instruction.PRODUCT, 0, 0, words)
            pieces.append(piece)
        result = self._place(equation.results[0])
        self.code.add(self.stage, Instruction.MOVE, 0, 0, moves([result], pieces))

    def _move(self, equation: Equation) -> None:
        shape = self.shape(equation.variables[0])
        if len(shape) > 1:
            sources = [self._whole(operand) for operand in equation.operands]
            words = moves_of_heads([self._place(result) for result in equation.results], sources, shape[0])
            self.code.add(self.stage, Instruction.MOVE, 0, 0, words)
        elif equation.operation == "concat":
            pieces = [self._piece(variable) for variable in equation.variables]
            words = moves_of_pieces([self._place(equation.results[0])], pieces)
            self.code.add(self.stage, Instruction.MOVE, 0, 0, words)
        else:
            self._cut(equation)

    def _cut(self, equation: Equation) -> None:
        """Cut a value. In the time loop a part is not copied if its readers can read the value itself."""
        source, start, _ = self._piece(equation.variables[0])
        copied: dict[CodeValue, Piece] = {}
        for result in equation.results:
            piece = Piece(source, start, self.width(result))
            if self._is_read_in_place(result):
                self.cuts[result] = piece
            else:
                copied[self._place(result)] = piece
            start += piece.width
        if copied:
            self.code.add(self.stage, Instruction.MOVE, 0, 0, moves_of_pieces([*copied], [*copied.values()]))

    def _is_read_in_place(self, variable: Variable) -> bool:
        """Whether only products and moves of the time loop read a variable."""
        is_late = variable in self.roots or variable in self._needed_later
        readers = self.readers.get(variable, ())
        return self.stage == "step" and not is_late and all(reader.operation in _IN_PLACE for reader in readers)

    def _piece(self, variable: Variable) -> Piece:
        """The columns of a value that hold a variable."""
        return self.cuts.get(variable) or Piece(self._whole(variable), 0, self.width(variable))

    def _transpose(self, equation: Equation) -> None:
        source, result = self._whole(equation.operands[0]), self._place(equation.results[0])
        words = moves_of_transpose(result, source, *self.shape(equation.variables[0]))
        self.code.add(self.stage, Instruction.MOVE, 0, 0, words)

    def _reduce(self, equation: Equation) -> None:
        operation, source = equation.operation, equation.variables[0]
        if not source.shape:
            self._elementwise("copy", equation)
            return
        value = self._whole(source)
        result = self._place(equation.results[0])
        if operation in ("cumsum", "reverse_cumsum"):
            words = [int(operation != "cumsum"), result.number, value.number]
            self.code.add(self.stage, Instruction.CUMULATE, 0, value.width, words)
            return
        kind = {"sum": 0, "total": 0, "mean": 1, "max": 2}[operation]
        self.code.add(self.stage, Instruction.REDUCE, 0, value.width, [kind, result.number, value.number])

    def _sum(self, equation: Equation) -> None:
        result = equation.results[0]
        if equation.operation == "rows_sum":
            width = self.width(result)
            value = self.code.value(Space.CONSTANT, width, scalar=not result.shape)
            self.constants.define(result, value)
            a = self._summed(equation.variables[0])
            self.code.add("sums", Instruction.ROWS_SUM, 0, width, [value.number, a.number])
            return
        left, right = equation.variables
        if self._better_transposed(equation):
            result, left, right = self.readers[result][0].results[0], right, left
        self._outer(result, left, right)

    def _better_transposed(self, equation: Equation) -> bool:
        """Whether only the transpose of a sum of outer products is read, and can be summed as fast."""
        result, left = equation.results[0], equation.variables[0]
        operations = [reader.operation for reader in self.readers.get(result, ())]
        vectors = self.code.vectors(self.width(left)) if len(left.shape) == 1 else 0
        # Panels without a remainder are as fast.
        return operations == ["transpose"] and result not in self.roots and vectors >= 8 and vectors % 4 == 0

    def _outer(self, result: Variable, left: Variable, right: Variable) -> None:
        """Lower a sum of outer products over all rows."""
        rows, width = self.constants.extent(result)
        value = self.code.value(Space.CONSTANT, width, rows, scalar=not result.shape)
        self.constants.define(result, value)
        a, b = self._summed(left, as_left=True), self._summed(right)
        heads = self.shape(left)[0] if len(left.shape) == 2 else 1
        k = self.width(left) // heads
        for head in range(heads):
            words = [value.number, head * k, a.number, head * k, k, b.number, head * width]
            self.code.add("sums", Instruction.OUTER, 0, width, words)

    def _summed(self, variable: Variable, as_left: bool = False) -> CodeValue:
        """The value of an operand of a sum over rows, for all rows of a chunk."""
        self._flush_for(variable)
        value = self._row_value(variable)
        if as_left and value is not None and value.space == Space.INPUT and not value.scalar:
            return value
        if value is not None and value.space in (Space.CHUNK, Space.INPUT):
            return self._whole(variable)
        # A constant is copied to every row.
        repeated = self.code.value(Space.CHUNK, self.width(variable), scalar=not variable.shape)
        self._fill("copy", repeated, variable)
        self._flush_all()
        return repeated
