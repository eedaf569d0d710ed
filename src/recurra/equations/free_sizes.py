"""Free sizes: shapes of a cell's variables that are given by name, as in ``sizes={"d": 48}``."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from recurra.errors import EquationError, ProgramError
from recurra.program import HIDDEN, INPUT, PROJ, Shape, Size

_SYMBOLS = {symbol for size in (INPUT, HIDDEN, PROJ) for symbol in size.symbols}


def free_sizes(cell: str, given: Mapping[str, Any] | None) -> dict[str, Shape]:
    """The shapes that are given by name.

    Args:
        cell: the cell's name, for messages.
        given: for the name of a state, a parameter or a local variable a size, or a tuple of sizes for a matrix. A size
            is a positive whole number, or a text of `input` and `hidden` such as ``"hidden/4"`` or
            ``"input + 2*hidden"``. None for none.

    Raises:
        TypeError: ``given`` is no dictionary of that kind.
        EquationError: a size is not positive, or a text is no size.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"sizes must be a dictionary such as {{'d': 48}} or {{'U': ('hidden', 8)}}; got {given!r}")
    shapes = {}
    for name, sizes in given.items():
        label = f"cell {cell!r}: sizes[{name!r}]"
        shapes[name] = tuple(_size(label, size) for size in (sizes if isinstance(sizes, tuple) else (sizes,)))
        if not 0 < len(shapes[name]) <= 3:
            raise EquationError(f"{label} must be a size, or a tuple of two for a matrix; got {sizes!r}")
    return shapes


def _size(label: str, given: object) -> Size:
    if isinstance(given, Size):
        return given
    if isinstance(given, str):
        try:
            size = Size.parse(" + ".join(part.replace(" ", "") for part in given.split("+")))
        except ProgramError as error:
            raise EquationError(f"{label}: {error}") from None
        unknown = [symbol for symbol in size.symbols if symbol not in _SYMBOLS]
        if unknown:
            raise EquationError(f"{label}: {unknown[0]!r} in {given!r} is neither `input` nor `hidden`")
    else:
        try:
            size = Size.constant(operator.index(None if isinstance(given, bool) else given))  # type: ignore[arg-type]
        except TypeError:
            wanted = "must be a whole number, or a text such as 'hidden/4'"
            raise TypeError(f"{label} {wanted}; got {given!r}") from None
    if not size.terms or any(factor <= 0 for _, factor in size.terms):
        raise EquationError(f"{label} must be greater than zero; got {given!r}")
    return size


def size_argument(shape: Shape) -> int | str | tuple[int | str, ...]:
    """A shape as ``sizes=`` takes it: ``48``, ``"hidden/4"``, ``("hidden", 8)``."""
    sizes = [str(size) if size.symbols else int(size.factor("")) for size in shape]
    return sizes[0] if len(sizes) == 1 else tuple(sizes)
