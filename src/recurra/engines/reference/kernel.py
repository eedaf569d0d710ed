"""The reference engine: plain array code over numpy or torch. Slow and obviously right, and differentiable in torch.

What it computes is the definition that every other engine is tested against.
"""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import ModuleType

from recurra.compiler import Plan
from recurra.engines.protocol import Array, Call, Result
from recurra.program import Equation, Variable

# Operations that take arrays of the run's dtype only, even where the program has a number.
_ARRAYS_ONLY = ("where", "minimum", "maximum", "clip")

Values = dict[Variable, Array]
Run = Callable[[Values], None]


class ReferenceEngine:
    """Runs a plan equation by equation; available wherever its arrays are."""

    name = "reference"

    def refuses(self) -> str | None:
        """None: it runs everywhere."""
        return None

    @lru_cache(maxsize=512)  # noqa: B019  (there is one engine, and it lives as long as the process)
    def build(self, plan: Plan) -> ReferenceKernel:
        """The kernel of a plan."""
        return ReferenceKernel(plan)


class ReferenceKernel:
    """A plan, run equation by equation."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._runs: dict[tuple[object, ...], tuple[list[Run], list[Run], list[Run]]] = {}

    def forward(self, call: Call) -> Result:
        """Run the plan over whole sequences: once, before, the time loop, after."""
        if call.batch_sizes is None:
            return self._dense(call)
        plan, program = self.plan, self.plan.program
        lib = _library(call.x)
        early, step, late = self._prepared(lib, call.sizes)
        masks = {equation.results[0]: mask for equation, mask in zip(program.masks, call.masks, strict=True)}
        parameters = dict(zip(program.parameters, call.parameters, strict=True))
        values: Values = {program.input: call.x, **parameters, **masks}
        for run in early:
            run(values)
        kept, states = self._loop(lib, call, dict(values), step) if program.states else ({}, ())
        values.update(kept)
        for run in late:
            run(values)
        traced = {name: _as_rows(values[variable]) for name, variable in plan.traced}
        return Result(values[program.output], states, traced)

    def pack(self, parameters: Sequence[Array], sizes: Mapping[str, int], double: bool) -> object:
        """None: parameters are used as they are."""
        return None

    def _dense(self, call: Call) -> Result:
        """The same run with all steps' rows one after the other."""
        leading = call.x.shape[:2]

        def steps(values: Array) -> Array:
            return values.reshape(*leading, values.shape[-1])

        flat = replace(
            call,
            x=call.x.reshape(leading[0] * leading[1], call.x.shape[2]),
            batch_sizes=[leading[1]] * leading[0],
            masks=[mask.reshape(leading[0] * leading[1], mask.shape[2]) for mask in call.masks],
            reset=None if call.reset is None else call.reset.reshape(-1),
        )
        result = self.forward(flat)
        traced = {name: steps(values) for name, values in result.traced.items()}
        return Result(steps(result.output), result.states, traced)

    def _prepared(self, lib: ModuleType, sizes: Mapping[str, int]) -> tuple[list[Run], list[Run], list[Run]]:
        """Functions for the equations ahead of the loop, in it and behind it; the same at every call of these sizes."""
        key = (lib.__name__, *sorted(sizes.items()))
        if key not in self._runs:
            plan, x = self.plan, self.plan.program.input
            early, step, late = (
                [_run(equation, lib, sizes, x) for equation in equations if equation.operation != "mask"]
                for equations in ((*plan.once, *plan.before), plan.step, plan.after)
            )
            self._runs[key] = early, step, late
        return self._runs[key]

    def _loop(
        self, lib: ModuleType, call: Call, values: Values, runs: Iterable[Run]
    ) -> tuple[Values, tuple[Array, ...]]:
        """The time loop: what is kept of every step, and the last states."""
        plan, program = self.plan, self.plan.program
        sizes = [] if call.batch_sizes is None else [int(size) for size in call.batch_sizes]
        arriving = {variable: lib.cut_rows(values[variable], sizes) for variable in plan.arriving}
        resets = None if call.reset is None else lib.cut_rows(call.reset.reshape(-1, 1), sizes)
        kept: dict[Variable, list[Array]] = {variable: [] for variable in plan.kept}
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


def _as_rows(values: Array) -> Array:
    """Values of rows as vectors, heads one after the other."""
    return values.reshape(values.shape[0], math.prod(values.shape[1:]))


