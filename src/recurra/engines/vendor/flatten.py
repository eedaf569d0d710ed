"""Lays weights one after the other in memory, so that cuDNN reads them without a copy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.engines.protocol import ScanSpec
from recurra.engines.torch_internals import lay_weights_flat, lays_weights_flat
from recurra.engines.vendor.known import known_stack
from recurra.engines.vendor.weights import Weights


def flatten(scans: Sequence[ScanSpec], directions: int, parameters: Sequence[Tensor]) -> None:
    """Lay a module's parameters one after the other, as torch.nn does for cuDNN.

    They stay where they are unless torch.nn's conditions hold and each parameter is one of torch's weights as it is.

    Args:
        scans: layer by layer, the directions of a layer beside each other.
        directions: scans of each layer.
        parameters: of all scans, in their programs' order; they get new memory.
    """
    if not all(_suits(parameter, parameters[0]) for parameter in parameters):
        return
    addresses = {parameter.data_ptr() for parameter in parameters}
    if len(addresses) != len(parameters) or not lays_weights_flat():
        return
    known = known_stack(scans, directions)
    if known is None:
        return
    weights: list[Tensor] = []
    rest = list(parameters)
    for scan, layer in zip(scans, known, strict=True):
        count = len(scan.plan.program.parameters)
        weights += Weights(scan.plan.program, layer, scan.sizes).of(rest[:count])
        del rest[:count]
    if {id(weight) for weight in weights} != {id(parameter) for parameter in parameters}:
        return
    from torch.backends.cudnn import rnn

    sizes = scans[0].sizes
    with torch.cuda.device(weights[0].device), torch.no_grad():
        lay_weights_flat(
            weights,
            len(weights) // len(scans),
            sizes.input,
            rnn.get_cudnn_mode(known[0].mode),  # type: ignore[no-untyped-call]
            sizes.hidden,
            sizes.proj if known[0].is_projected else 0,
            len(scans) // directions,
            False,
            directions == 2,
        )


def _suits(parameter: Tensor, first: Tensor) -> bool:
    is_cuda = parameter.is_cuda and parameter.dtype == first.dtype
    return is_cuda and bool(torch.backends.cudnn.is_acceptable(parameter))  # type: ignore[no-untyped-call]
