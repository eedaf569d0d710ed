"""How a backward pass follows a forward pass: what is kept, and which row, constant and result is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from recurra.compiler import Plan, Schedule, products_stored
from recurra.engines.protocol import Wishes
from recurra.program import Variable

_STORED_BYTES = 1 << 26  # what a forward pass may keep beside states before products are computed again instead


def keeps_products(rows: int, item: int, width: int, states: Sequence[int]) -> bool:
    """Whether a forward pass keeps its products' results, or the backward pass computes them again.

    To compute them again takes the longer the wider the layer is, and to keep them does not: so up to some 64 MiB are
    kept, and in proportion more where input and state together have more than 256 features.

    Args:
        rows: how many there are.
        item: bytes of an element.
        width: features of the input.
        states: features of each state.
    """
    return rows * item * 4 * sum(states) <= _STORED_BYTES * max(1.0, (width + max(states)) / 256)


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


@lru_cache(maxsize=1024)
def derive(plan: Plan, wishes: Wishes) -> Backward:
    """How a plan's backward pass follows its forward pass, for these wishes."""
    from recurra.compiler.differentiate import differentiate  # here: whoever only predicts never needs it

    program = plan.program
    offered = [program.output, *(variable for _, variable in plan.traced)]
    gradient = differentiate(
        program,
        given=[variable for variable, is_given in zip(offered, wishes.given, strict=True) if is_given],
        wanted=[source for source, is_wanted in zip(program.sources, wishes.wanted, strict=True) if is_wanted],
        stored=(*(products_stored(program) if wishes.keep_products else ()), program.output),
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
