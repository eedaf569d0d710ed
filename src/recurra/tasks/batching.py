"""Sequential batches for truncated backpropagation through time (Williams & Peng 1990)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from recurra.vocabulary import Ids

# What cross_entropy leaves out: the places after the end of the last lane.
PADDING = -100


class Lanes:
    """A text cut into `batch` contiguous parts of equal length, read side by side and each from left to right.

    Lane b holds the tokens ``b·L … (b+1)·L − 1``, and window k of a lane follows on window k − 1 of the same lane, so a
    state may be carried from one to the next. Each token is predicted from all before it in its lane; the first of a
    lane from the token before, which for the first lane is `start`.

    Args:
        ids: the tokens, shape ``(N,)``.
        batch: how many lanes, B.
        start: the token before the first.
        complete: False drops the last N mod B tokens, fewer than B, so that all lanes are full (for training); True
            keeps all, and fills up the last lanes with targets that :func:`recurra.tasks.language_model.nats` leaves
            out (for measuring).
    """

    def __init__(self, ids: Ids, batch: int, start: int, *, complete: bool = False) -> None:
        targets = torch.from_numpy(ids)
        inputs = functional.pad(targets[:-1], (1, 0), value=start)
        self.length = -(-len(ids) // batch) if complete else len(ids) // batch
        size = self.length * batch
        fill = max(0, size - len(ids))
        self.inputs = functional.pad(inputs[:size], (0, fill)).view(batch, self.length).t()
        self.targets = functional.pad(targets[:size], (0, fill), value=PADDING).view(batch, self.length).t()

    def windows(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Go once through the lanes, `steps` tokens at a time.

        Yields:
            Inputs and targets, each ``(T, B)`` with T = `steps`; the last window is shorter where `steps` does not
            divide the lanes.
        """
        for begin in range(0, self.length, steps):
            yield self.inputs[begin : begin + steps], self.targets[begin : begin + steps]

    def count(self, steps: int) -> int:
        """Number of windows that :meth:`windows` gives."""
        return -(-self.length // steps)


def lanes_that_fit(tokens: int, batch: int, steps: int) -> int:
    """Give how many of `batch` lanes a text of so many tokens can fill with one window of `steps` each; at least 1."""
    return max(1, min(batch, tokens // steps))
