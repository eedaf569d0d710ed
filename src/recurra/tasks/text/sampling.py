"""Sampling of text from a model, token by token, with the state carried from step to step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import RunError
from recurra.nn import Stack
from recurra.tasks import checks
from recurra.vocabulary import Vocabulary


@dataclass(frozen=True)
class SamplingSettings:
    """Settings of sampling.

    Args:
        length: the number of tokens to draw: characters or words, as the model has them.
        temperature: the number that logits are divided by; below 1 likely tokens become likelier, and 0 always takes
            the likeliest.
        top_k: the number of likeliest tokens to draw among (Fan et al. 2018); 0 for all.
        seed: the seed of the random numbers; None for a different text each time.
    """

    length: int = 500
    temperature: float = 0.8
    top_k: int = 0
    seed: int | None = None

    def check(self) -> None:
        """Refuse settings out of range.

        Raises:
            RunError: a setting is refused; the message names the option and its range.
        """
        checks.whole("--length", self.length, most=2**62)
        checks.not_negative("--temperature", self.temperature)
        checks.whole("--top-k", self.top_k, least=0, most=2**62)
        if self.seed is not None:
            checks.whole("--seed", self.seed, least=0, most=checks.LARGEST_SEED)


def check_prompt(vocabulary: Vocabulary, prompt: str) -> list[str]:
    """The words of a prompt that the model does not know, and will read as ``<unk>``.

    Raises:
        RunError: the prompt has a character that is unknown to a model of characters, and so means nothing to it.
    """
    unknown = sorted(vocabulary.unknown(prompt)) if prompt else []
    if unknown and vocabulary.level == "char":
        shown = ", ".join(f"{character!a} (U+{ord(character):04X})" for character in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise RunError(f"the prompt has characters that the model's text had not: {shown}{more}")
    return unknown


@torch.no_grad()
def sample(model: Stack, vocabulary: Vocabulary, prompt: str, settings: SamplingSettings) -> Iterator[str]:
    """Continue a prompt piece by piece; the pieces together are the continuation, without the prompt.

    The model reads a line end, then the prompt, so that an empty prompt starts a line. ``<unk>`` is never drawn.

    Args:
        model: the model; it is put into evaluation mode.
        vocabulary: the model's tokens.
        prompt: the text to continue.
        settings: the settings of sampling.

    Yields:
        Each token as text, as soon as it is drawn.

    Raises:
        RunError: a setting is out of range, or the prompt has characters unknown to a model of characters.
    """
    settings.check()
    check_prompt(vocabulary, prompt)
    model.eval()
    generator = torch.Generator()
    if settings.seed is None:
        generator.seed()
    else:
        generator.manual_seed(settings.seed)
    before = prompt
    logits, state = model(torch.from_numpy(vocabulary.prompt(prompt)).unsqueeze(1))
    for _ in range(settings.length):
        number = _draw(logits[-1, 0], settings, generator)
        before = vocabulary.write(number, at_line_start=not before or before[-1].isspace())
        yield before
        logits, state = model(torch.tensor([[number]]), state)


def _draw(logits: Tensor, settings: SamplingSettings, generator: torch.Generator) -> int:
    """Draw a token from logits ``(V,)``; in float64, so that a small temperature does not overflow."""
    logits = logits.double()
    logits[0] = -torch.inf
    if settings.temperature == 0:
        return int(logits.argmax())
    if 0 < settings.top_k < len(logits):
        least = logits.topk(settings.top_k).values[-1]
        logits = logits.masked_fill(logits < least, -torch.inf)
    probabilities = torch.softmax((logits - logits.max()) / settings.temperature, 0)
    return int(torch.multinomial(probabilities, 1, generator=generator))
