"""The meaning of a derived schedule, run step by step, and of the operations that only gradients need.

This defines the backward pass for all other engines, as ``kernel.py`` defines the forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import ModuleType

from recurra.compiler import Schedule
from recurra.compiler.adjoint import ADJOINT_OPERATIONS, sums_rows
from recurra.engines.protocol import Array
from recurra.engines.reference.equations import Values, arguments_of, function_of
from recurra.program import Equation, Sizes, Variable


def adjoint_functions(lib: ModuleType, is_row: bool) -> Mapping[str, Callable[..., Array]]:
    """The operations that only gradients need, on values with a leading dimension of rows; on constants without."""

    def outer(a: Array, b: Array) -> Array:
        return lib.heads_outer(a, b.reshape(*a.shape[:2], -1)) if a.ndim == 3 else a.swapaxes(0, 1) @ b

    def total(a: Array) -> Array:
        return lib.total(a.reshape(a.shape[0], math.prod(a.shape[1:]))) if is_row else a.sum()

    return {
        "outer": outer,
        "outer_constant": lambda a, b: a[:, None] * b,
        "rows_sum": lambda a: a.sum(0),
        "expand": lambda a: a,  # compute() expands it
        "total": total,
        "reverse_cumsum": lambda a: lib.backwards(lib.running_sum(lib.backwards(a))),
        "flatten": lambda a: a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1]),
    }


def compute(
    equations: Iterable[Equation],
    values: Values,
    varying: Collection[Variable],
    rows: int,
    lib: ModuleType,
    sizes: Sizes,
    like: Array,
) -> None:
    """Compute equations in order, in a table of values.

    Args:
        equations: of programs, or of backward schedules.
        values: the table. Varying values have a leading dimension of rows; a scalar of each row is (rows, 1).
        varying: the variables that vary.
        rows: the number of rows.
        lib: the operation table of the arrays' library.
        sizes: the values of the program's symbols.
        like: an array of the run's dtype and device.
    """
    varying = frozenset(varying)
    for equation in equations:
        is_row = not varying.isdisjoint(equation.variables)
        operands = _operands(equation, values, varying if is_row else (), lib, like)
        if equation.operation in ADJOINT_OPERATIONS:
            function = adjoint_functions(lib, is_row)[equation.operation]
        else:
            function = function_of(equation, lib, sizes)
        outcome = function(*operands)
        leads = is_row and not sums_rows(equation)
        for variable, value in zip(equation.results, outcome if len(equation.results) > 1 else [outcome], strict=True):
            shape = _shape(variable, sizes)
            shape = (rows, *(shape or (1,))) if leads else shape
            values[variable] = lib.expanded(value, shape) if equation.operation == "expand" else value.reshape(shape)


def _shape(variable: Variable, sizes: Sizes) -> tuple[int, ...]:
    return tuple(size.value(sizes) for size in variable.shape)


def _operands(
    equation: Equation, values: Values, varying: Collection[Variable], lib: ModuleType, like: Array
) -> list[Array]:
    """The operands' values. A scalar of each row gets a further dimension where operands have heads."""
    if not equation.operands:
        return [like]
    arguments = arguments_of(equation, lib, values, like)
    if max(len(v.shape) for v in (*equation.variables, *equation.results)) < 2:
        return arguments
    return [
        value[..., None] if o in varying and isinstance(o, Variable) and not o.shape else value
        for o, value in zip(equation.operands, arguments, strict=True)
    ]


def varying_of(schedule: Schedule) -> set[Variable]:
    """The variables of a schedule that have a value for every row."""
    varying = {*schedule.rows, *schedule.states}
    for stage in (schedule.before, schedule.step, schedule.after):
        for equation in stage:
            if not sums_rows(equation) and varying.intersection(equation.variables):
                varying.update(equation.results)
    return varying


