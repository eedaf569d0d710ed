"""Memory that a forward pass keeps for the backward pass: ``python -m recurra.bench.memory SIDE FILE``, for one side.

There are two figures: the growth of the process while the output is held, and the size of the tensors that autograd
saves. The first includes memory that the C library does not give back, so ``ENVIRONMENT`` asks it to give back most.
The second includes only what is saved by autograd's own means.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.bench.cases import MEMORY, Case
from recurra.bench.records import Kept, append

if TYPE_CHECKING:
    import torch

SIDES = ("recurra", "torch")
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def kept(side: str, case: Case = MEMORY) -> Kept:
    """Run a forward pass, and measure what it keeps.

    Args:
        side: ``recurra`` or ``torch``.
        case: a case of one of torch.nn's layers.
    """
    import torch

    from recurra.bench.peers import torch_peer
    from recurra.bench.problem import make

    problem = make(case)
    module = problem.layer if side == "recurra" else torch_peer.module(problem)
    x = problem.dense
    module(x[:2])[0].sum().backward()  # loads and allocates what a process needs once
    gc.collect()
    before = resident()
    output = module(x)[0]
    gc.collect()
    grown = resident() - before
    size = output.nbytes
    del output

    saved: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x)
    inputs = _storages([*module.parameters(), x])
    storages = {key: value for key, value in _storages(saved).items() if key not in inputs}
    return Kept(side, grown, size, sum(storages.values()))


def resident() -> int:
    """Bytes of memory that this process occupies; 0 if the system does not report it."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """The sizes in bytes of the tensors' storages, by address."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages}


if __name__ == "__main__":
    append(Path(sys.argv[2]), kept(sys.argv[1]))
