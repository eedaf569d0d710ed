"""The process that measures with one number of threads: ``python -m recurra.bench.worker < order``.

Imports are late: when a library is loaded, it takes its number of threads from the processors that the process may use,
so that the process has to limit itself first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from recurra.bench.cases import Case
from recurra.bench.machine import caches, pin
from recurra.bench.records import CaseTimes, EngineUsed, Levels, Peak, RecordLine, Started, append
from recurra.bench.rows import describe
from recurra.bench.settings import BenchSettings
from recurra.bench.timing import QUICK, Rounds

SETTLE = 0.005  # seconds in which waiting threads go to sleep
PEAK_EVERY = 60.0  # seconds between two measurements of the peak


@dataclass(frozen=True)
class WorkOrder:
    """The task of a worker.

    Attributes:
        settings: the settings of the whole run.
        threads: the number of threads.
        path: the file that takes the records.
        done: the names of cases to leave out, as an earlier process has tried them.
    """

    settings: BenchSettings
    threads: int
    path: str
    done: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The order as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkOrder:
        """The inverse of :meth:`to_json`."""
        fields = json.loads(text)
        asked = fields["settings"]
        settings = BenchSettings(asked["quick"], asked["only"], tuple(asked["peers"]), tuple(asked["threads"]))
        return cls(settings, fields["threads"], fields["path"], tuple(fields["done"]))

    def cases(self) -> list[Case]:
        """The cases that are left to measure."""
        return [case for case in self.settings.cases(self.threads) if case.name not in self.done]


def work(order: WorkOrder) -> None:
    """Measure all cases of an order and the machine's limits, and write down each result at once."""
    import torch

    from recurra.bench.measure import measure
    from recurra.cells import lstm
    from recurra.compiler import plan, trace
    from recurra.engines import choose

    def write(line: RecordLine) -> None:
        append(Path(order.path), line)

    torch.set_num_threads(order.threads)
    rounds = replace(QUICK if order.settings.quick else Rounds(), settle=SETTLE if order.threads > 1 else 0.0)
    write(EngineUsed(order.threads, choose(plan(trace(lstm))).name))
    cases = order.cases()
    last = _measure_limits(order, write, first=not order.done)
    for number, case in enumerate(cases, 1):
        write(Started(case.name, order.threads))
        peers = [peer for peer in order.settings.peers_of(case, order.threads) if not peer.missing()]
        record = measure(case, order.threads, peers, rounds)
        write(record)
        _say(record, f"{number}/{len(cases)}")
        if time.monotonic() - last > PEAK_EVERY or number == len(cases):
            last = _measure_limits(order, write, first=False)


def _measure_limits(order: WorkOrder, write: Callable[[RecordLine], None], *, first: bool) -> float:
    """Measure the machine's limits, its caches only the first time, and return the time of the measurement."""
    from recurra.bench import roof

    seconds = 0.5 if order.settings.quick else 2.0
    if first:
        levels = roof.levels(caches(), seconds / 2)
        write(Levels(order.threads, [[each.name, each.capacity, each.shared, each.bandwidth] for each in levels]))
    write(Peak(order.threads, roof.peak(seconds)))
    return time.monotonic()


def _say(record: CaseTimes, place: str) -> None:
    print(
        f"[{place}, {record.threads} thread{'s' * (record.threads > 1)}] {record.case}: {describe(record)}", flush=True
    )


if __name__ == "__main__":
    _order = WorkOrder.from_json(sys.stdin.read())
    pin(_order.threads)
    try:
        work(_order)
    except KeyboardInterrupt:
        sys.exit(130)
