"""The choice between the two ways of a loop: whole sequences in one launch, or a launch for each phase of a step."""

from __future__ import annotations

import torch

from recurra.compiler import Schedule
from recurra.engines.triton.body import matrix_parts
from recurra.engines.triton.loops import SEQUENCES, Loop, SequenceLoop
from recurra.engines.triton.pieces import Pieces, block
from recurra.engines.triton.sequences import meets_units, sequence_source
from recurra.engines.triton.step_loop import StepLoop
from recurra.program import Sizes, Variable

# The most elements of weights that a program keeps for all steps, by bytes of an element. A product of float32 needs
# its matrix twice in shared memory: the numbers, and what rounding them to TF32 leaves.
HELD = {2: 64 << 10, 4: 16 << 10}
MOST_PARTS = 9  # of matrices that a program of all steps multiplies by: more take too many registers
MANY = 8 << 10  # elements from which a program has eight warps, and not four: they are the registers of its threads
# The most registers that a thread of a program of all steps may need for the values of a step, had each a register of
# its own, by bytes of an element; above the second number a program has eight warps. Compilers share registers: found
# by compiling the zoo, products of float32 take more of them.
VALUES = {2: (300, 260), 4: (260, 192)}
WHOLE_WIDTH = 128  # the widest block of a program that runs all steps
UNITS = 64  # of a tile of a loop in which no unit meets another


def loop_of(name: str, schedule: Schedule, sizes: Sizes, dtype: torch.dtype, precision: str) -> Loop:
    """The loop of a schedule.

    Args:
        name: of the cell and the pass.
        schedule: the schedule.
        sizes: the values of its symbols.
        dtype: of the call's tensors.
        precision: of products of float32.
    """
    pieces = Pieces(schedule, sizes)
    if not meets_units(schedule) and len(_widths(pieces)) == 1:
        source = sequence_source(name, schedule, sizes, hold_weights=False, units=UNITS)
        return SequenceLoop(source, sizes, precision, warps=4)
    matrices = {e.variables[1] for e in schedule.step if e.operation == "product"}
    held = sum(_padded(pieces, matrix) for matrix in matrices)
    parts = sum(len(p) for e in schedule.step if e.operation == "product" for _, p in matrix_parts(pieces, e))
    is_narrow = max(map(block, _widths(pieces))) <= WHOLE_WIDTH
    most, some = VALUES[dtype.itemsize]
    warps = 8 if held > MANY or _registers(pieces, 4) > some else 4
    if held <= HELD[dtype.itemsize] and parts <= MOST_PARTS and is_narrow and _registers(pieces, warps) <= most:
        source = sequence_source(name, schedule, sizes, hold_weights=True)
        return SequenceLoop(source, sizes, precision, warps)
    return StepLoop(name, schedule, sizes, precision)


def _widths(pieces: Pieces) -> set[int]:
    """The widths of all pieces of the loop's values."""
    return {piece.width for variable in pieces.varying if variable.shape for piece in pieces.of(variable)}


def _registers(pieces: Pieces, warps: int) -> int:
    """The registers of a thread for all values of a step: products put eight columns on each warp."""
    blocks = [block(piece.width) for v in pieces.varying if v.shape for piece in pieces.of(v)]
    return sum(SEQUENCES * columns // (32 * min(warps, columns // 8)) for columns in blocks)


def _padded(pieces: Pieces, matrix: Variable) -> int:
    """The elements of a matrix in blocks."""
    heads, rows, columns = (1, *pieces.shape(matrix))[-3:]
    return heads * block(rows) * block(columns)
