"""Runs one scan: chooses its engine and dtype, and makes it differentiable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from recurra.engines import Call, Engine, ScanSpec, Wishes, asked, choose, reference
from recurra.engines.passes import CallPasses
from recurra.engines.saved import keeps_products
from recurra.engines.torch_internals import is_forward_mode, is_per_sample, is_transformed, is_watched
from recurra.nn.running.autocast import without_autocast
from recurra.nn.running.autograd import PLAIN, Node, ScanFunction
from recurra.nn.running.checkpoint import run_checkpointed
from recurra.nn.running.scan import Sequences

_logger = logging.getLogger("recurra")

Checkpoint = bool | int | None


@lru_cache(maxsize=64)
def name_of(dtype: torch.dtype) -> str:
    """A dtype's name without ``torch.``."""
    return str(dtype).removeprefix("torch.")


def dtype_of(name: str) -> torch.dtype:
    """The dtype of a name."""
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def engine_for(spec: ScanSpec, x: Tensor, tensors: Sequence[Tensor], resets: bool) -> Engine:
    """The engine that runs a call: the chosen one, or the reference engine where torch's operations must be seen.

    Modes and classes of tensors see every kernel that is made of torch's operations. Function transforms and forward
    mode do not see through torch's fused layers on every device.

    Args:
        spec: the scan.
        x: its input.
        tensors: its states, parameters and masks.
        resets: whether states are reset within the sequences.

    Raises:
        EngineError: the requested engine cannot run it.
    """
    engine = choose(spec.plan, name_of(x.dtype), x.device.type, resets=resets, compute=spec.compute)
    if engine.is_recorded:
        must_be_seen = is_transformed() or is_forward_mode()
    else:
        must_be_seen = bool(is_watched()) or any(
            type(tensor) not in PLAIN and not is_per_sample(tensor) for tensor in (x, *tensors)
        )
    if not must_be_seen or engine is reference():
        return engine
    if asked() != "auto":
        _log_exception(engine.name)
    return reference()


@lru_cache(maxsize=8)
def _log_exception(name: str) -> None:
    """Say once for each engine that transforms run on the reference engine."""
    _logger.info(
        "the reference engine runs here, not the %s engine that was asked for: torch's own operations must be seen "
        "(by a transform, a mode, forward-mode differentiation or a class of tensors)",
        name,
    )


def execute(
    engine: Engine,
    spec: ScanSpec,
    sequences: Sequences,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    checkpoint: Checkpoint = None,
) -> list[Tensor]:
    """Run a scan: output, last states and traced variables, one after the other; differentiable.

    Args:
        engine: the engine that runs it.
        spec: the scan.
        sequences: the sequences that it runs over.
        states: the first states, (batch, size) each.
        parameters: the parameters, in the program's order.
        masks: the values of each random mask, with x's leading dimensions.
        checkpoint: see ``Recurrent``.
    """
    x, dtype = sequences.x, sequences.x.dtype
    computed = dtype_of(engine.computes_in(name_of(dtype)))
    if computed != dtype:
        x, states = x.to(computed), [state.to(computed) for state in states]
        parameters, masks = [each.to(computed) for each in parameters], [mask.to(computed) for mask in masks]
    elif any(type(each) in PLAIN and each.is_neg() for each in (x, *states, *parameters)):  # memory holds the negated
        x, states = x.resolve_neg(), [state.resolve_neg() for state in states]
        parameters = [parameter.resolve_neg() for parameter in parameters]
    sizes, reverse = spec.sizes, spec.reverse
    call = Call(x, sequences.batch_sizes, states, parameters, sizes, masks, sequences.reset, reverse)
    with without_autocast(x):
        values = _under_autograd(engine, spec, call, checkpoint)
    if computed != dtype:
        return [value.to(dtype) if value.is_floating_point() else value for value in values]
    return values


def _under_autograd(engine: Engine, spec: ScanSpec, call: Call, checkpoint: Checkpoint) -> list[Tensor]:
    inputs = (call.x, *call.states, *call.parameters)
    kernel, plan = engine.build(spec.plan), spec.plan
    wanted = tuple(torch.is_grad_enabled() and tensor.requires_grad for tensor in inputs)
    checkpoint = checkpoint if any(wanted) and not _is_transformed(call) else None
    if (engine.is_recorded and not checkpoint) or not any(wanted):
        result = kernel.forward(call)
        return [result.output, *result.states, *result.traced.values()]
    wishes = Wishes(wanted, _given(spec), _keeps(call))
    passes = kernel.passes(spec.sizes, name_of(call.x.dtype), spec.reverse, wishes, False)
    passes = passes or CallPasses(kernel, spec.sizes, spec.reverse, wishes, False)
    node = Node(plan, passes, spec.sizes, spec.reverse, False)
    if checkpoint:
        return run_checkpointed(kernel, call, node, checkpoint)
    beside = (call.masks, call.batch_sizes, call.reset)
    results = ScanFunction.apply(node, beside, *inputs)  # type: ignore[no-untyped-call]
    return list(results)


def _given(spec: ScanSpec) -> tuple[bool, ...]:
    """For the output and each traced variable, whether a gradient may arrive: none arrives at bools."""
    return (True, *(variable.kind == "real" for _, variable in spec.plan.traced))


def _keeps(call: Call) -> bool:
    """Whether the forward pass keeps its products."""
    width = call.x.shape[-1]
    rows = call.x.numel() // max(1, width)
    return keeps_products(rows, call.x.element_size(), width, [state.shape[-1] for state in call.states])


def _is_transformed(call: Call) -> bool:
    """Whether no node of autograd can run: ``checkpoint`` has no effect there, and the log says so once."""
    if not is_watched():
        return False
    _log_checkpoint()
    return True


@lru_cache(maxsize=1)
def _log_checkpoint() -> None:
    _logger.warning(
        "checkpoint has no effect under function transforms, dispatch modes and forward-mode differentiation"
    )
