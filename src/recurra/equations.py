"""The language of cells: ``@cell``, and the operations of its equations.

A cell describes one example at one time step. Every function here takes and returns values of the cell that is being
traced; Python numbers may stand wherever a value may.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, overload

from recurra.errors import EquationError
from recurra.values import Value, current_recorder

ValueOrNumber = Value | float


def _apply(operation: str, *operands: object, results: int = 1, **attributes: float | int | str) -> list[Value]:
    return current_recorder(operation).apply(operation, operands, attributes, results)


def sigmoid(x: ValueOrNumber) -> Value:
    """1 / (1 + exp(-x)), elementwise."""
    return _apply("sigmoid", x)[0]


def tanh(x: ValueOrNumber) -> Value:
    """The hyperbolic tangent, elementwise."""
    return _apply("tanh", x)[0]


def relu(x: ValueOrNumber) -> Value:
    """max(x, 0), elementwise."""
    return _apply("relu", x)[0]


def exp(x: ValueOrNumber) -> Value:
    """The exponential, elementwise."""
    return _apply("exp", x)[0]


def log(x: ValueOrNumber) -> Value:
    """The natural logarithm, elementwise."""
    return _apply("log", x)[0]


def softplus(x: ValueOrNumber) -> Value:
    """log(1 + exp(x)), elementwise, without overflow."""
    return _apply("softplus", x)[0]


def sqrt(x: ValueOrNumber) -> Value:
    """The square root, elementwise."""
    return _apply("sqrt", x)[0]


def abs(x: ValueOrNumber) -> Value:
    """The absolute value, elementwise."""
    return _apply("abs", x)[0]


def sin(x: ValueOrNumber) -> Value:
    """The sine of x in radians, elementwise."""
    return _apply("sin", x)[0]


def cos(x: ValueOrNumber) -> Value:
    """The cosine of x in radians, elementwise."""
    return _apply("cos", x)[0]


def erf(x: ValueOrNumber) -> Value:
    """The error function, 2/√π times the integral of exp(-t²) from 0 to x, elementwise."""
    return _apply("erf", x)[0]


def sign(x: ValueOrNumber) -> Value:
    """1 where x is positive, -1 where it is negative, 0 where it is 0, elementwise; its gradient is 0."""
    return _apply("sign", x)[0]


def floor(x: ValueOrNumber) -> Value:
    """The largest whole number that is not above x, elementwise; its gradient is 0."""
    return _apply("floor", x)[0]


def minimum(a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """The smaller of two, elementwise."""
    return _apply("minimum", a, b)[0]


def maximum(a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """The larger of two, elementwise."""
    return _apply("maximum", a, b)[0]


def clip(x: ValueOrNumber, low: ValueOrNumber, high: ValueOrNumber) -> Value:
    """x, but at least ``low`` and at most ``high``, elementwise."""
    return _apply("clip", x, low, high)[0]


def where(condition: Value, a: ValueOrNumber, b: ValueOrNumber) -> Value:
    """``a`` where the condition (a comparison) holds, ``b`` elsewhere, elementwise."""
    return _apply("where", condition, a, b)[0]


def mean(x: Value) -> Value:
    """The mean over the features: a scalar for each example."""
    return _apply("mean", x)[0]


def sum(x: Value) -> Value:
    """The sum over the features: a scalar for each example."""
    return _apply("sum", x)[0]


def max(x: Value) -> Value:
    """The largest feature: a scalar for each example."""
    return _apply("max", x)[0]


def cumsum(x: Value) -> Value:
    """The running sum along the features."""
    return _apply("cumsum", x)[0]


def split(x: Value, parts: int) -> tuple[Value, ...]:
    """The features cut in ``parts`` equal parts; a matrix is cut along its columns.

    Raises:
        EquationError: ``parts`` is not a positive whole number.
    """
    if type(parts) is not int or parts < 1:
        current_recorder("split").fail(f"split(x, parts) needs a positive whole number of parts, not {parts!r}")
    return tuple(_apply("split", x, results=parts))


def concat(*values: Value) -> Value:
    """The features of several values one after the other; matrices side by side.

    Raises:
        EquationError: nothing is given.
    """
    if not values:
        current_recorder("concat").fail("concat needs at least one value")
    return _apply("concat", *values)[0]


def heads(x: Value, count: int) -> Value:
    """x as ``count`` blocks of equal size, for a block-diagonal product: ``heads(h, 4) @ R``.

    ``R`` then has the shape (count, size of a block, columns), and the product is a vector again, block after block.

    Raises:
        EquationError: ``count`` is not a whole number from 1 to 65,536.
    """
    if type(count) is not int or not 0 < count <= 65536:
        current_recorder("heads").fail(f"heads(x, count) needs a whole number from 1 to 65536, not {count!r}")
    return _apply("heads", x, count=count)[0]


def eye() -> Value:
    """The identity matrix, of the size that its use asks for: ``M - M.T - 0.1 * eye()``."""
    return _apply("eye")[0]


def scalar(parameter: Value) -> Value:
    """State that a parameter is one number: ``sigmoid(scalar(alpha)) * h``.

    Without it, a parameter that meets a vector elementwise is a vector of that size.
    """
    return _apply("scalar", parameter)[0]


def softmax(x: Value) -> Value:
    """exp(x) / sum(exp(x)) over the features, without overflow."""
    powers = exp(x - max(x))
    return powers / sum(powers)


def gelu(x: ValueOrNumber, approximate: str = "none") -> Value:
    """x Φ(x), elementwise, with the normal distribution's Φ (Hendrycks & Gimpel 2016), as ``torch.nn.functional.gelu``.

    Args:
        x: the value.
        approximate: ``"none"`` computes Φ(x) = (1 + erf(x/√2))/2; ``"tanh"`` is their approximation of it by tanh.
            Default ``"none"``.

    Raises:
        EquationError: ``approximate`` is something else.
    """
    if approximate == "none":
        return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))
    if approximate != "tanh":
        current_recorder("gelu").fail(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def layer_norm(x: Value, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5) -> Value:
    """(x - mean) / sqrt(variance + eps) over the features, times ``weight``, plus ``bias`` (Ba et al. 2016, eq. 4).

    The variance is the biased one, as in ``torch.nn.LayerNorm``.
    """
    centred = x - mean(x)
    normal = centred / sqrt(mean(centred * centred) + eps)
    return _affine(normal, weight, bias)


def rms_norm(x: Value, weight: Value | None = None, eps: float = 1e-5) -> Value:
    """x / sqrt(mean(x²) + eps) over the features, times ``weight`` (Zhang & Sennrich 2019, eq. 4)."""
    return _affine(x / sqrt(mean(x * x) + eps), weight, None)


def _affine(x: Value, weight: Value | None, bias: Value | None) -> Value:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def bernoulli(p: float, *, per: str = "step") -> Value:
    """1 with probability ``p``, else 0, for each example and feature; outside training, ``p`` itself.

    The shape follows from use. Zoneout (Krueger et al. 2017, eq. 6–7), for example, is
    ``m = bernoulli(p); h = m * h + (1 - m) * new_h``, in evaluation too.

    Args:
        p: the probability, 0 to 1.
        per: ``"step"`` draws new numbers at every time step, ``"sequence"`` once per sequence. Default ``"step"``.

    Raises:
        EquationError: ``p`` or ``per`` is something else.
    """
    _check_mask("bernoulli", p, per)
    return _apply("mask", probability=float(p), on=1.0, mean=float(p), per=per)[0]


def dropout(x: Value, p: float = 0.5, *, per: str = "step") -> Value:
    """x with each feature zeroed with probability ``p`` and the others divided by 1 - p; x itself outside training.

    Args:
        x: the value.
        p: the probability of zero, 0 to 1. Default 0.5.
        per: ``"step"`` draws a new mask at every time step, ``"sequence"`` one per sequence (Gal & Ghahramani 2016).
            Default ``"step"``.

    Raises:
        EquationError: ``p`` or ``per`` is something else.
    """
    _check_mask("dropout", p, per)
    keep = 1.0 - float(p)
    return x * _apply("mask", probability=keep, on=1 / keep if keep else 0.0, mean=1.0, per=per)[0]


def _check_mask(function: str, p: object, per: object) -> None:
    recorder = current_recorder(function)
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        recorder.fail(f"{function}: the probability must be a number from 0 to 1, not {p!r}")
    if per not in ("step", "sequence"):
        recorder.fail(f"{function}: per must be 'step' or 'sequence', not {per!r}")


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            sigmoid, tanh, relu, exp, log, softplus, sqrt, abs, sin, cos, erf, sign, floor, minimum, maximum, clip,
            where, mean, sum, max, cumsum, split, concat, heads, eye, scalar, softmax, gelu, layer_norm, rms_norm,
            bernoulli, dropout,
        )
    }
)  # fmt: skip


# Options are passed to a layer by name, beside these arguments of its own.
_LAYER_ARGUMENTS = (
    "cell", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size",
    "zoneout", "recurrent_dropout", "weight_drop", "device", "dtype",
)  # fmt: skip


class Cell:
    """The equations of one time step, made by ``@recurra.cell``. A cell holds no weights.

    Attributes:
        name: the function's name.
        input: the name of the first argument.
        states: the names of the other arguments before the star.
        parameters: the names after the star that have no default.
        options: the names after the star that have a default, with that default; fixed when a layer is made.
        output: the local variable that a layer returns; None for the first state.
        init: initial values of parameters that do not start uniformly random.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        output: str | None = None,
        init: Mapping[str, float] | None = None,
        feed_forward: bool = False,
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.output = output
        self.init = dict(init or {})
        functools.update_wrapper(self, function)
        flowing, keywords = _signature(self.name, function)
        if len(flowing) < 2 and not (feed_forward and len(flowing) == 1):
            raise EquationError(
                f"cell {self.name!r}: before the star stand the input and at least one state, as in (x, h, *, W, U, b);"
                f" got ({', '.join(flowing)})"
            )
        self.input, self.states = flowing[0], tuple(flowing[1:])
        self.parameters = tuple(name for name, default in keywords.items() if default is inspect.Parameter.empty)
        self.options = {name: value for name, value in keywords.items() if name not in self.parameters}
        taken = [name for name in self.options if name in _LAYER_ARGUMENTS]
        if taken:
            raise EquationError(f"cell {self.name!r}: an option cannot be called {taken[0]}: layers have that argument")
        unknown = sorted(set(self.init) - set(self.parameters))
        if unknown:
            raise EquationError(f"cell {self.name!r}: init names {', '.join(unknown)}, which is no parameter")
        for name, value in self.init.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise EquationError(f"cell {self.name!r}: init[{name!r}] must be a number, not {value!r}")

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

    def __repr__(self) -> str:
        return f"<cell {self.name}({self.input}, {', '.join(self.states)})>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__ if hasattr(self, "__qualname__") else object.__reduce__(self)

    def __deepcopy__(self, memo: object) -> Cell:
        return self  # immutable, as a function is

    def __copy__(self) -> Cell:
        return self


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
    *, output: str | None = None, init: Mapping[str, float] | None = None
) -> Callable[[Callable[..., Any]], Cell]: ...


def cell(
    function: Callable[..., Any] | None = None,
    /,
    *,
    output: str | None = None,
    init: Mapping[str, float] | None = None,
) -> Cell | Callable[[Callable[..., Any]], Cell]:
    """Make a cell of a function that is its equations: ``(x, *states, *, parameters, options) -> states``.

    Arguments before the star differ from step to step: the input, then the states, which are returned in the same
    order. Arguments after it stay the same: parameters, and, with a default value, options. Shapes follow from use.

    Args:
        function: the equations.
        output: the local variable that a layer returns as its output; default: the first state.
        init: initial values of parameters by name, such as ``{"b_f": 1.0}``; default: uniform in ±1/√hidden.

    Raises:
        EquationError: the signature is not of that form. Errors in the equations are raised when they are traced.
    """
    if function is None:
        return lambda function: Cell(function, output=output, init=init)
    return Cell(function)


def feed_forward(function: Callable[..., Any], /) -> Cell:
    """Make a cell without states, ``(x, *, parameters, options) -> output``, such as a linear map or a norm.

    Recurrent layers refuse it; the compiler and the engines treat it as any other cell.

    Raises:
        EquationError: the signature is not of that form.
    """
    return Cell(function, feed_forward=True)
