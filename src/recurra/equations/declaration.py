"""Cells: ``@cell`` makes one of a function, and checks its signature."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, overload

from recurra.equations.free_sizes import free_sizes
from recurra.equations.functions import FUNCTIONS
from recurra.equations.initial import InitialValue, check_initial_values, stored
from recurra.errors import EquationError
from recurra.program import Shape
from recurra.values import current_recorder

# Options are passed to a layer by name, beside these arguments of its own.
_LAYER_ARGUMENTS = (
    "cell", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size",
    "sizes", "zoneout", "recurrent_dropout", "weight_drop", "weight_norm", "learn_initial_state", "residual",
    "tie_directions", "merge_mode", "device", "dtype",
)  # fmt: skip

# Inputs beside the first one are passed to a call by name, beside these arguments of its own.
_CALL_ARGUMENTS = (
    "x", "input", "state", "hx", "reset", "return_trace", "lengths", "ids", "chunk", "output", "self",
)  # fmt: skip


class Cell:
    """The equations of one time step, made by ``@recurra.cell``. A cell holds no weights.

    Attributes:
        name: the function's name.
        inputs: the names of the first arguments, which are the inputs of a step, with the number that each of them is
            where a call does not give it; None if every call must.
        states: the names of the other arguments before the star.
        parameters: the names after the star that have no default.
        options: the names after the star that have a default, with that default; fixed when a layer is made.
        output: the local variable that a layer returns; None for the first state.
        init: initial values of parameters that do not start uniformly random: numbers, or functions that fill them.
        untrained: the names of parameters that start without ``requires_grad``.
        sizes: shapes of states, parameters and local variables by name, where a layer gives no others.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        output: str | None = None,
        init: Mapping[str, InitialValue] | None = None,
        untrained: Collection[str] = (),
        sizes: Mapping[str, Any] | None = None,
        inputs: Sequence[str] | Mapping[str, float | None] | None = None,
        feed_forward: bool = False,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.output = output
        self.init = dict(init or {})
        self.untrained = tuple(untrained)
        self.sizes = free_sizes(self.name, sizes)
        functools.update_wrapper(self, function)
        flowing, keywords = _signature(self.name, function)
        self.inputs = _inputs(self.name, flowing, inputs)
        self.states = tuple(flowing[len(self.inputs) :])
        if not self.inputs or bool(self.states) == feed_forward:
            raise EquationError(
                f"cell {self.name!r}: before the star stand the input and at least one state, as in (x, h, *, W, U, b);"
                f" got ({', '.join(flowing)})"
            )
        self.parameters = tuple(name for name, default in keywords.items() if default is inspect.Parameter.empty)
        self.options = {name: value for name, value in keywords.items() if name not in self.parameters}
        taken = [name for name in self.options if name in _LAYER_ARGUMENTS]
        if taken:
            raise EquationError(f"cell {self.name!r}: an option cannot be called {taken[0]}: layers have that argument")
        check_initial_values(self.name, self.init, self.untrained, self.parameters, self.options)

    @property
    def stored_init(self) -> dict[str, float | str]:
        """The initial values as a file holds them: numbers, and words for functions and untrained parameters."""
        return stored(self.init, self.untrained)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the equations, so that one cell can be written with another."""
        current_recorder(f"{self.name}(…)")
        return self.function(*args, **kwargs)

    def resolve_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All options: the given values, and defaults for the others. Functions may be given by name.

        Raises:
            TypeError: an option that the cell does not have.
            EquationError: a name that is not that of a function of the cell language.
        """
        unknown = sorted(set(given) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "none"
            raise TypeError(f"cell {self.name!r} has no option {', '.join(unknown)}; its options: {known}")
        options = {**self.options, **given}
        for name, value in options.items():
            if callable(self.options[name]) and isinstance(value, str):
                if value not in FUNCTIONS:
                    raise EquationError(
                        f"cell {self.name!r}: {name}={value!r} is no function of the cell language; there are: "
                        + ", ".join(FUNCTIONS)
                    )
                options[name] = FUNCTIONS[value]
        return options

    def resolve_sizes(self, given: Mapping[str, Any] | None) -> dict[str, Shape]:
        """All shapes that are given by name: the layer's, and the cell's for the others.

        Raises:
            TypeError: ``given`` is no dictionary of sizes.
            EquationError: a size is not positive, or a text is no size.
        """
        return {**self.sizes, **free_sizes(self.name, given)}

    def __repr__(self) -> str:
        return f"<cell {self.name}({', '.join([*self.inputs, *self.states])})>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__ if hasattr(self, "__qualname__") else object.__reduce__(self)

    def __deepcopy__(self, memo: object) -> Cell:
        return self  # immutable, as a function is

    def __copy__(self) -> Cell:
        return self


def _inputs(
    name: str, flowing: Sequence[str], given: Sequence[str] | Mapping[str, float | None] | None
) -> dict[str, float | None]:
    """The inputs with their defaults: the first argument, or those that the cell declares."""
    if given is None:
        return dict.fromkeys(flowing[:1])
    names = [] if isinstance(given, str) else list(given)
    if not names or names != list(flowing[: len(names)]):
        raise EquationError(
            f"cell {name!r}: inputs names the first arguments in their order, as in inputs=('x', 'dt'); the arguments "
            f"are ({', '.join(flowing)}), inputs is {given!r}"
        )
    taken = [each for each in names[1:] if each in _CALL_ARGUMENTS]
    if taken:
        raise EquationError(
            f"cell {name!r}: an input beside the first one cannot be called {taken[0]}: calls have that"
        )
    defaults = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names)
    for each, default in defaults.items():
        is_number = isinstance(default, (int, float)) and not isinstance(default, bool) and math.isfinite(default)
        if not is_number and default is not None:
            raise EquationError(f"cell {name!r}: inputs[{each!r}] must be a number, or None for none; not {default!r}")
    if defaults[names[0]] is not None:
        raise EquationError(f"cell {name!r}: the first input, {names[0]}, can have no default")
    return defaults


