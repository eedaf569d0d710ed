"""``WeightDrop``: a recurrent layer whose weights between states are dropped in training."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from recurra.equations import Cell
from recurra.errors import EquationError
from recurra.nn.recurrent import Input, Recurrent
from recurra.nn.weights import weight_of
from recurra.program import Program, Variable


class WeightDrop(Recurrent):
    """A ``Recurrent`` with DropConnect on its weights between states (Wan et al. 2013; Merity et al. 2018, section 2).

    Each call in training draws a mask for every matrix that multiplies a state, or a value computed from a state, from
    torch's generator; weights that stay are divided by 1 − p. One mask holds for all steps and sequences of the call,
    so that the kernels run as without it. In files it is a Recurrent.

    Args:
        cell: the equations of a step.
        input_size: features of the input.
        hidden_size: features of the first state.
        num_layers: the number of layers. Default 1.
        weight_drop: the probability of dropping a weight. Default 0.5.
        **options: further arguments of ``Recurrent``, and the cell's options.

    Raises:
        ValueError: ``weight_drop`` is not from 0 to 1; EquationError, a ValueError, where no matrix of the cell
            multiplies a state.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        weight_drop: float = 0.5,
        **options: Any,
    ) -> None:
        if not 0 <= weight_drop <= 1:
            raise ValueError(f"weight_drop must be a probability from 0 to 1; got {weight_drop!r}")
        super().__init__(cell, input_size, hidden_size, num_layers, **options)
        self.weight_drop = weight_drop
        names = state_matrices(self.program)
        if not names:
            raise EquationError(f"cell {cell.name!r} has no matrix that multiplies a state: there is nothing to drop")
        self._dropped_names = [name + self._suffix(number) for number in range(len(self._scans)) for name in names]

    def _forward(self, x: Input, state: object, reset: Tensor | None, return_trace: bool) -> tuple[Any, ...]:
        if not self.training or self.weight_drop == 0:
            return super()._forward(x, state, reset, return_trace)
        masked = {
            name: functional.dropout(weight_of(self, name), self.weight_drop, True) for name in self._dropped_names
        }
        parameters = self._parameters
        # The call reads its weights by name, so that it meets the masked ones as if they were the module's own.
        self.__dict__["_parameters"] = {**parameters, **masked}
        try:
            if self._calls.is_frozen:  # a direct call would keep the packed weights of this mask
                return self._checked_call(x, state, reset, return_trace)
            return super()._forward(x, state, reset, return_trace)
        finally:
            self.__dict__["_parameters"] = parameters

    def extra_repr(self) -> str:
        """The sizes, and the arguments that differ from their defaults."""
        return f"{self.cell.name}, {super().extra_repr()}, weight_drop={self.weight_drop}"


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
