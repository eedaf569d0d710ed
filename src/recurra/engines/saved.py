"""The link from a forward pass to its backward pass: what is kept, and where each operand comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from recurra.compiler import Plan, Schedule, parts_stored, products_stored
from recurra.engines.protocol import Wishes
from recurra.program import Variable

_STORED_BYTES = 1 << 26  # limit on kept products; beyond it the backward pass computes them again


def keeps_products(rows: int, item: int, width: int, states: Sequence[int]) -> bool:
    """Whether a forward pass keeps the results of its products. If not, the backward pass computes them again.

    Computing a product again costs more time for each element the wider the layer is; keeping it does not. So the limit
    is some 64 MiB, and grows in proportion where input and state together have more than 256 features.

    Args:
        rows: the number of rows of the batch, over all steps.
        item: bytes of an element.
        width: features of the input.
        states: features of each state.
    """
    return rows * item * 4 * sum(states) <= _STORED_BYTES * max(1.0, (width + max(states)) / 256)


@dataclass(frozen=True, eq=False)
class Backward:
    """A derived backward schedule, and where its operands and results belong in the forward pass.

    Parameters, states and rows are given by number, as every call reads them.

    Attributes:
        schedule: the schedule of the derived program.
        kept: the variables that the forward pass keeps, of every row.
        rows: the source of each row variable of the schedule: "x", "output", "mask", "kept" or "arriving", and the
            number within that group.
        constants: the numbers of the parameters that the schedule reads.
        carried: for each state of the schedule, the number of the forward state whose gradient it is.
        entering: the row variables that are forward states as they entered each step, with these states' numbers.
        has_input: whether the gradient of x is wanted; it is then the only row result.
        results: for each parameter, the number of the constant result that is its gradient; -1 if it is not wanted.
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
    """Derive the backward pass of a plan, for these wishes."""
    from recurra.compiler.differentiate import differentiate  # here, as inference never needs it

    program = plan.program
    offered = [program.output, *(variable for _, variable in plan.traced)]
    gradient = differentiate(
        program,
        given=[variable for variable, is_given in zip(offered, wishes.given, strict=True) if is_given],
        wanted=[source for source, is_wanted in zip(program.sources, wishes.wanted, strict=True) if is_wanted],
        stored=(
            *(products_stored(program) if wishes.keep_products else ()),
            *parts_stored(program),
            program.output,
        ),
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
