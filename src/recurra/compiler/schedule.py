"""What an engine runs in one pass over sequences: equations by stage, forward or backward."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.program import Equation, Variable


@dataclass(frozen=True)
class Schedule:
    """Equations in the order of their stages, and what goes in and out.

    A *row* is one sequence at one step. A *constant* has one value for the whole call.

    Attributes:
        constants: given once per call: the parameters.
        rows: given for every row.
        states: carried from step to step; the first value of each is given for every sequence.
        next_states: for each state what a step hands on.
        once: equations over constants alone.
        before: equations over constants and rows: run ahead of the time loop, for many steps at once.
        step: equations that the next state needs: run in the time loop.
        after: equations that no state needs, and sums over all rows: run behind the loop, for many steps at once.
        finally_: equations over constants and sums over all rows: run at the end of the call.
        row_results: wanted of every row.
        constant_results: wanted at the end of the call.
    """

    constants: tuple[Variable, ...]
    rows: tuple[Variable, ...]
    states: tuple[Variable, ...]
    next_states: tuple[Variable, ...]
    once: tuple[Equation, ...]
    before: tuple[Equation, ...]
    step: tuple[Equation, ...]
    after: tuple[Equation, ...]
    finally_: tuple[Equation, ...]
    row_results: tuple[Variable, ...]
    constant_results: tuple[Variable, ...]
