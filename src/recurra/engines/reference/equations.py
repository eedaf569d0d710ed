"""Equations as functions on arrays of numpy or torch."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType

from recurra.engines.protocol import Array
from recurra.program import Equation, Sizes, Variable

# Operations whose operands must all be arrays of the run's dtype, even where the program has a number.
_ARRAYS_ONLY = ("where", "minimum", "maximum", "clip")

# Reductions of a matrix along an axis, by the functions that reduce features.
_ALONG = {"sum_along": "total", "mean_along": "mean", "max_along": "largest"}

Values = dict[Variable, Array]
EquationFunction = Callable[[Values], None]


def library_of(x: Array) -> ModuleType:
    """The operation table for the library of an array; torch is imported only for a tensor."""
    name = "numpy" if type(x).__module__ == "numpy" else "torch"
    return importlib.import_module(f"recurra.engines.reference.{name}_table")


def arguments_of(equation: Equation, lib: ModuleType, values: Values, like: Array) -> list[Array]:
    """The values of an equation's operands; ``like`` is an array of the run's dtype and device."""
    if equation.operation in _ARRAYS_ONLY or not equation.variables:
        return [values[o] if isinstance(o, Variable) else lib.number(o, like) for o in equation.operands]
    return [values[o] if isinstance(o, Variable) else o for o in equation.operands]


def compiled(equation: Equation, lib: ModuleType, sizes: Sizes, x: Variable) -> EquationFunction:
    """A function that computes an equation in a table of values; x is a variable of the run's dtype and device."""
    function = function_of(equation, lib, sizes)
    operands, results = equation.operands, equation.results
    if len(results[0].shape) == 2 and equation.operation in lib.ELEMENTWISE:
        function = _beside_heads(function, [isinstance(o, Variable) and not o.shape for o in operands])

    def run(values: Values) -> None:
        arguments = arguments_of(equation, lib, values, values[x]) if operands else [values[x]]
        if len(results) == 1:
            values[results[0]] = function(*arguments)
        else:
            values.update(zip(results, function(*arguments), strict=True))

    return run


def evaluate(equations: Iterable[Equation], values: Values, sizes: Sizes, like: Variable) -> None:
    """Compute equations in order, in a table of values; ``like`` is a variable of the run's dtype and device."""
    lib = library_of(values[like])
    for equation in equations:
        compiled(equation, lib, sizes, like)(values)


def _beside_heads(function: Callable[..., Array], single: Sequence[bool]) -> Callable[..., Array]:
    """The function on (rows, heads, features), where some operands may be one number for each row, (rows, 1)."""

    def computed(*arrays: Array) -> Array:
        pairs = zip(arrays, single, strict=True)
        return function(*(a[..., None] if is_single and a.ndim == 2 else a for a, is_single in pairs))

    return computed


def function_of(equation: Equation, lib: ModuleType, sizes: Sizes) -> Callable[..., Array]:
    """The function that an equation stands for, on arrays whose last dimension is the features."""
    elementwise: Mapping[str, Callable[..., Array]] = lib.ELEMENTWISE
    operation = equation.operation
    if operation in elementwise:
        return elementwise[operation]
    widths = [result.shape[-1].value(sizes) for result in equation.results if result.shape]
    headed = any(len(variable.shape) == 3 for variable in equation.variables)
    if operation in _ALONG:
        axis, reduce = int(equation.attributes["axis"]), getattr(lib, _ALONG[operation])
        return lambda x: reduce(x.swapaxes(axis, 1))[:, 0]
    if operation == "broadcast":
        shape = tuple(size.value(sizes) for size in equation.results[0].shape)
        return lambda x: lib.expanded(x.reshape((1, -1) if equation.attributes["axis"] == 0 else (-1, 1)), shape)
    functions: dict[str, Callable[..., Array]] = {
        "mean": lib.mean,
        "sum": lib.total,
        "max": lib.largest,
        "cumsum": lib.running_sum,
        "transpose": lambda x: x.swapaxes(-1, -2),
        "scalar": lambda x: x,
        "detach": lib.detached,
        "concat": lambda *arrays: lib.join(arrays),
        "split": lambda x: lib.cut(x, widths) if len(widths) > 1 else x,
        "partition": lambda x: lib.cut(x, widths) if len(widths) > 1 else x,
        "eye": lambda like: lib.identity(widths[0], like),
        "heads": lambda x: x.reshape(*x.shape[:-1], equation.attributes["count"], widths[0]),
        "product": lib.heads_product if headed else operator.matmul,
    }
    return functions[operation]
