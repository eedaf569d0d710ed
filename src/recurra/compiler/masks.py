"""Programs that skip steps: a mask says at which steps states and output stay as they are."""

from __future__ import annotations

from dataclasses import replace

from recurra.compiler.resets import with_input
from recurra.compiler.rewrite import Temporaries
from recurra.program import Equation, Program, Size, Variable


def with_mask_in_input(program: Program) -> Program:
    """Make the program that stays as it is where the last feature of its input, which it has more, is not above 0.

    There the states stay, and the output is again that of the last step that was not skipped, which a further state,
    the last one, holds; it starts as the caller says, in general at zero.
    """
    new, one = Temporaries(program), Size.constant(1)
    whole, column, mark = new.new((program.input.shape[-1] + one,)), new.new((one,)), new.new(())
    is_seen = replace(new.new(()), kind="bool")
    held = new.new(program.output.shape)
    equations = [
        Equation("partition", (whole,), (program.input, column)),
        Equation("sum", (column,), (mark,)),
        Equation("greater", (mark, 0.0), (is_seen,)),
        *program.equations,
    ]
    before, after = (*program.states, held), (*program.next_states, program.output)
    kept: list[Variable] = []
    for state, value in zip(before, after, strict=True):
        kept.append(new.new(state.shape))
        equations.append(Equation("where", (is_seen, value, state), (kept[-1],)))
    return replace(
        program,
        input=whole,
        inputs=with_input(program, "mask"),
        states=before,
        equations=tuple(equations),
        next_states=tuple(kept),
        output=kept[-1],
    )
