"""ONNX's RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from recurra.compiler import drop_biases, trace
from recurra.equations import Cell
from recurra.graph import cells
from recurra.graph.activations import read_activations
from recurra.graph.operators.limits import checked_shape
from recurra.graph.table import Array, NodeFunction, NodeInfo, building_operator, one_of
from recurra.model.layouts import ONNX
from recurra.packed.packed_program import PackedProgram
from recurra.packed.packing import Packing, run_sequences
from recurra.program import Sizes

_FLOATS = ("float16", "float32", "float64")


def read_direction(name: str) -> tuple[bool, ...]:
    """Read whether each direction begins at the end."""
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    return directions[one_of(*directions)(name)]


def read_bound(clip: float) -> float:
    """Read the bound to which the inputs of the gates' activations are clipped."""
    if not clip > 0:
        raise ValueError(f"{clip} is not supported, only numbers above 0")
    return clip


@dataclass(frozen=True)
class RecurrentLayer:
    """The recurrent layer of a node.

    Attributes:
        kind: ``"RNN"``, ``"GRU"`` or ``"LSTM"``.
        cell: the equations.
        options: the cell's options, for each direction.
        reverse: whether each direction begins at the end.
        hidden_size: the number of features of a state; None for that of R.
        is_batch_first: whether the batch stands before steps and directions.
    """

    kind: str
    cell: Cell
    options: Sequence[Mapping[str, Any]]
    reverse: tuple[bool, ...]
    hidden_size: int | None
    is_batch_first: bool

    def function(self, node: NodeInfo) -> RecurrentFunction:
        """The function of a node; weights that are known while loading are packed once."""
        weights = (1, 2, 3, 5 + len(self.cell.states))
        if all(node.constant(number) is not None for number in weights if node.has(number)):
            return RecurrentFunction(self, self.programs(*(node.constant(number) for number in weights)))
        return RecurrentFunction(self, None)

    def run(
        self, X: Array, R: Array, programs: Sequence[PackedProgram], lens: Array | None, given: Sequence[Array | None]
    ) -> tuple[Array, ...]:
        """Compute Y and the last states."""
        x = self._input(X, R, programs[0].input_size)
        checked_shape((*x.shape[:2], len(programs), R.shape[2]), X.dtype)
        packing = None if lens is None else self._packing(lens, *x.shape[:2])
        states = self._states(given, X, x.shape[1], R.shape[2])
        outputs, ends = [], []
        for number, program in enumerate(programs):
            dtype = program.parameters[0].dtype
            firsts = [state[number].astype(dtype, copy=False) for state in states]
            output, end = run_sequences(program, x.astype(dtype, copy=False), firsts, packing)
            outputs.append(output)
            ends.append(end)
        Y, last = _stacked(outputs, 1), [_stacked(each, 0) for each in zip(*ends, strict=True)]
        if self.is_batch_first:
            Y, last = Y.transpose(2, 0, 1, 3), [state.swapaxes(0, 1) for state in last]
        return tuple(value.astype(X.dtype, copy=False) for value in (Y, *last))

    def _input(self, X: Array, R: Array, size: int) -> Array:
        """Check X, and return it as (steps, batch, input)."""
        names = "(batch_size, seq_length, input_size" if self.is_batch_first else "(seq_length, batch_size, input_size"
        if X.ndim != 3 or X.shape[2] != size or X.dtype != R.dtype:
            raise ValueError(f"X must be {names}={size}) of {R.dtype}; got {X.shape} of {X.dtype}")
        return X.swapaxes(0, 1) if self.is_batch_first else X

    def _packing(self, lens: Array, steps: int, batch: int) -> Packing | None:
        """The packing of sequences of these lengths; None if all have all steps."""
        if lens.shape != (batch,):
            raise ValueError(f"sequence_lens must be (batch_size={batch}); got {lens.shape}")
        try:
            return None if (lens == steps).all() else Packing(lens, steps)
        except ValueError as error:
            raise ValueError(f"sequence_lens: {error}") from None

    def _states(self, given: Sequence[Array | None], X: Array, batch: int, hidden: int) -> list[Array]:
        """Check the first states, and return them as (directions, batch, hidden); zeros for those not given."""
        directions = len(self.reverse)
        shape, names = (directions, batch, hidden), "(num_directions={}, batch_size={}, hidden_size={})"
        if self.is_batch_first:
            shape, names = (batch, directions, hidden), "(batch_size={}, num_directions={}, hidden_size={})"
        states = []
        for name, state in zip_longest(self.cell.states, given):
            state = np.zeros(shape, X.dtype) if state is None else state
            if state.shape != shape or state.dtype != X.dtype:
                raise ValueError(
                    f"initial_{name} must be {names.format(*shape)} of {X.dtype}; got {state.shape} of {state.dtype}"
                )
            states.append(state.swapaxes(0, 1) if self.is_batch_first else state)
        return states

    def programs(self, W: Any, R: Any, B: Array | None, P: Array | None) -> list[PackedProgram]:
        """The program of each direction, with these weights."""
        self._check_weights(W, R, B, P)
        dtype = np.float32 if R.dtype == np.float16 else R.dtype  # half precision is computed in float32
        programs = []
        for number, (options, is_reverse) in enumerate(zip(self.options, self.reverse, strict=True)):
            named = {"W": W[number], "R": R[number]}
            if B is not None:
                named["Wb"], named["Rb"] = np.split(B[number], 2)
            if P is not None:
                named["P"] = P[number]
            program = trace(self.cell, options)
            program = program if B is not None else drop_biases(program)
            parameters = [named[each.name].astype(dtype, copy=False) for each in program.parameters]
            sizes = Sizes(W.shape[2], R.shape[2])
            programs.append(PackedProgram(program, parameters, sizes, is_reverse))
        return programs

    def _check_weights(self, W: Array, R: Array, B: Array | None, P: Array | None) -> None:
        directions, gates = len(self.reverse), len(ONNX.gates[self.kind])
        hidden = R.shape[-1] if self.hidden_size is None else self.hidden_size
        if hidden < 1:
            raise ValueError(f"hidden_size must be at least 1; got {hidden}")
        for name, value, rows, columns, width in (
            ("R", R, gates, ", hidden_size", (hidden,)),
            ("W", W, gates, ", input_size", W.shape[2:3]),
            ("B", B, 2 * gates, "", ()),
            ("P", P, len(ONNX.peepholes), "", ()),
        ):
            if value is not None and value.shape != (directions, rows * hidden, *width):
                raise ValueError(
                    f"{name} must be (num_directions={directions}, {rows}*hidden_size{columns}) with "
                    f"hidden_size={hidden}; got {value.shape}"
                )
            if value is not None and (value.dtype != R.dtype or R.dtype.name not in _FLOATS):
                raise ValueError(f"{name} must be as all weights one of {', '.join(_FLOATS)}; got {value.dtype}")


