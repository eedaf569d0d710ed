"""Settings and sources there and back through config.json, and doctored ones."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recurra.errors import RunError
from recurra.tasks.text.configuration import Sources, config_of, read_config, sources_of
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.settings import TrainingSettings

SETTINGS = TextSettings(
    level="word",
    carry=False,
    model=ModelSettings(tied=True, cutoffs=(10, 20)),
    training=TrainingSettings(optimizer="sgd", clip=math.inf, clip_value=0.5, minutes=1.5),
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    for name in ("a", "b", "valid"):
        (tmp_path / name).write_text(name * 1000)
    return sources_of([tmp_path / "a", tmp_path / "b"], tmp_path / "valid")


def through_json(settings: TextSettings, sources: Sources) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(config_of(settings, sources), allow_nan=False))
    return content


def test_there_and_back(sources: Sources) -> None:
    expected = replace(SETTINGS, training=replace(SETTINGS.training, lr=5.0))  # the default rate is written down
    assert read_config(through_json(SETTINGS, sources)) == (expected, sources)
    alone = Sources(sources.files, None)
    assert read_config(through_json(TextSettings(), alone))[1] == alone


def test_a_run_of_before_some_settings(sources: Sources) -> None:
    content = through_json(SETTINGS, sources)
    del content["model"]["sampled"], content["model"]["input_dropout"]
    of_all = replace(SETTINGS, model=replace(SETTINGS.model, sampled=0))  # which those runs did
    assert read_config(content) == read_config(through_json(of_all, sources))


def test_changed_files(sources: Sources, tmp_path: Path) -> None:
    sources.check()
    for name in ("b", "valid"):
        before = (tmp_path / name).read_text()
        for text in (before[::-1] + "x", before[:-1] + "x", ""):
            (tmp_path / name).write_text(text)
            with pytest.raises(RunError, match=f"{name} has changed since the run began"):
                sources.check()
        (tmp_path / name).write_text(before)
    (tmp_path / "a").unlink()
    with pytest.raises(RunError, match="a cannot be read: No such file"):
        sources.check()


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        ("training", {"epochs": "1"}, "--epochs"),
        ("training", {"clip": "inf"}, "--clip"),
        ("training", {"new": 1}, "'training' must hold"),
        ("model", {"tied": 1}, "'tied' of 'model' must be true or false"),
        ("model", {"hidden": None}, "--hidden"),
        ("text", {"carry": "yes"}, "'carry' of 'text' must be true or false"),
        ("text", {"seq_len": 0}, "--seq-len"),
        ("text", {"new": 0}, "'text' must hold"),
        ("data", {"files": []}, "has no files"),
        ("data", {"files": [{"path": "a"}]}, "path, size and sha256"),
        ("data", {"files": [{"path": "a", "size": "1", "sha256": ""}]}, "a path, a size and a checksum"),
        ("data", {"valid": 1}, "path, size and sha256"),
        ("data", {"new": 1}, "must hold files and valid"),
    ],
)
def test_doctored(sources: Sources, group: str, change: dict[str, object], message: str) -> None:
    content = through_json(SETTINGS, sources)
    content[group] |= change
    with pytest.raises(RunError, match=message):
        read_config(content)
    for nothing in (None, [], 1):
        with pytest.raises(RunError, match=f"'{group}'"):
            read_config({**content, group: nothing})
