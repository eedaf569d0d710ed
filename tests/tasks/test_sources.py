"""The files of a run are known by their bytes, large ones by pieces of them."""

from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks import sources
from recurra.tasks.sources import plain_source, read_source


def test_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("y\n1\n")
    source = plain_source(tmp_path / "a.csv")
    assert source.size == 4
    assert read_source(source.content()) == source


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("none", "no\0ne"):
        with pytest.raises(RunError, match="cannot be read"):
            plain_source(tmp_path / name)


def test_a_large_file_is_known_by_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_LARGEST_READ", 100), ("_PIECE", 10), ("_PIECES", 5)):
        monkeypatch.setattr(sources, name, value)
    path = tmp_path / "file"
    content = bytes(range(250)) * 2
    path.write_bytes(content)
    before = plain_source(path)
    noticed = set()
    for place in range(0, 500, 5):
        path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        if plain_source(path) != before:
            noticed.add(place)
    assert noticed == {
        place for first in (0, 122, 245, 367, 490) for place in range(first, first + 10) if place % 5 == 0
    }
