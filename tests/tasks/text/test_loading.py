"""Trained models from disk: a run folder or its file, each field that is checked, and models of something else."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import recurra
from recurra.errors import RunError
from recurra.model import read
from recurra.model.vocabulary import to_content
from recurra.nn.parts import build as build_module
from recurra.runtime import score
from recurra.tasks.run import create_run
from recurra.tasks.text.loading import TASK, load_model
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import build, nats
from recurra.vocabulary import Vocabulary
from tests.cells.representatives import ZOO
from tests.model.museum.descriptions import before_annotations
from tests.model.museum.exhibits import opened

TEXT = "a cab, a bad cab;\n"
VOCABULARY = Vocabulary.of(TEXT, "char")
SETTINGS = ModelSettings(cell="lstm", hidden=12, layers=2)


def made(folder: Path, settings: ModelSettings = SETTINGS, vocabulary: Vocabulary = VOCABULARY) -> Path:
    """A run folder with an untrained model; its path."""
    config = {"task": TASK, "model": asdict(settings), "vocabulary": to_content(vocabulary)}
    run = create_run(folder / "run", config)
    run.save_model(build(len(vocabulary), settings), {"vocabulary": vocabulary})
    return run.folder


def doctored(run: Path, key: str, value: object) -> None:
    path = run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))


FORMS = [
    {"embedding": 4},
    {"tied": True},
    {"tied": True, "embedding": 4, "layers": 1},
    {"variational": True, "embedding_dropout": 0.1},
    {"weight_drop": 0.5, "variational": True},
    {"input_dropout": 0.5},
    {"cutoffs": (3, 6), "hidden": 32},
]


@pytest.mark.parametrize("form", [{"cell": cell} for cell in ZOO] + FORMS, ids=str)
def test_it_computes_what_the_module_computes(tmp_path: Path, form: dict[str, Any]) -> None:
    run = made(tmp_path, replace(ModelSettings(hidden=6, layers=2), **form))
    module = build_module(read(run / "model.safetensors"))
    ids = torch.from_numpy(VOCABULARY.encode(TEXT))
    inputs = torch.cat([torch.tensor([VOCABULARY.start]), ids[:-1]])
    with torch.no_grad():
        expected = float(nats(module(inputs[:, None])[0], ids[:, None], "sum"))
    for path in (run, run / "model.safetensors"):
        model = load_model(path)
        assert model.vocabulary == VOCABULARY
        assert score(model, TEXT).total == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "vocabulary", [Vocabulary.of(TEXT, "word"), Vocabulary("byte"), Vocabulary("bpe", merges=[(97, 98)])]
)
def test_levels(tmp_path: Path, vocabulary: Vocabulary) -> None:
    assert load_model(made(tmp_path, vocabulary=vocabulary)).vocabulary == vocabulary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "nope"}, "is damaged: --cell must be one of"),
        ({"cell": ["lstm"]}, "is damaged: --cell must be one of"),
        ({"hidden": 10**12}, "is damaged: --hidden"),
        ({"hidden": "12"}, "is damaged: --hidden"),
        ({"layers": 10**9}, "is damaged: --layers"),
        ({"dropout": "x"}, "is damaged: --dropout"),
        ({"more": 1}, "is damaged: 'model' must hold"),
        ({"hidden": 13}, r"does not fit config\.json: its layers do not have 13 units"),
        ({"hidden": 1_000_000}, r"does not fit config\.json: its layers do not have 1000000 units"),
        ({"cell": "gru"}, r"does not fit config\.json: its cell is not gru"),
        ({"embedding": 5}, r"does not fit config\.json: its embedding is not 5 wide"),
        ({"layers": 1}, r"does not fit config\.json: it does not have 1 layers"),
    ],
)
def test_doctored_settings_of_the_model(tmp_path: Path, change: dict[str, object], message: str) -> None:
    run = made(tmp_path)
    doctored(run, "model", {**asdict(SETTINGS), **change})
    with pytest.raises(RunError, match=message):
        load_model(run)
    load_model(run / "model.safetensors")


def test_a_run_of_before_some_settings(tmp_path: Path) -> None:
    run, settings = made(tmp_path), asdict(SETTINGS)
    before = score(load_model(run), TEXT).nats
    del settings["sampled"], settings["input_dropout"]
    doctored(run, "model", settings)
    assert np.array_equal(score(load_model(run), TEXT).nats, before)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is damaged: .*vocabulary"),
        ({"level": "char", "tokens": ["a", "b"]}, "is damaged: .*vocabulary"),
        ({"level": ["char"], "tokens": "ab"}, "is damaged: .*vocabulary"),
        ({"level": "char", "tokens": "aa"}, "is damaged: 'vocabulary'"),
        ({"level": "char", "tokens": "ab"}, r"does not fit config\.json: its vocabulary is another one"),
        ({"level": "byte"}, r"does not fit config\.json: its vocabulary is another one"),
    ],
)
def test_doctored_vocabularies(tmp_path: Path, value: object, message: str) -> None:
    run = made(tmp_path)
    doctored(run, "vocabulary", value)
    with pytest.raises(RunError, match=message):
        load_model(run)


def retold(path: Path, change: Callable[[nn.Module], object], vocabulary: Vocabulary = VOCABULARY) -> None:
    """Change the weights or the vocabulary of a run's model."""
    module = build_module(read(path))
    change(module)
    recurra.save(module, path, vocabulary=vocabulary)


def test_a_model_of_another_run(tmp_path: Path) -> None:
    run = made(tmp_path)
    path, others = run / "model.safetensors", Vocabulary.of(TEXT.replace("b", "x"), "char")
    retold(path, lambda module: None, others)
    with pytest.raises(RunError, match=r"does not fit config\.json: its vocabulary is another one"):
        load_model(run)
    retold(path, lambda module: nn.init.constant_(module.get_parameter("output.bias"), torch.nan))
    for damaged in (run, path):
        with pytest.raises(RunError, match=r"is damaged: weight output\.bias holds values that are not finite"):
            load_model(damaged)
    save_file(build_module(read(path)).state_dict(), path)
    with pytest.raises(RunError, match=r"is damaged: the file has no description of a model"):
        load_model(run)


def test_models_that_are_no_language_models(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    recurra.save(nn.LSTM(3, 4), path)
    with pytest.raises(RunError, match=r"holds no language model of 'recurra text train'.*has no vocabulary"):
        load_model(path)
    size = len(VOCABULARY)
    layer = recurra.nn.LSTM(5, 3, bidirectional=True)
    parts = recurra.nn.Stack(nn.Embedding(size, 5), layer, nn.Linear(6, size))
    recurra.save(parts, path, vocabulary=VOCABULARY)
    with pytest.raises(RunError, match=r"holds no language model of 'recurra text train'.* bidirectional"):
        load_model(path)


def test_a_run_from_before_annotations(tmp_path: Path) -> None:
    """The model of such a run has the vocabulary as a field of its own."""
    run = made(tmp_path)
    path = run / "model.safetensors"
    before = score(load_model(run), TEXT)
    _, description, _ = opened(path.read_bytes())
    path.write_bytes(before_annotations(path.read_bytes(), description["annotations"]["vocabulary"]))
    model = load_model(run)
    assert model.vocabulary == VOCABULARY
    assert np.array_equal(score(model, TEXT).nats, before.nats)
