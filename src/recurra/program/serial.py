"""Programs to and from JSON. The text is data: it is checked against the operation table, and never evaluated."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from typing import Any

from recurra.errors import ProgramError, one_line
from recurra.program.check import check
from recurra.program.program import Equation, Operand, Program, StepInput, Variable
from recurra.program.sizes import Size

FORMAT = "recurra-program"
VERSION = 1
MAX_TEXT = 4 * 2**20  # characters of JSON
MAX_ITEMS = 150_000  # commas of a text: about as many as all its lists and objects have items
MAX_KEYS = 60_000  # colons of a text: about as many as all its objects have keys
MAX_OBJECTS = 60_000  # braces of a text
MAX_LISTS = 60_000  # brackets of a text
MAX_DIGITS = 20  # of a whole number
MAX_STATES = 100
MAX_INPUTS = 20
MAX_EQUATIONS = 3_000
MAX_VARIABLES = 6_000
MAX_OPERANDS = 12_000
MAX_SIZES = 500  # that differ
_NAME = re.compile(r"%?[^\W%]\w{0,99}(?:'{0,3}|'\d{1,5})")
_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


@dataclass
class Room:
    """The room that is left for the programs of one text; reading a program takes from it.

    Attributes:
        equations: the number of equations that all programs together may still have.
        variables: the same of variables.
        operands: the same of operands.
        sizes: the sizes read so far, by their texts.
    """

    equations: int = MAX_EQUATIONS
    variables: int = MAX_VARIABLES
    operands: int = MAX_OPERANDS
    sizes: dict[str, Size] = field(default_factory=dict)

    def take(self, what: str, count: int) -> None:
        """Take from the room that is left.

        Raises:
            ProgramError: there is not so much left.
        """
        left = getattr(self, what) - count
        if left < 0:
            raise ProgramError(f"more than {getattr(Room, what)} {what}")
        setattr(self, what, left)

    def size(self, text: str) -> Size:
        """The size that a text describes; the same object for the same text.

        Raises:
            ProgramError: the text is not a size, or there are too many that differ.
        """
        size = self.sizes.get(text)
        if size is None:
            if len(self.sizes) == MAX_SIZES:
                raise ProgramError(f"more than {MAX_SIZES} sizes that differ")
            size = self.sizes[text] = Size.parse(text)
        return size


def to_json(program: Program) -> str:
    """The program as JSON text; ``from_json`` gives an equal program back."""
    return json.dumps(to_content(program), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_content(program: Program) -> dict[str, Any]:
    """The program as lists, objects, texts and numbers, as JSON has them."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": program.name,
        "input": _variable_out(program.input),
        "states": [_variable_out(variable) for variable in program.states],
        "parameters": [_variable_out(variable) for variable in program.parameters],
        "equations": [
            {
                "operation": equation.operation,
                "operands": [_operand_out(operand) for operand in equation.operands],
                "results": [_variable_out(variable) for variable in equation.results],
                "attributes": dict(equation.attributes),
            }
            for equation in program.equations
        ],
        "next_states": [variable.name for variable in program.next_states],
        "output": program.output.name,
    }
    if program.inputs:
        content["inputs"] = [_input_out(each) for each in program.inputs]
    return content


def from_json(text: str) -> Program:
    """The program that a text holds.

    Raises:
        ProgramError: the text is not a program, is larger than the caps of this module, or fails ``program.check``;
            the message is one line.
    """
    if len(text) > MAX_TEXT:
        raise ProgramError(f"program text of {len(text)} characters; at most {MAX_TEXT} are read")
    try:
        content = strict_json(text)
    except ValueError as error:
        raise ProgramError(f"not a program: {error}") from None
    return from_content(content, Room())


def strict_json(text: str) -> Any:
    """The content of a JSON text. No key may occur twice, and NaN and Infinity are not JSON.

    Raises:
        ValueError: the text is no such JSON, is nested too deeply, or goes beyond a cap of this module.
    """
    caps = (
        (",", MAX_ITEMS, "items"),
        (":", MAX_KEYS, "keys"),
        ("{", MAX_OBJECTS, "objects"),
        ("[", MAX_LISTS, "lists"),
    )
    for mark, most, what in caps:
        if text.count(mark) > most:  # before objects are made of them
            raise ValueError(f"more than {most} {what}")
    try:
        return json.loads(
            text, parse_int=_whole_number, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def from_content(content: Any, room: Room) -> Program:
    """The program that lists and objects describe.

    Args:
        content: the result of ``to_content``.
        room: the room that is left for it.

    Raises:
        ProgramError: as in ``from_json``.
    """
    try:
        program = _program_in(content, room)
        check(program)
    except ProgramError as error:
        raise ProgramError(one_line(str(error))) from None
    return program


def _program_in(content: Any, room: Room) -> Program:
    fields = _fields(content, _PROGRAM, ("inputs",))
    if fields["format"] != FORMAT or type(fields["version"]) is not int or fields["version"] != VERSION:
        raise ProgramError(f"not a program of format {FORMAT}, version {VERSION}")
    states, equations = _items(fields["states"], MAX_STATES), _items(fields["equations"], MAX_EQUATIONS)
    room.take("equations", len(equations))
    known: dict[str, Variable] = {}
    return Program(
        name=_title(fields["name"]),
        input=_variables_in([fields["input"]], known, room)[0],
        states=_variables_in(states, known, room),
        parameters=_variables_in(_items(fields["parameters"], MAX_VARIABLES), known, room),
        equations=tuple(_equation_in(item, known, room) for item in equations),
        next_states=tuple(_known(item, known) for item in _items(fields["next_states"], MAX_STATES)),
        output=_known(fields["output"], known),
        inputs=tuple(_input_in(item, room) for item in _items(fields.get("inputs", []), MAX_INPUTS)),
    )


def _variable_out(variable: Variable) -> dict[str, Any]:
    content: dict[str, Any] = {"name": variable.name, "shape": [str(size) for size in variable.shape]}
    return content if variable.kind == "real" else {**content, "kind": variable.kind}


def _input_out(given: StepInput) -> dict[str, Any]:
    content: dict[str, Any] = {"name": given.name, "size": str(given.size)}
    return content if given.default is None else {**content, "default": given.default}


def _operand_out(operand: Operand) -> str | float | dict[str, str]:
    if isinstance(operand, Variable):
        return operand.name
    return operand if math.isfinite(operand) else {"number": str(operand)}


def _whole_number(text: str) -> int:
    """Parse a whole number; long ones are refused, as the time grows with the square of the number of digits."""
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(text)} characters")
    return int(text)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice")
    return content


