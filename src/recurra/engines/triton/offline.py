"""Compiles kernels for GPUs that need not be there, and reads how many registers and how much memory they take."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from recurra.engines.triton.generated import load
from recurra.engines.triton.loops import Loop, SequenceLoop
from recurra.engines.triton.sequences import SequenceSource
from recurra.engines.triton.step_kernels import StepSource
from recurra.engines.triton.step_loop import StepLoop

SHARED_LIMITS = {80: 163 << 10, 90: 227 << 10, 100: 227 << 10}  # bytes of a block, by compute capability
_TYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


class Compiled(NamedTuple):
    """A kernel compiled for a kind of GPU.

    Attributes:
        name: of the kernel.
        registers: of each thread.
        stack: bytes of each thread's local memory; not 0 where registers were spilled.
        shared: bytes of shared memory of each program.
    """

    name: str
    registers: int
    stack: int
    shared: int


def compile_loop(
    loop: Loop, capability: int, dtype: str = "float32", reset: int = 0, is_packed: bool = False
) -> list[Compiled]:
    """Compile a loop's kernels.

    Args:
        loop: the loop.
        capability: of the GPU: 80, 90 or 100.
        dtype: of the call's tensors: float32, bfloat16 or float16.
        reset: 0 without resets, 1 for those of a forward pass, 2 for those of a backward pass.
        is_packed: for packed batches, not dense ones.
    """
    if isinstance(loop, SequenceLoop):
        return [_compiled(loop.source, loop.options(reset, is_packed), capability, dtype)]
    assert isinstance(loop, StepLoop)
    kind = getattr(torch, dtype)
    return [_compiled(each, loop.options(each, kind, reset, is_packed, 1), capability, dtype) for each in loop.sources]


def _compiled(source: SequenceSource | StepSource, options: Mapping[str, Any], capability: int, dtype: str) -> Compiled:
    """Compile one kernel."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel = load(source.name, source.text)
    types = [each.replace("T", _TYPES[dtype]) for each in source.types]
    told = dict(zip(kernel.arg_names, types, strict=False))
    constant = {argument: options[argument] for argument in kernel.arg_names if argument in options}
    aligned = {(number,): [["tt.divisibility", 16]] for number, each in enumerate(types) if each.startswith("*")}
    asked = ASTSource(kernel, {**told, **dict.fromkeys(constant, "constexpr")}, constant, aligned)
    further = {name: value for name, value in options.items() if name not in constant}
    made = triton.compile(asked, target=GPUTarget("cuda", capability, 32), options=further)
    registers, stack = _usage(made.asm["cubin"])
    return Compiled(source.name, registers, stack, int(made.metadata.shared))


def _usage(binary: bytes) -> tuple[int, int]:
    """Registers and bytes of stack of a compiled kernel, by the tool in Triton's wheel."""
    import triton

    tool = triton.knobs.nvidia.cuobjdump.path
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        file.write_bytes(binary)
        told = subprocess.run([tool, "-res-usage", str(file)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", told)
    if found is None:
        raise ValueError(f"cuobjdump says nothing of registers: {told[:200]}")
    return int(found[1]), int(found[2])
