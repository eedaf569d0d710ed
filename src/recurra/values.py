"""Traced values, which stand for a cell's arguments while it is traced, and the recorder of its operations."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, NamedTuple, NoReturn

from recurra.errors import EquationError
from recurra.module_calls import calls_from, fault_of_module
from recurra.program.operations import OPERATIONS, AttributeValue
from recurra.program.program import HISTORY
from recurra.source_lines import SourceLine, first_line, running_line


class Record(NamedTuple):
    """One operation as it was written. An operand is the number of a value (an int) or a literal (a float)."""

    operation: str
    operands: tuple[int | float, ...]
    results: tuple[int, ...]
    attributes: dict[str, AttributeValue]
    place: SourceLine | None


@dataclass
class EarlierValues:
    """The earlier values of a value, which are a state of their own.

    Attributes:
        name: its name, which the histories of one value share.
        of: the value.
        steps: the number of earlier values, which lie one after the other.
        state: the state that entered the step.
        new: the state that the step hands on.
    """

    name: str
    of: int
    steps: int
    state: int
    new: int


@dataclass
class Recorder:
    """Records the operations of a cell's equations, and the local variables that hold their values.

    Attributes:
        cell: the cell's name.
        code: the code of its function.
        functions: the names of the cell language, for messages.
        names: the name of each value, at the position that is its number; None until a local variable holds it.
        varying: whether each value depends on the input, a state or chance, and not on parameters alone.
        kinds: of each value ``"real"`` or ``"bool"``.
        records: the operations, in the order in which they ran.
        histories: the states that hold earlier values.
        frame: the running call of the cell's function, once it was seen.
    """

    cell: str
    code: CodeType
    functions: tuple[str, ...]
    names: list[str | None] = field(default_factory=list)
    varying: list[bool] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    histories: list[EarlierValues] = field(default_factory=list)
    frame: FrameType | None = None

    def argument(self, name: str, varying: bool) -> Value:
        """Make the value that stands for an argument of the cell."""
        return self._value(name, varying, "real")

    def _value(self, name: str | None, varying: bool, kind: str) -> Value:
        self.names.append(name)
        self.varying.append(varying)
        self.kinds.append(kind)
        return Value(self, len(self.names) - 1)

    def apply(
        self, operation: str, operands: tuple[object, ...], attributes: dict[str, AttributeValue], results: int = 1
    ) -> list[Value]:
        """Record one operation and return its results.

        Args:
            operation: its name in the operation table.
            operands: values and Python numbers.
            attributes: its attributes.
            results: the number of results. Default 1.

        Raises:
            EquationError: an operand is neither a value of this cell nor a number, or is of the wrong kind.
        """
        place = self.place()
        self.see_names()
        row = OPERATIONS[operation]
        kinds = row.operands if row.operands is not None else ("real",) * len(operands)
        given = tuple(self._operand(operation, o, kind) for o, kind in zip(operands, kinds, strict=True))
        of_values = [isinstance(operand, Value) for operand in operands]
        is_varying = [is_value and self.varying[int(n)] for n, is_value in zip(given, of_values, strict=True)]
        if operation == "product" and is_varying[1]:
            self.fail(
                f"the right side of `@` must be a parameter, but {self.describe(int(given[1]))} changes from step "
                "to step; write the parameter on the right, as in `x @ W`"
            )
        new = [self._value(None, any(is_varying) or operation == "mask", row.result) for _ in range(results)]
        literals = tuple(n if is_value else float(n) for n, is_value in zip(given, of_values, strict=True))
        self.records.append(Record(operation, literals, tuple(v.number for v in new), attributes, place))
        return new

    def remember(self, value: Value, steps: int) -> Value:
        """Make the state that holds the values that a value had in the steps before; ``keep`` gives its new value."""
        self.see_names()
        name = (self.names[value.number] or "value") + HISTORY
        count = sum(history.name == name for history in self.histories)
        state = self._value(f"{name}_{count + 1}" if count else name, True, "real")
        self.histories.append(EarlierValues(name, value.number, steps, state.number, state.number))
        return state

    def keep(self, state: Value, new: Value) -> None:
        """State the new value of a history."""
        next(history for history in self.histories if history.state == state.number).new = new.number
        if self.names[new.number] is None:
            self.names[new.number] = self.names[state.number]

    def is_varying(self, value: object) -> bool:
        """Whether something is a value that depends on the input, a state or chance."""
        return isinstance(value, Value) and self.varying[value.number]

    def _operand(self, operation: str, operand: object, kind: str) -> int | float:
        if isinstance(operand, Value):
            if operand.recorder is not self:
                self.fail(f"`{operation}` is given a value of another cell's equations")
            if self.kinds[operand.number] != kind:
                need = "a comparison such as `h > 0`" if kind == "bool" else "a number, not a comparison"
                self.fail(f"`{operation}` needs {need} where it got {self.describe(operand.number)}; `where` chooses")
            return operand.number
        if kind == "real" and not isinstance(operand, bool) and isinstance(operand, numbers.Real):
            return float(operand)
        return self.fail(f"`{operation}` takes the cell's values and Python numbers, not {type(operand).__name__}")

    def describe(self, number: int) -> str:
        """A value as the source has it: its name or its expression."""
        self.see_names()
        return f"`{self._expression(number)}`"

    def _expression(self, number: int, depth: int = 2) -> str:
        """A value's name, or the expression that computes it."""
        name = self.names[number]
        maker = next((record for record in self.records if number in record.results), None)
        return name or "…" if name is not None or maker is None or depth == 0 else self.right_side(maker, depth)

    def right_side(self, record: Record, depth: int = 2) -> str:
        """The expression of an operation, whose operands without a name are expressions of a depth below this one."""
        operands = [self._expression(o, depth - 1) if isinstance(o, int) else f"{o:g}" for o in record.operands]
        row = OPERATIONS[record.operation]
        if row.name == "broadcast":  # `keepdims=True` says it, or an index such as `[:, None]`
            return operands[0]
        return row.text.format(*operands) if row.text else f"{row.function or row.name}({', '.join(operands)})"

    def see_names(self) -> None:
        """Name each value that has no name yet after the local variable of the cell that holds it."""
        frame = self.frame or _frame_of(self.code)
        if frame is None:
            return
        self.frame = frame
        for name, held in frame.f_locals.items():
            if isinstance(held, Value) and held.recorder is self and self.names[held.number] is None:
                self.names[held.number] = name

    def named(self) -> dict[str, int]:
        """The value of each name of the source: an argument, or what a local variable holds in the end."""
        made = {result for record in self.records for result in record.results}
        found = {name: number for number, name in enumerate(self.names) if name and not name.startswith("%")}
        for name, held in (self.frame.f_locals if self.frame else {}).items():
            if isinstance(held, Value) and held.recorder is self:
                found[name] = held.number
        found.update({name: number for number, name in enumerate(self.names) if name in found and number not in made})
        return found

    def place(self) -> SourceLine | None:
        """The line of the cell that runs now; None outside of a call."""
        frame = _frame_of(self.code)
        return None if frame is None else running_line(frame)

    def fail(self, fact: str, place: SourceLine | None = None) -> NoReturn:
        """Refuse the cell with the message of `refusal`.

        Raises:
            EquationError: always.
        """
        raise EquationError(self.refusal(fact, place))

    def refusal(self, fact: str, place: SourceLine | None = None) -> str:
        """The message that refuses the cell: cell, file and fault in a line, then the source line with marks.

        Args:
            fact: the fault.
            place: the line. Default: the one that runs now, else the one that the cell starts on.
        """
        fact = fault_of_module(calls_from(self.code), self.functions) or fact
        place = place or self.place() or first_line(self.code)
        drawn = [f"    {line}" for line in place.drawing.splitlines()]
        return "\n".join([f"cell {self.cell!r} ({place.name}): {fact}", *drawn])


