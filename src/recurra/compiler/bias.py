"""drop_biases: ``bias=False`` for any cell."""

from __future__ import annotations

from dataclasses import replace

from recurra.compiler.rewrite import substitute, users
from recurra.compiler.simplify import simplify
from recurra.program import Program, Variable


def biases(program: Program) -> tuple[Variable, ...]:
    """The parameters that are only ever added: vectors and scalars that no other operation reads."""
    readers = users(program)
    roots = set(program.roots)
    return tuple(
        parameter
        for parameter in program.parameters
        if len(parameter.shape) < 2
        and parameter not in roots
        and all(equation.operation == "add" for equation in readers.get(parameter, ()))
    )


def drop_biases(program: Program) -> Program:
    """The program without the parameters that are only ever added."""
    dropped = biases(program)
    zeros: dict[Variable, Variable | float] = dict.fromkeys(dropped, 0.0)
    keep = {variable for variable in program.named().values() if variable not in dropped}
    without = replace(
        program,
        parameters=tuple(parameter for parameter in program.parameters if parameter not in zeros),
        equations=tuple(substitute(equation, zeros) for equation in program.equations),
    )
    return simplify(without, keep)
