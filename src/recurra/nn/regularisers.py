"""Dropout for recurrent models: one mask for a whole sequence, and whole rows of an embedding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class VariationalDropout(nn.Module):
    """Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016, section 4).

    Each call draws a mask (1, batch, features) from torch's generator, in training alone; elements that stay are
    divided by 1 − p. With p = 0 nothing is drawn.

    Args:
        p: the probability of dropping a feature of a sequence. Default 0.5.

    Raises:
        ValueError: p is not from 0 to 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of x, (seq_len, batch, features)."""
        if not self.training or self.p == 0:
            return x
        mask = functional.dropout(x.new_ones(1, *x.shape[1:]), self.p, True)
        return x * mask

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class EmbeddingDropout(nn.Embedding):
    """An embedding that drops whole tokens (Gal & Ghahramani 2016, section 4.2; Merity et al. 2018, section 4.3).

    Each call in training draws the tokens of the vocabulary that it drops, from torch's generator. A dropped token's
    row is zero wherever the token occurs in the call; the other rows are divided by 1 − p. In files it is an Embedding.

    Args:
        num_embeddings: the number of tokens.
        embedding_dim: the number of features of a row.
        p: the probability of dropping a token. Default 0.1.
        **options: further arguments of torch.nn.Embedding.

    Raises:
        ValueError: p is not from 0 to 1.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, p: float = 0.1, **options: Any) -> None:
        super().__init__(num_embeddings, embedding_dim, **options)
        self.p = _probability(p)

    def forward(self, input: Tensor) -> Tensor:
        """Look up the rows of tokens of any shape; the features come last."""
        rows = super().forward(input)
        if not self.training or self.p == 0:
            return rows
        scales = functional.dropout(rows.new_ones(self.num_embeddings), self.p, True)
        return rows * scales[input].unsqueeze(-1)

    def extra_repr(self) -> str:
        """The sizes and the probability."""
        return f"{super().extra_repr()}, p={self.p}"


def _probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"p must be a probability from 0 to 1; got {p!r}")
    return p
