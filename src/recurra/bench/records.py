"""Records from a measuring process to the one that writes the report: one JSON object on each line of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recurra.bench.timing import Times


@dataclass(frozen=True)
class Started:
    """The note that a case is about to be timed; if nothing follows, the case has killed the process."""

    case: str
    threads: int


@dataclass(frozen=True)
class CaseTimes:
    """A case's times.

    Attributes:
        case: the name of the case.
        threads: the number of threads.
        times: the seconds of a call in each round, by side.
        differences: the largest difference of a peer's numbers, relative to the largest of their kind, by peer.
        failures: the reason why there are no times, by side.
    """

    case: str
    threads: int
    times: dict[str, Times] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peak:
    """One measurement of the operations per second of matrix products."""

    threads: int
    peak: float


@dataclass(frozen=True)
class Levels:
    """The caches and the memory with their bandwidths: name, capacity, shared, bytes per second."""

    threads: int
    levels: list[list[Any]]


@dataclass(frozen=True)
class EngineUsed:
    """The engine that recurra ran on."""

    threads: int
    name: str


@dataclass(frozen=True)
class Kept:
    """Bytes that a forward pass keeps for the backward pass.

    Attributes:
        side: ``recurra`` or ``torch``.
        resident: the growth of the process, with the output.
        output: bytes of the output.
        saved: bytes that the layer saved for its backward pass, by autograd's count, without parameters and input.
    """

    side: str
    resident: int
    output: int
    saved: int


RecordLine = Started | CaseTimes | Peak | Levels | EngineUsed | Kept
_KINDS = {kind.__name__: kind for kind in (Started, CaseTimes, Peak, Levels, EngineUsed, Kept)}


def append(path: Path, record: RecordLine) -> None:
    """Append a record to a file at once, so that it stays even if the process dies next."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": type(record).__name__, **asdict(record)}) + "\n")


def read(path: Path) -> Iterator[RecordLine]:
    """All records of a file; none if there is no file."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            yield _KINDS[fields.pop("kind")](**fields)
