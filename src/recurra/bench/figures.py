"""All figures of a run: rows, limits, shares of the floor, verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from recurra.bench.floor import Level, Roof, floor
from recurra.bench.peers import PEERS
from recurra.bench.records import Engine, Levels, Line, Peak, Record
from recurra.bench.requirements import MEANS, Mean, Verdict, of_mean, of_row, required_share
from recurra.bench.rows import Own, Row, own, rows

Kind = tuple[str, str, str, int]
_T = TypeVar("_T", Row, Own)


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

    def verdict(self, what: str) -> Verdict | None:
        """Whether it is enough; None where nothing is required."""
        least = required_share(self.own.case)
        return None if least is None else Verdict(what, self.value, least)


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
        records = [line for line in lines if isinstance(line, Record)]
        self.rows: list[Row] = _interleaved(rows(records))
        self.engines = list(dict.fromkeys(line.name for line in lines if isinstance(line, Engine)))
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

    def by_kind(self) -> dict[Kind, list[Row]]:
        """Rows of sequences and steps by peer, cell, mode and number of threads."""
        found: dict[Kind, list[Row]] = {}
        for row in sorted(self.rows, key=lambda row: list(PEERS).index(row.peer)):
            group = {"packed": "packed ", "step": "cell "}.get(row.case.group, "")
            found.setdefault((row.peer, group + row.case.cell, row.case.mode, row.threads), []).append(row)
        return found

    def verdicts(self) -> dict[str, list[Verdict]]:
        """All verdicts by kind of requirement."""
        found: dict[str, list[Verdict | None]] = {}
        for row in self.rows:
            title = PEERS[row.peer].title
            what = f"{row.case.name}, {_threads(row.threads)}, against {title}"
            found.setdefault(f"ratio to {title}", []).append(
                of_row(row, what + (f" ({row.failure})" * bool(row.failure)))
            )
        for mean in MEANS:
            for threads in sorted({row.threads for row in self.rows}):
                count = len(mean.rows(self.rows, threads))
                what = f"geometric mean of {count} rows, {_described(mean)}, {_threads(threads)}"
                found.setdefault("geometric means", []).append(of_mean(mean, self.rows, threads, what))
        for share in self.shares:
            what = f"{share.own.case.name}, {_threads(share.own.threads)}, share of the floor"
            found.setdefault("share of the floor", []).append(share.verdict(what))
        kept = {kind: [each for each in verdicts if each is not None] for kind, verdicts in found.items()}
        return {kind: verdicts for kind, verdicts in kept.items() if verdicts}


def _interleaved(found: list[_T]) -> list[_T]:
    """Sorted so that the numbers of threads of a case follow on each other."""
    order = {name: number for number, name in enumerate(dict.fromkeys(each.case.name for each in found))}
    return sorted(found, key=lambda each: (order[each.case.name], each.threads))


def _described(mean: Mean) -> str:
    mode = {None: "all modes", False: "inference", True: "training"}[mean.training]
    return f"{mean.cell or 'all cells'}, {mode}, against {PEERS[mean.peer].title}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"
