"""A program: a cell as data. A list of equations, each of which names one operation of the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from recurra.errors import ProgramError
from recurra.program.operations import OPERATIONS, AttributeValue, Operation, Usage
from recurra.program.shapes import Mismatch, Solver
from recurra.program.sizes import HIDDEN, INPUT, PROJ, Shape, shape_text

_SYMBOLS = ("", "input", "hidden", "proj")  # of sizes; the first stands for a number alone


@dataclass(frozen=True)
class Variable:
    """A value of a program.

    Attributes:
        name: unique in the program. Names that start with ``%`` are the compiler's own; ``c'`` is what the cell's
            source calls ``c`` once ``c`` has been given a new value, ``c''`` after the next one; ``c'4`` the fourth.
        shape: in symbols, of one example at one step.
        kind: ``"real"`` or ``"bool"``.
    """

    name: str
    shape: Shape
    kind: str = "real"

    def __hash__(self) -> int:
        """By the name, which is unique in a program: tables of variables are read in every step of a run."""
        return hash(self.name)

    def width(self, sizes: Mapping[str, int]) -> int:
        """How many numbers one example has at one step."""
        return math.prod(size.value(sizes) for size in self.shape)

    @property
    def is_named(self) -> bool:
        """Whether the cell's source gives it a name."""
        return not self.name.startswith("%")


Operand = Variable | float


@dataclass(frozen=True)
class Equation:
    """``results = operation(operands)``."""

    operation: str
    operands: tuple[Operand, ...]
    results: tuple[Variable, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, hash=False)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The operands that are not literals."""
        return tuple(operand for operand in self.operands if isinstance(operand, Variable))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two equations that compute the same."""
        operands = tuple(o if isinstance(o, Variable) else repr(o) for o in self.operands)  # 0.0 == -0.0, and not here
        shapes = tuple(result.shape for result in self.results)  # which of eye() and partition() nothing else tells
        return (self.operation, operands, shapes, tuple(sorted(self.attributes.items())))


@dataclass(frozen=True)
class Program:
    """A cell as data; ``str()`` prints it as equations with shapes.

    Attributes:
        name: the cell's.
        input: what arrives at a step.
        states: what the step before handed over, the hidden state first; none in a program that only feeds forward.
        parameters: what stays, in the order of the cell's signature.
        equations: in an order in which each can be computed.
        next_states: for each state, what this step hands on; of the same shape.
        output: what a layer returns at this step: the first new state, unless the cell says otherwise.
    """

    name: str
    input: Variable
    states: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    next_states: tuple[Variable, ...]
    output: Variable

    @property
    def sources(self) -> tuple[Variable, ...]:
        """Every variable that no equation computes."""
        return (self.input, *self.states, *self.parameters)

    @property
    def roots(self) -> tuple[Variable, ...]:
        """What the program is computed for."""
        return (*self.next_states, self.output)

    @property
    def masks(self) -> tuple[Equation, ...]:
        """The equations that draw random numbers, in order."""
        return tuple(equation for equation in self.equations if equation.operation == "mask")

    def variables(self) -> Iterator[Variable]:
        """Every variable, in the order in which they become known."""
        yield from self.sources
        for equation in self.equations:
            yield from equation.results

    def named(self) -> dict[str, Variable]:
        """What each name of the cell's source stands for at the end of a step; states by their new values."""
        names = {}
        for equation in self.equations:
            for variable in equation.results:
                if variable.is_named:
                    names[variable.name.partition("'")[0]] = variable
        for state, new in zip(self.states, self.next_states, strict=True):
            names[state.name] = new
        return names

    def varying(self) -> set[Variable]:
        """The variables that depend on the input, a state or chance, and not on parameters alone."""
        return depending(self.equations, (self.input, *self.states, *(e.results[0] for e in self.masks)))

    def to_json(self) -> str:
        """The program as JSON text; ``Program.from_json`` gives an equal one back."""
        from recurra.program.serial import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Program:
        """The program that a JSON text holds; nothing in it is evaluated.

        Raises:
            ProgramError: the text is no program, is too large, or an operation or shape in it is not right.
        """
        from recurra.program.serial import from_json

        return from_json(text)

    def __str__(self) -> str:
        from recurra.program.text import program_text

        return program_text(self)


def depending(equations: Iterable[Equation], sources: Iterable[Variable]) -> set[Variable]:
    """The sources, and all variables that are computed from at least one of them."""
    reached = set(sources)
    for equation in equations:
        if any(variable in reached for variable in equation.variables):
            reached.update(equation.results)
    return reached


