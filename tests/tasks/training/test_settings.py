"""Settings out of range are refused by the names of their options."""

import math
from dataclasses import replace

import pytest

from recurra.errors import RunError
from recurra.tasks.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "lion"}, "--optimizer must be one of adamw, adam, adagrad, sgd, asgd"),
        ({"schedule": "linear"}, "--schedule must be one of cosine, wsd, plateau, constant"),
        ({"precision": "float16"}, "--precision must be one of auto, float32, bfloat16"),
        ({"lr": 0.0}, "--lr"),
        ({"lr": math.nan}, "--lr"),
        ({"lr": math.inf}, "--lr"),
        ({"weight_decay": -0.1}, "--weight-decay"),
        ({"warmup": -1}, "--warmup"),
        ({"clip": 0.0}, "--clip"),
        ({"clip": math.nan}, "--clip"),
        ({"clip_value": 0.0}, "--clip-value"),
        ({"accumulate": 0}, "--accumulate"),
        ({"epochs": 0}, "--epochs"),
        ({"minutes": -1.0}, "--minutes"),
        ({"evaluate_every": 0}, "--eval-every"),
        ({"patience": -1}, "--patience"),
        ({"checkpoint_minutes": 0.0}, "--checkpoint-minutes"),
    ],
)
def test_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(RunError, match=message):
        replace(TrainingSettings(), **change).check()
