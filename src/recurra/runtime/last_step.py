"""The stage that hands on the last step of each sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array, PackedProgram
from recurra.packed.packing import Packing
from recurra.runtime.further_inputs import FurtherArrays


@dataclass(frozen=True)
class LastStepStage:
    """The last step of each sequence, as sequences of one step; in a stream every step is the last one so far.

    Attributes:
        is_bidirectional: whether the second half of the features is that of the first step, where a second direction
            ends.
    """

    is_bidirectional: bool
    has_states = False
    is_chain = True
    output_size = None

    def __call__(
        self,
        x: Array,
        states: Sequence[Array] = (),
        packing: Packing | None = None,
        inputs: FurtherArrays | None = None,
    ) -> tuple[Array, list[Array]]:
        """See ``ModelStage``; sequences without steps have zeros."""
        if not len(x):
            return np.zeros((1, *x.shape[1:]), x.dtype), []
        last = np.array(x[-1:]) if packing is None else packing.last(x)
        if self.is_bidirectional:
            half = x.shape[-1] // 2
            last[..., half:] = x[:1, :, half:]
        return last, []

    def repeated(
        self,
        x: Array,
        states: Sequence[Array],
        last: Sequence[Array],
        inputs: FurtherArrays | None = None,
    ) -> tuple[Array, list[Callable[[], object]]]:
        """See ``ModelStage``."""
        output = np.empty((1, *x.shape[1:]), x.dtype)
        runs: list[Callable[[], object]] = [partial(np.copyto, output, x[-1:])]
        if self.is_bidirectional:
            half = x.shape[-1] // 2
            runs.append(partial(np.copyto, output[..., half:], x[:1, :, half:]))
        return output, runs

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``."""
        if self.is_bidirectional:
            raise RecurraError("a bidirectional model cannot be stepped: it would need the steps to come")
        return ()