class BackwardRun:
    """Runs a backward schedule over the steps, in the opposite order of the forward pass.

    Args:
        schedule: the schedule to run.
        lib: the operation table of the arrays' library.
        sizes: the values of the program's symbols.
        like: an array of the run's dtype and device.
    """

    def __init__(self, schedule: Schedule, lib: ModuleType, sizes: Sizes, like: Array) -> None:
        self.schedule, self._lib, self._sizes, self._like = schedule, lib, sizes, like
        self.varying = varying_of(schedule)

    def compute(self, equations: Iterable[Equation], values: Values, rows: int) -> None:
        """Compute equations in order; varying values have this number of rows."""
        compute(equations, values, self.varying, rows, self._lib, self._sizes, self._like)

    def __call__(
        self,
        given: Values,
        last: Sequence[Array],
        batch_sizes: Sequence[int],
        reset: Array | None = None,
        reverse: bool = False,
    ) -> tuple[list[Array], list[Array], list[Array]]:
        """Run the schedule.

        Args:
            given: the constants, and the values of every row.
            last: for each state of the schedule, the gradient of the last forward state of every sequence,
                (batch, size).
            batch_sizes: rows of each step.
            reset: bool (rows, 1), where the forward pass reset the state; None for nowhere.
            reverse: whether the *forward* pass ran from the last step to the first.

        Returns:
            The row results, the constant results, and the gradients of the first states.
        """
        with self._lib.silent():
            return self._run(given, last, batch_sizes, reset, reverse)

    def _run(
        self, given: Values, last: Sequence[Array], batch_sizes: Sequence[int], reset: Array | None, reverse: bool
    ) -> tuple[list[Array], list[Array], list[Array]]:
        schedule, lib, count = self.schedule, self._lib, sum(batch_sizes)
        values = dict(given)
        self.compute((*schedule.once, *schedule.before), values, count)
        rows = {v: lib.cut_rows(value, batch_sizes) for v, value in values.items() if v in self.varying}
        resets = None if reset is None else lib.cut_rows(reset, batch_sizes)
        carried, kept = list(last), dict[int, Values]()
        order = range(len(batch_sizes))
        for t in order if reverse else reversed(order):
            size = batch_sizes[t]
            now = {**values, **{v: pieces[t] for v, pieces in rows.items()}}
            now.update((state, value[:size]) for state, value in zip(schedule.states, carried, strict=True))
            self.compute(schedule.step, now, size)
            kept[t] = {v: value for v, value in now.items() if v not in values}
            for number, new in enumerate(schedule.next_states):
                handed = now[new] if resets is None else lib.zero_where(resets[t], now[new])
                carried[number] = lib.join_rows([handed, carried[number][size:]])
        for variable in kept.get(0, {}):
            values[variable] = lib.join_rows([kept[t][variable] for t in order])
        if not kept:  # no steps
            values.update(
                (v, lib.zeros((0, *(_shape(v, self._sizes) or (1,))), self._like)) for v in self._made_in_loop()
            )
        self.compute((*schedule.after, *schedule.finally_), values, count)
        return [values[v] for v in schedule.row_results], [values[v] for v in schedule.constant_results], carried

    def _made_in_loop(self) -> list[Variable]:
        return [*self.schedule.states, *(v for equation in self.schedule.step for v in equation.results)]


def entering_rows(
    lib: ModuleType,
    after: Array,
    first: Array,
    batch_sizes: Sequence[int],
    reset: Array | None,
    reverse: bool,
) -> Array:
    """The state before each row's step, from the states after the steps.

    Args:
        lib: the operation table of the arrays' library.
        after: the state after each row's step, (rows, size).
        first: the state before the first step, (batch, size).
        batch_sizes: rows of each step.
        reset: bool (rows, 1), where the state is set to zero; None for nowhere.
        reverse: whether the forward pass ran from the last step to the first.
    """
    pieces = lib.cut_rows(after, batch_sizes)
    steps = len(batch_sizes)
    blocks = []
    for t, size in enumerate(batch_sizes):
        before = t + 1 if reverse else t - 1
        have = min(size, batch_sizes[before]) if 0 <= before < steps else 0
        blocks.append(lib.join_rows([pieces[before][:have], first[have:size]]) if have else first[:size])
    rows = lib.join_rows(blocks) if blocks else first[:0]
    return rows if reset is None else lib.zero_where(reset, rows)
