"""The default of the softmax in training: an estimate from a sample of the tokens where there are many."""

from __future__ import annotations

from dataclasses import replace

from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import MANY_TOKENS

# docs/results.md, "WikiText-2", has the measurement.
SAMPLED = 4000


def with_sample(settings: ModelSettings, vocabulary: int) -> ModelSettings:
    """Settings whose `sampled` is a number: that given, or else 4,000 from 10,000 tokens on, and zero below.

    An adaptive softmax is no sum over all tokens, and needs no estimate.

    Args:
        settings: the settings of a model.
        vocabulary: the number of tokens.
    """
    if settings.sampled is not None:
        return settings
    is_estimated = vocabulary >= MANY_TOKENS and not settings.cutoffs
    return replace(settings, sampled=SAMPLED if is_estimated else 0)
