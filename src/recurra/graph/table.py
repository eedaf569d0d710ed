"""The operator table: the supported operators of ONNX, with their opsets and attributes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STANDARD = ("", "ai.onnx")  # both name the standard's own operators
OLDEST, NEWEST = 7, 28  # opsets; before 7, operators broadcast by rules of their own

# Exceptions of an operator whose attributes or inputs are not supported, or whose input is missing.
REFUSALS = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)

Array = Any  # a numpy array
NodeFunction = Callable[..., Any]  # arrays, None for an input that is left out → an array, or a tuple of them
AttributeReader = Callable[[Any], Any]


@dataclass(frozen=True)
class NodeInfo:
    """The facts about a node that its operator may use.

    Attributes:
        inputs: whether each input is given.
        outputs: whether each output is wanted.
        constants: the value of each input if it is known while loading, else None.
        captured: names of outer values that the node's graphs read; its function takes them after the inputs.
    """

    inputs: tuple[bool, ...]
    outputs: tuple[bool, ...]
    constants: tuple[Array | None, ...]
    captured: tuple[str, ...] = ()

    def has(self, number: int) -> bool:
        """Whether an input is given."""
        return number < len(self.inputs) and self.inputs[number]

    def outer(self, arguments: tuple[Any, ...]) -> dict[str, Array]:
        """The captured values by name, from all arguments of the node's function."""
        return dict(zip(self.captured, arguments[len(self.inputs) :], strict=True))

    def constant(self, number: int) -> Array | None:
        """The value of an input if that is known while loading, else None; None too if there is no such input."""
        return self.constants[number] if number < len(self.constants) else None


@dataclass(frozen=True)
class Operator:
    """A row of the table.

    Attributes:
        name: ONNX's name of the operator.
        since: the first opset of this row.
        until: the last opset of this row.
        attributes: the supported attributes, each with its reader, which returns the operator's argument or raises
            ValueError for a value that is not supported.
        outputs: the largest number of outputs; None for any number.
        build: makes the function of a node; raises ValueError for a node that is not supported.
        required: the attributes that every node has.
        domain: the set of operators that it belongs to; empty for the standard's.
    """

    name: str
    since: int
    until: int
    attributes: Mapping[str, AttributeReader]
    outputs: int | None
    build: Callable[..., NodeFunction]
    required: frozenset[str]
    domain: str = ""


_TABLE: dict[tuple[str, str], list[Operator]] = {}  # by domain and name


def find(name: str, opset: int, domain: str = "") -> Operator | None:
    """The row of an operator at an opset; None if there is none. The opset is that of the standard in all domains."""
    rows = _TABLE.get((own_domain(domain), name), ())
    return next((row for row in rows if row.since <= opset <= row.until), None)


def opsets(name: str, domain: str = "") -> list[tuple[int, int]]:
    """The ranges of opsets for which an operator is supported."""
    return [(row.since, row.until) for row in _TABLE.get((own_domain(domain), name), ())]


def rows(domain: str = "") -> list[Operator]:
    """The table of a domain."""
    return [row for key in sorted(_TABLE) if key[0] == domain for row in _TABLE[key]]


def domains() -> list[str]:
    """The domains that have operators in the table."""
    return sorted({domain for domain, _ in _TABLE})


def own_domain(domain: str) -> str:
    """A domain by its one name: the standard's has two."""
    return "" if domain in STANDARD else domain


def building_operator(
    name: str,
    since: int = OLDEST,
    until: int = NEWEST,
    outputs: int | None = 1,
    domain: str = "",
    **readers: AttributeReader,
) -> Callable[[NodeFunction], NodeFunction]:
    """Enter a function ``(node, *, attributes) -> function of the inputs`` in the table, as a decorator.

    The attributes are those of its signature; ``readers`` read some of them.
    """

    def enter(build: NodeFunction) -> NodeFunction:
        row = Operator(name, since, until, _read_by(build, readers), outputs, build, _required(build), domain)
        _TABLE.setdefault((domain, name), []).append(row)
        return build

    return enter


def operator(
    name: str,
    since: int = OLDEST,
    until: int = NEWEST,
    outputs: int | None = 1,
    domain: str = "",
    **readers: AttributeReader,
) -> Callable[[NodeFunction], NodeFunction]:
    """Enter a function ``(*inputs, attributes by keyword) -> outputs`` in the table, as a decorator.

    The attributes are the keyword arguments of its signature; ``readers`` read some of them.
    """

    def enter(function: NodeFunction) -> NodeFunction:
        def build(node: NodeInfo, **attributes: Any) -> NodeFunction:
            return functools.partial(function, **attributes)

        row = Operator(name, since, until, _read_by(function, readers), outputs, build, _required(function), domain)
        _TABLE.setdefault((domain, name), []).append(row)
        return function

    return enter


def _read_by(function: NodeFunction, readers: Mapping[str, AttributeReader]) -> dict[str, AttributeReader]:
    """The reader of each keyword argument of a function."""
    arguments = inspect.signature(function).parameters.values()
    return {a.name: readers.get(a.name, as_it_is) for a in arguments if a.kind is a.KEYWORD_ONLY}


def _required(function: NodeFunction) -> frozenset[str]:
    """The names of a function's keyword arguments without default."""
    arguments = inspect.signature(function).parameters.values()
    return frozenset(a.name for a in arguments if a.kind is a.KEYWORD_ONLY and a.default is a.empty)


def functions(**named: NodeFunction) -> None:
    """Enter functions of arrays without attributes, by the operators' names."""
    for name, function in named.items():
        operator(name)(_without_options(function))


def _without_options(function: NodeFunction) -> NodeFunction:
    """Hide a function's further arguments: those of numpy's functions are no attributes."""
    return lambda *inputs: function(*inputs)


def as_it_is(value: Any) -> Any:
    """Read any value."""
    return value


def one_of(*allowed: Any) -> AttributeReader:
    """A reader of these values alone."""

    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"{value!r} is not supported, only {' and '.join(map(repr, allowed))}")
        return value

    return read
