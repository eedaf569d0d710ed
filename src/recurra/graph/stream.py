"""``GraphStream``: a run of a graph whose states go in and out, call by call."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.graph.declaration import Declaration
from recurra.graph.table import Array
from recurra.packed.snapshot import pack, unpack

if TYPE_CHECKING:
    from recurra.graph.model import GraphModel

# Parts of the names of states that say that they go in or out, and not which state they are.
_ROLES = frozenset({
    "in", "input", "out", "output", "next", "new", "old", "prev", "previous", "last", "first", "init", "initial", "cur",
    "current", "final", "state", "states", "hidden", "n", "0", "1", "t",
})  # fmt: skip
_BUSY = "another thread is using this stream"


def paired_states(model: GraphModel) -> dict[str, str]:
    """Find the states of a graph: inputs with the name and the shape of an output.

    ``h_in`` goes with ``h_out``, ``state`` with ``new_state``. Where names say nothing, inputs and outputs go together
    if each of these inputs fits one output alone by its shape.

    Raises:
        RecurraError: there are none, or they cannot be told apart.
    """
    by_name = {}
    for given in model.inputs:
        found = [each.name for each in model.outputs if _stem(each.name) == _stem(given.name) and _fits(given, each)]
        if _stem(given.name) and len(found) == 1:
            by_name[given.name] = found[0]
    if by_name and len(set(by_name.values())) == len(by_name):
        return by_name
    by_shape = {
        given.name: [each.name for each in model.outputs if each.shape and given.shape == each.shape
                     and given.dtype == each.dtype] for given in model.inputs
    }  # fmt: skip
    matched = {name: found[0] for name, found in by_shape.items() if len(found) == 1}
    several = [name for name, found in by_shape.items() if len(found) > 1]
    if matched and not several and len(set(matched.values())) == len(matched) < len(model.outputs):
        return matched
    names = ", ".join(each.name for each in model.inputs), ", ".join(each.name for each in model.outputs)
    raise RecurraError(
        f"{model.name}: which outputs are the next values of which inputs is not clear; say so: "
        f"stream(states={{'input': 'output'}}), inputs {names[0]}, outputs {names[1]}"
    )


def _stem(name: str) -> tuple[str, ...]:
    """The parts of a name that say which state it is."""
    parts = [part for part in re.split(r"[^a-zA-Z0-9]+|(?<=[a-zA-Z])(?=\d)", name.lower()) if part]
    parts = [part[:-1] if len(part) == 2 and part[-1] in "n0" else part for part in parts]  # hn, c0
    return tuple(part for part in parts if part not in _ROLES)


def _fits(given: Declaration, result: Declaration) -> bool:
    """Whether an output may be the next value of an input."""
    if given.dtype != result.dtype and None not in (given.dtype, result.dtype):
        return False
    if given.shape is None or result.shape is None:
        return True
    return len(given.shape) == len(result.shape) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(given.shape, result.shape, strict=True)
    )


class GraphStream:
    """Runs of a graph that hold its states: ``y = stream.step(x)``, and so on.

    The outputs are those of one call of a graph over the whole, to the bit, where the graph computes step by step. One
    thread at a time may use a stream. Copied and unpickled streams start from the same state.

    Args:
        model: the model.
        states: the output that is the next value of each state's input. Default: found by names and shapes.
        batch: the number of sequences: the size of the states' free dimensions. Default 1.

    Attributes:
        model: the model.
        states: the states, each input with its output.
        batch: the number of sequences.

    Raises:
        RecurraError: an input or output is not known, they do not fit each other, or a state's shape is not declared.
    """

    def __init__(self, model: GraphModel, states: Mapping[str, str] | None = None, batch: int = 1) -> None:
        if not isinstance(batch, (int, np.integer)) or isinstance(batch, bool) or batch < 1:
            raise RecurraError(f"batch must be a positive whole number; got {batch!r}")
        self.model, self.batch = model, int(batch)
        self.states: dict[str, str] = _checked(model, paired_states(model) if states is None else states)
        self._inputs = [each.name for each in model.inputs if each.name not in self.states]
        outputs = self.states.values()
        self._names = [each.name for each in model.outputs]
        self._others = [each.name for each in model.outputs if each.name not in outputs]
        declared = {each.name: each for each in model.inputs}
        self._first = {name: _first(declared[name], model, self.batch) for name in self.states}
        self._axes = {name: _batch_axis(declared[name], self.batch) for name in self.states}
        self._held = {name: array.copy() for name, array in self._first.items()}
        self._lock = threading.Lock()

    def step(self, *arrays: Any, lengths: Any = None, **named: Any) -> Array | tuple[Array, ...]:
        """Run the graph on the next input, a step or a chunk of steps as the graph takes it, and keep the new states.

        Args:
            *arrays: the inputs that are no states, in the order of ``model.inputs``.
            lengths: (batch,) numbers: sequences of length 0 keep their states. Default: all go on.
            **named: the others, by name.

        Returns:
            The only output that is no state as an array, or all as a tuple; an empty tuple where there is none.

        Raises:
            OnnxError: an input is unknown, missing or not as declared.
            RecurraError: lengths are not (batch,), or are neither 0 nor the whole chunk.
            RuntimeError: another thread is using the stream.
        """
        if len(arrays) > len(self._inputs):
            raise RecurraError(
                f"the stream takes {len(self._inputs)} inputs, {', '.join(self._inputs)}; not {len(arrays)}"
            )
        feeds = {**dict(zip(self._inputs, arrays, strict=False)), **named}
        state = next((name for name in feeds if name in self.states), None)
        if state is not None:
            raise RecurraError(f"{state} is a state, which the stream holds: stream.state = … sets it")
        stays = None if lengths is None else self._staying(lengths)
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(_BUSY)
        try:
            results = dict(zip(self._names, self.model.run(None, {**feeds, **self._held}), strict=True))
            for name, output in self.states.items():
                self._keep(name, results[output], stays)
        finally:
            self._lock.release()
        others = tuple(results[name] for name in self._others)
        return others[0] if len(others) == 1 else others

    __call__ = step

    def _keep(self, name: str, value: Array, stays: Array | None) -> None:
        """Take the new value of a state, but for sequences that stay."""
        held = self._held[name]
        if value.shape != held.shape or value.dtype != held.dtype:
            raise RecurraError(f"state {name} {held.shape} of {held.dtype} became {value.shape} of {value.dtype}")
        if stays is not None and stays.any():
            at = self._at(name, stays)
            value[at] = held[at]
        self._held[name] = value

    def _at(self, name: str, rows: Array) -> tuple[Any, ...]:
        """The place of these sequences in a state."""
        axis = self._axes[name]
        if axis is None:
            raise RecurraError(f"state {name} has no dimension of the batch, so that its sequences cannot differ")
        return (*(slice(None),) * axis, rows)

    def _staying(self, lengths: Any) -> Array:
        given = np.asarray(lengths)
        if given.shape != (self.batch,) or given.dtype.kind not in "iub" or (given < 0).any():
            raise RecurraError(f"lengths must be whole numbers (batch={self.batch},); got {given.dtype} {given.shape}")
        going = given[given > 0]
        if going.size and (going != going[0]).any():
            raise RecurraError("lengths of a step must be 0, or one length of all others: cut the chunk where one ends")
        return given == 0

    @property
    def state(self) -> dict[str, Array]:
        """A copy of the states, by the names of their inputs. It can be set, in whole or in part."""
        return {name: array.copy() for name, array in self._held.items()}

    @state.setter
    def state(self, given: Mapping[str, Any]) -> None:
        values = {}
        for name, value in given.items():
            if name not in self._held:
                raise RecurraError(f"there is no state {name!r}; there are {', '.join(self._held)}")
            array = np.asarray(value, self._held[name].dtype)
            if array.shape != self._held[name].shape:
                raise RecurraError(f"state {name} must be {self._held[name].shape}; got {array.shape}")
            values[name] = array.copy()
        self._held.update(values)

    def reset(self, rows: Any = None) -> None:
        """Set states to their first values: the inputs' defaults, else zero.

        Args:
            rows: the numbers of the sequences, or a mask of bools (batch,). Default: all sequences.

        Raises:
            RecurraError: there is no such sequence, or a state has no dimension of the batch.
        """
        if rows is None:
            self._held = {name: array.copy() for name, array in self._first.items()}
            return
        given = np.asarray(rows)
        if given.dtype == bool and given.shape == (self.batch,):
            given = np.flatnonzero(given)
        if given.ndim > 1 or given.dtype.kind not in "iu" or ((given < 0) | (given >= self.batch)).any():
            raise RecurraError(f"rows must be numbers below {self.batch}, or a mask of bools (batch={self.batch},)")
        places = {name: self._at(name, given) for name in self._held}
        for name, at in places.items():
            self._held[name][at] = self._first[name][at]

    def snapshot(self) -> bytes:
        """The states as bytes, for ``restore`` in any process, by a stream of the same model and batch."""
        return pack(list(self._held.values()))

    def restore(self, snapshot: bytes) -> None:
        """Set the states to those of a snapshot.

        Raises:
            RecurraError: the snapshot is damaged, or has states of other sizes; the stream stays as it is.
        """
        self._held = dict(zip(self._held, unpack(snapshot, list(self._held.values())), strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (self.model, self.states, self.batch, self.snapshot())


def _revived(model: GraphModel, states: Mapping[str, str], batch: int, snapshot: bytes) -> GraphStream:
    """The copy that copying or unpickling a stream makes."""
    stream = GraphStream(model, states, batch)
    stream.restore(snapshot)
    return stream


def _checked(model: GraphModel, states: Mapping[str, str]) -> dict[str, str]:
    """States that are inputs and outputs of a model, and fit each other."""
    inputs, outputs = ({each.name: each for each in group} for group in (model.inputs, model.outputs))
    for name, output in states.items():
        for which, known, group in (("input", inputs, name), ("output", outputs, output)):
            if group not in known:
                raise RecurraError(f"{model.name} has no {which} {group!r}; it has {', '.join(known)}")
        if not _fits(inputs[name], outputs[output]):
            raise RecurraError(f"output {outputs[output]} does not fit input {inputs[name]}, whose next value it is")
    if len(set(states.values())) < len(states):
        raise RecurraError("two states have the same output as their next value")
    return dict(states)


def _first(declared: Declaration, model: GraphModel, batch: int) -> Array:
    """The first value of a state: the input's default where that fits, else zero."""
    if declared.shape is None or declared.dtype is None:
        raise RecurraError(f"{model.name} does not say how large the state {declared} is")
    free = {size for size in declared.shape if not isinstance(size, int)}
    if len(free) > 1:
        raise RecurraError(f"state {declared} has several free sizes, and not the batch alone")
    shape = tuple(size if isinstance(size, int) else batch for size in declared.shape)
    default = model.default(declared.name)
    if default is None:
        return np.zeros(shape, declared.dtype)
    try:
        return np.array(np.broadcast_to(default, shape))
    except ValueError:
        raise RecurraError(f"the default {default.shape} of state {declared} does not fit batch={batch}") from None


def _batch_axis(declared: Declaration, batch: int) -> int | None:
    """The dimension of a state's sequences; None if it is not known."""
    assert declared.shape is not None
    free = [axis for axis, size in enumerate(declared.shape) if not isinstance(size, int)]
    same = [axis for axis, size in enumerate(declared.shape) if size == batch]
    return free[0] if free else same[0] if len(same) == 1 else None