def check(program: Program) -> None:
    """Refuse a program that is not one: an unknown operation, a value used before it is known, shapes that disagree.

    Raises:
        ProgramError: says what is wrong, and where.
    """
    known: dict[str, Variable] = {}
    for variable in program.sources:
        _define(known, variable)
    _check_sources(program)
    varying = {program.input, *program.states}
    for equation in program.equations:
        try:
            _check_equation(equation, known, varying)
        except ProgramError as error:
            names = ", ".join(variable.name for variable in equation.results)
            raise ProgramError(f"{names} = {equation.operation}(…): {error}") from None
    for state, new in zip(program.states, program.next_states, strict=True):
        if new.shape != state.shape or new.kind != "real":
            raise ProgramError(
                f"state {state.name} has shape {shape_text(state.shape)}, its new value {shape_text(new.shape)}"
            )
    for root in program.roots:
        if known.get(root.name) != root:
            raise ProgramError(f"result {root.name} is not computed")
    if len(program.output.shape) != 1 or program.output.kind != "real":
        raise ProgramError(f"output {program.output.name} must be a vector, not {shape_text(program.output.shape)}")


def _define(known: dict[str, Variable], variable: Variable) -> None:
    if variable.name in known:
        raise ProgramError(f"{variable.name} is defined twice")
    if variable.kind not in ("real", "bool"):
        raise ProgramError(f"{variable.name} is of the unknown kind {variable.kind[:40]!r}")
    for size in variable.shape:
        if not size.terms or any(factor <= 0 for _, factor in size.terms):
            raise ProgramError(f"{variable.name}: size {size} is not positive")
        if any(symbol not in _SYMBOLS for symbol, _ in size.terms):
            raise ProgramError(f"{variable.name}: size {size} is of an unknown symbol")
    known[variable.name] = variable


def _check_sources(program: Program) -> None:
    if any(variable.kind != "real" for variable in program.sources):
        raise ProgramError("input, states and parameters are real numbers")
    if program.input.shape != (INPUT,):
        raise ProgramError(f"input {program.input.name} must have shape (input)")
    if len(program.states) != len(program.next_states):
        raise ProgramError("a program needs a new value for each of its states")
    if program.states and program.states[0].shape not in ((HIDDEN,), (PROJ,)):
        raise ProgramError(f"state {program.states[0].name} must have shape (hidden) or (proj)")
    if any(len(state.shape) != 1 for state in program.states):
        raise ProgramError("states are vectors")


def _check_equation(equation: Equation, known: dict[str, Variable], varying: set[Variable]) -> None:
    operation = OPERATIONS.get(equation.operation)
    if operation is None:
        raise ProgramError(f"unknown operation {equation.operation!r}")
    _check_operands(equation, operation, known)
    if not equation.results or (operation.results is not None and len(equation.results) != operation.results):
        raise ProgramError(f"{operation.results or 'at least one'} results expected")
    if equation.attributes.keys() != operation.attributes.keys():
        raise ProgramError(f"attributes {sorted(operation.attributes)} expected")
    for name, is_valid in operation.attributes.items():
        if not is_valid(equation.attributes[name]):
            raise ProgramError(f"{name}={equation.attributes[name]!r} is out of range")
    if any(variable.kind != operation.result for variable in equation.results):
        raise ProgramError(f"the result is {operation.result}")
    is_varying = [operand in varying for operand in equation.operands]
    _check_shapes(equation, operation, is_varying)
    if equation.operation == "mask" or any(is_varying):
        varying.update(equation.results)
        if any(len(variable.shape) > 2 for variable in equation.results):
            raise ProgramError("what differs from step to step has two dimensions at most")
    for variable in equation.results:
        _define(known, variable)


def _check_operands(equation: Equation, operation: Operation, known: dict[str, Variable]) -> None:
    kinds = operation.operands if operation.operands is not None else ("real",) * max(1, len(equation.operands))
    if len(equation.operands) != len(kinds):
        raise ProgramError(f"{len(kinds)} operands expected, got {len(equation.operands)}")
    for operand, kind in zip(equation.operands, kinds, strict=True):
        if not isinstance(operand, Variable):
            if kind != "real":
                raise ProgramError("a number where a comparison is expected")
            continue
        found = known.get(operand.name)
        if found is not operand and found != operand:
            raise ProgramError(f"{operand.name} is not known here")
        if operand.kind != kind:
            raise ProgramError(f"{operand.name} is {operand.kind}, not {kind}")


def _check_shapes(equation: Equation, operation: Operation, is_varying: list[bool]) -> None:
    """The operation's own rule, applied to shapes that are all known, must find nothing to add or to object to."""
    solver = Solver()
    operands = [solver.add(operand.shape if isinstance(operand, Variable) else ()) for operand in equation.operands]
    results = [solver.add(variable.shape) for variable in equation.results]
    if equation.operation == "product" and is_varying[1]:
        raise ProgramError("the right side of a product must be a parameter, or computed from parameters")
    try:
        operation.rule(Usage(solver, operands, results, is_varying, equation.attributes))
    except Mismatch as mismatch:
        have, need = shape_text(mismatch.have), shape_text(mismatch.need)
        value = (*equation.operands, *equation.results)[mismatch.value]
        name = value.name if isinstance(value, Variable) else str(value)
        raise ProgramError(f"{name} has shape {have}, needed is {need}") from None
