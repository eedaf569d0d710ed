"""The states of all random generators that a training may draw from, as tensors."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from recurra.errors import RunError

_NUMPY_KEYS = 624  # of its Mersenne Twister


def generator_states() -> dict[str, Tensor]:
    """The states by name, each a vector of int64 or uint8: torch's, Python's and numpy's legacy generator.

    The state of torch's generator on a GPU is among them if CUDA is in use.
    """
    version, words, gauss = random.getstate()
    # The cached second number of a pair of normal numbers follows, as its bits.
    python = [version, *words, gauss is not None, _bits(gauss or 0.0)]
    _, keys, position, has_gauss, cached = np.random.get_state()
    numpy = [*map(int, keys), position, has_gauss, _bits(float(cached))]
    states = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(python, dtype=torch.int64),
        "numpy": torch.tensor(numpy, dtype=torch.int64),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_generators(states: Mapping[str, Tensor]) -> None:
    """Give all generators the states of :func:`generator_states`; bytes may be int8, as a checkpoint holds them.

    Raises:
        RunError: these are no such states.
    """
    try:
        _restore_python(states["python"].tolist())
        *keys, position, has_gauss, bits = states["numpy"].tolist()
        if len(keys) != _NUMPY_KEYS or not 0 <= position <= _NUMPY_KEYS or has_gauss not in (0, 1):
            raise ValueError("numpy's has another form")
        key_array = np.array(keys, np.uint32)
        np.random.set_state(("MT19937", key_array, position, has_gauss, _from_bits(bits)))
        # Copies, as torch (2.13) reads from the beginning of the storage, and not from that of a view.
        torch.set_rng_state(states["torch"].view(torch.uint8).clone())
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"].view(torch.uint8).clone())
    except (KeyError, ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise RunError(f"the state of a random generator is damaged: {error}") from None


def _restore_python(numbers: list[int]) -> None:
    version, *words, has_gauss, bits = numbers
    if has_gauss not in (0, 1):
        raise ValueError("Python's has another form")
    random.setstate((version, tuple(words), _from_bits(bits) if has_gauss else None))


def _bits(number: float) -> int:
    return int(np.array(number, np.float64).view(np.int64))


def _from_bits(bits: int) -> float:
    return float(np.array(bits, np.int64).view(np.float64))
