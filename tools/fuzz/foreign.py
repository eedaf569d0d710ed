"""Small files of torch and Keras, written without torch and h5py: inputs that mutation begins with."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_MAGIC = 0x1950A86A20F9469CFC6C
_LEAVES, _NODES = 2, 1  # half of the members in a node of names, and of the branches in a node of a group's tree
_NOWHERE = b"\xff" * 8


def foreign() -> Iterator[tuple[str, bytes]]:
    """The files, each with a name that begins with torch, hdf5 or keras."""
    draw = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (8, 1), "weight_hh_l0": (8, 2), "bias_ih_l0": (8,), "bias_hh_l0": (8,)}
    lstm = {name: draw.uniform(-1, 1, shape).astype("f4") for name, shape in shapes.items()}
    checkpoint = {"state_dict": lstm, "epoch": 1, "optimizer_states": [{"state": {0: 0.5}}], "hparams": ("a", None)}
    halves = {name: value.astype("f2") for name, value in lstm.items()}
    for protocol in (2, 4):
        yield f"torch-pickles-{protocol}", torch_pickles(checkpoint, protocol)
        yield f"torch-zip-{protocol}", torch_zip(halves, protocol)
    keras = {
        "words/embeddings": (3, 1), "lstm/lstm_cell/kernel": (1, 8), "lstm/lstm_cell/recurrent_kernel": (2, 8),
        "lstm/lstm_cell/bias": (8,), "out/kernel": (2, 1), "out/bias": (1,),
    }  # fmt: skip
    arrays = {name: draw.uniform(-1, 1, shape).astype("f4") for name, shape in keras.items()}
    yield "hdf5-plain", hdf5(arrays, {})
    yield "hdf5-chunks", hdf5({**arrays, "out/kernel": Chunked(arrays["out/kernel"], (1, 1))}, {})
    yield "hdf5-newer", hdf5_newer(arrays["lstm/lstm_cell/bias"], {"name": "bias"})
    whole = {f"model_weights/{name}": value for name, value in arrays.items()}
    yield "hdf5-model", hdf5(whole, {"": {"model_config": json.dumps(_config())}})
    numbered = {
        "layers/embedding/vars/0": arrays["words/embeddings"],
        "layers/lstm/cell/vars/0": arrays["lstm/lstm_cell/kernel"],
        "layers/lstm/cell/vars/1": arrays["lstm/lstm_cell/recurrent_kernel"],
        "layers/lstm/cell/vars/2": arrays["lstm/lstm_cell/bias"],
        "layers/dense/vars/0": arrays["out/kernel"],
        "layers/dense/vars/1": arrays["out/bias"],
    }
    names = {"layers/embedding/vars": "words", "layers/lstm/cell/vars": "lstm", "layers/dense/vars": "out"}
    weights = hdf5(numbered, {path: {"name": name} for path, name in names.items()})
    yield "keras-zip", zipped({"config.json": json.dumps(_config()).encode(), "model.weights.h5": weights})


def _config() -> dict[str, Any]:
    layers = {
        "words": ("Embedding", {}),
        "lstm": ("LSTM", {"units": 2, "activation": "tanh", "return_sequences": True}),
        "out": ("Dense", {"activation": "softmax"}),
    }
    content = [{"class_name": kind, "config": {"name": name, **own}} for name, (kind, own) in layers.items()]
    return {"class_name": "Sequential", "config": {"name": "model", "layers": content}}


def zipped(members: Mapping[str, bytes]) -> bytes:
    """The bytes of a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


# ---- torch ----


class _Stored:
    """An array whose numbers lie outside of the pickle."""

    def __init__(self, key: str, array: Array) -> None:
        self.key, self.array = key, array


