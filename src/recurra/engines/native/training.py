"""How a backward pass follows a forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from recurra.compiler import Plan, Schedule, products_stored
from recurra.compiler.differentiate import differentiate
from recurra.program import Variable

if TYPE_CHECKING:
    from recurra import _native
    from recurra.engines.native.kernel import Built

Wanted = tuple[bool, ...]  # of x, then of each state, then of each parameter: whether its gradient is wanted


@dataclass(frozen=True, eq=False)
class Backward:
    """How a backward pass follows a forward pass; everything by number, as it is read at every call.

    Attributes:
        schedule: of the derived program.
        kept: what the forward pass keeps of every row.
        rows: for each row of the schedule what it is: "x", "output", "mask", "kept" or "arriving", and which.
        constants: which parameters the schedule reads.
        carried: of which states the schedule's states are the gradients.
        entering: the states that the schedule reads as they entered steps, by the schedule's variable.
        has_input: whether its only row result is the gradient of x.
        results: for each parameter which constant result is its gradient; -1 where it is not wanted.
    """

    schedule: Schedule
    kept: tuple[Variable, ...]
    rows: tuple[tuple[str, int], ...]
    constants: tuple[int, ...]
    carried: tuple[int, ...]
    entering: tuple[tuple[Variable, int], ...]
    has_input: bool
    results: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Training:
    """A forward pass and the backward pass that follows it, at some sizes and of some dtype.

    Attributes:
        plan: how the one follows the other.
        kept_widths: features of what the forward pass keeps.
        forward: the forward pass; its outputs are the output, then what is kept.
        backward: the backward pass, and what it gives.
    """

    plan: Backward
    kept_widths: tuple[int, ...]
    forward: _native.Kernel
    backward: Built


@lru_cache(maxsize=1024)
def derive(plan: Plan, wanted: Wanted, given: tuple[bool, ...], store: bool) -> Backward:
    """How a plan's backward pass follows its forward pass, for these wishes (see ``NativeKernel.backward_of``)."""
    program = plan.program
    offered = [program.output, *(variable for _, variable in plan.traced)]
    gradient = differentiate(
        program,
        given=[variable for variable, is_given in zip(offered, given, strict=True) if is_given],
        wanted=[source for source, is_wanted in zip(program.sources, wanted, strict=True) if is_wanted],
        stored=(*(products_stored(program) if store else ()), program.output),
    )
    schedule = gradient.schedule
    places: dict[Variable, tuple[str, int]] = {program.output: ("output", 0), program.input: ("x", 0)}
    places.update({mask.results[0]: ("mask", number) for number, mask in enumerate(program.masks)})
    places.update({variable: ("arriving", number) for number, variable in enumerate(gradient.arriving)})
    kept: list[Variable] = []

    def keep(variable: Variable) -> tuple[str, int]:
        if variable not in places:
            kept.append(variable)
            places[variable] = ("kept", len(kept) - 1)
        return places[variable]

    entering = dict(zip(program.states, program.next_states, strict=True))
    results = [gradient.parameters.get(parameter) for parameter in program.parameters]
    return Backward(
        schedule,
        rows=tuple(keep(entering.get(row, row)) for row in schedule.rows),
        kept=tuple(kept),
        constants=tuple(program.parameters.index(constant) for constant in schedule.constants),
        carried=tuple(program.states.index(state) for state in gradient.carried),
        entering=tuple((row, program.states.index(row)) for row in schedule.rows if row in entering),
        has_input=gradient.input is not None,
        results=tuple(-1 if result is None else schedule.constant_results.index(result) for result in results),
    )