_PROGRAM = dict.fromkeys(
    ("format", "version", "name", "input", "states", "parameters", "equations", "next_states", "output")
).keys()
_EQUATION = dict.fromkeys(("operation", "operands", "results", "attributes")).keys()
_INPUT = dict.fromkeys(("name", "size")).keys()
_VARIABLE = dict.fromkeys(("name", "shape")).keys()


def _fields(content: Any, names: Set[str], optional: Collection[str] = ()) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ProgramError(f"an object with {', '.join(names)} expected, got {type(content).__name__}")
    if content.keys() != names:
        missing = [name for name in names if name not in content]
        extra = [name for name in content if name not in names and name not in optional]
        if missing or extra:
            raise ProgramError(f"fields missing: {missing}; not known: {[name[:40] for name in extra[:5]]}")
    return content


def _items(content: Any, most: int) -> list[Any]:
    if not isinstance(content, list) or len(content) > most:
        raise ProgramError(f"a list of at most {most} expected")
    return content


def _name(content: Any) -> str:
    if not isinstance(content, str) or not _NAME.fullmatch(content):
        raise ProgramError(f"{shown(content)} is not a name")
    return content


def _title(content: Any) -> str:
    """The name of a cell: its function's, which for a lambda is no identifier."""
    if not isinstance(content, str) or not 0 < len(content) <= 100 or not content.isprintable():
        raise ProgramError(f"{shown(content)} is not the name of a cell")
    return content


def _known(content: Any, known: dict[str, Variable]) -> Variable:
    variable = known.get(content) if isinstance(content, str) else None
    if variable is None:
        raise ProgramError(f"{shown(content)} is not defined")
    return variable


def _variables_in(items: list[Any], known: dict[str, Variable], room: Room) -> tuple[Variable, ...]:
    room.take("variables", len(items))
    return tuple(_variable_in(item, known, room) for item in items)


def _variable_in(content: Any, known: dict[str, Variable], room: Room) -> Variable:
    fields = _fields(content, _VARIABLE, ("kind",))
    sizes, kind = _items(fields["shape"], 3), fields.get("kind", "real")
    if not all(isinstance(size, str) for size in sizes) or not isinstance(kind, str):
        raise ProgramError("a shape is a list of sizes such as '4*hidden'")
    variable = Variable(_name(fields["name"]), tuple(map(room.size, sizes)), kind)
    if known.setdefault(variable.name, variable) is not variable:
        raise ProgramError(f"{variable.name} is defined twice")
    return variable


def _input_in(content: Any, room: Room) -> StepInput:
    fields = _fields(content, _INPUT, ("default",))
    size, default = fields["size"], fields.get("default")
    if not isinstance(size, str):
        raise ProgramError("the size of an input is a text such as '4*hidden'")
    if default is not None and (type(default) not in (int, float) or not math.isfinite(default)):
        raise ProgramError(f"{shown(default)} is no default of an input")
    return StepInput(_name(fields["name"]), room.size(size), None if default is None else float(default))


def _operand_in(content: Any, known: dict[str, Variable]) -> Operand:
    if isinstance(content, str):
        return _known(content, known)
    if isinstance(content, dict):
        number = _fields(content, {"number"})["number"]
        if isinstance(number, str) and number in _NUMBERS:
            return _NUMBERS[number]
        raise ProgramError("a number that is not finite is inf, -inf or nan")
    if type(content) not in (int, float) or not math.isfinite(content):
        raise ProgramError(f"{shown(content)} is no operand")
    return float(content)


def _equation_in(content: Any, known: dict[str, Variable], room: Room) -> Equation:
    fields = _fields(content, _EQUATION)
    operands, results = (_items(fields[name], MAX_OPERANDS) for name in ("operands", "results"))
    room.take("operands", len(operands))
    attributes = fields["attributes"]
    if attributes:
        _fields(attributes, set(), ("count", "axis", "probability", "on", "mean", "per"))
        if not all(type(value) in (int, float, str) for value in attributes.values()):
            raise ProgramError("attributes are numbers or words")
    elif not isinstance(attributes, dict):
        raise ProgramError("attributes must be an object")
    known_operands = tuple(_operand_in(item, known) for item in operands)
    new_results = _variables_in(results, known, room)
    return Equation(_name(fields["operation"]), known_operands, new_results, attributes)


def shown(content: Any) -> str:
    """A short text, for a message, of content that is refused: its beginning, or its kind."""
    if isinstance(content, str):
        return repr(content[:40])
    if isinstance(content, (bool, int, float, type(None))):
        return repr(content)
    return "an object" if isinstance(content, dict) else "a list"