_recorder: ContextVar[Recorder | None] = ContextVar("recurra_recorder", default=None)


def current_recorder(asked_by: str) -> Recorder:
    """The recorder of the cell that is being traced.

    Args:
        asked_by: the function of the cell language that asks, for the message.

    Raises:
        EquationError: no cell is being traced.
    """
    recorder = _recorder.get()
    if recorder is None:
        raise EquationError(f"`{asked_by}` is part of the language of cells: it works inside of a @recurra.cell only")
    return recorder


class recording:  # noqa: N801  (used as a statement: ``with recording(recorder):``)
    """Make a recorder the current one for the length of a ``with`` block."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> Recorder:
        self._token = _recorder.set(self._recorder)
        return self._recorder

    def __exit__(self, *_: object) -> None:
        _recorder.reset(self._token)


def _frame_of(code: CodeType) -> FrameType | None:
    """The running call of a cell: the innermost frame of this code; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame


# Python's operators by numpy's names, which are also those of the operation table.
_NUMPY_OPERATORS = ("add", "subtract", "multiply", "divide", "power", "less", "less_equal", "greater", "greater_equal")


class Value:
    """A value inside of a cell's equations. It holds no numbers; its recorder writes down every operation on it."""

    __slots__ = ("number", "recorder")
    __hash__ = object.__hash__

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder, self.number = recorder, number

    def _apply(self, operation: str, *operands: object) -> Value:
        return self.recorder.apply(operation, operands, {})[0]

    def __add__(self, other: object) -> Value:
        return self._apply("add", self, other)

    def __radd__(self, other: object) -> Value:
        return self._apply("add", other, self)

    def __sub__(self, other: object) -> Value:
        return self._apply("subtract", self, other)

    def __rsub__(self, other: object) -> Value:
        return self._apply("subtract", other, self)

    def __mul__(self, other: object) -> Value:
        return self._apply("multiply", self, other)

    def __rmul__(self, other: object) -> Value:
        return self._apply("multiply", other, self)

    def __truediv__(self, other: object) -> Value:
        return self._apply("divide", self, other)

    def __rtruediv__(self, other: object) -> Value:
        return self._apply("divide", other, self)

    def __pow__(self, other: object) -> Value:
        return self._apply("power", self, other)

    def __rpow__(self, other: object) -> Value:
        return self._apply("power", other, self)

    def __matmul__(self, other: object) -> Value:
        if not isinstance(other, Value):
            self._refuse(f"`@` needs a parameter on its right, not {type(other).__name__}")
        return self._apply("product", self, other)

    def __neg__(self) -> Value:
        return self._apply("negative", self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return self._apply("abs", self)

    def __lt__(self, other: object) -> Value:
        return self._apply("less", self, other)

    def __le__(self, other: object) -> Value:
        return self._apply("less_equal", self, other)

    def __gt__(self, other: object) -> Value:
        return self._apply("greater", self, other)

    def __ge__(self, other: object) -> Value:
        return self._apply("greater_equal", self, other)

    def __eq__(self, other: object) -> Value:  # type: ignore[override]  # an equation, not an answer
        return self._apply("equal", self, other)

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._apply("not_equal", self, other)

    @property
    def T(self) -> Value:  # noqa: N802  (as everywhere in this field)
        """The transpose of a matrix parameter."""
        return self._apply("transpose", self)

    def _refuse(self, fact: str) -> NoReturn:
        self.recorder.fail(fact)

    def _describe(self) -> str:
        return self.recorder.describe(self.number)

    def __bool__(self) -> bool:
        self._refuse(
            f"a Python `if`, `and`, `or` or `not` asks for the value of {self._describe()}, which has none while the "
            "equations are read; use `where(condition, a, b)`"
        )

    def __iter__(self) -> Iterator[Value]:
        self._refuse(
            f"{self._describe()} cannot be unpacked or looped over; `split({self._plain()}, n)` cuts it, and "
            "`recurra.sum`, `recurra.max` reduce it"
        )

    def _plain(self) -> str:
        return self.recorder.names[self.number] or "…"

    def __len__(self) -> int:
        self._refuse(f"{self._describe()} has no length while the equations are read")

    def __getitem__(self, key: object) -> Value:
        """``v[:, None]``: a vector of parameters as a column, ``v[None, :]`` as a row, which meet a matrix."""
        axis = _new_axis(key)
        if axis is None:
            self._refuse(
                f"{self._describe()} cannot be indexed; `split({self._plain()}, n)` cuts it in equal parts, and "
                f"`{self._plain()}[:, None]` makes a vector of parameters a column"
            )
        if self.recorder.varying[self.number]:
            self._refuse(f"{self._describe()} changes from step to step: only a vector of parameters becomes a column")
        return self.recorder.apply("broadcast", (self,), {"axis": axis})[0]

    def __float__(self) -> float:
        self._refuse(
            f"{self._describe()} has no number while the equations are read: use recurra's operations, not those of "
            "`math` or numpy"
        )

    __int__ = __index__ = __float__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        self._unknown(f".{name}")

    def _unknown(self, operation: str) -> NoReturn:
        name = operation.rpartition(".")[2]
        unknown = f"unknown operation `{operation}` on {self._describe()}"
        if operation == "torch.linear":
            self._refuse(f"{unknown}: write `{self._describe().strip('`')} @ W + b`, with W of shape (inputs, outputs)")
        if name in self.recorder.functions:
            self._refuse(f"{unknown}: write recurra's `{name}({self._describe().strip('`')})`")
        self._refuse(f"{unknown}. There are: @ + - * / ** < <= > >= == != .T and {', '.join(self.recorder.functions)}")

    def __mod__(self, other: object) -> NoReturn:
        self._unknown("%")

    def __floordiv__(self, other: object) -> NoReturn:
        self._unknown("//")

    def __and__(self, other: object) -> NoReturn:
        self._unknown("&")

    def __or__(self, other: object) -> NoReturn:
        self._unknown("|")

    def __invert__(self) -> NoReturn:
        self._unknown("~")

    def __rmatmul__(self, other: object) -> NoReturn:
        self._refuse(f"the left side of `@` is {type(other).__name__}; it must be a value of the cell")

    __rmod__, __rfloordiv__, __rand__, __ror__ = __mod__, __floordiv__, __and__, __or__
    __xor__ = __lshift__ = __rshift__ = __mod__

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **_: Any) -> Value:
        """Take a numpy number left of an operator, as in ``np.float32(0.5) * h``, as a number; refuse all else."""
        name = ufunc.__name__
        if name not in _NUMPY_OPERATORS or any(getattr(o, "ndim", 0) for o in operands if o is not self):
            self._unknown(f"numpy.{name}")
        return self._apply(name, *(o if isinstance(o, Value) else float(o) for o in operands))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        self._unknown("numpy.asarray")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> NoReturn:
        value = next(item for item in _flatten(args) if isinstance(item, Value))
        value._unknown(f"torch.{getattr(function, '__name__', function)}")

    def __repr__(self) -> str:
        return f"<{self._describe().strip('`')} of cell {self.recorder.cell!r}>"


def _new_axis(key: object) -> int | None:
    """The position of the new axis in an index such as ``[:, None]``; None where it is another one."""
    if not isinstance(key, tuple) or len(key) != 2:
        return None
    new = [part is None for part in key]
    whole = [isinstance(part, slice) and part == slice(None) for part in key]
    return new.index(True) if sorted(new) == sorted(whole) == [False, True] else None


def _flatten(items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, (list, tuple)):
            yield from _flatten(item)
        else:
            yield item
