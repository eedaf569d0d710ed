"""differentiate: reverse mode on a program. What comes out is a schedule, as any engine runs one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from recurra.compiler.derivatives import contributions
from recurra.compiler.regroup import regrouped
from recurra.compiler.rewrite import Temporaries, needed, substitute
from recurra.compiler.schedule import Schedule, schedule
from recurra.compiler.tape import Tape
from recurra.program import Equation, Operand, Program, Variable, depending


class Gradient(NamedTuple):
    """The backward pass of a program, and what of it is what.

    The schedule runs over the steps in the opposite order of time. Its states are gradients: what enters a step is the
    gradient of the program's *new* state there, as the later steps want it (at a sequence's last step: the incoming
    gradient of its last state); what the step hands on is the gradient of the state that entered the program's step.
    Where a sequence is reset, the states that the schedule reads are zero, and what it hands on counts for nothing:
    both are the engine's to see to. The last values handed on are the gradients of the first states.

    As in any schedule, a result or what a step hands on may be something given, such as a row or another state.

    Attributes:
        schedule: reads, as rows, of the program's input, entering states, masks' results, stored variables and the
            arriving gradients only those that it needs.
        arriving: for each given variable the row variable of its incoming gradient; in ``schedule.rows`` if needed.
        carried: for each state of the schedule the state of the program that it is the gradient of.
        input: the row result that is the input's gradient; None where it is not wanted.
        parameters: for each wanted parameter the constant result that is its gradient; two may have the same.
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
        given: the variables whose gradient arrives for every row: the output, what is traced. That of the last states
            always arrives.
        wanted: which gradients are computed: of the input, of states, of parameters.
        stored: variables that the forward pass has kept of every row; all others are computed again from the input,
            the entering states and the masks' results, as far as they are needed.

    Raises:
        ValueError: something wanted is no source of the program, or a given variable is none of its real variables.
    """
    _check(program, given, wanted)
    backward = _Backward(program, stored)
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


class _Backward:
    """The program's equations, and after them those of the gradients.

    Attributes:
        tape: what they are written on.
        gradients: for each variable that has been passed its gradient.
    """

    def __init__(self, program: Program, stored: Collection[Variable]) -> None:
        self.program = program
        self.tape = Tape(program.varying(), Temporaries(program))
        self.gradients: dict[Variable, Variable] = {}
        self._parts: dict[Variable, list[Variable]] = {}
        self._taken = {variable.name for variable in program.variables()}
        self._replay(self.tape.varying.intersection(stored))

    def _replay(self, stored: set[Variable]) -> None:
        """The forward pass; what is stored is a row, and where an equation computes it beside others, not its."""
        for equation in self.program.equations:
            if equation.operation == "mask" or stored.issuperset(equation.results):
                self.tape.know(equation)
                continue
            results = tuple(self.tape.fresh(v) if v in stored else v for v in equation.results)
            self.tape.know(equation)
            self.tape.record(replace(equation, results=results))

    def named(self, prefix: str, variable: Variable) -> Variable:
        """A further variable that varies, with a name that says what it is."""
        made = replace(variable, name=self.name(prefix, variable))
        self.tape.varying.add(made)
        return made

    def name(self, prefix: str, variable: Variable) -> str:
        """A name that no variable has yet."""
        name = f"%{prefix}:{variable.name}"
        while name in self._taken:
            name += "+"
        self._taken.add(name)
        return name

    def run(self, seeds: Iterable[tuple[Variable, Variable]], sources: Collection[Variable]) -> None:
        """Write down the gradients of all sources, given some of other variables."""
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
        """A variable's gradient, now that all that depends on it has been passed; None where nothing does."""
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
        # A zero of every row must vary, as a constant has no rows; and must be 0 where the source is no number.
        return self.tape.where(self.tape.elementwise("less", source, source), 0.0, 0.0)


def _carried(
    equations: Sequence[Equation],
    later: Mapping[Variable, Variable],
    results: Mapping[Variable, Variable],
    wanted: Sequence[Variable],
) -> list[Variable]:
    """The states whose gradients must be carried: those wanted, and those that what is wanted is computed from."""
    carried: set[Variable] = set()
    while True:
        roots = [results[source] for source in {*wanted, *carried}]
        read = {*roots, *(v for equation in needed(equations, roots) for v in equation.variables)}
        found = {state for state, gradient in later.items() if gradient in read or state in wanted}
        if found == carried:
            return [state for state in later if state in carried]
        carried = found


def _renamed(
    backward: _Backward, equations: list[Equation], values: dict[Variable, Variable]
) -> tuple[list[Equation], dict[Variable, Variable]]:
    """The gradients of what the cell's source names, and of its arguments, under names that say so."""
    made = {variable for equation in equations for variable in equation.results}.difference(
        backward.program.variables()
    )
    names: dict[Variable, Variable] = {}
    for variable, gradient in backward.gradients.items():
        now = values.get(gradient, gradient)
        if variable.is_named and now in made and now not in names:
            names[now] = replace(now, name=backward.name("d", variable))
    renamed = [
        replace(substitute(equation, names), results=tuple(names.get(v, v) for v in equation.results))
        for equation in equations
    ]
    return renamed, {**names, **{old: names.get(now, now) for old, now in values.items()}}


def _rows(program: Program, stored: Collection[Variable], arriving: Sequence[Variable]) -> list[Variable]:
    """What can be given for every row."""
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
    """The schedule of what the results need: equations, and of constants and rows those that are read."""
    roots = [*next_states, *row_results, *constant_results]
    equations = needed(equations, roots)
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
