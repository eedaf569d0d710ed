"""Rules for the settings of parts: the values that each setting may have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple, TypeGuard

from recurra.cells.adaptive_softmax import MAX_CUTOFFS, MAX_FACTOR
from recurra.equations.initial import STORED_WORDS
from recurra.model.arrangement import MERGE_MODES
from recurra.program import PRECISIONS, Program

MAX_SIZE = 2**31 - 1  # features or tokens of one dimension
MAX_LAYERS = 1_000
MAX_INIT = 100  # parameters with an initial value of their own
MAX_NUMBER = 2**53  # largest whole number among numbers: float64 holds all whole numbers up to it


class SettingRule(NamedTuple):
    """The values that a setting may have.

    Attributes:
        text: the rule in words that complete "must be …".
        is_valid: whether a value keeps the rule.
    """

    text: str
    is_valid: Callable[[object], bool]


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_number(value: object) -> TypeGuard[int | float]:
    return _is_whole(value, -MAX_NUMBER, MAX_NUMBER) or (type(value) is float and math.isfinite(value))


SIZE = SettingRule(f"a whole number from 1 to {MAX_SIZE}", lambda value: _is_whole(value, 1, MAX_SIZE))
SIZE_OR_0 = SettingRule(f"a whole number from 0 to {MAX_SIZE}", lambda value: _is_whole(value, 0, MAX_SIZE))
SIZES = SettingRule(
    f"a whole number from 1 to {MAX_SIZE}, or 1 to {MAX_LAYERS} of these",
    lambda value: (
        1 <= len(value) <= MAX_LAYERS and all(_is_whole(size, 1, MAX_SIZE) for size in value)
        if isinstance(value, tuple)
        else _is_whole(value, 1, MAX_SIZE)
    ),
)
LAYERS = SettingRule(f"a whole number from 1 to {MAX_LAYERS}", lambda value: _is_whole(value, 1, MAX_LAYERS))
INDEX = SettingRule("null or a whole number", lambda value: value is None or _is_whole(value, 0, MAX_SIZE))
FLAG = SettingRule("true or false", lambda value: type(value) is bool)
NUMBER = SettingRule("a finite number", _is_number)
POSITIVE = SettingRule("a positive number", lambda value: _is_number(value) and value > 0)
NOT_NEGATIVE = SettingRule("a number from 0", lambda value: _is_number(value) and value >= 0)
EPS = SettingRule(
    "null or a number that is not negative",
    lambda value: value is None or (_is_number(value) and value >= 0),
)
PROBABILITY = SettingRule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
COMPUTE = SettingRule(f"null or one of {', '.join(PRECISIONS)}", lambda value: value is None or value in PRECISIONS)
MERGE_MODE = SettingRule(f"one of {', '.join(MERGE_MODES)}", lambda value: value in MERGE_MODES)
LAST = SettingRule("-1, the features", lambda value: value == -1 and type(value) is int)
APPROXIMATE = SettingRule("'none' or 'tanh'", lambda value: value in ("none", "tanh"))
PROGRAM = SettingRule("a program", lambda value: isinstance(value, Program))
FACTOR = SettingRule(
    f"a number from 1 to {MAX_FACTOR}",
    lambda value: _is_number(value) and 1 <= value <= MAX_FACTOR,
)
CUTOFFS = SettingRule(
    f"1 to {MAX_CUTOFFS} whole numbers from 1, ascending",
    lambda value: (
        isinstance(value, tuple)
        and 1 <= len(value) <= MAX_CUTOFFS
        and all(_is_whole(number, 1, MAX_SIZE) for number in value)
        and all(one < other for one, other in pairwise(value))
    ),
)
INIT = SettingRule(
    f"at most {MAX_INIT} numbers, or {' or '.join(map(repr, STORED_WORDS))}, by name",
    lambda value: (
        isinstance(value, Mapping)
        and len(value) <= MAX_INIT
        and all(isinstance(k, str) and (_is_number(v) or v in STORED_WORDS) for k, v in value.items())
    ),
)
