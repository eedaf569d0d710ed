"""A checked call of a module: all its layers and directions, in one call of the engine or scan by scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional

from recurra.nn.layer_states import OfScans, flattened
from recurra.nn.running.layers import through_layers
from recurra.nn.running.learned_reset import with_marks
from recurra.nn.running.run import engine_of, run, run_whole
from recurra.nn.running.scan import Sequences

TracedValues = dict[tuple[str, int, int], Tensor]
"""The values of traced variables, by name, layer and direction."""


def run_layers(
    module: Any,
    sequences: Sequences,
    states: Sequence[OfScans],
    weights: Sequence[Sequence[Tensor]],
    batch: int,
    traced: bool,
) -> tuple[Tensor, Sequence[OfScans], TracedValues]:
    """Run all layers of a module: the output, each state's last values, and the traced variables.

    Args:
        module: a layer.
        sequences: the sequences.
        states: the first states, in the order of the rows.
        weights: the weights of each scan; with resets to learned values, these values come last.
        batch: the number of sequences.
        traced: whether every named variable is wanted at every step.
    """
    plain = scans = [scan.in_mode(module.training) for scan in module._scans]
    marks = None
    if module._learned_resets is not None and sequences.reset is not None:
        scans = module._learned_resets.in_mode(module.training)
        marks, sequences = sequences.reset, replace(sequences, reset=None)
    tensors = [*flattened(states), *(weight for group in weights for weight in group)]
    engine = engine_of(module, scans[0], sequences, tensors, traced)
    if module._is_plain and marks is None and not traced:
        whole = run_whole(module, engine, scans, sequences, flattened(states), weights)
        if whole is not None:
            return whole[0], whole[1], {}
    last: list[list[Tensor]] = [[] for _ in states]
    traces: TracedValues = {}

    def run_scan(number: int, x: Tensor) -> Tensor:
        scan, inputs = scans[number], sequences.over(x)
        first = [state[number] for state in states]
        masks = plain[number].draw(inputs, batch, module.training, traced)
        if marks is not None:
            masks = with_marks(scan, marks, masks, x, traced)
        values = run(engine, scan, inputs, first, weights[number], masks, traced, module.checkpoint, module.training)
        for kept, value in zip(last, values[1:], strict=False):
            kept.append(value)
        if traced:
            names = [(name, *module._arrangement.place(number)) for name, _ in scan.traced]
            traces.update(zip(names, values[1 + len(states) :], strict=True))
        return values[0]

    between = partial(functional.dropout, p=module.dropout, training=module.training)
    output = through_layers(
        len(scans), module._directions, sequences.x, run_scan, between, module.merge_mode, module._adds_input
    )
    return output, last, traces
