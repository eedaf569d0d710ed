"""What a language model writes, for its report."""

from __future__ import annotations

import re

from recurra.errors import RecurraError
from recurra.page.document import PagePart
from recurra.page.parts import CodeBlock, Section, Text
from recurra.runtime import Model, sample

TEMPERATURES = (0.5, 0.8, 1.0)
LENGTH, LEAST = 240, 24  # tokens of a sample
MULTIPLICATIONS = 1_000_000_000  # of all samples together, about; a large model writes less
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def sample_section(model: Model, seed: int, length: int) -> Section:
    """Texts that a model writes, from likely to bold.

    Args:
        model: the language model.
        seed: the seed of the draws.
        length: the tokens of each text.
    """
    parts: list[PagePart] = []
    for temperature in TEMPERATURES:
        text = _sampled(model, temperature, seed, length)
        parts += [Text([f"Temperature {temperature:g}"]), CodeBlock(text)]
    return Section("What it writes", parts)


def length_for(weights: int) -> int:
    """The tokens of a sample of a model with so many weights, so that all samples together take about a second."""
    return max(LEAST, min(LENGTH, MULTIPLICATIONS // (len(TEMPERATURES) * max(1, weights))))


def _sampled(model: Model, temperature: float, seed: int, length: int) -> str:
    try:
        text = "".join(sample(model, length=length, temperature=temperature, seed=seed))
    except RecurraError as error:
        return str(error)
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) or "(nothing)"
