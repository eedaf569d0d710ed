"""The learned first values of a model's states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.model.recurrent_parts import arrangement, learned_states

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.model.description import Description


def initial_states(description: Description) -> list[NDArray[Any] | None]:
    """The learned first value of each of the interface's states, (layers * directions, 1, size); None for zeros.

    Args:
        description: a model that runs by itself.
    """
    interface = description.interface
    found: list[NDArray[Any] | None] = []
    parts = dict(interface.parts)
    for name, states in interface.states.items():
        learned, prefix = learned_states(parts[name]), f"{name}." if name else ""
        values = [
            [description.weights[prefix + weight].values().astype(description.dtype) for weight in shapes]
            for shapes in learned
        ]
        if not values:
            found += [None] * len(states)
        elif arrangement(parts[name]).by_layer:
            count = arrangement(parts[name]).directions
            found += [
                np.stack(of_state[begin : begin + count])
                for of_state in values
                for begin in range(0, len(of_state), count)
            ]
        else:
            found += [np.stack(of_state) for of_state in values]
    return found
