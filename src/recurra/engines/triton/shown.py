"""The sources of a layer's kernels, to be read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from recurra.compiler import Plan, Schedule
from recurra.engines.protocol import DType, Wishes
from recurra.engines.saved import derive
from recurra.engines.triton.fitness import unfit
from recurra.errors import EngineError
from recurra.program import Sizes


def shown(layer: Any, dtype: DType, backward: bool) -> str:
    """The kernels of a layer's first scan; see ``recurra.engines.triton.source``."""
    scans = getattr(layer, "_scans", None)
    if not scans:
        raise TypeError(f"source takes a recurrent layer of recurra's, not a {type(layer).__name__}")
    if find_spec("triton") is None:
        raise EngineError("source needs Triton: pip install 'recurra[gpu]'")
    import torch

    from recurra.engines.triton.loops import SequenceLoop
    from recurra.engines.triton.step_loop import StepLoop
    from recurra.engines.triton.ways import loop_of

    plan: Plan = scans[0].plan
    sizes: Sizes = scans[0].sizes
    reason = unfit(plan)
    if reason is not None:
        raise EngineError(f"no kernel computes {plan.program.name!r}: {reason}")
    schedule = pass_schedule(plan, backward)
    if not schedule.states:
        return ""
    name = f"{plan.program.name}_{'backward' if backward else 'forward'}"
    loop = loop_of(name, schedule, sizes, getattr(torch, dtype), "tf32x3")
    if isinstance(loop, SequenceLoop):
        return loop.source.text
    assert isinstance(loop, StepLoop)
    return "\n\n".join(each.text for each in loop.sources)


def pass_schedule(plan: Plan, backward: bool) -> Schedule:
    """The schedule of a plan's forward pass, or of its backward pass with the gradients of all sources."""
    wishes = Wishes((True,) * len(plan.program.sources), (True, *(v.kind == "real" for _, v in plan.traced)))
    derived = derive(plan, wishes)
    return derived.schedule if backward else plan.schedule.giving(derived.kept)
