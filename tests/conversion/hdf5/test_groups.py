"""HDF5 files that are damaged, and what h5py writes, where it is installed."""

import numpy as np
import pytest

from recurra.conversion.files import read_arrays
from recurra.conversion.hdf5 import content as hdf5_content
from recurra.conversion.hdf5.groups import read_hdf5
from recurra.errors import FileFormatError
from tests.conversion import keras_files


def test_files_cut_anywhere():
    data = keras_files.content(".weights.h5")
    for length in range(0, len(data), 97):
        with pytest.raises(FileFormatError):
            read_hdf5(data[:length])


def test_damage_is_an_error_or_other_numbers():
    """Bytes that are not zero are turned over, one at a time; some of them are numbers of arrays."""
    data = keras_files.content(".weights.h5")
    refused = []
    draw = np.random.default_rng(0)
    for place in draw.choice(np.flatnonzero(np.frombuffer(data, np.uint8)), 300, replace=False):
        changed = bytearray(data)
        changed[place] ^= 255
        try:
            read_hdf5(bytes(changed))
        except FileFormatError as error:
            refused.append(str(error))
    assert len(refused) > 50


def group_header(data):
    """The position of the root group's header."""
    return int.from_bytes(data[64:72], "little")


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (0, b"\x88", "no HDF5 file"),
        (8, b"\x09", "an HDF5 file of version 9"),
        (13, b"\x04", "positions do not have 8 bytes"),
        (64, b"\xff" * 8, "cut short or damaged"),
        (64, b"\x00" * 8, "no object at 0"),
    ],
)
def test_wrong_beginnings(at, new, message):
    data = bytearray(keras_files.content(".weights.h5"))
    data[at : at + len(new)] = new
    with pytest.raises(FileFormatError, match=message):
        read_hdf5(bytes(data))


def test_groups_that_contain_themselves(monkeypatch):
    data = bytearray(keras_files.content(".weights.h5"))
    root = group_header(data).to_bytes(8, "little")
    place = data.index(b"SNOD") + 8  # the first member's name, and the position of its header
    data[place + 8 : place + 16] = root
    with pytest.raises(FileFormatError, match="a group that contains itself"):
        read_hdf5(bytes(data))
    monkeypatch.setattr(hdf5_content, "MAX_STEPS", 100)
    with pytest.raises(FileFormatError, match="more than 100 objects, or objects that contain each other"):
        read_hdf5(keras_files.content(".weights.h5"))


@pytest.mark.compat
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_files_of_h5py(libver, tmp_path):
    import h5py

    path = tmp_path / "arrays.h5"
    with h5py.File(path, "w", libver=libver) as file:
        group = file.create_group("lstm")
        group.attrs["name"] = "a text of é"
        arrays = {
            "matrix": np.arange(6.0).reshape(2, 3), "single": np.float32(3), "empty": np.zeros((0, 3)),
            "big": np.arange(3, dtype=">f4"), "half": np.ones(3, np.float16), "whole": np.arange(3, dtype=np.uint16),
        }  # fmt: skip
        for name, array in arrays.items():
            group[name] = array
        file["text"] = "abc"
        file.create_dataset("chunks", data=np.ones((9, 9)), chunks=(4, 4))
        file.create_dataset("packed", data=np.ones((9, 9)), compression="gzip")
        file["link"] = h5py.SoftLink("/lstm/matrix")
        file["elsewhere"] = h5py.ExternalLink("/etc/hosts", "/x")
        file["again"] = group
    read = read_arrays(path).arrays
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[f"lstm/{name}"], array)
        np.testing.assert_array_equal(read[f"again/{name}"], array)
    assert read.keys() == {f"{group}/{name}" for group in ("lstm", "again") for name in arrays} | {
        "text",
        "chunks",
        "packed",
    }
    if libver == "latest":
        reason = "is stored in chunks in the form of libver='latest': write the file with h5py's defaults"
        assert read["packed"].reason == read["chunks"].reason == reason
    else:
        np.testing.assert_array_equal(read["packed"], np.ones((9, 9)))
        np.testing.assert_array_equal(read["chunks"], np.ones((9, 9)))
    assert read_hdf5(path.read_bytes()).members["lstm"].texts == {"name": "a text of é"}
    with h5py.File(path, "w") as file:
        for number in range(500):
            file[f"group{number}/x"] = np.float32(number)
    assert {name: float(value) for name, value in read_arrays(path).arrays.items()} == {
        f"group{number}/x": number for number in range(500)
    }