@dataclass(frozen=True, eq=False)
class RecurrentFunction:
    """The function of a recurrent node.

    Attributes:
        layer: its layer.
        programs: the program of each direction, if its weights are known while loading.
    """

    layer: RecurrentLayer
    programs: Sequence[PackedProgram] | None

    def __call__(
        self, X: Array, W: Array, R: Array, B: Array | None = None, lens: Array | None = None, *others: Array | None
    ) -> tuple[Array, ...]:
        """Compute Y and the last states."""
        count = len(self.layer.cell.states)
        P = others[count] if len(others) > count else None
        programs = self.layer.programs(W, R, B, P) if self.programs is None else self.programs
        return self.layer.run(X, R, programs, lens, others[:count])


def _stacked(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays along a new axis; a single one is not copied."""
    return np.stack(arrays, axis) if len(arrays) > 1 else np.expand_dims(arrays[0], axis)


def _options(
    direction: tuple[bool, ...],
    defaults: Mapping[str, str],
    activations: Sequence[str] | None,
    alphas: Sequence[float],
    betas: Sequence[float],
    **others: Any,
) -> list[dict[str, Any]]:
    """A cell's options for each direction: its activations, by default those of ``defaults``, and others."""
    each, needed = len(defaults), len(defaults) * len(direction)
    names = [*defaults.values()] * len(direction) if activations is None else list(activations)
    # The standard's default has names for two directions, even if there is one.
    if len(names) < needed or names[needed:] not in ([], names[:each]):
        raise ValueError(f"activations must be {each} for each of {len(direction)} directions; got {', '.join(names)}")
    functions = read_activations(names, alphas, betas)
    own = [functions[each * number : each * (number + 1)] for number in range(len(direction))]
    return [{**dict(zip(defaults, functions, strict=True)), **others} for functions in own]


@building_operator("RNN", outputs=2, direction=read_direction, layout=one_of(0, 1), clip=read_bound)
def rnn(
    node: NodeInfo,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    layout: int = 0,
) -> NodeFunction:
    """The simple recurrent network; gives Y and Y_h."""
    options = _options(direction, {"f": "Tanh"}, activations, activation_alpha, activation_beta, bound=clip)
    return RecurrentLayer("RNN", cells.rnn, options, direction, hidden_size, bool(layout)).function(node)


@building_operator("GRU", outputs=2, direction=read_direction, layout=one_of(0, 1), clip=read_bound)
def gru(
    node: NodeInfo,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> NodeFunction:
    """The gated recurrent unit; gives Y and Y_h."""
    cell = cells.gru_linear_before_reset if linear_before_reset else cells.gru
    defaults = {"f": "Sigmoid", "g": "Tanh"}
    options = _options(direction, defaults, activations, activation_alpha, activation_beta, bound=clip)
    return RecurrentLayer("GRU", cell, options, direction, hidden_size, bool(layout)).function(node)


@building_operator("LSTM", outputs=3, direction=read_direction, layout=one_of(0, 1), clip=read_bound)
def lstm(
    node: NodeInfo,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
) -> NodeFunction:
    """Long short-term memory; gives Y, Y_h and Y_c. The input of h() is not clipped, as in other runtimes."""
    cell = cells.peephole_lstm if node.has(7) else cells.lstm
    options = lstm_options(direction, activations, activation_alpha, activation_beta, clip, input_forget)
    return RecurrentLayer("LSTM", cell, options, direction, hidden_size, bool(layout)).function(node)


def lstm_options(
    direction: tuple[bool, ...],
    activations: Sequence[str] | None,
    alphas: Sequence[float],
    betas: Sequence[float],
    clip: float | None,
    input_forget: int,
) -> list[dict[str, Any]]:
    """The options of an LSTM's cell for each direction, from a node's attributes."""
    defaults, coupled = {"f": "Sigmoid", "g": "Tanh", "h_of": "Tanh"}, bool(input_forget)
    return _options(direction, defaults, activations, alphas, betas, bound=clip, coupled=coupled)
