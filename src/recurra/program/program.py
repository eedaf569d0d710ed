"""Programs: cells as data, as a list of equations, each of which names one operation of the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from recurra.program.operations import AttributeValue
from recurra.program.sizes import Shape, Size, Sizes

HISTORY = "_history"  # in the names of states that hold earlier values of a value


@dataclass(frozen=True)
class Variable:
    """A value of a program.

    Attributes:
        name: unique in the program. Names that start with ``%`` are the compiler's own. ``c'`` is the source's ``c``
            after its first new value, ``c''`` after its second, ``c'4`` after its fourth.
        shape: the shape of one example at one step, in symbols.
        kind: ``"real"`` or ``"bool"``.
    """

    name: str
    shape: Shape
    kind: str = "real"

    def __hash__(self) -> int:
        """The hash of the name, which is unique in a program: tables of variables are read in every step of a run."""
        return hash(self.name)

    def width(self, sizes: Sizes) -> int:
        """The number of elements that one example has at one step."""
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
        return tuple([operand for operand in self.operands if isinstance(operand, Variable)])

    @property
    def key(self) -> tuple[str, tuple[Variable | str, ...], tuple[Shape, ...], tuple[tuple[str, AttributeValue], ...]]:
        """A key that is equal for two equations that compute the same."""
        operands = tuple([o if isinstance(o, Variable) else repr(o) for o in self.operands])  # repr tells -0.0 from 0.0
        shapes = tuple([result.shape for result in self.results])  # nothing else tells two eye() or partition() apart
        return (self.operation, operands, shapes, tuple(sorted(self.attributes.items())))


@dataclass(frozen=True)
class StepInput:
    """One of several inputs of a step.

    Attributes:
        name: its name in the cell's signature.
        size: the number of its features.
        default: the number that it is where a call does not give it; None if every call must.
    """

    name: str
    size: Size
    default: float | None = None


@dataclass(frozen=True)
class Program:
    """A cell as data; ``str()`` prints it as equations with shapes.

    Attributes:
        name: the cell's name.
        input: the input of a step; of a program with several inputs all of them, side by side.
        states: the states that the step before handed on, the hidden state first; empty in a feed-forward program.
        parameters: the parameters, in the order of the cell's signature.
        equations: in an order in which each can be computed.
        next_states: for each state, the variable that this step hands on; of the same shape.
        output: the variable that a layer returns at this step: the first new state, unless the cell says otherwise.
        inputs: the inputs that lie side by side in ``input``, which an equation `partition` cuts; empty where there is
            one input. The first has the size `input`.
    """

    name: str
    input: Variable
    states: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    next_states: tuple[Variable, ...]
    output: Variable
    inputs: tuple[StepInput, ...] = ()

    def __hash__(self) -> int:
        """A cheap hash, as programs are looked up: of names and operations, not of shapes."""
        return hash((self.name, self.parameters, tuple(equation.operation for equation in self.equations)))

    @property
    def sources(self) -> tuple[Variable, ...]:
        """Every variable that no equation computes."""
        return (self.input, *self.states, *self.parameters)

    @property
    def further_inputs(self) -> tuple[StepInput, ...]:
        """The inputs beside the first one."""
        return self.inputs[1:]

    @property
    def named_inputs(self) -> tuple[Variable, ...]:
        """The inputs of a step as the equations read them: ``input`` alone, or the several that it holds."""
        named = {variable.name: variable for equation in self.unpacking for variable in equation.results}
        return tuple(named[each.name] for each in self.inputs if each.name in named) or (self.input,)

    @property
    def unpacking(self) -> tuple[Equation, ...]:
        """The equations that give the inputs of a program with several their names; printed forms leave them out."""
        found: list[Equation] = []
        for equation in self.equations if self.inputs else ():
            is_cut = equation.operation == "partition" and equation.operands == (self.input,)
            if is_cut or (found and equation.operation == "sum" and equation.operands[0] in found[0].results):
                found.append(equation)
        return tuple(found)

    @property
    def roots(self) -> tuple[Variable, ...]:
        """The variables that the program is computed for."""
        return (*self.next_states, self.output)

    @property
    def masks(self) -> tuple[Equation, ...]:
        """The equations that draw random numbers, in order."""
        return tuple(equation for equation in self.equations if equation.operation == "mask")

    @property
    def computed(self) -> tuple[Equation, ...]:
        """The equations that draw no random numbers, in order."""
        return tuple(equation for equation in self.equations if equation.operation != "mask")

    def variables(self) -> Iterator[Variable]:
        """Every variable, in the order in which they become known."""
        yield from self.sources
        for equation in self.equations:
            yield from equation.results

    def named(self) -> dict[str, Variable]:
        """The variable that each name of the cell's source has at the end of a step; states have their new values."""
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
