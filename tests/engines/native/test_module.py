"""The native module: its instruction sets, whether a forced one really runs, and the symbols that targets export."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from recurra import _native
from tests.engines.native.compiling import (
    BUILT,
    DISPATCH,
    FLAGS,
    FOR_TESTS,
    NATIVE,
    ON_X86,
    ROOT,
    build,
    compile_sources,
    compile_target,
    compiled,
)  # fmt: skip

LANES = {
    "amx_bf16": 16, "amx_emulated": 16, "avx512_bf16": 16, "avx512_vnni": 16, "avx512": 16, "avx_vnni": 8, "avx2": 8,
    "neon_bf16": 4, "neon_dot": 4, "neon": 4, "portable": 4,
}  # fmt: skip
PYTHON = "nanobind"  # occurs in headers that need Python's headers


def in_a_fresh_process(expression: str, **environment: str) -> str:
    """The repr of an expression, or the type and text of its exception, with these environment variables."""
    program = f"""
import numpy as np
from recurra import _native
try:
    print(repr({expression}))
except Exception as error:
    print(type(error).__name__, error)
"""
    inherited = {name: value for name, value in os.environ.items() if name != "RECURRA_ISA"}
    return subprocess.run(
        [sys.executable, "-c", program], env={**inherited, **environment}, capture_output=True, text=True, check=True
    ).stdout.strip()


def dot_in_lanes(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], lanes: int) -> float:
    """The dot product with the rounding of vectors with this number of lanes."""
    products = np.zeros(-(-len(a) // lanes) * lanes, np.float32)
    products[: len(a)] = a * b
    sums = np.zeros(lanes, np.float32)
    for row in products.reshape(-1, lanes):
        sums += row
    total = np.float32(0)
    for lane in sums:
        total += lane
    return float(total)


def test_built_for_every_target_in_the_tree() -> None:
    every = {path.stem for path in (NATIVE / "targets").glob("*.cpp")}
    assert set(FLAGS) == every == set(LANES)
    assert [isa for isa in _native.built_isas() if isa != FOR_TESTS] == BUILT


def test_supported_are_those_whose_features_the_cpu_has() -> None:
    supported = _native.supported_isas()
    assert supported == [isa for isa in _native.built_isas() if isa in supported], "in order of preference"
    assert supported[-1] == BUILT[-1], "which every CPU runs"
    features = set(_native.cpu()["features"])
    assert ("avx2" in supported) == ({"avx2", "fma"} <= features)
    assert ("avx_vnni" in supported) == ({"avx2", "fma", "avxvnni"} <= features)
    wide = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"}
    assert ("avx512" in supported) == (wide <= features)
    assert ("avx512_vnni" in supported) == (wide | {"avx512vnni"} <= features)
    assert ("avx512_bf16" in supported) == (wide | {"avx512bf16", "avx512vnni"} <= features)
    assert ("amx_bf16" in supported) == (
        wide | {"avx512bf16", "avx512vnni", "amx-tile", "amx-bf16", "amx-int8"} <= features
    )
    assert ("neon_dot" in supported) == ("dotprod" in features)
    assert ("neon_bf16" in supported) == ({"dotprod", "bf16", "i8mm"} <= features)


def test_the_fastest_supported_is_the_default() -> None:
    best = _native.supported_isas()[0]
    assert in_a_fresh_process("_native.active_isa()") == repr(best)
    assert in_a_fresh_process("_native.active_isa()", RECURRA_ISA="") == repr(best)


@pytest.mark.parametrize("isa", _native.supported_isas())
def test_a_forced_instruction_set_is_the_one_that_runs(isa: str) -> None:
    # Adding 1 to 2**24 does not change it, so the result counts the products that share its lane.
    a = np.ones(1003, np.float32)
    a[0] = 2**24
    expected = {lanes: dot_in_lanes(a, np.ones_like(a), lanes) for lanes in LANES.values()}
    assert len(set(expected.values())) == len(set(LANES.values())), (
        "the probe tells the targets apart that differ in width"
    )

    array = "np.array([2**24] + [1] * 1002, np.float32)"
    got = in_a_fresh_process(
        f"(_native.active_isa(), _native.lanes(), _native.dot({array}, np.ones(1003, np.float32)))", RECURRA_ISA=isa
    )
    assert got == repr((isa, LANES[isa], expected[LANES[isa]]))


def test_an_unknown_instruction_set_is_an_error_when_it_is_used() -> None:
    expected = (
        "ValueError RECURRA_ISA='mmx': this build has no such instruction set; unset it, or set it to one of: "
        + ", ".join(_native.supported_isas())
    )
    assert in_a_fresh_process("_native.active_isa()", RECURRA_ISA="mmx") == expected
    assert in_a_fresh_process("_native.dot(np.ones(3, 'f'), np.ones(3, 'f'))", RECURRA_ISA="mmx") == expected
    assert in_a_fresh_process("_native.built_isas()", RECURRA_ISA="mmx") == repr(_native.built_isas())


@pytest.mark.parametrize("n", [0, 1, 3, 4, 7, 8, 15, 16, 17, 63, 100, 1000])
def test_dot(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, n), np.float32)
    exact = float(a.astype(np.float64) @ b.astype(np.float64))
    # each of the n partial sums that are rounded is at most the sum of the magnitudes
    bound = n * np.finfo(np.float32).eps * float(np.abs(a * b).sum())
    assert abs(_native.dot(a, b) - exact) <= bound


def test_dot_of_non_finite_numbers() -> None:
    a = np.ones(21, np.float32)
    b = a.copy()
    b[20] = np.inf
    assert _native.dot(a, b) == np.inf
    b[3] = np.nan
    assert np.isnan(_native.dot(a, b))


def test_dot_takes_read_only_arrays() -> None:
    a = np.arange(5, dtype=np.float32)
    a.flags.writeable = False
    assert _native.dot(a, a) == 30


ONES = np.ones(6, np.float32)


@pytest.mark.parametrize(
    ("b", "error", "message"),
    [
        (ONES[:3], ValueError, "dot: a and b must have the same length; got 6 and 3"),
        (ONES.reshape(2, 3), ValueError, "dot: b must have 1 dimension; got 2"),
        (np.ones(12, np.float32)[::2], ValueError, "dot: b must be contiguous .* got a stride of 2 elements"),
        (ONES[::-1], ValueError, "dot: b must be contiguous .* got a stride of -1 elements"),
        (np.zeros(25, np.uint8)[1:].view(np.float32), ValueError, "dot: b must be aligned to 4 bytes"),
        (ONES.astype(np.float64), TypeError, "dot: b must be float32"),
        (ONES.astype(np.float16), TypeError, "dot: b must be float32"),
        (ONES.astype(">f4"), TypeError, "ndarray"),
        ([1.0] * 6, TypeError, "list"),
    ],
)
def test_dot_refuses(b: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _native.dot(ONES, b)


def test_hardware_threads_are_those_that_this_process_may_use() -> None:
    if hasattr(os, "sched_getaffinity"):
        assert _native.hardware_threads() == len(os.sched_getaffinity(0))
    else:
        assert _native.hardware_threads() >= 1


def test_the_compiler_has_a_name_and_a_version() -> None:
    assert re.match(r"(GCC|Clang) \d+\.", _native.compiler())


def test_the_stub_names_what_the_module_has() -> None:
    stub = ast.parse((ROOT / "src/recurra/_native.pyi").read_text())
    declared = {node.name for node in stub.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    declared = {name for name in declared if not name.startswith("_")}
    assert declared == {name for name in dir(_native) if not name.startswith("_")}


def test_the_stub_s_enumerations_are_the_module_s() -> None:
    """The stub's promises, and the numbers that the engine writes into code, are those that native code reads."""
    stub = ast.parse((ROOT / "src/recurra/_native.pyi").read_text())
    declared = {
        node.name: [target.id for item in node.body if isinstance(item, ast.Assign) for target in item.targets]
        for node in stub.body
        if isinstance(node, ast.ClassDef) and any("enum" in ast.unparse(base) for base in node.bases)
    }
    assert set(declared) == {"Instruction", "Space", "Way"}
    for name, members in declared.items():
        found = getattr(_native, name)
        assert members == [member.name for member in found]
        if name != "Way":
            assert [int(member) for member in found] == list(range(len(found)))


