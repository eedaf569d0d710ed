"""A plan run by native code: forward, and backward through its derivative."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import recurra._native as _native
from recurra.compiler import Gradient, Plan, Schedule, differentiate, products_stored
from recurra.engines.native.lower import lower
from recurra.engines.native.memory import (
    Array,
    address,
    batch_words,
    empty,
    features_together,
    is_double,
    is_numpy,
    matrix_words,
    rows_words,
)
from recurra.engines.protocol import Call, Result
from recurra.program import Equation, Variable

Wanted = tuple[bool, ...]  # of x, then of each state, then of each parameter: whether its gradient is wanted


def threads() -> int:
    """How many threads a call may use: torch's setting where torch is there, else OMP_NUM_THREADS, else all."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return int(setting) if setting.isdigit() and int(setting) > 0 else _native.hardware_threads()


@dataclass(frozen=True)
class _Built:
    """Native code for one direction, at some sizes and of some dtype."""

    kernel: _native.Kernel
    output_widths: tuple[int, ...]
    result_shapes: tuple[tuple[int, ...], ...]


def _build(
    schedule: Schedule, sizes: Mapping[str, int], double: bool, entering: Mapping[Variable, int] | None
) -> _Built:
    lanes = _native.lanes() // (2 if double else 1)
    code = lower(schedule, sizes, lanes, opposite=entering is not None, entering=entering)
    shapes = tuple(tuple(size.value(sizes) for size in v.shape) for v in schedule.constant_results)
    return _Built(_native.kernel(code.words(), code.literals, double), tuple(code.outputs), shapes)


@dataclass(frozen=True)
class Backward:
    """How a backward pass follows a forward pass.

    Attributes:
        gradient: the derived program.
        kept: what the forward pass keeps of every row.
        entering: for each state that the backward pass reads, which of the states it is and where in `kept` the values
            lie that steps handed on; -1 where those are the output.
    """

    gradient: Gradient
    kept: tuple[Variable, ...]
    entering: tuple[tuple[Variable, int, int], ...]


