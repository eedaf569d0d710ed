"""Rows of metrics there and back, and what TensorBoard gets."""

import math
import sys
import types
from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.training.events import Evaluation, Step, TrainingOutcome
from recurra.tasks.training.metrics import TensorBoard, metrics_row, rows_of, text_of


def test_rows_there_and_back() -> None:
    rows = [metrics_row({"step": 1, "loss": math.inf}), metrics_row({"step": 2, "loss": 0.1})]
    assert text_of(rows) == b'{"step": 1, "loss": null}\n{"step": 2, "loss": 0.1}\n'
    assert rows_of(text_of(rows)) == rows
    assert rows_of(b"") == []


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"a": "b"}', b'{"a": NaN}', b"\xff", b'{"a": 1, "a": 2}'])
def test_no_rows(content: bytes) -> None:
    with pytest.raises(RunError, match="the rows of metrics"):
        rows_of(content)


def test_tensorboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[object, ...]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            calls.append(("made", folder))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            calls.append((name, value, step))

        def flush(self) -> None:
            calls.append(("flushed",))

        def close(self) -> None:
            calls.append(("closed",))

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = TensorBoard(tmp_path / "board")
    assert calls == []
    for number in (9, 10):
        board.on_step(Step(number, 1, 0.5, 2.5, 0.1, 100.0, 3.0))
    board.on_evaluation(Evaluation(10, 1, 2.0, 1.5, True, {"step": 10, "valid_loss": 1.5, "perplexity": None}))
    board.on_end(TrainingOutcome(10, 1, None, None))
    assert calls == [
        ("made", str(tmp_path / "board")),
        ("step/loss", 2.5, 10),
        ("step/lr", 0.1, 10),
        ("step/items_per_second", 100.0, 10),
        ("evaluation/valid_loss", 1.5, 10),
        ("flushed",),
        ("closed",),
    ]
