"""The softmax is estimated from a sample where there are many tokens, and nothing else was said."""

from dataclasses import replace

import pytest

from recurra.tasks.text.corpus import make_corpus
from recurra.tasks.text.job import TextJob
from recurra.tasks.text.sample_default import with_sample
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.text.token_model import build


@pytest.mark.parametrize(
    ("settings", "vocabulary", "sampled"),
    [
        (ModelSettings(), 9_999, 0),
        (ModelSettings(), 10_000, 4_000),
        (ModelSettings(tied=True), 33_278, 4_000),
        (ModelSettings(cutoffs=(2_000,)), 10_000, 0),
        (ModelSettings(sampled=0), 10_000, 0),
        (ModelSettings(sampled=7), 100, 7),
    ],
)
def test_the_default(settings: ModelSettings, vocabulary: int, sampled: int) -> None:
    assert with_sample(settings, vocabulary) == replace(settings, sampled=sampled)


def test_a_job_decides_once(small_settings: TextSettings) -> None:
    text = " ".join(f"w{n}" for n in range(10_000))
    settings = replace(small_settings, level="word", min_count=1)
    corpus = make_corpus(text, "w1 w2 " * 50, settings)
    assert len(corpus.vocabulary) >= 10_000
    assert TextJob(corpus, settings).settings.model.sampled == 4_000
    of_all = replace(settings, model=replace(settings.model, sampled=0))
    assert TextJob(corpus, of_all).settings.model.sampled == 0
    few = make_corpus("the cat sat on the mat " * 20, "the cat " * 20, settings)
    assert TextJob(few, settings).settings.model.sampled == 0


def test_models_without_a_text_estimate_nothing() -> None:
    assert build(10_000, ModelSettings(hidden=4))._sampled == 0
