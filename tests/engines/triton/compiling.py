"""Compiles the kernels of the zoo for GPUs that need not be there: ``make gpu-compile``.

``python -m tests.engines.triton.compiling --cells lstm gru --sizes 128 --capabilities 90`` compiles some of them. It
prints registers, bytes of stack (registers that were spilled) and of shared memory, then the largest of each by GPU
and size, and ends with 1 if a kernel spills or needs more shared memory than the GPU has. What Triton's cache has
(``TRITON_CACHE_DIR``) is not compiled again, so that a run that was stopped goes on. ``--packed`` compiles the kernels
for packed batches with resets in the place of those for dense ones.
"""

import argparse
import itertools
import sys

import torch

import recurra
from recurra.compiler import plan, trace
from recurra.engines.triton.offline import SHARED_LIMITS, compile_loop
from recurra.engines.triton.shown import pass_schedule
from recurra.engines.triton.ways import loop_of
from recurra.program import Sizes

SIZES = (32, 128, 512, 1024)


def loop(name, hidden, backward, dtype="float32"):
    """The loop of a cell of the zoo, with as many inputs as units."""
    scheduled = plan(trace(recurra.cells.all()[name]))
    schedule, told = pass_schedule(scheduled, backward), "backward" if backward else "forward"
    return loop_of(f"{name}_{told}", schedule, Sizes(hidden, hidden), getattr(torch, dtype), "tf32x3")


def faults(kernel, capability):
    """What is wrong with a compiled kernel."""
    found = [f"spills {kernel.stack} bytes"] if kernel.stack else []
    if kernel.shared > SHARED_LIMITS[capability]:
        found.append(f"needs {kernel.shared} bytes of shared memory of {SHARED_LIMITS[capability]}")
    return found


def largest(found):
    """The rows of a table of the largest numbers, from lists of kernels by GPU, size and dtype."""
    yield "| sm | H | dtype | kernels | registers | shared | that spill |"
    yield "|---|---|---|---|---|---|---|"
    for (capability, hidden, dtype), kernels in found.items():
        most = max(each.registers for each in kernels), max(each.shared for each in kernels)
        row = capability, hidden, dtype, len(kernels), *most, sum(each.stack > 0 for each in kernels)
        yield f"| {' | '.join(map(str, row))} |"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="*", default=sorted(recurra.cells.all()))
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--capabilities", nargs="*", type=int, default=sorted(SHARED_LIMITS))
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--packed", action="store_true", help="kernels for packed batches with resets, not dense ones")
    options = parser.parse_args(arguments)
    print("| kernel | H | dtype | sm | registers | stack | shared |\n|---|---|---|---|---|---|---|")
    wrong, found = [], {}
    for place in itertools.product(options.capabilities, options.sizes, options.dtypes):
        capability, hidden, dtype = place
        for name, backward in itertools.product(options.cells, (False, True)):
            rows = (1 + backward if options.packed else 0, options.packed)
            for kernel in compile_loop(loop(name, hidden, backward, dtype), capability, dtype, *rows):
                row = kernel.name, hidden, dtype, capability, kernel.registers, kernel.stack, kernel.shared
                print(f"| {' | '.join(map(str, row))} |", flush=True)
                found.setdefault(place, []).append(kernel)
                wrong += [f"{row[:4]} {fault}" for fault in faults(kernel, capability)]
    print("\n".join(("", *largest(found))))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
