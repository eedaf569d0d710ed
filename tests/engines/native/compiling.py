"""The compiler, and the instruction sets of the native module with their flags, for tests that compile parts of it."""

import re
import subprocess
from pathlib import Path

from recurra import _native

ROOT = Path(__file__).parents[3]
NATIVE = ROOT / "native"
# target name -> its compiler flags, which CMakeLists.txt gives on the processors of the target
FLAGS = {
    isa: flags.split()
    for isa, flags in re.findall(r"recurra_target\((\w+) (-[^)]*)\)", (ROOT / "CMakeLists.txt").read_text())
}
ARCHITECTURE = _native.cpu()["architecture"]
ON_X86 = ARCHITECTURE == "x86_64"
BY_ARCHITECTURE = {
    "x86_64": ["amx_bf16", "avx512_bf16", "avx512_vnni", "avx512", "avx2", "portable"],
    "aarch64": ["neon"],
}
BUILT = BY_ARCHITECTURE.get(ARCHITECTURE, ["portable"])
FOR_TESTS = "amx_emulated"  # of x86-64, and no part of wheels
DISPATCH = ("dispatch", "probe", "tile_permission")  # the sources that choose a target
COMPILER = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-ffp-contract=fast"]


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the compiler."""
    return subprocess.run([*COMPILER, *map(str, arguments)], capture_output=True, text=True, check=False)


def compile_target(isa: str, output: Path, *flags: str) -> Path:
    """Compile a target with its own flags and these; the object is ``output``."""
    own = FLAGS[isa] if ON_X86 or isa != "portable" else []
    done = build(*own, *flags, "-c", NATIVE / "targets" / f"{isa}.cpp", "-o", output)
    assert done.returncode == 0, done.stderr
    return output
