"""The journal gives back whole records alone, in their order, and a training goes on without one."""

from pathlib import Path

import pytest

from recurra.tasks.training.clock import RECORD, Clock, Journal


def written(path: Path, values: list[float]) -> None:
    path.write_bytes(b"".join(map(RECORD.pack, values)))


def known(path: Path, step: int) -> list[float]:
    journal = Journal(path, step, pytest.fail)
    found = []
    while (share := journal.known(step + len(found))) is not None:
        found.append(share)
    journal.close()
    return found


def test_records(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    journal = Journal(path, 0, pytest.fail)
    for step, share in enumerate([0.0, 0.25, 0.5]):
        journal.record(step, share)
    journal.close()
    assert [known(path, step) for step in range(5)] == [[0.0, 0.25, 0.5], [0.25, 0.5], [0.5], [], []]
    journal = Journal(path, 1, pytest.fail)
    journal.record(1, 0.3)  # records are overwritten in their places
    journal.close()
    assert known(path, 0) == [0.0, 0.3, 0.5]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_torn_record(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.bin"
    written(path, [0.1, 0.2])
    path.write_bytes(path.read_bytes() + RECORD.pack(0.3)[:cut])
    assert known(path, 0) == [0.1, 0.2]


@pytest.mark.parametrize("wrong", [0.1, -1.0, 1.5, float("nan"), float("inf")])
def test_impossible_records(tmp_path: Path, wrong: float) -> None:
    path = tmp_path / "journal.bin"
    written(path, [0.1, 0.2, wrong, 0.3])
    assert known(path, 0) == [0.1, 0.2]


def test_without_a_file(tmp_path: Path) -> None:
    lines: list[str] = []
    journal = Journal(tmp_path / "no" / "journal.bin", 0, lines.append)
    journal.record(0, 0.5)
    assert journal.known(0) is None
    assert len(lines) == 1
    assert "cannot be written: No such file or directory; after a kill" in lines[0]


def test_the_share_of_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = Clock(30.0, 120.0, None)
    assert (clock.seconds(), clock.share(5)) == (30.0, 0.25)
    now = 1200.0
    assert (clock.seconds(), clock.share(6)) == (230.0, 1.0)
    assert Clock(30.0, None, None).share(5) == 0
    written(tmp_path / "journal.bin", [0.0, 0.5])
    clock = Clock(0.0, 120.0, Journal(tmp_path / "journal.bin", 1, pytest.fail))
    assert (clock.share(1), clock.seconds(), clock.share(2)) == (0.5, 60.0, 0.5)
    clock.close(is_finished=False)
    assert known(tmp_path / "journal.bin", 0) == [0.0, 0.5, 0.5]
