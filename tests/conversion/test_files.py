"""Files of weights are recognised by their content; damaged and other files are refused in one line."""

import contextlib
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.conversion import archive
from recurra.errors import RecurraError
from recurra.model import write
from recurra.runtime import FileFormatError, convert
from tests.conversion.weights import torch_weights
from tests.runtime.models import described, lstm, same

X = np.ones((3, 1, 3), np.float32)


def saved(path, **others):
    weights = torch_weights(4)
    np.savez(path, **weights, **others)
    return convert(weights)(X)[0]


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def zipped(path, members, **arguments):
    with zipfile.ZipFile(path, "w", **arguments) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["weights.npz", "weights"])
def test_npz(save, name, tmp_path):
    weights = torch_weights(4)
    with (tmp_path / name).open("wb") as file:
        save(file, **{key: np.asfortranarray(value) for key, value in weights.items()})
    for path in (tmp_path / name, str(tmp_path / name)):
        assert same(convert(path)(X)[0], convert(weights)(X)[0])
    with np.load(tmp_path / name) as opened:
        assert same(convert(opened)(X)[0], convert(weights)(X)[0])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_array_format(version, tmp_path):
    weights = torch_weights(4)
    members = []
    for name, value in weights.items():
        file = io.BytesIO()
        np.lib.format.write_array(file, value, version)
        members.append((f"{name}.npy", file.getvalue()))
    path = zipped(tmp_path / "weights.npz", members)
    assert same(convert(path)(X)[0], convert(weights)(X)[0])


def test_safetensors(tmp_path):
    made = described(lstm(3, 4))
    write(made, tmp_path / "weights")
    weights = {name: weight.values() for name, weight in made.weights.items()}
    assert same(convert(tmp_path / "weights")(X)[0], convert(weights)(X)[0])


@pytest.mark.parametrize("length", [0x180, 0x280, 0x4B50])
def test_safetensors_whose_length_begins_as_another_format(length, tmp_path):
    """The length of the header comes first: 80 01 and 80 02 are the beginnings of pickles, 50 4B of zip archives."""
    weights = torch_weights(4)
    header, at = {}, 0
    for name, value in weights.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    assert len(text) <= length
    content = [value.astype("<f4").tobytes() for value in weights.values()]
    (tmp_path / "weights").write_bytes(b"".join((struct.pack("<Q", length), text.ljust(length), *content)))
    assert same(convert(tmp_path / "weights")(X)[0], convert(weights)(X)[0])


