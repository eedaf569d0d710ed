"""From a text to a run and back: the job learns, repeats under a seed, and survives an interrupt."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import recurra
from recurra.errors import RunError
from recurra.model import read
from recurra.nn.parts import build
from recurra.tasks.text.corpus import make_corpus, read_corpus
from recurra.tasks.text.job import (
    TextEvaluation,
    TextJob,
    evaluate_text,
    load_text,
    train_text,
)
from recurra.tasks.text.reading import read_text, split_text
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.vocabulary import Vocabulary
from tests.model import museum
from tests.texts import prose


def trained(text: str, folder: Path, settings: TextSettings) -> list[TextEvaluation]:
    job = TextJob(make_corpus(*split_text(text), settings), settings)
    return [event for event in train_text(job, folder) if isinstance(event, TextEvaluation)]


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("cell", ["lstm", "mgu"])
def test_there_and_back(small_text: str, small_settings: TextSettings, tmp_path: Path, level: str, cell: str) -> None:
    settings = replace(small_settings, level=level, model=replace(small_settings.model, cell=cell))
    events = trained(small_text, tmp_path / "run", settings)
    model, vocabulary = load_text(tmp_path / "run")
    best = min(events, key=lambda event: event.valid_loss)
    assert not model.training
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["perplexity"] for row in rows] == [event.perplexity for event in events]
    # The saved model is the best one: measured again, in the same lanes, it has the same score.
    job = TextJob(make_corpus(*split_text(small_text), settings), settings)
    lanes = job.valid.targets.shape[1]
    score = evaluate_text(model, vocabulary, split_text(small_text)[1], lanes)
    assert score.perplexity == pytest.approx(best.perplexity, rel=1e-5)
    assert score.bits_per_char == pytest.approx(best.bits_per_char, rel=1e-5)
    assert score.perplexity < len(vocabulary) / 2


def test_the_same_seed_gives_the_same_run(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    files = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(small_text, tmp_path / name, replace(small_settings, seed=seed))
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize("moment", [1, 30])
def test_an_interrupt_leaves_a_usable_model(
    small_text: str, small_settings: TextSettings, tmp_path: Path, moment: int
) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)

    def watch() -> None:
        with contextlib.closing(train_text(job, tmp_path / "run")) as events:
            for event in events:
                if event.step == moment:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch()
    model, vocabulary = load_text(tmp_path / "run")
    assert evaluate_text(model, vocabulary, "the cat\n").tokens == 8
    expected = {"config.json", "model.safetensors"} | ({"metrics.jsonl"} if moment > 20 else set())
    assert {path.name for path in (tmp_path / "run").iterdir()} == expected


def test_an_interrupt_inside_the_loop(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)
    events = train_text(job, tmp_path / "run")
    next(events)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    job.model.output.weight.register_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(events)
    load_text(tmp_path / "run")


def test_a_training_that_diverges_keeps_its_best(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)
    events = train_text(job, tmp_path / "run")
    assert any(event.step == 25 for event in events)
    torch.nn.init.constant_(job.model.output.bias, torch.nan)
    with pytest.raises(RunError, match="the loss became nan"):
        next(events)
    model, vocabulary = load_text(tmp_path / "run")
    assert evaluate_text(model, vocabulary, small_text).perplexity < 30


def test_every_token_counts_once(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    trained(small_text, tmp_path / "run", small_settings)
    model, vocabulary = load_text(tmp_path / "run")
    score = evaluate_text(model, vocabulary, "the cäté\n")
    assert (score.tokens, score.characters, score.unknown) == (9, 9, {"ä": 1, "é": 1})
    one, four = (evaluate_text(model, vocabulary, small_text, lanes) for lanes in (1, 4))
    assert one.tokens == four.tokens == len(small_text)
    assert one.nats != four.nats
    assert one.nats == pytest.approx(four.nats, rel=0.05)


def test_short_texts(small_settings: TextSettings) -> None:
    with pytest.raises(RunError, match="too short: 16 tokens to train on"):
        TextJob(make_corpus("abcd" * 4, "ab", small_settings), replace(small_settings, seq_len=17))
    job = TextJob(make_corpus("abcd" * 4, "ab", small_settings), small_settings)
    assert (job.batch_size, job.steps_per_epoch) == (1, 1)


def test_a_file_to_validate_on(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    (tmp_path / "train").write_text(small_text)
    (tmp_path / "valid").write_text("the cat zzz\n")
    corpus = read_corpus([tmp_path / "train"], tmp_path / "valid", small_settings)
    assert corpus.vocabulary.decode(corpus.train.tokens[:]) == small_text
    assert (corpus.train.characters, corpus.valid.characters) == (len(small_text), 12)
    assert corpus.valid.unknown.kinds == {"z": 3}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", None, "must hold cell, dropout, hidden, layers"),
        ("model", {"cell": "nope", "hidden": 12, "layers": 1, "dropout": 0.1}, "--cell must be one of"),
        ("model", {"cell": ["lstm"], "hidden": 12, "layers": 1, "dropout": 0.1}, "--cell must be one of"),
        ("model", {"cell": "lstm", "hidden": 10**12, "layers": 1, "dropout": 0.1}, "--hidden"),
        ("model", {"cell": "lstm", "hidden": "12", "layers": 1, "dropout": 0.1}, "--hidden"),
        ("model", {"cell": "lstm", "hidden": 12, "layers": 10**9, "dropout": 0.1}, "--layers"),
        ("model", {"cell": "lstm", "hidden": 12, "layers": 1, "dropout": "x"}, "--dropout"),
        ("model", {"cell": "lstm", "hidden": 13, "layers": 1, "dropout": 0.1}, "does not fit config.json"),
        ("model", {"cell": "lstm", "hidden": 1_000_000, "layers": 1, "dropout": 0.1}, "does not fit config.json"),
        ("model", {"cell": "gru", "hidden": 12, "layers": 1, "dropout": 0.1}, "does not fit config.json"),
        ("vocabulary", None, "'vocabulary' must be an object"),
        ("vocabulary", {"level": "char", "tokens": ["a", "b"]}, "the tokens of 'vocabulary' must be a text"),
        ("vocabulary", {"level": "char", "tokens": "a"}, "does not fit config.json"),
        ("vocabulary", {"level": ["char"], "tokens": "a"}, "the level of 'vocabulary' must be one of"),
    ],
)
def test_a_doctored_configuration(
    small_text: str, small_settings: TextSettings, tmp_path: Path, key: str, value: object, message: str
) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)
    with contextlib.closing(train_text(job, tmp_path / "run")) as events:
        next(events)
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(RunError, match=message):
        load_text(tmp_path / "run")


def retold(path: Path, change: Callable[[nn.Module], None], text: str | None = None) -> None:
    """Change the weights or the vocabulary of a run's model."""
    description = read(path)
    module = build(description)
    change(module)
    vocabulary = description.vocabulary if text is None else Vocabulary.of(text, "char")
    recurra.save(module, path, vocabulary=vocabulary)


