"""Snapshots of any arrays: the same arrays come back, damage and other shapes are named."""

import numpy as np
import pytest

from recurra.errors import RecurraError
from recurra.packed.snapshot import pack, unpack

STATES = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1.5]), np.zeros((0, 2), np.float32)]


def test_arrays_come_back():
    for state, back in zip(STATES, unpack(pack(STATES), STATES), strict=True):
        assert back.dtype == state.dtype
        np.testing.assert_array_equal(back, state)


def test_damage_is_seen():
    content = bytearray(pack(STATES))
    content[-6] ^= 1
    with pytest.raises(RecurraError, match="damaged"):
        unpack(content, STATES)


def test_another_shape_is_refused():
    with pytest.raises(RecurraError, match="another model or batch"):
        unpack(pack(STATES), [STATES[0].T, *STATES[1:]])
