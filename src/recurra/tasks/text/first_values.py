"""The values that a model of many tokens begins with: what the text says of them before any training.

The output's biases are the logarithms of the tokens' frequencies. A token's rows, of the embedding and of the output,
are factors of the counts of its neighbours, so that tokens with like neighbours have like rows. A rare token has few
updates in a training, and begins with what its neighbours say of it instead of random numbers.
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.tasks.text.encoded import TokenSource
from recurra.tasks.text.token_model import BOUND, MANY_TOKENS, TokenModel

_COUNTED = 10_000_000  # tokens, of which the frequencies are taken
_PAIRED = 3_000_000  # tokens, of which the neighbours are counted: they and their factors take below 0.5 GB
_NEIGHBOURS = 10_000  # the most frequent tokens alone are counted as neighbours: the others tell little of each other
_DISTANCES = (1, 2)
_SMOOTHING = 0.75  # the power of the neighbours' frequencies: context distribution smoothing of Levy et al. (2015)
_EXTRA = 20  # factors beyond those asked for, which make those more exact: oversampling of Halko et al. (2011)

_Numbers = np.ndarray[Any, np.dtype[np.int64]]


@torch.no_grad()
def begin_with_text(model: TokenModel, tokens: TokenSource) -> None:
    """Begin with a text's frequencies and neighbours, if there are at least 10,000 tokens in the vocabulary.

    The embedding and the output have the same rows, in the same order of magnitude as random ones. Tokens that do not
    occur, and a width beyond the number of factors, keep the model's random values; so has the output where the softmax
    is adaptive.

    Args:
        model: the model; its values are overwritten.
        tokens: the text, of which a beginning is counted.
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
    factors, occurs = neighbour_factors(tokens[:_PAIRED], len(embedding), max(weight.shape[1] for weight in own))
    for weight in own:
        rows = factors[:, : weight.shape[1]]
        # The length of a row of numbers from -BOUND to BOUND, which have the mean square BOUND**2 / 3.
        rows = nn.functional.normalize(rows, dim=1) * BOUND * (rows.shape[1] / 3) ** 0.5
        weight[occurs, : rows.shape[1]] = rows[occurs].to(weight)


def neighbour_factors(tokens: np.ndarray[Any, Any], vocabulary: int, width: int) -> tuple[Tensor, Tensor]:
    """Factors of the pointwise mutual information of tokens and their neighbours.

    That is the logarithm of how much more often two tokens are neighbours than by chance, where it is positive; its
    largest singular vectors, times the roots of their values, are the rows (Levy & Goldberg 2014, sections 4.1, 4.2;
    Levy et al. 2015). Neighbours on each side and at each distance are told apart, and the mean of all rows is zero.

    Args:
        tokens: the numbers of tokens in the order of the text, (T,); the most frequent have the smallest.
        vocabulary: the number of tokens, V.
        width: the number of factors wanted.

    Returns:
        The rows, float32 (V, F), where F is `width` or the number of factors if that is less; and whether a token has
        neighbours, (V,).
    """
    columns = min(vocabulary, _NEIGHBOURS)
    blocks = []
    for number, (distance, after) in enumerate(product(_DISTANCES, (True, False))):
        first, second = tokens[:-distance], tokens[distance:]
        rows, neighbours, values = _information(*((first, second) if after else (second, first)), columns)
        blocks.append((rows, neighbours + number * columns, values / distance**0.5))
    rows, places, values = (np.concatenate(each) for each in zip(*blocks, strict=True))
    size = (vocabulary, len(blocks) * columns)
    pairs = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([rows, places])), torch.from_numpy(values), size, check_invariants=True
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        matrix = pairs.coalesce().to_sparse_csr()  # products with it are several times as fast
    left, singular, _ = torch.svd_lowrank(matrix, min(width + _EXTRA, *size))
    factors = (left * singular.sqrt())[:, :width]
    occurs = torch.zeros(vocabulary, dtype=torch.bool)
    occurs[torch.from_numpy(rows)] = True
    return factors - factors[occurs].sum(0) / max(1, int(occurs.sum())), occurs


def _information(
    tokens: np.ndarray[Any, Any], neighbours: np.ndarray[Any, Any], columns: int
) -> tuple[_Numbers, _Numbers, np.ndarray[Any, np.dtype[np.float32]]]:
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
