"""Files that are no safetensors files, or whose header is wrong."""

import io
import json
import os
import pickle
import struct
import zipfile

from recurra.model.safetensors import MAX_HEADER, MAX_TENSORS
from recurra.program import serial
from tests.model.museum.exhibits import entry, exhibit, exhibits, framed


def with_entry(**parts):
    """A file with one array, whose entry in the header is changed."""
    return framed({"a": {**entry(), **parts}}, bytes(4))


@exhibit("empty")
def _():
    return b""


@exhibit("pickle that ends the process")
def _():
    class Evil:
        def __reduce__(self):
            return os._exit, (1,)

    return pickle.dumps(Evil())


@exhibit("torch's own file, a zip of a pickle")
def _():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": 1}))
    return made.getvalue()


exhibits(
    "start",
    {
        "a few bytes": b"\x08\x00\x00",
        "a length of 2**63": struct.pack("<Q", 2**63) + b"{}",
        "a length of 2**64 - 1": b"\xff" * 16,
        "a length one beyond the cap": struct.pack("<Q", MAX_HEADER + 1) + bytes(100),
        "a length beyond the end": struct.pack("<Q", 100) + b"{}",
        "an empty header": struct.pack("<Q", 0),
    },
    lambda data: data,
)
exhibits(
    "header",
    {
        "no JSON": b"{what}",
        "cut": b'{"a":{"dtype":"F32",',
        "a list": b"[]",
        "a space first": b" {}",
        "a byte order mark": b"\xef\xbb\xbf{}",
        "no UTF-8": b'{"\xff":1}',
        "an overlong code of UTF-8": b'{"\xc0\x80":1}',
        "two objects": b"{}{}",
        "NaN": b'{"a":NaN}',
        "an array that occurs twice": b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2),
        "metadata that occurs twice": b'{"__metadata__":{},"__metadata__":{}}',
        "a key that occurs twice in an array": b'{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}',
        "metadata of numbers": b'{"__metadata__":{"a":1}}',
        "metadata that is a list": b'{"__metadata__":["a"]}',
        "an array that is a list": b'{"a":[]}',
        "nested 100,000 deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a number of a million digits": b'{"a":' + b"9" * 1_000_000 + b"}",
        "an exponent of a million digits": b'{"a":1e' + b"9" * 1_000_000 + b"}",
        "four million spaces": b"{" + b" " * (MAX_HEADER - 1),
        "a text of four million bytes": b'{"a":"' + b"x" * (MAX_HEADER - 20) + b'"}',
        "a text that takes four bytes for each character": b'{"a":"\xf0\x9f\x98\x80' + b"x" * (MAX_HEADER - 24) + b'"}',
        "as many items as can be": b'{"a":[' + b"0," * (serial.MAX_ITEMS - 2) + b"0]}",
        "as many lists as can be": b'{"a":[' + b"[]," * (serial.MAX_LISTS - 1) + b"0]}",
        "as many keys as can be": ("{" + ",".join(f'"{n}":0' for n in range(serial.MAX_KEYS - 1)) + "}").encode(),
        "as many objects as can be": b'{"a":[' + b"{}," * (serial.MAX_OBJECTS - 2) + b"0]}",
        "more items": b'{"a":[' + b"0," * (serial.MAX_ITEMS + 1) + b"0]}",
    },
    framed,
)


@exhibit("header: as many arrays as can be, the last one wrong")
def _():
    header = {f"a{n}": entry(shape=(0,), offsets=(0, 0)) for n in range(MAX_TENSORS - 1)}
    return framed({**header, "z": entry()})


@exhibit("header: more arrays")
def _():
    return framed({f"a{n}": entry(shape=(0,), offsets=(0, 0)) for n in range(MAX_TENSORS + 2)})


exhibits(
    "array",
    {
        "an unknown dtype": {"dtype": "U8"},
        "a dtype that is a list": {"dtype": ["F32"]},
        "a wrong dtype for its bytes": {"dtype": "F64"},
        "a field too many": {"file": "other.bin"},
        "a shape that is a number": {"shape": 1},
        "a shape of 2**63": {"shape": [2**63]},
        "a shape whose product wraps to 1 in 64 bits": {"shape": [2**32, 2**32, 1]},
        "a shape of nothing times 2**62": {"shape": [2**62, 2**62, 0], "data_offsets": [0, 0]},
        "a shape of nothing that numpy cannot have": {"shape": [2**61, 0], "data_offsets": [0, 0]},
        "a negative size": {"shape": [-1]},
        "two negative sizes": {"shape": [-1, -1]},
        "a size that is a float": {"shape": [1.0]},
        "a size that is true": {"shape": [True]},
        "nine dimensions": {"shape": [1] * 9},
        "a million dimensions": {"shape": [1] * 200_000},
        "offsets swapped": {"data_offsets": [4, 0]},
        "a negative offset": {"data_offsets": [-4, 0]},
        "an offset beyond the file": {"data_offsets": [4, 8]},
        "an offset of 2**63": {"data_offsets": [2**63, 2**63 + 4]},
        "a float as offset": {"data_offsets": [0, 4.0]},
        "one offset": {"data_offsets": [4]},
    },
    lambda parts: with_entry(**parts),
)
exhibits(
    "arrays",
    {
        "that overlap": ({"a": entry(), "b": entry(offsets=(2, 6))}, 6),
        "in the same place": ({"a": entry(), "b": entry()}, 4),
        "with a hole": ({"a": entry(), "b": entry(offsets=(8, 12))}, 12),
        "with a hole ahead": ({"a": entry(offsets=(4, 8))}, 8),
        "with bytes behind": ({"a": entry()}, 8),
        "without their bytes": ({"a": entry()}, 0),
        "of no name": ({"": entry()}, 4),
        "of a name that clears the screen": ({"\x1b[2J\x1b]0;owned\x07": entry()}, 4),
        "of a name of two lines": ({"a\nERROR: all is well": entry()}, 4),
        "of a name that turns text around": ({"a\u202e": entry()}, 4),
        "of a name of half a character": ({"\ud800": entry()}, 4),
        "of a name of a million characters": ({"a" * 1_000_000: entry()}, 4),
        "of no model": ({"a": entry()}, 4),
        "of one layer of ten thousand": ({"weight_ih_l9999": entry(), "weight_hh_l0": entry(offsets=(4, 8))}, 8),
        "of a projection from nothing": (
            {
                "weight_ih_l0": entry(shape=(4, 1), offsets=(0, 16)),
                "weight_hh_l0": entry(shape=(4, 1), offsets=(16, 32)),
                "weight_hr_l0": entry(shape=(1, 0), offsets=(32, 32)),
            },
            32,
        ),
        "of a layer that is no matrix": ({"weight_ih_l0": entry(), "weight_hh_l0": entry(offsets=(4, 8))}, 8),
    },
    lambda made: framed(made[0], bytes(made[1])),
)
