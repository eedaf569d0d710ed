"""A plan run by native code: forward, and backward through its derivative."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import recurra._native as _native
from recurra.compiler import Plan, Schedule
from recurra.engines.native.lower import lower
from recurra.engines.native.memory import (
    Array,
    address,
    batch_words,
    check_dtype,
    empty,
    features_together,
    is_double,
    is_numpy,
    matrix_words,
    rows_together,
    rows_words,
)
from recurra.engines.protocol import Call, Result
from recurra.program import Equation, Variable

if TYPE_CHECKING:
    from recurra.engines.native.training import Backward, Training


def threads() -> int:
    """How many threads a call may use: torch's setting where torch is there, else OMP_NUM_THREADS, else all."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    setting = re.match(r"\s*0*([1-9][0-9]*)\s*(,|$)", os.environ.get("OMP_NUM_THREADS", ""), re.ASCII)
    return int(setting[1]) if setting else _native.hardware_threads()  # of a list, as OpenMP has it, the first


class Built(NamedTuple):
    """Native code for one direction, at some sizes and of some dtype.

    Attributes:
        kernel: the code.
        output_widths: features of each row result.
        result_shapes: of each constant result.
    """

    kernel: _native.Kernel
    output_widths: tuple[int, ...]
    result_shapes: tuple[tuple[int, ...], ...]


def _build(
    schedule: Schedule, sizes: Mapping[str, int], double: bool, entering: Mapping[Variable, int] | None
) -> Built:
    lanes = _native.lanes() // (2 if double else 1)
    code = lower(schedule, sizes, lanes, opposite=entering is not None, entering=entering)
    shapes = tuple(tuple(size.value(sizes) for size in v.shape) for v in schedule.constant_results)
    return Built(_native.kernel(code.words(), code.literals, double), tuple(code.outputs), shapes)