def _signature(name: str, function: Callable[..., Any]) -> tuple[list[str], dict[str, Any]]:
    """The arguments before the star, and those after it with their defaults."""
    flowing: list[str] = []
    keywords: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise EquationError(f"cell {name!r}: *{parameter.name} is not possible; a cell names its arguments")
        if parameter.kind is parameter.KEYWORD_ONLY:
            keywords[parameter.name] = parameter.default
        elif parameter.default is not parameter.empty:
            raise EquationError(
                f"cell {name!r}: {parameter.name} has a default, but stands before the star; options stand after it"
            )
        else:
            flowing.append(parameter.name)
    return flowing, keywords


@overload
def cell(function: Callable[..., Any], /) -> Cell: ...


@overload
def cell(
    *,
    output: str | None = None,
    init: Mapping[str, InitialValue] | None = None,
    untrained: Collection[str] = (),
    sizes: Mapping[str, Any] | None = None,
    inputs: Sequence[str] | Mapping[str, float | None] | None = None,
) -> Callable[[Callable[..., Any]], Cell]: ...


def cell(
    function: Callable[..., Any] | None = None,
    /,
    *,
    output: str | None = None,
    init: Mapping[str, InitialValue] | None = None,
    untrained: Collection[str] = (),
    sizes: Mapping[str, Any] | None = None,
    inputs: Sequence[str] | Mapping[str, float | None] | None = None,
) -> Cell | Callable[[Callable[..., Any]], Cell]:
    """Make a cell of a function that is its equations: ``(x, *states, *, parameters, options) -> states``.

    Arguments before the star differ from step to step: the input or inputs, then the states, which are returned in the
    same order. Arguments after it stay the same: parameters, and, with a default value, options. Shapes follow from
    use.

    Args:
        function: the equations.
        output: the local variable that a layer returns as its output; default: the first state.
        init: initial values of parameters by name, such as ``{"b_f": 1.0, "U": torch.nn.init.orthogonal_}``: a number,
            or a function that fills the parameter in place. A function's keyword-only arguments are options of the
            cell, or parameters that are named before it in ``init``. Default: uniform in ±1/√hidden.
        untrained: names of parameters that start without ``requires_grad``, such as the weights of a reservoir.
            Default none.
        sizes: sizes that the equations leave open, by the name of a state, a parameter or a local variable (of one that
            is assigned several times, its last value): a whole number, or a text such as ``"hidden/4"`` or ``"input"``;
            for a matrix a tuple of two, ``{"U": ("hidden", 8)}``. A layer's own ``sizes`` win.
        inputs: the names of the first arguments, where a step has several inputs: ``("x", "dt")``, or a dictionary with
            the number that an input is where a call does not give it, ``{"x": None, "dt": 1.0}``. A layer is then
            called with them by name, ``layer(x, dt=dt)``. The first input has ``input_size`` features; each other one
            is one number, which meets vectors of any size, or a vector of the size that ``sizes`` gives it. Default:
            the first argument alone.

    Raises:
        EquationError: the signature is not of that form. Errors in the equations are raised when they are traced.
    """
    if function is None:
        return lambda function: Cell(
            function, output=output, init=init, untrained=untrained, sizes=sizes, inputs=inputs
        )
    return Cell(function)


def feed_forward(function: Callable[..., Any], /) -> Cell:
    """Make a cell without states, ``(x, *, parameters, options) -> output``, such as a linear map or a norm.

    Recurrent layers refuse it; the compiler and the engines treat it as any other cell.

    Raises:
        EquationError: the signature is not of that form.
    """
    return Cell(function, feed_forward=True)
