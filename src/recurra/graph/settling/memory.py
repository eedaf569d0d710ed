"""Memory of a settled call: arrays that stay, in buffers that later values use again."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from recurra.graph.table import Array


def owner_of(array: Array) -> Array:
    """The array that owns an array's memory, as far as numpy knows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Buffers:
    """Hands out arrays, and takes back the memory of those that are no longer read.

    Steps run in the order in which they were made, so that a buffer may hold one value after another.

    Attributes:
        nbytes: the memory of all buffers.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._free: list[Array] = []
        self._owners: dict[int, Array] = {}  # by id
        self._users: Counter[int] = Counter()  # values that lie in each buffer

    def array(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """A contiguous array with any numbers in it."""
        count = math.prod(shape) * np.dtype(dtype).itemsize
        fitting = [each for each in self._free if count <= each.nbytes <= 2 * count + 4096]
        if fitting:
            memory = min(fitting, key=lambda each: each.nbytes)
            self._free = [each for each in self._free if each is not memory]
        else:
            memory = np.zeros(max(count, 1), np.uint8)
            self.nbytes += memory.nbytes
            self._owners[id(memory)] = memory
        return memory[:count].view(dtype).reshape(shape)

    def use(self, array: Array) -> None:
        """Note that a value lies in this array, perhaps in a part of a buffer."""
        if id(owner_of(array)) in self._owners:
            self._users[id(owner_of(array))] += 1

    def release(self, array: Array) -> None:
        """Note that a value is no longer read; the memory of the last one in a buffer is free."""
        owner = id(owner_of(array))
        if owner in self._owners:
            self._users[owner] -= 1
            if self._users[owner] <= 0:
                self._free.append(self._owners[owner])
