"""Sequential batches for truncated backpropagation through time (Williams & Peng 1990)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from recurra.vocabulary import Ids

# The target that cross_entropy ignores, in the places after the end of the text.
PADDING = -100


class Lanes:
    """A text cut into `batch` contiguous parts of equal length, read side by side, each from left to right.

    Lane b holds the tokens ``b·L … (b+1)·L − 1``. Window k of a lane follows window k − 1 of the same lane, so the
    state can be carried from one to the next. Each token is predicted from all tokens before it in its lane, and the
    first token of a lane from the token before the lane, which for the first lane is `start`.

    Args:
        ids: the tokens, shape ``(N,)``.
        batch: the number of lanes, B.
        start: the token before the text's first one.
        complete: False drops the last N mod B tokens, so that all lanes are full (for training); True keeps all tokens
            and fills the last lanes with targets that :func:`recurra.tasks.text.language_model.nats` ignores (for
            measuring).
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
        """Iterate once over the lanes, `steps` tokens at a time.

        Yields:
            Inputs and targets, each ``(T, B)`` with T = `steps`; the last window is shorter where `steps` does not
            divide the lanes.
        """
        for begin in range(0, self.length, steps):
            yield self.inputs[begin : begin + steps], self.targets[begin : begin + steps]

    def count(self, steps: int) -> int:
        """The number of windows that :meth:`windows` yields."""
        return -(-self.length // steps)


def lanes_that_fit(tokens: int, batch: int, steps: int) -> int:
    """The number of lanes, 1 to `batch`, that a text of `tokens` tokens fills with a window of `steps` tokens each."""
    return max(1, min(batch, tokens // steps))
