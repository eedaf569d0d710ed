"""Runs of every kind that are interrupted go on to the same model."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.run import open_run
from recurra.tasks.text import first_values
from recurra.tasks.text.configuration import sources_of
from recurra.tasks.text.corpus import read_corpus
from recurra.tasks.text.job import TextJob, create_text_run, open_text, train_text
from recurra.tasks.text.settings import TextSettings
from tests.tasks.training.jobs import Events

KINDS = {
    "lstm": {},
    "gru of two layers": {"model": {"cell": "gru", "layers": 2, "dropout": 0.3}},
    "independent windows": {"carry": False},
    "words": {"level": "word", "min_count": 1},
    "bytes": {"level": "byte"},
    "regularised": {
        "model": {
            "layers": 2,
            "dropout": 0.3,
            "variational": True,
            "weight_drop": 0.3,
            "embedding_dropout": 0.2,
            "input_dropout": 0.1,
        }
    },
    "tied, accumulated": {"model": {"tied": True, "embedding": 7}, "training": {"accumulate": 3}},
    "averaged": {"training": {"optimizer": "asgd", "lr": 3.0, "evaluate_every": 3, "schedule": "constant"}},
}


def changed(settings: TextSettings, change: dict[str, object]) -> TextSettings:
    inner = {
        name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    return replace(settings, **inner)


@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
def test_the_same_model(
    small_text: str, small_settings: TextSettings, tmp_path: Path, change: dict[str, object]
) -> None:
    settings = changed(small_settings, change)
    text = tmp_path / "text"
    text.write_text(small_text)

    def job() -> TextJob:
        return TextJob(read_corpus([text], None, settings), settings)

    whole = create_text_run(first := job(), tmp_path / "whole")
    steps = train_text(first, whole).step
    moments = {steps // 5, steps // 2, steps - 2}
    run = create_text_run(first := job(), tmp_path / "run", sources_of([text], None))

    def interrupt(event: object) -> None:
        if event.step in moments:
            moments.remove(event.step)
            signal.raise_signal(signal.SIGTERM)

    outcome = train_text(first, run, [Events(interrupt)])
    sittings = 1
    while not outcome.is_finished:
        run = open_run(tmp_path / "run", "text")
        outcome = train_text(open_text(run), run, [Events(interrupt)], resumes=True)
        sittings += 1
    assert sittings == 4
    assert (run.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()


def test_the_same_model_of_many_tokens(
    small_text: str, small_settings: TextSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose first values are the text's: what goes on has them in its checkpoint."""
    monkeypatch.setattr(first_values, "MANY_TOKENS", 2)
    test_the_same_model(small_text, small_settings, tmp_path, KINDS["words"])


def test_a_training_that_was_killed_before_its_first_checkpoint(
    small_text: str, small_settings: TextSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_values, "MANY_TOKENS", 2)
    (text := tmp_path / "text").write_text(small_text)
    settings = changed(small_settings, KINDS["words"])
    files = []
    for name in ("whole", "killed"):
        job = TextJob(read_corpus([text], None, settings), settings)
        run = create_text_run(job, tmp_path / name, sources_of([text], None))
        train_text(job if name == "whole" else open_text(run), run, resumes=name == "killed")
        files.append((run.folder / "model.safetensors").read_bytes())
    assert files[0] == files[1]


def test_the_state_of_another_batch(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text(small_text)
    job = TextJob(read_corpus([text], None, small_settings), small_settings)
    job.begin_epoch(1)
    job.loss(0)
    state = job.state_tensors()
    assert [tuple(tensor.shape) for tensor in state] == [(1, 4, 12), (1, 4, 12)]
    job.load_state_tensors(state)
    for wrong in (state[:1], [tensor[:, :3] for tensor in state], [tensor.double() for tensor in state]):
        with pytest.raises(RunError, match="its state is not that of this model and batch"):
            job.load_state_tensors(wrong)


def test_independent_windows_are_drawn_anew(small_text: str, small_settings: TextSettings, tmp_path: Path) -> None:
    """An epoch reads each window at most once, in an order that its number alone decides."""
    text = tmp_path / "text"
    text.write_text(small_text)
    settings = replace(small_settings, carry=False)
    job = TextJob(read_corpus([text], None, settings), settings)

    def read(epoch: int) -> list[tuple[int, ...]]:
        job.begin_epoch(epoch)
        windows = [job.window(number) for number in range(job.windows_per_epoch)]
        return [tuple(column.tolist()) for _, targets in windows for column in targets.t()]

    first, second = read(1), read(2)
    assert read(1) == first != second
    whole = job.corpus.train.tokens[: len(first) // 4 * 4 * 16 + 16 * 4]
    places = [tuple(whole[begin : begin + 16].tolist()) for begin in range(0, len(whole) - 15, 16)]
    assert set(first) <= set(places)
    job.loss(0)
    assert job.state_tensors() == []
