"""Program → Plan: what runs once, before the time loop, in each step, and after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from recurra.compiler.hoist import hoist, stages
from recurra.compiler.merge import merge
from recurra.compiler.simplify import simplify
from recurra.program import Equation, Program, Variable, check
from recurra.program.text import Printer, aligned


@dataclass(frozen=True)
class Plan:
    """A program scheduled for a layer.

    Attributes:
        program: after all passes.
        once: equations over parameters alone.
        before: equations that need no state: run for all time steps at once.
        step: equations that the next state needs: run in the time loop.
        after: equations that no state needs: run for all time steps at once.
        arriving: what the loop reads of each step's input and of `before`.
        kept: what the loop computes or reads that `after`, the output or a trace need of every step.
        traced: the named variables that a trace shows; empty without one.
    """

    program: Program
    once: tuple[Equation, ...]
    before: tuple[Equation, ...]
    step: tuple[Equation, ...]
    after: tuple[Equation, ...]
    arriving: tuple[Variable, ...]
    kept: tuple[Variable, ...]
    traced: tuple[tuple[str, Variable], ...] = ()

    def __hash__(self) -> int:
        """Cheap, as plans are looked up at every call: a plan is mostly compared with itself."""
        return hash((self.program.name, len(self.before), len(self.step), len(self.traced)))

    @property
    def products_per_step(self) -> int:
        """How many matrix products are left in the loop; 0 for a cell whose state is only touched elementwise."""
        return sum(equation.operation == "product" for equation in self.step)

    def __str__(self) -> str:
        stages = {
            "once per call": self.once,
            "before the loop, all steps at once": self.before,
            "in every step": self.step,
            "after the loop, all steps at once": self.after,
        }
        printer = Printer(self.program, stages.values())
        parts = []
        for title, equations in stages.items():
            lines = [("  " + text, shapes) for text, shapes in printer.lines(equations)]
            parts.append(f"{title}:\n{aligned(lines or [('  (nothing)', '')])}")
        return "\n".join(parts)


@lru_cache(maxsize=512)
def plan(program: Program, *, traced: bool = False) -> Plan:
    """Schedule a program.

    Args:
        program: what the cell's trace gave.
        traced: whether every named variable that changes from step to step is wanted at every step.
    """
    varying = program.varying()
    named = tuple((name, v) for name, v in program.named().items() if v in varying) if traced else ()
    keep = frozenset(variable for _, variable in named)
    passed = hoist(simplify(merge(simplify(program, keep)), keep), keep)
    passed = simplify(passed, keep)
    check(passed)
    once, before, step, after = stages(passed)
    return Plan(
        passed,
        once,
        before,
        step,
        after,
        arriving=_arriving(passed, before, step),
        kept=_kept(passed, step, after, keep),
        traced=named,
    )


def _arriving(program: Program, before: tuple[Equation, ...], step: tuple[Equation, ...]) -> tuple[Variable, ...]:
    known = dict.fromkeys([program.input, *(variable for equation in before for variable in equation.results)])
    read = {variable for equation in step for variable in equation.variables} | set(program.next_states)
    return tuple(variable for variable in known if variable in read)


def _kept(
    program: Program, step: tuple[Equation, ...], after: tuple[Equation, ...], keep: frozenset[Variable]
) -> tuple[Variable, ...]:
    in_loop = dict.fromkeys([*program.states, *(variable for equation in step for variable in equation.results)])
    read = {variable for equation in after for variable in equation.variables} | {program.output} | keep
    return tuple(variable for variable in in_loop if variable in read)
