"""How many rows run together: what the caches hold."""

from __future__ import annotations

from recurra.engines.native.code import Code, Space

_CHUNK_ELEMENTS = 96 * 1024  # of all values of a chunk: what the second-level cache holds beside the weights
_LARGE_WEIGHTS = 192 * 1024  # elements; beyond, weights stream from farther away, and all rows share one pass
_TILE_ROWS = 24
_LARGE_TILE_ROWS = 256
_SUM_ROWS = 384  # at most so many between two sums over rows, unless a chunk has more
_SUM_ELEMENTS = 3 << 19  # at most so many elements between two sums over rows,
_FEW_SUM_ROWS = 96  # but never fewer rows than this: the sums' own memory would take the time


def set_rows(code: Code) -> None:
    """Set the rows of a chunk and of a tile, once all values and matrices are there."""
    each = sum(code.vectors(value.width) * code.lanes for value in code.values if value.space == Space.CHUNK)
    rows = max(16, _CHUNK_ELEMENTS // max(1, each))
    if code.stages["sums"]:
        rows = max(rows, min(_SUM_ROWS, max(_FEW_SUM_ROWS, _SUM_ELEMENTS // max(1, each))))
    code.chunk_rows = rows
    weights = 0
    for k, used, _, *parts in code.matrices:
        if used == 2:
            weights += k * sum(parts[3::5])
    code.tile_rows = _TILE_ROWS if weights <= _LARGE_WEIGHTS else _LARGE_TILE_ROWS
