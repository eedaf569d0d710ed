"""differentiate: reverse-mode differentiation of a program. The result is a schedule that any engine can run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from recurra.compiler.derivatives import contributions
from recurra.compiler.regroup import regrouped
from recurra.compiler.rewrite import Temporaries, needed, substitute
from recurra.compiler.schedule import Schedule, schedule
from recurra.compiler.separate import separated
from recurra.compiler.tape import Tape
from recurra.program import Equation, Operand, Program, Variable, depending


class Gradient(NamedTuple):
    """The backward pass of a program: a schedule, and the meaning of its variables.

    The schedule runs over the steps in reverse order of time. Its states are gradients: ``dh[t-1] = step(dh[t], …)``.
    The value that enters a step is the gradient of the program's *new* state there, from all later steps; at a
    sequence's last step it is the incoming gradient of the last state. The step hands on the gradient of the state that
    entered the program's step. The last values handed on are the gradients of the first states.

    At a reset the engine gives the schedule zeros for the program's states, and drops the gradients handed on.

    As in any schedule, a result or a next state may be a given variable, such as a row or another state.

    Attributes:
        schedule: the schedule. Its rows are those that it needs of the program's input, the entering states, the
            results of masks, the stored variables and the arriving gradients.
        arriving: for each given variable, the row variable of its incoming gradient; in ``schedule.rows`` if needed.
        carried: for each state of the schedule, the program's state that it is the gradient of.
        input: the row result that is the input's gradient; None where it is not wanted.
        parameters: for each wanted parameter, the constant result that is its gradient; two parameters may share one.
    """

    schedule: Schedule
    arriving: tuple[Variable, ...]
    carried: tuple[Variable, ...]
    input: Variable | None
    parameters: Mapping[Variable, Variable]


def differentiate(
    program: Program,
    *,
    given: Sequence[Variable],
    wanted: Sequence[Variable],
    stored: Collection[Variable] = (),
) -> Gradient:
    """The backward pass of a program.

    Args:
        program: after all passes of a plan.
        given: the variables whose gradients arrive for every row: the output and the traced variables. The gradients
            of the last states always arrive.
        wanted: the sources whose gradients are computed: the input, states, parameters.
        stored: the variables that the forward pass has kept for every row. All others are computed again where they
            are needed, from the input, the entering states and the masks' results.

    Raises:
        ValueError: a wanted variable is no source of the program, or a given one is none of its real variables.
    """
    _check(program, given, wanted)
    backward = _Differentiation(program, stored)
    arriving = [backward.named("arriving", variable) for variable in given]
    later = {state: backward.named("later", state) for state in program.states}
    seeds = [*zip(given, arriving, strict=True), *zip(program.next_states, later.values(), strict=True)]
    backward.run(seeds, {*wanted, *program.states})
    results = {source: backward.result(source) for source in dict.fromkeys([*wanted, *program.states])}
    carried = _carried(backward.tape.equations, later, results, wanted)
    entering, leaving = [later[state] for state in carried], [results[state] for state in carried]
    parameters = [parameter for parameter in dict.fromkeys(wanted) if parameter in program.parameters]
    rows = [results[program.input]] if program.input in wanted else []
    roots = [*leaving, *rows, *(results[parameter] for parameter in parameters)]
    equations, values = _renamed(backward, *regrouped(backward.tape, entering, leaving, roots))
    found = {source: values.get(gradient, gradient) for source, gradient in results.items()}
    scheduled = _scheduled(
        equations,
        constants=program.parameters,
        rows=_rows(program, stored, arriving),
        states=entering,
        next_states=[found[state] for state in carried],
        row_results=[found[program.input]] if rows else [],
        constant_results=list(dict.fromkeys(found[parameter] for parameter in parameters)),
    )
    return Gradient(
        scheduled,
        arriving=tuple(arriving),
        carried=tuple(carried),
        input=found[program.input] if rows else None,
        parameters={parameter: found[parameter] for parameter in parameters},
    )


def _check(program: Program, given: Sequence[Variable], wanted: Sequence[Variable]) -> None:
    variables = {variable for variable in program.variables() if variable.kind == "real"}
    for variable in given:
        if variable not in variables:
            raise ValueError(f"given: {variable.name} is no real variable of {program.name}")
    for variable in wanted:
        if variable not in program.sources:
            raise ValueError(f"wanted: {variable.name} is neither input, state nor parameter of {program.name}")


class _Differentiation:
    """Writes the program's equations on a tape, and after them those of the gradients.

    Attributes:
        tape: the tape.
        gradients: the gradient of each variable that has been visited.
    """

    def __init__(self, program: Program, stored: Collection[Variable]) -> None:
        self.program = program
        self.tape = Tape(program.varying(), Temporaries(program))
        self.gradients: dict[Variable, Variable] = {}
        self._parts: dict[Variable, list[Variable]] = {}
        self._taken = {variable.name for variable in program.variables()}
        self._replay(self.tape.varying.intersection(stored))

    def _replay(self, stored: set[Variable]) -> None:
        """Write down the forward pass. A stored variable is a row: an equation that computes it gets another result."""
        for equation in self.program.equations:
            if equation.operation == "mask" or stored.issuperset(equation.results):
                self.tape.know(equation)
                continue
            results = tuple(self.tape.fresh(v) if v in stored else v for v in equation.results)
            self.tape.know(equation)
            self.tape.record(replace(equation, results=results))

    def named(self, prefix: str, variable: Variable) -> Variable:
        """A new varying variable of the same shape, whose name says what it is."""
        new = replace(variable, name=self.name(prefix, variable))
        self.tape.varying.add(new)
        return new

    def name(self, prefix: str, variable: Variable) -> str:
        """A name that no variable has so far."""
        name = f"%{prefix}:{variable.name}"
        while name in self._taken:
            name += "+"
        self._taken.add(name)
        return name

    def run(self, seeds: Iterable[tuple[Variable, Variable]], sources: Collection[Variable]) -> None:
        """Write down the gradients of all sources, starting from known gradients of other variables."""
        active = depending(self.program.equations, sources)
        for variable, gradient in seeds:
            self._add(variable, gradient, active)
        for equation in reversed(self.program.equations):
            gradients = [self._sum(result) for result in equation.results]
            if any(gradient is not None for gradient in gradients):
                for operand, part in contributions(self.tape, equation, gradients, active):
                    self._add(operand, part, active)

    def _add(self, variable: Variable, gradient: Operand, active: Collection[Variable]) -> None:
        if variable in active:
            self._parts.setdefault(variable, []).append(self.tape.fitted(gradient, variable))

    def _sum(self, variable: Variable) -> Variable | None:
        """A variable's gradient, once everything that depends on it has been visited; None where nothing does."""
        parts = self._parts.get(variable)
        if not parts:
            return None
        total = parts[0]
        for part in parts[1:]:
            total = self.tape.elementwise("add", total, part)
        self.gradients[variable] = total
        return total

    def result(self, source: Variable) -> Variable:
        """The gradient of a source of the program; zeros where nothing depends on it."""
        gradient = self._sum(source)
        if gradient is not None:
            return gradient
        if source not in self.tape.varying:
            return self.tape.expand(0.0, source.shape)
        # The zeros must vary, as a constant has no rows, and must be 0 even where the source is NaN.
        return self.tape.where(self.tape.elementwise("less", source, source), 0.0, 0.0)


