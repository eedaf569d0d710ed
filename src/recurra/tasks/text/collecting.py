"""Vocabularies of texts of any size: their tokens are counted part by part, or their byte pairs learnt."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from recurra.errors import RunError
from recurra.model.vocabulary import MAX_CHARACTERS, MAX_MERGES, MAX_WORDS
from recurra.tasks.text.reading import TextSource
from recurra.tasks.text.settings import TextSettings
from recurra.vocabulary import PATTERN, Vocabulary, utf8
from recurra.vocabulary.characters import code_points
from recurra.vocabulary.raw_bytes import ALPHABET
from recurra.vocabulary.words import cut

MOST_KINDS = 2_000_000  # words that are counted at once: some 400 MB
MOST_LEARNT_FROM = 64 * 2**20  # characters of which byte pairs are learnt
LINE = 2**16  # characters that the library tokenizers is given at once


def make_vocabulary(source: TextSource, settings: TextSettings, characters: int) -> Vocabulary:
    """Make the vocabulary of a text.

    Of more than two million different words, those that were the rarest so far are forgotten while words are counted.
    Byte pairs are learnt from at most 64 million characters, in parts from all over the text.

    Args:
        source: the text.
        settings: the level of the tokens, how often one must occur, and the largest number of them.
        characters: about the number of characters of the text.

    Raises:
        RunError: the vocabulary would be empty or too large, or byte pairs are to be learnt without the library
            tokenizers.
    """
    if settings.level == "byte":
        return Vocabulary("byte")
    if settings.level == "bpe":
        return learn_byte_pairs(source, settings, characters)
    counts = _count_characters(source) if settings.level == "char" else _count_words(source)
    found = Vocabulary.counted(settings.level, counts, settings.least_count, settings.most_tokens)
    most = MAX_CHARACTERS if settings.level == "char" else MAX_WORDS
    if len(found) > most + 1:
        kinds = "characters" if settings.level == "char" else "words"
        raise RunError(f"the text has {len(found) - 1:,} {kinds}; at most {most:,} fit: give --vocabulary-size or --min-count")
    return found


def _count_characters(source: TextSource) -> Counter[str]:
    counts = np.zeros(0x110000, np.int64)
    for part in source.parts():
        counts += np.bincount(code_points(part), minlength=len(counts))
    return Counter({chr(code): int(counts[code]) for code in counts.nonzero()[0]})


def _count_words(source: TextSource) -> Counter[str]:
    counts: Counter[str] = Counter()
    rest, forgotten = "", 0
    for part in source.parts():
        tokens, rest = cut(rest + part, last=False)
        counts.update(tokens)
        while len(counts) > MOST_KINDS:
            forgotten += 1
            counts = Counter({token: count for token, count in counts.items() if count > forgotten})
    counts.update(cut(rest, last=True)[0])
    return counts


def learn_byte_pairs(source: TextSource, settings: TextSettings, characters: int) -> Vocabulary:
    """Learn byte pairs with the library tokenizers: the most frequent pair is joined, again and again.

    Args:
        source: the text.
        settings: how often a pair must occur, and the number of tokens.
        characters: about the number of characters of the text.

    Raises:
        RunError: tokenizers is not installed, or more tokens are wanted than a file can hold.
    """
    size = settings.most_tokens or 0
    if size > MAX_MERGES + 256:
        raise RunError(f"--vocabulary-size must be at most {MAX_MERGES + 256} for --level bpe; got {size}")
    try:
        from tokenizers import Regex, Tokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
        from tokenizers.trainers import BpeTrainer
    except ImportError:
        raise RunError("--level bpe learns with the library tokenizers: pip install 'recurra[bpe]'") from None
    learner = Tokenizer(BPE())
    split = Split(Regex(PATTERN), "isolated")
    learner.pre_tokenizer = Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = BpeTrainer(
        vocab_size=size, min_frequency=settings.least_count, show_progress=False, initial_alphabet=list(ALPHABET)
    )
    learner.train_from_iterator(_lines(source, math.ceil(characters / MOST_LEARNT_FROM)), trainer)
    # The library's numbers are others: it sorts the bytes by their printable characters.
    texts = {text: number for number, text in enumerate(ALPHABET)}
    merges = []
    for left, right in json.loads(learner.to_str())["model"]["merges"]:
        texts.setdefault(left + right, len(texts))
        merges.append((texts[left], texts[right]))
    return Vocabulary("bpe", merges=merges)


def _lines(source: TextSource, stride: int) -> Iterator[str]:
    """Every so many parts of a text, cut at line ends where these are near."""
    for number, part in enumerate(source.parts()):
        if number % max(1, stride):
            continue
        begin = 0
        while begin < len(part):
            end = part.rfind("\n", begin, begin + LINE)
            end = begin + LINE if end <= begin else end
            yield utf8(part[begin:end]).decode("utf-8", "replace")
            begin = end
