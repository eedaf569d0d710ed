"""The compiler, and the instruction sets of the native module with their flags, for tests that compile parts of it.

Objects are kept in ``build/``, so that nothing is compiled twice before a source changes.
"""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Iterable
from functools import cache
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
    "x86_64": ["amx_bf16", "avx512_bf16", "avx512_vnni", "avx512", "avx_vnni", "avx2", "portable"],
    "aarch64": ["neon_bf16", "neon_dot", "neon"],
}
BUILT = BY_ARCHITECTURE.get(ARCHITECTURE, ["portable"])
FOR_TESTS = "amx_emulated"  # of x86-64, and no part of wheels
DISPATCH = ("dispatch", "probe", "tile_permission", "arm_features")  # the sources that choose a target
COMPILER = ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-ffp-contract=fast"]


KEPT = ROOT / "build" / "objects-of-tests"
WEEK = 7 * 24 * 3600


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the compiler."""
    return subprocess.run([*COMPILER, *map(str, arguments)], capture_output=True, text=True, check=False)


@cache
def sources() -> bytes:
    """A digest of the compiler, its flags and all that it may read."""
    version = subprocess.run([COMPILER[0], "--version"], capture_output=True, text=True, check=True).stdout
    made = hashlib.sha256(repr((version, COMPILER)).encode())
    for path in sorted(NATIVE.rglob("*.*")):
        made.update(path.read_bytes())
    return made.digest()


def compiled(*arguments: str | Path) -> Path:
    """The result of a compilation without warnings, which another test or an earlier run may have kept.

    Args:
        arguments: the compiler's, without ``-o``; they name no files but those of ``native/``.
    """
    key = hashlib.sha256(sources() + repr(arguments).encode()).hexdigest()[:20]
    path = KEPT / f"{key}.o"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        for old in KEPT.iterdir():
            if old.stat().st_mtime < time.time() - WEEK:
                old.unlink(missing_ok=True)
        own = KEPT / f"{key}-{os.getpid()}"  # of this process, as others may compile the same
        done = build(*arguments, "-o", own)
        assert done.returncode == 0, done.stderr
        own.touch()  # a check of the syntax alone makes no file
        own.replace(path)
    path.touch()
    return path


def compile_target(isa: str, *flags: str) -> Path:
    """The object of a target, compiled with its own flags and these."""
    own = FLAGS[isa] if ON_X86 or isa != "portable" else []
    return compiled(*own, *flags, "-c", NATIVE / "targets" / f"{isa}.cpp")


def compile_sources(names: Iterable[str], *flags: str) -> list[Path]:
    """The objects of sources of ``native/``."""
    return [compiled(*flags, f"-I{NATIVE}", "-c", NATIVE / f"{name}.cpp") for name in names]
