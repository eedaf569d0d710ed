"""The doctor reports this machine correctly, and works where something is missing or wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recurra import _native
from recurra.engines import reasons

# Code for a fresh interpreter in which the named modules cannot be imported.
PROGRAM = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from recurra.cli.doctor import doctor
doctor()
"""


HEAVY = ("torch", "onnx", "onnxruntime")  # each takes a second to import, and some tests do without


def diagnose(*missing: str, **environment: str) -> tuple[int, dict[str, str]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECURRA_")}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *missing],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in run.stderr
    rows = [line.split("  ", 1) for line in run.stdout.splitlines()]
    assert all(len(row) == 2 for row in rows), "without a terminal, every line is a label, spaces and a value"
    return run.returncode, {label: value.strip() for label, value in rows}


@pytest.mark.slow
def test_a_healthy_machine() -> None:
    status, rows = diagnose(OMP_NUM_THREADS="3")
    assert status == 0
    assert rows["Python"].startswith(sys.version.split()[0])
    assert rows["numpy"] == np.__version__
    assert rows["native module"].startswith(f"built for {', '.join(_native.built_isas())}")
    assert rows["this machine"] == f"supports {', '.join(_native.supported_isas())}"
    assert rows["will use"] == _native.supported_isas()[0]
    assert rows["products"].startswith(f"of {', '.join(_native.fast_products())}")
    assert "fault" not in rows
    assert rows["hardware threads"] == str(_native.hardware_threads())
    assert rows["OMP_NUM_THREADS"] == "3"
    for name, reason in reasons().items():
        assert rows[f"{name} engine"] == ("available" if reason is None else f"not available: {reason}")
    assert "triton engine" in rows
    assert "problem" not in rows


def test_without_torch_and_onnx() -> None:
    status, rows = diagnose(*HEAVY)
    assert status == 0
    assert rows["torch"] == "not installed: pip install 'recurra[torch]'"
    assert rows["onnx"] == rows["onnxruntime"] == "not installed: pip install 'recurra[onnx]'"
    assert rows["reference engine"] == "available"
    assert rows["triton engine"].startswith("not available: ")


def test_without_the_native_module() -> None:
    status, rows = diagnose("recurra._native", *HEAVY, RECURRA_ISA="portable")
    assert status == 0
    assert rows["native module"].startswith("not built: `make build`")
    assert rows["RECURRA_ISA"] == "portable: has no effect without the native module"
    assert rows["reference engine"] == "available"
    assert rows["native engine"].startswith("not available: ")


def test_a_broken_installation(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise OSError('libprotobuf.so is gone')")
    status, rows = diagnose("torch", "onnxruntime", PYTHONPATH=str(tmp_path))
    assert status == 0
    assert rows["onnx"] == "installed, but it cannot be imported: OSError: libprotobuf.so is gone"


def test_a_forced_instruction_set() -> None:
    last = _native.supported_isas()[-1]
    status, rows = diagnose(*HEAVY, RECURRA_ISA=last)
    assert status == 0
    assert rows["RECURRA_ISA"] == rows["will use"] == last


def test_a_wrong_instruction_set_is_a_problem() -> None:
    status, rows = diagnose(*HEAVY, RECURRA_ISA="mmx")
    assert status == 1
    assert rows["will use"] == "nothing: see the problem below"
    assert rows["problem"].startswith("RECURRA_ISA='mmx': ")
    assert ", ".join(_native.supported_isas()) in rows["problem"]
    assert rows["reference engine"] == "available"
    assert rows["native engine"].startswith("not available: ")


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from recurra.cli.doctor import _show

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _show([("torch", "not installed: pip install 'recurra[torch]'")])
    assert "recurra[torch]" in capsys.readouterr().out, "square brackets are not markup"


def test_a_wrong_engine_is_a_problem() -> None:
    status, rows = diagnose(*HEAVY, RECURRA_ENGINE="quick")
    assert status == 1
    assert rows["RECURRA_ENGINE"] == "quick"
    assert "quick" in rows["problem"]
