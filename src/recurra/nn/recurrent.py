"""``Recurrent``: a cell run over sequences, in any number of layers and directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from recurra.compiler import TracedCell, drop_biases, trace
from recurra.compiler.regularise import Probabilities
from recurra.engines import ENGINES
from recurra.engines.torch_internals import leave_to_python
from recurra.equations import Cell
from recurra.equations.free_sizes import free_sizes, size_argument
from recurra.errors import EquationError
from recurra.nn.checks import (
    InputCheck,
    as_int,
    check_autocast,
    check_dropout,
    check_flags,
    check_proj,
    check_reset,
    check_sizes,
    check_state,
    check_states,
    check_weights,
    state_label,
)
from recurra.nn.further_inputs import FurtherInput, GivenInputs, further_inputs, layer_rows
from recurra.nn.input_form import Input, InputForm
from recurra.nn.regularisation import Regularised
from recurra.nn.running.autocast import autocast, is_autocast
from recurra.nn.running.direct import DirectCalls, direct_layer
from recurra.nn.running.layers import through_layers
from recurra.nn.running.run import engine_of, run, run_whole
from recurra.nn.running.scan import Scan, Sequences
from recurra.nn.trace import Trace
from recurra.nn.weights import FlatWeights, assign, register, reset, weight_of
from recurra.program import Program, Sizes

State = Tensor | tuple[Tensor, ...]


class Recurrent(Regularised):
    """Any cell as a layer, with the shapes, defaults and options of torch.nn.LSTM.

    Parameters are named ``<name>_l{k}`` and ``<name>_l{k}_reverse`` for layer k, in the order of the cell's
    signature, and start uniformly in ±1/√hidden_size unless the cell says otherwise (``init``).

    Args:
        cell: the equations of a step.
        input_size: features of the input.
        hidden_size: features of the first state; the size that the cell's equations call `hidden`.
        num_layers: the number of layers, each over the output of the one before. Default 1.
        bias: False drops every parameter that is only ever added. Default True.
        batch_first: input and output are (batch, seq_len, features); states are not changed. Default False.
        dropout: probability of zeroing an element of the output of each layer but the last, in training. Default 0.
        bidirectional: a second run from the last step to the first; outputs are concatenated. Default False.
        proj_size: if above 0, the first state is multiplied by ``weight_hr`` to this size (Sak et al. 2014). Default 0.
        sizes: sizes that the cell's equations leave open, by the name of a variable, as ``@recurra.cell`` takes them;
            the cell's own for the others. Default none.
        zoneout: in training, the probability that a unit of a state keeps its old value in a step; outside of training
            the expectation, p old + (1 - p) new (Krueger et al. 2017). For all states, or by name:
            ``{"h": 0.05, "c": 0.5}``. Default 0.
        recurrent_dropout: in training, the probability of dropping a unit of the vectors computed from states where a
            matrix multiplies them (Gal & Ghahramani 2016); by name, of a state there, or of another value of the cell:
            ``{"g": 0.25}`` is the candidate of an LSTM (Semeniuta et al. 2016). One mask for each sequence of a call;
            units that stay are divided by 1 - p. Default 0.
        weight_drop: in training, the probability of dropping a weight of every matrix that multiplies a state, or a
            value computed from one: DropConnect (Wan et al. 2013; Merity et al. 2018, section 2). One mask for each
            call; weights that stay are divided by 1 - p. Files hold the layer without it. Default 0.
        weight_norm: True takes w = g v / ‖v‖ for every matrix that multiplies a state, a list of names for these
            matrices (Salimans & Kingma 2016, eq. 2). The parameter is v, and ``<name>_gain`` is g, a number for each
            unit, which starts as ‖v‖. Default False.
        checkpoint: in training, keep only the states of every so many steps, and compute the steps between again for
            the gradients; True for every √T steps, or 32 in graphs of torch.compile. Default None: keep what makes the
            backward pass fast, within bounds.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        **options: values for the cell's options.

    Raises:
        TypeError: an argument of the wrong type, or an option that the cell does not have.
        ValueError: a size or probability out of range; EquationError, a ValueError, where the cell's equations
            contradict themselves or do not fit the sizes.
    """

    _further: tuple[FurtherInput, ...] = ()  # the inputs beside the first one

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        proj_size: int = 0,
        sizes: Mapping[str, Any] | None = None,
        zoneout: Probabilities = 0.0,
        recurrent_dropout: Probabilities = 0.0,
        weight_drop: float = 0.0,
        weight_norm: bool | Sequence[str] = False,
        checkpoint: bool | int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be made by @recurra.cell; got {type(cell).__name__}")
        if not cell.states:
            raise EquationError(f"cell {cell.name!r} has no state: there is nothing to run over sequences")
        super().__init__()
        is_dropin = type(self).__init__ is not Recurrent.__init__
        num_layers = as_int("num_layers", num_layers)
        self.dropout = check_dropout(dropout, num_layers, stacklevel=3 if is_dropin else 2)
        check_flags(bias=bias, batch_first=batch_first)
        check_sizes(input_size, hidden_size, num_layers)
        proj_size = check_proj(proj_size, hidden_size)
        self.cell = cell
        self.options = dict(options)
        self.sizes = {name: size_argument(shape) for name, shape in free_sizes(cell.name, sizes).items()}
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._set_regularisers(zoneout, recurrent_dropout, weight_drop, weight_norm)
        self.checkpoint = checkpoint
        self._scans = self._make_scans()
        self._calls = DirectCalls()
        self._all_weights = [
            register(self, scan.shapes, self._suffix(number), cell.untrained, device=device, dtype=dtype)
            for number, scan in enumerate(self._scans)
        ]
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self._further = further_inputs(self._scans)
        self.reset_parameters()

    def _make_scans(self) -> list[Scan]:
        """One scan for each layer and direction, layer by layer."""
        at = Sizes(self.input_size, self.hidden_size, self.proj_size)
        program = trace(self.cell, self.options, sizes=self.sizes, projected=self.proj_size > 0, at=at)
        if not self.bias and not isinstance(self.cell, TracedCell):
            program = drop_biases(program)
        program = self._regularised(program)
        scans: list[Scan] = []
        width = self.input_size
        for _ in range(self.num_layers):
            layer = [
                Scan.of(program, width, self.hidden_size, self.proj_size, reverse=reverse)
                for reverse in (False, True)[: self._directions]
            ]
            scans += layer
            width = self._directions * layer[0].output_size
        different = [
            name
            for position, name in enumerate(state.name for state in program.states)
            if len({scan.state_sizes[position] for scan in scans}) > 1
        ]
        if different:
            raise EquationError(
                f"cell {self.cell.name!r}: the size of state {', '.join(different)} follows the input's, which differs "
                f"between layers here ({self.input_size}, then {width}): use one layer, or equal sizes"
            )
        return scans

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _place(self, number: int) -> tuple[int, int]:
        """The layer and direction of a scan."""
        return divmod(number, self._directions)

    def _suffix(self, number: int) -> str:
        layer, direction = self._place(number)
        return f"_l{layer}" + ("_reverse" if direction else "")

    @property
    def output_size(self) -> int:
        """Features of the output, of all directions together."""
        return self._directions * self._scans[-1].output_size

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Features of each state."""
        return self._scans[0].state_sizes

    @property
    def program(self) -> Program:
        """The traced cell as this module runs it: with its options chosen, and without biases if ``bias`` is False."""
        return self._scans[0].program

    def reset_parameters(self) -> None:
        """Draw all parameters anew, in their order: U(-1/√hidden_size, 1/√hidden_size), or as the cell says."""
        suffixes = [self._suffix(number) for number in range(len(self._scans))]
        reset(self, self.hidden_size, self.cell, self.cell.resolve_options(self.options), suffixes)
        self._reset_gains()

    def forward(
        self,
        x: Input,
        state: State | None = None,
        *,
        reset: Tensor | None = None,
        return_trace: bool = False,
        **inputs: Input,
    ) -> tuple[Any, ...]:
        """Run the cell over sequences.

        Args:
            x: (seq_len, batch, input_size); (batch, seq_len, input_size) with ``batch_first``; unbatched
                (seq_len, input_size); or packed.
            state: the first value of each state, (num_layers * directions, batch, size), also with ``batch_first``;
                (num_layers * directions, size) unbatched; a tensor for one state, a tuple for several. Default zeros.
            reset: bool (seq_len, batch), or (seq_len,) unbatched: the states are zero before these steps, in every
                layer and direction; always in the caller's batch order.
            return_trace: return a ``Trace`` of every named variable as a third value.
            **inputs: the cell's other inputs by name, ``layer(x, dt=dt)``: laid out as x, each with its own features,
                or without a dimension for them where it is one number. Beside a packed x they are packed with the same
                lengths, or padded. Bools and whole numbers become x's dtype. Each layer of a stack gets them, beside
                the output of the layer below.

        Returns:
            output, (seq_len, batch, directions * size) or laid out as x is, and the last states, shaped as ``state``;
            with ``return_trace`` the trace too.

        Raises:
            TypeError, ValueError, RuntimeError: as torch.nn's layers do; messages name the dimensions.
        """
        return self._forward(x, state, reset, return_trace, inputs)

    def _forward(
        self, x: Input, state: object, reset: Tensor | None, return_trace: bool, inputs: GivenInputs
    ) -> tuple[Any, ...]:
        own = self._drop_weights() if self.weight_drop and self.training else None
        try:
            is_plain = reset is None and not return_trace and not inputs and not self._further
            is_direct = is_plain and not torch.compiler.is_compiling()
            if is_direct and (own is None or not self._calls.is_frozen):  # a frozen module packs its weights once
                result: tuple[Any, ...] | None = direct_layer(self, x, state)
                if result is not None:
                    return result
            return self._checked_call(x, state, reset, return_trace, inputs)
        finally:
            if own is not None:
                self.__dict__["_parameters"] = own

    leave_to_python(_forward.__code__)

    def _checked_call(
        self, x: Input, state: object, reset: Tensor | None, return_trace: bool, inputs: GivenInputs
    ) -> tuple[Any, ...]:
        """Run a call with all checks; ``direct_layer`` runs plain calls."""
        weights = self._weights()
        flat = [weight for group in weights for weight in group]
        shapes = [shape for scan in self._scans for shape in scan.shapes]
        check_weights(type(self).__name__, self._flat_weights_names, flat, shapes)
        sequences, form = self._sequences(x, reset, flat[0] if flat else None)
        states = self._states(state, sequences.x, form)
        if inputs or self._further:
            further = layer_rows(type(self).__name__, self._further, inputs, sequences.x, form, self.batch_first)
            sequences = replace(sequences, further=tuple(further))
        if is_autocast(sequences.x):
            data, *states = autocast([sequences.x, *states])
            sequences = replace(sequences, x=data, further=tuple(autocast(sequences.further)))
            weights = [autocast(group) for group in weights]
            others = [*states, *sequences.further, *(weight for group in weights for weight in group)]
            check_autocast(type(self).__name__, [data, *others])
        output, last, traced = self._run(sequences, states, weights, form.batch, return_trace)
        result: tuple[Any, ...] = (
            form.steps_out(output, self.batch_first),
            tuple(form.rows_out(value) for value in last) if len(last) > 1 else form.rows_out(last[0]),
        )
        if not return_trace:
            return result
        trace = Trace({key: form.steps_out(value, self.batch_first) for key, value in traced.items()})
        return (*result, trace)

    def _run(
        self,
        sequences: Sequences,
        states: Sequence[Tensor],
        weights: Sequence[Sequence[Tensor]],
        batch: int,
        traced: bool,
    ) -> tuple[Tensor, list[Tensor], dict[tuple[str, int, int], Tensor]]:
        """Run all layers: the output, each state's last values, and the traced variables."""
        scans = [scan.in_mode(self.training) for scan in self._scans]
        tensors = [*states, *(weight for group in weights for weight in group)]
        engine = engine_of(self, scans[0], sequences, tensors, traced)
        if not traced:
            whole = run_whole(self, engine, scans, sequences, states, weights)
            if whole is not None:
                return (*whole, {})
        last: list[list[Tensor]] = [[] for _ in states]
        traces: dict[tuple[str, int, int], Tensor] = {}

        def run_scan(number: int, x: Tensor) -> Tensor:
            scan, inputs = scans[number], sequences.over(x)
            first = [state[number] for state in states]
            masks = scan.draw(inputs, batch, self.training, traced)
            values = run(engine, scan, inputs, first, weights[number], masks, traced, self.checkpoint, self.training)
            for kept, value in zip(last, values[1:], strict=False):
                kept.append(value)
            if traced:
                names = [(name, *self._place(number)) for name, _ in scan.traced]
                traces.update(zip(names, values[1 + len(states) :], strict=True))
            return values[0]

        output = through_layers(len(self._scans), self._directions, sequences.x, run_scan, self._dropped)
        return output, [torch.stack(kept) for kept in last], traces

    def _dropped(self, output: Tensor) -> Tensor:
        """The input of the next layer: an output after dropout."""
        return functional.dropout(output, self.dropout, True) if self.dropout > 0 and self.training else output

    def _sequences(self, x: Input, reset: Tensor | None, weight: Tensor | None) -> tuple[Sequences, InputForm]:
        """The input as the scans take it, checked, and its layout."""
        check = InputCheck(type(self).__name__, self.input_size, self.batch_first)
        if isinstance(x, PackedSequence):
            batch = check.packed(x, weight)
            form = InputForm(x, True, batch)
            if reset is not None:
                check_reset(check.kind, reset, x.batch_sizes.shape[0], batch, x.data)
                rows = form.rows_in(reset)
                reset = torch.cat([rows[t, :size] for t, size in enumerate(x.batch_sizes.tolist())])
            return Sequences(x.data, x.batch_sizes, reset), form
        check.layer(x, weight)
        is_batched = x.dim() == 3
        if not is_batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if reset is not None:
            check_reset(check.kind, reset, x.shape[0], x.shape[1] if is_batched else None, x)
            reset = reset if is_batched else reset.unsqueeze(1)
        return Sequences(x, None, reset), InputForm(None, is_batched, x.shape[1])

    def _states(self, given: object, x: Tensor, form: InputForm) -> list[Tensor]:
        """The first states, (layers * directions, batch, size) in the order of rows: those given, checked, or zeros."""
        kind, names = type(self).__name__, [f"{state.name}_0" for state in self.program.states]
        sizes = self.state_sizes
        count = ("num_layers" + (" * 2" if self.bidirectional else ""), len(self._scans))
        if given is None:
            return [x.new_zeros((count[1], form.batch, size)) for size in sizes]
        states = []
        for position, state in enumerate(check_states(kind, names, given)):
            label = state_label(sizes[position], self.hidden_size, self.proj_size if position == 0 else 0)
            batch = [("batch", form.batch)] if form.is_batched else []
            check_state(kind, names[position], state, (count, *batch, (label, sizes[position])), x)
            states.append(form.rows_in(state) if form.is_batched else state.unsqueeze(1))
        return states

    def _weights(self) -> list[list[Tensor]]:
        """The weights for a call, by layer and direction."""
        return [[weight_of(self, name) for name in names] for names in self._all_weights]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights by layer and direction, as in torch.nn."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Tensor | None]:
        """All weights in order; setting an item sets the module's weight, as code written for torch.nn expects."""
        weights = FlatWeights(self, self._flat_weights_names)
        return list(weights) if torch.compiler.is_compiling() else weights  # compilers support plain lists alone

    @_flat_weights.setter
    def _flat_weights(self, weights: Sequence[Tensor | None]) -> None:
        for name, weight in zip(self._flat_weights_names, weights, strict=True):
            assign(self, name, weight)

    def flatten_parameters(self) -> None:
        """Lay the weights one after the other in memory on a GPU, as torch's fused layers want; else do nothing.

        ``to``, ``cuda`` and similar methods call it.
        """
        weights = [self._parameters.get(name) for name in self._flat_weights_names]
        if any(weight is None or weight.device.type in ("cpu", "meta") for weight in weights):
            return
        specs = [scan.spec() for scan in self._scans]
        for engine in ENGINES.values():
            engine.flatten(specs, self._directions, weights)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Recurrent:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.flatten_parameters()
        return self

    # Code for torch.nn calls these to renew the list of weights; recurra's list is made whenever it is read.
    _init_flat_weights = _update_flat_weights = flatten_parameters

    def extra_repr(self) -> str:
        """The sizes, and the arguments that differ from their defaults."""
        parts = [] if type(self) is not Recurrent else [self.cell.name]
        parts += [str(self.input_size), str(self.hidden_size)]
        defaults = {
            "proj_size": 0,
            "checkpoint": None,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "zoneout": 0.0,
            "recurrent_dropout": 0.0,
            "weight_drop": 0.0,
            "weight_norm": False,
        }
        for name, default in {**defaults, "bidirectional": False}.items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        parts += self._shown_options()
        return ", ".join(parts)