@pytest.mark.parametrize("header", sorted(path.name for path in NATIVE.glob("*.h") if PYTHON not in path.read_text()))
def test_a_header_compiles_alone(header: str) -> None:
    compiled("-fsyntax-only", "-include", NATIVE / header, "-x", "c++", os.devnull)


@pytest.mark.slow
@pytest.mark.parametrize(("isa", "optimisation"), [*((isa, "-O0") for isa in _native.built_isas()), (BUILT[0], "-O3")])
def test_a_target_exports_its_table_and_nothing_else(isa: str, optimisation: str) -> None:
    """Without optimisation no function is inlined; the target with most code is compiled as built, for warnings."""
    target = compile_target(isa, optimisation)
    listing = subprocess.run(
        ["nm", "-C", "--defined-only", "--extern-only", str(target)], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in listing.stdout.splitlines()] == [f"recurra::kernels_{isa}"]


@pytest.mark.parametrize("isa", _native.built_isas())
def test_a_target_refuses_another_ones_flags(isa: str) -> None:
    wider = {
        "portable": ["-mavx2"] if ON_X86 else ["-D__AVX__"],
        "neon": ["-march=armv8.2-a+dotprod"],
        "neon_dot": ["-march=armv8.2-a+dotprod+i8mm"],
        "neon_bf16": ["-march=armv8.2-a+dotprod+bf16+i8mm+sve"],
    }
    done = build("-fsyntax-only", "-Wfatal-errors", *wider.get(isa, []), NATIVE / "targets" / f"{isa}.cpp")
    assert done.returncode != 0
    assert f"{isa}.cpp must be compiled with" in done.stderr


