"""The register of broken and malicious files, and the tools that build them."""

import json
import struct
from collections.abc import Callable

import numpy as np

from recurra.model.file import KEY, contents_of
from recurra.model.safetensors import pack
from recurra.vocabulary import Vocabulary
from tests.runtime.models import described, embedding, linear, lstm, stack

EXHIBITS: dict[str, Callable[[], bytes]] = {}


def exhibit(name):
    """Register the file that a function builds as an exhibit."""

    def put(build):
        EXHIBITS[name] = build
        return build

    return put


def exhibits(kind, items, build):
    """Register an exhibit for each item: its name, and the argument from which `build` makes the file."""
    for name, item in items.items():
        EXHIBITS[f"{kind}: {name}"] = lambda item=item: build(item)


def bytes_of(description):
    """The bytes of a model's file."""
    return b"".join(bytes(piece) for piece in pack(*contents_of(description)))


def framed(text, body=b""):
    """A file with this header, a text of JSON or an object that becomes one."""
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack("<Q", len(text)) + text + body


def opened(data):
    """The header, the description and the numbers of a file."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"][KEY]), data[8 + length :]


def closed(header, description, body):
    """The file with this header, description and numbers."""
    header["__metadata__"] = {KEY: description if isinstance(description, str) else json.dumps(description)}
    return framed(header, body)


def small():
    """A small, valid model."""
    return bytes_of(described(stack(lstm(2, 3), linear(3, 1))))


def spoken():
    """A language model."""
    made = described(stack(embedding(3, 2), lstm(2, 2), linear(2, 3)))
    return bytes_of(type(made)(made.root, made.weights, {"vocabulary": Vocabulary("char", ["<unk>", "a", "b"])}))


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


REMOVED = object()
LSTM = ("model", "parts", 0, 1)
LINEAR = ("model", "parts", 1, 1)


def changed(path, value, make=small):
    """A model whose description is changed in one place; ``REMOVED`` removes the field."""
    header, description, body = opened(make())
    target = description
    for key in path[:-1]:
        target = target[key]
    if value is REMOVED:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return closed(header, description, body)


def arrays(shapes, description):
    """The header, the description and the numbers of a model with these weights."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = entry("F32", shape, (at, at + size))
        at += size
    return header, description, bytes(at)