def _carried(
    equations: Sequence[Equation],
    later: Mapping[Variable, Variable],
    results: Mapping[Variable, Variable],
    wanted: Sequence[Variable],
) -> list[Variable]:
    """The states whose gradients are carried: the wanted ones, and those that the wanted gradients depend on."""
    carried: set[Variable] = set()
    while True:
        roots = [results[source] for source in {*wanted, *carried}]
        read = {*roots, *(v for equation in needed(equations, roots) for v in equation.variables)}
        found = {state for state, gradient in later.items() if gradient in read or state in wanted}
        if found == carried:
            return [state for state in later if state in carried]
        carried = found


def _renamed(
    backward: _Differentiation, equations: list[Equation], values: dict[Variable, Variable]
) -> tuple[list[Equation], dict[Variable, Variable]]:
    """The equations, with gradients named after the variables that the cell's source names; and the replacements."""
    computed = {variable for equation in equations for variable in equation.results}.difference(
        backward.program.variables()
    )
    names: dict[Variable, Variable] = {}
    for variable, gradient in backward.gradients.items():
        now = values.get(gradient, gradient)
        if variable.is_named and now in computed and now not in names:
            names[now] = replace(now, name=backward.name("d", variable))
    renamed = [
        replace(substitute(equation, names), results=tuple(names.get(v, v) for v in equation.results))
        for equation in equations
    ]
    return renamed, {**names, **{old: names.get(now, now) for old, now in values.items()}}


def _rows(program: Program, stored: Collection[Variable], arriving: Sequence[Variable]) -> list[Variable]:
    """The variables that can be given for every row."""
    masks = [equation.results[0] for equation in program.masks]
    varying = program.varying()
    kept = [variable for variable in program.variables() if variable in varying and variable in stored]
    return list(dict.fromkeys([program.input, *program.states, *masks, *kept, *arriving]))


def _scheduled(
    equations: list[Equation],
    *,
    constants: Sequence[Variable],
    rows: Sequence[Variable],
    states: Sequence[Variable],
    next_states: Sequence[Variable],
    row_results: Sequence[Variable],
    constant_results: Sequence[Variable],
) -> Schedule:
    """The schedule of the equations that the results need, with the constants and rows that these read."""
    roots = [*next_states, *row_results, *constant_results]
    equations = separated(needed(equations, roots), roots)
    read = {*roots, *(variable for equation in equations for variable in equation.variables)}
    return schedule(
        equations,
        constants=[variable for variable in constants if variable in read],
        rows=[variable for variable in rows if variable in read],
        states=states,
        next_states=next_states,
        row_results=row_results,
        constant_results=constant_results,
    )
