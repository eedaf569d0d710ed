"""The reference engine: plain array code in numpy or torch. It is slow, easy to verify, and differentiable in torch.

Its results are the definition that every other engine is tested against.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import ModuleType

from recurra.compiler import Plan
from recurra.engines.protocol import Array, Call, Device, DType, Engine, Kernel, Result, Wishes
from recurra.engines.reference.backward import BackwardRun, entering_rows
from recurra.engines.reference.equations import EquationFunction, Values, compiled, library_of
from recurra.engines.saved import Backward, derive
from recurra.program import Sizes, Variable

_Stage = list[EquationFunction]


class ReferenceEngine(Engine):
    """Runs a plan equation by equation, on any device."""

    name = "reference"
    is_recorded = True

    def refuses(self, plan: Plan | None = None, dtype: DType = "float32", device: Device = "cpu") -> str | None:
        """Return None: it runs every plan everywhere."""
        return None

    @lru_cache(maxsize=512)  # noqa: B019  (there is one engine, and it lives as long as the process)
    def build(self, plan: Plan) -> ReferenceKernel:
        """Return the kernel of a plan."""
        return ReferenceKernel(plan)


class ReferenceKernel(Kernel):
    """A plan that is run equation by equation."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._stages: dict[tuple[object, ...], tuple[_Stage, _Stage, _Stage]] = {}

    # ---- forward ----

    def forward(self, call: Call, wishes: Wishes | None = None) -> Result:
        """Run the plan over sequences: the stages once and before, the time loop, the stage after."""
        if call.batch_sizes is None:
            return self._dense(call, wishes)
        plan, program = self.plan, self.plan.program
        saved = () if wishes is None else derive(plan, wishes).kept
        lib = library_of(call.x)
        early, step, late = self._prepared(lib, call.sizes)
        masks = {equation.results[0]: mask for equation, mask in zip(program.masks, call.masks, strict=True)}
        parameters = dict(zip(program.parameters, call.parameters, strict=True))
        values: Values = {program.input: call.x, **parameters, **masks}
        for run in early:
            run(values)
        kept, states = self._loop(lib, call, dict(values), step, saved) if program.states else ({}, ())
        values.update(kept)
        for run in late:
            run(values)
        traced = {name: _as_rows(values[variable]) for name, variable in plan.traced}
        return Result(values[program.output], states, traced, tuple(values[variable] for variable in saved))

    def _dense(self, call: Call, wishes: Wishes | None) -> Result:
        """Run a dense call as packed rows."""
        leading = call.x.shape[:2]
        result = self.forward(_flat(call), wishes)
        traced = {name: _steps(values, leading) for name, values in result.traced.items()}
        return Result(_steps(result.output, leading), result.states, traced, result.kept)

    def _prepared(self, lib: ModuleType, sizes: Sizes) -> tuple[_Stage, _Stage, _Stage]:
        """The equations before, in and after the time loop as functions; every call of these sizes shares them."""
        key = (lib.__name__, sizes)
        if key not in self._stages:
            schedule, x = self.plan.schedule, self.plan.program.input
            early, step, late = (
                [compiled(equation, lib, sizes, x) for equation in equations]
                for equations in ((*schedule.once, *schedule.before), schedule.step, schedule.after)
            )
            self._stages[key] = early, step, late
        return self._stages[key]

    def _loop(
        self,
        lib: ModuleType,
        call: Call,
        values: Values,
        runs: Iterable[EquationFunction],
        saved: Sequence[Variable],
    ) -> tuple[Values, tuple[Array, ...]]:
        """Run the time loop; return what is kept of all steps, and the last states."""
        schedule, program = self.plan.schedule, self.plan.program
        sizes = [] if call.batch_sizes is None else [int(size) for size in call.batch_sizes]
        arriving = {variable: lib.cut_rows(values[variable], sizes) for variable in schedule.loop_inputs()}
        resets = None if call.reset is None else lib.cut_rows(call.reset.reshape(-1, 1), sizes)
        kept: dict[Variable, list[Array]] = {variable: [] for variable in schedule.giving(saved).loop_outputs()}
        carried = _Carried(lib, call, sizes)
        order = range(len(sizes))
        for t in reversed(order) if call.reverse else order:
            states = carried.entering(sizes[t])
            if resets is not None:
                states = [lib.zero_where(resets[t], state) for state in states]
            values.update(zip(program.states, states, strict=True))
            values.update({variable: rows[t] for variable, rows in arriving.items()})
            for run in runs:
                run(values)
            for variable, rows in kept.items():
                rows.append(values[variable])
            carried.states = [values[variable] for variable in program.next_states]
        in_time = {variable: rows[::-1] if call.reverse else rows for variable, rows in kept.items()}
        return {variable: lib.join_rows(rows) for variable, rows in in_time.items()}, carried.leaving()

    # ---- backward ----

    def backward(
        self,
        call: Call,
        result: Result,
        wishes: Wishes,
        arriving: Sequence[Array | None],
        last: Sequence[Array | None],
    ) -> list[Array | None]:
        """Return the gradients of x, of each state and of each parameter; None where they are not wanted."""
        plan, lib, leading = derive(self.plan, wishes), library_of(call.x), call.x.shape[:-1]
        flat = call if call.batch_sizes is not None else _flat(call)
        assert flat.batch_sizes is not None
        batch_sizes = [int(size) for size in flat.batch_sizes]
        reset = None if flat.reset is None else flat.reset.reshape(-1, 1)
        rows = self._rows_of(plan, flat, result, arriving, lib)
        values: Values = dict(zip(plan.schedule.rows, rows, strict=True))
        for variable, number in plan.entering:
            first = flat.states[number]
            values[variable] = entering_rows(lib, values[variable], first, batch_sizes, reset, call.reverse)
        values.update((v, call.parameters[n]) for v, n in zip(plan.schedule.constants, plan.constants, strict=True))
        ends = [last[number] for number in plan.carried]
        starts = [call.states[number] for number in plan.carried]
        ends = [lib.zeros(s.shape, s) if end is None else end for end, s in zip(ends, starts, strict=True)]
        run = BackwardRun(plan.schedule, lib, call.sizes, call.x)
        row_results, constants, firsts = run(values, ends, batch_sizes, reset, call.reverse)
        states: list[Array | None] = [None] * len(call.states)
        for number, value in zip(plan.carried, firsts, strict=True):
            states[number] = value
        parameters = [None if number < 0 else constants[number] for number in plan.results]
        dx = row_results[0].reshape(*leading, row_results[0].shape[-1]) if plan.has_input else None
        return [dx, *states, *parameters]

    def _rows_of(
        self, plan: Backward, flat: Call, result: Result, arriving: Sequence[Array | None], lib: ModuleType
    ) -> list[Array]:
        """The values of the schedule's row variables, each (rows, …)."""
        groups: Mapping[str, Sequence[Array | None]] = {
            "x": [flat.x],
            "output": [result.output],
            "mask": flat.masks,
            "kept": result.kept,
            "arriving": arriving,
        }
        arrays = []
        for variable, (group, number) in zip(plan.schedule.rows, plan.rows, strict=True):
            value, shape = groups[group][number], (flat.x.shape[0], *_row_shape(variable, flat.sizes))
            arrays.append(lib.zeros(shape, flat.x) if value is None else value.reshape(shape))
        return arrays

    def kept_shapes(self, leading: tuple[int, ...], sizes: Sizes, wishes: Wishes) -> list[tuple[int, ...]]:
        """Return (rows, …) for each variable that is kept."""
        return [(math.prod(leading), *_row_shape(v, sizes)) for v in derive(self.plan, wishes).kept]


