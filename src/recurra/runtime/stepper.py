"""One step at a time through all stages of a model: by its engine in one call, or run by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from recurra.engines import Stepper, StepScan, asked, choose, engine
from recurra.errors import RecurraError
from recurra.runtime.model import Model
from recurra.runtime.run import Array, Run
from recurra.runtime.stages import FeedForward, Lookup

MAX_BATCH = 2**31 - 1  # sequences that are stepped together


def runs(model: Model, width: int) -> list[Run]:
    """Every run of a model, in order; they must all go forwards.

    Args:
        model: the model.
        width: features of the input, where no part of the model settles it.

    Raises:
        RecurraError: a layer is bidirectional.
    """
    found: list[Run] = []
    width = width if model.input_size is None else model.input_size
    for stage in model.stages:
        if isinstance(stage, FeedForward):
            found.append(stage.run(width))
            width = width if stage.output_size is None else stage.output_size
        elif not isinstance(stage, Lookup):
            if len(stage.runs[0]) > 1:
                raise RecurraError("a bidirectional model cannot be stepped: it would need the steps to come")
            found += [layer[0] for layer in stage.runs]
            width = stage.output_size
        else:
            width = stage.output_size
    return found


def stepper(model: Model, batch: int) -> Stepper:
    """Steps of a model, by the engine that is chosen now.

    Raises:
        RecurraError: it cannot be stepped.
    """
    if model.input_size is None and not model.takes_tokens:
        raise RecurraError("nothing settles the size of this model's input: it cannot be stepped")
    chain = runs(model, 0)
    dtype, first = model.dtype.name, model.stages[0] if model.stages else None
    engines = dict.fromkeys(choose(run.plan, dtype) for run in chain)
    if len(engines) == 1:
        scans = [
            StepScan(run.spec, run.parameters, run.kernel(dtype)[1], [(mask.width, mask.mean) for mask in run.masks])
            for run in chain
        ]
        table = first.table if isinstance(first, Lookup) else None
        made = next(iter(engines)).stepper(scans, table, batch, model.dtype)
        if made is not None:
            return made
    return PlainStepper(model, chain, batch)


BUSY = "another thread is using this stream"


@contextmanager
def alone(lock: Lock) -> Iterator[None]:
    """A block that one thread at a time is in.

    Raises:
        RuntimeError: another one is.
    """
    if not lock.acquire(blocking=False):
        raise RuntimeError(BUSY)
    try:
        yield
    finally:
        lock.release()


class PlainStepper:
    """Steps through any engine, a sequence of length 1 at a time."""

    def __init__(self, model: Model, chain: Sequence[Run], batch: int) -> None:
        self._model, self._chain, self._batch = model, chain, batch
        self._states = [[np.zeros((batch, size), model.dtype) for size in run.state_sizes] for run in chain]
        self._engine = asked()
        self._lock = Lock()

    def step(self, x: Any) -> Array:
        """See ``Stepper``."""
        with alone(self._lock):
            return self._stepped(x)

    def _stepped(self, x: Any) -> Array:
        first = self._model.stages[0] if self._model.stages else None
        value = np.asarray(x)
        is_one = value.ndim == (0 if isinstance(first, Lookup) else 1) and self._batch == 1
        value = value[None] if is_one else value
        if isinstance(first, Lookup):
            value = first(value)
        if value.shape != (self._batch, self._chain[0].input_size if self._chain else value.shape[-1]):
            size = "" if isinstance(first, Lookup) else f", input_size={self._model.input_size}"
            raise ValueError(f"a step's input must be (batch={self._batch}{size}); got {np.shape(x)}")
        value = np.asarray(value, self._model.dtype)[None]
        states = []
        with engine(self._engine):
            for run, before in zip(self._chain, self._states, strict=True):
                result = run(value, before)
                states.append([np.array(state) for state in result.states])  # they may be views of x
                value = result.output
        self._states = states
        return np.array(value[0, 0] if is_one else value[0])

    def states(self) -> list[Array]:
        """See ``Stepper``."""
        return [np.array(state) for states in self._states for state in states]

    def set_states(self, states: list[Array]) -> None:
        """See ``Stepper``."""
        given = iter(states)
        with alone(self._lock):
            self._states = [[np.array(next(given)) for _ in run.state_sizes] for run in self._chain]

    def reset(self, rows: list[int]) -> None:
        """See ``Stepper``."""
        with alone(self._lock):
            for states in self._states:
                for state in states:
                    state[rows] = 0
