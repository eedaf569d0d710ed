"""Engines execute plans. ``protocol.py`` is their interface; ``choose`` picks one by plan, dtype and device."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

from recurra.compiler import Plan
from recurra.engines.cross_entropy import LinearNats
from recurra.engines.native import NativeEngine
from recurra.engines.precision import compute, precision, products
from recurra.engines.protocol import (
    Call,
    Device,
    Direct,
    DType,
    Engine,
    Kernel,
    Layers,
    Passes,
    Result,
    ScanSpec,
    StepScan,
    Wishes,
)
from recurra.engines.reference import ReferenceEngine
from recurra.engines.stepper import Stepper
from recurra.engines.steps import StepMaker
from recurra.engines.triton import TritonEngine
from recurra.engines.vendor import VendorEngine
from recurra.errors import EngineError
from recurra.program import Products

__all__ = [
    "ENGINES",
    "Call",
    "DType",
    "Device",
    "Direct",
    "Engine",
    "Kernel",
    "Layers",
    "LinearNats",
    "Passes",
    "Result",
    "ScanSpec",
    "StepMaker",
    "StepScan",
    "Stepper",
    "Wishes",
    "asked",
    "choose",
    "compute",
    "engine",
    "linear_nats",
    "named",
    "precision",
    "reasons",
    "reference",
    "step_maker",
]

Found = TypeVar("Found")

# In order of preference.
ENGINES: dict[str, Engine] = {
    "native": NativeEngine(),
    "torch": VendorEngine(),
    "triton": TritonEngine(),
    "reference": ReferenceEngine(),
}
# Native engines with other operands of products, which take the place of the native one (precision.py).
_NARROW: dict[Products, NativeEngine] = {
    "bfloat16": NativeEngine("bfloat16"),
    "int8": NativeEngine("int8"),
    "uint8": NativeEngine("uint8"),
}

# The dictionary behind os.environ: reading os.environ itself takes as long as a small layer's call.
_VARIABLES: Any = os.environ._data  # type: ignore[attr-defined]
_VARIABLE = os.environ.encodekey("RECURRA_ENGINE")

_wanted: ContextVar[str | None] = ContextVar("recurra_engine", default=None)


def reasons() -> dict[str, str | None]:
    """The reason why each engine cannot run here, by name; None if it can."""
    return {name: each.refuses() for name, each in ENGINES.items()}


def _check(name: str, asked_by: str) -> None:
    if name == "auto":
        return
    if name not in ENGINES:
        names = ", ".join(("auto", *ENGINES))
        raise EngineError(f"{asked_by}: there is no engine {name!r}; there are {names}")
    reason = ENGINES[name].refuses()
    if reason is not None:
        raise EngineError(f"{asked_by}: the {name} engine cannot run here: {reason}")


def asked() -> str:
    """The name of the requested engine: of the innermost ``engine(…)`` block, else RECURRA_ENGINE, else "auto".

    Raises:
        EngineError: RECURRA_ENGINE names an engine that does not exist or cannot run here; the message says why.
    """
    name = _wanted.get()
    if name is None:
        if _VARIABLE not in _VARIABLES:
            return "auto"
        name = os.environ.get("RECURRA_ENGINE") or "auto"
        _check(name, "RECURRA_ENGINE")
    return name


def choose(
    plan: Plan,
    dtype: DType = "float32",
    device: Device = "cpu",
    *,
    resets: bool = False,
    compute: Products | None = None,
) -> Engine:
    """The engine that runs a plan on arrays of this dtype and device: the requested one, else the fastest that can.

    Args:
        plan: the plan to run.
        dtype: of the arrays.
        device: of the arrays.
        resets: whether calls reset states within a sequence (``Call.reset``).
        compute: the layer's own precision of products. Default None: as the context says.

    Raises:
        EngineError: the requested engine cannot run the plan; the message says why.
    """
    name = asked()
    if name == "auto":
        found = _fastest(plan, dtype, device, resets)
    else:
        found = ENGINES[name]
        reason = _refuses(found, plan, dtype, device, resets)
        if reason is not None:
            raise EngineError(f"the {name} engine cannot run {plan.program.name!r} in {dtype} on {device}: {reason}")
    return _NARROW.get(products(dtype, compute), found) if found is ENGINES["native"] else found


def named(name: str) -> Engine:
    """The engine of a name, as its ``name`` says."""
    return next((each for each in _NARROW.values() if each.name == name), None) or ENGINES[name]


@lru_cache(maxsize=512)
def _fastest(plan: Plan, dtype: DType, device: Device, resets: bool) -> Engine:
    """The fastest engine that can run a plan. Cached, as the answer does not change while the process lives."""
    return next(each for each in ENGINES.values() if _refuses(each, plan, dtype, device, resets) is None)


def _refuses(engine: Engine, plan: Plan, dtype: DType, device: Device, resets: bool) -> str | None:
    if resets and not engine.resets:
        return "it knows no reset="
    return engine.refuses(plan, dtype, device)


def step_maker() -> StepMaker | None:
    """The maker of steps of the requested engine, or else of the first one that has any; None if none has."""
    return _first(lambda each: each.step_maker())


def linear_nats() -> LinearNats | None:
    """The fused cross-entropy of the requested engine, or else of the first one that has any; None if none has."""
    return _first(lambda each: each.linear_nats())


def _first(of: Callable[[Engine], Found | None]) -> Found | None:
    name = asked()
    found = (of(each) for each in (ENGINES.values() if name == "auto" else (ENGINES[name],)))
    return next((each for each in found if each is not None), None)


def reference() -> Engine:
    """The reference engine, which runs everywhere."""
    return ENGINES["reference"]


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Choose the engine inside of a ``with`` block.

    A call that the engine cannot run raises EngineError with the reason. There is one exception: where torch must see
    its own operations (vmap, jvp, tensor subclasses, a gradient of a gradient), the reference engine runs, and the log
    says so once.

    Args:
        name: ``"reference"``, ``"native"``, ``"torch"``, ``"triton"``, or ``"auto"`` for the fastest that can run.

    Raises:
        EngineError: there is no such engine, or it cannot run here; the message says why.
    """
    _check(name, "recurra.engine")
    token = _wanted.set(name)
    try:
        yield
    finally:
        _wanted.reset(token)
