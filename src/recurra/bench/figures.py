"""All figures of a run: rows, the machine's limits, shares of the floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from recurra.bench.floor import Level, Roof, floor
from recurra.bench.peers import PEERS
from recurra.bench.records import CaseTimes, EngineUsed, Levels, Peak, RecordLine
from recurra.bench.rows import Own, PeerRow, own, rows

RowGroup = tuple[str, str, str, int]
_T = TypeVar("_T", PeerRow, Own)


@dataclass(frozen=True)
class Share:
    """A time of recurra's beside the floor.

    Attributes:
        own: recurra's time.
        floor: the floor in seconds.
    """

    own: Own
    floor: float

    @property
    def value(self) -> float | None:
        """The floor divided by recurra's time; None after a failure."""
        return self.floor / self.own.time.middle if self.own.time else None


class Figures:
    """The figures that follow from a run's records.

    Attributes:
        rows: recurra beside each peer, in the order of the cases, then of the numbers of threads.
        roofs: the best performance that the machine has shown, by number of threads.
        least_peak: the lowest peak of the run, by number of threads.
        shares: recurra's times beside the floor.
        engines: the names of the engines that recurra ran on.
    """

    def __init__(self, lines: Iterable[RecordLine]) -> None:
        lines = tuple(lines)
        records = [line for line in lines if isinstance(line, CaseTimes)]
        self.rows: list[PeerRow] = _interleaved(rows(records))
        self.engines = list(dict.fromkeys(line.name for line in lines if isinstance(line, EngineUsed)))
        peaks: dict[int, list[float]] = {}
        for line in lines:
            if isinstance(line, Peak):
                peaks.setdefault(line.threads, []).append(line.peak)
        self.least_peak = {threads: min(measured) for threads, measured in peaks.items()}
        self.roofs = {
            line.threads: Roof(line.threads, max(peaks[line.threads]), tuple(Level(*each) for each in line.levels))
            for line in lines
            if isinstance(line, Levels) and line.threads in peaks
        }
        self.shares = [
            Share(each, floor(each.case, self.roofs[each.threads]))
            for each in _interleaved(own(records))
            if each.case.group in ("stream", "layer") and each.threads in self.roofs
        ]

    def by_group(self) -> dict[RowGroup, list[PeerRow]]:
        """Rows of sequences and steps by peer, cell, mode and number of threads."""
        groups: dict[RowGroup, list[PeerRow]] = {}
        for row in sorted(self.rows, key=lambda row: list(PEERS).index(row.peer)):
            group = {"packed": "packed ", "step": "cell "}.get(row.case.group, "")
            groups.setdefault((row.peer, group + row.case.cell, row.case.mode, row.threads), []).append(row)
        return groups


def _interleaved(rows_of_cases: list[_T]) -> list[_T]:
    """Sort rows so that the numbers of threads of a case follow each other."""
    order = {name: number for number, name in enumerate(dict.fromkeys(each.case.name for each in rows_of_cases))}
    return sorted(rows_of_cases, key=lambda each: (order[each.case.name], each.threads))
