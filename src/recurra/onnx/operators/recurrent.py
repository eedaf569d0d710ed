"""ONNX's RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.compiler import Plan, drop_biases, plan, trace
from recurra.equations import Cell
from recurra.onnx import recurrent_cells
from recurra.onnx.activations import read_activations
from recurra.onnx.recurrence import Scan
from recurra.onnx.sequences import Lengths
from recurra.onnx.table import Array, Function, Node, building_operator, one_of

_FLOATS = ("float16", "float32", "float64")


def _direction(name: str) -> tuple[bool, ...]:
    """Reads for each direction whether it begins at the end."""
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    return directions[one_of(*directions)(name)]


def _bound(clip: float) -> float:
    """Reads the bound that what goes into the gates' activations is clipped to."""
    if not clip > 0:
        raise ValueError(f"{clip} is not supported, only numbers above 0")
    return clip


@dataclass(frozen=True)
class RecurrentLayer:
    """What a node says of its layer.

    Attributes:
        cell: the equations.
        gates: how many there are.
        options: the cell's, for each direction.
        reverse: for each direction whether it begins at the end.
        hidden_size: None for what R says.
        is_batch_first: whether the batch stands before steps and directions.
    """

    cell: Cell
    gates: int
    options: Sequence[Mapping[str, Any]]
    reverse: tuple[bool, ...]
    hidden_size: int | None
    is_batch_first: bool

    def function(self, node: Node) -> Function:
        """The function of a node; weights that are known are made ready once."""
        count = len(self.cell.states)
        weights = [number for number in (1, 2, 3, 5 + count) if node.has(number)]
        ready = None
        if all(node.constant(number) is not None for number in weights):
            ready = self._scans(*(node.constant(number) for number in (1, 2, 3, 5 + count)))

        def run(
            X: Array, W: Array, R: Array, B: Array | None = None, lens: Array | None = None, *others: Array | None
        ) -> tuple[Array, ...]:
            P = others[count] if len(others) > count else None
            scans = self._scans(W, R, B, P) if ready is None else ready
            return self._run(X, R, scans, lens, others[:count])

        return run

    def _run(
        self, X: Array, R: Array, scans: Sequence[Scan], lens: Array | None, given: Sequence[Array | None]
    ) -> tuple[Array, ...]:
        """Y, then the last states."""
        dtype = scans[0].parameters[0].dtype
        x = self._input(X, R, scans).astype(dtype, copy=False)
        steps, batch, _ = x.shape
        lengths = None if lens is None else Lengths.of(lens, steps, batch)
        states = self._states(given, X, R, batch)
        results = []
        for number, scan in enumerate(scans):
            results.append(scan.run(x, [state[number].astype(dtype, copy=False) for state in states], lengths))
        Y = np.stack([output for output, _ in results], 1)
        last = [np.stack(ends) for ends in zip(*(ends for _, ends in results), strict=True)]
        if self.is_batch_first:
            Y, last = Y.transpose(2, 0, 1, 3), [state.swapaxes(0, 1) for state in last]
        return tuple(value.astype(X.dtype, copy=False) for value in (Y, *last))

    def _input(self, X: Array, R: Array, scans: Sequence[Scan]) -> Array:
        """X as (steps, batch, input), checked."""
        names = "(batch_size, seq_length, input_size" if self.is_batch_first else "(seq_length, batch_size, input_size"
        size = scans[0].parameters[0].shape[1]
        if X.ndim != 3 or X.shape[2] != size or X.dtype != R.dtype:
            raise ValueError(f"X must be {names}={size}) of {R.dtype}; got {X.shape} of {X.dtype}")
        return X.swapaxes(0, 1) if self.is_batch_first else X

    def _states(self, given: Sequence[Array | None], X: Array, R: Array, batch: int) -> list[Array]:
        """The first states as (directions, batch, hidden), checked; zeros where none are given."""
        shape = (len(self.reverse), batch, R.shape[2])
        names = "(num_directions={}, batch_size={}, hidden_size={})"
        expected = shape
        if self.is_batch_first:
            expected, names = (batch, shape[0], shape[2]), "(batch_size={}, num_directions={}, hidden_size={})"
        states = []
        for name, state in zip(self.cell.states, (*given, None, None), strict=False):
            if state is None:
                state = np.zeros(expected, X.dtype)
            if state.shape != expected or state.dtype != X.dtype:
                raise ValueError(
                    f"initial_{name} must be {names.format(*expected)} of {X.dtype}; got {state.shape} of {state.dtype}"
                )
            states.append(state.swapaxes(0, 1) if self.is_batch_first else state)
        return states

    def _scans(self, W: Any, R: Any, B: Array | None, P: Array | None) -> list[Scan]:
        """What runs in each direction, with these weights."""
        self._check_weights(W, R, B, P)
        dtype = np.float32 if R.dtype == np.float16 else R.dtype  # half precision is computed in float32
        scans = []
        for number, (options, is_reverse) in enumerate(zip(self.options, self.reverse, strict=True)):
            named = {"W": W[number], "R": R[number]}
            if B is not None:
                named["Wb"], named["Rb"] = np.split(B[number], 2)
            if P is not None:
                named["P"] = P[number]
            scheduled = _plan(self.cell, options, B is not None)
            parameters = [named[p.name].astype(dtype, copy=False) for p in scheduled.program.parameters]
            scans.append(Scan(scheduled, parameters, is_reverse))
        return scans

    def _check_weights(self, W: Array, R: Array, B: Array | None, P: Array | None) -> None:
        directions, gates = len(self.reverse), self.gates
        hidden = R.shape[-1] if self.hidden_size is None else self.hidden_size
        for name, value, rows, columns, width in (
            ("R", R, gates, ", hidden_size", (hidden,)),
            ("W", W, gates, ", input_size", W.shape[2:3]),
            ("B", B, 2 * gates, "", ()),
            ("P", P, 3, "", ()),
        ):
            if value is not None and value.shape != (directions, rows * hidden, *width):
                raise ValueError(
                    f"{name} must be (num_directions={directions}, {rows}*hidden_size{columns}) with "
                    f"hidden_size={hidden}; got {value.shape}"
                )
            if value is not None and (value.dtype != R.dtype or R.dtype.name not in _FLOATS):
                raise ValueError(f"{name} must be as all weights one of {', '.join(_FLOATS)}; got {value.dtype}")


