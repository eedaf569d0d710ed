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


@dataclass(frozen=True)
class IntegerProduct:
    """The arrays of an exact product of 8-bit numbers, or of their convolution, whose columns are then its filters.

    Attributes:
        a: (rows, k), int8 or uint8; for a convolution (images, channels, height, width).
        zero: a's zero point, one number; None for 0.
        y: (rows, columns), or (images, filters, height, width), which is written: the sums, int32; or float32, the
            sums times both scales, plus the bias; or of 8 bits, the sums times both scales over y_scale, rounded, plus
            y_zero.
        a_scale: one number, float32; None for 1.
        b_scale: one number or (columns), float32; None for 1.
        bias: one number or (columns), float32.
        y_scale: one number, float32.
        y_zero: one number, of y's dtype.
        added: one number or (columns), int32: what is added to the sums before all else, unless these are the result.
        is_rectified: whether negative results of float32 become zeros.
    """

    a: Array
    zero: Array | None
    y: Array
    a_scale: Array | None = None
    b_scale: Array | None = None
    bias: Array | None = None
    y_scale: Array | None = None
    y_zero: Array | None = None
    added: Array | None = None
    is_rectified: bool = False


@dataclass(frozen=True)
class Quanta:
    """Numbers of 8 bits that stand for scale · (number - zero).

    Attributes:
        numbers: int8 or uint8.
        scale: float32; read in each run.
        zero: of the dtype of the numbers, read in each run; None for 0.
    """

    numbers: Array
    scale: Array
    zero: Array | None


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

    def integer_matrix(self, b: Array, zeros: Array | None) -> object:
        """A matrix (k, columns) of 8-bit numbers minus their zero points, packed for ``integer_product``.

        Args:
            b: int8 or uint8.
            zeros: one number or (columns), of b's dtype; None for zeros.
        """
        ...

    def integer_product(self, matrix: object, product: IntegerProduct) -> SettledRun:
        """The exact product of rows of 8-bit numbers and a packed matrix."""
        ...

    def integer_convolution(
        self, weights: Array, zeros: Array | None, windows: WindowSpec, product: IntegerProduct
    ) -> SettledRun:
        """The exact cross-correlation of 8-bit numbers with weights, which stay as they are.

        Args:
            weights: (filters, channels / groups, *kernel), int8 or uint8.
            zeros: one number or (filters), of the dtype of the weights; None for zeros.
            windows: the windows; the padding has the number of the zero point.
            product: the other arrays.
        """
        ...

    def quantization(self, x: Array, y: Quanta) -> SettledRun:
        """Whole numbers for x / scale, rounded, plus the zero point.

        Args:
            x: (outer, channels, inner), float32.
            y: likewise; scale and zero point have one number or (channels).
        """
        ...

    def dequantization(self, x: Quanta, y: Array) -> SettledRun:
        """The float32 that whole numbers stand for; sizes as for ``quantization``."""
        ...

    def lookup(self, x: Array, y: Array, table: Array) -> SettledRun:
        """The entry of a table for each byte of x.

        Args:
            x: (rows, columns), int8 or uint8, with contiguous columns.
            y: likewise.
            table: (256), int8 or uint8: for the bytes from 0 to 255, signed numbers as two's complements.
        """
        ...

    def operations_on_bytes(self, inputs: Sequence[Quanta], y: Quanta, operations: Operations) -> SettledRun:
        """Elementwise operations on the floats that matrices of 8-bit numbers stand for, rounded to others.

        Args:
            inputs: matrices as for ``elementwise``, each with one scale and at most one zero point.
            y: the result, likewise; its number among the values is that behind the inputs.
            operations: the operations.
        """
        ...

    def dynamic_quantization(self, x: Array, y: Array, scale: Array, zero: Array) -> SettledRun:
        """Whole numbers y for x, uint8, by its own range; their scale and zero point, one number each."""
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
