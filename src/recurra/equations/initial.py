"""Initial values of parameters: numbers, or functions that fill a parameter in place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from recurra.errors import EquationError

InitialValue: TypeAlias = "float | Callable[..., Any]"

DRAWN, UNTRAINED = "drawn", "untrained"
STORED_WORDS = (DRAWN, UNTRAINED)
"""The words that stand in files for initial values that are no numbers: drawn by a function of the cell, which files do
not hold; and of a parameter that is not trained, whose values in the file are those that it keeps."""


def keep(parameter: Any) -> None:
    """Leave a parameter as it is: the initial value of one that is not trained, in a cell from a file."""


def check_initial_values(
    cell: str,
    init: Mapping[str, InitialValue],
    untrained: Collection[str],
    parameters: Collection[str],
    options: Collection[str],
) -> None:
    """Refuse initial values, and names of untrained parameters, that a cell cannot have.

    Args:
        cell: the cell's name.
        init: initial values by the name of a parameter.
        untrained: names of parameters that are not trained.
        parameters: the cell's parameters.
        options: the names of its options.

    Raises:
        EquationError: a name is that of no parameter; a value is neither number nor function; or a function asks, by a
            keyword argument without a default, for something that is neither option nor parameter.
    """
    for argument, names in (("init", init), ("untrained", untrained)):
        unknown = sorted(set(names) - set(parameters))
        if unknown:
            raise EquationError(f"cell {cell!r}: {argument} names {', '.join(unknown)}, which is no parameter")
    for name, value in init.items():
        if isinstance(value, bool) or not (isinstance(value, (int, float)) or callable(value)):
            raise EquationError(
                f"cell {cell!r}: init[{name!r}] must be a number, or a function that fills the parameter in place as "
                f"those of torch.nn.init do, not {value!r}"
            )
        for keyword, is_needed in keywords_of(value).items():
            if is_needed and keyword not in options and keyword not in parameters:
                raise EquationError(
                    f"cell {cell!r}: the function of init[{name!r}] needs {keyword}=, which is neither an option nor a "
                    "parameter of the cell"
                )


def keywords_of(value: InitialValue) -> dict[str, bool]:
    """The keyword-only arguments of a function that fills a parameter, and whether it needs them; none of a number."""
    if not callable(value):
        return {}
    try:
        arguments = inspect.signature(value).parameters.values()
    except ValueError:  # some functions that are written in C tell nothing
        return {}
    return {each.name: each.default is each.empty for each in arguments if each.kind is each.KEYWORD_ONLY}


def stored(init: Mapping[str, InitialValue], untrained: Collection[str]) -> dict[str, float | str]:
    """Initial values as a file holds them: numbers and words."""
    numbers = {name: DRAWN if callable(value) else value for name, value in init.items()}
    return {**numbers, **dict.fromkeys(untrained, UNTRAINED)}


def restored(cell: str, values: Mapping[str, float | str]) -> tuple[dict[str, InitialValue], tuple[str, ...]]:
    """The initial values and the names of untrained parameters, as far as a file has what ``stored`` was given.

    In the place of a function is one that says that the file does not hold it.
    """
    init = {name: _initial_value(cell, name, value) for name, value in values.items()}
    return init, tuple(name for name, value in values.items() if value == UNTRAINED)


def _initial_value(cell: str, name: str, value: float | str) -> InitialValue:
    if value == UNTRAINED:
        return keep
    if not isinstance(value, str):
        return value

    def refuse(parameter: Any) -> None:
        raise EquationError(
            f"cell {cell!r} comes from a file, which does not hold the function that draws {name}: make a new layer "
            "with the cell itself to draw its weights anew"
        )

    return refuse
