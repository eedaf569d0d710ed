"""Sequential batches for truncated backpropagation through time (Williams & Peng 1990), read window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from recurra.tasks.text.encoded import TokenSource
from recurra.vocabulary import Ids

# The target that cross_entropy ignores, in the places after the end of the text.
PADDING = -100


class Lanes:
    """A text cut into `batch` contiguous parts of equal length, read side by side, each from left to right.

    Lane b holds the tokens ``b·L … (b+1)·L − 1``. Window k of a lane follows window k − 1 of the same lane, so the
    state can be carried from one to the next. Each token is predicted from all tokens before it in its lane, and the
    first token of a lane from the token before the lane, which for the first lane is `start`. A window is read from the
    source when it is asked for, and nothing else is kept.

    Args:
        source: the tokens: an array of shape ``(N,)``, or anything else that is read by slices.
        batch: the number of lanes, B.
        start: the token before the text's first one.
        complete: False drops the last N mod B tokens, so that all lanes are full (for training); True keeps all tokens
            and fills the last lanes with targets that :func:`recurra.tasks.text.token_model.nats` ignores (for
            measuring). Default False.
        length: the number of tokens of a lane, L, if not all of the text is to be read: at most N // B. Default: as
            many as there are.
        chosen: the lanes that windows hold, in this order. Default: all of them.
    """

    def __init__(
        self,
        source: TokenSource | Ids,
        batch: int,
        start: int,
        *,
        complete: bool = False,
        length: int | None = None,
        chosen: Sequence[int] | None = None,
    ) -> None:
        self._source, self._start, self._complete = source, start, complete
        self._tokens = len(source)
        whole = -(-self._tokens // batch) if complete else self._tokens // batch
        self.batch, self.length = batch, whole if length is None else length
        self.chosen = range(batch) if chosen is None else chosen

    @classmethod
    def of_windows(cls, source: TokenSource | Ids, steps: int, start: int) -> Lanes:
        """Cut a text into lanes of `steps` tokens, as many as it has: independent windows, to be read in any order.

        ``lanes.choose(numbers).window(0, steps)`` reads the windows of these numbers, 0 to ``lanes.batch`` − 1. The
        last N mod `steps` tokens are dropped.
        """
        return cls(source, max(1, len(source) // steps), start, length=steps)

    def choose(self, lanes: Sequence[int]) -> Lanes:
        """The same lanes, with windows of only the given ones, in this order."""
        return Lanes(self._source, self.batch, self._start, complete=self._complete, length=self.length, chosen=lanes)

    def window(self, number: int, steps: int) -> tuple[Tensor, Tensor]:
        """Read one window of the chosen lanes.

        Args:
            number: the window's number, 0 to ``count(steps)`` − 1.
            steps: the number of tokens of a whole window.

        Returns:
            Inputs and targets, int64, each ``(T, lanes)`` with T = `steps`; the last window is shorter where `steps`
            does not divide the lanes.

        Raises:
            IndexError: there is no such window.
        """
        if not 0 <= number < self.count(steps):
            raise IndexError(f"windows are 0 … {self.count(steps) - 1}; got {number}")
        begin = number * steps
        width = min(steps, self.length - begin)
        # A row is a lane: the token before the window, and its tokens.
        rows = np.full((len(self.chosen), width + 1), PADDING, np.int64)
        for row, lane in zip(rows, self.chosen, strict=True):
            first = lane * self.length + begin
            tokens = self._source[max(0, first - 1) : min(first + width, self._tokens)]
            skipped = 1 if first == 0 else 0
            row[skipped : skipped + len(tokens)] = tokens
            if first == 0:
                row[0] = self._start
        targets = torch.from_numpy(np.ascontiguousarray(rows[:, 1:].T))
        inputs = torch.from_numpy(np.ascontiguousarray(rows[:, :-1].T))
        return inputs.masked_fill_(inputs == PADDING, 0) if self._complete else inputs, targets

    def windows(self, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate once over the chosen lanes, `steps` tokens at a time.

        Yields:
            Windows, as :meth:`window`.
        """
        for number in range(self.count(steps)):
            yield self.window(number, steps)

    def count(self, steps: int) -> int:
        """The number of windows that :meth:`windows` yields."""
        return -(-self.length // steps)


def lanes_that_fit(tokens: int, batch: int, steps: int) -> int:
    """The number of lanes, 1 to `batch`, that a text of `tokens` tokens fills with a window of `steps` tokens each."""
    return max(1, min(batch, tokens // steps))
