"""A whole module in one call of torch's: what cuDNN runs fastest."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from recurra.cells.known import KnownLayer
from recurra.engines.protocol import Array, ScanSpec
from recurra.engines.vendor.call import run_layers
from recurra.engines.vendor.weights import Weights


class VendorLayers:
    """All scans of a module."""

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
        """The last layer's output, (steps, directions * size), and the last states: see ``protocol.Layers``."""
        weights: list[Tensor] = []
        for scan, given in zip(self._weights, parameters, strict=True):
            weights += scan.of(given)
        layers = len(self._weights) // self._directions
        return run_layers(self._known, x, batch_sizes, states, weights, layers, self._directions, dropout)
