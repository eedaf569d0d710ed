"""Models of many words begin with the words' frequencies and neighbours."""

import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from recurra.tasks.text import first_values
from recurra.tasks.text.corpus import make_corpus
from recurra.tasks.text.first_values import begin_with_text, neighbour_factors
from recurra.tasks.text.job import TextJob
from recurra.tasks.text.settings import ModelSettings, TextSettings
from recurra.tasks.text.token_model import BOUND, TokenModel, build

TOKENS = np.random.default_rng(0).zipf(1.5, 400).astype(np.uint16) % 12
MANY = 10_000


def information(tokens: list[int], vocabulary: int, neighbours: int) -> np.ndarray:
    """The positive pointwise mutual information, counted pair by pair: a second implementation."""
    blocks = []
    for distance in (1, 2):
        for sign in (1, -1):
            places = [(n, n + sign * distance) for n in range(len(tokens)) if 0 <= n + sign * distance < len(tokens)]
            pairs = Counter((tokens[n], tokens[m]) for n, m in places if tokens[m] < neighbours)
            words, contexts = Counter(), Counter()
            for (word, context), count in pairs.items():
                words[word] += count
                contexts[context] += count
            smooth = {context: count**0.75 for context, count in contexts.items()}
            block = np.zeros((vocabulary, neighbours))
            for (word, context), count in pairs.items():
                chance = smooth[context] / sum(smooth.values())
                block[word, context] = max(0, np.log(count / words[word] / chance)) / distance**0.5
            blocks.append(block)
    return np.concatenate(blocks, 1)


@pytest.mark.parametrize("neighbours", [12, 5])
def test_factors_of_the_mutual_information(monkeypatch: pytest.MonkeyPatch, neighbours: int) -> None:
    monkeypatch.setattr(first_values, "_NEIGHBOURS", neighbours)
    matrix = information(TOKENS.tolist(), 12, neighbours)
    left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    expected = left * np.sqrt(singular)
    expected -= expected.mean(0)
    torch.manual_seed(0)
    factors, known = neighbour_factors(TOKENS, 12, 12)
    assert known.all()
    # Singular vectors have no sign of their own, and products of rows do not depend on it.
    np.testing.assert_allclose(factors @ factors.T, expected @ expected.T, atol=1e-4)
    few, _ = neighbour_factors(TOKENS, 12, 3)
    np.testing.assert_allclose(few @ few.T, expected[:, :3] @ expected[:, :3].T, atol=1e-4)


def test_tokens_with_like_neighbours() -> None:
    draw = np.random.default_rng(1)
    # 2 and 3 stand between 0 and 1; 4 and 5 between 6 and 7.
    text = np.concatenate([[0, 2 + draw.integers(2), 1, 6, 4 + draw.integers(2), 7] for _ in range(300)])
    rows = torch.nn.functional.normalize(neighbour_factors(text, 8, 4)[0], dim=1)
    similar = rows @ rows.t()
    assert similar[2, 3] > 0.95
    assert similar[4, 5] > 0.95
    assert similar[2, 4] < 0.5


@pytest.mark.parametrize("text", [[], [1], [1, 2]])
def test_short_texts(text: list[int]) -> None:
    factors, known = neighbour_factors(np.array(text, dtype=np.uint8), 40, 7)
    assert factors.shape == (40, 7)
    assert torch.isfinite(factors).all()
    assert known.sum() <= len(text)


def begun(change: ModelSettings, vocabulary: int = MANY, missing: int = 9_990) -> tuple[TokenModel, TokenModel]:
    """A model with random values, and the same one begun with a text in which the last words do not occur."""
    models = []
    for _ in range(2):
        torch.manual_seed(3)
        models.append(build(vocabulary, change))
    tokens = np.random.default_rng(2).permutation(np.repeat(np.arange(min(vocabulary, missing)), 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin_with_text(models[1], tokens.astype(np.uint16))
    return models[0], models[1]


SMALL = ModelSettings(cell="gru", hidden=6, embedding=10)


def test_embedding_and_output() -> None:
    random, model = begun(SMALL)
    rows, output = model.embedding.weight.detach(), model.output.weight.detach()
    for weight in (rows, output):
        assert torch.isfinite(weight).all()
        length = BOUND * (weight.shape[1] / 3) ** 0.5
        torch.testing.assert_close(weight[:9_990].norm(dim=1), torch.full((9_990,), length))
    directions = [torch.nn.functional.normalize(each[:9_990, :6], dim=1) for each in (rows, output)]
    torch.testing.assert_close(*directions)
    assert torch.equal(rows[9_990:], random.embedding.weight[9_990:])
    assert torch.equal(output[9_990:], random.output.weight[9_990:])
    probabilities = model.output.bias.detach().exp()
    torch.testing.assert_close(probabilities[[0, 9_999]], torch.tensor([3.0, 1.0]) / (MANY + 2 * 9_990))


def test_tied() -> None:
    _, model = begun(replace(SMALL, tied=True))
    assert model.output.weight is model.embedding.weight
    torch.testing.assert_close(model.output.weight[:9_990].norm(dim=1), torch.full((9_990,), BOUND * (10 / 3) ** 0.5))


def test_adaptive_softmax() -> None:
    random, model = begun(replace(SMALL, hidden=16, cutoffs=(100, 1000)))
    assert not torch.equal(model.embedding.weight, random.embedding.weight)
    for name, value in model.output.named_parameters():
        assert torch.equal(value, random.output.get_parameter(name))


def test_more_units_than_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_values, "_NEIGHBOURS", 2)  # at two distances on two sides: eight factors
    random, model = begun(SMALL)
    assert torch.equal(model.embedding.weight[:, 8:], random.embedding.weight[:, 8:])
    assert not torch.equal(model.embedding.weight[:, :8], random.embedding.weight[:, :8])


def test_the_beginning_of_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frequencies and neighbours of what comes after the counted tokens do not count."""
    monkeypatch.setattr(first_values, "_COUNTED", 300)
    monkeypatch.setattr(first_values, "_PAIRED", 200)
    models = []
    for end in (0, 9):
        torch.manual_seed(0)
        models.append(build(MANY, SMALL))
        begin_with_text(models[-1], np.concatenate([TOKENS[:200], np.full(100, 3), np.full(100, end)]))
    for name, value in models[0].named_parameters():
        assert torch.equal(models[1].get_parameter(name), value)
    probabilities = models[0].output.bias.detach().exp() * (MANY + 300)
    assert float(probabilities[3]) == pytest.approx(1 + 100 + (TOKENS[:200] == 3).sum(), rel=1e-4)
    rows = models[0].embedding.weight.detach()
    torch.manual_seed(0)
    begin_with_text(unlike := build(MANY, SMALL), np.concatenate([TOKENS[:100], np.full(100, 3)]))
    assert not torch.equal(unlike.embedding.weight[:12], rows[:12])


def test_few_tokens_stay_random() -> None:
    random, model = begun(SMALL, vocabulary=MANY - 1)
    for name, value in random.named_parameters():
        assert torch.equal(model.get_parameter(name), value)


def test_a_training_that_goes_on_needs_no_text(small_settings: TextSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = []
    monkeypatch.setattr("recurra.tasks.text.job.begin_with_text", lambda model, tokens: begins.append(len(tokens)))
    corpus = make_corpus("the cat sat on the mat " * 20, "the cat " * 20, small_settings)
    TextJob(corpus, small_settings, begins=False)
    assert begins == []
    TextJob(corpus, small_settings)
    assert begins == [len(corpus.train.tokens)]
