"""A reader of pickles that imports and calls nothing: it makes plain values, and placeholders for everything else."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from recurra.errors import FileFormatError

MAX_PICKLE = 16 * 2**20  # bytes
NEWEST_PROTOCOL = 5
_MAX_NAME = 500  # characters of a class's or function's name
_KEYS = frozenset(
    (str, int, float, bool, bytes, type(None))
)  # of dictionaries; to hash nested tuples might take for ever


class Global:
    """A class or function by its name alone.

    Attributes:
        name: the module and the name in it, such as ``collections.OrderedDict``.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class Unmade:
    """An object that is not made, as making it would run code.

    Attributes:
        name: the class or function that would make it.
        state: the attributes that it would get; None where there are none.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: Any = None


def read_pickle(
    data: bytes,
    start: int,
    call: Callable[[str, Any], Any],
    persistent: Callable[[Any], Any] = lambda given: Unmade("a persistent object"),
) -> tuple[Any, int]:
    """Read one pickle of protocol 2 to 5, and return its value and the position behind it.

    Values are None, bool, int, float, str, bytes, tuple, list, dict, ``Global``, ``Unmade`` and what ``call`` and
    ``persistent`` return. They may contain each other and themselves. Items of a dict are left out where the key is
    neither a text nor a number.

    Args:
        data: bytes that hold the pickle.
        start: the position at which it begins.
        call: makes the value of a call, from the name of the function and its arguments.
        persistent: makes the value of a reference to something outside of the pickle.

    Raises:
        FileFormatError: the pickle is damaged, is too long, or has another protocol.
    """
    machine = _PickleMachine(data, start, call, persistent)
    try:
        return machine.run(), machine.at
    except (IndexError, KeyError, struct.error, UnicodeError):
        raise FileFormatError(f"the pickle is damaged before byte {machine.at}") from None


class _PickleMachine:
    """The stack machine that a pickle is a program of."""

    def __init__(
        self, data: bytes, start: int, call: Callable[[str, Any], Any], persistent: Callable[[Any], Any]
    ) -> None:
        self.data = data
        self.at = start
        self.end = min(len(data), start + MAX_PICKLE)
        self.call = call
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle ends with."""
        while True:
            code = self.bytes(1)[0]
            if code == ord("."):
                return self.stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise FileFormatError(
                    f"the pickle has the instruction {bytes([code])!r} at {self.at - 1}, not read here"
                )
            step(self)

    def bytes(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.end - self.at:
            longer = f", or is longer than {MAX_PICKLE} bytes" if self.end < len(self.data) else ""
            raise FileFormatError(f"the pickle is cut short{longer}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, layout: str) -> Any:
        """The next number, in a layout of ``struct``."""
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))[0]

    def line(self) -> str:
        """The next line, without its end."""
        end = self.data.find(b"\n", self.at, min(self.end, self.at + _MAX_NAME))
        if end < 0:
            raise FileFormatError("the pickle names a class by something that is no name")
        return self.bytes(end + 1 - self.at)[:-1].decode()

    def since_mark(self) -> list[Any]:
        """Take the values above the last mark off the stack, and the mark."""
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        """Take so many values off the stack."""
        return tuple(reversed([self.stack.pop() for _ in range(count)]))

    def push_global(self, module: Any, name: Any) -> None:
        """Put a class or function on the stack."""
        if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > _MAX_NAME:
            raise FileFormatError("the pickle names a class by something that is no name")
        self.stack.append(Global(f"{module}.{name}"))

    def push_call(self, function: Any, arguments: Any) -> None:
        """Put the result of a call on the stack."""
        known = isinstance(function, Global)
        self.stack.append(self.call(function.name, arguments) if known else Unmade("a call of a made object"))

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values, in turn, into the dict on the stack."""
        target = self.stack[-1]
        if type(target) is dict:
            pairs = zip(items[::2], items[1::2], strict=False)
            target.update((key, value) for key, value in pairs if type(key) in _KEYS)

    def append(self, items: list[Any]) -> None:
        """Put values into the list on the stack."""
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)

    def build(self) -> None:
        """Give an object that is not made the attributes that it would get."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Unmade):
            self.stack[-1].state = state[0] if type(state) is tuple and len(state) == 2 else state


