"""Resets of states to learned values instead of zeros: the program of a cell, changed so that marks put states back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from recurra.compiler.rewrite import Temporaries, substitute
from recurra.nn.running.scan import Scan
from recurra.program import Equation, Operand, Program, Variable
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
    mark, is_marked = new.new(()), replace(new.new(()), kind="bool")
    taken = {variable.name for variable in program.variables()}
    entering: dict[Variable, Operand] = {}
    firsts: list[Variable] = []
    equations = [Equation("mask", (), (mark,), _MARK), Equation("greater", (mark, 0.0), (is_marked,))]
    for state in program.states:
        name = f"{state.name}_0"
        while name in taken:
            name += "_"
        first, value = Variable(name, state.shape), new.new(state.shape)
        taken.add(name)
        firsts.append(first)
        entering[state] = value
        equations.append(Equation("where", (is_marked, first, state), (value,)))
    equations += [substitute(equation, entering) for equation in program.equations]

    def entered(variable: Variable) -> Variable:
        value = entering.get(variable, variable)
        assert isinstance(value, Variable)
        return value

    return replace(
        program,
        parameters=(*program.parameters, *firsts),
        equations=tuple(equations),
        next_states=tuple(map(entered, program.next_states)),
        output=entered(program.output),
    )


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
