"""``LastStep``: the last step of each sequence, for models that give one result for a whole sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.nn.checks import check_flags
from recurra.nn.packed_checks import check_packed


class LastStep(nn.Module):
    """The last step of each sequence: (seq_len, batch, features) to (batch, features).

    Behind a recurrent layer that is its last output; behind ``RunningMean`` and ``RunningMax``, pooling over the whole
    sequence. Lengths of packed sequences, and those of ``recurra.runtime``'s models, hold for it. In a stream every
    step is the last one so far.

    Args:
        batch_first: the input is (batch, seq_len, features), as for a layer with ``batch_first``. Default False.
        bidirectional: the second half of the features comes from the first step, where the second direction of a
            bidirectional layer ends: the last states of both directions. Default False.

    Raises:
        TypeError: an argument is no bool.
    """

    def __init__(self, batch_first: bool = False, bidirectional: bool = False) -> None:
        super().__init__()
        check_flags(batch_first=batch_first, bidirectional=bidirectional)
        self.batch_first, self.bidirectional = batch_first, bidirectional

    def forward(self, x: Tensor | PackedSequence) -> Tensor:
        """Take the last step.

        Args:
            x: (seq_len, batch, features), or batch first, or unbatched (seq_len, features); or packed.

        Returns:
            (batch, features), for packed sequences in the caller's order; unbatched (features,).

        Raises:
            ValueError: x has another number of dimensions, or an odd number of features with ``bidirectional``.
        """
        first, last = _ends_packed(x) if isinstance(x, PackedSequence) else self._ends(x)
        if not self.bidirectional:
            return last
        half, rest = divmod(last.shape[-1], 2)
        if rest:
            raise ValueError(f"bidirectional needs an even number of features; got {last.shape[-1]}")
        return torch.cat([last[..., :half], first[..., half:]], -1)

    def _ends(self, x: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(x, Tensor) or x.dim() not in (2, 3):
            got = f"{tuple(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
            names = "(batch, seq_len, features)" if self.batch_first else "(seq_len, batch, features)"
            raise ValueError(f"LastStep takes {names}, unbatched (seq_len, features), or packed sequences; got {got}")
        time = 1 if self.batch_first and x.dim() == 3 else 0
        return x.select(time, 0), x.select(time, -1)

    def extra_repr(self) -> str:
        """The arguments that are set."""
        return ", ".join(f"{name}=True" for name in ("batch_first", "bidirectional") if getattr(self, name))


def _ends_packed(x: PackedSequence) -> tuple[Tensor, Tensor]:
    """The first and the last step of packed sequences, in the caller's order; zeros for sequences without steps."""
    batch, sizes = check_packed(x), x.batch_sizes
    filled = int(sizes[0])
    lengths = (sizes[:, None] > torch.arange(filled)).sum(0)
    rows = (torch.cumsum(sizes, 0) - sizes)[lengths - 1] + torch.arange(filled)
    ends = [x.data[:filled], x.data[rows.to(x.data.device)]]
    ends = [torch.cat([each, each.new_zeros(batch - filled, *each.shape[1:])]) for each in ends]
    order = x.unsorted_indices
    first, last = ends if order is None else [each[order] for each in ends]
    return first, last
