"""The machine that the benchmark runs on: processor, caches, memory, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recurra.bench.processor_kind import processor_kind
from recurra.tasks.provenance import cpuinfo

PACKAGES = ("recurra", "torch", "numpy", "onnx", "onnxruntime", "openvino", "jax", "jaxlib", "torchrecurrent")
CPUS = Path("/sys/devices/system/cpu")

# The caches of a common processor, from the smallest on, for systems that do not report theirs.
USUAL = ((32 << 10, False), (1 << 20, False), (32 << 20, True))


@dataclass(frozen=True)
class Cache:
    """One level of the data caches.

    Attributes:
        name: L1, L2, L3.
        size: bytes of one instance.
        shared: whether cores share it.
    """

    name: str
    size: int
    shared: bool


@dataclass(frozen=True)
class Machine:
    """The machine, and the software on it.

    Attributes:
        cpu: the processor's name.
        kind: maker and microarchitecture of the processor, by which results are recorded.
        cores: processors that this process may use.
        caches: data caches from the smallest on.
        clock: MHz, as the system reports; 0 if it does not.
        per_cycle: float32 operations per cycle and core in fused multiply-adds; 0 if not known.
        memory: bytes.
        system: operating system and its version.
        python: the version of Python.
        versions: the versions of the installed packages, by name.
    """

    cpu: str
    kind: str
    cores: int
    caches: tuple[Cache, ...]
    clock: float
    per_cycle: int
    memory: int
    system: str
    python: str
    versions: dict[str, str]

    @property
    def processor(self) -> str:
        """The processor's name and kind."""
        return f"{self.cpu} ({self.kind})"


def machine() -> Machine:
    """Describe this machine."""
    info = cpuinfo()
    return Machine(
        cpu=info.get("model name") or platform.processor() or platform.machine(),
        kind=processor_kind(info),
        cores=len(processors()),
        caches=caches(),
        clock=float(info.get("cpu MHz", 0)),
        per_cycle=_per_cycle(info),
        memory=_memory(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions=dict(_versions()),
    )


def processors() -> list[int]:
    """The processors that this process may use, sorted so that one of each core comes first."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(os.cpu_count() or 1))
    seen: dict[tuple[str, str], int] = {}
    ranked: list[tuple[int, int, int]] = []
    for number in sorted(os.sched_getaffinity(0), reverse=True):
        topology = CPUS / f"cpu{number}" / "topology"
        core = _read(topology / "physical_package_id"), _read(topology / "core_id") or str(number)
        ranked.append((seen.setdefault(core, 0), len(ranked), number))
        seen[core] += 1
    return [number for _, _, number in sorted(ranked)]


def pin(threads: int) -> None:
    """Bind this process, and every library that it loads from now on, to as many cores as it has threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, processors()[:threads])


def caches() -> tuple[Cache, ...]:
    """The data caches of a processor; those of a common one if the system does not report them."""
    by_name = {}
    for folder in sorted((CPUS / "cpu0" / "cache").glob("index*")):
        if _read(folder / "type") in ("Data", "Unified"):
            name = f"L{_read(folder / 'level')}"
            siblings = _read(CPUS / "cpu0" / "topology" / "thread_siblings_list")
            by_name[name] = Cache(name, _bytes(_read(folder / "size")), _read(folder / "shared_cpu_list") != siblings)
    reported = tuple(by_name[name] for name in sorted(by_name))
    return reported or tuple(Cache(f"L{1 + number}", *cache) for number, cache in enumerate(USUAL))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text or 0)


def _per_cycle(info: dict[str, str]) -> int:
    """Operations per cycle: two fused multiply-adds on vectors of the width that the processor computes with."""
    flags, family = info.get("flags", "").split(), info.get("cpu family", "")
    if "fma" not in flags:
        return 0
    if "AMD" in info.get("vendor_id", ""):
        return 64 if family.isdigit() and int(family) >= 26 else 32  # before Zen 5, 512 bits take two cycles
    return 64 if "avx512f" in flags else 32


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
