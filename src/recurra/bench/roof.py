"""Measurements of the machine's best performance: the peak of its matrix products, the bandwidth of its caches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from recurra.bench.floor import Level
from recurra.bench.machine import Cache

SIZES = (256, 384, 512, 768, 1024, 1536)
SWEEP = 1 << 22  # bytes that a call reads at least, so that the call itself costs next to nothing
GRAIN = 1 << 13  # bytes; sizes of arrays are multiples of it


def peak(seconds: float) -> float:
    """Operations per second of the fastest float32 matrix product, torch's or numpy's, of any good size.

    Args:
        seconds: the time to spend, in all.
    """
    return max(2 * size**3 / _fastest(call, seconds / 2 / len(SIZES)) for size in SIZES for call in _products(size))


def _products(size: int) -> Iterator[Callable[[], object]]:
    a, b, out = torch.randn(size, size), torch.randn(size, size), torch.empty(size, size)
    a_numpy, b_numpy, out_numpy = a.numpy(), b.numpy(), out.numpy()
    yield lambda: torch.mm(a, b, out=out)
    yield lambda: np.matmul(a_numpy, b_numpy, out=out_numpy)


def levels(caches: tuple[Cache, ...], seconds: float) -> tuple[Level, ...]:
    """All caches and the memory, with the bandwidth at which all of torch's threads together read from them.

    Args:
        caches: the caches from the smallest on.
        seconds: the time to spend on each.
    """
    memory = Cache("memory", 0, shared=True)
    largest = max((cache.size for cache in caches), default=1 << 25)
    sizes = [cache.size // 2 for cache in caches] + [min(4 * largest, 1 << 29)]
    return tuple(
        Level(cache.name, cache.size, cache.shared, _together(cache, size // GRAIN * GRAIN, seconds))
        for cache, size in zip((*caches, memory), sizes, strict=True)
    )


def _together(cache: Cache, size: int, seconds: float) -> float:
    """The bandwidth of all threads; of a cache that cores do not share, the threads' number times that of one."""
    threads = torch.get_num_threads()
    if cache.shared:
        return bandwidth(size, seconds)
    torch.set_num_threads(1)
    try:
        return threads * bandwidth(size, seconds)
    finally:
        torch.set_num_threads(threads)


def bandwidth(size: int, seconds: float) -> float:
    """Bytes per second that torch's threads together read from an array of `size` bytes, again and again.

    The figure is the better one of sums along the array's rows and a scalar product of its halves. A small array is
    summed many times in one call. In the smallest cache both are bound by their arithmetic, and the figure is low.

    Args:
        size: a multiple of 8 KiB.
        seconds: the time to spend.
    """
    values = torch.rand(size // 4)
    passes = max(1, SWEEP // size)
    rows = values.expand(passes, -1) if passes > 1 else values.view(-1, 1024)
    sums = torch.empty(rows.shape[0])
    first, second = np.split(values.numpy(), 2)
    by_sums = passes * size / _fastest(lambda: torch.sum(rows, 1, out=sums), seconds / 2)
    return max(by_sums, size / _fastest(lambda: np.dot(first, second), seconds / 2))


def _fastest(call: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call among those that fit in `seconds`, at least three."""
    call()
    best, count, end = float("inf"), 0, time.perf_counter() + seconds
    while count < 3 or time.perf_counter() < end:
        begin = time.perf_counter_ns()
        call()
        best = min(best, (time.perf_counter_ns() - begin) / 1e9)
        count += 1
    return best
