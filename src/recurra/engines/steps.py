"""Steps: computations on arrays of numpy that stay where they are, and that run again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Array = Any  # a numpy array
SettledRun = Callable[[], None]  # reads its arrays as they are then, and writes its results
TwoSizes = tuple[int, int]


@dataclass(frozen=True)
class WindowSpec:
    """WindowSpec that move over (images, channels, height, width): what a convolution or a pooling sees.

    Attributes:
        kernel: the height and width of a window, in elements.
        strides: the distance of neighbouring windows.
        dilations: the distance of neighbouring elements of a window.
        before: zeros before the first row and column; a maximum does not see them.
        after: zeros after the last row and column.
        groups: groups of channels, each with its own filters.
    """

    kernel: TwoSizes
    strides: TwoSizes = (1, 1)
    dilations: TwoSizes = (1, 1)
    before: TwoSizes = (0, 0)
    after: TwoSizes = (0, 0)
    groups: int = 1


@dataclass(frozen=True)
class Operations:
    """Elementwise operations in order, on numbered values: first the arrays, then the literals, then temporaries.

    Attributes:
        each: the name of an operation of the table, the number of its result, the numbers of its operands.
        literals: numbers that are the same for all elements.
    """

    each: Sequence[tuple[str, int, tuple[int, ...]]]
    literals: Sequence[float] = ()


class StepMaker(Protocol):
    """Makes steps on contiguous arrays of float32 or float64. A step keeps its arrays alive.

    Every method raises ValueError if the arrays do not fit together.
    """

    def convolution(
        self, x: Array, weights: Array, bias: Array | None, y: Array, windows: WindowSpec, then: Operations | None
    ) -> SettledRun:
        """The cross-correlation of x with weights.

        Args:
            x: (images, channels, height, width).
            weights: (filters, channels / groups, *kernel); they stay as they are.
            bias: (filters), which stays as it is; None for zeros.
            y: (images, filters, height, width), which is written.
            windows: the windows.
            then: elementwise operations from the sum, array 0, to y, array 1; None for none.
        """
        ...

    def largest(self, x: Array, y: Array, windows: WindowSpec) -> SettledRun:
        """The largest element of each window; NaN where one is NaN."""
        ...

    def mean(self, x: Array, counts: Array, y: Array, windows: WindowSpec) -> SettledRun:
        """The sum of each window divided by its count, (height, width) of y."""
        ...

    def elementwise(self, arrays: Sequence[Array], operations: Operations) -> SettledRun:
        """Elementwise operations on matrices (rows, columns); a size of 1 broadcasts. Columns must be contiguous."""
        ...

    def copy(self, source: Array, target: Array) -> SettledRun:
        """A copy between arrays of any strides, of the same shape and dtype."""
        ...

    def joined(self, runs: Sequence[SettledRun]) -> list[SettledRun]:
        """The same runs in the same order, where possible several in one call."""
        ...

    def is_own(self, runs: Sequence[SettledRun]) -> bool:
        """Whether all runs are steps of the engine, which give no warnings about their numbers."""
        ...
