"""The networks of a forecaster, run on arrays of windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from recurra.model import Description
from recurra.model.recurrent_parts import directions
from recurra.packed.packed_program import Array
from recurra.runtime.model import Model
from recurra.runtime.running import repeated_stages

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Networks:
    """The members of an ensemble of encoders and decoders, ready to run.

    Args:
        description: an ``Ensemble`` of ``EncoderDecoder``s that take and give the same features.
    """

    def __init__(self, description: Description) -> None:
        self._pairs = [tuple(map(Model, member.members())) for member in description.members()]

    @property
    def inputs(self) -> tuple[int | None, int | None]:
        """The numbers of features that encoders and decoders take; None where any number will do."""
        encoder, decoder = self._pairs[0]
        return encoder.input_size, decoder.input_size

    @property
    def is_forward(self) -> bool:
        """True if every decoder reads forward alone: fewer steps of the horizon are the same first steps then."""
        parts = [part for _, decoder in self._pairs for _, part in decoder.description.root.walk()]
        return all(directions(part) == 1 for part in parts if not part.children)

    def __call__(self, past: NDArray[np.float32], future: NDArray[np.float32]) -> list[Array]:
        """Run every member.

        Args:
            past: (context, windows, features), the encoders' input.
            future: (horizon, windows, features), the decoders' input.

        Returns:
            Each member's outputs, (horizon, windows, outputs).
        """
        return [self.run(number, past, future) for number in range(len(self._pairs))]

    def run(self, number: int, past: NDArray[np.float32], future: NDArray[np.float32]) -> Array:
        """Run one member on arrays as of a call; return its outputs, (horizon, windows, outputs)."""
        encoder, decoder = self._pairs[number]
        _, state = encoder(past)
        output: Array = decoder(future, state)[0]
        return output

    def repeated(self, past: NDArray[np.float32], future: NDArray[np.float32]) -> RepeatedNetworks:
        """Prepare runs over arrays that stay where they are, and may change between runs; shaped as in a call."""
        return RepeatedNetworks(self._pairs, past, future)


class RepeatedNetworks:
    """Members that run again and again over the same two arrays, on what these hold then.

    They run on the engine that is chosen when they are prepared.

    Args:
        pairs: each member's encoder and decoder.
        past: (context, windows, features), the encoders' input.
        future: (horizon, windows, features), the decoders' input.

    Attributes:
        outputs: (horizon, members * windows, outputs), the members beside each other; each run overwrites it.
    """

    def __init__(self, pairs: list[tuple[Model, ...]], past: NDArray[np.float32], future: NDArray[np.float32]) -> None:
        dtype, windows = pairs[0][0].dtype, past.shape[1]
        self._given = [(array, np.empty(array.shape, dtype)) for array in (past, future) if array.dtype != dtype]
        first = {id(array): taken for array, taken in self._given}
        self._runs: list[Callable[[], object]] = []
        self._outputs: list[Array] = []
        for encoder, decoder in pairs:
            start, between = (encoder.layout.states(None, windows, True) for _ in range(2))
            last = decoder.layout.states(None, windows, True)
            self._prepare(encoder, first.get(id(past), past), start, between)
            self._outputs.append(self._prepare(decoder, first.get(id(future), future), between, last))
        self.outputs = np.concatenate(self._outputs, axis=1)

    def _prepare(self, model: Model, x: Array, states: list[list[Array]], last: list[list[Array]]) -> Array:
        """Prepare the stages of a model; return where its output will be."""
        output, runs = repeated_stages(model.stages, x, iter(states), iter(last))
        self._runs += runs
        return output

    def __call__(self) -> Array:
        """Run every member; return ``outputs``."""
        for array, taken in self._given:
            taken[...] = array
        for run in self._runs:
            run()
        np.concatenate(self._outputs, axis=1, out=self.outputs)
        return self.outputs
