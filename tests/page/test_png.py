"""A PNG file holds the pixels that it was made of."""

import struct
import zlib

import numpy as np
import pytest

from recurra.page.png import png


def decoded(content):
    """The pixels of a PNG file without filters: uint8 (height, width, 3)."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", content, at + 8 + length)[0] == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + length
    assert list(chunks)[-1] == b"IEND"
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert depth == 8
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    if kind == 2:
        return lines[:, 1:].reshape(height, width, 3)
    assert kind == 3
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[lines[:, 1:]]


@pytest.mark.parametrize(("shape", "colours"), [((1, 1), 1), ((3, 5), 9), ((40, 30), 256), ((40, 30), 1000)])
def test_pixels(shape, colours):
    generator = np.random.default_rng(0)
    palette = generator.integers(0, 256, (colours, 3), np.uint8)
    pixels = palette[generator.integers(0, colours, shape)]
    np.testing.assert_array_equal(decoded(png(pixels)), pixels)


def test_few_colours_take_a_byte_each():
    pixels = np.random.default_rng(0).integers(0, 2, (64, 64, 1), np.uint8) * np.full(3, 255, np.uint8)
    assert len(png(pixels)) < 64 * 64 / 4


@pytest.mark.parametrize("pixels", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)])
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ValueError, match=r"pixels must be uint8 \(height, width, 3\)"):
        png(pixels)
