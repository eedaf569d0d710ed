"""What every engine answers to, and what goes in and out of a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from recurra.compiler import Plan

Array = Any  # a numpy array or a torch tensor; all arrays of one call are of one library, dtype and device


@dataclass(frozen=True)
class Call:
    """One run of a plan over sequences.

    A dense batch has x (T, batch, input). Packed, all steps lie one after the other as rows: the first
    ``batch_sizes[0]`` rows are step 0, and so on, as in torch's packed sequences. Below, *steps* stands for
    (T, batch) or (rows).

    Attributes:
        x: (steps, input).
        batch_sizes: rows of each of T steps, never increasing; None for a dense batch.
        states: for each state the first one, (batch, size), batch ≥ every batch size; none for a program without
            states, whose batch is dense.
        parameters: in the program's order.
        sizes: the numbers of the program's symbols: input, hidden, and proj where it has one.
        masks: for each random mask of the program its values, (steps, size).
        reset: bool (steps), True where the states are zero before the step; None for nowhere.
        reverse: whether the last step comes first.
        packed: what the kernel's ``pack`` gave for these parameters; None where they may have changed.
    """

    x: Array
    batch_sizes: Sequence[int] | Array | None
    states: Sequence[Array]
    parameters: Sequence[Array]
    sizes: Mapping[str, int]
    masks: Sequence[Array] = ()
    reset: Array | None = None
    reverse: bool = False
    packed: object = None


@dataclass(frozen=True)
class Result:
    """What a run gives.

    Attributes:
        output: (steps, size).
        states: for each state the last one of every sequence, (batch, size).
        traced: what the plan traces, by name: (steps, size); a scalar has size 1.
        kept: what a backward pass needs, for the engine's own eyes.
    """

    output: Array
    states: tuple[Array, ...]
    traced: Mapping[str, Array] = field(default_factory=dict)
    kept: tuple[Array, ...] = ()


class Kernel(Protocol):
    """A plan made executable by one engine."""

    def forward(self, call: Call) -> Result:
        """Run the plan over whole sequences."""
        ...

    def pack(self, parameters: Sequence[Array], sizes: Mapping[str, int], double: bool) -> object:
        """Parameters that stay as they are, made ready once for calls of these sizes; None where nothing is gained.

        ``double`` tells float64 from float32.
        """
        ...


class Engine(Protocol):
    """Turns plans into kernels."""

    name: str

    def refuses(self) -> str | None:
        """Why the engine cannot run here; None where it can."""
        ...

    def build(self, plan: Plan) -> Kernel:
        """The kernel of a plan; equal plans give the same kernel."""
        ...
