"""Fixtures: a text on disk, trained runs for all tests, and functions that call the command line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recurra.cli import main
from recurra.tasks.text.demo import threads

TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 40
TINY = ("--hidden", "12", "--seq-len", "16", "--batch-size", "4", "--epochs", "2", "--lr", "0.02", "--eval-every", "10")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: models as small as these lose time by a second one, above all if tests run in parallel."""
    with threads(1):
        yield


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command; return its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def train(call: Call) -> Call:
    """Run ``text train`` with a tiny model."""
    return lambda *arguments: call("text", "train", *TINY, *arguments)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two trained runs, ``char`` and ``word``; tests read them, or copy them first."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(TEXT)
    with threads(1):
        for level in ("char", "word"):
            arguments = ["text", "train", str(folder / "text.txt"), "--out", str(folder / level), "--level", level]
            assert main([*arguments, *TINY]) == 0
    return folder


@pytest.fixture
def files(tmp_path: Path, text_file: Path) -> Path:
    """A folder with a text, and files that are none."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0\1")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "short").write_text("abc")
    (tmp_path / "shorter").write_text("a")
    (tmp_path / "folder").mkdir()
    return tmp_path