class _Carried:
    """The states between steps, while sequences end (or, in reverse, begin) at different steps."""

    def __init__(self, lib: ModuleType, call: Call, sizes: Sequence[int]) -> None:
        self._lib = lib
        self._first = list(call.states)
        self._ended: list[list[Array]] = []  # last states of sequences that have ended, the latest to end first
        size = sizes[-1 if call.reverse else 0]
        self.states = [state[:size] for state in self._first]

    def entering(self, size: int) -> list[Array]:
        """The states of the sequences that take part in the next step."""
        have = self.states[0].shape[0]
        if size < have:
            self._ended.insert(0, [state[size:] for state in self.states])
            self.states = [state[:size] for state in self.states]
        elif size > have:
            begun = [first[have:size] for first in self._first]
            self.states = [self._lib.join_rows(pair) for pair in zip(self.states, begun, strict=True)]
        return self.states

    def leaving(self) -> tuple[Array, ...]:
        """The last state of every sequence, in the order of rows; of one without steps, its first."""
        groups = [self.states, *self._ended]
        have = sum(group[0].shape[0] for group in groups)
        if have < self._first[0].shape[0]:
            groups.append([first[have:] for first in self._first])
        if len(groups) == 1:
            return tuple(self.states)
        return tuple(self._lib.join_rows(pieces) for pieces in zip(*groups, strict=True))


def _library(x: Array) -> ModuleType:
    """The operation table for the library that x comes from; torch is imported only where it is torch."""
    name = "numpy" if type(x).__module__ == "numpy" else "torch"
    return importlib.import_module(f"recurra.engines.arrays_{name}")


def _run(equation: Equation, lib: ModuleType, sizes: Mapping[str, int], x: Variable) -> Run:
    """A function that computes an equation in a table of values; x is a variable of the run's dtype and device."""
    function = _function(equation, lib, sizes)
    operands, results = equation.operands, equation.results
    if equation.operation in _ARRAYS_ONLY or not equation.variables:

        def arguments(values: Values) -> list[Array]:
            return [values[o] if isinstance(o, Variable) else lib.number(o, values[x]) for o in operands]
    else:

        def arguments(values: Values) -> list[Array]:
            return [values[o] if isinstance(o, Variable) else o for o in operands]

    if len(results[0].shape) == 2 and equation.operation in lib.ELEMENTWISE:
        function = _beside_heads(function, [isinstance(o, Variable) and not o.shape for o in operands])

    def run(values: Values) -> None:
        if equation.operation == "eye":
            values[results[0]] = function(values[x])
        elif len(results) == 1:
            values[results[0]] = function(*arguments(values))
        else:
            values.update(zip(results, function(*arguments(values)), strict=True))

    return run


def evaluate(equations: Iterable[Equation], values: Values, sizes: Mapping[str, int], like: Variable) -> None:
    """Compute equations in their order, in a table of values; ``like`` is one of the run's dtype and device."""
    lib = _library(values[like])
    for equation in equations:
        _run(equation, lib, sizes, like)(values)


def _beside_heads(function: Callable[..., Array], single: Sequence[bool]) -> Callable[..., Array]:
    """The function on (rows, heads, features), where a row's single number, (rows, 1), may meet them."""

    def computed(*arrays: Array) -> Array:
        pairs = zip(arrays, single, strict=True)
        return function(*(a[..., None] if is_single and a.ndim == 2 else a for a, is_single in pairs))

    return computed


def _function(equation: Equation, lib: ModuleType, sizes: Mapping[str, int]) -> Callable[..., Array]:
    """What an equation computes, on arrays whose last dimension is the features."""
    elementwise: Mapping[str, Callable[..., Array]] = lib.ELEMENTWISE
    operation = equation.operation
    if operation in elementwise:
        return elementwise[operation]
    widths = [result.shape[-1].value(sizes) for result in equation.results if result.shape]
    headed = any(len(variable.shape) == 3 for variable in equation.variables)
    functions: dict[str, Callable[..., Array]] = {
        "mean": lib.mean,
        "sum": lib.total,
        "max": lib.largest,
        "cumsum": lib.running_sum,
        "transpose": lambda x: x.swapaxes(-1, -2),
        "scalar": lambda x: x,
        "concat": lambda *arrays: lib.join(arrays),
        "split": lambda x: lib.cut(x, widths) if len(widths) > 1 else x,
        "partition": lambda x: lib.cut(x, widths) if len(widths) > 1 else x,
        "eye": lambda like: lib.identity(widths[0], like),
        "heads": lambda x: x.reshape(*x.shape[:-1], equation.attributes["count"], widths[0]),
        "product": lib.heads_product if headed else operator.matmul,
    }
    return functions[operation]
