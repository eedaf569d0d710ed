"""The level of bytes: each byte is a token, and its number is the byte."""

from __future__ import annotations

import numpy as np

from recurra.vocabulary.coding import Ids, UnknownTokens, Utf8Decoder, utf8


def _alphabet() -> tuple[str, ...]:
    """A printable character for each byte: itself where Latin-1 prints it, else one from U+0100 on, in order.

    It is the alphabet of GPT-2's tokenizer (Radford et al. 2019), in which other programs read byte-level tokens.
    """
    printed = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = [byte for byte in range(256) if byte not in printed]
    return tuple(chr(byte if byte in printed else 256 + others.index(byte)) for byte in range(256))


ALPHABET = _alphabet()


class Bytes:
    """The 256 bytes; every text can be written, and there is no ``<unk>``."""

    tokens = ALPHABET
    start = ord("\n")
    unknown_number: int | None = None
    _pieces = tuple(bytes([byte]) for byte in range(256))

    def encode(self, text: str, *, last: bool, unknown: UnknownTokens | None) -> tuple[Ids, str]:
        """Number the bytes of a text in UTF-8; nothing is left over.

        Raises:
            RunError: the text has half of a character.
        """
        return np.frombuffer(utf8(text), np.uint8).astype(np.int64), ""

    def decoder(self, before: str) -> Utf8Decoder:
        """Make a decoder; the text before does not matter."""
        return Utf8Decoder(self._pieces)

    def token_text(self, number: int) -> str:
        r"""Show a byte as its character, or as ``\xe9`` where it is none alone."""
        return self._pieces[number].decode("utf-8", "backslashreplace")
