"""The jobs: language models of texts, and the training loop and the run folder that all jobs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.tasks.training.events import Callback, Evaluation, Step, TrainingOutcome

if TYPE_CHECKING:
    from recurra.tasks.text.language_model import LanguageModel

__all__ = ["Callback", "Evaluation", "LanguageModel", "Step", "TrainingOutcome"]


def __getattr__(name: str) -> object:
    """Import on first use, as a command line that only prints its help need not load the runtime."""
    if name == "LanguageModel":
        from recurra.tasks.text.language_model import LanguageModel

        return LanguageModel
    raise AttributeError(f"module 'recurra.tasks' has no attribute {name!r}")
