"""Resets of states to learned values instead of zeros: the program of a cell, changed so that marks put states back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from recurra.compiler.resets import resetting
from recurra.compiler.rewrite import Temporaries
from recurra.nn.running.scan import Scan
from recurra.program import Equation, Program, Variable
from recurra.program.operations import AttributeValue

_MARK: Mapping[str, AttributeValue] = {"probability": 0.0, "on": 1.0, "mean": 0.0, "per": "step"}


class LearnedResets:
    """A module's scans with marks before all other masks, and the first value of each state after all parameters.

    Args:
        scans: the scans without.
    """

    def __init__(self, scans: Sequence[Scan]) -> None:
        self._scans = scans
        self._by_mode = {
            training: [_with_marks(scan.in_mode(training)) for scan in scans] for training in (False, True)
        }

    def in_mode(self, training: bool) -> list[Scan]:
        """The scans as they run in training, or outside of it."""
        return self._by_mode[training]

    def __reduce__(self) -> tuple[type[LearnedResets], tuple[Sequence[Scan]]]:
        return LearnedResets, (self._scans,)

    def __deepcopy__(self, memo: dict[int, object]) -> LearnedResets:
        return self  # nothing in it changes


def _with_marks(scan: Scan) -> Scan:
    return Scan.of(_with_resets(scan.program), *scan.sizes, scan.reverse, scan.compute)


def _with_resets(program: Program) -> Program:
    """The program whose states are those of new parameters where a mark is 1, and those that arrive where it is 0."""
    new = Temporaries(program)
    mark = new.new(())
    taken = {variable.name for variable in program.variables()}
    firsts: list[Variable] = []
    for state in program.states:
        name = f"{state.name}_0"
        while name in taken:
            name += "_"
        taken.add(name)
        firsts.append(Variable(name, state.shape))
    changed = resetting(program, new, (Equation("mask", (), (mark,), _MARK),), mark, firsts)
    return replace(changed, parameters=(*program.parameters, *firsts))


def with_marks(scan: Scan, reset: Tensor, masks: Sequence[Tensor], x: Tensor, traced: bool) -> list[Tensor]:
    """The masks of a scan with resets: the marks, in the dtype of x, before those of the scan without.

    Args:
        scan: the scan with resets.
        reset: bool, with the leading dimensions of x.
        masks: the masks of the scan without resets.
        x: its input.
        traced: whether every named variable is wanted at every step.
    """
    count = len(scan.traced_masks if traced else scan.masks)
    marks = [reset.unsqueeze(-1).to(x.dtype)] if count > len(masks) else []  # no state may be read at all
    return [*marks, *masks]
