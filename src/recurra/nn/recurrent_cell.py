"""``RecurrentCell``: one step of any cell, with weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurra.compiler import TracedCell, drop_biases, trace
from recurra.equations import Cell
from recurra.equations.free_sizes import free_sizes, size_argument
from recurra.errors import EquationError
from recurra.mistakes import address
from recurra.model.interface import FurtherInput
from recurra.nn.checks import (
    InputCheck,
    as_int,
    check_autocast,
    check_state,
    check_states,
    check_weights,
    dimensions_of,
    other_device,
    other_dtype,
    state_label,
)
from recurra.nn.fixed import FixedConfiguration
from recurra.nn.further_inputs import GivenInputs, cell_rows, further_inputs
from recurra.nn.running.autocast import autocast, is_autocast
from recurra.nn.running.direct import DirectCalls, direct_cell
from recurra.nn.running.recorded import run_checked
from recurra.nn.running.run import engine_of, run
from recurra.nn.running.scan import Scan, Sequences
from recurra.nn.weights import register, reset, weight_of
from recurra.program import Products, Program, Sizes


class RecurrentCell(FixedConfiguration):
    """One step of any cell, with the shapes and defaults of torch.nn.LSTMCell.

    Parameters have the names of the cell's signature; those that ``bias=False`` drops are None.

    Args:
        cell: the equations of a step.
        input_size: features of the input.
        hidden_size: features of the first state.
        bias: False drops every parameter that is only ever added. Default True.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        compute: the operands of matrix products, as for ``Recurrent``. Default None.
        sizes: sizes that the cell's equations leave open, by the name of a variable, as ``@recurra.cell`` takes them;
            the cell's own for the others. Default none.
        **options: values for the cell's options.

    Raises:
        TypeError: an option that the cell does not have, or a size that is no whole number.
        RuntimeError: a negative size, as in torch.nn; sizes of 0 are accepted, as there.
        EquationError: the cell's equations contradict themselves or do not fit the sizes.
    """

    _further: tuple[FurtherInput, ...] = ()  # the inputs beside the first one

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        compute: Products | None = None,
        sizes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be made by @recurra.cell; got {type(cell).__name__}")
        if not cell.states:
            raise EquationError(f"cell {cell.name!r} has no state: it is no recurrent cell")
        input_size, hidden_size = as_int("input_size", input_size), as_int("hidden_size", hidden_size)
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 0:
                raise RuntimeError(f"{name} must not be negative; got {size}")
        super().__init__()
        self.cell = cell
        self.options = dict(options)
        self.sizes = {name: size_argument(shape) for name, shape in free_sizes(cell.name, sizes).items()}
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.compute = compute
        program = trace(cell, options, sizes=self.sizes, at=Sizes(self.input_size, self.hidden_size))
        if not bias and not isinstance(cell, TracedCell):
            kept = drop_biases(program)
            dropped = [p.name for p in program.parameters if p not in kept.parameters]
            program = kept
        else:
            dropped = []
        self._scan = Scan.of(program, input_size, hidden_size, compute=compute)
        self._further = further_inputs([self._scan])
        self._calls = DirectCalls()
        self._names = register(self, self._scan.shapes, "", cell.untrained, device=device, dtype=dtype)
        for name in dropped:
            self.register_parameter(name, None)
        self.reset_parameters()

    def _compute_in(self, compute: Products | None) -> None:
        self._scan = self._scan.computing(compute)

    @property
    def program(self) -> Program:
        """The traced cell as this module runs it: with its options chosen, and without biases if ``bias`` is False."""
        return self._scan.program

    def reset_parameters(self) -> None:
        """Draw all parameters anew, in their order: U(-1/√hidden_size, 1/√hidden_size), or as the cell says."""
        reset(self, self.hidden_size, self.cell, self.cell.resolve_options(self.options))

    def forward(self, x: Tensor, state: Any = None, **inputs: Tensor) -> Any:
        """Run one step.

        Args:
            x: (batch, input_size), or unbatched (input_size).
            state: the value of each state, (batch, size) or unbatched (size): a tensor for one state, a tuple or list
                for several. Default zeros.
            **inputs: the cell's other inputs by name, ``cell(x, dt=dt)``: each (batch, size) or unbatched (size,),
                without the last dimension where it is one number.

        Returns:
            The new states, shaped as ``state``; before them the output, where the cell's output is no state.

        Raises:
            TypeError, ValueError, RuntimeError: as torch.nn's cells do; messages name the dimensions.
        """
        if not inputs and not self._further and not torch.compiler.is_compiling():
            result = direct_cell(self, x, state)
            if result is not None:
                return result
        return run_checked(self._checked_call, x, state, inputs)

    def _checked_call(self, x: Tensor, state: Any, inputs: GivenInputs) -> Any:
        """Run a call with all checks; ``direct_cell`` runs plain calls."""
        kind = type(self).__name__
        InputCheck(kind, self.input_size, False).cell(x)
        is_batched = x.dim() == 2
        weights = [weight_of(self, name) for name in self._names]
        check_weights(kind, self._names, weights, self._scan.shapes)
        self._check_numbers(x, weights)
        states = self._states(x, state)
        if inputs or self._further:
            x = torch.cat([x, *cell_rows(kind, self._further, inputs, x)], -1)
        if not is_batched:
            x, states = x.unsqueeze(0), [value.unsqueeze(0) for value in states]
        if is_autocast(x):
            x, *states = autocast([x, *states])
            weights = autocast(weights)
            check_autocast(kind, [x, *states, *weights])
        sequences, scan = Sequences(x.unsqueeze(0), None, None), self._scan.in_mode(self.training)
        masks = scan.draw(sequences, x.shape[0], self.training)
        engine = engine_of(self, scan, sequences, [*states, *weights], False)
        output, *new = run(engine, scan, sequences, states, weights, masks, training=self.training)
        new = [value if is_batched else value.squeeze(0) for value in new]
        result = tuple(new) if len(new) > 1 else new[0]
        if self.cell.output is None:
            return result
        return output[0] if is_batched else output[0, 0], result

    def _check_numbers(self, x: Tensor, weights: list[Tensor]) -> None:
        if not weights:
            return
        kind, weight = type(self).__name__, weights[0]
        if x.dtype != weight.dtype and not is_autocast(x):
            raise RuntimeError(f"{kind} input {other_dtype(x, weight)}")
        if x.device != weight.device:
            raise RuntimeError(f"{kind} input {other_device(x, weight)}")

    def _states(self, x: Tensor, given: Any) -> list[Tensor]:
        """The states that enter the step: the given ones, checked, or zeros; unbatched where x is."""
        kind, names, sizes = type(self).__name__, [state.name for state in self.program.states], self._scan.state_sizes
        if given is None:
            return [x.new_zeros((*x.shape[:-1], size)) for size in sizes]
        states = check_states(kind, names, given)
        batch = (("batch", x.shape[0]),) if x.dim() == 2 else ()
        for name, state, size in zip(names, states, sizes, strict=True):
            label = state_label(size, self.hidden_size, 0)
            if isinstance(state, Tensor) and state.dim() not in (1, 2):
                raise ValueError(
                    f"{kind} {name} must be (batch, {label}={size}), or unbatched ({size},); got "
                    f"{tuple(state.shape)}: {dimensions_of(state)} {address('h0-shape')}"
                )
            check_state(kind, name, state, (*batch, (label, size)), x)
        return states

    def extra_repr(self) -> str:
        """The sizes, and the arguments that differ from their defaults."""
        parts = [] if type(self) is not RecurrentCell else [self.cell.name]
        parts += [str(self.input_size), str(self.hidden_size)]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if self.compute is not None:
            parts.append(f"compute={self.compute!r}")
        parts += self._shown_options()
        return ", ".join(parts)
