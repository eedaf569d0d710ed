"""The shape of a gain: a parameter that scales a matrix beside a norm of it has the norm's shape.

``w / sqrt(sum(w ** 2, axis=0)) * g`` has a gain for each column, as the norm is one of each column; with no axis both
are one number. These are the three forms of weight normalisation (Salimans & Kingma 2016, eq. 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from recurra.compiler.broadcast import ALONG, REDUCTIONS
from recurra.program import Shape
from recurra.program.solver import Solver
from recurra.values import Record

_SCALINGS = ("multiply", "divide")


class Gain(NamedTuple):
    """A value whose shape is still open, and the shape of the norm beside it."""

    value: int
    shape: Shape


def gain(records: Sequence[Record], varying: Sequence[bool], solver: Solver) -> Gain | None:
    """The first gain whose norm has a known shape; None where there is none.

    Args:
        records: the operations of a cell.
        varying: whether each value changes from step to step.
        solver: the shapes, as far as they are known.
    """
    makers = {result: record for record in records for result in record.results}
    inner = {operand for r in records if _scales(r, varying) for operand in r.operands if isinstance(operand, int)}
    for record in records:
        [root, *_] = record.results
        shape = solver.shape(root)
        if not _scales(record, varying) or shape is None or len(shape) != 2:
            continue
        if root in inner and _read_once(root, records):
            continue  # a part of a longer chain
        factors = list(_factors(root, makers, varying))
        norms = {
            factor: found
            for factor in factors
            if (found := solver.shape(factor)) is not None and found != shape and _is_norm(factor, makers)
        }
        known = {found for found in norms.values() if found} or set(norms.values())
        behind = {source for factor in norms for source in _sources(factor, makers)}
        for factor in factors:
            if len(known) == 1 and solver.shape(factor) is None and factor not in behind:
                return Gain(factor, known.pop())
    return None


def _scales(record: Record, varying: Sequence[bool]) -> bool:
    return record.operation in _SCALINGS and not varying[record.results[0]]


def _read_once(value: int, records: Sequence[Record]) -> bool:
    return [value in record.operands for record in records].count(True) == 1


def _factors(value: int, makers: dict[int, Record], varying: Sequence[bool]) -> Iterator[int]:
    """The values that a chain of multiplications and divisions consists of."""
    maker = makers.get(value)
    if maker is None or not _scales(maker, varying):
        yield value
        return
    for operand in maker.operands:
        if isinstance(operand, int):
            yield from _factors(operand, makers, varying)


def _sources(value: int, makers: dict[int, Record]) -> set[int]:
    """A value and all that it is computed from."""
    found, waiting = {value}, [value]
    while waiting:
        maker = makers.get(waiting.pop())
        new = {operand for operand in maker.operands if isinstance(operand, int)} - found if maker else set()
        found |= new
        waiting.extend(new)
    return found


def _is_norm(value: int, makers: dict[int, Record]) -> bool:
    sources = _sources(value, makers)
    return any(source in makers and makers[source].operation in (*REDUCTIONS, *ALONG) for source in sources)
