"""``Stream``: a run of a model, one step at a time, that holds the state."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.engines import asked, engine
from recurra.errors import RecurraError
from recurra.packed.packed_program import Array
from recurra.packed.snapshot import pack, unpack
from recurra.runtime.inputs import array_of, numbers, tokens
from recurra.runtime.running import run_stages
from recurra.runtime.stages import by_program, by_stage
from recurra.runtime.stepper import BUSY, MAX_BATCH, PlainStepper, alone, stepper

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from recurra.runtime.model import Model

_INT64 = np.dtype(np.int64)


class Stream:
    """A batch of sequences, run one step at a time: ``y = stream.step(x_t)``.

    On the native engine the outputs equal those of whole sequences to the bit, however a sequence is cut into steps and
    chunks. One thread at a time may use a stream. Its engine is the one that is chosen when the stream is made. Copied
    and unpickled streams start from the same state and are independent of the original.

    Args:
        model: the model.
        batch: the number of sequences.

    Attributes:
        model: the model.
        batch: the number of sequences.

    Raises:
        RecurraError: the model is bidirectional; or batch is no positive whole number.
    """

    def __init__(self, model: Model, batch: int = 1) -> None:
        if not isinstance(batch, (int, np.integer)) or isinstance(batch, bool) or batch < 1:
            raise RecurraError(f"batch must be a positive whole number; got {batch!r}")
        if batch > MAX_BATCH:
            raise RecurraError(f"batch must be at most {MAX_BATCH}; got {batch}")
        self.model, self.batch = model, int(batch)
        self._engine = asked()
        self._lock = threading.Lock()
        self._stepper = stepper(model.stages, model.layout, self.batch)
        if model.layout.learns_states:
            self._stepper.set_states(by_program(model.recurrent, model.layout.states(None, self.batch, True)))
        self._step = self._stepper.step
        self._dtype = None if model.takes_tokens else model.dtype
        self._has_further = bool(model.layout.interface.further_inputs)

    def step(self, x: ArrayLike, **inputs: ArrayLike) -> Array:
        """Run one step.

        Args:
            x: (batch, input_size), for one sequence also (input_size,); tokens (batch,), for one sequence also a whole
                number.
            **inputs: the inputs beside the first one by name, ``stream.step(x, dt=dt)``: (batch, size), without the
                last dimension where one is one number, and without the batch where x has none.

        Returns:
            The output, (batch, output_size), or (output_size,) where x had no batch; a new array.

        Raises:
            ValueError: x has another shape; the message names the dimensions.
            TypeError: x is not numbers, or tokens are not whole numbers; an input is missing or not known.
            IndexError: the model does not have one of the tokens.
            RuntimeError: another thread is using the stream.
        """
        if self._lock.locked():
            raise RuntimeError(BUSY)
        given: Any = x
        kind = x.__class__
        if self._dtype is None:
            if kind is not int and (kind is not np.ndarray or given.dtype is not _INT64):
                given = tokens(x)
        elif kind is not np.ndarray or given.dtype is not self._dtype:
            given = numbers(x, self._dtype)
        output: Array = self._step(given) if not inputs and not self._has_further else self._step_with(given, inputs)
        return output

    def _step_with(self, x: Any, inputs: Mapping[str, Any]) -> Array:
        """Run a step with inputs beside the first one."""
        is_one = self.batch == 1 and np.ndim(x) == (0 if self._dtype is None else 1)
        further = self.model.layout.further_of_step(inputs, None if is_one else self.batch)
        if isinstance(self._stepper, PlainStepper):
            return self._stepper.step_with(x, further)
        rows = self.model.layout.step_rows(x, self.batch)
        output: Array = self._step(np.concatenate([rows, *(each[0] for each in further.values())], -1))
        return output[0] if is_one else output

    def feed(self, chunk: ArrayLike, **inputs: ArrayLike) -> Array:
        """Run several steps at once.

        Args:
            chunk: laid out as the model's input: (steps, batch, input_size), or (batch, steps, input_size) where its
                layers are batch_first; for one sequence also (steps, input_size). Tokens have no last dimension. The
                number of steps may be 0.
            **inputs: the inputs beside the first one by name, laid out as the chunk.

        Returns:
            The outputs, laid out as the chunk.

        Raises:
            RecurraError: the chunk has another shape; the message names the dimensions.
            TypeError, IndexError: as ``step``.
            RuntimeError: another thread is using the stream.
        """
        model, layout = self.model, self.model.layout
        if model.is_cell:
            raise RecurraError("a model of a cell takes one step at a time: stream.step(x)")
        rows, is_batched = layout.rows(chunk)
        if rows.shape[1] != self.batch:
            raise RecurraError(f"a chunk must be of batch={self.batch} sequences; got {rows.shape[1]}")
        further = layout.further(inputs, rows.shape[0], self.batch if is_batched else None)
        with alone(self._lock), engine(self._engine):
            output, last = run_stages(model.stages, rows, self._states(), inputs=further)
            self._stepper.set_states(by_program(model.recurrent, last))
        return layout.output(output, is_batched)

    def _states(self) -> list[list[Array]]:
        """A copy of the states of each recurrent stage, as it takes them."""
        return by_stage(self.model.recurrent, self._stepper.states())

    @property
    def state(self) -> Any:
        """A copy of the state, as ``model(x, state)`` returns it, with the batch. It can be set."""
        return self.model.layout.states_out(self._states(), True)

    @state.setter
    def state(self, given: Any) -> None:
        states = by_program(self.model.recurrent, self.model.layout.states(given, self.batch, True))
        with alone(self._lock):
            self._stepper.set_states(states)

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Set states to zero, or to the learned first states.

        Args:
            rows: the numbers of the sequences, or a mask of bools (batch,). Default: all sequences.

        Raises:
            RecurraError: there is no such sequence, or ``rows`` is neither numbers nor such a mask.
            RuntimeError: another thread is using the stream.
        """
        given = np.arange(self.batch) if rows is None else array_of("rows", rows)
        if given.dtype == bool and given.shape == (self.batch,):
            given = np.flatnonzero(given)
        if given.ndim > 1 or (given.dtype.kind not in "iu" and given.size):
            raise RecurraError(
                f"rows must be whole numbers, or a mask of bools (batch={self.batch},); got {given.dtype} {given.shape}"
            )
        wrong = given[(given < 0) | (given >= self.batch)]
        if wrong.size:
            raise RecurraError(f"there are sequences 0 … {self.batch - 1}; got {wrong.reshape(-1)[0]}")
        chosen = given.reshape(-1).tolist()
        with alone(self._lock):
            if not self.model.layout.learns_states:
                self._stepper.reset(chosen)
                return
            states, first = self._states(), self.model.layout.states(None, self.batch, True)
            for own, start in zip(chain(*states), chain(*first), strict=True):
                own[:, chosen] = start[:, chosen]
            self._stepper.set_states(by_program(self.model.recurrent, states))

    def snapshot(self) -> bytes:
        """The state as bytes, for ``restore`` in any process.

        A stream of the same model and batch takes them, and so do as many sequences of the model's ``Streams``.
        """
        return pack(self._flat())

    def restore(self, snapshot: bytes) -> None:
        """Set the state to that of a snapshot.

        Raises:
            RecurraError: the snapshot is damaged, or has states of other sizes; the stream stays as it is.
            RuntimeError: another thread is using the stream.
        """
        with alone(self._lock):
            values = iter(unpack(snapshot, self._flat()))
            recurrent = self.model.recurrent
            states = [[next(values) for _ in stage.state_shapes] for stage in recurrent]
            self._stepper.set_states(by_program(recurrent, states))

    def _flat(self) -> list[Array]:
        """The states in the order of snapshots, those of ``Streams`` too: (layers, batch, size), stage by stage."""
        return list(chain(*self._states()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (self.model, self.batch, self._engine, self.snapshot())


def _revived(model: Model, batch: int, name: str, snapshot: bytes) -> Stream:
    """The copy that copying or unpickling a stream makes."""
    with engine(name):
        stream = Stream(model, batch)
    stream.restore(snapshot)
    return stream
