"""Vocabularies are collected part by part as from the whole text; byte pairs are those of the library tokenizers."""

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from recurra.errors import RunError
from recurra.tasks.text import collecting, reading
from recurra.tasks.text.collecting import make_vocabulary
from recurra.tasks.text.reading import TextInMemory
from recurra.tasks.text.settings import TextSettings
from recurra.vocabulary import PATTERN, Vocabulary, encode_stream
from recurra.vocabulary.raw_bytes import ALPHABET
from tests.texts import prose

BYTE_PAIRS = TextSettings(level="bpe", vocabulary_size=400)


def collected(text: str, settings: TextSettings) -> Vocabulary:
    return make_vocabulary(TextInMemory(text), settings, len(text))


def library(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer of the library with the merges, and the numbers, of a vocabulary."""
    shown = vocabulary.tokens
    merges = [(shown[left], shown[right]) for left, right in vocabulary.merges]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(shown)}, merges))
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_of])
    return made


@pytest.fixture(scope="module")
def learnt() -> Vocabulary:
    return collected(prose() + "naïve café, 東京 \U0001f600\U0001f601\n" * 20, BYTE_PAIRS)


@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("part", [1, 7, 1000])
def test_parts_are_counted_as_the_whole(monkeypatch: pytest.MonkeyPatch, level: str, part: int) -> None:
    text = prose()[:3000] + "é\U0001f600"
    monkeypatch.setattr(reading, "PART", part)
    settings = TextSettings(level=level, min_count=2, vocabulary_size=20)
    assert collected(text, settings) == Vocabulary.of(text, level, 2, 20)


def test_words_that_are_rare_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MOST_KINDS", 50)
    monkeypatch.setattr(reading, "PART", 100)
    text = "".join(f"the cat number {n}\nsat\n" for n in range(1000))
    assert collected(text, TextSettings(level="word", min_count=500)).tokens == (
        *("<unk>", "<eos>", "cat", "number", "sat", "the"),
    )


def test_a_byte_needs_no_text() -> None:
    assert collected("", TextSettings(level="byte")) == Vocabulary("byte")


def test_more_tokens_than_a_file_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_WORDS", 3)
    with pytest.raises(RunError, match="the text has 4 words; at most 3 fit: give --vocabulary-size"):
        collected("a a b b c c", TextSettings(level="word"))
    monkeypatch.setattr(collecting, "MAX_CHARACTERS", 3)
    with pytest.raises(RunError, match="the text has 4 characters; at most 3 fit"):
        collected("abcd", TextSettings())
    assert len(collected("abcd", TextSettings(vocabulary_size=4))) == 4
    with pytest.raises(RunError, match="--vocabulary-size must be at most 65536 for --level bpe; got 65537"):
        collected("abcd", replace(BYTE_PAIRS, vocabulary_size=65537))


def test_learning_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RunError, match=r"learns with the library tokenizers: pip install 'recurra\[bpe\]'"):
        collected("abcd", BYTE_PAIRS)


def test_byte_pairs_are_the_most_frequent(learnt: Vocabulary) -> None:
    assert len(learnt) == 400
    assert learnt == collected(prose() + "naïve café, 東京 \U0001f600\U0001f601\n" * 20, BYTE_PAIRS)
    text = prose()
    assert len(learnt.encode(text)) < 0.5 * len(text)
    pairs = Counter(pair for piece in re.findall(PATTERN, text) for pair in pairwise(piece.encode()))
    assert pairs[collected(text, BYTE_PAIRS).merges[0]] == max(pairs.values())


def test_as_many_pairs_as_there_are() -> None:
    """A small text has fewer tokens than wanted; a pair that occurs once is not joined."""
    few = collected("abab cd", BYTE_PAIRS)
    assert [few.token_text(number) for number in range(256, len(few))] == ["ab"]
    assert "cd" in collected("abab cd", replace(BYTE_PAIRS, min_count=1)).tokens


@given(
    st.text(
        st.one_of(
            st.characters(exclude_categories=["Cs"]),
            st.sampled_from("the cat's naïve café 東京\U0001f600 \t\n\r\x0b\x0c\x1c\x85\xa0'12,…_\u2028\u3000"),
        ),
        max_size=150,
    )
)
def test_tokens_are_those_of_the_library(learnt: Vocabulary, text: str) -> None:
    assert learnt.encode(text).tolist() == library(learnt).encode(text).ids


@pytest.mark.parametrize("run", ["a", " ", "\n", "1", "-", "é", "\u3000"])
@pytest.mark.parametrize("length", [39, 40, 41, 42, 80, 81, 82, 1000])
@pytest.mark.parametrize("after", ["", "x", " x", "\nx"])
def test_long_runs_are_cut_as_the_library_cuts_them(learnt: Vocabulary, run: str, length: int, after: str) -> None:
    text = f"is {run * length}{after}"
    assert learnt.encode(text).tolist() == library(learnt).encode(text).ids
    parts = [text[begin : begin + 30] for begin in range(0, len(text), 30)]
    streamed = [number for numbers in encode_stream(learnt, parts) for number in numbers.tolist()]
    assert streamed == learnt.encode(text).tolist()


def test_the_library_reads_the_same_bytes(learnt: Vocabulary) -> None:
    assert sorted(ALPHABET) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert json.loads(library(learnt).to_str())["model"]["vocab"]["Ġ"] == ord(" ")


def test_pairs_are_learnt_from_parts_all_over_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PART", 100)
    monkeypatch.setattr(collecting, "MOST_LEARNT_FROM", 250)
    text = "".join(letter * 2 + " " for letter in "abcdefghij" for _ in range(34))
    tokens = set(collected(text, replace(BYTE_PAIRS, vocabulary_size=300)).tokens)
    assert {"aa", "ee", "jj"} <= tokens  # of every fifth part, one at the beginning, in the middle and near the end
