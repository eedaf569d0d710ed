"""Draws of tokens from logits: the settings, the filters, and the random numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import RecurraError
from recurra.packed.packed_program import Array

REPETITION_WINDOW = 64  # tokens that the repetition penalty looks back over
LARGEST = 2**63 - 1  # of a length, a number of tokens, and a seed
_BLOCK = 64  # tokens
_LIKELY = 0.01  # of the likeliest token's probability; sorting the few above is quick, and mostly enough
_LARGEST_SCALE = 1e250  # 1 / temperature: beyond it products overflow, and long before the largest logit has it all


@dataclass(frozen=True)
class SamplingSettings:
    """The settings of sampling; ``recurra.runtime.sample`` describes them."""

    length: int = 500
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def problem(self) -> tuple[str, str] | None:
        """The name of the first setting out of range, and the rule that it breaks; None where there is none."""
        rules = {
            "length": (_is_whole(self.length, 1), "must be a whole number, 1 or above"),
            "temperature": (_is_number(self.temperature, 0), "must be a number, zero or above"),
            "top_k": (_is_whole(self.top_k, 0), "must be a whole number, 0 for all or above"),
            "top_p": (_is_number(self.top_p, 0, 1) and self.top_p > 0, "must be a number above 0, at most 1"),
            "min_p": (_is_number(self.min_p, 0, 1), "must be a number from 0 to 1"),
            "repetition_penalty": (_is_number(self.repetition_penalty, 0.01, 100), "must be a number from 0.01 to 100"),
            "stop": (
                isinstance(self.stop, tuple) and all(isinstance(text, str) and text for text in self.stop),
                "must be texts of at least one character",
            ),
            "seed": (self.seed is None or _is_whole(self.seed, 0), f"must be a whole number from 0 to {LARGEST}"),
        }
        return next(
            ((name, f"{rule}; got {getattr(self, name)!r}") for name, (kept, rule) in rules.items() if not kept), None
        )

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RecurraError: a setting is out of range; the message names it.
        """
        problem = self.problem()
        if problem is not None:
            raise RecurraError(" ".join(problem))


class Sampler:
    """A source of tokens, drawn from logits one by one.

    Equal seeds give equal draws from equal logits, on every machine and with every version of numpy: a draw takes the
    top 53 bits of the next number of PCG64 (O'Neill 2014), and finds them among the cumulative probabilities, in the
    order of the tokens' numbers. (These may differ in their last bits, where draws differ once in some 10¹⁴.)

    Args:
        settings: the settings.
        never: the numbers of tokens that are never drawn.
    """

    def __init__(self, settings: SamplingSettings, never: Sequence[int]) -> None:
        settings.check()
        self._settings = settings
        self._never = np.array(never, np.int64)
        self._bits = np.random.PCG64(settings.seed)
        self._scale = min(1 / settings.temperature, _LARGEST_SCALE) if settings.temperature > 0 else 0.0
        self._recent = np.zeros(REPETITION_WINDOW, np.int64)  # a ring of the last tokens read
        self._count = 0

    def read(self, number: int) -> None:
        """Count a token among the recent ones, for the repetition penalty; drawn tokens are read by themselves."""
        self._recent[self._count % REPETITION_WINDOW] = number
        self._count += 1

    def draw(self, logits: Array) -> int:
        """Draw a token.

        Args:
            logits: (tokens,); unnormalized, or logarithms of probabilities.

        Raises:
            RecurraError: the logits are not finite numbers.
        """
        values = logits.astype(np.float64)
        values[self._never] = -math.inf
        if self._settings.repetition_penalty != 1:
            self._penalize(values)
        number = int(values.argmax())
        largest = float(values[number])
        if not math.isfinite(largest):
            raise RecurraError("the model's output is not finite: its weights are damaged, or too large")
        if self._scale:
            number = self._drawn(values, largest)
        self.read(number)
        return number

    def _penalize(self, values: Array) -> None:
        recent = self._recent[: self._count]
        seen, penalty = values[recent], self._settings.repetition_penalty
        values[recent] = np.where(seen > 0, seen / penalty, seen * penalty)

    def _drawn(self, values: Array, largest: float) -> int:
        """A draw from the softmax of what the filters leave of logits, whose largest is given."""
        settings, numbers = self._settings, None
        if 0 < settings.top_k < len(values):
            numbers = np.flatnonzero(values >= _least_of_top_k(values, settings.top_k))
            values = values[numbers]
        values -= largest
        values *= self._scale
        weights = np.exp(values, out=values)
        if settings.top_p < 1:
            weights[weights < _least_of_top_p(weights, settings.top_p)] = 0
        if settings.min_p > 0:
            weights[weights < settings.min_p] = 0  # the largest weight is 1
        cumulative = weights.cumsum()
        # A uniform number below 1 times the total rounds to less than the total, so a token is always found.
        uniform = (self._bits.random_raw() >> 11) * 2.0**-53
        place = int(cumulative.searchsorted(uniform * float(cumulative[-1]), side="right"))
        return place if numbers is None else int(numbers[place])


def _least_of_top_k(values: Array, top_k: int) -> float:
    """The ``top_k``-th largest value."""
    blocks = len(values) // _BLOCK
    if blocks > top_k:  # each block's maximum is a value, so the top_k-th largest of them is not above the result
        largest = values[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(1)
        values = values[values >= np.partition(largest, -top_k)[-top_k]]
    return float(np.partition(values, -top_k)[-top_k])


def _least_of_top_p(weights: Array, top_p: float) -> float:
    """The weight of the last token of the fewest likeliest ones whose share of the total reaches ``top_p``.

    Args:
        weights: the tokens' weights; the largest is 1.
        top_p: the share.
    """
    needed = top_p * float(weights.sum())
    likely = weights[weights >= _LIKELY]
    if float(likely.sum()) < needed:
        # All tokens below this weight have less than the share 1 - top_p together, so none of them is needed.
        likely = weights[weights >= (1 - top_p) / top_p * needed / len(weights)]
    ranked = np.sort(likely)[::-1]
    place = int(ranked.cumsum().searchsorted(needed))
    return float(ranked[min(place, len(ranked) - 1)])


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def _is_number(value: object, least: float, most: float = sys.float_info.max) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
