"""Program → Plan: runs the passes, once for each program, and schedules the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from recurra.compiler.hoist import hoist
from recurra.compiler.loop_kind import LoopKind, loop_kind
from recurra.compiler.merge import merge
from recurra.compiler.schedule import Schedule, program_schedule
from recurra.compiler.simplify import simplify
from recurra.program import Equation, Program, Variable, check
from recurra.program.text import Printer, aligned


@dataclass(frozen=True)
class Plan:
    """A program scheduled for a layer.

    Attributes:
        source: the program as it was given.
        program: the program after all passes.
        schedule: its forward pass, which gives the output and the traced variables of every row.
        traced: the named variables that a trace shows; empty without one.
    """

    source: Program = field(compare=False, repr=False)
    program: Program
    schedule: Schedule
    traced: tuple[tuple[str, Variable], ...] = ()

    def __hash__(self) -> int:
        """A cheap hash, as plans are looked up at every call and are mostly compared with themselves."""
        return hash((self.program.name, len(self.program.equations), len(self.traced)))

    @property
    def stages(self) -> tuple[tuple[Equation, ...], ...]:
        """The program's equations by stage: once, before, step, after; random masks are drawn before the loop."""
        schedule = self.schedule
        before = {*map(id, schedule.before), *map(id, self.program.masks)}
        drawn = tuple(equation for equation in self.program.equations if id(equation) in before)
        return schedule.once, drawn, schedule.step, schedule.after

    @property
    def kind(self) -> LoopKind:
        """The kind of the time loop: ``"product"``, ``"elementwise"`` or ``"affine"``; see ``loop_kind``."""
        return loop_kind(self.source).kind

    @property
    def reason(self) -> str:
        """The sentence that says why the time loop is of its kind."""
        return loop_kind(self.source).reason

    def __str__(self) -> str:
        titles = (
            "once per call",
            "before the loop, all steps at once",
            "in every step",
            "after the loop, all steps at once",
        )
        printer = Printer(self.program, self.stages)
        parts = []
        for title, equations in zip(titles, self.stages, strict=True):
            lines = [("  " + text, shapes) for text, shapes in printer.lines(equations)]
            parts.append(f"{title}:\n{aligned(lines or [('  (nothing)', '')])}")
        return "\n".join(parts)


def traceable(program: Program) -> tuple[tuple[str, Variable], ...]:
    """The variables that a trace can show: those with a name in the cell's source that change from step to step."""
    varying = program.varying()
    return tuple((name, variable) for name, variable in program.named().items() if variable in varying)


@lru_cache(maxsize=512)
def plan(program: Program, *, traced: bool = False) -> Plan:
    """Schedule a program; equal programs give the same plan.

    Args:
        program: the traced program.
        traced: whether every named variable that changes from step to step is wanted at every step.
    """
    named = traceable(program) if traced else ()
    keep = frozenset(variable for _, variable in named)
    passed = hoist(simplify(merge(simplify(program, keep)), keep), keep)
    passed = simplify(passed, keep)
    check(passed)
    return Plan(program, passed, program_schedule(passed, (variable for _, variable in named)), named)
