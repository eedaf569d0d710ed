"""From a text to a run and back: the job learns, repeats under a seed, and survives an interrupt."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recurra.errors import RunError
from recurra.runtime import score
from recurra.tasks.text.corpus import make_corpus, read_corpus, read_text, split_text
from recurra.tasks.text.job import TextJob, create_text_run, train_text
from recurra.tasks.text.loading import load_model
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.training.events import Evaluation, Step
from tests.tasks.training.jobs import Events
from tests.texts import prose


def trained(text: str, folder: Path, settings: TextSettings, at: Callable[[object], None] | None = None) -> Events:
    job = TextJob(make_corpus(*split_text(text), settings), settings)
    events = Events(at)
    train_text(job, create_text_run(job, folder), [events])
    return events


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("cell", ["lstm", "mgu"])
def test_there_and_back(small_text: str, small_settings: TextSettings, tmp_path: Path, level: str, cell: str) -> None:
    settings = replace(small_settings, level=level, model=replace(small_settings.model, cell=cell))
    events = trained(small_text, tmp_path / "run", settings).evaluations
    model = load_model(tmp_path / "run")
    best = min(events, key=lambda event: event.valid_loss)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows == [event.row for event in events]
    # The saved model is the best one: measured again, in the same lanes, it has the same score.
    job = TextJob(make_corpus(*split_text(small_text), settings), settings)
    lanes = len(job.valid.chosen)
    measured = score(model, split_text(small_text)[1], lanes=lanes)
    assert measured.perplexity == pytest.approx(best.row["perplexity"], rel=1e-5)
    assert measured.bits_per_char == pytest.approx(best.row["bits_per_char"], rel=1e-5)
    assert measured.perplexity < measured.vocabulary / 2


def test_models_of_many_words_begin_with_their_frequencies(small_settings: TextSettings) -> None:
    words = [f"w{n}" for n in range(10_000)]
    text = " ".join(["w7"] * 500 + words)
    for level, begins in (("word", True), ("char", False)):
        job = TextJob(
            make_corpus(text, "w1 w2 " * 50, replace(small_settings, level=level, min_count=1)), small_settings
        )
        vocabulary, probabilities = job.corpus.vocabulary, job.model.output.bias.detach().exp()
        assert (float(probabilities.sum()) == pytest.approx(1, rel=1e-5)) == begins
        if begins:
            often, once = (int(vocabulary.encode(word)[0]) for word in ("w7", "w8"))
            assert float(probabilities[often] / probabilities[once]) == pytest.approx(502 / 2, rel=1e-4)


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
    def interrupt(event: Step | Evaluation) -> None:
        if event.step == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(small_text, tmp_path / "run", small_settings, interrupt)
    model = load_model(tmp_path / "run")
    assert score(model, "the cat\n").tokens == 8
    expected = {"config.json", "model.safetensors", "checkpoint.safetensors"}
    expected |= {"metrics.jsonl"} if moment > 20 else set()
    assert {path.name for path in (tmp_path / "run").iterdir()} == expected


def test_an_interrupt_inside_the_loop(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    job.model.output.weight.register_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_text(job, create_text_run(job, tmp_path / "run"))
    load_model(tmp_path / "run")


def test_the_best_is_kept_if_it_diverges(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    job = TextJob(make_corpus(*split_text(small_text), small_settings), small_settings)

    def diverge(event: Step | Evaluation) -> None:
        if event.step == 25:
            torch.nn.init.constant_(job.model.output.bias, torch.nan)

    with pytest.raises(RunError, match="the loss became nan at step 26"):
        train_text(job, create_text_run(job, tmp_path / "run"), [Events(diverge)])
    model = load_model(tmp_path / "run")
    assert score(model, small_text).perplexity < 30


def test_every_token_counts_once(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    trained(small_text, tmp_path / "run", small_settings)
    model = load_model(tmp_path / "run")
    measured = score(model, "the cäté\n")
    assert (measured.tokens, measured.characters, measured.unknown.kinds) == (9, 9, {"ä": 1, "é": 1})
    one, four = (score(model, small_text, lanes=lanes) for lanes in (1, 4))
    assert one.tokens == four.tokens == len(small_text)
    assert one.total != four.total
    assert one.total == pytest.approx(four.total, rel=0.05)


def test_short_texts(small_settings: TextSettings) -> None:
    with pytest.raises(RunError, match="too short: 16 tokens to train on"):
        TextJob(make_corpus("abcd" * 4, "ab", small_settings), replace(small_settings, seq_len=17))
    job = TextJob(make_corpus("abcd" * 4, "ab", small_settings), small_settings)
    assert (job.batch_size, job.windows_per_epoch) == (1, 1)


def test_a_file_to_validate_on(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    (tmp_path / "train").write_text(small_text)
    (tmp_path / "valid").write_text("the cat zzz\n")
    corpus = read_corpus([tmp_path / "train"], tmp_path / "valid", small_settings)
    assert (len(corpus.train.tokens), len(corpus.valid.tokens)) == (len(small_text), 12)
    assert corpus.valid.unknown.kinds == {"z": 3}


def test_a_book_of_words(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(prose())
    settings = TextSettings(level="word", model=ModelSettings(hidden=8))
    corpus = make_corpus(*split_text(read_text(book)), settings)
    job = TextJob(corpus, settings)
    assert len(corpus.vocabulary) < 4000
    assert 0.02 < corpus.valid.unknown.total / job.valid_tokens < 0.3
    loss, count = job.loss(0)
    assert count == 32 * 64
    assert float(loss.detach()) / count == pytest.approx(torch.tensor(len(corpus.vocabulary)).log().item(), rel=0.05)
