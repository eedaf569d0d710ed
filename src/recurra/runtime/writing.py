"""``sample``: a text that a language model writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from recurra.errors import RecurraError
from recurra.runtime.language import logits_in_chunks, vocabulary_of
from recurra.runtime.sampling import REPETITION_WINDOW, Sampler, SamplingSettings
from recurra.runtime.stopping import StopTexts
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from recurra.runtime.model import Model


def sample(
    model: Model,
    prompt: str = "",
    *,
    length: int = 500,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    stop: str | Sequence[str] = (),
    seed: int | None = None,
) -> Continuation:
    """Continue a prompt, token by token; the pieces together are the continuation, without the prompt.

    The model reads a line end, then the prompt, so that an empty prompt starts a line. ``<unk>`` is never drawn. From
    the logits of the next token, the probabilities come as in Hugging Face's transformers, in this order: repetition
    penalty, temperature, top-k, top-p, min-p. Tokens that are equally likely stay or go together.

    Args:
        model: a language model: its file has a vocabulary, and its output is a logit for each token.
        prompt: the text to continue.
        length: the most tokens to draw. Default 500.
        temperature: the number that logits are divided by: below 1, likely tokens become likelier; 0 always takes the
            likeliest. Default 0.8.
        top_k: the number of likeliest tokens to draw among (Fan et al. 2018). Default 0: all.
        top_p: draws among the fewest likeliest tokens that have this probability together (Holtzman et al. 2020,
            section 3.1). Default 1: all.
        min_p: draws among tokens that have this share of the likeliest token's probability (Nguyen et al. 2024,
            section 3). Default 0: all.
        repetition_penalty: what the logits of the last 64 tokens read, of the prompt too, are divided by where they are
            positive, and multiplied by where they are negative (Keskar et al. 2019, section 4.1); 0.01 to 100, and
            above 1 against repetition. Default 1: none.
        stop: a text, or several, before the first of which the continuation ends. Default: none.
        seed: a whole number from 0 that repeats a draw: same model, same settings, same text. Default: another text
            each time.

    Returns:
        An iterator of pieces of text, each as soon as it is drawn. What may be the beginning of a stop text is held
        back until more is known.

    Raises:
        RecurraError: the model is no language model or is bidirectional, a setting is out of range, or the prompt has
            characters that a model of characters does not know.
    """
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    settings = SamplingSettings(length, temperature, top_k, top_p, min_p, repetition_penalty, stops, seed)
    return Continuation(model, prompt, settings)


class Continuation(Iterator[str]):
    """The pieces of a text that a model writes; see ``sample``.

    Attributes:
        tokens: the number of tokens drawn so far, those of the stop text too.
        stopped: whether a stop text has come.
    """

    def __init__(self, model: Model, prompt: str, settings: SamplingSettings) -> None:
        settings.check()
        self._vocabulary = vocabulary_of(model)
        unknown_in_prompt(self._vocabulary, prompt)
        self.tokens = 0
        self.stopped = False
        self._stream, self._settings = model.stream(), settings
        self._pieces = self._written(prompt)

    def __next__(self) -> str:
        return next(self._pieces)

    def _written(self, prompt: str) -> Iterator[str]:
        settings, vocabulary, stream = self._settings, self._vocabulary, self._stream
        unknown = vocabulary.unknown_number
        sampler = Sampler(settings, never=() if unknown is None else (unknown,))
        decoder, stops = vocabulary.decoder(prompt), StopTexts(settings.stop)
        ids = vocabulary.prompt(prompt)
        for number in ids[-REPETITION_WINDOW:].tolist():
            sampler.read(number)
        for chunk in logits_in_chunks(stream, ids[:, None]):
            logits = chunk[-1, 0]
        while True:
            number = sampler.draw(logits)
            self.tokens += 1
            piece = stops.add(decoder.write(number))
            self.stopped = stops.found
            if piece:
                yield piece
            if self.stopped or self.tokens == settings.length:
                break
            logits = stream.step(number)
        rest = "" if self.stopped else stops.add(decoder.finish()) + stops.rest()
        if rest:
            yield rest


def unknown_in_prompt(vocabulary: Vocabulary, prompt: str) -> list[str]:
    """The words of a prompt that the model does not know, and reads as ``<unk>``.

    Raises:
        RecurraError: the prompt has a character that is unknown to a model of characters, and so means nothing to it.
    """
    unknown = sorted(vocabulary.unknown(prompt)) if prompt else []
    if unknown and vocabulary.level == "char":
        shown = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise RecurraError(f"the prompt has characters that the model's text had not: {shown}{more}")
    return unknown
