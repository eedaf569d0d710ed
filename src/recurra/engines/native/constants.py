"""Lowering of equations over parameters alone: matrices become views of parameters if possible, else new values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from recurra.engines.native.code import OPS, Code, CodeValue, Columns, Instruction, Space
from recurra.engines.native.moves import moves
from recurra.program import OPERATIONS, Equation, Operand, Variable

_VIEWS = ("transpose", "concat", "split", "partition", "scalar", "detach")
_REDUCTIONS = ("sum", "mean", "max")  # in the order of the instruction's kinds
_MOST_PARTS = 64  # of a matrix; one of more parts is computed as one value
_NEST = 50  # depth of nested equations that one recursion computes, as Python's stack is limited


class Constants:
    """The constants of a schedule by variable; each is lowered at its first use.

    Args:
        code: the code to write to.
        parameters: the variables whose values the caller passes.
        equations: all equations over constants, including those that depend on sums over rows.
        late: the variables that depend on sums over rows.
        shape: returns a variable's shape in numbers.
    """

    def __init__(
        self,
        code: Code,
        parameters: Sequence[Variable],
        equations: Sequence[Equation],
        late: Collection[Variable],
        shape: Callable[[Variable], tuple[int, ...]],
    ) -> None:
        self._code = code
        self._shape = shape
        self._late = late
        self._makers = {result: equation for equation in equations for result in equation.results}
        self._depths = _depths(equations)
        nests = [variable for variable, depth in self._depths.items() if depth % _NEST == 0]
        nests.sort(key=self._depths.__getitem__, reverse=True)
        self._nests = {is_late: [v for v in nests if (v in late) == is_late] for is_late in (False, True)}
        self._parameters: dict[Variable, CodeValue] = {}
        self._computed: dict[Variable, CodeValue] = {}
        for number, parameter in enumerate(parameters):
            rows, width = self.extent(parameter)
            code.parameters.append((rows, width))
            self._parameters[parameter] = code.value(Space.PARAMETER, width, rows, number, not shape(parameter))

    def __contains__(self, variable: object) -> bool:
        return variable in self._parameters or variable in self._makers or variable in self._computed

    def extent(self, variable: Variable) -> tuple[int, int]:
        """Rows and width of a constant; heads count as rows one after the other."""
        shape = self._shape(variable)
        rows = 1
        for size in shape[:-1]:
            rows *= size
        return rows, shape[-1] if shape else 1

    def define(self, variable: Variable, value: CodeValue) -> None:
        """Set the value of a constant that is computed elsewhere: a sum over rows."""
        self._computed[variable] = value

    def parts(self, variable: Variable) -> list[Columns]:
        """A matrix as columns of values; views of other constants are not computed."""
        whole = self._parameters.get(variable) or self._computed.get(variable)
        width = self.extent(variable)[1]
        if whole is not None:
            return [Columns(whole, 0, 0, width)]
        self._compute_nests(variable)
        maker = self._makers[variable]
        first = maker.operands[0] if maker.operands else None
        if not isinstance(first, Variable) or len(self._shape(variable)) != 2 or maker.operation not in _VIEWS:
            return [Columns(self.value(variable), 0, 0, width)]
        if maker.operation == "transpose":
            inner = self.parts(first)
            if len(inner) > 1:
                inner = [Columns(self.value(first), 0, 0, inner[0].width)]
            part = inner[0]
            return [Columns(part.value, part.row, part.column, width, not part.transposed)]
        if maker.operation == "concat":
            pieces = [part for operand in maker.variables for part in self.parts(operand)]
            return pieces if len(pieces) <= _MOST_PARTS else [Columns(self.value(variable), 0, 0, width)]
        start = sum(self.extent(result)[1] for result in maker.results[: maker.results.index(variable)])
        return cut(self.parts(first), start, width)

    def head(self, variable: Variable, number: int) -> Columns:
        """The matrix of one head, out of a block-diagonal one (heads, k, columns)."""
        maker = self._makers.get(variable)
        if maker is not None and maker.operation == "transpose" and variable not in self._computed:
            part = self.head(maker.variables[0], number)
            return Columns(part.value, part.row, part.column, self._shape(variable)[2], not part.transposed)
        value = self._parameters.get(variable) or self.value(variable)
        _, k, columns = self._shape(variable)
        return Columns(value, number * k, 0, columns)

    def value(self, operand: Operand) -> CodeValue:
        """A constant as rows of whole vectors; computed at its first use."""
        if not isinstance(operand, Variable):
            return self._code.literal(operand)
        if operand not in self._computed:
            if operand in self._parameters:
                self._copy(operand)
            else:
                self._compute_nests(operand)
                self._compute(self._makers[operand])
        return self._computed[operand]

    def _compute_nests(self, variable: Variable) -> None:
        """Compute the variables at every ``_NEST``-th depth below a variable, from the parameters upwards."""
        nests = self._nests[variable in self._late]
        while nests and self._depths[nests[-1]] < self._depths[variable]:
            self.value(nests.pop())

    def _new(self, variable: Variable) -> CodeValue:
        rows, width = self.extent(variable)
        value = self._code.value(Space.CONSTANT, width, rows, scalar=not self._shape(variable))
        self._computed[variable] = value
        return value

    def _stage(self, variable: Variable) -> str:
        return "finally" if variable in self._late else "once"

    def _copy(self, parameter: Variable) -> None:
        source, (rows, width) = self._parameters[parameter], self.extent(parameter)
        self._code.add("once", Instruction.GATHER, rows, width, [self._new(parameter).number, source.number, 0])

    def _compute(self, maker: Equation) -> None:
        operation, stage = maker.operation, self._stage(maker.results[0])
        rows, width = self.extent(maker.results[0])
        add = self._code.add
        if operation in OPERATIONS and OPERATIONS[operation].elementwise:
            operands = [self.value(operand).number for operand in maker.operands]
            self._elementwise(stage, operation, maker.results[0], operands)
        elif operation in ("expand", "scalar", "detach"):
            self._elementwise(stage, "copy", maker.results[0], [self.value(maker.operands[0]).number])
        elif operation == "product":
            self._product(stage, maker)
        elif operation == "outer_constant":
            self._outer(stage, maker)
        elif operation == "eye":
            add(stage, Instruction.EYE, rows, width, [self._new(maker.results[0]).number])
        elif operation in ("split", "partition", "concat"):
            self._move(stage, maker)
        elif operation == "broadcast":
            self._broadcast(stage, maker)
        elif operation.endswith("_along"):
            self._along(stage, maker)
        else:
            source = self.value(maker.operands[0])
            result = self._new(maker.results[0])
            if operation in ("transpose", "heads", "flatten"):
                words = [result.number, source.number, 1 if operation == "transpose" else 2]
                add(stage, Instruction.GATHER, rows, width, words)
            elif operation == "total":
                add(stage, Instruction.TOTAL, source.rows, source.width, [0, result.number, source.number])
            elif operation in _REDUCTIONS:
                kind = _REDUCTIONS.index(operation)
                add(stage, Instruction.REDUCE, 1, source.width, [kind, result.number, source.number])
            else:
                flag = int(operation == "reverse_cumsum")
                add(stage, Instruction.CUMULATE, 1, width, [flag, result.number, source.number])

    def _elementwise(self, stage: str, operation: str, result: Variable, operands: Sequence[int]) -> None:
        value = self._new(result)
        words = [1, OPS[operation], value.number, *[*operands, -1, -1][:3], 0]
        self._code.add(stage, Instruction.ELEMENTWISE, value.rows, self._code.vectors(value.width), words)

    def _product(self, stage: str, maker: Equation) -> None:
        left, right = maker.variables
        a, parts = self.value(left), self.parts(right)
        result = self._new(maker.results[0])
        if len(parts) > 1:
            parts = [Columns(self.value(right), 0, 0, result.width)]
        matrix = self._code.matrix(self.extent(right)[0], 0, parts)
        self._code.add(stage, Instruction.PRODUCT, result.rows, 0, [a.number, 0, matrix, 1, result.number, -1, 0])

    def _outer(self, stage: str, maker: Equation) -> None:
        """Lower aᵀb: row r is b times element r of a."""
        left, right = (self.value(variable) for variable in maker.variables)
        self._rows_times(stage, self._new(maker.results[0]), self._column(stage, left), right)

    def _broadcast(self, stage: str, maker: Equation) -> None:
        """Lower the product of a column and a row, of which one is ones."""
        source, result = self.value(maker.variables[0]), self._new(maker.results[0])
        if maker.attributes["axis"] == 0:
            self._rows_times(stage, result, self._ones(stage, result.rows, 1), source)
        else:
            self._rows_times(stage, result, self._column(stage, source), self._ones(stage, 1, result.width))

    def _along(self, stage: str, maker: Equation) -> None:
        """Lower a reduction of each row, of the transpose where it is one of columns; the numbers become one row."""
        source, add = self.value(maker.variables[0]), self._code.add
        if maker.attributes["axis"] == 0:
            rows = self._code.value(Space.CONSTANT, source.rows, source.width)
            add(stage, Instruction.GATHER, rows.rows, rows.width, [rows.number, source.number, 1])
            source = rows
        numbers = self._code.value(Space.CONSTANT, 1, source.rows, scalar=True)
        kind = _REDUCTIONS.index(maker.operation.removesuffix("_along"))
        add(stage, Instruction.REDUCE, source.rows, source.width, [kind, numbers.number, source.number])
        result = self._new(maker.results[0])
        add(stage, Instruction.GATHER, 1, result.width, [result.number, numbers.number, 2])

    def _column(self, stage: str, vector: CodeValue) -> CodeValue:
        """The elements of a constant as rows of one element."""
        column = self._code.value(Space.CONSTANT, 1, vector.rows * vector.width)
        self._code.add(stage, Instruction.GATHER, column.rows, 1, [column.number, vector.number, 2])
        return column

    def _ones(self, stage: str, rows: int, width: int) -> CodeValue:
        ones = self._code.value(Space.CONSTANT, width, rows)
        words = [1, OPS["copy"], ones.number, self._code.literal(1.0).number, -1, -1, 0]
        self._code.add(stage, Instruction.ELEMENTWISE, rows, self._code.vectors(width), words)
        return ones

    def _rows_times(self, stage: str, result: CodeValue, column: CodeValue, row: CodeValue) -> None:
        """Write each row of the result: a row times an element of a column."""
        matrix = self._code.matrix(1, 0, [Columns(row, 0, 0, result.width)])
        self._code.add(stage, Instruction.PRODUCT, result.rows, 0, [column.number, 0, matrix, 1, result.number, -1, 0])

    def _move(self, stage: str, maker: Equation) -> None:
        sources = [self.value(operand) for operand in maker.operands]
        results = [self._new(result) for result in maker.results]
        self._code.add(stage, Instruction.MOVE, results[0].rows, 0, moves(results, sources))


def _depths(equations: Sequence[Equation]) -> dict[Variable, int]:
    """The depth of each variable: the length of the longest chain of equations that ends in it."""
    depths: dict[Variable, int] = {}
    for equation in equations:
        depth = 1 + max((depths.get(variable, 0) for variable in equation.variables), default=0)
        depths.update(dict.fromkeys(equation.results, depth))
    return depths


def cut(parts: Sequence[Columns], start: int, width: int) -> list[Columns]:
    """The columns of a matrix from ``start`` on, ``width`` of them."""
    pieces, at = [], 0
    for part in parts:
        low, high = max(start, at), min(start + width, at + part.width)
        if low < high:
            pieces.append(part.cut(low - at, high - low))
        at += part.width
    return pieces