class NativeKernel:
    """A plan as native code, made for each set of sizes and dtype when it is first asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._shapes: dict[object, list[tuple[int, ...]]] = {}  # of the parameters
        self._forward: dict[object, Built] = {}
        self._backward: dict[object, Built] = {}
        self._backwards: dict[object, Backward] = {}

    # ---- forward ----

    def forward(self, call: Call, backward: Backward | None = None) -> Result:
        """Run the plan over whole sequences; with ``backward`` its result keeps what that backward pass needs."""
        check_dtype(call.x.dtype, (*call.states, *call.masks, *call.parameters))
        self._check(call.parameters, call.sizes)
        kept = () if backward is None else backward.kept
        built = self._built_forward(call.sizes, is_double(call.x), kept)
        x = call.x
        outputs = [empty(x, (*x.shape[:-1], width)) for width in built.output_widths]
        last = [empty(x, state.shape) for state in call.states]
        rows = [features_together(value) for value in (x, *call.masks)]
        states = [features_together(state) for state in call.states]
        words, alive = _head(call, call.reverse)
        parameters = [rows_together(parameter) for parameter in call.parameters]
        for parameter in parameters:
            words += matrix_words(parameter)
        for value in (*rows, *outputs):
            words += rows_words(value)
        for first, value in zip(states, last, strict=True):
            words += (*batch_words(first), *batch_words(value))
        words.append(0)
        built.kernel.run(words, call.packed if backward is None else None)  # type: ignore[arg-type]
        del alive
        traced = {}
        for (name, variable), value in zip(self.plan.traced, outputs[1:], strict=False):
            traced[name] = value != 0 if variable.kind == "bool" else value
        count = len(outputs) - len(kept)
        return Result(outputs[0], tuple(last), traced, tuple(outputs[count:]))

    def pack(self, parameters: Sequence[Array], sizes: Mapping[str, int], double: bool) -> object:
        """The weights as the kernel's matrices have them, for calls of these sizes without a backward pass."""
        for parameter in parameters:
            if is_double(parameter) != double:
                raise ValueError(f"the weights must be {'float64' if double else 'float32'}; one is {parameter.dtype}")
        self._check(parameters, sizes)
        words: list[int] = []
        held = [rows_together(parameter) for parameter in parameters]
        for parameter in held:
            words += matrix_words(parameter)
        return self._built_forward(sizes, double, ()).kernel.prepare(words)

    def _check(self, parameters: Sequence[Array], sizes: Mapping[str, int]) -> None:
        """Raise ValueError where a parameter is not as large as the code takes it to be."""
        variables, key = self.plan.program.parameters, tuple(sizes.values())
        if key not in self._shapes:
            self._shapes[key] = [tuple(size.value(sizes) for size in variable.shape) for variable in variables]
        for variable, shape, parameter in zip(variables, self._shapes[key], parameters, strict=True):
            if tuple(parameter.shape) != shape:
                raise ValueError(f"parameter {variable.name} must have shape {shape}; got {tuple(parameter.shape)}")

    def code(self, sizes: Mapping[str, int], double: bool) -> _native.Kernel:
        """The forward pass at these sizes, for callers that know its words."""
        return self._built_forward(sizes, double, ()).kernel

    def training(
        self, sizes: Mapping[str, int], double: bool, wanted: Sequence[bool], given: Sequence[bool], store: bool
    ) -> Training:
        """Both passes at these sizes, for callers that know their words; see ``backward_of``."""
        from recurra.engines.native.training import Training

        backward = self.backward_of(wanted, given, store)
        return Training(
            backward,
            tuple(variable.width(sizes) for variable in backward.kept),
            self._built_forward(sizes, double, backward.kept).kernel,
            self._built_backward(sizes, double, backward),
        )

    def _built_forward(self, sizes: Mapping[str, int], double: bool, kept: tuple[Variable, ...]) -> Built:
        key = (tuple(sizes.values()), double, kept)
        built = self._forward.get(key)
        if built is None:
            built = self._forward.setdefault(key, _build(forward_schedule(self.plan, kept), sizes, double, None))
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
            from recurra.engines.native.training import derive  # here: whoever only predicts never needs it

            backward = self._backwards.setdefault(key, derive(self.plan, *key))
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
        x = call.x
        check_dtype(x.dtype, (*call.states, *call.masks, *call.parameters, result.output, *result.kept, *arriving))
        check_dtype(x.dtype, [gradient for gradient in last if gradient is not None])
        built = self._built_backward(call.sizes, is_double(x), backward)
        rows = [features_together(row) for row in _rows_of(backward, call, result, arriving)]
        outputs = [empty(x, (*x.shape[:-1], width)) for width in built.output_widths]
        results = [empty(x, shape) for shape in built.result_shapes]
        words, alive = _head(call, not call.reverse)
        constants = [rows_together(call.parameters[number]) for number in backward.constants]
        for constant in constants:
            words += matrix_words(constant)
        for value in (*rows, *outputs):
            words += rows_words(value)
        states: list[Array | None] = [None] * len(call.states)
        held = []
        for number in backward.carried:
            found = states[number] = empty(x, call.states[number].shape)
            first = last[number]
            if first is None:
                words += (0, 0)
            else:
                first = features_together(first)
                held.append(first)
                words += batch_words(first)
            words += batch_words(found)
        beginning = [features_together(call.states[number]) for _, number in backward.entering]
        words.append(len(beginning))
        for value in beginning:
            words += batch_words(value)
        words += [address(value) for value in results]
        built.kernel.run(words, None)
        del alive, held
        parameters = [None if number < 0 else results[number] for number in backward.results]
        return [outputs[0] if backward.has_input else None, *states, *_own(parameters)]

    def _built_backward(self, sizes: Mapping[str, int], double: bool, backward: Backward) -> Built:
        key = (tuple(sizes.values()), double, backward)
        built = self._backward.get(key)
        if built is None:
            entering = {state: number for number, (state, _) in enumerate(backward.entering)}
            built = self._backward.setdefault(key, _build(backward.schedule, sizes, double, entering))
        return built


def _rows_of(backward: Backward, call: Call, result: Result, arriving: Sequence[Array]) -> list[Array]:
    """Every row that a backward pass reads."""
    groups = {"x": [call.x], "output": [result.output], "mask": call.masks, "kept": result.kept, "arriving": arriving}
    return [groups[group][number] for group, number in backward.rows]


def _own(arrays: Sequence[Array | None]) -> list[Array | None]:
    """Each array once: two parameters with the same gradient get one each."""
    seen: set[int] = set()
    owned = []
    for array in arrays:
        if array is not None and id(array) in seen:
            array = array.copy() if is_numpy(array) else array.clone()
        seen.add(id(array))
        owned.append(array)
    return owned


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
    batch = int(call.states[0].shape[0] if call.states else x.shape[1])
    words = [steps, batch, 0 if sizes is None else address(sizes), int(reverse), 0 if reset is None else address(reset)]
    return [*words, threads()], (sizes, reset)
