"""The number of rows that run together, by the sizes of the CPU's caches."""

from __future__ import annotations

import recurra._native as _native
from recurra.engines.native.code import Code, Space

_CHUNK_ELEMENTS = 96 * 1024  # of a chunk: the second-level cache holds these beside the weights
_LARGE_WEIGHTS = 192 * 1024  # elements; larger weights come from farther away, so more rows share one pass over them
_TILE_ROWS = 24
_LARGE_TILE_ROWS = 256
_SUM_ROWS = 384  # at most this many rows between two sums over rows, unless a chunk has more
# At most this many elements between two sums over rows, which the second-level cache holds, as sums read them again and
# again; never fewer than _FEW_SUM_ROWS rows.
_SUM_ELEMENTS = 256 * 1024
_FEW_SUM_ROWS = 96  # with fewer, reading and writing the sums themselves would take most of the time
# The same where rows are copied before they are summed up, so that fewer reads are of the rows themselves
# (copies_strands in native/kernels_sums.inl).
_FEW_COPIED_ROWS = 256


def set_rows(code: Code) -> None:
    """Set the rows of a chunk and of a tile; all values and matrices must have been added."""
    each = sum(code.vectors(value.width) * code.lanes for value in code.values if value.space == Space.CHUNK)
    rows = max(16, _CHUNK_ELEMENTS // max(1, each))
    if code.stages["sums"]:
        few = _FEW_COPIED_ROWS if _native.copies_strands() else _FEW_SUM_ROWS
        rows = max(rows, min(_SUM_ROWS, max(few, _SUM_ELEMENTS // max(1, each))))
    code.chunk_rows = rows
    weights = 0
    for k, used, _, *parts in code.matrices:
        if used == 2:
            weights += k * sum(parts[3::5])
    code.tile_rows = _TILE_ROWS if weights <= _LARGE_WEIGHTS else _LARGE_TILE_ROWS
