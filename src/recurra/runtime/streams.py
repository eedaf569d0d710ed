"""``Streams``: many sequences of one model that are stepped together, and join and leave at any time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array
from recurra.packed.snapshot import pack, unpack
from recurra.runtime.inputs import array_of, numbers, tokens
from recurra.runtime.running import run_stages, step_programs
from recurra.runtime.stepper import MAX_BATCH

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from recurra.runtime.model import Model


class Streams:
    """Many sequences with a state each: ``ids = streams.join(3)``, ``y = streams.step(ids, x)``, ``leave(ids)``.

    A step of some sequences gives each of them what a ``Stream`` of its own would, to the bit. One thread at a time may
    use the object.

    Args:
        model: the model.

    Raises:
        RecurraError: the model is bidirectional.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        step_programs(model.stages, model.input_size or 1)  # refuses a model that cannot be stepped
        self._tables: list[list[Array]] = [
            [np.zeros((count, 0, size), model.dtype) for count, size in stage.state_shapes] for stage in model.recurrent
        ]
        self._is_used = np.zeros(0, bool)
        self._free: list[int] = []

    def __getstate__(self) -> dict[str, Any]:
        tables = [[table.copy() for table in tables] for tables in self._tables]  # a copy has its own states
        return {**self.__dict__, "_tables": tables, "_is_used": self._is_used.copy(), "_free": list(self._free)}

    def __len__(self) -> int:
        """The number of sequences."""
        return int(self._is_used.sum())

    @property
    def ids(self) -> NDArray[np.int64]:
        """The numbers of all sequences, ascending."""
        return np.flatnonzero(self._is_used)

    def join(self, count: int = 1) -> NDArray[np.int64]:
        """Add sequences, with zero states, or the learned first states.

        Args:
            count: the number of sequences to add. Default 1.

        Returns:
            The sequences' numbers, int64 (count,); numbers of sequences that have left are used again.

        Raises:
            RecurraError: count is negative, no whole number, or too large.
            MemoryError: there is not enough memory; nothing has changed.
        """
        if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 0:
            raise RecurraError(f"count must be a whole number from 0; got {count!r}")
        if len(self) + count > MAX_BATCH:
            raise RecurraError(f"there can be at most {MAX_BATCH} sequences; {len(self)} and {count} are more")
        if count > len(self._free):
            self._grow(max(len(self._is_used) + int(count) - len(self._free), 2 * len(self._is_used), 16))
        ids = np.array([self._free.pop() for _ in range(count)], np.int64)
        self._is_used[ids] = True
        self.reset(ids)
        return ids

    def leave(self, ids: ArrayLike) -> None:
        """End sequences; new ones may get their numbers.

        Raises:
            RecurraError: there is no such sequence, or it is named twice.
        """
        checked = self._checked(ids)
        self._is_used[checked] = False
        self._free += checked.tolist()[::-1]

    def step(self, ids: ArrayLike, x: ArrayLike, **inputs: ArrayLike) -> Array:
        """Run one step of some sequences.

        Args:
            ids: (n,) the sequences' numbers, each at most once, in any order.
            x: (n, input_size), or tokens (n,); row k is for sequence ids[k].
            **inputs: the inputs beside the first one by name: (n, size), or (n,) where one is one number.

        Returns:
            The outputs, (n, output_size).

        Raises:
            RecurraError: there is no such sequence, or it is named twice, or x has another shape.
            TypeError: x is not numbers, or tokens are not whole numbers.
            IndexError: the model does not have one of the tokens.
        """
        rows = self._checked(ids)
        value = self._input(x, len(rows))
        further = self.model.layout.further_of_step(inputs, len(rows))
        everyone = len(rows) == len(self._is_used) and bool((rows == np.arange(len(rows))).all())
        first = [tables if everyone else [table[:, rows] for table in tables] for tables in self._tables]
        output, ends = run_stages(self.model.stages, value, first, inputs=further)
        for tables, last in zip(self._tables, ends, strict=True):  # last, so that an error before this changes no state
            for table, state in zip(tables, last, strict=True):
                table[:, rows] = state
        result: Array = output[0]
        return result

    def state(self, ids: ArrayLike) -> Any:
        """A copy of the state of some sequences, as ``model(x, state)`` returns it."""
        rows = self._checked(ids)
        return self.model.layout.states_out([[table[:, rows] for table in tables] for tables in self._tables], True)

    def set_state(self, ids: ArrayLike, state: Any) -> None:
        """Set the state of some sequences, in the form that ``state`` returns; None stands for the first states.

        Raises:
            RecurraError: the state has another shape, or there is no such sequence.
        """
        rows = self._checked(ids)
        given = self.model.layout.states(state, len(rows), True)
        for tables, states in zip(self._tables, given, strict=True):
            for table, values in zip(tables, states, strict=True):
                table[:, rows] = values

    def reset(self, ids: ArrayLike | None = None) -> None:
        """Set the states of some sequences to zero, or to the learned first states; by default of all."""
        self.set_state(self.ids if ids is None else ids, None)

    def snapshot(self, ids: ArrayLike) -> bytes:
        """The states of some sequences as bytes, for ``restore`` of as many in any process with the same model."""
        return pack(self._flat(self._checked(ids)))

    def restore(self, ids: ArrayLike, snapshot: bytes) -> None:
        """Set the states of some sequences to those of a snapshot of as many.

        Raises:
            RecurraError: the snapshot is damaged, or has states of other sizes; nothing has changed.
        """
        rows = self._checked(ids)
        values = iter(unpack(snapshot, self._flat(rows)))
        for tables in self._tables:
            for table in tables:
                table[:, rows] = next(values)

    def _flat(self, rows: NDArray[np.int64]) -> list[Array]:
        return [table[:, rows] for tables in self._tables for table in tables]

    def _grow(self, size: int) -> None:
        more = size - len(self._is_used)
        tables = [
            [np.concatenate([table, np.zeros((len(table), more, table.shape[2]), table.dtype)], 1) for table in tables]
            for tables in self._tables
        ]
        free = [*range(size - 1, len(self._is_used) - 1, -1), *self._free]
        used = np.concatenate([self._is_used, np.zeros(more, bool)])
        # Assigned last: if the memory does not suffice, nothing has changed.
        self._tables, self._free, self._is_used = tables, free, used

    def _checked(self, ids: ArrayLike) -> NDArray[np.int64]:
        rows = array_of("ids", ids)
        if rows.ndim == 0:
            rows = rows[None]
        if rows.size and (rows.ndim != 1 or rows.dtype.kind not in "iu"):
            raise RecurraError(f"ids must be whole numbers (n,); got {rows.dtype} {rows.shape}")
        rows = rows.astype(np.int64).reshape(-1)
        known = (rows >= 0) & (rows < len(self._is_used))
        known[known] = self._is_used[rows[known]]
        if not known.all():
            raise RecurraError(f"there is no sequence {rows[~known][0]}: join() gives the numbers")
        if np.bincount(rows, minlength=1).max() > 1:
            raise RecurraError(f"sequence {np.bincount(rows).argmax()} is named twice")
        return rows

    def _input(self, x: ArrayLike, count: int) -> Array:
        """(1, n, input_size), or tokens (1, n)."""
        if self.model.takes_tokens:
            array = tokens(x)
            shape: Sequence[int] = (count,)
        else:
            array = numbers(x, self.model.dtype)
            shape = (count, self.model.input_size or (array.shape[-1] if array.ndim else 1))
        if array.shape != tuple(shape):
            names = "(n)" if self.model.takes_tokens else "(n, input_size)"
            raise RecurraError(f"a step's input must be {names} = {tuple(shape)}; got {array.shape}")
        return array[None]
