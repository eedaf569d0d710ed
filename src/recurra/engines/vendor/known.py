"""Finds plans that are layers of torch, and scans that are a stack of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from recurra.cells.known import KnownLayer, find_known
from recurra.compiler import Plan
from recurra.engines.protocol import ScanSpec


@lru_cache(maxsize=512)
def known_layer(plan: Plan) -> KnownLayer | None:
    """The layer that a plan is, apart from traced variables; None if it is none."""
    return find_known(plan.program)


def known_stack(scans: Sequence[ScanSpec], directions: int) -> list[KnownLayer] | None:
    """The layer of each scan, if all have one kind and size, and each runs over the layer before; else None.

    Args:
        scans: layer by layer, the directions of a layer beside each other, forwards first.
        directions: scans of each layer.
    """
    layers: list[KnownLayer] = []
    width = scans[0].sizes.input
    for number, scan in enumerate(scans):
        layer = known_layer(scan.plan)
        if number and number % directions == 0:
            width = directions * scans[0].output_size
        if layer is None or scan.plan.traced or scan.sizes.input != width or scan.reverse != bool(number % directions):
            return None
        layers.append(layer)
        if layer.kind != layers[0].kind or scan.state_sizes != scans[0].state_sizes:
            return None
    return layers
