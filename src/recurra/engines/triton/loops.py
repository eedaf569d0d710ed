"""Loops over time: a schedule's loop at given sizes, made into kernels once and launched for every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from recurra.compiler import Schedule
from recurra.engines.triton.generated import load
from recurra.engines.triton.sequences import SequenceSource
from recurra.engines.triton.step_kernels import step_sources
from recurra.engines.triton.steps import LoopArrays, Steps
from recurra.program import Sizes, Variable

SEQUENCES = 16  # of a tile: the fewest rows of a product on tensor cores
UNITS, INNER = (16, 32), 32  # columns of a tile of a step's kernel; rows of a matrix that it reads at once
PROGRAMS = 132  # as many as there are multiprocessors: fewer get narrower tiles
_COMPILED = {"enable_fp_fusion": True}


class Loop(Protocol):
    """A loop over time that has been made into kernels."""

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run it; return the rows that it writes, (rows, width), and the last value of each state."""
        ...


class SequenceLoop:
    """A loop whose programs run all steps of a tile of sequences.

    Args:
        source: the kernel's source.
        sizes: the values of the schedule's symbols.
        precision: of products of float32: a word of Triton's.
        warps: of each program.
    """

    def __init__(self, source: SequenceSource, sizes: Sizes, precision: str, warps: int) -> None:
        self.source, self._sizes, self._precision, self._warps = source, sizes, precision, warps
        self._kernel = load(source.name, source.text)

    def options(self, reset: int, is_packed: bool) -> dict[str, Any]:
        """The constants of the kernel, and how it is compiled."""
        options = {"SEQUENCES": SEQUENCES, "PACKED": is_packed, "RESET": reset, "PRECISION": self._precision}
        units = {"UNITS": self.source.units} if self.source.units else {}
        return {**options, **units, **_COMPILED, "num_warps": self._warps, "num_stages": 1}

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run the loop."""
        source, like = self.source, arrays.states[0]
        inputs = [as_rows(arrays.rows[variable], steps.rows, like.dtype) for variable in source.inputs]
        constants = [as_constant(arrays.constants[variable], like.dtype) for variable in source.constants]
        outputs = {v: like.new_empty((steps.rows, v.width(self._sizes))) for v in source.outputs}
        first = [state.contiguous() for state in arrays.states]
        last = [torch.empty_like(state) for state in first]
        states = [each for pair in zip(first, last, strict=True) for each in pair]
        strides = [rows.stride(0) for rows in inputs]
        tiles = -(-steps.batch // SEQUENCES)
        grid: tuple[int, ...] = (tiles, -(-source.width // source.units)) if source.units else (tiles,)
        if tiles:
            self._kernel[grid](
                *constants, *inputs, *outputs.values(), *states, *strides, steps.begins, steps.counts, steps.reset,
                steps.steps, steps.batch, steps.first, steps.direction,
                **self.options(steps.reset_mode, steps.begins is not None),
            )  # fmt: skip
        return outputs, last


class StepLoop:
    """A loop whose steps are launches: one for each phase and width of a step.

    Args:
        name: of the cell and the pass.
        schedule: the schedule.
        sizes: the values of its symbols.
        precision: of products of float32.
    """

    def __init__(self, name: str, schedule: Schedule, sizes: Sizes, precision: str) -> None:
        self.sources = step_sources(name, schedule, sizes)
        self._schedule, self._sizes, self._precision = schedule, sizes, precision
        self._kernels = [load(source.name, source.text) for source in self.sources]
        self._arrays = list(dict.fromkeys(each for source in self.sources for each in source.arrays))

    def options(self, reset: int, is_packed: bool, tiles: int) -> dict[str, Any]:
        """The constants of the kernels, and how they are compiled, for a number of tiles of sequences."""
        widest = max(source.width for source in self.sources)
        units = next((u for u in reversed(UNITS) if tiles * -(-widest // u) >= PROGRAMS), UNITS[0])
        options = {"SEQUENCES": SEQUENCES, "UNITS": units, "INNER": INNER, "PACKED": is_packed, "RESET": reset}
        return {**options, "PRECISION": self._precision, **_COMPILED, "num_warps": 4, "num_stages": 3}

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run the loop."""
        like = arrays.states[0]
        places: dict[tuple[str, Variable], Tensor] = {}
        for kind, variable in self._arrays:
            if kind == "constant":
                places[(kind, variable)] = as_constant(arrays.constants[variable], like.dtype)
            elif kind == "row":
                places[(kind, variable)] = as_rows(arrays.rows[variable], steps.rows, like.dtype)
            elif kind == "between":
                size = steps.batch, variable.width(self._sizes)
                places[(kind, variable)] = like.new_empty(size, dtype=torch.float32)
        outputs = {v: like.new_empty((steps.rows, v.width(self._sizes))) for v in self._schedule.loop_outputs()}
        places.update((("output", variable), rows) for variable, rows in outputs.items())
        ends = [_two(state) for state in arrays.states]
        if steps.batch:
            self._launch(places, ends, steps)
        return outputs, [pair[steps.steps % 2].to(like.dtype) for pair in ends]

    def _launch(
        self, places: Mapping[tuple[str, Variable], Tensor], ends: Sequence[Sequence[Tensor]], steps: Steps
    ) -> None:
        """Launch all steps. States go from one of two arrays to the other, as a step's programs read all of them."""
        tiles = -(-steps.batch // SEQUENCES)
        options = self.options(steps.reset_mode, steps.begins is not None, tiles)
        calls: list[list[tuple[Any, tuple[object, ...]]]] = [[], []]
        for parity in (0, 1):
            now = dict(places)
            for state, pair in zip(self._schedule.states, ends, strict=True):
                now[("entering", state)], now[("leaving", state)] = pair[parity], pair[1 - parity]
            for source, kernel in zip(self.sources, self._kernels, strict=True):
                given = [now[each] for each in source.arrays]
                strides = [now[each].stride(0) for each in source.arrays if each[0] == "row"]
                grid = (tiles, -(-source.width // options["UNITS"]))
                calls[parity].append((kernel[grid], (*given, *strides, steps.begins, steps.counts, steps.reset)))
        for number in range(steps.steps):
            t = steps.first + number * steps.direction
            for run, arguments in calls[number % 2]:
                run(*arguments, t, steps.batch, **options)


def _two(state: Tensor) -> tuple[Tensor, Tensor]:
    """Two arrays of float32: one that holds a state, and one for the next."""
    return state.to(torch.float32, copy=True).contiguous(), state.new_empty(state.shape, dtype=torch.float32)


def as_rows(value: Tensor, rows: int, dtype: torch.dtype) -> Tensor:
    """A variable's rows as (rows, width), with features one after the other."""
    value = value.reshape(rows, -1) if rows else value.new_empty((0, 1))
    value = value if value.dtype == dtype else value.to(dtype)
    return value if value.stride(-1) == 1 or value.shape[-1] == 1 else value.contiguous()


def as_constant(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A constant with its elements one after the other."""
    return (value if value.dtype == dtype else value.to(dtype)).contiguous()