MAIN = """
#include <cstdio>
#include <stdexcept>
#include <vector>
#include "dispatch.h"
#include "probe.h"

// Reports what is supported, the sum of 0 … n-1 by each target for every n up to 70 from exactly sized and unaligned
// buffers, whether small products in such buffers are right, and what the choice comes to.
int main() {
  for (const recurra::Kernels* kernels : recurra::supported_kernels()) {
    std::printf("%s ", kernels->name);
    for (std::size_t n = 0; n <= 70; ++n) {
      std::vector<float> a(n + 1), b(n + 1, 1.0f);
      for (std::size_t i = 0; i < n; ++i) a[i + 1] = static_cast<float>(i);
      if (kernels->dot(a.data() + 1, b.data() + 1, n) != static_cast<float>(n * (n - (n > 0)) / 2)) return 1;
    }
    if (!recurra::fault_of(*kernels).empty()) return 2;
  }
  try {
    std::printf("-> %s", recurra::active_kernels().name);
  } catch (const std::invalid_argument& error) {
    std::printf("-> %s", error.what());
  }
}
"""


def run_main(folder: Path, isa: str, targets: dict[str, Path], *flags: str) -> str:
    """The output of the program above with these targets and this instruction set asked for."""
    (folder / "main.cpp").write_text(MAIN)
    has = [f"-DRECURRA_HAS_{target.upper()}" for target in targets]
    objects = [*compile_sources(DISPATCH, *has, *flags), *targets.values()]
    done = build(*has, *flags, f"-I{NATIVE}", folder / "main.cpp", *objects, "-o", folder / "main")
    assert done.returncode == 0, done.stderr
    run = subprocess.run([folder / "main"], env={"RECURRA_ISA": isa}, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """Those that this machine runs; emulated tiles have tests of their own."""
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover")
    targets = {isa: compile_target(isa, *flags) for isa in _native.supported_isas() if isa != FOR_TESTS}
    output = run_main(tmp_path, BUILT[-1], targets, *flags)
    assert output == " ".join(targets) + f" -> {BUILT[-1]}"


@pytest.mark.slow
def test_on_a_cpu_without_any_feature(tmp_path: Path) -> None:
    targets = {isa: compile_target(isa, "-O0") for isa in (BUILT[0], BUILT[-1])}
    output = run_main(tmp_path, BUILT[0], targets, "-D__builtin_cpu_supports(name)=0")
    if ON_X86:
        assert output == (
            "portable -> RECURRA_ISA='amx_bf16': this machine lacks avx512f, avx512dq, avx512bw, avx512vl, "
            "avx512bf16, avx512vnni, fma, amx-tile, amx-bf16, amx-int8; "
            "unset it, or set it to one of: portable"
        )
    else:  # where features are asked for otherwise
        supported = [isa for isa in targets if isa in _native.supported_isas()]
        assert output.startswith(" ".join(supported) + " -> ")
