"""Tokens become numbers and tokens again."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.vocabulary import Vocabulary, tokens_of
from tests.texts import prose


@given(st.text(min_size=1, max_size=50))
def test_characters_there_and_back(text: str) -> None:
    vocabulary = Vocabulary.of(text, "char")
    assert "".join(vocabulary.write(number, False) for number in vocabulary.encode(text)) == text
    assert not vocabulary.unknown(text)


def test_unknown_characters() -> None:
    vocabulary = Vocabulary.of("abba\n", "char")
    assert vocabulary.encode("axb\U0001f600\udce9").tolist() == [1, 0, 2, 0, 0]
    assert vocabulary.unknown("axxb") == {"x": 2}


def test_words_and_line_ends() -> None:
    assert tokens_of("one  two\n\nthree\n", "word") == ["one", "two", "<eos>", "<eos>", "three", "<eos>"]
    vocabulary = Vocabulary.of("b a a <unk>\nc\n", "word", least_count=1)
    assert vocabulary.tokens == ("<unk>", "<eos>", "a", "b", "c")
    assert vocabulary.encode("a d\n").tolist() == [2, 0, 1]
    assert vocabulary.unknown("a d <unk>") == {"d": 1}
    assert vocabulary.start == 1


def test_rare_tokens_are_unknown() -> None:
    assert Vocabulary.of("a a b", "word", 2).tokens == ("<unk>", "a", "<eos>")
    assert Vocabulary.of("aab", "char", 2).tokens == ("<unk>", "a")
    with pytest.raises(RunError, match="vocabulary is empty"):
        Vocabulary.of("ab", "char", 2)


def test_words_are_written_with_spaces() -> None:
    vocabulary = Vocabulary.of("one two\n", "word")
    numbers = vocabulary.encode("one two\n").tolist()
    assert [vocabulary.write(numbers[0], True), *(vocabulary.write(n, False) for n in numbers[1:])] == [
        "one",
        " two",
        "\n",
    ]


@pytest.mark.parametrize(
    ("level", "tokens"),
    [("char", []), ("char", ["a"]), ("char", ["<unk>", "a", "a"]), ("char", ["<unk>", "ab"]), ("word", ["<unk>", "a"])],
)
def test_refused(level: str, tokens: list[str]) -> None:
    with pytest.raises(RunError):
        Vocabulary(level, tokens)


def test_words_of_wikitext_are_counted_as_its_authors_count_them() -> None:
    """Titles, empty lines and ``<unk>`` count as in that corpus, with an ``<eos>`` after each line, empty ones too."""
    text = " \n = A Title = \n \n The <unk> of the title is a <unk> . \n \n = = A Part = = \n \n It ends . \n"
    assert len(tokens_of(text, "word")) == 4 + 9 + 6 + 3 + 8
    assert Vocabulary.of(text, "word", 2).tokens == ("<unk>", "<eos>", "=", ".", "A")


def test_a_long_text_is_counted() -> None:
    text = prose()
    counts = Counter(text.split())
    assert len(tokens_of(text, "word")) == counts.total() + text.count("\n")
    assert len(Vocabulary.of(text, "word", 2)) == sum(count > 1 for count in counts.values()) + 2
    assert counts.total() == 9_000


def test_a_prompt_of_words_is_not_a_finished_line():
    words = Vocabulary.of("the cat sat\nthe dog sat\n", "word")
    assert [words.tokens[n] for n in words.prompt("the cat")] == ["<eos>", "the", "cat"]
    assert [words.tokens[n] for n in words.prompt("the cat\n")] == ["<eos>", "the", "cat", "<eos>"]
    assert [words.tokens[n] for n in words.prompt("the\ndog")] == ["<eos>", "the", "<eos>", "dog"]
    assert [words.tokens[n] for n in words.prompt("")] == ["<eos>"]


def test_a_prompt_of_characters_begins_after_a_line():
    letters = Vocabulary.of("ab\nba", "char")
    assert [letters.tokens[n] for n in letters.prompt("ab")] == ["\n", "a", "b"]
    assert [letters.tokens[n] for n in letters.prompt("")] == ["\n"]


def test_what_is_no_token_and_no_text_is_named():
    letters = Vocabulary.of("ab", "char")
    for number in (-1, 3):
        with pytest.raises(IndexError, match=f"tokens are 0 … 2; got {number}"):
            letters.write(number, at_line_start=True)
    with pytest.raises(TypeError, match="a text is needed, not int"):
        letters.encode(3)
