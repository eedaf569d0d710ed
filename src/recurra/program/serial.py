"""Programs to and from JSON. What comes in is data, checked against the operation table; nothing is evaluated."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from recurra.errors import ProgramError
from recurra.program.graph import Equation, Operand, Program, Variable, check
from recurra.program.sizes import Size

FORMAT = "recurra-program"
VERSION = 1
MAX_TEXT = 16 * 2**20  # characters of JSON
MAX_EQUATIONS = 10_000
MAX_VARIABLES = 40_000
MAX_OPERANDS = 1_000  # of one equation
MAX_ITEMS = 400_000  # of all lists and objects of a text
_NAME = re.compile(r"%?[^\W%]\w{0,99}(?:'{0,3}|'\d{1,5})")
_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_json(program: Program) -> str:
    """The program as JSON text; ``from_json`` gives an equal program back."""
    return json.dumps(to_content(program), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_content(program: Program) -> dict[str, Any]:
    """The program as lists, objects, texts and numbers, as JSON has them."""
    return {
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


def from_json(text: str) -> Program:
    """The program that a text holds.

    Raises:
        ProgramError: the text is not a program, is larger than the caps of this module, or fails ``graph.check``.
    """
    if len(text) > MAX_TEXT:
        raise ProgramError(f"program text of {len(text)} characters; at most {MAX_TEXT} are read")
    try:
        content = strict_json(text)
    except ValueError as error:
        raise ProgramError(f"not a program: {error}") from None
    return from_content(content)


def strict_json(text: str) -> Any:
    """What a JSON text holds; no key may occur twice, and NaN and Infinity are not JSON.

    Raises:
        ValueError: the text is not such, has more than MAX_ITEMS items, or is nested too deeply.
    """
    if text.count(",") >= MAX_ITEMS:  # before anything is made of them
        raise ValueError(f"more than {MAX_ITEMS} items")
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def from_content(content: Any) -> Program:
    """The program that such lists and objects describe.

    Raises:
        ProgramError: as ``from_json``.
    """
    fields = _fields(
        content,
        ("format", "version", "name", "input", "states", "parameters", "equations", "next_states", "output"),
    )
    if fields["format"] != FORMAT or type(fields["version"]) is not int or fields["version"] != VERSION:
        raise ProgramError(f"not a program of format {FORMAT}, version {VERSION}")
    known: dict[str, Variable] = {}
    program = Program(
        name=_title(fields["name"]),
        input=_variable_in(fields["input"], known),
        states=tuple(_variable_in(item, known) for item in _items(fields["states"], MAX_OPERANDS)),
        parameters=tuple(_variable_in(item, known) for item in _items(fields["parameters"], MAX_OPERANDS)),
        equations=tuple(_equation_in(item, known) for item in _items(fields["equations"], MAX_EQUATIONS)),
        next_states=tuple(_known(item, known) for item in _items(fields["next_states"], MAX_OPERANDS)),
        output=_known(fields["output"], known),
    )
    check(program)
    return program


def _variable_out(variable: Variable) -> dict[str, Any]:
    content: dict[str, Any] = {"name": variable.name, "shape": [str(size) for size in variable.shape]}
    return content if variable.kind == "real" else {**content, "kind": variable.kind}


def _operand_out(operand: Operand) -> str | float | dict[str, str]:
    if isinstance(operand, Variable):
        return operand.name
    return operand if math.isfinite(operand) else {"number": str(operand)}


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice")
    return content


def _fields(content: Any, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ProgramError(f"an object with {', '.join(names)} expected, got {type(content).__name__}")
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
        raise ProgramError(f"{str(content)[:40]!r} is not a name")
    return content


def _title(content: Any) -> str:
    """The name of a cell: a function's, which for a lambda is no identifier."""
    if not isinstance(content, str) or not 0 < len(content) <= 100 or not content.isprintable():
        raise ProgramError(f"{str(content)[:40]!r} is not the name of a cell")
    return content


def _known(content: Any, known: dict[str, Variable]) -> Variable:
    variable = known.get(_name(content))
    if variable is None:
        raise ProgramError(f"{content} is not defined")
    return variable


def _variable_in(content: Any, known: dict[str, Variable]) -> Variable:
    fields = _fields(content, ("name", "shape"), ("kind",))
    sizes = _items(fields["shape"], 3)
    if not all(isinstance(size, str) for size in sizes) or not isinstance(fields.get("kind", "real"), str):
        raise ProgramError("a shape is a list of sizes such as '4*hidden'")
    shape = tuple(Size.parse(size) for size in sizes)
    variable = Variable(_name(fields["name"]), shape, fields.get("kind", "real"))
    if variable.name in known or len(known) >= MAX_VARIABLES:
        raise ProgramError(f"{variable.name} is defined twice, or there are over {MAX_VARIABLES} variables")
    known[variable.name] = variable
    return variable


def _operand_in(content: Any, known: dict[str, Variable]) -> Operand:
    if isinstance(content, dict):
        number = _fields(content, ("number",))["number"]
        if isinstance(number, str) and number in _NUMBERS:
            return _NUMBERS[number]
        raise ProgramError("a number that is not finite is inf, -inf or nan")
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        try:
            return float(content)
        except OverflowError:
            raise ProgramError("a number is too large") from None
    return _known(content, known)


def _equation_in(content: Any, known: dict[str, Variable]) -> Equation:
    fields = _fields(content, ("operation", "operands", "results", "attributes"))
    operands = tuple(_operand_in(item, known) for item in _items(fields["operands"], MAX_OPERANDS))
    attributes = _fields(fields["attributes"], (), ("count", "probability", "on", "mean", "per"))
    if not all(isinstance(value, (int, float, str)) and not isinstance(value, bool) for value in attributes.values()):
        raise ProgramError("attributes are numbers or words")
    results = tuple(_variable_in(item, known) for item in _items(fields["results"], MAX_OPERANDS))
    return Equation(_name(fields["operation"]), operands, results, attributes)
