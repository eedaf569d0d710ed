"""``Stream``: a model run one step at a time, with the state inside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recurra.errors import RecurraError
from recurra.runtime.model import Model
from recurra.runtime.run import Array
from recurra.runtime.snapshot import pack, unpack
from recurra.runtime.stepper import stepper


class Stream:
    """Some sequences that are run side by side, one step at a time: ``y = stream.step(x_t)``.

    The outputs are those of the whole sequences, to the bit, whatever the steps come in. One thread at a time may use
    it. The engine is the one that is chosen when the stream is made.

    Args:
        model: the model.
        batch: how many sequences.

    Attributes:
        model: the model.
        batch: how many sequences.

    Raises:
        RecurraError: the model is bidirectional; or batch is no positive whole number.
    """

    def __init__(self, model: Model, batch: int = 1) -> None:
        if not isinstance(batch, (int, np.integer)) or isinstance(batch, bool) or batch < 1:
            raise RecurraError(f"batch must be a positive whole number; got {batch!r}")
        self.model, self.batch = model, int(batch)
        self._stepper = stepper(model, self.batch)
        self._step = self._stepper.step
        self._dtype = None if model.takes_tokens else model.dtype

    def step(self, x: ArrayLike) -> Array:
        """One step.

        Args:
            x: (batch, input_size), or for one sequence (input_size,) too; tokens (batch,), or for one sequence a
                whole number.

        Returns:
            the output, (batch, output_size), or (output_size,) where x had no batch. A new array.

        Raises:
            ValueError: another shape; the message names the dimensions.
            IndexError: a token that the model does not have.
        """
        if self._dtype is None:
            if isinstance(x, (list, tuple)):
                x = np.asarray(x)
        elif x.__class__ is not np.ndarray or x.dtype is not self._dtype:
            x = _numbers(x, self._dtype)
        return self._step(x)

    def feed(self, chunk: ArrayLike) -> Array:
        """Some steps at once.

        Args:
            chunk: as the model's input: (steps, batch, input_size), or (batch, steps, input_size) where its layers are
                batch_first; for one sequence also (steps, input_size). Tokens are without the last dimension. Any
                number of steps, 0 too.

        Returns:
            the outputs, laid out as the chunk.

        Raises:
            RecurraError: another shape; the message names the dimensions.
        """
        model = self.model
        if model.is_cell:
            raise RecurraError("a model of a cell takes one step at a time: stream.step(x)")
        rows, is_batched = model._rows(chunk)
        if rows.shape[1] != self.batch:
            raise RecurraError(f"a chunk must be of batch={self.batch} sequences; got {rows.shape[1]}")
        output, last = model.run(rows, self._by_stage(self._stepper.states()), None)
        self._stepper.set_states(
            [np.ascontiguousarray(state[n]) for stage in last for n in range(len(stage[0])) for state in stage]
        )
        return model._out(output, is_batched)

    def _by_stage(self, flat: list[Array]) -> list[list[Array]]:
        """The states of all runs, by recurrent stage: (layers, batch, size)."""
        found, given = [], iter(flat)
        for stage in self.model.recurrent:
            layers = [[next(given) for _ in stage.names] for _ in stage.runs]
            found.append([np.stack([layer[n] for layer in layers]) for n in range(len(stage.names))])
        return found

    @property
    def state(self) -> Any:
        """The state, a copy: what ``model(x, state)`` returns, with the batch. Setting it goes on from there."""
        return self.model._states_out(self._by_stage(self._stepper.states()), True)

    @state.setter
    def state(self, given: Any) -> None:
        states = self.model._states(given, self.batch, True)
        flat = [state[n] for stage in states for n in range(len(stage[0])) for state in stage]
        self._stepper.set_states([np.ascontiguousarray(state) for state in flat])

    def reset(self, rows: Iterable[int] | int | None = None) -> None:
        """Begin anew: zero states.

        Args:
            rows: which sequences. Default: all.

        Raises:
            RecurraError: a sequence that there is not.
        """
        chosen = range(self.batch) if rows is None else [rows] if isinstance(rows, (int, np.integer)) else list(rows)
        wrong = [row for row in chosen if not 0 <= int(row) < self.batch]
        if wrong:
            raise RecurraError(f"there are sequences 0 … {self.batch - 1}; got {wrong[0]}")
        self._stepper.reset([int(row) for row in chosen])

    def snapshot(self) -> bytes:
        """The state as bytes, for ``restore`` of a stream of the same model and batch, in any process."""
        return pack(self._stepper.states())

    def restore(self, snapshot: bytes) -> None:
        """Go on where a snapshot was taken.

        Raises:
            RecurraError: it is damaged, or of a stream of other sizes; the stream stays as it is.
        """
        states = self._stepper.states()
        self._stepper.set_states(unpack(snapshot, states))


def _numbers(x: ArrayLike, dtype: np.dtype[Any]) -> Array:
    array = np.asarray(x)
    if array.dtype.kind not in "fiu":
        raise RecurraError(f"a step's input must be numbers; got {array.dtype}")
    return np.asarray(array, dtype)