OpcodeStep = Callable[[_PickleMachine], Any]


def _protocol(machine: _PickleMachine) -> None:
    protocol = machine.bytes(1)[0]
    if protocol > NEWEST_PROTOCOL:
        raise FileFormatError(f"the pickle has protocol {protocol}; at most {NEWEST_PROTOCOL} is read")


def _push(make: Callable[[_PickleMachine], Any]) -> OpcodeStep:
    return lambda machine: machine.stack.append(make(machine))


def _bytes(length: str) -> OpcodeStep:
    return _push(lambda machine: machine.bytes(machine.number(length)))


def _text(length: str, encoding: str = "utf-8") -> OpcodeStep:
    return _push(lambda machine: machine.bytes(machine.number(length)).decode(encoding, "surrogatepass"))


def _whole(length: str) -> OpcodeStep:
    return _push(lambda machine: int.from_bytes(machine.bytes(machine.number(length)), "little", signed=True))


def _tuple(count: int) -> OpcodeStep:
    return _push(lambda machine: machine.last(count))


def _get(length: str) -> OpcodeStep:
    return _push(lambda machine: machine.memo[machine.number(length)])


def _put(length: str) -> OpcodeStep:
    return lambda machine: machine.memo.__setitem__(machine.number(length), machine.stack[-1])


_STEPS: Mapping[int, OpcodeStep] = {
    code[0]: step
    for code, step in {
        b"\x80": _protocol,
        b"\x95": lambda machine: machine.bytes(8),  # the length of a frame
        b"(": lambda machine: machine.marks.append(len(machine.stack)),
        b"0": lambda machine: machine.stack.pop(),
        b"1": lambda machine: machine.since_mark(),
        b"2": lambda machine: machine.stack.append(machine.stack[-1]),
        b"N": _push(lambda machine: None),
        b"\x88": _push(lambda machine: True),
        b"\x89": _push(lambda machine: False),
        b"K": _push(lambda machine: machine.number("<B")),
        b"M": _push(lambda machine: machine.number("<H")),
        b"J": _push(lambda machine: machine.number("<i")),
        b"\x8a": _whole("<B"),
        b"\x8b": _whole("<I"),
        b"G": _push(lambda machine: machine.number(">d")),
        b"\x8c": _text("<B"),
        b"X": _text("<I"),
        b"\x8d": _text("<Q"),
        b"U": _text("<B", "latin1"),  # a text of Python 2
        b"T": _text("<I", "latin1"),
        b"C": _bytes("<B"),
        b"B": _bytes("<I"),
        b"\x8e": _bytes("<Q"),
        b"\x96": _bytes("<Q"),
        b")": _tuple(0),
        b"\x85": _tuple(1),
        b"\x86": _tuple(2),
        b"\x87": _tuple(3),
        b"t": _push(lambda machine: tuple(machine.since_mark())),
        b"]": _push(lambda machine: []),
        b"l": _push(lambda machine: machine.since_mark()),
        b"a": lambda machine: machine.append([machine.stack.pop()]),
        b"e": lambda machine: machine.append(machine.since_mark()),
        b"}": _push(lambda machine: {}),
        b"s": lambda machine: machine.set_items(list(machine.last(2))),
        b"u": lambda machine: machine.set_items(machine.since_mark()),
        b"\x8f": _push(lambda machine: Unmade("set")),
        b"\x90": lambda machine: machine.since_mark(),
        b"\x91": _push(lambda machine: (machine.since_mark(), Unmade("frozenset"))[1]),
        b"c": lambda machine: machine.push_global(machine.line(), machine.line()),
        b"\x93": lambda machine: machine.push_global(*machine.last(2)),
        b"R": lambda machine: machine.push_call(*machine.last(2)),
        b"\x81": lambda machine: machine.push_call(*machine.last(2)),
        b"\x92": lambda machine: machine.push_call(*machine.last(3)[:2]),
        b"b": lambda machine: machine.build(),
        b"Q": _push(lambda machine: machine.persistent(machine.stack.pop())),
        b"h": _get("<B"),
        b"j": _get("<I"),
        b"q": _put("<B"),
        b"r": _put("<I"),
        b"\x94": lambda machine: machine.memo.__setitem__(len(machine.memo), machine.stack[-1]),
    }.items()
}
