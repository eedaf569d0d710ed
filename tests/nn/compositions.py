"""A layer's result, put together of single layers in one direction that run one sequence at a time."""

from itertools import pairwise

import torch
from torch.func import functional_call

from recurra.nn import Recurrent


def composed(layer, rows, states=None, resets=None):
    """The outputs and last states of a layer over sequences of different lengths.

    Args:
        layer: a ``Recurrent``.
        rows: the sequences, (length, features) each.
        states: for each state, the first values (batch, size) by layer and direction; None for the layer's own.
        resets: bool (length,) for each sequence; None for none.

    Returns:
        the outputs, (length, features) each, and for each state the last values (batch, size) by layer and direction.
    """
    weights = dict(layer.named_parameters())
    directions = 2 if layer.bidirectional else 1
    sizes = layer.hidden_size if isinstance(layer.hidden_size, tuple) else (layer.hidden_size,) * layer.num_layers
    last = [[] for _ in layer.cell.states]
    for level, size in enumerate(sizes):
        given = rows[0].shape[-1]
        single = Recurrent(
            layer.cell, given, size, bias=layer.bias, proj_size=layer.proj_size, dtype=rows[0].dtype, **layer.options
        )
        found = []
        for direction in range(directions):
            suffix = f"_l{level}" + "_reverse" * direction
            shared = f"_l{level}" + "_reverse" * (direction and not layer.tie_directions)
            own = {name: weights[name.removesuffix("_l0") + shared] for name, _ in single.named_parameters()}
            zero = [row.new_zeros(1, width) for row, width in zip([rows[0]] * 9, single.state_sizes, strict=False)]
            names = [f"{name}_0{suffix}" for name in layer.cell.states]
            learned = [weights[name] for name in names] if layer.learn_initial_state else zero
            outputs, ends = [], []
            for b, row in enumerate(rows):
                start = learned
                if states is not None:
                    start = [of_state[level * directions + direction][b : b + 1] for of_state in states]
                marks = None if resets is None else resets[b].flip(0) if direction else resets[b]
                ordered = row.flip(0) if direction else row
                output, end = pieces(single, own, ordered, start, learned, marks)
                outputs.append(output.flip(0) if direction else output)
                ends.append(end)
            found.append(outputs)
            for position, values in enumerate(last):
                values.append(torch.cat([end[position] for end in ends]))
        merged = [merge(layer.merge_mode, [outputs[b] for outputs in found]) for b in range(len(rows))]
        adds = layer.residual and merged[0].shape[-1] == given
        rows = [row + output if adds else output for row, output in zip(rows, merged, strict=True)]
    return rows, last


def pieces(single, weights, row, state, learned, marks):
    """One sequence in one direction, cut before its marks; each piece but the first begins with the learned state."""
    cuts = [0, len(row)] if marks is None else [0, *(t for t in range(len(row)) if marks[t]), len(row)]
    outputs = []
    for number, (begin, end) in enumerate(pairwise(cuts)):
        state = state if number == 0 else learned
        if end > begin:
            hx = tuple(state) if len(state) > 1 else state[0]
            output, after = functional_call(single, weights, (row[begin:end], hx))
            state = list(after) if isinstance(after, tuple) else [after]
            outputs.append(output)
    return torch.cat(outputs), state


def merge(mode, outputs):
    """The outputs of all directions as one."""
    if mode == "concat" or len(outputs) == 1:
        return torch.cat(outputs, -1)
    stacked = torch.stack(outputs)
    return {"sum": stacked.sum(0), "mul": stacked.prod(0), "ave": stacked.mean(0)}[mode]
