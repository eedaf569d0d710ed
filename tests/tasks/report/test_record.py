"""A run's files as a record: its figures, settings and sources, and files that are missing or damaged."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.report.record import read_record
from tests.tasks.report.runs import TEXT


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "lstm", tmp_path / "run"))


def test_what_a_run_says(made: Path) -> None:
    record = read_record(made / "lstm")
    rows = [json.loads(line) for line in (made / "lstm" / "metrics.jsonl").read_text().splitlines()]
    assert record.rows == rows
    assert record.best == min(rows, key=lambda row: row["valid_loss"])
    assert (record.name, record.task, record.item) == ("lstm", "text", "token")
    assert record.seconds == rows[-1]["seconds"]
    assert record.settings["model.cell"] == "lstm"
    assert record.settings["level"] == "char"
    assert record.settings["training.epochs"] == 2
    ((role, path, checksum),) = record.sources
    assert (role, path) == ("text", str(made / "text.txt"))
    assert checksum == hashlib.sha256(TEXT.encode()).hexdigest()
    assert record.made["command"][:3] == ["recurra", "text", "train"]
    assert set(record.made["versions"]) == {"python", "torch", "numpy"}
    assert record.progress is not None
    assert record.progress.is_finished


def test_weights_count_once(made: Path) -> None:
    # An embedding of 13 tokens, 4 * 12 * (12 + 12 + 2) of the layer, 12 * 13 + 13 of the output.
    tokens = len(set(TEXT)) + 1
    assert read_record(made / "lstm").weights == tokens * 12 + 4 * 12 * (12 + 12 + 2) + 12 * tokens + tokens


def test_infinite_losses_are_null(copied: Path) -> None:
    rows = [json.loads(line) for line in (copied / "metrics.jsonl").read_text().splitlines()]
    rows[0]["valid_loss"] = rows[0]["perplexity"] = None
    (copied / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = read_record(copied)
    assert record.best is not None
    assert record.best["valid_loss"] is not None


def test_before_the_first_evaluation(copied: Path) -> None:
    (copied / "metrics.jsonl").unlink()
    record = read_record(copied)
    assert (record.best, record.seconds, record.speed, list(record.rows)) == (None, None, None, [])


def test_without_a_checkpoint(copied: Path) -> None:
    (copied / "checkpoint.safetensors").write_bytes(b"torn")
    assert read_record(copied).progress is None


def _row(**changed: int | None) -> bytes:
    row = {"step": 1, "seconds": 1.0, "lr": 0.1, "train_loss": 1.0, "valid_loss": 1.0}
    return json.dumps({**row, **changed}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "metrics.jsonl is damaged"),
        (b"\xff\n", "metrics.jsonl is damaged"),
        (b'{"step": "one"}\n', "metrics.jsonl is damaged"),
        (b'{"step": 1, "seconds": 1.0, "lr": 0.1}\n', "line 1 has no train_loss, valid_loss"),
        (_row(step=None), "step of line 1 cannot be"),
        (_row(step=10**18, seconds=-1), "step and seconds of line 1 cannot be"),
        (_row(valid_loss=10**400), "metrics.jsonl is damaged"),
    ],
)
def test_damaged_metrics(copied: Path, content: bytes, said: str) -> None:
    (copied / "metrics.jsonl").write_bytes(content)
    with pytest.raises(RunError, match=said) as error:
        read_record(copied)
    assert "\n" not in str(error.value)


def test_another_task(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "task": "music"}))
    with pytest.raises(RunError, match="a run of the task 'music'; known are text, series"):
        read_record(copied)


def test_a_run_of_an_older_recurra(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    del config["made"]
    (copied / "config.json").write_text(json.dumps(config))
    assert read_record(copied).made == {}
