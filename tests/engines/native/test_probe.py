"""Kernels that compute something else than their contract: they are not chosen, and somebody says so."""

import subprocess
import sys

import pytest

from recurra import _native
from tests.engines.native.compiling import BUILT, DISPATCH, build, compile_sources, compile_target

OTHERWISE = "otherwise than it should on this machine"
NEXT = f"{OTHERWISE}; the next instruction set is tried"


@pytest.mark.slow
def test_one_wrong_bit_makes_the_next_instruction_set_the_choice(tmp_path):
    isa = BUILT[-1]
    has = f"-DRECURRA_HAS_{isa.upper()}"
    objects = [*compile_sources(["tests/probe_test", *DISPATCH], has), compile_target(isa, "-O0")]
    done = build(*objects, "-o", tmp_path / "main")
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    both = "products of bfloat16, sums of outer products of bfloat16"
    assert said == [
        isa,
        isa,
        f"- wide computes products of float32 {NEXT}",
        f"- narrow computes products of bfloat16 {NEXT}",
        f"- whole computes products of int8 {NEXT}",
        f"- sums computes sums of outer products of bfloat16 {NEXT}",
        f"- order computes {both} {NEXT}",
        "narrow",
        f"- narrow computes products of bfloat16 {OTHERWISE}",
    ]


def test_this_machine_s_kernels_keep_their_contract():
    assert _native.faults() == []


def test_a_fault_is_a_warning_at_the_first_use():
    code = """
import warnings
from recurra import _native
_native.faults = lambda: ["x computes products of bfloat16 otherwise than it should"]
from recurra.engines import reasons
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    assert reasons()["native"] is None
    assert reasons()["native"] is None
print([(str(each.message), each.category.__name__) for each in told])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = ("x computes products of bfloat16 otherwise than it should (recurra doctor)", "RuntimeWarning")
    assert done.stdout.strip() == repr([expected])
