"""The networks of a forecaster, run on arrays of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recurra.model import Description
from recurra.runtime.model import Model
from recurra.runtime.packed_program import Array

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

    def __call__(self, past: NDArray[np.float32], future: NDArray[np.float32]) -> list[Array]:
        """Run every member.

        Args:
            past: (context, windows, features), the encoders' input.
            future: (horizon, windows, features), the decoders' input.

        Returns:
            Each member's outputs, (horizon, windows, outputs).
        """
        outputs = []
        for encoder, decoder in self._pairs:
            _, state = encoder(past)
            output, _ = decoder(future, state)
            outputs.append(output)
        return outputs
