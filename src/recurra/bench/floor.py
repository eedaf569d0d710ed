"""The least time that a layer can take on this machine: its products at the processor's measured peak.

For each layer and direction, with G gates::

    t_x = max(2·T·B·G·I·H / P, G·I·H·4 / BW)            the input's products, for all steps at once
    t_r = T · max(2·B·G·H² / P, G·H²·4 / BW)            the recurrent products, one after the other

Training adds the gradients of the input's weights (t_x), the gradient of a layer's input if there is a layer below
(t_x), the gradients of the states (t_r), and the gradients of the recurrent weights, in one product for all steps
(2·T·B·G·H² / P). P is the peak of matrix products and BW the bandwidth of the smallest cache that the weights fit in,
both measured. Elementwise work counts as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from recurra.bench.cases import Case

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
FLOAT = 4
FULL = 7 / 8  # the part of a cache that weights can use


@dataclass(frozen=True)
class Level:
    """A cache, or the memory.

    Attributes:
        name: L1, L2, L3 or memory.
        capacity: bytes, for each core or, if the cache is shared, for all together; 0 for no limit.
        shared: whether all cores share it.
        bandwidth: bytes per second that all threads together read from it.
    """

    name: str
    capacity: int
    shared: bool
    bandwidth: float


@dataclass(frozen=True)
class Roof:
    """The best performance of a number of threads.

    Attributes:
        threads: the number of threads.
        peak: floating point operations per second in matrix products.
        levels: the caches from the smallest on, then the memory.
    """

    threads: int
    peak: float
    levels: tuple[Level, ...]

    def level(self, size: int) -> Level:
        """The smallest cache that holds weights of so many bytes, of which each thread has a part; or the memory."""
        for level in self.levels[:-1]:
            if size / (1 if level.shared else self.threads) <= FULL * level.capacity:
                return level
        return self.levels[-1]

    def reading(self, size: int) -> float:
        """Seconds to read so many bytes from the level that holds them."""
        return size / self.level(size).bandwidth


def floor(case: Case, roof: Roof) -> float:
    """The least seconds that a case of one of torch.nn's cells can take."""
    shape, gates = case.shape, GATES[case.cell]
    rows, hidden = shape.steps * shape.batch, shape.hidden
    recurrent = gates * hidden * hidden
    t_r = shape.steps * max(2 * shape.batch * recurrent / roof.peak, roof.reading(recurrent * FLOAT))
    seconds = 0.0
    for number, width in enumerate(shape.input_sizes):
        weights = gates * width * hidden
        t_x = max(2 * rows * weights / roof.peak, roof.reading(weights * FLOAT))
        seconds += t_x + t_r
        if case.training:
            seconds += t_x * (2 if number else 1) + t_r + 2 * rows * recurrent / roof.peak
    return seconds * shape.directions
