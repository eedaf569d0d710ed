"""Steps through all stages of a model: in one call of its engine, or program by program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from recurra.engines import Stepper, StepScan, asked, choose, engine
from recurra.errors import RecurraError
from recurra.runtime.layout import Layout
from recurra.runtime.packed_program import Array, PackedProgram
from recurra.runtime.stages import LookupStage, ModelStage, step_programs

MAX_BATCH = 2**31 - 1  # sequences that are stepped together


def stepper(stages: Sequence[ModelStage], layout: Layout, batch: int) -> Stepper:
    """A stepper of a model, made by the engine that is chosen now.

    Args:
        stages: the model's stages.
        layout: the layout of the model's input and output.
        batch: the number of sequences that are stepped together.

    Raises:
        RecurraError: the model cannot be stepped.
    """
    if layout.interface.input_size is None and not layout.interface.takes_tokens:
        raise RecurraError("nothing settles the size of this model's input: it cannot be stepped")
    programs = step_programs(stages, layout.interface.input_size or 0)
    table = next((stage for stage in stages if isinstance(stage, LookupStage)), None)
    dtype = layout.dtype.name
    engines = dict.fromkeys(choose(program.plan, dtype) for program in programs)
    if len(engines) == 1:
        scans = [
            StepScan(program.spec, program.parameters, program.kernel(dtype)[1], program.masks) for program in programs
        ]
        own = next(iter(engines)).stepper(scans, None if table is None else table.table, batch, layout.dtype)
        if own is not None:
            return own
    return PlainStepper(table, programs, layout, batch)


BUSY = "another thread is using this stream"


@contextmanager
def alone(lock: Lock) -> Iterator[None]:
    """Run a block that only one thread at a time may enter.

    Raises:
        RuntimeError: another thread is in it.
    """
    if not lock.acquire(blocking=False):
        raise RuntimeError(BUSY)
    try:
        yield
    finally:
        lock.release()


class PlainStepper:
    """A stepper that works with any engine: each step runs sequences of length 1."""

    def __init__(
        self, table: LookupStage | None, programs: Sequence[PackedProgram], layout: Layout, batch: int
    ) -> None:
        self._table, self._programs, self._layout, self._batch = table, programs, layout, batch
        self._states = [[np.zeros((batch, size), layout.dtype) for size in program.state_sizes] for program in programs]
        self._engine = asked()
        self._lock = Lock()

    def step(self, x: Any) -> Array:
        """See ``Stepper``."""
        with alone(self._lock):
            return self._stepped(x)

    def _stepped(self, x: Any) -> Array:
        value = np.asarray(x)
        is_one = value.ndim == (1 if self._table is None else 0) and self._batch == 1
        value = value[None] if is_one else value
        if self._table is not None:
            value, _ = self._table(value)
        if value.shape != (self._batch, self._programs[0].input_size if self._programs else value.shape[-1]):
            size = "" if self._table is not None else f", input_size={self._layout.interface.input_size}"
            raise ValueError(f"a step's input must be (batch={self._batch}{size}); got {np.shape(x)}")
        value = np.asarray(value, self._layout.dtype)[None]
        states = []
        with engine(self._engine):
            for program, before in zip(self._programs, self._states, strict=True):
                result = program(value, before)
                states.append([np.array(state) for state in result.states])  # they may be views of x
                value = result.output
        self._states = states
        return np.array(value[0, 0] if is_one else value[0])

    def states(self) -> list[Array]:
        """See ``Stepper``."""
        return [np.array(state) for states in self._states for state in states]

    def set_states(self, states: list[Array]) -> None:
        """See ``Stepper``."""
        arrays = iter(states)
        with alone(self._lock):
            self._states = [[np.array(next(arrays)) for _ in program.state_sizes] for program in self._programs]

    def reset(self, rows: list[int]) -> None:
        """See ``Stepper``."""
        with alone(self._lock):
            for states in self._states:
                for state in states:
                    state[rows] = 0
