"""Runs one scan of a module's call: by its engine, or under a compiler as one operator that stays whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from recurra.engines import Engine, Layers, reference
from recurra.engines.torch_internals import is_jit_traced, is_per_sample
from recurra.nn.running.autocast import without_autocast
from recurra.nn.running.execute import Checkpoint, engine_for, execute
from recurra.nn.running.notice import announce, is_slow
from recurra.nn.running.operator import compiled_scan
from recurra.nn.running.per_sample import run_per_sample
from recurra.nn.running.scan import Scan, Sequences


def engine_of(module: Any, scan: Scan, sequences: Sequences, tensors: Sequence[Tensor], traced: bool) -> Engine | None:
    """The engine that runs a module's call; None under a compiler or torch.jit.trace, where the operator chooses.

    If it is the reference engine on a device that has faster ones, the log says so once for each module and device.
    """
    if torch.compiler.is_compiling() or is_jit_traced():
        return None
    if scan.is_empty:  # there is nothing to compute fast
        return reference()
    x = sequences.x
    engine = engine_for(scan.spec(traced), x, tensors, sequences.reset is not None)
    device = x.device.type
    if is_slow(engine, device) and device not in module._calls.announced:
        module._calls.announced.add(device)
        announce(type(module).__name__, module.cell.name, device, sequences.reset is not None, traced)
    return engine


def run_whole(
    module: Any,
    engine: Engine | None,
    scans: Sequence[Scan],
    sequences: Sequences,
    states: Sequence[Tensor],
    weights: Sequence[Sequence[Tensor]],
) -> tuple[Tensor, list[Tensor]] | None:
    """Run all layers in one call of the engine: output and last states; None where there is no such call."""
    if (
        engine is None
        or sequences.further
        or sequences.reset is not None
        or module.checkpoint
        or any(scan.masks for scan in scans)
        or any(is_per_sample(weight) for group in weights for weight in group)
    ):
        return None
    known: dict[str, Layers | None] = module._calls.layers
    if engine.name not in known:
        known[engine.name] = engine.layers([scan.spec() for scan in scans], module._directions)
    layers = known[engine.name]
    if layers is None:
        return None
    dropout = module.dropout if module.training else 0.0
    with without_autocast(sequences.x):
        return layers(sequences.x, sequences.batch_sizes, states, weights, dropout)


def run(
    engine: Engine | None,
    scan: Scan,
    sequences: Sequences,
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    traced: bool = False,
    checkpoint: Checkpoint = None,
    training: bool = True,
) -> list[Tensor]:
    """Run a scan: output, last states and, if wanted, traced variables, one after the other; differentiable.

    Args:
        engine: the engine that runs it; None under a compiler or torch.jit.trace, where the operator chooses.
        scan: the scan.
        sequences: the sequences that it runs over.
        states: the first states, (batch, size) each.
        parameters: the parameters, in the program's order.
        masks: the values of each random mask, with x's leading dimensions.
        traced: whether every named variable is wanted at every step.
        checkpoint: see ``Recurrent``.
        training: whether the module is in training. Only then an exported program keeps tensors for a backward pass.
    """
    if engine is None:
        return compiled_scan(scan, sequences, states, parameters, masks, traced, checkpoint, training)
    spec = scan.spec(traced)
    if any(map(is_per_sample, parameters)):
        return run_per_sample(partial(execute, engine, spec), sequences, states, parameters, masks)
    return execute(engine, spec, sequences, states, parameters, masks, checkpoint)