class _Pickler(pickle._Pickler):  # the one in Python, which can be told how to write what is not there
    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(obj, _Stored):
            super().save(obj, save_persistent_id)
            return
        kind = {"f4": "FloatStorage", "f2": "HalfStorage"}[obj.array.dtype.str[1:]]
        self.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
        self.write(b"(")
        super().save("storage")
        self.write(f"ctorch\n{kind}\n".encode())
        for part in (obj.key, "cpu", obj.array.size, *((None,) if self.proto == 2 else ())):
            super().save(part)
        self.write(b"tQ")
        strides = tuple(step // obj.array.itemsize for step in obj.array.strides)
        for part in (0, obj.array.shape, strides, False, None):
            super().save(part)
        self.write(b"tR")


def _pickled(value: Any, protocol: int) -> bytes:
    file = io.BytesIO()
    _Pickler(file, protocol).dump(value)
    return file.getvalue()


def _outside(value: Any, storages: list[Array]) -> Any:
    """A value, with its arrays noted and replaced."""
    if isinstance(value, np.ndarray):
        storages.append(value)
        return _Stored(str(len(storages) - 1), value)
    if isinstance(value, dict):
        return {key: _outside(each, storages) for key, each in value.items()}
    return value


def torch_zip(value: Any, protocol: int) -> bytes:
    """The bytes of a file of ``torch.save``."""
    storages: list[Array] = []
    members = {"a/data.pkl": _pickled(_outside(value, storages), protocol), "a/byteorder": b"little"}
    return zipped(members | {f"a/data/{number}": each.tobytes() for number, each in enumerate(storages)})


def torch_pickles(value: Any, protocol: int) -> bytes:
    """The bytes of a file of ``torch.save`` in its older form."""
    storages: list[Array] = []
    content = _pickled(_outside(value, storages), protocol)
    first = [_pickled(each, protocol) for each in (_MAGIC, 1001, {"little_endian": True})]
    keys = _pickled([str(number) for number in range(len(storages))], protocol)
    numbers = [struct.pack("<q", each.size) + each.tobytes() for each in storages]
    return b"".join((*first, content, keys, *numbers))


# ---- HDF5 ----


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _message(kind: int, content: bytes) -> bytes:
    content = _padded(content)
    return struct.pack("<HHB3x", kind, len(content), 0) + content


def _header(messages: list[bytes]) -> bytes:
    return struct.pack("<BxHII4x", 1, len(messages), 1, sum(map(len, messages))) + b"".join(messages)


_SCALAR = struct.pack("<BBB5x", 1, 0, 0)


def _text(name: str, value: str) -> bytes:
    """An attribute that is a text."""
    own, content = name.encode() + b"\0", value.encode()
    datatype = struct.pack("<BBBBI", 0x13, 0, 0, 0, len(content))
    sizes = struct.pack("<BxHHH", 1, len(own), len(datatype), len(_SCALAR))
    return _message(12, sizes + _padded(own) + _padded(datatype) + _padded(_SCALAR) + content)


_FLOAT = struct.pack("<BBBBIHHBBBBI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127)


class Chunked(NamedTuple):
    """An array that is stored in chunks, compressed."""

    array: Array
    chunk: tuple[int, int]


class _File:
    """The bytes of a file, to which objects are added."""

    def __init__(self) -> None:
        self.data = bytearray(96)

    def add(self, content: bytes) -> int:
        """Add an object, and return its position."""
        self.data += _padded(content)
        return len(self.data) - len(_padded(content))

    def array(self, array: Array) -> int:
        """Add an array of float32."""
        place = self.add(array.tobytes())
        shape = struct.pack(f"<BBB5x{array.ndim}Q", 1, array.ndim, 0, *array.shape)
        layout = struct.pack("<BBQQ", 3, 1, place, array.nbytes)
        return self.add(_header([_message(1, shape), _message(3, _FLOAT), _message(8, layout)]))

    def chunked(self, given: Chunked) -> int:
        """Add an array of two dimensions in chunks, through the filters shuffle and gzip."""
        (rows, columns), chunk = given.array.shape, given.chunk
        entries = b""
        for row in range(0, rows, chunk[0]):
            for column in range(0, columns, chunk[1]):
                part = given.array[row : row + chunk[0], column : column + chunk[1]]
                data = zlib.compress(np.frombuffer(part.tobytes(), np.uint8).reshape(-1, 4).T.tobytes())
                entries += struct.pack("<IIQQQQ", len(data), 0, row, column, 0, self.add(data))
        used = len(entries) // 40
        tree = self.add(struct.pack("<4sBBH", b"TREE", 1, 0, used) + _NOWHERE * 2 + entries + bytes(32))
        layout = struct.pack("<BBBQIII", 3, 2, 3, tree, *chunk, 4)
        filters = struct.pack("<BB6x", 1, 2)
        filters += struct.pack("<HHHHII", 2, 0, 0, 1, 4, 0) + struct.pack("<HHHHII", 1, 0, 0, 1, 4, 0)
        shape = struct.pack("<BBB5xQQ", 1, 2, 0, rows, columns)
        return self.add(_header([_message(1, shape), _message(3, _FLOAT), _message(8, layout), _message(11, filters)]))

    def _member(self, child: Any, path: str, texts: Mapping[str, Mapping[str, str]]) -> int:
        if isinstance(child, Chunked):
            return self.chunked(child)
        return self.array(child) if isinstance(child, np.ndarray) else self.group(child, path, texts)

    def group(self, tree: Mapping[str, Any], path: str, texts: Mapping[str, Mapping[str, str]]) -> int:
        """Add a group with all that is in it."""
        members = {}
        for name, child in sorted(tree.items()):
            inside = f"{path}/{name}" if path else name
            members[name] = self._member(child, inside, texts)
        names = b"".join((bytes(8), *(_padded(name.encode() + b"\0") for name in members)))
        heap = self.add(struct.pack("<4sB3xQQQ", b"HEAP", 0, len(names), 1, self.add(names)))
        entries, at = b"", 8
        for name, place in members.items():
            entries += struct.pack("<QQ24x", at, place)
            at += len(_padded(name.encode() + b"\0"))
        last = at - len(_padded(list(members)[-1].encode() + b"\0"))
        node = self.add((struct.pack("<4sBxH", b"SNOD", 1, len(members)) + entries).ljust(8 + 40 * 2 * _LEAVES, b"\0"))
        branches = _NOWHERE * 2 + struct.pack("<QQQ", 0, node, last)
        tree_at = self.add((struct.pack("<4sBBH", b"TREE", 0, 0, 1) + branches).ljust(24 + 16 * 2 * _NODES + 8, b"\0"))
        messages = [_message(17, struct.pack("<QQ", tree_at, heap))]
        return self.add(_header(messages + [_text(*pair) for pair in texts.get(path, {}).items()]))


def hdf5(arrays: Mapping[str, Array | Chunked], texts: Mapping[str, Mapping[str, str]]) -> bytes:
    """The bytes of an HDF5 file.

    Args:
        arrays: arrays of float32 by path, or arrays in chunks.
        texts: the attributes of groups, by the groups' paths.
    """
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *groups, name = path.split("/")
        inside = tree
        for group in groups:
            inside = inside.setdefault(group, {})
        inside[name] = array
    file = _File()
    root = file.group(tree, "", texts)
    start = struct.pack(
        "<8s5xBBxHHIQQQQQQ", b"\x89HDF\r\n\x1a\n", 8, 8, _LEAVES, _NODES, 0, 0, 0, len(file.data), 0, 0, root
    )
    start = start[:32] + _NOWHERE + start[40:48] + _NOWHERE + start[56:]
    file.data[: len(start)] = start
    return bytes(file.data)


def hdf5_newer(array: Array, texts: Mapping[str, str]) -> bytes:
    """The bytes of a file of the newer form, with one array named ``bias`` in its root."""
    file = _File()
    place = file.array(array)
    link = struct.pack("<BBB4sQ", 1, 0, 4, b"bias", place)
    messages = b"".join(struct.pack("<BHB", 6, len(link), 0) + link for _ in range(1))
    for name, value in texts.items():
        own, content = name.encode() + b"\0", value.encode()
        datatype = struct.pack("<BBBBI", 0x13, 0, 0, 0, len(content))
        space = struct.pack("<BBBB", 2, 0, 0, 0)
        text = struct.pack("<BBHHHB", 3, 0, len(own), len(datatype), len(space), 0) + own + datatype + space + content
        messages += struct.pack("<BHB", 12, len(text), 0) + text
    root = file.add(struct.pack("<4sBBH", b"OHDR", 2, 1, len(messages)) + messages + bytes(4))
    start = struct.pack("<8sBBBBQQQQI", b"\x89HDF\r\n\x1a\n", 2, 8, 8, 0, 0, 2**64 - 1, len(file.data), root, 0)
    file.data[: len(start)] = start
    return bytes(file.data)
