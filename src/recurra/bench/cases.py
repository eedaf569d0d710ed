"""The cases: a grid of cells, shapes and modes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

STANDARD = ("lstm", "gru", "rnn")
CUSTOM = ("peephole_lstm", "mgu", "layer_norm_lstm")
MODES = (False, True)


@dataclass(frozen=True)
class CaseShape:
    """Sizes of a case.

    Attributes:
        steps: T, the length of the sequences.
        batch: B, the number of sequences.
        input: I, the features of the input.
        hidden: H, the units.
        layers: L, the number of layers.
        directions: 1, or 2 for a bidirectional layer.
    """

    steps: int
    batch: int
    input: int
    hidden: int
    layers: int = 1
    directions: int = 1

    def __str__(self) -> str:
        sizes = ",".join(map(str, (self.steps, self.batch, self.input, self.hidden, self.layers)))
        return sizes + " bidirectional" * (self.directions == 2)

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Features of the input of each layer."""
        return (self.input, *[self.hidden * self.directions] * (self.layers - 1))


@dataclass(frozen=True)
class Case:
    """One case to time.

    Attributes:
        group: ``stream`` (one step of a layer, with states as arguments), ``layer`` (whole sequences), ``packed``
            (sequences of unequal lengths), ``step`` (one call of a cell), ``custom`` (a cell that torch.nn does not
            have) or ``own`` (a custom cell beside recurra's own LSTM).
        cell: its name in ``recurra.cells``.
        shape: the sizes.
        training: whether a backward pass follows; the input needs no gradient, as in a first layer.
    """

    group: str
    cell: str
    shape: CaseShape
    training: bool

    @property
    def mode(self) -> str:
        """``training`` or ``inference``."""
        return "training" if self.training else "inference"

    @property
    def name(self) -> str:
        """Group, cell, shape and mode; no two cases share it."""
        return f"{self.group} {self.cell} {self.shape} {self.mode}"


STREAM = CaseShape(1, 1, 128, 128)
LAYERS = (
    CaseShape(100, 1, 32, 32),
    CaseShape(100, 1, 128, 128),
    CaseShape(100, 1, 512, 512),
    CaseShape(49, 1, 10, 118),
    CaseShape(100, 32, 28, 128),
    CaseShape(100, 32, 128, 256, 2),
    CaseShape(35, 20, 200, 200, 2),
    CaseShape(35, 64, 256, 512, 2),
    CaseShape(784, 64, 1, 128),
    CaseShape(70, 80, 400, 1150),
    CaseShape(168, 32, 50, 40, 2),
    CaseShape(500, 8, 256, 512, 1, 2),
)
PACKED = (
    CaseShape(100, 32, 28, 128),
    CaseShape(100, 32, 128, 256, 2),
    CaseShape(35, 20, 200, 200, 2),
    CaseShape(168, 32, 50, 40, 2),
)
STEPS = tuple(CaseShape(1, batch, size, size) for size in (32, 128, 512) for batch in (1, 32))
CUSTOM_SHAPES = (CaseShape(100, 1, 32, 32), CaseShape(100, 32, 128, 256))
OWN = tuple(CaseShape(100, batch, size, size) for size in (128, 256, 512) for batch in (1, 32))
MEMORY = Case("memory", "lstm", CaseShape(784, 64, 1, 128), True)

# The shapes that `quick` keeps of each group.
QUICK = {
    "stream": {STREAM},
    "layer": {
        CaseShape(100, 1, 32, 32),
        CaseShape(100, 1, 128, 128),
        CaseShape(100, 32, 28, 128),
        CaseShape(35, 20, 200, 200, 2),
    },
    "packed": {CaseShape(35, 20, 200, 200, 2)},
    "step": {CaseShape(1, 1, 128, 128), CaseShape(1, 32, 128, 128)},
    "custom": set(CUSTOM_SHAPES),
    "own": {CaseShape(100, 32, 128, 128)},
}


def cases() -> Iterator[Case]:
    """The whole grid, group by group."""
    for cell, training in product(STANDARD, MODES):
        yield Case("stream", cell, STREAM, training)
    for shape, cell, training in product(LAYERS, STANDARD, MODES):
        yield Case("layer", cell, shape, training)
    for shape, cell in product(PACKED, STANDARD):
        yield Case("packed", cell, shape, True)
    for shape, cell, training in product(STEPS, STANDARD, MODES):
        yield Case("step", cell, shape, training)
    for shape, cell, training in product(CUSTOM_SHAPES, CUSTOM, MODES):
        yield Case("custom", cell, shape, training)
    for shape, training in product(OWN, MODES):
        yield Case("own", "peephole_lstm", shape, training)


def is_quick(case: Case) -> bool:
    """Whether `quick` keeps the case."""
    return case.shape in QUICK[case.group]
