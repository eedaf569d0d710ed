"""The container is that of the safetensors library: each of the two reads the other's files."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recurra.errors import FileFormatError
from recurra.model.safetensors import DTYPES, MAX_HEADER, MAX_TENSORS, Tensor, pack, unpack, unpack_from

NUMPY = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I8": "i1"}  # numpy has no bfloat16
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable() and name != "__metadata__")
EVERY = settings(max_examples=150)


@st.composite
def files(draw, dtypes=tuple(DTYPES)):
    """A strategy for arrays and metadata."""
    tensors = {}
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        dtype = draw(st.sampled_from(dtypes))
        tensors[name] = Tensor(dtype, draw(arrays.arrays(DTYPES[dtype], draw(SHAPES))))
    return tensors, draw(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))


def assert_same(found, expected):
    """Assert that arrays are equal to the bit."""
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].data.shape == tensor.data.shape
        assert found[name].data.tobytes() == tensor.data.tobytes()


def both(tensors, metadata):
    """The arrays and the metadata, taken from a file that is being read."""
    return tensors, metadata


def read_back(path):
    return unpack(path, both)


@EVERY
@given(files())
def test_round_trip(tmp_path_factory, file):
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(b"".join(pack(*file)))
    tensors, metadata = read_back(path)
    assert_same(tensors, file[0])
    assert metadata == file[1]
    assert not any(tensor.data.flags.writeable for tensor in tensors.values())


@EVERY
@given(files(dtypes=tuple(NUMPY)))
def test_safetensors_reads_what_is_written(tmp_path_factory, file):
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(b"".join(pack(*file)))
    with safetensors.safe_open(path, "numpy") as opened:
        assert (opened.metadata() or {}) == file[1]
        found = {name: Tensor(file[0][name].dtype, opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118
    assert_same(found, file[0])


@EVERY
@given(files(dtypes=tuple(NUMPY)))
def test_what_safetensors_writes_is_read(tmp_path_factory, file):
    path = tmp_path_factory.mktemp("files") / "file"
    safetensors.numpy.save_file({name: tensor.data for name, tensor in file[0].items()}, path, file[1] or None)
    tensors, metadata = read_back(path)
    assert_same(tensors, file[0])
    assert metadata == file[1]


def test_bfloat16_is_safetensors_too(tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    values = torch.randn(3, 5).to(torch.bfloat16)
    safetensors.torch.save_file({"w": values}, tmp_path / "file")
    [(name, tensor)] = read_back(tmp_path / "file")[0].items()
    assert (name, tensor.dtype) == ("w", "BF16")
    np.testing.assert_array_equal(tensor.data, values.view(torch.int16).numpy().view("uint16"))
    Path(tmp_path / "again").write_bytes(b"".join(pack({"w": tensor}, {})))
    assert torch.equal(safetensors.torch.load_file(tmp_path / "again")["w"], values)


@pytest.mark.parametrize("order", ["F", "strided", "swapped"])
def test_any_layout_in_memory(order, tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    array = {"F": np.asfortranarray(values), "strided": values[::2, ::3], "swapped": values.astype(">f4")}[order]
    (tmp_path / "file").write_bytes(b"".join(pack({"w": Tensor("F32", array)}, {})))
    np.testing.assert_array_equal(read_back(tmp_path / "file")[0]["w"].data, array)


def test_numbers_that_begin_at_odd_places(tmp_path):
    """Other writers may make such files: recurra and safetensors put wide dtypes first, so that none begins there."""
    header = {"a": {"dtype": "I8", "shape": [3], "data_offsets": [0, 3]}}
    header["b"] = {"dtype": "F64", "shape": [2], "data_offsets": [3, 19]}
    text = json.dumps(header).encode()
    values = np.array([1.5, -2.5])
    (tmp_path / "file").write_bytes(struct.pack("<Q", len(text)) + text + b"\1\2\3" + values.tobytes())
    tensors = read_back(tmp_path / "file")[0]
    np.testing.assert_array_equal(tensors["b"].data, values)
    assert tensors["b"].data.flags.aligned


@pytest.mark.parametrize(
    "tensors",
    [
        {"a\n": Tensor("F32", np.zeros(1))},
        {"": Tensor("F32", np.zeros(1))},
        {"a" * 501: Tensor("F32", np.zeros(1))},
        {"a": Tensor("F32", np.zeros((1,) * 9))},
        {f"a{n}": Tensor("F32", np.zeros(0)) for n in range(MAX_TENSORS + 1)},
    ],
    ids=["two lines", "no name", "a long name", "nine dimensions", "too many"],
)
def test_what_would_not_be_read_is_not_written(tensors):
    with pytest.raises(FileFormatError):
        b"".join(pack(tensors, {}))
    with pytest.raises(FileFormatError, match="header"):
        b"".join(pack({}, {"a": "x" * MAX_HEADER}))


def test_what_is_refused_has_no_numbers_read():
    class Counting:
        """A file of a hundred numbers that counts the bytes that are read."""

        header = json.dumps({"a": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}).encode()

        def __init__(self):
            self.left = [struct.pack("<Q", len(self.header)), self.header]

        def read(self, count):
            return self.left.pop(0)

    def refuse(tensors, metadata):
        raise FileFormatError("of no use")

    with pytest.raises(FileFormatError, match="of no use"):
        unpack_from(Counting(), 8 + len(Counting.header) + 400, refuse)
