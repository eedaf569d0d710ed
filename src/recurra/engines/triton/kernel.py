"""The kernel of a plan: the loop over time in Triton, what needs no state in torch's operations on all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import torch
from torch import Tensor

from recurra.compiler import Plan, Schedule
from recurra.engines.protocol import Array, Call, Kernel, Result, Wishes
from recurra.engines.reference import torch_table
from recurra.engines.reference.backward import compute, entering_rows, varying_of
from recurra.engines.reference.equations import Values
from recurra.engines.saved import Backward, derive
from recurra.engines.triton.loops import Loop
from recurra.engines.triton.steps import LoopArrays, Steps, steps_of
from recurra.engines.triton.ways import loop_of
from recurra.program import Equation, Sizes, Variable

_LIB: ModuleType = torch_table


class TritonKernel(Kernel):
    """A plan whose loop runs in Triton's kernels."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._passes: dict[tuple[object, ...], _Pass] = {}

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences; with ``wishes``, the result keeps what the backward pass needs."""
        program, kept = self.plan.program, () if wishes is None else derive(self.plan, wishes).kept
        steps, leading = steps_of(call, is_backward=False), call.x.shape[:-1]
        run = self._pass("forward", kept, lambda: self.plan.schedule.giving(kept), call)
        masks = {equation.results[0]: mask for equation, mask in zip(program.masks, call.masks, strict=True)}
        rows = {variable: _flat(value, steps.rows) for variable, value in {program.input: call.x, **masks}.items()}
        values: Values = {**rows, **dict(zip(program.parameters, call.parameters, strict=True))}
        last = run(values, call.states, steps, call.x)
        output = values[program.output].reshape(*leading, -1)
        traced = {name: values[variable].reshape(*leading, -1) for name, variable in self.plan.traced}
        traced |= {n: traced[n] != 0 for n, v in self.plan.traced if v.kind == "bool" and traced[n].dtype != torch.bool}
        return Result(output, tuple(last), traced, tuple(_held(values[variable], call.x) for variable in kept))

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted."""
        backward, steps = derive(self.plan, wishes), steps_of(call, is_backward=True)
        values = self._backward_rows(backward, call, result, arriving, steps)
        numbers = zip(backward.schedule.constants, backward.constants, strict=True)
        values.update((variable, call.parameters[number]) for variable, number in numbers)
        given = [last[number] for number in backward.carried]
        firsts = [call.states[number] for number in backward.carried]
        ends = [torch.zeros_like(s) if end is None else end for end, s in zip(given, firsts, strict=True)]
        run = self._pass("backward", backward, lambda: backward.schedule, call)
        found = run(values, ends, steps, call.x)
        states: list[Array | None] = [None] * len(call.states)
        for number, value in zip(backward.carried, found, strict=True):
            states[number] = value
        constants = [values[variable] for variable in backward.schedule.constant_results]
        parameters = [None if number < 0 else constants[number] for number in backward.results]
        dx = values[backward.schedule.row_results[0]].reshape(call.x.shape) if backward.has_input else None
        return [dx, *states, *parameters]

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """Return (rows, width) for each variable that is kept."""
        rows = 1
        for size in leading:
            rows = rows * size
        return [(rows, variable.width(sizes)) for variable in derive(self.plan, wishes).kept]

    def _backward_rows(
        self, backward: Backward, call: Call, result: Result, arriving: Sequence[Array | None], steps: Steps
    ) -> Values:
        """The values of the row variables of a backward schedule, each (rows, …)."""
        groups: Mapping[str, Sequence[Array | None]] = {
            "x": [call.x],
            "output": [result.output],
            "mask": call.masks,
            "kept": result.kept,
            "arriving": arriving,
        }
        values: Values = {}
        for variable, (group, number) in zip(backward.schedule.rows, backward.rows, strict=True):
            value, shape = groups[group][number], (steps.rows, *_row_shape(variable, call.sizes))
            values[variable] = call.x.new_zeros(shape) if value is None else value.reshape(shape)
        if backward.entering:
            sizes = [steps.batch] * steps.steps if call.batch_sizes is None else [int(n) for n in call.batch_sizes]
            reset = None if call.reset is None else call.reset.reshape(-1, 1)
            for variable, number in backward.entering:
                first, after = call.states[number], values[variable]
                values[variable] = entering_rows(_LIB, after, first, sizes, reset, call.reverse)
        return values

    def _pass(self, name: str, what: object, schedule: Callable[[], Schedule], call: Call) -> _Pass:
        """The pass of a schedule at a call's sizes and dtype, which is made once; ``what`` tells schedules apart."""
        precision = "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"
        if torch.version.hip:  # AMD's compiler has no products of three parts, and multiplies float32 itself
            precision = "ieee"
        key = (name, what, call.sizes, call.x.dtype, precision)
        if key not in self._passes:
            self._passes[key] = _Pass(f"{self.plan.program.name}_{name}", schedule(), call, precision)
        return self._passes[key]


class _Pass:
    """A schedule as it runs: its loop in Triton's kernels, all else in torch's operations."""

    def __init__(self, name: str, schedule: Schedule, call: Call, precision: str) -> None:
        self._schedule, self._sizes, self._varying = schedule, call.sizes, varying_of(schedule)
        self._loop: Loop | None = None
        if schedule.states:
            self._loop = loop_of(name, schedule, call.sizes, call.x.dtype, precision)

    def __call__(self, values: Values, states: Sequence[Tensor], steps: Steps, like: Tensor) -> list[Tensor]:
        """Add all that the schedule computes to the values, and return the last states."""
        schedule, varying, last = self._schedule, self._varying, list(states)
        self._compute((*schedule.once, *schedule.before), values, steps, like)
        if self._loop is not None:
            constants = {variable: value for variable, value in values.items() if variable not in varying}
            rows = {variable: value for variable, value in values.items() if variable in varying}
            made, last = self._loop(LoopArrays(constants, rows, states), steps)
            for variable, value in made.items():
                shaped = value.reshape(steps.rows, *_row_shape(variable, self._sizes))
                values[variable] = shaped != 0 if variable.kind == "bool" else shaped
        self._compute((*schedule.after, *schedule.finally_), values, steps, like)
        return last

    def _compute(self, equations: Sequence[Equation], values: Values, steps: Steps, like: Tensor) -> None:
        compute(equations, values, self._varying, steps.rows, _LIB, self._sizes, like)


def _flat(value: Tensor, rows: int) -> Tensor:
    """The rows of all steps one after the other."""
    return value.reshape(rows, value.shape[-1])


def _held(value: Tensor, like: Tensor) -> Tensor:
    """A value for the backward pass, as ``kept_shapes`` says."""
    return value.reshape(value.shape[0], -1).to(like.dtype)


def _row_shape(variable: Variable, sizes: Sizes) -> tuple[int, ...]:
    """The shape of a variable in one row; a scalar has one feature."""
    return tuple(size.value(sizes) for size in variable.shape) or (1,)
