"""What is dropped by default follows from how often the text will be read; what is given stays."""

from dataclasses import replace

import pytest

from recurra.tasks.text.corpus import make_corpus
from recurra.tasks.text.dropout_defaults import MULTIPLICATIONS_PER_SECOND, passes_of, with_dropout
from recurra.tasks.text.job import TextJob
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.text.token_model import build, weights_left_out, weights_of_a_token
from recurra.tasks.training.settings import TrainingSettings


def dropped(passes: float, settings: ModelSettings | None = None) -> tuple[float | None, float | None]:
    chosen = with_dropout(settings or ModelSettings(), passes)
    return chosen.dropout, chosen.weight_drop


def test_the_more_passes_the_more_is_dropped() -> None:
    assert [dropped(passes) for passes in (0, 1, 2)] == [(0.0, 0.0)] * 3
    assert [dropped(passes) for passes in (100, 1000)] == [(0.6, 0.3)] * 2
    rising = [dropped(passes)[0] or 0.0 for passes in range(2, 101)]
    assert rising == sorted(rising)
    assert dropped(200**0.5) == (0.3, 0.15)  # halfway, on a scale of logarithms


def test_given_numbers_stay() -> None:
    assert dropped(100, ModelSettings(dropout=0.2)) == (0.2, 0.0)
    assert dropped(100, ModelSettings(dropout=0.2, weight_drop=0.1)) == (0.2, 0.1)
    assert dropped(100, ModelSettings(weight_drop=0.1)) == (0.6, 0.1)
    assert dropped(100, ModelSettings(dropout=0.0)) == (0.0, 0.0)


@pytest.mark.parametrize("cell", ["indrnn", "min_gru"])
def test_cells_without_matrices_between_states(cell: str) -> None:
    assert dropped(100, ModelSettings(cell)) == (0.6, 0.0)
    build(11, with_dropout(ModelSettings(cell, hidden=8), 100))


def test_the_first_limit_counts() -> None:
    assert passes_of(1000, 1000, TrainingSettings(epochs=7)) == 7
    minute = 60 * MULTIPLICATIONS_PER_SECOND / 1e6 / 1e6
    assert passes_of(10**6, 10**6, TrainingSettings(minutes=1)) == pytest.approx(minute)
    assert passes_of(10**6, 10**6, TrainingSettings()) == pytest.approx(5 * minute)
    assert passes_of(10**6, 10**6, TrainingSettings(epochs=1, minutes=10)) == 1
    assert passes_of(10**6, 10**6, TrainingSettings(epochs=100, minutes=1)) == pytest.approx(minute)


def test_weights_that_a_token_is_multiplied_by() -> None:
    layer = 4 * 8 * (5 + 8) + 2 * 4 * 8
    settings = ModelSettings(hidden=8, embedding=5)
    assert weights_of_a_token(100, settings) == layer + 8 * 100 + 100
    tied = ModelSettings(hidden=8, tied=True)
    assert weights_of_a_token(100, tied) == 4 * 8 * 16 + 2 * 4 * 8 + 8 * 100 + 100
    assert weights_of_a_token(100, replace(tied, sampled=40)) == weights_of_a_token(100, tied) - 60 * 8
    own = replace(settings, sampled=40)
    assert weights_of_a_token(100, settings) - weights_of_a_token(100, own) == weights_left_out(100, own) == 60 * 8
    assert weights_left_out(100, replace(own, sampled=100)) == weights_left_out(100, settings) == 0


def test_evaluations_are_rarer_where_training_samples() -> None:
    text = "the cat sat on the mat\n" * 200
    settings = TextSettings(
        batch_size=4, seq_len=8, level="char", model=ModelSettings(hidden=2, embedding=2, sampled=2)
    )
    job = TextJob(make_corpus(text, text, settings), settings)
    every = replace(settings, model=replace(settings.model, sampled=0))
    windows = TextJob(make_corpus(text, text, every), every).windows_per_evaluation
    trained, tokens = weights_of_a_token(len(job.corpus.vocabulary), settings.model), len(job.corpus.vocabulary)
    assert job.windows_per_evaluation == round(windows * (1 + (tokens - 2) * 2 / trained))


def test_a_job_decides_once() -> None:
    text = "the cat sat on the mat\n" * 40
    settings = TextSettings(
        batch_size=4, seq_len=8, model=ModelSettings(hidden=8), training=TrainingSettings(epochs=100)
    )
    job = TextJob(make_corpus(text, text, settings), settings)
    assert (job.settings.model.dropout, job.settings.model.weight_drop) == (0.6, 0.3)
    assert job.model.dropout.p == 0.6
    once_more = replace(job.settings, training=TrainingSettings(epochs=1))
    assert TextJob(make_corpus(text, text, settings), once_more).settings == once_more
