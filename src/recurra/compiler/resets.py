"""Programs whose states can be put back to first values before a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recurra.compiler.rewrite import Temporaries, substitute
from recurra.program import Equation, Operand, Program, Size, StepInput, Variable


def resetting(
    program: Program, new: Temporaries, before: Sequence[Equation], mark: Variable, firsts: Sequence[Operand]
) -> Program:
    """Make the program whose states are first values where a mark is above 0, and those that arrive elsewhere.

    Args:
        program: the program without.
        new: makes its further variables.
        before: the equations that give the mark, which come first.
        mark: the mark, a number.
        firsts: the first value of each state.
    """
    is_marked = replace(new.new(()), kind="bool")
    entering: dict[Variable, Operand] = {state: new.new(state.shape) for state in program.states}
    equations = [*before, Equation("greater", (mark, 0.0), (is_marked,))]
    for (state, value), first in zip(entering.items(), firsts, strict=True):
        assert isinstance(value, Variable)
        equations.append(Equation("where", (is_marked, first, state), (value,)))
    equations += [substitute(equation, entering) for equation in program.equations]

    def entered(variable: Variable) -> Variable:
        value = entering.get(variable, variable)
        assert isinstance(value, Variable)
        return value

    return replace(
        program,
        equations=tuple(equations),
        next_states=tuple(map(entered, program.next_states)),
        output=entered(program.output),
    )


def with_marks_in_input(program: Program) -> Program:
    """Make the program whose states are zero where the last feature of its input, which it has more, is above 0."""
    new = Temporaries(program)
    one = Size.constant(1)
    whole, column, mark = new.new((program.input.shape[-1] + one,)), new.new((one,)), new.new(())
    before = (Equation("partition", (whole,), (program.input, column)), Equation("sum", (column,), (mark,)))
    changed = resetting(program, new, before, mark, (0.0,) * len(program.states))
    return replace(changed, input=whole, inputs=with_input(program, "reset"))


def with_input(program: Program, wanted: str) -> tuple[StepInput, ...]:
    """The inputs of a program and a further one of a single feature, which has this name or one like it."""
    inputs = program.inputs or (StepInput(program.input.name, program.input.shape[-1]),)
    name = wanted
    while name in {each.name for each in inputs}:
        name += "_"
    return (*inputs, StepInput(name, Size.constant(1), 0.0))
