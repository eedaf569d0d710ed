"""What a measuring process hands to the one that writes the report: one JSON object on each line of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recurra.bench.timing import Times


@dataclass(frozen=True)
class Started:
    """A case is about to be timed; if nothing follows, the process died of it."""

    case: str
    threads: int


@dataclass(frozen=True)
class CaseTimes:
    """A case's times.

    Attributes:
        case: its name.
        threads: how many.
        times: by side the seconds of a call, round by round.
        differences: by peer the largest difference of its numbers, relative to the largest of their kind.
        failures: by side why there are no times.
    """

    case: str
    threads: int
    times: dict[str, Times] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peak:
    """Operations per second of matrix products, measured once more."""

    threads: int
    peak: float


@dataclass(frozen=True)
class Levels:
    """The caches and the memory with their bandwidths: name, capacity, shared, bytes per second."""

    threads: int
    levels: list[list[Any]]


@dataclass(frozen=True)
class EngineUsed:
    """Which engine recurra ran on."""

    threads: int
    name: str


@dataclass(frozen=True)
class Kept:
    """Bytes that a forward pass keeps for the backward pass.

    Attributes:
        side: ``recurra`` or ``torch``.
        resident: growth of the process, the output included.
        output: bytes of the output.
        saved: what the layer saved for its backward pass, as autograd counts it, parameters and input left out.
    """

    side: str
    resident: int
    output: int
    saved: int


Line = Started | CaseTimes | Peak | Levels | EngineUsed | Kept
_KINDS = {kind.__name__: kind for kind in (Started, CaseTimes, Peak, Levels, EngineUsed, Kept)}


def append(path: Path, record: Line) -> None:
    """Write a record at the end of a file, so that it is there even if the process dies next."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": type(record).__name__, **asdict(record)}) + "\n")


def read(path: Path) -> Iterator[Line]:
    """All records of a file; none if there is no file."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            yield _KINDS[fields.pop("kind")](**fields)
