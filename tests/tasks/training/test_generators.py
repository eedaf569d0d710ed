"""All random generators go on where their states were taken, and damaged states are refused."""

import random

import numpy as np
import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.training.generators import generator_states, restore_generators


def drawn() -> list[float]:
    legacy = np.random.normal(size=3).tolist()
    return [*torch.randn(3).tolist(), *torch.rand(2).tolist(), random.gauss(0, 1), random.random(), *legacy]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_they_go_on(before: int) -> None:
    for _ in range(before):  # numbers of a pair, the second of which a generator keeps
        drawn()
        random.gauss(0, 1)
        np.random.normal()
    states = {name: state.clone() for name, state in generator_states().items()}
    expected = drawn()
    assert drawn() != expected
    # As a checkpoint holds them: of two processes, and bytes as int8.
    stored = {name: torch.stack([state.roll(1), state]) for name, state in states.items()}
    stored["torch"] = stored["torch"].view(torch.int8)
    restore_generators({name: both[1] for name, both in stored.items()})
    assert drawn() == expected


@pytest.mark.parametrize("name", ["torch", "python", "numpy"])
def test_damaged_states(name: str) -> None:
    states = generator_states()
    for wrong in (states[name][:-1], states[name][:0], torch.full_like(states[name], 77)):
        with pytest.raises(RunError, match="the state of a random generator is damaged"):
            restore_generators({**states, name: wrong})
    del states[name]
    with pytest.raises(RunError, match="the state of a random generator is damaged"):
        restore_generators(states)
