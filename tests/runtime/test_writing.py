"""``recurra.runtime.sample``: steps give what whole sequences give, prompts, stop texts, bytes that are held back."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from recurra import cells
from recurra.errors import RecurraError
from recurra.model import Description
from recurra.runtime import Model, sample
from recurra.runtime.sampling import Sampler, SamplingSettings
from recurra.runtime.writing import unknown_in_prompt
from recurra.vocabulary import Vocabulary
from tests.runtime.models import cell_part, described, embedding, language_model, layer, linear, lstm, model, stack

CHARACTERS = Vocabulary.of("abcde \n", "char")
WORDS = Vocabulary.of("a b c d\n", "word")


def writer(vocabulary, root=None, seed=4):
    """A language model with random weights, whose logits differ much."""
    parts = described(root or language_model(len(vocabulary)), seed)
    weights = {**parts.weights}
    name = next(name for name in reversed(weights) if name.endswith("weight") and weights[name].data.ndim == 2)
    weights[name] = type(weights[name]).of(weights[name].data * np.float32(12))
    return Model(Description(parts.root, weights, {"vocabulary": vocabulary}))


def written(vocabulary=CHARACTERS, prompt="", **settings):
    return "".join(sample(writer(vocabulary), prompt, **{"length": 30, "seed": 3, **settings}))


@pytest.mark.parametrize("batch_first", [False, True])
def test_greedy_is_the_argmax_of_the_whole_sequence(batch_first):
    size = len(CHARACTERS)
    root = stack(embedding(size, 5), layer(cells.gru, 5, 7, batch_first=batch_first), linear(7, size))
    own = writer(CHARACTERS, root)
    text = "".join(sample(own, "ab", length=30, temperature=0))
    ids = np.array([CHARACTERS.start, *CHARACTERS.encode("ab" + text)])
    logits, _ = own(ids)
    assert (logits[2:-1, 1:].argmax(-1) + 1).tolist() == ids[3:].tolist()
    assert len(text) == 30
    assert text == "".join(sample(own, "ab", length=30, temperature=2.0, top_k=1))
    assert len(set(text)) > 1


def test_long_prompts_are_read_in_chunks():
    own = writer(CHARACTERS)
    prompt = "abc de\n" * 100
    logits, _ = own(np.array([CHARACTERS.start, *CHARACTERS.encode(prompt)]))
    [first] = sample(own, prompt, length=1, temperature=0)
    assert first == CHARACTERS.tokens[1 + int(logits[-1, 1:].argmax())]


def test_seeds():
    assert written(prompt="a") == written(prompt="a") != written(prompt="a", seed=5)
    assert len({written(seed=None, temperature=5.0) for _ in range(3)}) == 3


def test_words_are_separated():
    text = written(WORDS, "a b", temperature=9.0, length=200)
    assert text[0] in " \n"
    assert set(text.split()) == {"a", "b", "c", "d"}
    assert not any(line.endswith(" ") or line.startswith(" ") for line in text.split("\n")[1:])
    assert written(WORDS, "a b ")[0] != " "


@pytest.mark.parametrize("level", ["byte", "bpe"])
def test_bytes_are_held_back_until_they_are_characters(level):
    vocabulary = Vocabulary(level)
    own, ids = writer(vocabulary), []
    pieces = list(sample(own, "é", length=400, temperature=9.0, seed=1))
    sampler, stream = Sampler(SamplingSettings(temperature=9.0, seed=1), []), own.stream()
    for number in vocabulary.prompt("é"):
        logits = stream.step(number)
    for _ in range(400):
        ids.append(sampler.draw(logits))
        logits = stream.step(ids[-1])
    assert "".join(pieces) == bytes(ids).decode("utf-8", "replace")
    assert all(pieces)
    assert len(pieces) < 400


def test_stop_texts():
    whole = written(length=300)
    for stop in (whole[40:43], whole[40:41], whole[:2]):
        continuation = sample(writer(CHARACTERS), length=300, seed=3, stop=stop)
        end = whole.index(stop)
        assert "".join(continuation) == whole[:end]
        assert continuation.stopped
        assert continuation.tokens == end + len(stop)
    continuation = sample(writer(CHARACTERS), length=300, seed=3, stop=["zzz", whole[-2:] + "a"])
    assert "".join(continuation) == whole  # the beginning of a stop text at the end is text
    assert (continuation.stopped, continuation.tokens) == (False, 300)


def test_pieces_come_as_they_are_drawn():
    pieces = sample(writer(CHARACTERS), length=10**15, seed=1)
    assert len(list(itertools.islice(pieces, 5))) == 5
    assert pieces.tokens == 5


def test_prompts():
    assert unknown_in_prompt(CHARACTERS, "") == []
    with pytest.raises(RecurraError, match=r"'é' \(U\+00E9\)"):
        sample(writer(CHARACTERS), "abcé")
    with pytest.raises(RecurraError, match="and 3 more"):
        unknown_in_prompt(CHARACTERS, "fghijklm")
    assert unknown_in_prompt(WORDS, "a xyz b") == ["xyz"]
    assert written(WORDS, "xyz\n")


def test_refused_at_once():
    with pytest.raises(RecurraError, match="top_p must be a number above 0"):
        sample(writer(CHARACTERS), top_p=0)
    with pytest.raises(RecurraError, match="no language model: its file has no vocabulary"):
        sample(model(language_model()))
    annotated = {"vocabulary": CHARACTERS}
    size = len(CHARACTERS)
    both = stack(embedding(size, 5), lstm(5, 6, bidirectional=True), linear(12, size))
    with pytest.raises(RecurraError, match="bidirectional"):
        sample(Model(Description(both, described(both).weights, annotated)))
    for root in (
        stack(embedding(size, 5), lstm(5, 6)),
        stack(embedding(size, 5), cell_part(cells.gru, 5, 6), linear(6, size)),
    ):
        parts = described(root)
        with pytest.raises(RecurraError, match=f"gives no logits of its {size} tokens"):
            sample(Model(Description(root, parts.weights, annotated)))


def test_torch_is_not_imported():
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from tests.runtime.models import *\nfrom recurra.model import Description\n"
        "from recurra.runtime import Model, sample, score\nfrom recurra.vocabulary import Vocabulary\n"
        "root = language_model(256)\n"
        "own = Model(Description(root, described(root).weights, {'vocabulary': Vocabulary('byte')}))\n"
        "written = sample(own, 'a', length=40)\n"
        "print(len(''.join(written)) > 0, written.tokens, score(own, 'abc').tokens)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True 40 3\n"
