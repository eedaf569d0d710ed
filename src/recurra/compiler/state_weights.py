"""The matrices that multiply states, and weight normalisation of matrices as a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recurra.compiler.memory import recurrent_states
from recurra.compiler.rewrite import Temporaries, substitute
from recurra.errors import EquationError
from recurra.program import Equation, Operand, Program, Variable, check

GAIN = "_gain"  # the end of the names of gains


def state_matrices(program: Program) -> list[str]:
    """The names of the matrices that multiply a state, or a value computed from one, in the order of the program.

    A product's right side is computed from parameters alone, and all matrices among these count, such as the matrix of
    a transpose. Those that multiply earlier inputs alone do not.
    """
    from_state, found = set(recurrent_states(program)), set[str]()
    sources = _sources(program)
    for equation in program.equations:
        if equation.operation == "product" and equation.variables[0] in from_state:
            found.update(name for name, _ in sources[equation.variables[-1]])
        if any(variable in from_state for variable in equation.variables):
            from_state.update(equation.results)
    return [parameter.name for parameter in program.parameters if parameter.name in found and len(parameter.shape) > 1]


def _sources(program: Program) -> dict[Variable, dict[tuple[str, bool], None]]:
    """The parameters that each variable is computed from, and for each whether it is transposed on the way."""
    sources: dict[Variable, dict[tuple[str, bool], None]] = {variable: {} for variable in program.variables()}
    sources.update((parameter, {(parameter.name, False): None}) for parameter in program.parameters)
    for equation in program.equations:
        turns = equation.operation == "transpose"
        found = {(n, turned != turns): None for variable in equation.variables for n, turned in sources[variable]}
        sources.update(dict.fromkeys(equation.results, found))
    return sources


def weight_norm(program: Program, names: Iterable[str]) -> Program:
    """The program with w = g v / ‖v‖ in the place of matrices (Salimans & Kingma 2016, eq. 2).

    A matrix keeps its name and is v; its gain g is a further parameter after it, ``<name>_gain``, with a number for
    each unit of the product's result. The norm is that of the weights of one unit.

    Args:
        program: the traced cell.
        names: the matrices.

    Raises:
        EquationError: a name is that of no matrix which multiplies something, or the name of a gain is taken.
    """
    units = _axes_of_units(program)
    chosen = dict.fromkeys(names)
    for name in chosen:
        if name not in units:
            raise EquationError(
                f"cell {program.name!r}: weight_norm names {name!r}, which is no matrix that multiplies a vector; "
                f"there are: {', '.join(units) or 'none'}"
            )
    new = Temporaries(program)
    equations: list[Equation] = []
    parameters: list[Variable] = []
    weights: dict[Variable, Operand] = {}
    for parameter in program.parameters:
        parameters.append(parameter)
        if parameter.name not in chosen:
            continue
        axis = 1 - units[parameter.name]
        gain = Variable(parameter.name + GAIN, (parameter.shape[1 - axis],))
        if any(variable.name == gain.name for variable in program.variables()):
            raise EquationError(f"cell {program.name!r}: weight_norm needs the name {gain.name}, which the cell has")
        parameters.append(gain)
        squares, scales, weight = (new.new(parameter.shape) for _ in range(3))
        sums, norms, ratios = (new.new(gain.shape) for _ in range(3))
        equations += [
            Equation("multiply", (parameter, parameter), (squares,)),
            Equation("sum_along", (squares,), (sums,), {"axis": axis}),
            Equation("sqrt", (sums,), (norms,)),
            Equation("divide", (gain, norms), (ratios,)),
            Equation("broadcast", (ratios,), (scales,), {"axis": axis}),
            Equation("multiply", (parameter, scales), (weight,)),
        ]
        weights[parameter] = weight
    rest = [substitute(equation, weights) for equation in program.equations]
    normalised = replace(program, parameters=tuple(parameters), equations=(*equations, *rest))
    check(normalised)
    return normalised


def _axes_of_units(program: Program) -> dict[str, int]:
    """For each matrix that multiplies a vector, the axis of the units of the result: 1, or 0 of a transposed one."""
    sources = _sources(program)
    matrices = {parameter.name for parameter in program.parameters if len(parameter.shape) == 2}
    axes: dict[str, int] = {}
    for equation in program.equations:
        if equation.operation == "product":
            for name, is_transposed in sources[equation.variables[-1]]:
                if name in matrices:
                    axes.setdefault(name, 0 if is_transposed else 1)
    return {parameter.name: axes[parameter.name] for parameter in program.parameters if parameter.name in axes}


def norm_axes(program: Program, names: Iterable[str]) -> dict[str, int]:
    """For each of these matrices of a program of ``weight_norm``, the axis along which the norm is taken."""
    units = _axes_of_units(program)
    return {name: 1 - units[name] for name in names}
