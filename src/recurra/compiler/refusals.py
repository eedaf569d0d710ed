"""The messages that refuse a cell's shapes: the line with marks, both shapes, the equation between sizes, the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from recurra.errors import EquationError
from recurra.program.operations import OPERATIONS
from recurra.program.program import HISTORY
from recurra.program.sizes import Shape, Size, Sizes, shape_text
from recurra.program.solver import Mismatch, Solver
from recurra.values import Record, Recorder


class SizeEquation(NamedTuple):
    """An equation between two sizes that must be equal, and are not."""

    left: Size
    right: Size

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


class ShapeError(EquationError):
    """A refusal of a cell's shapes on its way to the public error.

    Args:
        head: the fault, and the line with marks.
        equations: the equations between sizes that cannot hold.
        notes: further lines.
    """

    def __init__(self, head: str, equations: Sequence[SizeEquation], notes: Sequence[str]) -> None:
        super().__init__(head)
        self._equations, self._notes = equations, notes

    def public(self, sizes: Sizes | None) -> EquationError:
        """The error with its whole message; ``sizes`` are the numbers of a layer's sizes, where these are known."""
        numbers = "" if sizes is None else _in_numbers(self._equations, sizes)
        needs = [f"this needs {' and '.join(map(str, self._equations))}{numbers}"] if self._equations else []
        return EquationError("\n".join([str(self), *(f"  {line}" for line in (*needs, *self._notes))]))


def _in_numbers(equations: Sequence[SizeEquation], sizes: Sizes) -> str:
    """The end of a line that states equations: the same in numbers."""
    try:
        pairs = [(equation.left.value(sizes), equation.right.value(sizes)) for equation in equations]
    except EquationError:  # a size is no whole number there
        return ""
    given = ", ".join(f"{symbol}={number}" for symbol, number in sizes._asdict().items() if number)
    numbers = " and ".join(f"{left} = {right}" for left, right in pairs)
    more = "; but equations must fit at all sizes" if all(left == right for left, right in pairs) else ""
    return f": with {given} that is {numbers}{more}"


