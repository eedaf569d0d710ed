"""Turns a program's parameters into torch's weights; those in another layout are cut and concatenated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recurra.cells.known import Gates, KnownLayer
from recurra.compiler.algebra import Block
from recurra.program import Program, Sizes, Variable


@dataclass(frozen=True)
class _Cut:
    """A part of a parameter: a range of a vector, or a rectangle of a matrix, transposed if torch's weight is."""

    place: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    is_matrix: bool
    is_turned: bool

    def follows(self, other: _Cut) -> bool:
        """Whether this part and the other one before it form one larger part."""
        start = other.columns[0] + other.columns[1]
        return replace(self, columns=other.columns) == other and self.columns[0] == start  # fmt: skip

    def of(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return the part, (columns, rows) or (columns)."""
        part = _narrowed(parameters[self.place], 1 if self.is_turned else 0, self.columns)
        if not self.is_matrix:
            return part
        part = _narrowed(part, 0 if self.is_turned else 1, self.rows)
        return part.t() if self.is_turned else part


@dataclass(frozen=True)
class _WeightRows:
    """Some rows of a weight: the sum of parts of parameters, or zeros if there are none."""

    width: int
    cuts: tuple[_Cut, ...]

    def with_next(self, other: _WeightRows) -> _WeightRows | None:
        """Return both as one, if their parts lie one after the other; else None."""
        if len(self.cuts) != len(other.cuts) or not all(
            after.follows(before) for before, after in zip(self.cuts, other.cuts, strict=True)
        ):
            return None
        cuts = (replace(cut, columns=(cut.columns[0], self.width + other.width)) for cut in self.cuts)
        return _WeightRows(self.width + other.width, tuple(cuts))

    def of(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return the values of the rows."""
        if not self.cuts:
            return parameters[0].new_zeros(self.width)
        total = self.cuts[0].of(parameters)
        for cut in self.cuts[1:]:
            total = total + cut.of(parameters)
        return total


class Weights:
    """The mapping from a program's parameters to torch's weights, at given sizes."""

    def __init__(self, program: Program, known: KnownLayer, sizes: Sizes) -> None:
        wanted = [known.weight_ih, known.weight_hh]
        if known.has_biases:
            wanted += [known.bias_ih, known.bias_hh]
        if known.is_projected:
            wanted.append(known.weight_hr)
        places = {parameter: place for place, parameter in enumerate(program.parameters)}
        hidden = sizes.hidden
        self._weights = [_rows(gates, places, sizes, hidden) for gates in wanted]

    def of(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return weight_ih, weight_hh; with biases bias_ih, bias_hh; with a projection weight_hr.

        A weight that is a parameter in torch's layout is that parameter itself.
        """
        return [_joined([rows.of(parameters) for rows in weight]) for weight in self._weights]


def _rows(gates: Gates, places: Mapping[Variable, int], sizes: Sizes, hidden: int) -> list[_WeightRows]:
    """The rows of a weight from top to bottom, in as few pieces as possible."""
    pieces: list[_WeightRows] = []
    for blocks in gates:
        cuts = tuple(_cut(block, places, sizes) for block in blocks)
        rows = _WeightRows(cuts[0].columns[1] if cuts else hidden, cuts)
        both = pieces[-1].with_next(rows) if pieces else None
        pieces[-1:] = [both] if both is not None else [*pieces[-1:], rows]
    return pieces


def _cut(block: Block, places: Mapping[Variable, int], sizes: Sizes) -> _Cut:
    rows, columns = ((start.value(sizes), size.value(sizes)) for start, size in (block.rows, block.columns))
    is_matrix = len(block.parameter.shape) == 2
    return _Cut(places[block.parameter], rows, columns, is_matrix, is_matrix and not block.transposed)


def _narrowed(tensor: Tensor, dimension: int, part: tuple[int, int]) -> Tensor:
    return tensor if part == (0, tensor.shape[dimension]) else tensor.narrow(dimension, *part)


def _joined(rows: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(rows)) if len(rows) > 1 else rows[0].contiguous()
