"""The jobs: language models of texts, forecasters of time series, and the loop and run folder of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.tasks.training.events import Callback, Evaluation, Step, TrainingOutcome

if TYPE_CHECKING:
    from recurra.tasks.series.forecaster import Forecaster
    from recurra.tasks.text.language_model import LanguageModel

__all__ = ["Callback", "Evaluation", "Forecaster", "LanguageModel", "Step", "TrainingOutcome"]


def __getattr__(name: str) -> object:
    """Import on first use, as a command line that only prints its help need not load the runtime."""
    if name == "LanguageModel":
        from recurra.tasks.text.language_model import LanguageModel

        return LanguageModel
    if name == "Forecaster":
        from recurra.tasks.series.forecaster import Forecaster

        return Forecaster
    raise AttributeError(f"module 'recurra.tasks' has no attribute {name!r}")
