"""``Recurrent``: a cell run over sequences, in any number of layers and directions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.compiler import TracedCell, drop_biases, trace
from recurra.compiler.regularise import Probabilities
from recurra.engines import ENGINES
from recurra.engines.torch_internals import leave_to_python
from recurra.equations import Cell
from recurra.equations.free_sizes import free_sizes, size_argument
from recurra.errors import EquationError
from recurra.model.interface import FurtherInput
from recurra.nn.arranging import arrangement_of, hidden_sizes_of
from recurra.nn.checks import InputCheck, as_int, check_autocast, check_dropout, check_flags, check_reset, check_weights
from recurra.nn.fixed import SHOWN
from recurra.nn.further_inputs import GivenInputs, further_inputs, joined, layer_rows
from recurra.nn.input_form import Input, InputForm
from recurra.nn.layer_states import (
    OfScans,
    flattened,
    given_states,
    last_states,
    learned_for,
    learned_states,
    zero_states,
)
from recurra.nn.regularisation import Regularised
from recurra.nn.running.arranged import direct_call
from recurra.nn.running.autocast import autocast, is_autocast
from recurra.nn.running.direct import DirectCalls
from recurra.nn.running.exported_packing import has_all_rows
from recurra.nn.running.learned_reset import LearnedResets
from recurra.nn.running.recorded import refuse_fixed, run_checked
from recurra.nn.running.run_layers import run_layers
from recurra.nn.running.scan import Scan, Sequences
from recurra.nn.trace import Trace
from recurra.nn.weights import FlatWeights, assign, register, reset, weight_of
from recurra.program import Products, Program, Sizes

State = Tensor | tuple[Tensor, ...]


class Recurrent(Regularised):
    """Any cell as a layer, with the shapes, defaults and options of torch.nn.LSTM.

    Parameters are named ``<name>_l{k}`` and ``<name>_l{k}_reverse`` for layer k, in the order of the cell's
    signature, and start uniformly in ±1/√hidden_size unless the cell says otherwise (``init``). Learned first states
    come after them, as ``<state>_0_l{k}`` and ``<state>_0_l{k}_reverse``, (1, size), and start at zero.

    Args:
        cell: the equations of a step.
        input_size: features of the input.
        hidden_size: features of the first state; the size that the cell's equations call `hidden`. A list or tuple
            gives one for each layer; then each state is a tuple of a tensor for each layer.
        num_layers: the number of layers, each over the output of the one before. Default 1, or the number of sizes in
            ``hidden_size``.
        bias: False drops every parameter that is only ever added. Default True.
        batch_first: input and output are (batch, seq_len, features); states are not changed. Default False.
        dropout: probability of zeroing an element of the output of each layer but the last, in training. Default 0.
        bidirectional: a second run from the last step to the first; ``merge_mode`` joins the outputs. Default False.
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
        learn_initial_state: the states begin with learned parameters instead of zeros where no ``state`` is given, and
            ``reset`` puts them back to these. Default False.
        residual: add each layer's input to its output (after its dropout) in every layer that gives as many features
            as it takes; ``repr`` names the others. Default False.
        tie_directions: both directions of a layer have the same weights, those without ``_reverse``. Default False.
        merge_mode: how the outputs of both directions of a layer become one, for the next layer too: ``"concat"``, or
            ``"sum"``, ``"mul"`` or ``"ave"`` of the two, which keep the size of one. Default ``"concat"``.
        compute: the operands of matrix products: ``"bfloat16"`` rounds them, where the processor has instructions for
            that, ``"float32"`` leaves them, whatever ``recurra.compute`` says. May be set later. Default None: as
            ``recurra.compute`` and torch say.
        device: the device of the parameters. Default: torch's.
        dtype: the dtype of the parameters. Default: torch's.
        **options: values for the cell's options.

    Raises:
        TypeError: an argument of the wrong type, or an option that the cell does not have.
        ValueError: a size or probability out of range; EquationError, a ValueError, where the cell's equations
            contradict themselves or do not fit the sizes.
    """

    _further: tuple[FurtherInput, ...] = ()  # the inputs beside the first one
    # Modules that ``accelerate`` has changed, and pickles from before there were these options, have the defaults.
    learn_initial_state = residual = tie_directions = False
    merge_mode = "concat"
    _is_plain = True  # whether direct calls compute what the module does
    _adds_input: tuple[bool, ...] = ()
    _initial_names: Sequence[Sequence[str]] = ()  # of the learned first values, by state and scan
    _learned_resets: LearnedResets | None = None

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int | Sequence[int],
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
        learn_initial_state: bool = False,
        residual: bool = False,
        tie_directions: bool = False,
        merge_mode: str = "concat",
        compute: Products | None = None,
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
        hidden_size = hidden_sizes_of(hidden_size, num_layers)
        num_layers = len(hidden_size) if isinstance(hidden_size, tuple) else num_layers
        self.dropout = check_dropout(dropout, num_layers, stacklevel=3 if is_dropin else 2)
        check_flags(bias=bias, batch_first=batch_first)
        self._arrangement = arrangement_of(
            input_size, hidden_size, num_layers, proj_size, bidirectional=bidirectional, merge_mode=merge_mode,
            residual=residual, tie_directions=tie_directions, learn_initial_state=learn_initial_state,
        )  # fmt: skip
        self.cell = cell
        self.options = dict(options)
        self.sizes = {name: size_argument(shape) for name, shape in free_sizes(cell.name, sizes).items()}
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.bidirectional = bidirectional
        self.proj_size = as_int("proj_size", proj_size)
        self._set_regularisers(zoneout, recurrent_dropout, weight_drop, weight_norm)
        self.checkpoint = checkpoint
        self.compute = compute
        self.learn_initial_state = learn_initial_state
        self.residual = residual
        self.tie_directions = tie_directions
        self.merge_mode = merge_mode
        self._scans = self._make_scans()
        self._calls = DirectCalls()
        self._register(cell.untrained, device=device, dtype=dtype)
        self._further = further_inputs(self._scans)
        self.reset_parameters()

    def _make_scans(self) -> list[Scan]:
        """One scan for each layer and direction, layer by layer."""
        at = Sizes(self.input_size, self._arrangement.hidden_sizes[0], self.proj_size)
        program = trace(self.cell, self.options, sizes=self.sizes, projected=self.proj_size > 0, at=at)
        if not self.bias and not isinstance(self.cell, TracedCell):
            program = drop_biases(program)
        program = self._regularised(program)
        scans: list[Scan] = []
        layers = []
        for sizes in self._arrangement.sizes(program, self.input_size, self.proj_size):
            layers.append(sizes)
            scans += [Scan.of(program, *sizes, reverse, self.compute) for reverse in (False, True)[: self._directions]]
        different = [
            name
            for position, name in enumerate(state.name for state in program.states)
            if len({scan.state_sizes[position] for scan in scans}) > 1 and not self._arrangement.by_layer
        ]
        if different:
            raise EquationError(
                f"cell {self.cell.name!r}: the size of state {', '.join(different)} follows the input's, which differs "
                f"between layers here ({self.input_size}, then {layers[-1].input}): use one layer, or equal sizes; or "
                f"give hidden_size={[self.hidden_size] * self.num_layers}, and states come layer by layer"
            )
        self._adds_input = self._arrangement.adds_input(program, layers) if self.residual else ()
        self._is_plain = not self._adds_input and self.merge_mode == "concat" and not self._arrangement.by_layer
        return scans

    def _compute_in(self, compute: Products | None) -> None:
        self._scans = [scan.computing(compute) for scan in self._scans]
        self._calls.levels = None
        if self._learned_resets is not None:
            self._learned_resets = LearnedResets(self._scans)

    def _register(self, untrained: Collection[str], **factory: Any) -> None:
        """Make the parameters: the weights of every scan, then the learned first states."""
        self._all_weights: list[list[str]] = []
        for number, scan in enumerate(self._scans):
            suffix = self._arrangement.weight_suffix(number)
            if suffix == self._suffix(number):
                self._all_weights.append(register(self, scan.shapes, suffix, untrained, **factory))
            else:  # the same weights as the direction before
                self._all_weights.append(self._all_weights[-1])
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        if self.learn_initial_state:
            states = [state.name for state in self.program.states]
            shapes = [
                [(f"{name}_0", (1, size)) for name, size in zip(states, scan.state_sizes, strict=True)]
                for scan in self._scans
            ]
            names = [register(self, each, self._suffix(number), **factory) for number, each in enumerate(shapes)]
            self._initial_names = [list(of_state) for of_state in zip(*names, strict=True)]
            self._learned_resets = LearnedResets(self._scans)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffix(self, number: int) -> str:
        return self._arrangement.suffix(number)

    @property
    def output_size(self) -> int:
        """Features of the output, of all directions together."""
        return self._arrangement.width(self._scans[-1].output_size)

    @property
    def state_sizes(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """Features of each state; where ``hidden_size`` is given layer by layer, of each state in each layer."""
        if not self._arrangement.by_layer:
            return self._scans[0].state_sizes
        by_layer = [scan.state_sizes for scan in self._scans[:: self._directions]]
        return tuple(zip(*by_layer, strict=True))

    @property
    def program(self) -> Program:
        """The traced cell as this module runs it: with its options chosen, and without biases if ``bias`` is False."""
        return self._scans[0].program

    def reset_parameters(self) -> None:
        """Draw all parameters anew, in their order: U(-1/√hidden_size, 1/√hidden_size), or as the cell says.

        Learned first states become zero.
        """
        arranged, numbers = self._arrangement, range(len(self._scans))
        sizes = {
            name: arranged.hidden_sizes[arranged.place(number)[0]]
            for number in numbers
            for name in self._all_weights[number]
        }
        suffixes = list(dict.fromkeys(map(arranged.weight_suffix, numbers)))
        options = self.cell.resolve_options(self.options)
        reset(self, arranged.hidden_sizes[0], self.cell, options, suffixes, sizes)
        for name in [name for of_state in self._initial_names for name in of_state]:
            torch.nn.init.zeros_(getattr(self, name))
        self._reset_gains()

    def forward(
        self,
        x: Input,
        state: State | None = None,
        reset: Tensor | None = None,
        return_trace: bool | None = None,  # torch.onnx.export(dynamo=False) gives defaults by position, but no bool
        **inputs: Input,
    ) -> tuple[Any, ...]:
        """Run the cell over sequences.

        Args:
            x: (seq_len, batch, input_size), with ``batch_first`` (batch, seq_len, …); (seq_len, input_size); or packed.
            state: the first value of each state, (num_layers * directions, batch, size), also with ``batch_first``;
                (num_layers * directions, size) unbatched; a tensor for one state, a tuple for several. Where
                ``hidden_size`` is given layer by layer, each state is a tuple of a tensor for each layer,
                (directions, batch, size). Default zeros, or the learned first states.
            reset: bool (seq_len, batch), or (seq_len,) unbatched: the states are zero before these steps, or the
                learned first states, in every layer and direction; always in the caller's batch order.
            return_trace: True returns a ``Trace`` of every named variable as a third value. Default None.
            **inputs: the cell's other inputs by name, ``layer(x, dt=dt)``: laid out as x, each with its own features,
                or without a dimension for them where it is one number. Beside a packed x they are packed with the same
                lengths, or padded. Bools and whole numbers become x's dtype. Each layer of a stack gets them, beside
                the output of the layer below.

        Returns:
            output, (seq_len, batch, directions * size) or laid out as x is, and the last states, shaped as ``state``;
            with ``return_trace`` the trace too. Without directions * if ``merge_mode`` is not ``"concat"``.

        Raises:
            TypeError, ValueError, RuntimeError: as torch.nn's layers do; messages name the dimensions.
        """
        return self._forward(x, state, reset, bool(return_trace), inputs)

    def _forward(
        self, x: Input, state: object, reset: Tensor | None, return_trace: bool, inputs: GivenInputs
    ) -> tuple[Any, ...]:
        own = self._drop_weights() if self.weight_drop and self.training else None
        try:
            is_direct = reset is None and not return_trace and not torch.compiler.is_compiling()
            if is_direct and (own is None or not self._calls.is_frozen):  # a frozen module packs its weights once
                given = learned_for(x, self) if self._initial_names and state is None else state
                whole = joined(self, x, inputs) if inputs or self._further else x
                result: tuple[Any, ...] | None = None if whole is None else direct_call(self, whole, given)
                if result is not None:
                    return result
            return run_checked(self._checked_call, x, state, reset, return_trace, inputs)
        finally:
            if own is not None:
                self.__dict__["_parameters"] = own

    leave_to_python(_forward.__code__)

    def _checked_call(
        self, x: Input, state: object, reset: Tensor | None, return_trace: bool, inputs: GivenInputs
    ) -> tuple[Any, ...]:
        """Run a call with all checks; ``direct_call`` runs plain ones."""
        weights = self._weights()
        flat = [weight for group in weights for weight in group]
        shapes = [shape for scan in self._scans for shape in scan.shapes]
        check_weights(type(self).__name__, self._flat_weights_names, flat, shapes)
        sequences, form = self._sequences(x, reset, flat[0] if flat else None)
        states = self._states(state, sequences.x, form)
        if inputs or self._further:
            further = layer_rows(type(self).__name__, self._further, inputs, sequences.x, form, self.batch_first)
            sequences = replace(sequences, further=tuple(further))
        if self._learned_resets is not None and reset is not None:  # the values are parameters of these scans
            names = zip(*self._initial_names, strict=True)
            weights = [
                [*own, *(weight_of(self, name).squeeze(0) for name in each)]
                for own, each in zip(weights, names, strict=True)
            ]
        if is_autocast(sequences.x):
            data, *further = autocast([sequences.x, *sequences.further])
            sequences = replace(sequences, x=data, further=tuple(further))
            states = [autocast([each])[0] if isinstance(each, Tensor) else autocast(each) for each in states]
            weights = [autocast(group) for group in weights]
            operands = [*flattened(states), *further, *(weight for group in weights for weight in group)]
            check_autocast(type(self).__name__, [data, *operands])
        output, last, traced = run_layers(self, sequences, states, weights, form.batch, return_trace)
        result = form.steps_out(output, self.batch_first), last_states(self._arrangement, last, form.rows_out)
        if not return_trace:
            return result
        trace = Trace({key: form.steps_out(value, self.batch_first) for key, value in traced.items()})
        return (*result, trace)

    def _sequences(self, x: Input, reset: Tensor | None, weight: Tensor | None) -> tuple[Sequences, InputForm]:
        """The input as the scans take it, checked, and its layout."""
        check = InputCheck(type(self).__name__, self.input_size, self.batch_first)
        if isinstance(x, PackedSequence):
            batch = check.packed(x, weight)
            form = InputForm(x, True, batch)
            if reset is not None:
                if not has_all_rows():  # else sizes are symbols, and only a run of the graph knows them
                    refuse_fixed("the lengths of packed sequences with resets")
                    check_reset(check.kind, reset, x.batch_sizes.shape[0], batch, x.data)
                reset = form.resets_in(reset, x.batch_sizes)
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

    def _states(self, given: object, x: Tensor, form: InputForm) -> list[OfScans]:
        """The first states in the order of rows: those given, checked, or the learned ones, or zeros."""
        if given is not None:
            batch = form.batch if form.is_batched else None
            return given_states(self, self._scans, given, x, batch, form.rows_in)
        if self._initial_names:
            return learned_states(self, self._initial_names, self._arrangement.by_layer, form.batch)
        return zero_states(self._arrangement, self._scans, x, form.batch)

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
        if self.tie_directions or any(weight is None or weight.device.type in ("cpu", "meta") for weight in weights):
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
        shown = list(self.hidden_size) if isinstance(self.hidden_size, tuple) else self.hidden_size
        parts += [str(self.input_size), str(shown)]
        told = {"num_layers"} if isinstance(self.hidden_size, tuple) else set()  # a tuple's length says it
        for name, default in SHOWN.items():
            value = getattr(self, name)
            if value != default and name not in told:
                parts.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}")
                if name == "residual" and not all(self._adds_input):
                    layers = [scan.sizes for scan in self._scans[:: self._directions]]
                    parts[-1] += f" (but {self._arrangement.unequal(self.program, layers)})"
        parts += self._shown_options()
        return ", ".join(parts)