def _plan(cell: Cell, options: Mapping[str, Any], has_biases: bool) -> Plan:
    program = trace(cell, options)
    return plan(program if has_biases else drop_biases(program))


def _options(
    direction: tuple[bool, ...],
    defaults: Mapping[str, str],
    activations: Sequence[str] | None,
    alphas: Sequence[float],
    betas: Sequence[float],
    **others: Any,
) -> list[dict[str, Any]]:
    """A cell's options for each direction: its activations, by default those named, and others."""
    each, needed = len(defaults), len(defaults) * len(direction)
    names = [*defaults.values()] * len(direction) if activations is None else list(activations)
    if len(names) not in (needed, 2 * each):  # the standard's own default has names for two directions, even for one
        raise ValueError(f"activations must be {each} for each of {len(direction)} directions; got {', '.join(names)}")
    functions = read_activations(names, alphas, betas)
    own = [functions[each * number : each * (number + 1)] for number in range(len(direction))]
    return [{**dict(zip(defaults, functions, strict=True)), **others} for functions in own]


@building_operator("RNN", outputs=2, direction=_direction, layout=one_of(0, 1), clip=_bound)
def rnn(
    node: Node,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    layout: int = 0,
) -> Function:
    """The simple recurrent network; gives Y and Y_h."""
    options = _options(direction, {"f": "Tanh"}, activations, activation_alpha, activation_beta, bound=clip)
    return RecurrentLayer(recurrent_cells.rnn, 1, options, direction, hidden_size, bool(layout)).function(node)


@building_operator("GRU", outputs=2, direction=_direction, layout=one_of(0, 1), clip=_bound)
def gru(
    node: Node,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> Function:
    """The gated recurrent unit; gives Y and Y_h."""
    cell = recurrent_cells.gru_linear_before_reset if linear_before_reset else recurrent_cells.gru
    defaults = {"f": "Sigmoid", "g": "Tanh"}
    options = _options(direction, defaults, activations, activation_alpha, activation_beta, bound=clip)
    return RecurrentLayer(cell, 3, options, direction, hidden_size, bool(layout)).function(node)


@building_operator("LSTM", outputs=3, direction=_direction, layout=one_of(0, 1), clip=_bound)
def lstm(
    node: Node,
    *,
    activation_alpha: Sequence[float] = (),
    activation_beta: Sequence[float] = (),
    activations: Sequence[str] | None = None,
    clip: float | None = None,
    direction: tuple[bool, ...] = (False,),
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
) -> Function:
    """Long short-term memory; gives Y, Y_h and Y_c. What goes into h() is not clipped, as in other runtimes."""
    cell = recurrent_cells.peephole_lstm if node.has(7) else recurrent_cells.lstm
    defaults, coupled = {"f": "Sigmoid", "g": "Tanh", "h_of": "Tanh"}, bool(input_forget)
    options = _options(direction, defaults, activations, activation_alpha, activation_beta, bound=clip, coupled=coupled)
    return RecurrentLayer(cell, 4, options, direction, hidden_size, bool(layout)).function(node)
