"""Tokens become numbers and tokens again."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.vocabulary import UnknownTokens, Vocabulary, byte_count, byte_pairs, encode_stream, tokens_of, utf8, words
from tests.texts import prose

MERGES = [(ord("a"), ord("b")), (256, ord("c")), (ord(" "), 257), (0xC3, 0xA9), (0x98, 0x80), (0xF0, 0x9F)]
BYTE_PAIRS = Vocabulary("bpe", merges=MERGES)
ANY_TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("abc é\U0001f600\n")))


@given(st.text(min_size=1, max_size=50))
def test_characters_there_and_back(text: str) -> None:
    vocabulary = Vocabulary.of(text, "char")
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert not vocabulary.unknown(text)


@given(ANY_TEXT)
@pytest.mark.parametrize("vocabulary", [Vocabulary("byte"), BYTE_PAIRS], ids=["byte", "bpe"])
def test_any_text_there_and_back(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.unknown_number is None
    assert not vocabulary.unknown(text)


@given(st.lists(st.integers(0, 255), max_size=30))
def test_bytes_are_decoded_one_by_one_as_all_together(numbers: list[int]) -> None:
    """Characters are held back until they are whole, and what is no UTF-8 becomes U+FFFD."""
    decoder = Vocabulary("byte").decoder()
    written = ""
    for place, number in enumerate(numbers):
        written += decoder.write(number)
        rest = bytes(numbers[: place + 1])
        # At most the three first bytes of a character are held back.
        assert any(written == rest[: len(rest) - held].decode("utf-8", "replace") for held in range(4))
    assert written + decoder.finish() == bytes(numbers).decode("utf-8", "replace")


@given(ANY_TEXT)
def test_whole_characters_are_not_held_back(text: str) -> None:
    decoder, written = Vocabulary("byte").decoder(), ""
    for place, character in enumerate(text):
        for byte in character.encode():
            written += decoder.write(byte)
        assert written == text[: place + 1]
    assert decoder.finish() == ""


@given(st.lists(st.sampled_from(["one", "two", "\n", " ", "zzz"])).map("".join), st.data())
@pytest.mark.parametrize("level", ["byte", "char", "word", "bpe"])
def test_a_text_in_parts_has_the_tokens_of_the_whole(level: str, text: str, data: st.DataObject) -> None:
    vocabulary = BYTE_PAIRS if level == "bpe" else Vocabulary("byte")
    if level in ("char", "word"):
        vocabulary = Vocabulary.of("one two\n", level)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    parts = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    unknown = UnknownTokens()
    found = np.concatenate(list(encode_stream(vocabulary, parts, unknown)))
    assert found.tolist() == vocabulary.encode(text).tolist()
    assert found.dtype == np.int64
    assert unknown.kinds == vocabulary.unknown(text)
    assert unknown.total == unknown.kinds.total()


def test_very_long_lines_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is longer than the longest word is not kept until it ends."""
    monkeypatch.setattr(words, "LONGEST_WORD", 8)
    vocabulary = Vocabulary.of("one two", "word")
    text = "one two " * 20 + "\n two" + " one" * 9
    parts = list(text)
    assert np.concatenate(list(encode_stream(vocabulary, parts))).tolist() == vocabulary.encode(text).tolist()
    rest = ""
    for part in parts:
        rest = vocabulary.encode_part(rest + part, last=False)[1]
        assert len(rest) <= 8
    with pytest.raises(RunError, match="a word has more than 8 characters"):
        list(encode_stream(vocabulary, "one twotwotwo"))


def test_only_some_kinds_of_unknown_tokens_are_told_apart() -> None:
    unknown = UnknownTokens()
    assert not unknown
    unknown.add(map(str, range(2000)))
    unknown.add(["1", "1999"])
    assert unknown
    assert (unknown.total, len(unknown.kinds), unknown.kinds["1"], unknown.kinds["1999"]) == (2002, 1000, 2, 0)


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
    decoder = vocabulary.decoder()
    assert [decoder.write(number) for number in numbers] == ["one", " two", "\n"]


def test_the_largest_number_of_tokens() -> None:
    counts = Counter({"a": 5, "b": 3, "c": 3, "d": 1})
    assert Vocabulary.counted("char", counts, most=3).tokens == ("<unk>", "a", "b")
    counts["<eos>"] = 2
    assert Vocabulary.counted("word", counts, most=3).tokens == ("<unk>", "a", "<eos>")
    assert Vocabulary.counted("word", counts, least_count=4).tokens == ("<unk>", "a", "<eos>")


def test_tokens_alone() -> None:
    assert Vocabulary("byte").token_text(ord("a")) == "a"
    assert Vocabulary("byte").token_text(0xE9) == r"\xe9"
    assert [BYTE_PAIRS.token_text(number) for number in range(256, 262)] == [
        *("ab", "abc", " abc", "é", r"\x98\x80", r"\xf0\x9f"),
    ]
    assert BYTE_PAIRS.tokens[256:260] == ("ab", "abc", "Ġabc", "Ã©")
    with pytest.raises(IndexError, match="tokens are 0 … 261; got 262"):
        BYTE_PAIRS.token_text(262)


