"""A program in a graph: over all steps, as a Scan with the other stages before and after it; or on single rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from onnx import ValueInfoProto

from recurra.compiler import Plan, plan
from recurra.compiler.expectation import expectation
from recurra.engines.reference import evaluate
from recurra.onnx.exporting.equations import ProgramValues
from recurra.onnx.exporting.graph import GraphWriter
from recurra.onnx.exporting.operations import RowDimensions
from recurra.onnx.exporting.scope import NodeWeight
from recurra.onnx.exporting.sequences import SequenceNodes, reversed_steps
from recurra.program import Program, Sizes, Variable

BOOL = np.dtype(np.bool_)


@dataclass(frozen=True)
class WrittenProgram:
    """A program to be written: one layer in one direction, a cell, or a part without states.

    Attributes:
        program: the program.
        sizes: the numbers of its symbols.
        weights: its parameters, in their order.
        reverse: whether the last step comes first.
    """

    program: Program
    sizes: Sizes
    weights: Sequence[NodeWeight]
    reverse: bool = False

    @cached_property
    def plan(self) -> Plan:
        """The plan of the program as it runs outside training."""
        return plan(expectation(self.program))

    def parameters(self) -> dict[Variable, NodeWeight]:
        """The weights by parameter."""
        return dict(zip(self.plan.program.parameters, self.weights, strict=True))

    def own(self, variable: Variable) -> list[int]:
        """The dimensions of a varying variable after the batch."""
        return [size.value(self.sizes) for size in variable.shape] or [1]


def on_rows(
    graph: GraphWriter, rows: RowDimensions, written: WrittenProgram, x: str, states: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """Write the equations for rows that do not depend on each other, x and states (…, size): output and new states."""
    scheduled, program = written.plan, written.plan.program
    names = {parameter: weight.name for parameter, weight in written.parameters().items()}
    names.update(zip((program.input, *program.states), (x, *states), strict=True))
    values = ProgramValues(program, written.sizes, names)
    for equations in scheduled.stages:
        values.write(graph, equations, rows)
    return values.names[program.output], [values.names[variable] for variable in program.next_states]


def all_steps(
    graph: GraphWriter,
    sequences: SequenceNodes,
    written: WrittenProgram,
    x: str,
    states: Sequence[str],
    reset: str | None = None,
) -> tuple[str, list[str]]:
    """Write a run over sequences, x (T, batch, input) and states (batch, size): output of all steps and last states.

    A run backwards is a run forwards over reversed steps. At steps that a sequence does not have, its states stay as
    they are, and the output is undefined. ``reset``, bool (T, batch), is true where the states are zero before a step.
    """
    scheduled, rows = written.plan, sequences.rows(2)
    _, before, _, after = scheduled.stages
    values = _constants(graph, sequences, written)
    values.names[scheduled.program.input] = reversed_steps(graph, x) if written.reverse else x
    values.write(graph, before, rows)
    active = None
    if sequences.lengths is not None:
        active = sequences.active_reversed if written.reverse else sequences.active
    if reset is not None:
        reset = graph.node("Unsqueeze", reset, graph.whole(2))
        reset = reversed_steps(graph, reset) if written.reverse else reset
    last = _ScanWriter(graph, sequences, written, values, active, reset).write(states)
    values.write(graph, after, rows)
    output = values.names[scheduled.program.output]
    return (reversed_steps(graph, output) if written.reverse else output), last


def _constants(graph: GraphWriter, sequences: SequenceNodes, written: WrittenProgram) -> ProgramValues:
    """Values of parameters alone that later stages read, computed here and stored as weights.

    In some runtimes the body of a loop can read weights of the outer graph, but no values that it computes. Where a
    parameter's numbers are not known, nodes compute these values all the same.
    """
    scheduled, weights = written.plan, written.parameters()
    program, (once, *later) = scheduled.program, scheduled.stages
    read = {variable for equations in later for equation in equations for variable in equation.variables}
    values = {parameter: array for parameter, weight in weights.items() if (array := weight.array) is not None}
    if len(values) < len(weights):
        known = ProgramValues(program, written.sizes, {each: weight.name for each, weight in weights.items()})
        known.write(graph, once, sequences.rows(2))
        return known
    names = {parameter: weight.name for parameter, weight in weights.items() if parameter in read}
    values[program.input] = np.zeros(0, graph.store.dtype)
    with np.errstate(all="ignore"):
        evaluate(once, values, written.sizes, program.input)
    for equation in once:
        names.update({v: graph.weight_of(v, values[v]) for v in equation.results if v in read})
    return ProgramValues(program, written.sizes, names)


class _ScanWriter:
    """Writes the Scan of a program.

    Args:
        graph: the outer graph.
        sequences: the sequences to run over.
        written: the program.
        values: all values that are known before the loop; ``write`` adds those that the loop keeps of every step.
        active: bool (T, batch, 1), true where the states change; None for everywhere.
        reset: bool (T, batch, 1), true where the states are zero before the step; None for nowhere.
    """

    def __init__(
        self,
        graph: GraphWriter,
        sequences: SequenceNodes,
        written: WrittenProgram,
        values: ProgramValues,
        active: str | None,
        reset: str | None = None,
    ) -> None:
        self.graph, self.sequences, self.written, self.values = graph, sequences, written, values
        self.active, self.reset = active, reset
        self.body = graph.body("step/")
        self.plan = written.plan
        self.program = self.plan.program
        # A Scan takes its number of steps from its inputs, so that it needs at least one.
        self.arriving = self.plan.schedule.loop_inputs() or (self.program.input,)

    def write(self, states: Sequence[str]) -> list[str]:
        """Add the node, and return the names of the last states."""
        graph, body, kept = self.graph, self.body, self.plan.schedule.loop_outputs()
        entering = [body.name_of(variable) for variable in self.program.states]
        marked = {name: value for name, value in (("active", self.active), ("reset", self.reset)) if value is not None}
        marks = {name: body.name(name) for name in marked}
        slices = [body.name_of(variable) for variable in self.arriving]
        inputs = [self._declared(name, v) for name, v in zip(entering, self.program.states, strict=True)]
        inputs += [body.declare(name, ["batch", 1], BOOL) for name in marks.values()]
        inputs += [self._declared(name, v) for name, v in zip(slices, self.arriving, strict=True)]
        scanned = [*marked.values(), *(self.values.names[variable] for variable in self.arriving)]
        if "reset" in marks:
            entering = [body.node("Where", marks["reset"], graph.number(0.0), state) for state in entering]
        inner = self.values.within(dict(zip((*self.program.states, *self.arriving), (*entering, *slices), strict=True)))
        inner.write(body, self.plan.schedule.step, self.sequences.rows(1))
        new = [inner.names[variable] for variable in self.program.next_states]
        if "active" in marks:
            new = [body.node("Where", marks["active"], *pair) for pair in zip(new, entering, strict=True)]
        leaving = self._own([*new, *(inner.names[variable] for variable in kept)])
        outputs = [self._declared(n, v) for n, v in zip(leaving, (*self.program.next_states, *kept), strict=True)]
        last = [graph.name(f"{variable.name}_last") for variable in self.program.states]
        rows = [graph.name_of(variable) for variable in kept]
        proto = body.proto(graph.name("step"), inputs, outputs)
        graph.nodes_of("Scan", [*states, *scanned], [*last, *rows], body=proto, num_scan_inputs=len(scanned))
        self.values.names.update(zip(kept, rows, strict=True))
        return last

    def _declared(self, name: str, variable: Variable) -> ValueInfoProto:
        kind = BOOL if variable.kind == "bool" else None
        return self.body.declare(name, ["batch", *self.written.own(variable)], kind)

    def _own(self, names: Sequence[str]) -> list[str]:
        """Names for the body's outputs: each is computed by a node of the body, and no two are the same."""
        computed = {output for node in self.body.nodes for output in node.output}
        own: list[str] = []
        for name in names:
            own.append(name if name in computed and name not in own else self.body.node("Identity", name))
        return own
