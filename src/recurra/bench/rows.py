"""Rows of a report, made from times: medians, quartiles, ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recurra.bench.cases import Case, cases
from recurra.bench.peers import PEERS
from recurra.bench.records import CaseTimes
from recurra.bench.timing import Times

FROZEN = "recurra-frozen"  # recurra with weights packed beforehand


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of values, of which there is at least one."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, middle, high)


@dataclass(frozen=True)
class PeerRow:
    """recurra and one peer in one case at one number of threads.

    Attributes:
        case: the case that was run.
        threads: the number of threads.
        peer: the peer's name.
        ours: seconds of recurra's calls; None after a failure.
        theirs: seconds of the peer's calls; None after a failure.
        ratio: the peer's median time divided by recurra's, so that above 1 recurra is faster; its quartiles are those
            of the ratios of single rounds.
        failure: the reason why there are no times; empty if there are some.
    """

    case: Case
    threads: int
    peer: str
    ours: Spread | None = None
    theirs: Spread | None = None
    ratio: Spread | None = None
    failure: str = ""


@dataclass(frozen=True)
class Own:
    """recurra's own time in one case at one number of threads; None after a failure."""

    case: Case
    threads: int
    time: Spread | None


def rows(records: Iterable[CaseTimes]) -> list[PeerRow]:
    """A row for each peer of each record."""
    named = {case.name: case for case in cases()}
    return [
        _row(named[record.case], record, peer)
        for record in records
        for peer in dict.fromkeys([*record.times, *record.failures])
        if peer not in ("recurra", FROZEN)
    ]


def own(records: Iterable[CaseTimes]) -> list[Own]:
    """recurra's own times, one for each record."""
    named = {case.name: case for case in cases()}
    return [
        Own(named[record.case], record.threads, spread(record.times["recurra"]) if record.times else None)
        for record in records
    ]


def spread(times: Times) -> Spread:
    """The spread of the rounds that a side took part in."""
    return Spread.of([seconds for seconds in times if seconds is not None])


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive values, of which there is at least one."""
    return math.exp(statistics.fmean(map(math.log, values)))


def describe(record: CaseTimes) -> str:
    """A record as one line: recurra's time, and each peer's time divided by it."""
    parts = []
    if record.times:
        parts.append(f"{1000 * spread(record.times['recurra']).middle:.3g} ms")
    for row in rows([record]):
        parts.append(f"{row.peer} {row.ratio.middle:.2f}" if row.ratio else f"{row.peer}: {row.failure}")
    return ", ".join(parts)


def _row(case: Case, record: CaseTimes, peer: str) -> PeerRow:
    if peer in record.failures:
        return PeerRow(case, record.threads, peer, failure=record.failures[peer])
    ours, theirs = record.times[FROZEN if PEERS[peer].holds_weights else "recurra"], record.times[peer]
    single = [other / mine for mine, other in zip(ours, theirs, strict=True) if mine and other]
    mine, other, paired = spread(ours), spread(theirs), Spread.of(single)
    ratio = Spread(paired.low, other.middle / mine.middle, paired.high)
    return PeerRow(case, record.threads, peer, mine, other, ratio)