def test_merges_in_the_order_in_which_they_were_learnt() -> None:
    a, b, c = map(ord, "abc")
    first = Vocabulary("bpe", merges=[(b, c), (a, b)])
    assert [first.token_text(number) for number in first.encode("abcab")] == ["a", "bc", "ab"]
    other = Vocabulary("bpe", merges=[(a, b), (b, c)])
    assert [other.token_text(number) for number in other.encode("abcab")] == ["ab", "c", "ab"]
    runs = Vocabulary("bpe", merges=[(a, a), (256, 256)])
    assert [runs.token_text(number) for number in runs.encode("a" * 7)] == ["aaaa", "aa", "a"]


def test_a_merge_can_make_the_same_bytes_again() -> None:
    a, b, c = map(ord, "abc")
    vocabulary = Vocabulary("bpe", merges=[(a, b), (256, c), (b, c), (a, 258)])
    assert len(vocabulary) == 259
    assert vocabulary.encode("abc").tolist() == [257]


def test_tokens_do_not_cross_pieces() -> None:
    vocabulary = Vocabulary("bpe", merges=[(ord("a"), ord(" ")), (ord("a"), ord("1")), (ord(" "), ord("a"))])
    assert [vocabulary.token_text(number) for number in vocabulary.encode("a a1")] == ["a", " a", "1"]


def test_pieces_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_pairs, "_REMEMBERED", 3)
    vocabulary = Vocabulary("bpe", merges=MERGES)
    for text in ("abc ab a b", "abc ab", "c d e f g h", "abc"):
        assert vocabulary.encode(text).tolist() == BYTE_PAIRS.encode(text).tolist()


def test_equality() -> None:
    assert Vocabulary("bpe", merges=MERGES) == BYTE_PAIRS != Vocabulary("bpe", merges=MERGES[:-1])
    assert hash(Vocabulary("bpe", merges=MERGES)) == hash(BYTE_PAIRS)
    assert Vocabulary("char", ["<unk>", "<eos>"[:1]]) != Vocabulary("word", ["<unk>", "<eos>"])
    assert Vocabulary("byte") != "byte"


@pytest.mark.parametrize(
    ("level", "tokens", "merges", "message"),
    [
        ("bits", (), (), "one of byte, char, word, bpe; got 'bits'"),
        ("byte", ["a"], (), "level byte takes no tokens"),
        ("bpe", ["a"], (), "level bpe takes no tokens"),
        ("char", ["<unk>", "a"], [(1, 2)], "level char takes no merges"),
        ("bpe", (), [(1, 2), (1, 2)], "a merge occurs twice"),
        ("bpe", (), [(1, 256)], "merge 0 joins a token that does not exist yet"),
        ("bpe", (), [(-1, 1)], "merge 0 joins a token that does not exist yet"),
        ("bpe", (), [(1, 1), *((n, n) for n in range(256, 263))], "merge 7 makes a token of more than 161 bytes"),
    ],
)
def test_vocabularies_that_are_refused(level: str, tokens: list[str], merges: list[tuple[int, int]], message: str):
    with pytest.raises(RunError, match=message):
        Vocabulary(level, tokens, merges)


def test_bytes_that_are_no_text() -> None:
    """A surrogate stands for a byte; another one is half of a character."""
    content = b"caf\xe9"
    text = content.decode("utf-8", "surrogateescape")
    assert utf8(text) == content
    assert bytes(Vocabulary("byte").encode(text).tolist()) == content
    assert Vocabulary("byte").decode(Vocabulary("byte").encode(text)) == "caf\ufffd"
    assert [byte_count(each) for each in ("caf", "café", text, "\ud800")] == [3, 5, 4, 3]
    for level in ("byte", "bpe"):
        with pytest.raises(RunError, match="half of a character at position 1"):
            Vocabulary(level).encode("a\ud800")


def test_a_prompt_of_bytes_begins_after_a_line() -> None:
    assert Vocabulary("byte").prompt("é").tolist() == [10, 0xC3, 0xA9]
    assert BYTE_PAIRS.prompt("é").tolist() == [10, 259]
    assert BYTE_PAIRS.prompt("").tolist() == [10]


def test_words_after_a_prompt() -> None:
    vocabulary = Vocabulary.of("one two\n", "word")
    one, two, end = vocabulary.encode("one two\n").tolist()
    for before, expected in (("", "one two\none"), ("say", " one two\none"), ("say\n", "one two\none")):
        decoder = vocabulary.decoder(before)
        assert "".join(map(decoder.write, (one, two, end, one))) + decoder.finish() == expected


@pytest.mark.parametrize(
    ("level", "tokens"),
    [
        ("char", []),
        ("char", ["a"]),
        ("char", ["<unk>", "a", "a"]),
        ("char", ["<unk>", "ab"]),
        ("word", ["<unk>", "a"]),
        ("word", ["<unk>", "", "<eos>"]),
        ("word", ["<unk>", "a b", "<eos>"]),
    ],
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
            letters.decoder().write(number)
    with pytest.raises(TypeError, match="a text is needed, not int"):
        letters.encode(3)
