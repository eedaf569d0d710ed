"""Checks of numbers and names from the command line and from files; a message is one line."""

import math

from recurra.errors import RunError

# No machine needs more; these caps keep a mistyped number, or a manipulated config.json, from taking all memory.
LARGEST_COUNT = 1_000_000
LARGEST_SEED = 2**63 - 1


def whole(name: str, value: object, least: int = 1, most: int = LARGEST_COUNT) -> None:
    """Refuse a value that is not a whole number from `least` to `most`.

    Raises:
        RunError: the value is refused; the message names it.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RunError(f"{name} must be a whole number from {least} to {most}; got {value!r}")


def positive(name: str, value: object, *, infinite: bool = False) -> None:
    """Refuse a value that is not a number above zero; infinity is accepted if `infinite`.

    Raises:
        RunError: the value is refused; the message names it.
    """
    number = _number(value)
    if not number > 0 or (math.isinf(number) and not infinite):
        raise RunError(f"{name} must be a number above zero; got {value!r}")


def not_negative(name: str, value: object) -> None:
    """Refuse a value that is not a finite number, zero or above.

    Raises:
        RunError: the value is refused; the message names it.
    """
    number = _number(value)
    if not 0 <= number < math.inf:
        raise RunError(f"{name} must be a number, zero or above; got {value!r}")


def probability(name: str, value: object) -> None:
    """Refuse a value that is not a number from 0 to 1.

    Raises:
        RunError: the value is refused; the message names it.
    """
    if not 0 <= _number(value) <= 1:
        raise RunError(f"{name} must be a number from 0 to 1; got {value!r}")


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among `choices`.

    Raises:
        RunError: the value is refused; the message lists the choices.
    """
    if value not in choices:
        raise RunError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def _number(value: object) -> float:
    """The value as a float; NaN, which fails every comparison, for a value that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
