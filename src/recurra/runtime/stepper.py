"""Steps through all stages of a model: in one call of its engine, or program by program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from recurra.engines import Stepper, StepScan
from recurra.errors import RecurraError
from recurra.packed.packed_program import Array
from recurra.runtime.further_inputs import FurtherArrays
from recurra.runtime.layout import Layout
from recurra.runtime.running import Stages, repeated_stages, step_programs
from recurra.runtime.stages import LookupStage, RecurrentStage, by_stage

MAX_BATCH = 2**31 - 1  # sequences that are stepped together


def stepper(stages: Stages, layout: Layout, batch: int) -> Stepper:
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
    engines = dict.fromkeys(program.engine(dtype) for program in programs)
    takes_further = [bool(program.program.further_inputs) for program in programs]
    joins = any(takes_further[table is None :])  # a native step joins nothing between programs
    if len(engines) == 1 and not joins and all(stage.is_chain for stage in stages):
        scans = [
            StepScan(program.spec, program.parameters, program.kernel(dtype)[1], program.masks) for program in programs
        ]
        own = next(iter(engines)).stepper(scans, None if table is None else table.table, batch, layout.dtype)
        if own is not None:
            return own
    return PlainStepper(stages, layout, batch)


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
    """A stepper that works with any engine and any stages: each step runs sequences of length 1, prepared once."""

    def __init__(self, stages: Stages, layout: Layout, batch: int) -> None:
        interface, dtype = layout.interface, layout.dtype
        self._layout, self._batch = layout, batch
        self._recurrent = [stage for stage in stages if isinstance(stage, RecurrentStage)]
        self._states, self._last = (
            [[np.zeros((count, batch, size), dtype) for count, size in stage.state_shapes] for stage in self._recurrent]
            for _ in range(2)
        )
        shape = (1, batch) if interface.takes_tokens else (1, batch, interface.input_size or 0)
        self._x: Array = np.zeros(shape, np.int64 if interface.takes_tokens else dtype)
        self._inputs = {each.name: np.zeros((1, batch, each.size), dtype) for each in interface.further_inputs}
        self._lock = Lock()
        ends = iter(self._last)
        self._output, self._runs = repeated_stages(stages, self._x, iter(self._states), ends, self._inputs)

    def step(self, x: Any) -> Array:
        """See ``Stepper``."""
        with alone(self._lock):
            return self._stepped(x, {})

    def step_with(self, x: Any, inputs: FurtherArrays) -> Array:
        """Run a step with inputs beside the first one, each (1, batch, size)."""
        with alone(self._lock):
            return self._stepped(x, inputs)

    def _stepped(self, x: Any, inputs: FurtherArrays) -> Array:
        value = np.asarray(x)
        shape = self._x.shape[1:]
        is_one = value.ndim == len(shape) - 1 and self._batch == 1
        value = value[None] if is_one else value
        if value.shape != shape:
            size = "" if self._layout.interface.takes_tokens else f", input_size={shape[1]}"
            raise ValueError(f"a step's input must be (batch={self._batch}{size}); got {np.shape(x)}")
        self._x[0] = value
        for name, array in inputs.items():
            self._inputs[name][...] = array
        for run in self._runs:
            run()
        for states, last in zip(self._states, self._last, strict=True):
            for state, end in zip(states, last, strict=True):
                state[...] = end
        return np.array(self._output[0, 0] if is_one else self._output[0])

    def states(self) -> list[Array]:
        """See ``Stepper``."""
        return [
            np.array(state)
            for stage, states in zip(self._recurrent, self._states, strict=True)
            for number in range(stage.arrangement.count)
            for state in stage.of_program(states, number)
        ]

    def set_states(self, states: list[Array]) -> None:
        """See ``Stepper``."""
        with alone(self._lock):
            for own, given in zip(self._states, by_stage(self._recurrent, states), strict=True):
                for state, value in zip(own, given, strict=True):
                    state[...] = value

    def reset(self, rows: list[int]) -> None:
        """See ``Stepper``."""
        with alone(self._lock):
            for states in self._states:
                for state in states:
                    state[:, rows] = 0