def test_a_model_of_another_run(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    path = tmp_path / "run" / "model.safetensors"
    trained(small_text, tmp_path / "run", small_settings)
    before = path.read_bytes()
    retold(path, lambda module: None, small_text.replace("t", "x"))  # the same number of tokens, but other ones
    with pytest.raises(RunError, match=r"does not fit config\.json: its vocabulary is another one"):
        load_text(tmp_path / "run")
    path.write_bytes(before)
    retold(path, lambda module: nn.init.constant_(module.output.bias, torch.nan))
    with pytest.raises(RunError, match=r"is damaged: weight output\.bias holds values that are not finite"):
        load_text(tmp_path / "run")
    with pytest.raises(RunError, match=r"is damaged: weight output\.bias holds values that are not finite"):
        load_text(path)
    save_file(build(read(path)).state_dict(), path)
    with pytest.raises(RunError, match=r"is damaged: the file has no description of a model"):
        load_text(tmp_path / "run")


def test_the_file_of_a_run_is_its_model(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    trained(small_text, tmp_path / "run", small_settings)
    models = [load_text(path) for path in (tmp_path / "run", tmp_path / "run" / "model.safetensors")]
    for name, weight in models[0][0].state_dict().items():
        assert torch.equal(weight, models[1][0].state_dict()[name])
    assert models[0][1].tokens == models[1][1].tokens
    scores = [evaluate_text(model, vocabulary, small_text) for model, vocabulary in models]
    assert scores[0] == scores[1]


def test_a_run_from_before_annotations(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    """The model of such a run has the vocabulary as a field of its own."""
    path = tmp_path / "run" / "model.safetensors"
    trained(small_text, tmp_path / "run", small_settings)
    model, vocabulary = load_text(tmp_path / "run")
    _, description, _ = museum.opened(path.read_bytes())
    path.write_bytes(museum.before_annotations(path.read_bytes(), description["annotations"]["vocabulary"]))
    again, tokens = load_text(tmp_path / "run")
    assert tokens.tokens == vocabulary.tokens
    assert evaluate_text(again, tokens, small_text) == evaluate_text(model, vocabulary, small_text)


def test_a_book_of_words(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(prose())
    settings = TextSettings(level="word", model=ModelSettings(hidden=8))
    corpus = make_corpus(*split_text(read_text(book)), settings)
    job = TextJob(corpus, settings)
    assert len(corpus.vocabulary) < 4000
    assert 0.02 < corpus.unknown.total() / job.valid_tokens < 0.3
    loss, count = next(job.losses())
    assert count == 32 * 64
    assert float(loss.detach()) == pytest.approx(torch.tensor(len(corpus.vocabulary)).log().item(), rel=0.05)
