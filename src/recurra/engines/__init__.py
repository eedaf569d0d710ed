"""Engines execute plans; all answer the protocol of ``protocol.py``, and one is chosen by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from recurra.engines.native import NativeEngine
from recurra.engines.protocol import Call, Engine, Kernel, Result
from recurra.engines.reference import ReferenceEngine
from recurra.errors import EngineError

__all__ = [
    "NAMES",
    "Call",
    "Engine",
    "Kernel",
    "NativeEngine",
    "Result",
    "chosen",
    "engine",
    "reasons",
    "reference",
]

_ENGINES: dict[str, Engine] = {"reference": ReferenceEngine(), "native": NativeEngine()}
_REFUSALS = {"triton": "this version has no GPU kernels yet"}
NAMES = ("auto", "reference", "native", "triton")
_BY_PREFERENCE = ("native", "triton", "reference")

# What is behind os.environ: to ask os.environ takes as long as a small layer's call does.
_VARIABLES: Any = os.environ._data  # type: ignore[attr-defined]
_VARIABLE = os.environ.encodekey("RECURRA_ENGINE")

_wanted: ContextVar[str | None] = ContextVar("recurra_engine", default=None)


def reasons() -> dict[str, str | None]:
    """For each engine why it cannot run here; None where it can."""
    return {
        name: _ENGINES[name].refuses() if name in _ENGINES else _REFUSALS[name]
        for name in ("reference", "native", "triton")
    }


def _check(name: str, asked_by: str) -> None:
    if name not in NAMES:
        raise EngineError(f"{asked_by}: there is no engine {name!r}; there are {', '.join(NAMES)}")
    reason = None if name == "auto" else reasons()[name]
    if reason is not None:
        raise EngineError(f"{asked_by}: the {name} engine cannot run here: {reason}")


def chosen() -> Engine:
    """The engine that runs now: of the innermost ``engine(…)`` block, else of RECURRA_ENGINE, else the fastest.

    Raises:
        EngineError: the engine that is asked for does not exist or cannot run here; the message says why.
    """
    name = _wanted.get()
    if name is None and _VARIABLE in _VARIABLES:
        name = os.environ.get("RECURRA_ENGINE")
        if name:
            _check(name, "RECURRA_ENGINE")
    return _fastest() if not name or name == "auto" else _ENGINES[name]


@lru_cache(maxsize=1)
def _fastest() -> Engine:
    """The fastest engine that can run; what can does not change while the process lives."""
    refused = reasons()
    return next(_ENGINES[name] for name in _BY_PREFERENCE if refused[name] is None)


def reference() -> Engine:
    """The reference engine, which runs everywhere."""
    return _ENGINES["reference"]


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Choose the engine inside of a ``with`` block.

    Args:
        name: ``"reference"``, ``"native"``, ``"triton"``, or ``"auto"`` for the fastest that can run.

    Raises:
        EngineError: there is no such engine, or it cannot run here; the message says why.
    """
    _check(name, "recurra.engine")
    token = _wanted.set(name)
    try:
        yield
    finally:
        _wanted.reset(token)
