"""The program itself: quick help, missing extras, closed pipes, and the list of commands."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recurra import __version__
from recurra.cli import main

Call = Any

PROGRAM = "import sys; from recurra.cli import main; sys.exit(main())"


def run_in_new_process(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_does_not_load_torch() -> None:
    program = "import sys; from recurra.cli import main; main(['--help']); main(['text', 'train', '--help'])\n"
    program += "main(['series', 'train', '--help'])\n"
    done = run_in_new_process(program + "sys.exit('torch' in sys.modules)")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in ("demo", "doctor", "text", "--cell", "peephole_lstm", "--on-gap"))


@pytest.mark.parametrize("missing", ["torch", "typer", "rich"])
def test_missing_extras_are_named(missing: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    program = f"import sys; sys.modules[{missing!r}] = None; " + PROGRAM
    done = run_in_new_process(program, "text", "train", tmp_path / "text", "--out", tmp_path / "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert 'pip install "recurra[cli,torch]"' in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way there")
def test_a_reader_that_leaves(runs: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "text", "sample", str(runs / "char"), "--length", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(5)) == 5
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) != 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", [["--version"], ["doctor"], ["text", "sample", "RUN", "--length", "100000"]])
def test_output_that_does_not_arrive(runs: Path, arguments: list[str]) -> None:
    given = [str(runs / "char") if each == "RUN" else each for each in arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", PROGRAM, *given], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "recurra: the output cannot be written: No space left on device\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="handles are closed in another way there")
@pytest.mark.parametrize(("closed", "left"), [(">&-", "stderr"), ("2>&-", "stdout")])
def test_closed_output(runs: Path, closed: str, left: str) -> None:
    command = [sys.executable, "-c", PROGRAM, "text", "sample", str(runs / "char"), "--length", "5"]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True)
    assert done.returncode == 0
    assert bool(done.stdout) == (left == "stdout")
    assert done.stderr == ""


def test_version(call: Call) -> None:
    assert call("--version") == (0, __version__ + "\n", "")


def test_no_arguments_show_the_help(call: Call) -> None:
    _, out, err = call()
    assert "Usage" in out
    assert err == ""


def test_an_unknown_command(call: Call) -> None:
    code, out, err = call("trane")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "trane" in err


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    from recurra.tasks.text import loading

    def defect(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loading, "load_model", defect)
    with pytest.raises(ZeroDivisionError):
        main(["text", "sample", str(runs / "char")])


def test_doctor_is_a_command(call: Call) -> None:
    code, out, _ = call("doctor")
    assert code == 0
    assert "Python" in out


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_does_not_suffice(
    call: Call, monkeypatch: pytest.MonkeyPatch, runs: Path, error: Exception
) -> None:
    from recurra.tasks.text import loading

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(loading, "load_model", fail)
    code, _, err = call("text", "sample", runs / "char")
    assert code == 2
    assert err.count("\n") == 1
    assert "memory" in err


def test_a_page_that_could_not_be_written_is_not_measured(call: Call, tmp_path: Path) -> None:
    status, output, error = call("bench", "--output", str(tmp_path))
    assert (status, output) == (2, "")
    assert "is not a plain file; say another --output" in error
