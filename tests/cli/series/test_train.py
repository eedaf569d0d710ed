"""`recurra series train`: what it prints and writes, interrupts, and runs that go on."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from recurra.cli import console
from recurra.tasks.training.events import Step
from tests.cli.series.conftest import TINY

Call = Any


def test_what_was_found_is_printed(call: Call, folder: Path, tmp_path: Path) -> None:
    code, out, err = call("series", "train", folder / "sales.csv", "--out", tmp_path / "a run", *TINY)
    assert (code, err) == (0, "")
    first, *_, intervals, last = out.splitlines()
    assert first.startswith("time column month, target sales, monthly (MS), 72 rows of 1 series, season 12")
    assert first.endswith("overrule with --time, --target, --freq, --horizon")
    assert "On left-out data" in out
    assert "the best naive forecast" in out
    assert intervals == "Its intervals have no width, as it forecast all of the values without any error."
    assert f"recurra series forecast '{tmp_path / 'a run'}' --out forecast.csv --plot forecast.html" in last


def test_objects(call: Call, folder: Path, tmp_path: Path) -> None:
    code, out, err = call("series", "train", folder / "sales.csv", "--out", tmp_path / "run", *TINY, "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    begin, *_, end, result = (each for each in objects if each["event"] != "step")
    assert begin["event"] == "begin"
    assert (begin["frequency"], begin["horizon"], begin["periods"][0], begin["target"]) == ("MS", 6, 12, ["sales"])
    assert (end["event"], end["finished"]) == ("end", True)
    assert result["event"] == "result"
    assert set(result) >= {"gain", "best_naive", "coverage80", "coverage90", "left_out"}


def test_gaps_are_noted(call: Call, folder: Path, tmp_path: Path) -> None:
    lines = (folder / "sales.csv").read_text().splitlines()
    (tmp_path / "gaps.csv").write_text("\n".join([*lines[:20], *lines[22:]]))
    command = ("series", "train", tmp_path / "gaps.csv", "--out", tmp_path / "run", *TINY)
    code, out, err = call(*command, "--on-gap", "error")
    assert (code, out) == (2, "")
    assert "--on-gap fill" in err
    assert not (tmp_path / "run").exists()
    code, _, err = call(*command)
    assert code == 0
    assert err.startswith("recurra: note: 2 missing rows")


def test_interrupted_and_resumed(call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(folder / "sales.csv", tmp_path / "sales.csv")
    run, right = tmp_path / "my run", console.Reporter.on_step

    def interrupt(self: console.Reporter, step: Step) -> None:
        right(self, step)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console.Reporter, "on_step", interrupt)
    code, _, err = call("series", "train", tmp_path / "sales.csv", "--out", run, "--horizon", 6, "--minutes", 0.005)
    assert code == 130
    assert f"recurra series train --resume '{run}'" in err
    monkeypatch.undo()
    for options, left_out in (
        (["--seed", 1], "--seed"),
        ([tmp_path / "sales.csv"], "the table"),
        (["--out", run], "--out"),
    ):
        code, out, err = call("series", "train", *options, "--resume", run)
        assert (code, out) == (2, "")
        assert f"leave out {left_out}" in err
    code, out, _ = call("series", "train", "--resume", run)
    assert code == 0
    assert "the best naive forecast" in out
    code, out, err = call("series", "train", "--resume", run)
    assert (code, out) == (0, "")
    assert "is finished" in err
    (tmp_path / "sales.csv").write_text("month,sales\n2020-01,1\n")
    code, _, err = call("series", "train", "--resume", run)
    assert code == 2
    assert "has changed since" in err


def test_the_autoregressive_model(call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, table = tmp_path / "run", folder / "sales.csv"
    code, out, err = call("series", "train", table, "--likelihood", "normal", "--out", run, *TINY)
    assert (code, out) == (2, "")
    assert err == "recurra: --likelihood is of --model autoregressive: leave it out, or choose that\n"
    command = ("series", "train", table, "--model", "autoregressive", "--horizon", 6)
    code, _, err = call(*command, "--likelihood", "poisson", "--out", run)
    assert code == 2
    assert "is no count" in err
    assert not run.exists()
    right = console.Reporter.on_step

    def interrupt(self: console.Reporter, step: Step) -> None:
        right(self, step)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console.Reporter, "on_step", interrupt)
    assert call(*command, "--likelihood", "normal", "--out", run, "--minutes", 0.005)[0] == 130
    monkeypatch.undo()
    code, out, err = call("series", "train", "--resume", run, "--model", "direct")
    assert (code, out) == (2, "")
    assert "leave out --model" in err
    code, out, _ = call("series", "train", "--resume", run)
    assert code == 0
    assert "On left-out data" in out
    assert "(6 values)" in out
    code, out, _ = call("series", "forecast", run, "--level", 80)
    assert code == 0
    first, *rows = out.splitlines()
    assert (first, len(rows)) == ("month,forecast,q10,q50,q90", 6)
    code, out, _ = call("series", "backtest", table, *command[3:], "--origins", 2, "--minutes", 0.002)
    assert code == 0
    assert "recurra" in out
    code, out, _ = call("export", run, "--out", tmp_path / "m.safetensors")
    assert code == 0
    assert call("series", "forecast", tmp_path / "m.safetensors", table)[0] == 0
