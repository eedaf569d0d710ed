"""``recurra.runtime.score``: each token's surprise beside a plain computation, and the totals."""

import math

import numpy as np
import pytest

from recurra import cells
from recurra.errors import RecurraError
from recurra.model import Description
from recurra.runtime import Model, language, score
from recurra.vocabulary import Vocabulary
from tests.runtime.models import described, embedding, language_model, layer, linear, model, stack

TEXT = "a cab, a bad cab;\nä dab.\n" * 20
CHARACTERS = Vocabulary.of("abcd ,.;\n", "char")


def reader(vocabulary=CHARACTERS, root=None, dtype=np.float32):
    parts = described(root or language_model(len(vocabulary)), 2, dtype)
    return Model(Description(parts.root, parts.weights, {"vocabulary": vocabulary}))


def plain(own, ids, start):
    """The surprise of each token, from the logits of the whole text at once, in float64."""
    logits = own(np.array([start, *ids[:-1]]))[0].astype(np.float64)
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids)), ids]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_token(batch_first, dtype, monkeypatch):
    size = len(CHARACTERS)
    root = stack(embedding(size, 5), layer(cells.lstm, 5, 7, batch_first=batch_first), linear(7, size))
    own, ids = reader(root=root, dtype=dtype), CHARACTERS.encode(TEXT)
    expected = plain(own, ids, CHARACTERS.start)
    for logits in (2**22, 64 * size, 1):  # chunks of 256 steps, of 64, and of one
        monkeypatch.setattr(language, "_LOGITS", logits)
        found = score(own, TEXT)
        np.testing.assert_allclose(found.nats, expected, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-12)
    assert found.total == pytest.approx(expected.sum(), rel=1e-7)


def test_lanes_begin_without_memory():
    own, ids = reader(), CHARACTERS.encode(TEXT)
    length = -(-len(ids) // 3)
    parts = [ids[begin : begin + length] for begin in range(0, len(ids), length)]
    starts = [CHARACTERS.start, *(part[-1] for part in parts[:-1])]
    expected = np.concatenate([plain(own, part, start) for part, start in zip(parts, starts, strict=True)])
    np.testing.assert_allclose(score(own, TEXT, lanes=3).nats, expected, rtol=0, atol=1e-6)
    many = score(own, "abc", lanes=100)  # no more lanes than tokens
    assert many.tokens == 3


def test_totals():
    found = score(reader(), TEXT)
    assert (found.tokens, found.characters, found.bytes) == (len(TEXT), len(TEXT), len(TEXT.encode()))
    assert (found.unknown.total, found.unknown.kinds) == (20, {"ä": 20})
    assert (found.level, found.vocabulary) == ("char", len(CHARACTERS))
    total = math.fsum(found.nats)
    assert found.total == pytest.approx(total)
    assert found.perplexity == pytest.approx(math.exp(total / len(TEXT)))
    assert found.bits_per_char == pytest.approx(total / math.log(2) / len(TEXT))
    assert found.bits_per_byte == pytest.approx(total / math.log(2) / len(TEXT.encode()))
    assert found.bits.sum() == pytest.approx(total / math.log(2))


@pytest.mark.parametrize("level", ["byte", "word", "bpe"])
def test_levels(level):
    vocabulary = Vocabulary.of(TEXT, "word") if level == "word" else Vocabulary(level)
    found = score(reader(vocabulary), TEXT)
    assert found.level == level
    assert found.tokens == len(vocabulary.encode(TEXT))
    assert found.characters == len(TEXT)
    expected = plain(reader(vocabulary), vocabulary.encode(TEXT), vocabulary.start)
    np.testing.assert_allclose(found.nats, expected, rtol=0, atol=1e-5)


def test_bytes_that_are_no_text():
    found = score(reader(Vocabulary("byte")), "caf\udce9")  # as surrogateescape decodes them
    assert (found.tokens, found.bytes, found.ids[-1]) == (4, 4, 0xE9)
    with pytest.raises(RecurraError, match="half of a character"):
        score(reader(Vocabulary("byte")), "a\ud800")


def test_an_infinite_perplexity():
    found = score(reader(), "abc")
    hopeless = type(found)(found.ids, found.nats + 1000, 3, 3, found.unknown, "char", 9)
    assert hopeless.perplexity == math.inf
    assert math.isfinite(hopeless.bits_per_char)


def test_memory_of_large_vocabularies_is_bounded(monkeypatch):
    own = reader()
    sizes = []
    stream_feed = language.logits_in_chunks

    def watched(stream, ids):
        for logits in stream_feed(stream, ids):
            sizes.append(logits.size)
            yield logits

    monkeypatch.setattr("recurra.runtime.scoring.logits_in_chunks", watched)
    monkeypatch.setattr(language, "_LOGITS", 1000)
    for lanes in (1, 7):
        score(own, TEXT, lanes=lanes)
    assert max(sizes) <= 1000
    assert len(sizes) > 10


def test_refused():
    for lanes in (0, -1, 1.5):
        with pytest.raises(RecurraError, match="lanes must be a positive whole number"):
            score(reader(), "abc", lanes=lanes)
    with pytest.raises(RecurraError, match="the text is empty"):
        score(reader(), "")
    with pytest.raises(RecurraError, match="no language model"):
        score(model(language_model()), "abc")
