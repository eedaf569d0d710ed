"""Small changes of inputs: of trees of JSON, which mostly stay readable, and of bytes, which mostly do not."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any
from zipfile import BadZipFile, ZipFile

from fuzz.foreign import zipped
from fuzz.grow import grown
from recurra.conversion.keras_graphs import rules  # noqa: F401  (fills the table)
from recurra.conversion.keras_graphs.table import RULES
from recurra.model.annotations import ANNOTATIONS
from recurra.model.file import GRAPH_KEY, KEY
from recurra.model.kinds import KINDS
from recurra.model.safetensors import DTYPES
from recurra.program import OPERATIONS

_WORDS = [
    *OPERATIONS,
    *KINDS,
    *ANNOTATIONS,
    *DTYPES,
    *RULES,
    *("valid", "same", "causal", "concat", "sum", "ave", "channels_first", "TimeDistributed", "softmax", "__slice__"),
    *("input", "hidden", "proj", "2*hidden", "hidden/2", "input + hidden", "0", "1", "0*hidden", "-hidden", "hidden/0"),
    *("999999999*hidden", "999999999", "hidden/7", "x", "h", "%1", "h'", "h'99999", "", "\x1b[2J", "\n", "\ud800", "é"),
    *("step", "sequence", "real", "bool", "char", "word", "<unk>", "tanh", ".scale", "weight_ih_l0", "w" * 600),
    *("encoder", "decoder", "15min", "MS", "step", "Europe/Berlin", "%Y-%m", "text", "number"),
]
_NUMBERS = [
    *(0, 1, -1, 2, 3, 4, 7, 8, 64, 1000, 65536, 65537, 2**31 - 1, 2**31, 2**53, 2**62, 2**63, 2**64, -(2**63)),
    *(0.0, -0.0, 0.5, 1.0, 1.5, 1e308, 5e-324, True, False, None),
]
Place = tuple[Any, Any]  # a list or object, and an index or key


def mutated(data: bytes, draw: random.Random, mutate_bytes: Callable[[bytes], bytes]) -> bytes:
    """An input that is similar to another one.

    Args:
        data: a program's text, or a file.
        draw: the source of random numbers.
        mutate_bytes: changes bytes at random.
    """
    if draw.random() < 0.25:
        return mutate_bytes(data)
    try:
        if data[:1] in (b"\x80", b"\x89"):  # pickles, HDF5
            return mutate_bytes(data)
        if data[:2] == b"PK":
            return _archive(data, draw, mutate_bytes)
        return _program(data, draw) if data[:1] == b"{" else _file(data, draw)
    except (
        ValueError,
        BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        struct.error,
    ):
        return mutate_bytes(data)  # the input can no longer be read


def _text(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _program(data: bytes, draw: random.Random) -> bytes:
    content = grown(draw) if draw.random() < 0.1 else json.loads(data)
    _change(content, draw)
    return _text(content)


def _file(data: bytes, draw: random.Random) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header.get("__metadata__")
    key = GRAPH_KEY if isinstance(metadata, dict) and GRAPH_KEY in metadata else KEY
    if isinstance(metadata, dict) and isinstance(metadata.get(key), str) and draw.random() < 0.7:
        description = json.loads(metadata[key])
        if draw.random() < 0.1 and description.get("programs"):
            description["programs"][0] = grown(draw)
        else:
            _change(description, draw)
        metadata[key] = _text(description).decode("utf-8", "surrogatepass")
    else:
        _change(header, draw)
    if draw.random() < 0.7:
        body = _fitted(header, body)
    text = _text(header)
    if draw.random() < 0.9:
        length = len(text)
    return struct.pack("<Q", length & (2**64 - 1)) + text + body


def _archive(data: bytes, draw: random.Random, mutate_bytes: Callable[[bytes], bytes]) -> bytes:
    """An archive with one member changed, whose checksum is right."""
    with ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(list(members))
    if name.endswith(".json"):
        members[name] = _program(members[name], draw)
    else:
        members[name] = mutate_bytes(members[name])
    if draw.random() < 0.05:
        members[name.replace("0", "1")] = members.pop(name)
    return zipped(members)


def _fitted(header: Any, body: bytes) -> bytes:
    """Set the offsets of all arrays to match their shapes, and return a body of that length."""
    position = 0
    for name, entry in header.items():
        if name == "__metadata__" or not isinstance(entry, dict):
            continue
        size = DTYPES[entry["dtype"]].itemsize if entry.get("dtype") in DTYPES else 4
        for length in entry.get("shape") or ():
            size *= length if isinstance(length, int) else 1
        if not 0 <= size <= 4096:
            continue
        entry["data_offsets"] = [position, position + size]
        position += size
    return (body + bytes(position))[:position]


def _place(content: Any, draw: random.Random) -> Place:
    """A random place; deep places are as likely as shallow ones."""
    node, key = content, draw.choice(list(content)) if isinstance(content, dict) else draw.randrange(len(content))
    while isinstance(node[key], (dict, list)) and node[key] and draw.random() < 0.85:
        node = node[key]
        key = draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
    return node, key


def _copy(value: Any) -> Any:
    """A copy, so that no tree comes to contain itself."""
    return json.loads(_text(value).decode("utf-8", "surrogatepass")) if isinstance(value, (dict, list)) else value


def _change(content: Any, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 5))):
        if not content:
            return
        (node, key), (other, at) = _place(content, draw), _place(content, draw)
        kind = draw.randrange(8)
        if kind == 0:
            del node[key]
        elif kind == 1:
            node[key] = _copy(other[at])
        elif kind == 2 and isinstance(node, list):
            node.insert(key, _copy(other[at]))
        elif kind == 3 and isinstance(node, dict):
            node[draw.choice(_WORDS)] = node[key] if draw.random() < 0.5 else node.pop(key)
        elif kind == 4:
            node[key] = draw.choice((draw.choice(_NUMBERS), [], {}, [[]], {"number": "nan"}))
        else:
            node[key] = _like(node[key], draw, content)


def _like(value: Any, draw: random.Random, content: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, str):
        other, at = _place(content, draw)
        return other[at] if isinstance(other[at], str) and draw.random() < 0.8 else draw.choice(_WORDS)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return draw.choice(_NUMBERS) if draw.random() < 0.4 else value + draw.choice((-1, 1, 0.5, value))
    if isinstance(value, list):
        return draw.sample(value, len(value)) if draw.random() < 0.5 else value * 2
    return not value if isinstance(value, bool) else draw.choice(_NUMBERS)
