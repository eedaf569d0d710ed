"""A loop whose steps are launches: one for each phase and width of a step, all of a shape in one CUDA graph."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from recurra.compiler import Schedule
from recurra.engines.triton.generated import load
from recurra.engines.triton.loops import COMPILED, SEQUENCES, as_constant, as_rows
from recurra.engines.triton.step_kernels import StepSource, step_sources
from recurra.engines.triton.steps import LoopArrays, Steps
from recurra.program import Sizes, Variable

_logger = logging.getLogger("recurra")

UNITS = 16, 32  # columns of a tile
INNER = 32  # rows of a matrix that a kernel reads at once
MOST_PRODUCTS = 7  # of float32 with that many rows: more take too many registers, and read half the rows at once
PROGRAMS = 132  # as many as there are multiprocessors: fewer programs get narrower tiles
GRAPHS = 4  # kept by a loop, each for one shape
_NO_GRAPH = "a shape whose runs are launched step by step"
_GRAPH_BYTES = 1 << 28  # the most that a graph's own copy of its inputs may take

ArrayPlace = tuple[str, Variable]  # the kind of an array (``step_kernels.KINDS``), and its variable


@dataclass(eq=False)
class _LaunchedLoop:
    """The tensors of one run.

    Attributes:
        given: the constants and rows.
        ends: for each state two arrays of float32; the first holds its first value.
        made: the rows that the run writes, and the values between phases.
        steps: the steps.
    """

    given: dict[ArrayPlace, Tensor]
    ends: list[tuple[Tensor, Tensor]]
    made: dict[ArrayPlace, Tensor]
    steps: Steps

    def inputs(self) -> list[Tensor]:
        """All tensors whose numbers a caller gives."""
        steps = self.steps
        beside = [each for each in (steps.begins, steps.counts, steps.reset) if each is not None]
        return [*self.given.values(), *(first for first, _ in self.ends), *beside]

    def copied(self) -> _LaunchedLoop:
        """The same run on memory of its own."""
        steps = self.steps
        beside = {name: getattr(steps, name) for name in ("begins", "counts", "reset")}
        beside = {name: None if value is None else value.clone() for name, value in beside.items()}
        return _LaunchedLoop(
            {place: value.clone() for place, value in self.given.items()},
            [(first.clone(), torch.empty_like(other)) for first, other in self.ends],
            {place: torch.empty_like(value) for place, value in self.made.items()},
            replace(steps, **beside),
        )


class StepLoop:
    """A loop whose steps are launches.

    On a GPU the second run of a shape records all its launches as one CUDA graph, which later runs replay.

    Args:
        name: of the cell and the pass.
        schedule: the schedule.
        sizes: the values of its symbols.
        precision: of products of float32: a word of Triton's.
    """

    def __init__(self, name: str, schedule: Schedule, sizes: Sizes, precision: str) -> None:
        self.sources = step_sources(name, schedule, sizes)
        self._schedule, self._sizes, self._precision = schedule, sizes, precision
        self._kernels = [load(source.name, source.text) for source in self.sources]
        self._places = list(dict.fromkeys(each for source in self.sources for each in source.arrays))
        self._graphs: dict[object, tuple[Any, _LaunchedLoop] | str | None] = {}

    def options(
        self, source: StepSource, dtype: torch.dtype, reset: int, is_packed: bool, tiles: int
    ) -> dict[str, Any]:
        """The constants of a kernel, and how it is compiled, for tensors' dtype and a number of tiles of sequences."""
        widest = max(source.width for source in self.sources)
        units = next((u for u in reversed(UNITS) if tiles * -(-widest // u) >= PROGRAMS), UNITS[0])
        inner = INNER // 2 if dtype == torch.float32 and source.products > MOST_PRODUCTS else INNER
        options = {"SEQUENCES": SEQUENCES, "UNITS": units, "INNER": inner, "PACKED": is_packed, "RESET": reset}
        return {**options, "PRECISION": self._precision, **COMPILED, "num_warps": 4, "num_stages": 3}

    def __call__(self, arrays: LoopArrays, steps: Steps) -> tuple[dict[Variable, Tensor], list[Tensor]]:
        """Run the loop."""
        like, run = arrays.states[0], self._run(arrays, steps)
        if steps.batch and steps.steps:
            if _has_graphs(like.device):
                run = self._on_gpu(run)
            else:
                self._launch(run)
        outputs = {variable: rows for (kind, variable), rows in run.made.items() if kind == "output"}
        return outputs, [pair[steps.steps % 2].to(like.dtype) for pair in run.ends]

    def _run(self, arrays: LoopArrays, steps: Steps) -> _LaunchedLoop:
        """The tensors of a run on new memory."""
        like, given, made = arrays.states[0], dict[ArrayPlace, Tensor](), dict[ArrayPlace, Tensor]()
        for kind, variable in self._places:
            if kind == "constant":
                given[(kind, variable)] = as_constant(arrays.constants[variable], like.dtype)
            elif kind == "row":
                given[(kind, variable)] = as_rows(arrays.rows[variable], steps.rows, like.dtype)
            elif kind == "between":
                size = steps.batch, variable.width(self._sizes)
                made[(kind, variable)] = like.new_empty(size, dtype=torch.float32)
        for variable in self._schedule.loop_outputs():
            made[("output", variable)] = like.new_empty((steps.rows, variable.width(self._sizes)))
        return _LaunchedLoop(given, [_two(state) for state in arrays.states], made, steps)

    def _on_gpu(self, run: _LaunchedLoop) -> _LaunchedLoop:
        """Launch a run, record it, or replay the graph of its shape; return the run that has the results."""
        steps = run.steps
        shape = steps.steps, steps.batch, steps.rows, steps.reset_mode, steps.begins is None
        key = (shape, torch.cuda.current_stream().cuda_stream, run.inputs()[0].device)
        is_new = key not in self._graphs
        found = self._graphs[key] = self._graphs.pop(key, None)  # the latest shape comes last
        if is_new:  # a shape that never returns gets no graph
            if len(self._graphs) > GRAPHS:
                del self._graphs[next(iter(self._graphs))]
            self._launch(run)
            return run
        if found is None:
            found = self._graphs[key] = self._recorded(run)
        if isinstance(found, str):
            self._launch(run)
            return run
        graph, own = found
        for mine, value in zip(own.inputs(), run.inputs(), strict=True):
            mine.copy_(value)
        graph.replay()
        made = {place: value.clone() for place, value in own.made.items() if place[0] == "output"}
        return _LaunchedLoop({}, [(a.clone(), b.clone()) for a, b in own.ends], made, steps)

    def _recorded(self, run: _LaunchedLoop) -> tuple[Any, _LaunchedLoop] | str:
        """A graph of all launches of a run, on memory of its own; ``_NO_GRAPH`` if that memory is too much."""
        if sum(value.numel() * value.element_size() for value in run.inputs()) > _GRAPH_BYTES:
            return _NO_GRAPH
        try:
            own = run.copied()
        except torch.OutOfMemoryError:
            _logger.info("%s: no graph of %d steps, as memory is short", self.sources[0].name, run.steps.steps)
            return _NO_GRAPH
        self._launch(own)  # so that all is compiled and loaded before the graph is recorded
        graph = torch.cuda.CUDAGraph()
        # other threads may use the GPU meanwhile, as the launches allocate nothing
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._launch(own)
        _logger.debug("%s: recorded a graph of %d steps", self.sources[0].name, run.steps.steps)
        return graph, own

    def _launch(self, run: _LaunchedLoop) -> None:
        """Launch all steps. States go from one of two arrays to the other, as a step's programs read all of them."""
        steps = run.steps
        tiles = -(-steps.batch // SEQUENCES)
        dtype = run.inputs()[0].dtype
        calls: list[list[tuple[Any, tuple[object, ...]]]] = [[], []]
        for parity in (0, 1):
            now = {**run.given, **run.made}
            for state, pair in zip(self._schedule.states, run.ends, strict=True):
                now[("entering", state)], now[("leaving", state)] = pair[parity], pair[1 - parity]
            for source, kernel in zip(self.sources, self._kernels, strict=True):
                arrays = [now[each] for each in source.arrays]
                strides = [now[each].stride(0) for each in source.arrays if each[0] == "row"]
                options = self.options(source, dtype, steps.reset_mode, steps.begins is not None, tiles)
                launch = partial(kernel[tiles, -(-source.width // options["UNITS"])], **options)
                calls[parity].append((launch, (*arrays, *strides, steps.begins, steps.counts, steps.reset)))
        for number in range(steps.steps):
            t = steps.first + number * steps.direction
            for launch, arguments in calls[number % 2]:
                launch(*arguments, t, steps.batch)


def _has_graphs(device: torch.device) -> bool:
    """Whether launches can be recorded: on a GPU, and not while a caller records a graph."""
    return device.type == "cuda" and not torch.cuda.is_current_stream_capturing()


def _two(state: Tensor) -> tuple[Tensor, Tensor]:
    """Two arrays of float32: one that holds a state, and one for the next."""
    return state.to(torch.float32, copy=True).contiguous(), state.new_empty(state.shape, dtype=torch.float32)
