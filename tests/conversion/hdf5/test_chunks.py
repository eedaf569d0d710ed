"""Arrays in chunks: filters, missing chunks, and damage."""

import struct
import zlib

import numpy as np
import pytest

from recurra.conversion.hdf5.filters import Filter, unfiltered
from recurra.conversion.hdf5.groups import read_hdf5
from recurra.errors import FileFormatError
from tests.conversion.hdf5 import chunked_file

GZIP, SHUFFLE, CHECKSUM = Filter(1, (4,)), Filter(2, (4,)), Filter(3, ())


def test_chunks_of_h5py():
    members = read_hdf5(chunked_file.content()).members
    for name, kind in (("gzip", "f4"), ("plain", "f8")):
        assert members[name].dtype == kind
        assert not members[name].flags.writeable
        np.testing.assert_array_equal(members[name], chunked_file.NUMBERS)
    assert members["lzf"].reason == "is compressed with lzf: save it with gzip, or without compression"
    assert members["part"].reason == "has 1 of its 2 chunks not in the file"


@pytest.mark.parametrize("filters", [(GZIP,), (SHUFFLE, GZIP), (SHUFFLE, GZIP, CHECKSUM), (CHECKSUM, GZIP), (SHUFFLE,)])
@pytest.mark.parametrize("mask", [0, 1])
def test_filters_are_undone_in_reverse(filters, mask):
    data = stored = np.arange(9, dtype="<f4").tobytes()
    for number, each in enumerate(filters):
        if mask >> number & 1:
            continue
        if each is GZIP:
            stored = zlib.compress(stored)
        elif each is SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(-1, 4).T.tobytes()
        else:
            stored += b"abcd"
    assert unfiltered(stored, filters, mask, len(data)) == data


def test_chunks_of_another_size_are_refused():
    with pytest.raises(FileFormatError, match="a chunk of 40 bytes, not 36"):
        unfiltered(zlib.compress(bytes(99)), (GZIP,), 0, 36)
    with pytest.raises(FileFormatError, match="cannot be decompressed"):
        unfiltered(b"abc", (GZIP,), 0, 36)


def test_damage_is_an_error_or_other_numbers():
    data = chunked_file.content()
    refused = set()
    draw = np.random.default_rng(0)
    for place in draw.choice(np.flatnonzero(np.frombuffer(data, np.uint8)), 400, replace=False):
        changed = bytearray(data)
        changed[place] ^= 255
        try:
            read_hdf5(bytes(changed))
        except FileFormatError as error:
            refused.add(str(error).partition(":")[2][:20])
    assert len(refused) > 10


def test_an_array_of_more_than_its_chunks_can_hold():
    data = bytearray(chunked_file.content())
    place = data.index(struct.pack("<QQQQ", 14, 15, 14, 15))  # the shape, and the largest one
    data[place : place + 32] = struct.pack("<QQQQ", 2**40, 15, 2**40, 15)
    with pytest.raises(FileFormatError, match="would unpack to more than 269930456 bytes"):
        read_hdf5(bytes(data))
