"""The layout of a model's arguments and results, for its users and for its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.mistakes import address
from recurra.model import Description
from recurra.model.initial_states import initial_states
from recurra.model.interface import StateInterface
from recurra.packed.packed_program import Array
from recurra.runtime.further_inputs import FurtherArrays, further_arrays
from recurra.runtime.inputs import numbers, tokens
from recurra.runtime.states import Nest, checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Layout:
    """A check and conversion of input and states to the layout of stages, and of output and states back.

    Stages have time first, then the batch: (T, batch, features), and states (layers * directions, batch, size).

    Args:
        description: the model's description.

    Attributes:
        interface: the model's interface.
        nest: the nesting of the states of the model's recurrent parts.
        dtype: the dtype of input, output and states; tokens are int64.
        learns_states: whether a state begins with learned values.
    """

    def __init__(self, description: Description) -> None:
        self.interface = description.interface
        self.nest = Nest.of(description.root)
        self.dtype = self.interface.dtype
        self._initial = initial_states(description)
        self.learns_states = any(value is not None for value in self._initial)

    def rows(self, x: ArrayLike) -> tuple[Array, bool]:
        """The input as (T, batch, …), and whether it had a batch.

        Raises:
            RecurraError: the input has another shape; the message names the dimensions.
            TypeError: the input is not numbers, or tokens are not whole numbers.
            IndexError: a token number is too large for int64.
        """
        interface, size = self.interface, self.interface.input_size
        array: Array = tokens(x) if interface.takes_tokens else numbers(x, self.dtype)
        names = interface.rows if interface.takes_tokens else (*interface.rows, "input_size")
        expected = "(" + ", ".join(f"{n}={size}" if n == "input_size" else n for n in names) + ")"
        if array.ndim not in (len(names), len(names) - 1):
            raise RecurraError(
                f"the model's input must be {expected}, or without batch; got {array.shape} "
                f"{address('input-dimensions')}"
            )
        if not interface.takes_tokens and size not in (None, array.shape[-1]):
            raise RecurraError(
                f"the model's input must be {expected}; got {array.shape}: the last dimension is {array.shape[-1]} "
                f"{address('input-features')}"
            )
        if not interface.takes_tokens and size is None and array.shape[-1] == 0:
            raise RecurraError(f"the model's input must have features in its last dimension; got {array.shape}")
        is_batched = array.ndim == len(names)
        if interface.is_cell:
            return array[None] if is_batched else array[None, None], is_batched
        if not is_batched:
            return array[:, None], False
        return (array.swapaxes(0, 1) if interface.batch_first else array), True

    def further(self, given: Mapping[str, Any], steps: int, batch: int | None) -> FurtherArrays:
        """The inputs beside the first one, each (T, batch, size).

        Args:
            given: those that a call gives, laid out as the first one.
            steps: T.
            batch: the number of sequences; None where the first input has no batch.

        Raises:
            TypeError: an input is missing, not known, or not numbers.
            RecurraError: an input has another shape; the message names the dimensions.
        """
        wanted = self.interface.further_inputs
        if not wanted and not given:
            return {}
        lengths = {"seq_len": steps, "batch": batch or 0}
        names = [name for name in self.interface.rows if name != "batch" or batch is not None]
        return further_arrays(wanted, given, {name: lengths[name] for name in names}, self.dtype)

    def step_rows(self, x: Array, batch: int) -> Array:
        """The first input of one step as (batch, input_size).

        Raises:
            ValueError: it has another shape.
        """
        size = self.interface.input_size
        rows = x[None] if x.ndim == 1 and batch == 1 else x
        if rows.shape != (batch, size):
            raise ValueError(f"a step's input must be (batch={batch}, input_size={size}); got {x.shape}")
        return rows

    def further_of_step(self, given: Mapping[str, Any], batch: int | None) -> FurtherArrays:
        """The inputs beside the first one of one step, (1, batch, size); ``given`` has no dimension of time.

        Raises:
            TypeError, RecurraError: as ``further``.
        """
        dimensions = {} if batch is None else {"batch": batch}
        return further_arrays(self.interface.further_inputs, given, dimensions, self.dtype)

    def output(self, output: Array, is_batched: bool) -> Array:
        """The output of the stages, laid out as the input was; without time where it is the last step's alone."""
        if self.interface.is_cell or self.interface.gives_last_step:
            output = output.squeeze(0)
            return output if is_batched else output.squeeze(0)
        if not is_batched:
            return output.squeeze(1)
        return output.swapaxes(0, 1) if self.interface.batch_first else output

    def states(self, given: Any, batch: int, is_batched: bool) -> list[list[Array]]:
        """The states of each recurrent part, new arrays; zeros, or learned first states, where none are given.

        Raises:
            RecurraError: the states have another number or shape; the message names the dimensions.
        """
        flat, initial = iter(list(self.nest.flatten(given))), iter(self._initial)
        return [
            [self._state(state, next(flat), next(initial), batch, is_batched) for state in states]
            for states in self.interface.states.values()
        ]

    def _state(self, state: StateInterface, given: Any, initial: Array | None, batch: int, is_batched: bool) -> Array:
        if given is None and initial is not None:
            return np.repeat(initial, batch, 1)
        shape = [("num_layers * directions", count) for count in state.leading]
        shape += [("batch", batch)] * is_batched + [(f"{state.name} features", state.size)]
        return checked(state.name, given, shape, self.dtype).reshape(state.count or 1, batch, state.size)

    def states_out(self, last: Sequence[Sequence[Array]], is_batched: bool) -> Any:
        """The last states of each recurrent part, nested and laid out as ``states`` takes them."""
        is_cell, arrays = self.interface.is_cell, []
        for states in last:
            for state in states:
                array = state[0] if is_cell else state
                arrays.append(array if is_batched else array.squeeze(0 if is_cell else 1))
        return self.nest.nest(iter(arrays))
