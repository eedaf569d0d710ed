"""A short form of the engine's tests, on each instruction set that this machine runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recurra import _native

ROOT = Path(__file__).parents[3]
WIDTHS = {"amx_bf16": 16, "avx512_bf16": 16, "avx512_vnni": 16, "avx512": 16, "avx2": 8, "neon": 4, "portable": 4}
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
# Sets of the same width differ in products of bfloat16 and of bytes alone; the emulation of tiles is there for them.
SUPPORTED = _native.supported_isas()
OTHERS = [(path, isa) for path in CHOSEN for isa in SUPPORTED if WIDTHS.get(isa, WIDTHS[ACTIVE]) != WIDTHS[ACTIVE]]
NARROW = [f"tests/engines/native/{name}.py" for name in ("test_rounding", "test_integers")]
ROUNDING = [(path, isa) for path in NARROW for isa in SUPPORTED if isa != ACTIVE]
OF_LAYERS = ("tests/nn/running/test_precision.py", "tests/nn/test_compute.py")
LAYERS = [(path, isa) for path in OF_LAYERS for isa in SUPPORTED if isa == "amx_emulated"]


@pytest.mark.parametrize(("path", "isa"), [*OTHERS, *ROUNDING, *LAYERS])
def test_under_another_instruction_set(path, isa):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    check = f"from recurra import _native; assert _native.active_isa() == {isa!r}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        str(ROOT / path),
        "-k",
        CHOSEN.get(path, "test_"),
    ]
    environment["RECURRA_ISA"] = isa
    subprocess.run([sys.executable, "-c", check], env=environment, cwd=ROOT, check=True)
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
