"""All figures of a run: rows, limits, shares of the floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from recurra.bench.floor import Level, Roof, floor
from recurra.bench.peers import PEERS
from recurra.bench.records import CaseTimes, EngineUsed, Levels, Line, Peak
from recurra.bench.rows import Own, PeerRow, own, rows

RowGroup = tuple[str, str, str, int]
_T = TypeVar("_T", PeerRow, Own)


@dataclass(frozen=True)
class Share:
    """How near recurra comes to the floor.

    Attributes:
        own: recurra's time.
        floor: seconds.
    """

    own: Own
    floor: float

    @property
    def value(self) -> float | None:
        """The floor divided by recurra's time; None after a failure."""
        return self.floor / self.own.time.middle if self.own.time else None


class Figures:
    """What a run's records say.

    Attributes:
        rows: recurra beside each peer, in the order of the cases, then of the numbers of threads.
        roofs: by number of threads the best that the machine has shown.
        least_peak: by number of threads the lowest peak of the run.
        shares: recurra's times beside the floor.
        engines: what recurra ran on.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        lines = tuple(lines)
        records = [line for line in lines if isinstance(line, CaseTimes)]
        self.rows: list[PeerRow] = _interleaved(rows(records))
        self.engines = list(dict.fromkeys(line.name for line in lines if isinstance(line, EngineUsed)))
        peaks: dict[int, list[float]] = {}
        for line in lines:
            if isinstance(line, Peak):
                peaks.setdefault(line.threads, []).append(line.peak)
        self.least_peak = {threads: min(found) for threads, found in peaks.items()}
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
        found: dict[RowGroup, list[PeerRow]] = {}
        for row in sorted(self.rows, key=lambda row: list(PEERS).index(row.peer)):
            group = {"packed": "packed ", "step": "cell "}.get(row.case.group, "")
            found.setdefault((row.peer, group + row.case.cell, row.case.mode, row.threads), []).append(row)
        return found


def _interleaved(found: list[_T]) -> list[_T]:
    """Sorted so that the numbers of threads of a case follow on each other."""
    order = {name: number for number, name in enumerate(dict.fromkeys(each.case.name for each in found))}
    return sorted(found, key=lambda each: (order[each.case.name], each.threads))
