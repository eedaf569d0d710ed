"""Texts as token numbers: bytes, characters, words or pairs of bytes, and the vocabulary that numbers them."""

from recurra.vocabulary.byte_pairs import PATTERN
from recurra.vocabulary.coding import LINE_END, UNKNOWN, Decoder, Ids, UnknownTokens, byte_count, utf8
from recurra.vocabulary.stream import encode_stream
from recurra.vocabulary.vocabulary import LEVELS, Vocabulary
from recurra.vocabulary.words import tokens_of

__all__ = [
    "LEVELS",
    "LINE_END",
    "PATTERN",
    "UNKNOWN",
    "Decoder",
    "Ids",
    "UnknownTokens",
    "Vocabulary",
    "byte_count",
    "encode_stream",
    "tokens_of",
    "utf8",
]