class Refusals:
    """Refuses the shapes of a recorded cell.

    Args:
        recorder: the cell's values and operations.
        solver: their shapes, as far as they are known.
    """

    def __init__(self, recorder: Recorder, solver: Solver) -> None:
        self._recorder, self._solver = recorder, solver
        self.given = ""  # the shapes that are given by name

    def mismatch(self, mismatch: Mismatch, record: Record | None, state: str = "") -> NoReturn:
        """Refuse a value that has one shape and is used in another.

        Args:
            mismatch: the value and its shapes.
            record: the operation that uses it; of a state's new value the operation that computes it.
            state: the name of the state that it is the new value of. Default: of none.

        Raises:
            ShapeError: always.
        """
        operands = [o for o in record.operands if isinstance(o, int)] if record else []
        elementwise = record is not None and not state and OPERATIONS[record.operation].elementwise
        known = all(self._solver.shape(operand) is not None for operand in operands)
        if record is not None and elementwise and known and mismatch.value in operands:
            texts = [f"{self.what(o)} {shape_text(self._solver.shape(o) or ())}" for o in operands]
            fact = f"{' and '.join(texts)} meet elementwise (`{record.operation}`), but their shapes differ"
            fix = self._fix_of_meeting(operands)
        elif state:
            have, need = shape_text(mismatch.have), shape_text(mismatch.need)
            fact = f"{self.what(mismatch.value)} has shape {have}, but as a new state it must have {need}"
            fix = f"state `{state}` keeps its shape from step to step: a product with a parameter gives another one"
            if HISTORY in state and not mismatch.have:
                fix = "`delay` and `history` take vectors, and no single numbers"
        else:
            fact, fix = self._misused(mismatch, record)
        equations = _equations(mismatch)
        given = f"; sizes= gives {self.given}" if self.given else ""
        head = self._recorder.refusal(f"shapes do not match: {fact}{given}", record.place if record else None)
        raise ShapeError(head, equations, [f"fix: {fix}"] if fix else [])

    def _misused(self, mismatch: Mismatch, record: Record | None) -> tuple[str, str]:
        """The fact that an operation needs another shape of a value, and what would fix it."""
        value, have, need = mismatch.value, mismatch.have, mismatch.need
        if record is not None and record.operation == "transpose" and value in record.results:
            value, have, need = int(record.operands[0]), need[::-1], have[::-1]
        elif record is not None and value in record.results:
            made = f"its equation `{self._recorder.right_side(record)}` gives {shape_text(need)}"
            return f"{self.what(value)} has shape {shape_text(have)}, but {made}", ""
        use = f"in {self.what(record.results[0])} " if record else ""
        has = f"{self.what(value)} has shape {shape_text(have)}{self._elsewhere(value, record)}"
        fact = f"{has}, but {use}it must have {shape_text(need)}"
        if record is not None and OPERATIONS[record.operation].elementwise:
            return fact, self._fix_of_meeting([*(o for o in record.operands if isinstance(o, int)), record.results[0]])
        if not self.is_parameter(value) or len(have) != 2 or len(need) != 2 or record is None:
            return fact, ""
        if record.operation != "product" or value != record.operands[1]:
            return fact, "a parameter of its own for each use"
        left, right = (self._recorder.describe(int(operand)).strip("`") for operand in record.operands)
        if have[1] == need[0]:
            return fact, f"`{left} @ {right}.T` multiplies by its transpose"
        return fact, f"a parameter of its own for each product, or one product, `concat(…, {left}) @ {right}`"

    def _fix_of_meeting(self, operands: Sequence[int]) -> str:
        """A way to make values of different shapes meet; empty where none is known."""
        shapes = [(operand, shape) for operand in operands if (shape := self._solver.shape(operand))]
        matrices = [(operand, shape) for operand, shape in shapes if len(shape) == 2]
        vectors = [(operand, shape) for operand, shape in shapes if len(shape) == 1]
        varying = [operand for operand, _ in shapes if self._recorder.varying[operand]]
        if len(matrices) == 2 and matrices[0][1] == matrices[1][1][::-1]:
            if any((maker := self.maker(value)) and maker.operation == "transpose" for value, _ in matrices):
                return ""
            text = self._recorder.describe(matrices[1][0]).strip("`")
            return f"`{text if text.isidentifier() else f'({text})'}.T` has the shape of the other"
        if matrices and vectors and not varying:
            (matrix, shape), (vector, (size,)) = matrices[0], vectors[0]
            text = self._recorder.describe(vector).strip("`")
            if size == shape[0]:
                rows = f"a number for each row of {self._recorder.describe(matrix)}"
                if self._is_reduced(vector):
                    return f"`axis=1, keepdims=True` keeps {rows}, as a column"
                return f"`{text}[:, None]` is {rows}, as a column"
            return "a vector beside a matrix has a number for each of its columns"
        if len(varying) > 1 and all(len(shape) == 1 for _, shape in shapes):
            text = self._recorder.describe(varying[0]).strip("`")
            text = text if text.isidentifier() else f"({text})"
            return f"`{text} @ P` with a further parameter `P` has the shape of the other"
        return ""

    def _is_reduced(self, value: int) -> bool:
        maker = self.maker(value)
        while maker is not None and OPERATIONS[maker.operation].elementwise and isinstance(maker.operands[0], int):
            maker = self.maker(maker.operands[0])
        return maker is not None and maker.operation.endswith("_along")

    def open_shape(self, value: int, shape: Shape | None) -> NoReturn:
        """Refuse a value whose shape nothing fixes.

        Raises:
            EquationError: always.
        """
        users = [r for r in self._recorder.records if value in r.operands or value in r.results]
        known = "nothing is known of its shape" if shape is None else f"its shape is {shape_text(shape)}"
        self._recorder.fail(
            f"the shape of {self.what(value)} does not follow from its use: {known}, and no equation fixes the rest "
            "(shown as ·). Let its result meet a state, or write `scalar(…)` if it is one number"
            + self._entry(value, shape),
            users[0].place if users else None,
        )

    def _entry(self, value: int, shape: Shape | None) -> str:
        """The end of a message about an open shape: the entry of ``sizes=`` that would fix it, where one would."""
        is_open = {symbol for size in shape or () for symbol in size.symbols if symbol.startswith("?")}
        vectors, others = [], []
        made = {result for record in self._recorder.records for result in record.results}
        for name, number in sorted(self._recorder.named().items(), key=lambda item: item[1] not in made):
            texts = ["n" if is_open.intersection(s.symbols) else repr(str(s)) for s in self._solver.shape(number) or ()]
            if texts == ["n"] or (shape is None and number == value):
                vectors.append(f"{{{name!r}: n}}")
            elif "n" in texts:
                others.append(f"{{{name!r}: ({', '.join(texts)})}}")
        return f", or give the size: sizes={(vectors + others)[0]}" if vectors or others else ""

    def no_size(self, value: int, shape: Shape) -> NoReturn:
        """Refuse a value of a size below 1.

        Raises:
            EquationError: always.
        """
        maker = self.maker(value)
        place = maker.place if maker else None
        fact = f"{self.what(value)} would have shape {shape_text(shape)}, and no size is below 1"
        self._recorder.fail(fact, place)

    def maker(self, value: int) -> Record | None:
        """The operation that computes a value; None for an argument of the cell."""
        return next((record for record in self._recorder.records if value in record.results), None)

    def is_parameter(self, value: int) -> bool:
        """Whether a value is a parameter of the cell."""
        is_literal = value >= len(self._recorder.names)
        return not is_literal and self.maker(value) is None and not self._recorder.varying[value]

    def what(self, value: int) -> str:
        """A value in words: its name or expression, and whether it is a parameter."""
        if value >= len(self._recorder.names):
            return "a number"
        return ("parameter " if self.is_parameter(value) else "") + self._recorder.describe(value)

    def _elsewhere(self, value: int, record: Record | None) -> str:
        """Another use of a parameter, which its shape comes from, as text for a message; empty for other values."""
        if not self.is_parameter(value):
            return ""
        places = [r.place for r in self._recorder.records if r is not record and value in r.operands and r.place]
        return f" by its use at {places[0]}" if places else ""


def _equations(mismatch: Mismatch) -> list[SizeEquation]:
    """The equations between sizes that would make a value's shapes equal; none where the dimensions differ."""
    if len(mismatch.have) != len(mismatch.need):
        return []
    pairs = [SizeEquation(*pair) for pair in zip(mismatch.have, mismatch.need, strict=True)]
    known = [pair for pair in pairs if pair.left != pair.right and not any("?" in str(s.symbols) for s in pair)]
    return list({frozenset(pair): pair for pair in known}.values())
