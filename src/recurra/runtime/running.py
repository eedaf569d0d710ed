"""Runs of all stages of a model, with the sums around some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from recurra.packed.packed_program import Array, PackedProgram
from recurra.packed.packing import Packing
from recurra.runtime.further_inputs import FurtherArrays
from recurra.runtime.stages import NONE, ModelStage


@dataclass(frozen=True)
class SumMark:
    """An end of a sum around stages: what goes into the first is added to what the last gives.

    Attributes:
        is_end: whether it stands behind the last stage, and not before the first.
    """

    is_end: bool
    has_states = False
    is_chain = False
    output_size = None

    def step_programs(self, width: int) -> Sequence[PackedProgram]:
        """See ``ModelStage``; a sum has none."""
        return ()


Stages = Sequence[ModelStage | SumMark]


def with_sums(stages: Sequence[ModelStage], sums: Sequence[tuple[int, int]]) -> list[ModelStage | SumMark]:
    """The stages with marks around those whose input is added to their output.

    Args:
        stages: the stages, one for each part that computes.
        sums: the number of the first of such stages, and that behind the last one; outer ones come first.
    """
    marked: list[ModelStage | SumMark] = []
    for number, stage in enumerate((*stages, None)):
        marked += [SumMark(True)] * sum(behind == number for _, behind in sums)
        marked += [SumMark(False)] * sum(first == number for first, _ in sums)
        marked += [] if stage is None else [stage]
    return marked


def run_stages(
    stages: Stages,
    x: Array,
    states: Sequence[Sequence[Array]],
    packing: Packing | None = None,
    inputs: FurtherArrays = NONE,
) -> tuple[Array, list[list[Array]]]:
    """Run all stages over sequences.

    Args:
        stages: the model's stages.
        x: (T, batch, features), or tokens (T, batch).
        states: the first states of each stage that has any.
        packing: the packing of the sequences; None where all have T steps.
        inputs: the inputs beside the first one. Default: the model has none.

    Returns:
        The output, (T, batch, features), a new array, and the last states.
    """
    first, last, value = iter(states), [], x
    held: list[Array] = []
    for stage in stages:
        if isinstance(stage, SumMark):
            if stage.is_end:
                value = held.pop() + value
            else:
                held.append(value)
            continue
        value, ends = stage(value, next(first) if stage.has_states else (), packing, inputs)
        if stage.has_states:
            last.append(ends)
    return (np.array(x) if value is x else value), last


def repeated_stages(
    stages: Stages,
    x: Array,
    states: Iterator[Sequence[Array]],
    last: Iterator[Sequence[Array]],
    inputs: FurtherArrays = NONE,
) -> tuple[Array, list[Callable[[], object]]]:
    """Prepare runs of all stages over arrays that stay where they are.

    Args:
        stages: the model's stages.
        x: as in ``run_stages``; it may change between runs.
        states: the states of each stage that has any; they may change between runs.
        last: the last states of each such stage, which each run writes.
        inputs: the inputs beside the first one; they may change between runs. Default: the model has none.

    Returns:
        The output, and functions that write it; a run calls all of them in order.
    """
    runs: list[Callable[[], object]] = []
    held: list[Array] = []
    for stage in stages:
        if isinstance(stage, SumMark):
            if stage.is_end:
                runs.append(partial(np.add, held.pop(), x, x))
            else:
                held.append(x)
            continue
        has = stage.has_states
        x, more = stage.repeated(x, next(states) if has else (), next(last) if has else (), inputs)
        runs += more
    return x, runs


def step_programs(stages: Stages, width: int) -> list[PackedProgram]:
    """The programs that one step on ``width`` features runs, one after the other.

    Raises:
        RecurraError: a layer is bidirectional.
    """
    programs: list[PackedProgram] = []
    for stage in stages:
        programs += stage.step_programs(width)
        width = width if stage.output_size is None else stage.output_size
    return programs