class NativeKernel:
    """A plan as native code, made for each set of sizes and dtype when it is first asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._forward: dict[object, _Built] = {}
        self._backward: dict[object, _Built] = {}
        self._backwards: dict[object, Backward] = {}

    # ---- forward ----

    def forward(self, call: Call, backward: Backward | None = None) -> Result:
        """Run the plan over whole sequences; with ``backward`` its result keeps what that backward pass needs."""
        program = self.plan.program
        kept = () if backward is None else backward.kept
        built = self._built_forward(call, kept)
        x = call.x
        outputs = [empty(x, (*x.shape[:-1], width)) for width in built.output_widths]
        last = [empty(x, state.shape) for state in call.states]
        rows = [features_together(value) for value in (x, *call.masks)]
        states = [features_together(state) for state in call.states]
        words, alive = _head(call, call.reverse)
        for parameter in call.parameters:
            words += matrix_words(parameter)
        for value in (*rows, *outputs):
            words += rows_words(value)
        for first, value in zip(states, last, strict=True):
            words += (*batch_words(first), *batch_words(value))
        words.append(0)
        built.kernel.run(words, None)
        del alive
        traced = {}
        for (name, variable), value in zip(self.plan.traced, outputs[1:], strict=False):
            traced[name] = value != 0 if variable.kind == "bool" else value
        count = len(outputs) - len(kept)
        assert program.output is not None
        return Result(outputs[0], tuple(last), traced, tuple(outputs[count:]))

    def _built_forward(self, call: Call, kept: tuple[Variable, ...]) -> _Built:
        key = (tuple(call.sizes.items()), is_double(call.x), kept)
        built = self._forward.get(key)
        if built is None:
            built = self._forward[key] = _build(forward_schedule(self.plan, kept), call.sizes, key[1], None)
        return built

    # ---- backward ----

    def backward_of(self, wanted: Sequence[bool], given: Sequence[bool], store: bool) -> Backward:
        """The backward pass for these wishes.

        Args:
            wanted: which gradients.
            given: of the output and of each traced variable, whether its gradient arrives.
            store: whether the forward pass keeps the results of its products; else they are computed again.
        """
        key = (tuple(wanted), tuple(given), store)
        backward = self._backwards.get(key)
        if backward is None:
            backward = self._backwards[key] = _derive(self.plan, *key)
        return backward

    def backward(
        self,
        call: Call,
        result: Result,
        backward: Backward,
        arriving: Sequence[Array],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """The gradients of x, of each state and of each parameter; None where they are not wanted.

        Args:
            call: of the forward pass.
            result: what it gave.
            backward: what the forward pass was told.
            arriving: gradients of the given variables, laid out as the output.
            last: the gradient of each last state; None for zero.
        """
        program, gradient = self.plan.program, backward.gradient
        schedule = gradient.schedule
        built = self._built_backward(call, backward)
        rows = self._rows_of_backward(call, result, backward, arriving)
        x = call.x
        outputs = [empty(x, (*x.shape[:-1], width)) for width in built.output_widths]
        results = [empty(x, shape) for shape in built.result_shapes]
        words, alive = _head(call, not call.reverse)
        parameters = dict(zip(program.parameters, call.parameters, strict=True))
        for parameter in schedule.constants:
            words += matrix_words(parameters[parameter])
        for value in (*rows, *outputs):
            words += rows_words(value)
        found: dict[Variable, Array] = {}
        held = []
        for state in gradient.carried:
            number = program.states.index(state)
            first = last[number]
            if first is None:
                first = empty(x, call.states[number].shape)
                first[...] = 0
            first = features_together(first)
            found[state] = empty(x, call.states[number].shape)
            held.append(first)
            words += (*batch_words(first), *batch_words(found[state]))
        beginning = [features_together(call.states[number]) for _, number, _ in backward.entering]
        words.append(len(beginning))
        for value in beginning:
            words += batch_words(value)
        words += [address(value) for value in results]
        built.kernel.run(words, None)
        del alive
        if gradient.input is not None:
            found[program.input] = outputs[0]
        by_result = dict(zip(schedule.constant_results, results, strict=True))
        for parameter, variable in gradient.parameters.items():
            found[parameter] = by_result[variable]
        return [found.get(source) for source in program.sources]

    def _built_backward(self, call: Call, backward: Backward) -> _Built:
        key = (tuple(call.sizes.items()), is_double(call.x), id(backward))
        built = self._backward.get(key)
        if built is None:
            entering = {state: number for number, (state, _, _) in enumerate(backward.entering)}
            built = self._backward[key] = _build(backward.gradient.schedule, call.sizes, key[1], entering)
        return built

    def _rows_of_backward(
        self, call: Call, result: Result, backward: Backward, arriving: Sequence[Array]
    ) -> list[Array]:
        """Every row that the backward pass reads, in the order of its schedule."""
        program = self.plan.program
        rows: dict[Variable, Array] = {program.input: call.x}
        rows.update(zip((mask.results[0] for mask in program.masks), call.masks, strict=True))
        rows.update(zip(backward.kept, result.kept, strict=True))
        for state, _, place in backward.entering:
            rows[state] = result.output if place < 0 else result.kept[place]
        rows[program.output] = result.output
        rows.update(zip(backward.gradient.arriving, arriving, strict=True))
        return [features_together(rows[row]) for row in backward.gradient.schedule.rows]


def forward_schedule(plan: Plan, kept: Sequence[Variable] = ()) -> Schedule:
    """A plan's forward pass; it gives the output, what is traced, and what is kept."""
    program = plan.program

    def computed(equations: Sequence[Equation]) -> tuple[Equation, ...]:
        return tuple(equation for equation in equations if equation.operation != "mask")

    return Schedule(
        constants=program.parameters,
        rows=(program.input, *(mask.results[0] for mask in program.masks)),
        states=program.states,
        next_states=program.next_states,
        once=plan.once,
        before=computed(plan.before),
        step=plan.step,
        after=plan.after,
        finally_=(),
        row_results=(program.output, *(variable for _, variable in plan.traced), *kept),
        constant_results=(),
    )


@lru_cache(maxsize=1024)
def _derive(plan: Plan, wanted: Wanted, given: tuple[bool, ...], store: bool) -> Backward:
    program = plan.program
    offered = [program.output, *(variable for _, variable in plan.traced)]
    gradient = differentiate(
        program,
        given=[variable for variable, is_given in zip(offered, given, strict=True) if is_given],
        wanted=[source for source, is_wanted in zip(program.sources, wanted, strict=True) if is_wanted],
        stored=(*(products_stored(program) if store else ()), program.output),
    )
    read = gradient.schedule.rows
    arriving, masks = set(gradient.arriving), {mask.results[0] for mask in program.masks}
    given_rows = {program.input, program.output, *program.states, *masks, *arriving}
    kept = [row for row in read if row not in given_rows]
    entering = []
    for number, (state, new) in enumerate(zip(program.states, program.next_states, strict=True)):
        if state not in read:
            continue
        if new == program.output:
            entering.append((state, number, -1))
            continue
        if new not in kept:
            kept.append(new)
        entering.append((state, number, kept.index(new)))
    return Backward(gradient, tuple(kept), tuple(entering))


def _head(call: Call, reverse: bool) -> tuple[list[int], tuple[Array, ...]]:
    """The first words of a call, and what must live until it is over."""
    x = call.x
    sizes, reset = call.batch_sizes, call.reset
    if sizes is not None:
        if hasattr(sizes, "tolist"):
            sizes = sizes.tolist()
        sizes = np.ascontiguousarray(sizes, np.int64)
    if reset is not None:
        reset = np.ascontiguousarray(reset if is_numpy(reset) else reset.detach().numpy())
    steps = len(sizes) if sizes is not None else x.shape[0]
    batch = int(call.states[0].shape[0])
    words = [steps, batch, 0 if sizes is None else address(sizes), int(reverse), 0 if reset is None else address(reset)]
    return [*words, threads()], (sizes, reset)