def test_what_holds_no_numbers_is_read_by_nobody(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "weights.npz"
    trap = np.array([Trap()], object)
    expected = saved(path, vocabulary=np.array(["a", "b"]), config=trap, day=np.array(["2020-01-01"], "M8[D]"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "not an array")
        archive.writestr("fields.npy", npy(np.zeros(2, [("a", "f4")])))
    assert same(convert(path)(X)[0], expected)
    for name, message in (
        ("config", "config is no array of numbers: it holds pickled Python objects, which is not read"),
        ("vocabulary", "vocabulary is no array of numbers: it holds '<U1', which is not read"),
        ("notes.txt", "notes.txt is no array of numbers: it is no array of numpy, which is not read"),
        ("fields", "fields is no array of numbers: it holds 'fields', which is not read"),
    ):
        with pytest.raises(RecurraError, match=message):
            convert(path, names={"weight_ih": name, "weight_hh": "weight_hh_l0"})
    with np.load(path) as opened:
        assert same(convert(opened)(X)[0], expected)
        with pytest.raises(RecurraError, match="config is no array of numbers: Object arrays cannot be loaded"):
            convert(opened, names={"weight_ih": "config", "weight_hh": "weight_hh_l0"})
    assert not (tmp_path / "sprung").exists()


def test_little_does_not_become_very_much(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "FREE_BYTES", 2**20)
    path = zipped(tmp_path / "bomb.npz", [("a.npy", npy(np.zeros(2**20)))], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FileFormatError, match=r"bomb.npz: \d+ bytes would become 8388736; at most \d+ are read"):
        convert(path)


def header(text, version=1):
    encoded = text.encode("latin1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(encoded)) + encoded


FLOATS = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin as an array of numpy does"),
        (b"\x93NUMPY", "a.npy: its header is damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff", "65535 bytes are too long"),
        (header("{" * 9_000), "header is damaged"),
        (header("(" * 200 + ")" * 200), "header is damaged"),
        (header("[1]"), "descr, fortran_order and shape expected"),
        (header("__import__('os')"), "header is damaged"),
        (header(FLOATS % "-1, -1") + b"\0" * 4, "the shape must be a tuple"),
        (header(FLOATS % "2.0,") + b"\0" * 8, "the shape must be a tuple"),
        (header(FLOATS % "10**18,"), "header is damaged"),
        (header(FLOATS % ("1," * 33)) + b"\0" * 4, "at most 32 whole numbers"),
        (header(FLOATS % "1000000000000,") + b"\0" * 8, "takes 4000000000000 bytes; there are 8"),
        (header(FLOATS % "2,") + b"\0" * 9, "takes 8 bytes; there are 9"),
        (header(FLOATS % "0, 1000000000000000000000000"), r"weights\.npz: "),
        (header((FLOATS % "2,").replace("False", "0")) + b"\0" * 8, "fortran_order must be True or False"),
        (header((FLOATS % "2,").replace("f4", "f3")) + b"\0" * 8, "header is damaged"),
    ],
)
def test_damaged_arrays(content, message, tmp_path):
    path = zipped(tmp_path / "weights.npz", [("a.npy", content)])
    with pytest.raises(FileFormatError, match=message) as error:
        convert(path)
    assert "\n" not in str(error.value)


def test_damaged_archives(tmp_path):
    path = tmp_path / "weights.npz"
    array = npy(np.ones(3))
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(path, [("a.npy", array), ("a.npy", array)])
    with pytest.raises(FileFormatError, match="two members have the same name"):
        convert(path)
    zipped(path, [("a.txt", array)])
    with pytest.raises(FileFormatError, match=r"a zip file without arrays of numpy \(.npy\)"):
        convert(path)
    zipped(path, [("a.npy", array)], compression=zipfile.ZIP_BZIP2)
    with pytest.raises(FileFormatError, match=r"a.npy is encrypted, or packed in an unusual way"):
        convert(path)
    path.write_bytes(b"PK and nothing else")
    with pytest.raises(FileFormatError, match=r"weights.npz: no .npz, .pt or .keras file, or damaged"):
        convert(path)


@settings(max_examples=300)
@given(st.data())
def test_any_damage_is_an_error_or_nothing(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "damaged.npz"
    saved(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    with contextlib.suppress(RecurraError):
        convert(path)


def test_other_files_are_named(tmp_path):
    for name, content, message in (
        ("model.onnx", b"\x08\x08", "; recurra.onnx.load runs a whole ONNX model"),
        ("model.pkl", pickle.dumps({}), "a pickle that torch.save did not write; nothing of it is read"),
        ("model.pt", b"storages".ljust(257, b"\0") + b"ustar", "a tar archive, as torch wrote before 0.1.10"),
        ("model.npz", b"", "0 bytes are no safetensors file; nor is it a zip archive, as its name says"),
        ("model.keras", b"garbage", "7 bytes are no safetensors file; nor is it a zip archive"),
        ("model.h5", b"garbage", "7 bytes are no safetensors file; nor is it an HDF5 file"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=message):
            convert(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes by name on Windows")
def test_only_plain_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for name, message in (("pipe.npz", "not a plain file"), ("", "not a plain file"), ("none", "No such file")):
        with pytest.raises(FileFormatError, match=message):
            convert(tmp_path / name)
