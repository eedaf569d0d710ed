"""Segments: elementwise equations that run together, block by block, and store only what others read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from recurra.engines.native.code import OPS, Code, CodeValue, Space
from recurra.engines.native.fuse import Op, fused
from recurra.program import Equation, Operand, Variable


class Segment:
    """Elementwise operations on rows of the same width, which become one instruction.

    Args:
        vectors: the number of vectors in each row.
        scalar: whether each row is a single number.
    """

    def __init__(self, vectors: int, scalar: bool) -> None:
        self.vectors, self.scalar = vectors, scalar
        self.results: dict[Variable, None] = {}
        self._ops: list[Op] = []
        self._equations: set[int] = set()

    def compute(self, operation: str, equation: Equation) -> None:
        """Append the operation of an equation."""
        result = equation.results[0]
        self._ops.append(Op(operation, None, equation.operands, result, 0))
        self._equations.add(id(equation))
        self.results[result] = None

    def fill(self, operation: str, target: CodeValue, operand: Variable, width: int = 0) -> None:
        """Append an operation that writes a variable to a value."""
        self._ops.append(Op(operation, target, (operand,), None, width))

    def take_store(self, variable: Variable) -> CodeValue | None:
        """Remove the operation that stores a variable, and return its target; None if there is none."""
        for number, op in enumerate(self._ops):
            if op.operation == "store" and op.operands == (variable,):
                del self._ops[number]
                return op.target
        return None

    def reads(self) -> list[Variable]:
        """The variables that it reads and does not compute."""
        operands = dict.fromkeys(o for op in self._ops for o in op.operands if isinstance(o, Variable))
        return [operand for operand in operands if operand not in self.results]

    def holds(self, equations: Iterable[Equation]) -> bool:
        """Whether it has all of these equations."""
        return self._equations.issuperset(id(equation) for equation in equations)

    def words(
        self,
        code: Code,
        places: Mapping[Variable, CodeValue],
        elsewhere: Collection[Variable],
        find: Callable[[Operand], CodeValue],
    ) -> list[int]:
        """The instruction's words.

        Args:
            code: the code to add blocks to.
            places: the values of results that others read; all other results stay in blocks.
            elsewhere: variables that other segments or the next step read.
            find: returns the value of an operand that is not computed here.
        """
        self._ops = fused(self._ops, places, elsewhere)
        writer = _SegmentWriter(self, code, places, find)
        for number, op in enumerate(self._ops):
            writer.write(number, op)
        return [len(writer.words) // 6, *writer.words]

    def last_uses(self) -> dict[object, int]:
        """The number of the last operation that reads each operand."""
        return {_key(operand): number for number, op in enumerate(self._ops) for operand in op.operands}


def _key(operand: Operand) -> object:
    """A key for an operand that tells 0.0 from -0.0, which are equal."""
    return operand if isinstance(operand, Variable) else repr(operand)


class _SegmentWriter:
    def __init__(
        self, segment: Segment, code: Code, places: Mapping[Variable, CodeValue], find: Callable[[Operand], CodeValue]
    ) -> None:
        self.words: list[int] = []
        self._segment, self._code, self._places, self._find = segment, code, places, find
        self._last = segment.last_uses()
        self._held: dict[object, CodeValue] = {}  # blocks in use
        self._free: list[int] = []
        self._blocks = 0

    def write(self, number: int, op: Op) -> None:
        operands = [self._operand(operand) for operand in op.operands]
        for key in dict.fromkeys(_key(operand) for operand in op.operands):
            held = self._held.get(key)
            if held is not None and held.space == Space.BLOCK and self._last[key] == number:
                self._free.append(self._held.pop(key).index)
        if op.target is not None:
            result = op.target
        elif op.result is not None and op.result in self._places:
            result = self._held[op.result] = self._places[op.result]
        else:
            result = self._block(op.result)
        self._op(op.operation, result, operands, op.width)

    def _op(self, operation: str, result: CodeValue, operands: Sequence[CodeValue], width: int = 0) -> None:
        numbers = [*(operand.number for operand in operands), -1, -1][:3]
        self.words += [OPS[operation], result.number, *numbers, width]

    def _block(self, key: object) -> CodeValue:
        if self._free:
            place = self._free.pop()
        else:
            place = self._blocks
            self._blocks += 1
        value = self._code.value(Space.BLOCK, self._segment.vectors * self._code.lanes, index=place)
        self._held[key] = value
        return value

    def _operand(self, operand: Operand) -> CodeValue:
        key = _key(operand)
        if key in self._held:
            return self._held[key]
        value = self._find(operand)
        if value.space == Space.INPUT and (value.scalar or value.width % self._code.lanes):
            loaded = self._block(key)
            self._op("load", loaded, [value], value.width)
            return loaded
        self._held[key] = value
        return value
