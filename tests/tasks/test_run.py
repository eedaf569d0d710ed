"""The run folder is made once and never overwritten, and every damage is reported in one line."""

import os
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from recurra import __version__
from recurra.errors import RunError
from recurra.tasks.run import RunFolder, create_run, open_run, refuse_existing, refuse_newer


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = create_run(tmp_path / "deep" / "run", {"task": "text", "name": "é"})
    made.save_model(nn.Linear(3, 2))
    return made


def test_there_and_back(run: RunFolder) -> None:
    module = nn.Linear(3, 2)
    run.save_model(module)
    run.write_metrics(b'{"step": 1}\n')
    run.write_metrics(b'{"step": 1}\n{"step": 2}\n')
    opened = open_run(run.folder, "text")
    assert opened.config == {"format": 1, "version": __version__, "task": "text", "name": "é"}
    found = opened.read_model()
    assert found.root.kind == "Linear"
    assert np.array_equal(found.weights["weight"].values(), module.weight.detach().numpy())
    assert (run.folder / "metrics.jsonl").read_bytes() == b'{"step": 1}\n{"step": 2}\n'
    assert opened.fingerprint == run.fingerprint != RunFolder(run.folder, {**run.config, "name": "e"}).fingerprint
    assert sorted(path.name for path in run.folder.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors"]


def test_a_name_that_is_taken(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (run.folder, tmp_path / "file", tmp_path / "empty", tmp_path / "link"):
        with pytest.raises(RunError, match="exists already"):
            refuse_existing(taken)
        with pytest.raises(RunError, match="exists already"):
            create_run(taken, {})
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(RunError, match="Not a directory"):
        create_run(tmp_path / "file" / "run", {})


def test_not_a_run(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        open_run(tmp_path / "missing", "text")
    with pytest.raises(RunError, match=r"not a run folder: it has no config\.json"):
        open_run(tmp_path, "text")
    with pytest.raises(RunError, match="not a run folder"):
        open_run(run.folder / "config.json", "text")
    with pytest.raises(RunError, match="a run of the task 'text', not of 'series'"):
        open_run(run.folder, "series")


@pytest.mark.parametrize("content", [b"", b'{"format": 1', b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_configuration(run: RunFolder, content: bytes) -> None:
    (run.folder / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.json is (damaged|not the configuration)"):
        open_run(run.folder, "text")


def test_a_damaged_model(run: RunFolder) -> None:
    path = run.folder / "model.safetensors"
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[:-4], b"\xff" * 64, b"\0" * 64):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"model\.safetensors is damaged: (?!/)"):
            run.read_model()
    path.unlink()
    with pytest.raises(RunError, match="is missing"):
        run.read_model()
    path.mkdir()
    with pytest.raises(RunError, match="cannot be read: Is a directory"):
        run.read_model()


def test_a_full_disk(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be written: No space left on device"):
        run.write_metrics(b"{}")


def test_a_newer_run(run: RunFolder) -> None:
    path = run.folder / "config.json"
    path.write_text('{"format": 2}')
    with pytest.raises(RunError, match=r"is of format 2, of a newer recurra; read is format 1"):
        open_run(run.folder, "text")
    for version in ("99.0.0", "0.1000.0"):
        with pytest.raises(RunError, match=f"is a run of recurra {version}, which is newer than this one"):
            refuse_newer(RunFolder(run.folder, {"version": version}))
    for damaged in (None, 1, "", "new"):
        with pytest.raises(RunError, match="it has no version"):
            refuse_newer(RunFolder(run.folder, {"version": damaged}))
    refuse_newer(run)
    refuse_newer(RunFolder(run.folder, {"version": "0.0.9"}))


def test_what_a_kill_leaves_is_removed(run: RunFolder) -> None:
    left, others = f".{24 * 'a'}.tmp", [".a.tmp", "tmp", f"x.{24 * 'a'}.tmp"]
    for name in (left, *others):
        (run.folder / name).write_bytes(b"")
    run.remove_temporary()
    assert {path.name for path in run.folder.iterdir()} == {"config.json", "model.safetensors", *others}


def test_no_metrics(run: RunFolder) -> None:
    run.write_metrics(b"{}\n")
    run.write_metrics(b"")
    run.write_metrics(b"")
    assert not (run.folder / "metrics.jsonl").exists()
