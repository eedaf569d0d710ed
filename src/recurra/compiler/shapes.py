"""Shape inference: finds every value's shape from its uses, and refuses ambiguities and contradictions by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from recurra.compiler.broadcast import ALONG, REDUCTIONS, traced_rule
from recurra.compiler.gains import gain
from recurra.compiler.refusals import Refusals
from recurra.program.operations import OPERATIONS, Usage
from recurra.program.sizes import HIDDEN, INPUT, Shape, Size, shape_text
from recurra.program.solver import Mismatch, Solver
from recurra.values import EarlierValues, Recorder


def infer(
    recorder: Recorder,
    states: Sequence[tuple[int, int]],
    output: int,
    first: Size,
    new_hidden: int | None,
    given: Mapping[str, Shape],
    inputs: Sequence[str] = (),
) -> list[Shape]:
    """The shape of every value of a recorded cell.

    Certain facts are stated until nothing new follows. Only then is one assumption made, and so on. Assumptions are
    that a parameter which meets a vector elementwise is a vector of that size, and that a state, the output, or a value
    that depends on a state has the size `hidden` where nothing fixes its size.

    Args:
        recorder: the cell's values and operations; value 0 is the input.
        states: each state that enters a step, and its new value.
        output: the value that a layer returns.
        first: the size of the first state.
        new_hidden: the first state's new value before its projection, where there is one.
        given: shapes of variables by name, which are certain facts too.
        inputs: the names of several inputs, which lie side by side in value 0; empty where that is the only input.

    Raises:
        EquationError: names the cell, the variable, the line, and both shapes.
    """
    inference = _Inference(recorder)
    solver = inference.solver
    if not inputs:
        solver.need(0, (INPUT,))
    remembered = {history.state for history in recorder.histories}
    own = [old for old, _ in states if old not in remembered]
    for number, (old, _) in enumerate(states):
        solver.need(old, (first if own and number == 0 else solver.unknown(),))
    inference.state_inputs(inputs, given)
    inference.state_given({name: shape for name, shape in given.items() if name not in inputs[1:]})
    cuts = {record.operands[0]: record.results for record in recorder.records if record.operation == "partition"}
    facts = [
        _StateFact(
            recorder.names[history.of] or "",
            history.of,
            partial(_same_history, solver, history, cuts.get(history.state, ())),
        )
        for history in recorder.histories
    ]
    facts += [_StateFact(recorder.names[old] or "", new, partial(_same_state, solver, old, new)) for old, new in states]
    if new_hidden is not None:
        facts.append(_StateFact(facts[-len(states)].state, new_hidden, lambda: solver.need(new_hidden, (HIDDEN,))))
    inference.settle(facts)
    entering = [old for old, _ in states]
    recurrent = inference.depending_on(entering)
    while inference.assume_parameters() or inference.assume_hidden([*entering, output, *recurrent]):
        inference.settle(facts)
    return inference.shapes()


class _StateFact(NamedTuple):
    """A state's name, its new value, and what states the value's shape."""

    state: str
    value: int
    apply: Callable[[], None]


def _same_state(solver: Solver, old: int, new: int) -> None:
    shape = solver.shape(old)
    if shape is not None:
        solver.need(new, shape)


def _same_history(solver: Solver, history: EarlierValues, cut: Sequence[int]) -> None:
    """State that a history holds so many vectors of the size of its value, and is cut before the last of them."""
    shape = solver.shape(history.of) or (solver.unknown(),)
    solver.need(history.of, shape[:1])
    solver.need(history.state, (shape[0] * history.steps,))
    for part, steps in zip(cut, (history.steps - 1, 1), strict=False):
        solver.need(part, (shape[0] * steps,))


class _Inference:
    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.solver = Solver(len(recorder.names))
        self.refusals = Refusals(recorder, self.solver)
        # Each literal is a scalar value of its own.
        self.uses = [
            Usage(
                self.solver,
                [operand if isinstance(operand, int) else self.solver.add(()) for operand in record.operands],
                record.results,
                [isinstance(operand, int) and recorder.varying[operand] for operand in record.operands],
                record.attributes,
            )
            for record in recorder.records
        ]

        # The shapes of these follow from their operands'.
        self.reduced = {r.results[0] for r in recorder.records if r.operation in (*ALONG, "broadcast")}

    def state_inputs(self, inputs: Sequence[str], given: Mapping[str, Shape]) -> None:
        """State the sizes of several inputs, which the first record cuts: those given, and one number for others."""
        for name, part in zip(inputs, self.recorder.records[0].results if inputs else (), strict=True):
            shape = (INPUT,) if name == inputs[0] else given.get(name, (Size.constant(1),))
            if len(shape) > 1:
                self.recorder.fail(f"sizes= gives the input `{name}` the shape {shape_text(shape)}: it is a vector")
            self.solver.need(part, shape)

    def state_given(self, given: Mapping[str, Shape]) -> None:
        """State the shapes that are given by name."""
        self.refusals.given = ", ".join(f"{name} {shape_text(shape)}" for name, shape in given.items())
        named = self.recorder.named() if given else {}
        for name, shape in given.items():
            if name not in named:
                self.recorder.fail(f"sizes= names {name!r}, which is no variable of its equations: {', '.join(named)}")
            try:
                self.solver.need(named[name], shape)
            except Mismatch as mismatch:
                self.recorder.fail(
                    f"sizes= gives `{name}` the shape {shape_text(shape)}, but it is {shape_text(mismatch.have)}: the "
                    "layer's input_size, hidden_size or proj_size gives that"
                )

    def settle(self, facts: Sequence[_StateFact]) -> None:
        """State all certain facts until nothing new follows."""
        self.solver.progress = True
        while self.solver.progress:
            self.solver.progress = False
            for record, use in zip(self.recorder.records, self.uses, strict=True):
                try:
                    traced_rule(record.operation, use.varying)(use)
                except Mismatch as mismatch:
                    self.refusals.mismatch(mismatch, record)
            for state, value, apply in facts:
                try:
                    apply()
                except Mismatch as mismatch:
                    self.refusals.mismatch(mismatch, self.refusals.maker(value), state)

    def assume_parameters(self) -> bool:
        """Give one value that is computed from parameters, or a parameter, the likeliest shape."""
        return (
            self._assume_elementwise(vectors=True)
            or self._assume_dimensions(ALONG, 2)
            or self._assume_dimensions(("broadcast",), 1)
            or self._assume_gain()
            or self._assume_elementwise(vectors=False)
            or self._assume_dimensions(REDUCTIONS, 1)
            or self._assume_scalar()
        )

    def _assume_dimensions(self, operations: Collection[str], dimensions: int) -> bool:
        """Give one operand of unknown shape this number of dimensions."""
        for record, use in zip(self.recorder.records, self.uses, strict=True):
            if record.operation in operations and use.operand(0) is None:
                self.solver.need(use.operands[0], tuple(self.solver.unknown() for _ in range(dimensions)))
                return True
        return False

    def _assume_gain(self) -> bool:
        """Give one parameter that scales a matrix the shape of the norm beside it."""
        found = gain(self.recorder.records, self.recorder.varying, self.solver)
        if found is not None:
            self.solver.need(*found)
        return found is not None

    def _assume_elementwise(self, vectors: bool) -> bool:
        """Give one operand of unknown shape its elementwise result's shape, or the result that of its operands.

        Args:
            vectors: whether the result is known to be a vector, or changes from step to step: the likeliest case.
        """
        for record, use in zip(self.recorder.records, self.uses, strict=True):
            if not OPERATIONS[record.operation].elementwise:
                continue
            result = use.result()
            is_vector = self.recorder.varying[record.results[0]] or (result is not None and len(result) == 1)
            values = [v for v in use.operands if self.solver.shape(v) is None and v not in self.reduced]
            shape = result or max(filter(None, map(self.solver.shape, use.operands)), key=len, default=None)
            if is_vector == vectors and values and shape:
                self.solver.need(use.results[0], shape)
                self.solver.need(values[0], shape)
                return True
        return False

    def _assume_scalar(self) -> bool:
        """Make one operand of an elementwise operation a number."""
        for record, use in zip(self.recorder.records, self.uses, strict=True):
            for value in use.operands if OPERATIONS[record.operation].elementwise else ():
                if self.solver.shape(value) is None:
                    self.solver.need(value, ())
                    return True
        return False

    def depending_on(self, sources: Iterable[int]) -> list[int]:
        """The values that are computed from the sources, in order."""
        reached = dict.fromkeys(sources)
        for record in self.recorder.records:
            if any(isinstance(operand, int) and operand in reached for operand in record.operands):
                reached.update(dict.fromkeys(record.results))
        return list(reached)

    def assume_hidden(self, values: list[int]) -> bool:
        """Give the first vector of unknown size the size `hidden`, unless another size would come out as none."""
        for value in values:
            shape = self.solver.shape(value)
            unknown = next((s for s in shape[0].symbols if s.startswith("?")), None) if shape else None
            if shape is None or unknown is None or len(shape) > 1:
                continue
            rest = HIDDEN - shape[0] + Size.symbol(unknown) * shape[0].factor(unknown)
            if rest.terms and all(factor > 0 for _, factor in rest.terms):
                self.solver.need(value, (HIDDEN,))
                return True
        return False

    def shapes(self) -> list[Shape]:
        """Every value's shape, once nothing more can be found out."""
        shapes = []
        for value in range(len(self.recorder.names)):
            shape = self.solver.shape(value)
            if shape is None or any(symbol.startswith("?") for size in shape for symbol in size.symbols):
                self.refusals.open_shape(value, shape)
            if any(factor <= 0 for size in shape for _, factor in size.terms) or any(not s.terms for s in shape):
                self.refusals.no_size(value, shape)
            shapes.append(shape)
        return shapes
