"""A short form of the engine's tests, on each instruction set that this machine runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recurra import _native

ROOT = Path(__file__).parents[3]
WIDTHS = {
    "amx_bf16": 16, "avx512_bf16": 16, "avx512_vnni": 16, "avx512": 16, "avx_vnni": 8, "avx2": 8,
    "neon_bf16": 4, "neon_dot": 4, "neon": 4, "portable": 4,
}  # fmt: skip
ACTIVE = _native.active_isa()
CHOSEN = {
    "tests/engines/native/test_results.py": "test_cells or test_projections or test_no_time or (test_random and 5-)",
    "tests/engines/native/test_gradients.py": "test_cells or without_steps or (test_random_programs and (3 or 7))",
    "tests/engines/native/test_numbers.py": (
        "(test_threads and (lstm or gru or solver)) or packed_is_padded or streaming or accurate or prepared"
        " or denormal or alone or (nan_and and -inf) or (errors and 30)"
    ),
    "tests/engines/native/test_quantized_weights.py": "test_",
}
SUPPORTED = _native.supported_isas()
NARROW = tuple(f"tests/engines/native/test_{name}.py" for name in ("rounding", "integers", "ranged"))
OF_LAYERS = ("tests/nn/running/test_precision.py", "tests/nn/test_compute.py")


def suites(isa):
    """The files to run under an instruction set other than the active one.

    Sets of the same width differ in products of bfloat16 and of bytes alone; the emulation of tiles is there for them.
    """
    is_of_other_width = WIDTHS.get(isa, WIDTHS[ACTIVE]) != WIDTHS[ACTIVE]
    return [*(CHOSEN if is_of_other_width else ()), *NARROW, *(OF_LAYERS if isa == "amx_emulated" else ())]


@pytest.mark.parametrize("isa", [isa for isa in SUPPORTED if isa != ACTIVE])
def test_under_another_instruction_set(isa):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["RECURRA_ISA"] = isa
    check = f"from recurra import _native; assert _native.active_isa() == {isa!r}"
    subprocess.run([sys.executable, "-c", check], env=environment, cwd=ROOT, check=True)
    paths = suites(isa)
    chosen = " or ".join(f"({Path(path).name} and ({CHOSEN.get(path, 'test_')}))" for path in paths)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths, "-k", chosen]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
