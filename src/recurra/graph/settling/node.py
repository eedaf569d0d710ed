"""A node while its graph is settled, and the table of settlers: functions that settle nodes of some operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra.engines import StepMaker
from recurra.engines.steps import SettledRun
from recurra.graph.operators.limits import checked_shape
from recurra.graph.running import NodeStep
from recurra.graph.settling.memory import Buffers
from recurra.graph.table import Array

FLOATS = ("float32", "float64")
BYTES = ("uint8", "int8")


class SettlingNode:
    """A node whose inputs stay where they are, while its steps are made.

    Attributes:
        step: the node.
        inputs: its inputs; None for one that is left out. Those that are known never change, of the others alone shape,
            dtype and memory count.
        maker: makes steps.
        buffers: hands out arrays.
        runs: the steps that were made so far, in order.
        outputs: the names of the values that the steps write: those of the last node that was taken.
    """

    def __init__(
        self,
        step: NodeStep,
        inputs: Sequence[Array | None],
        known: Sequence[bool],
        maker: StepMaker,
        buffers: Buffers,
        followers: Callable[[str], NodeStep | None],
        constant: Callable[[str], Array | None],
        settled: Callable[[str], Array | None] = lambda name: None,
    ) -> None:
        self.step, self.inputs, self.maker, self.buffers = step, inputs, maker, buffers
        self.runs: list[SettledRun] = []
        self.outputs = step.outputs
        self.taken: list[NodeStep] = []
        self._known, self._followers, self._constant, self._settled = known, followers, constant, settled
        self._passing: list[Array] = []

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.step.operator

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as operators take it."""
        return self.step.attributes.get(name, default)

    def input(self, number: int) -> Array | None:
        """An input; None if it is left out."""
        return self.inputs[number] if number < len(self.inputs) else None

    def known(self, number: int) -> Array | None:
        """An input that never changes; None if it may change or is left out."""
        return self.inputs[number] if number < len(self.inputs) and self._known[number] else None

    def are_known(self, numbers: Sequence[int]) -> bool:
        """Whether these inputs never change, or are left out."""
        return all(self.input(number) is None or self._known[number] for number in numbers)

    def array(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A contiguous array for an output.

        Raises:
            ValueError: it would have more than 2 GiB.
        """
        return self.buffers.array(checked_shape(shape, np.dtype(dtype)), dtype)

    def contiguous(self, array: Array) -> Array:
        """The array, or a contiguous copy, which a step makes."""
        if array.flags.c_contiguous:
            return array
        copied = self.passing(array.shape, array.dtype)
        self.runs.append(self.maker.copy(array, copied))
        return copied

    def passing(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A contiguous array that this node's steps alone use.

        Raises:
            ValueError: it would have more than 2 GiB.
        """
        array = self.array(shape, dtype)
        self.buffers.use(array)
        self._passing.append(array)
        return array

    def next(self) -> tuple[NodeStep, list[Array | None]] | None:
        """The only node that reads the result so far, with its inputs.

        They are None for the result itself, for unknown ones and those left out. None if the result is an output of the
        graph, if several nodes read it, or if the node reads it twice.
        """
        wanted = [name for name in self.outputs if name]
        step = self._followers(wanted[0]) if len(wanted) == 1 else None
        if step is None or step.inputs.count(wanted[0]) != 1:
            return None
        return step, [self._constant(name) for name in step.inputs]

    def other_operand(self, *operators: str) -> tuple[NodeStep, Array] | None:
        """The next node if it is one of these of two operands, with the operand that is not the result so far.

        None if that operand is computed later.
        """
        found = self.next()
        if found is None or found[0].operator not in operators or len(found[0].inputs) != 2:
            return None
        (name,) = (each for each in found[0].inputs if each not in self.outputs)
        array = self._settled(name)
        return None if array is None else (found[0], array)

    def take(self, step: NodeStep) -> None:
        """Do the work of the next node too: this node's results are that node's outputs."""
        self.taken.append(step)
        self.outputs = step.outputs

    def forget(self) -> None:
        """Free the arrays that only this node's steps use."""
        for array in self._passing:
            self.buffers.release(array)


Settler = Callable[[SettlingNode], Sequence[Array] | None]
SETTLERS: dict[str, Settler] = {}


def settler(*operators: str) -> Callable[[Settler], Settler]:
    """Enter a function in the table, as a decorator: it settles nodes of these operators.

    It appends to ``node.runs``, and returns the arrays that these write, or views of inputs, one for each output. If it
    returns None, which it must before it changes anything, the operator's own function runs in each call.
    """

    def enter(function: Settler) -> Settler:
        SETTLERS.update(dict.fromkeys(operators, function))
        return function

    return enter


def is_float(*arrays: Array | None) -> bool:
    """Whether arrays are there, have elements, and all are float32 or all float64."""
    first = arrays[0]
    return first is not None and all(
        each is not None and each.dtype == first.dtype and each.dtype.name in FLOATS and each.size > 0
        for each in arrays
    )


def is_bytes(*arrays: Array | None) -> bool:
    """Tell whether arrays are there, have elements, and are of 8-bit numbers."""
    return all(each is not None and each.dtype.name in BYTES and each.size > 0 for each in arrays)


def matrix_of(array: Array, rows: int, columns: int) -> Array | None:
    """A view (rows, columns) with contiguous columns; None if there is none."""
    view: Array = array.view()
    try:
        view.shape = (rows, columns)
    except (AttributeError, ValueError):
        return None
    return view if columns == 1 or view.strides[1] == view.itemsize else None


def scalar_of(array: Array | None) -> float | None:
    """The number in an array of one element; None if there is not exactly one."""
    return None if array is None or np.size(array) != 1 else float(np.asarray(array).reshape(()))
