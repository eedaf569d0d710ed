"""The values that a model of many tokens begins with: what the text says of them before any training.

The output's biases are the logarithms of the tokens' frequencies. A token's rows, of the embedding and of the output,
are factors of the counts of its neighbours, so that tokens with like neighbours have like rows. A rare token has few
updates in a training, and begins with what its neighbours say of it instead of random numbers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.tasks.text.encoded import TokenSource
from recurra.tasks.text.token_model import BOUND, MANY_TOKENS, TokenModel

_COUNTED = 10_000_000  # tokens, of which the frequencies are taken
_PAIRED = 3_000_000  # tokens, of which the neighbours are counted: some 100 MB of counts
_NEIGHBOURS = 10_000  # tokens that are counted as neighbours, the most frequent: more are no better (docs/results.md)
_DISTANCES = (1, 2)
_SMOOTHING = 0.75  # the power of the neighbours' frequencies: context distribution smoothing of Levy et al. (2015)
_EXTRA = 20  # factors beyond those asked for, which make those more exact: oversampling of Halko et al. (2011)

_TokenNumbers = np.ndarray[Any, np.dtype[np.integer[Any]]]
_Logarithms = np.ndarray[Any, np.dtype[np.float32]]


@torch.no_grad()
def begin_with_text(model: TokenModel, tokens: TokenSource) -> None:
    """Begin with a text's frequencies and neighbours, if there are at least 10,000 tokens in the vocabulary.

    The rows of the embedding and of the output are the same factors, as many as each is wide, and as long as random
    rows. Tokens that do not occur beside others more often than by chance keep the model's random values, and so do a
    width beyond the number of factors, and the output where the softmax is adaptive.

    Args:
        model: the model; its values are overwritten.
        tokens: the text: the frequencies are those of its first 10 million tokens, the neighbours of the first 3
            million.
    """
    embedding, output = model.embedding.weight, model.output
    if len(embedding) < MANY_TOKENS:
        return
    own = [embedding]
    if isinstance(output, nn.Linear):
        seen = torch.from_numpy(np.bincount(tokens[:_COUNTED], minlength=len(embedding))).double() + 1
        output.bias.copy_((seen / seen.sum()).log())  # no token has the probability zero
        if output.weight is not embedding:
            own.append(output.weight)
    factors, known = neighbour_factors(tokens[:_PAIRED], len(embedding), max(weight.shape[1] for weight in own))
    for weight in own:
        rows = factors[:, : weight.shape[1]]
        # The length of a row of numbers from -BOUND to BOUND, which have the mean square BOUND**2 / 3.
        rows = nn.functional.normalize(rows, dim=1) * BOUND * (rows.shape[1] / 3) ** 0.5
        weight[known, : rows.shape[1]] = rows[known].to(weight)


def neighbour_factors(tokens: _TokenNumbers, vocabulary: int, width: int) -> tuple[Tensor, Tensor]:
    """Factors of the pointwise mutual information of tokens and their neighbours.

    That is the logarithm of how much more often two tokens are neighbours than by chance, where it is positive; its
    largest singular vectors, times the roots of their values, are the rows (Levy & Goldberg 2014, sections 4.1, 4.2;
    Levy et al. 2015). Neighbours on each side and at each distance, of one and two, are told apart; the information at
    distance d is divided by the root of d, as farther neighbours tell less. The mean of all rows is zero: what all have
    in common tells no token from another.

    Args:
        tokens: the numbers of tokens in the order of the text, (T,). Those below 10,000 are counted as neighbours, so
            the most frequent should have the smallest numbers.
        vocabulary: the number of tokens, V.
        width: the number of factors wanted.

    Returns:
        The rows, float32 (V, F), where F is `width` or the number of factors if that is less; and whether a token has
        any positive information, (V,).
    """
    matrix = _information_of_all(tokens, vocabulary, min(vocabulary, _NEIGHBOURS))
    left, singular, _ = torch.svd_lowrank(matrix, min(width + _EXTRA, *matrix.shape))
    factors = (left * singular.sqrt())[:, :width]
    known = matrix.crow_indices().diff() > 0
    return factors - factors[known].sum(0) / max(1, int(known.sum())), known


def _information_of_all(tokens: _TokenNumbers, vocabulary: int, columns: int) -> Tensor:
    """The information of all tokens and neighbours, sparse (V, blocks · columns): a block for a distance and a side."""
    blocks: list[tuple[_TokenNumbers, _TokenNumbers, _Logarithms]] = []
    for distance in _DISTANCES:
        first, second = tokens[:-distance], tokens[distance:]
        for row_tokens, neighbours in ((first, second), (second, first)):
            rows, places, values = _information(row_tokens, neighbours, columns)
            blocks.append((rows, places + len(blocks) * columns, values / distance**0.5))
    counts = np.stack([np.bincount(rows, minlength=vocabulary) for rows, _, _ in blocks])
    # The numbers of a row of the matrix lie one after the other, those of the first block first.
    begins = np.append(0, counts.T.cumsum())
    all_places, all_values = np.empty(begins[-1], np.int32), np.empty(begins[-1], np.float32)
    for number, (rows, places, values) in enumerate(blocks):
        within_row = np.arange(len(rows)) - np.repeat(counts[number].cumsum() - counts[number], counts[number])
        at = begins[rows * len(blocks) + number] + within_row
        all_places[at], all_values[at] = places, values
    begins_of_rows = torch.from_numpy(begins[:: len(blocks)].astype(np.int32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            begins_of_rows,
            torch.from_numpy(all_places),
            torch.from_numpy(all_values),
            size=(vocabulary, len(blocks) * columns),
            check_invariants=True,
        )


def _information(
    tokens: _TokenNumbers, neighbours: _TokenNumbers, columns: int
) -> tuple[_TokenNumbers, _TokenNumbers, _Logarithms]:
    """The positive pointwise mutual information of pairs of tokens: rows, columns and values, in rising order."""
    counted = neighbours < columns
    pairs, counts = np.unique(
        tokens[counted].astype(np.int64) * columns + neighbours[counted].astype(np.int64), return_counts=True
    )
    rows, places = np.divmod(pairs, columns)
    of_row = np.bincount(rows, counts)
    of_column = np.bincount(places, counts) ** _SMOOTHING
    values = np.log(counts * of_column.sum() / (of_row[rows] * of_column[places]))
    positive = values > 0
    return rows[positive], places[positive], values[positive].astype(np.float32)
