"""The options that regularise a recurrent layer: zoneout, recurrent dropout and DropConnect, for any cell."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from recurra.compiler.regularise import Probabilities, recurrent_dropout, zoneout
from recurra.errors import EquationError
from recurra.nn.weights import weight_of
from recurra.program import Program, Variable


def check_probability(name: str, value: object) -> float:
    """An argument that is a probability.

    Raises:
        ValueError: it is no number from 0 to 1.
    """
    number = math.nan if isinstance(value, bool) or not isinstance(value, (float, numbers.Real)) else float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1; got {value!r}")
    return number


def check_probabilities(name: str, value: object) -> Probabilities:
    """An argument that is a probability, or a dictionary of them by name.

    Raises:
        ValueError: one is no number from 0 to 1.
    """
    if isinstance(value, Mapping):
        return {str(key): check_probability(f"{name}[{key!r}]", each) for key, each in value.items()}
    return check_probability(name, value)


def regularised(program: Program, *, zoned: Probabilities, dropped: Probabilities) -> Program:
    """A program with zoneout and recurrent dropout; the program itself where both are off.

    Raises:
        EquationError: a name is not one of the program's, or an option has no effect on it.
    """
    if _is_on(dropped):
        program = recurrent_dropout(program, dropped)
    return zoneout(program, zoned) if _is_on(zoned) else program


def _is_on(probabilities: Probabilities) -> bool:
    return any(probabilities.values()) if isinstance(probabilities, Mapping) else probabilities > 0


def state_matrices(program: Program) -> list[str]:
    """The names of the parameters that multiply a state, or a value computed from one, in the order of the program.

    A product's right side is computed from parameters alone, and all of these count, such as the matrix of a transpose.
    """
    of_parameters: dict[Variable, set[str]] = {parameter: {parameter.name} for parameter in program.parameters}
    from_state, found = set(program.states), set[str]()
    for equation in program.equations:
        if equation.operation == "product" and equation.variables[0] in from_state:
            found |= of_parameters.get(equation.variables[-1], set())
        if any(variable in from_state for variable in equation.variables):
            from_state.update(equation.results)
        sources = set[str]().union(*(of_parameters.get(variable, set()) for variable in equation.variables))
        of_parameters.update(dict.fromkeys(equation.results, sources))
    return [parameter.name for parameter in program.parameters if parameter.name in found]


def check_weight_drop(value: object, program: Program) -> float:
    """The argument ``weight_drop`` of a layer.

    Raises:
        ValueError: it is no number from 0 to 1; EquationError, a ValueError, where there is nothing to drop.
    """
    probability = check_probability("weight_drop", value)
    if probability and not state_matrices(program):
        raise EquationError(f"cell {program.name!r} has no matrix that multiplies a state: there is nothing to drop")
    return probability


def drop_weights(module: nn.Module, names: Sequence[str], probability: float) -> dict[str, Any]:
    """Put weights after DropConnect in the place of a module's own, and return all that were there.

    The module reads its weights by name, so that it meets the dropped ones. Who calls it puts back what it returns, as
    the module's ``_parameters``.
    """
    dropped: dict[str, Tensor] = {
        name: functional.dropout(weight_of(module, name), probability, True) for name in names
    }
    parameters = module._parameters
    module.__dict__["_parameters"] = {**parameters, **dropped}
    return parameters