def _row_shape(variable: Variable, sizes: Sizes) -> tuple[int, ...]:
    """The shape of a variable in one row; a scalar has one feature."""
    return tuple(size.value(sizes) for size in variable.shape) or (1,)


def _flat(call: Call) -> Call:
    """A dense call as a packed one: the rows of all steps one after the other."""
    steps, batch, width = call.x.shape
    return replace(
        call,
        x=call.x.reshape(steps * batch, width),
        batch_sizes=[batch] * steps,
        masks=[mask.reshape(steps * batch, mask.shape[2]) for mask in call.masks],
        reset=None if call.reset is None else call.reset.reshape(-1),
    )


def _steps(rows: Array, leading: Sequence[int]) -> Array:
    """Rows as (T, batch, features)."""
    return rows.reshape(*leading, rows.shape[-1])


def _as_rows(values: Array) -> Array:
    """The values of each row as a vector, heads one after the other."""
    return values.reshape(values.shape[0], math.prod(values.shape[1:]))


class _Carried:
    """The states between steps, of sequences that end (in reverse: begin) at different steps."""

    def __init__(self, lib: ModuleType, call: Call, sizes: Sequence[int]) -> None:
        self._lib = lib
        self._first = list(call.states)
        self._ended: list[list[Array]] = []  # last states of ended sequences, the latest end first
        size = sizes[-1 if call.reverse else 0]
        self.states = [state[:size] for state in self._first]

    def entering(self, size: int) -> list[Array]:
        """The states of the sequences that have the next step."""
        have = self.states[0].shape[0]
        if size < have:
            self._ended.insert(0, [state[size:] for state in self.states])
            self.states = [state[:size] for state in self.states]
        elif size > have:
            begun = [first[have:size] for first in self._first]
            self.states = [self._lib.join_rows(pair) for pair in zip(self.states, begun, strict=True)]
        return self.states

    def leaving(self) -> tuple[Array, ...]:
        """The last state of every sequence, in the order of rows; for one without steps, its first state."""
        groups = [self.states, *self._ended]
        have = sum(group[0].shape[0] for group in groups)
        if have < self._first[0].shape[0]:
            groups.append([first[have:] for first in self._first])
        if len(groups) == 1:
            return tuple(self.states)
        return tuple(self._lib.join_rows(pieces) for pieces in zip(*groups, strict=True))
