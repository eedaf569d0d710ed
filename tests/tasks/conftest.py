"""Fixtures: a small text, and settings of a model that learns it in a second."""

from collections.abc import Iterator

import pytest

from recurra.tasks.text.demo import threads
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import TrainingSettings

LINES = ("the cat sat on the mat", "the dog sat on the log", "a cat and a dog ran")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: models as small as these lose time by a second one, above all if tests run in parallel."""
    with threads(1):
        yield


@pytest.fixture
def small_text() -> str:
    return "\n".join(LINES[k * k % 3] for k in range(120)) + "\n"


@pytest.fixture
def small_settings() -> TextSettings:
    return TextSettings(
        seq_len=16,
        batch_size=4,
        model=ModelSettings(hidden=12, dropout=0.1),
        training=TrainingSettings(epochs=2, lr=0.02, evaluate_every=20),
    )
