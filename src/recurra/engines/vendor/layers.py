"""A whole module as one call of torch, which is the fastest way on cuDNN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from recurra.cells.known import KnownLayer
from recurra.engines.protocol import Array, ScanSpec
from recurra.engines.vendor.call import run_layers
from recurra.engines.vendor.weights import Weights


class VendorLayers:
    """All scans of a module in one call: implements ``protocol.Layers``."""

    def __init__(self, scans: Sequence[ScanSpec], known: Sequence[KnownLayer], directions: int) -> None:
        self._known = known[0]
        self._weights = [
            Weights(scan.plan.program, layer, scan.sizes) for scan, layer in zip(scans, known, strict=True)
        ]
        self._directions = directions

    def __call__(
        self,
        x: Array,
        batch_sizes: Array | None,
        states: Sequence[Array],
        parameters: Sequence[Sequence[Array]],
        dropout: float,
    ) -> tuple[Array, list[Array]]:
        """Return the last layer's output, (steps, directions * size), and the last value of each state."""
        weights: list[Tensor] = []
        for scan, of_scan in zip(self._weights, parameters, strict=True):
            weights += scan.of(of_scan)
        layers = len(self._weights) // self._directions
        return run_layers(self._known, x, batch_sizes, states, weights, layers, self._directions, dropout)
