"""Checks of numbers and names, each one line of message; they guard the command line and the files alike."""

import math

from recurra.errors import RunError

# Beyond these no machine follows; they keep a mistyped number, or a doctored config.json, from eating all memory.
LARGEST_COUNT = 1_000_000
LARGEST_SEED = 2**63 - 1


def whole(name: str, value: object, least: int = 1, most: int = LARGEST_COUNT) -> None:
    """Refuse what is not a whole number from `least` to `most`.

    Raises:
        RunError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RunError(f"{name} must be a whole number from {least} to {most}; got {value!r}")


def positive(name: str, value: object, *, infinite: bool = False) -> None:
    """Refuse what is not a number above zero; infinity only if `infinite`.

    Raises:
        RunError: it is not.
    """
    number = _number(value)
    if not number > 0 or (math.isinf(number) and not infinite):
        raise RunError(f"{name} must be a number above zero; got {value!r}")


def not_negative(name: str, value: object) -> None:
    """Refuse what is not a finite number from zero upwards.

    Raises:
        RunError: it is not.
    """
    number = _number(value)
    if not 0 <= number < math.inf:
        raise RunError(f"{name} must be a number, zero or above; got {value!r}")


def probability(name: str, value: object) -> None:
    """Refuse what is not a number from 0 to 1.

    Raises:
        RunError: it is not.
    """
    if not 0 <= _number(value) <= 1:
        raise RunError(f"{name} must be a number from 0 to 1; got {value!r}")


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not among `choices`; the message lists them.

    Raises:
        RunError: it is not.
    """
    if value not in choices:
        raise RunError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def _number(value: object) -> float:
    """The value as a float; NaN, which passes no comparison, for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
