"""Checkpoints of torch, old and new, compared with torch's own reading; of their objects nothing is made or run."""

import argparse
import collections
import io
import logging
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.conversion import archive, pickles, tensor_tree
from recurra.conversion.files import read_arrays
from recurra.conversion.unread import Unread
from recurra.errors import FileFormatError, RecurraError
from recurra.runtime import convert

FORMS = [(True, 2), (True, 4), (True, 5), (False, 2), (False, 4)]  # zip or pickles, protocol
X = np.ones((3, 1, 3), np.float32)


def lstm(seed=0):
    torch.manual_seed(seed)
    return torch.nn.LSTM(3, 4)


def saved(path, value, zipped=True, protocol=2):
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    return path


def same(array, tensor):
    np.testing.assert_array_equal(array, (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach())


@pytest.mark.parametrize(("zipped", "protocol"), FORMS)
def test_state_dicts(zipped, protocol, tmp_path):
    module = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(3, 4, num_layers=2), "head": torch.nn.Linear(4, 2)})
    arrays, skipped, _ = read_arrays(saved(tmp_path / "model.pth", module.state_dict(), zipped, protocol))
    assert list(arrays) == list(module.state_dict())
    assert not skipped
    for name, tensor in module.state_dict().items():
        same(arrays[name], tensor)
    made = convert(tmp_path / "model.pth", names="lstm", output="head")
    expected = module["head"](module["lstm"](torch.ones(3, 1, 3))[0])
    np.testing.assert_allclose(made(X)[0], expected.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("zipped", [True, False])
def test_every_kind_of_tensor(zipped, tmp_path):
    base = torch.arange(24.0).reshape(2, 3, 4)
    tensors = {
        "permuted": base.permute(2, 0, 1),
        "part": base[:, 1:, ::2],
        "last": base[1, 2, 3],
        "repeated": torch.tensor([[1.0], [2.0]]).expand(2, 5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base.double()),
        "bfloat16": base.bfloat16().transpose(0, 2)[1:] * 1.1,
        **{
            str(dtype): base.to(dtype) for dtype in (torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool)
        },
        "uint16": base.to(torch.uint16),
        "complex": base * 1j,
    }
    arrays, *_ = read_arrays(saved(tmp_path / "tensors.pt", tensors, zipped))
    for name, tensor in tensors.items():
        same(arrays[name], tensor)
    assert np.shares_memory(arrays["permuted"], arrays["part"])


def test_tensors_that_numpy_cannot_hold_are_named(tmp_path):
    tensors = {"sparse": torch.eye(3).to_sparse(), "small": torch.zeros(3, dtype=torch.float8_e4m3fn)}
    arrays, *_ = read_arrays(saved(tmp_path / "tensors.pt", tensors | {"dense": torch.eye(3)}))
    assert all(isinstance(arrays[name], Unread) for name in tensors)
    with pytest.raises(
        RecurraError, match=r"sparse is no array of numbers: it is a tensor of .*_rebuild_sparse_tensor"
    ):
        convert(tmp_path / "tensors.pt", names={"weight_ih": "sparse", "weight_hh": "dense"})


def test_the_order_of_bytes(tmp_path):
    path, other = saved(tmp_path / "little.pt", lstm().state_dict()), tmp_path / "big.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if "/data/" in name:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            target.writestr(name, b"big" if name.endswith("byteorder") else content)
    np.testing.assert_array_equal(convert(other)(X)[0], convert(path)(X)[0])


@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_no_weight_is_skipped_and_said(zipped, tmp_path, caplog):
    module = lstm()
    checkpoint = {
        "epoch": 3,
        "state_dict": {f"model.encoder.{name}": value for name, value in module.state_dict().items()},
        "optimizer_states": [
            {"state": {0: {"exp_avg": torch.ones(16, 3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
        ],
        "hyper_parameters": argparse.Namespace(path=Path("data"), layers=collections.Counter("ab")),
    }
    path = saved(tmp_path / "last.ckpt", checkpoint, zipped)
    arrays, skipped, _ = read_arrays(path)
    assert list(arrays) == list(checkpoint["state_dict"])
    assert skipped == ["epoch (int)", "optimizer_states (list)", "hyper_parameters (argparse.Namespace)"]
    with caplog.at_level(logging.INFO, "recurra"):
        made = convert(path, names="encoder")
    assert "; not read: epoch (int), optimizer_states (list), hyper_parameters (argparse.Namespace)" in caplog.text
    np.testing.assert_allclose(made(X)[0], module(torch.ones(3, 1, 3))[0].detach(), rtol=0, atol=1e-6)


def test_weights_twice_keep_their_keys(tmp_path):
    path = saved(tmp_path / "two.pt", {"model": lstm(0).state_dict(), "ema": lstm(1).state_dict()})
    np.testing.assert_allclose(convert(path, names="ema")(X)[0], lstm(1)(torch.ones(3, 1, 3))[0].detach(), atol=1e-6)
    with pytest.raises(RecurraError, match=r"names=None may mean any of 'model.', 'ema.'; say which"):
        convert(path)


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_modules(zipped, tmp_path):
    module = torch.nn.Sequential(lstm(), torch.nn.Linear(4, 2))
    arrays, *_ = read_arrays(saved(tmp_path / "module.pt", module, zipped))
    assert list(arrays) == list(module.state_dict())
    for name, tensor in module.state_dict().items():
        same(arrays[name], tensor)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_is_run(zipped, tmp_path):
    sprung = str(tmp_path / "sprung")
    path = saved(tmp_path / "trap.pt", {"trap": Trap(sprung), **lstm().state_dict()}, zipped)
    arrays, skipped, _ = read_arrays(path)
    assert len(arrays) == 4
    assert skipped == ["trap (posix.mkdir)"] or skipped == ["trap (nt.mkdir)"]
    saved(path, Trap(sprung), zipped)
    with pytest.raises(FileFormatError, match=r"it holds (posix|nt)\.mkdir, and no tensors"):
        read_arrays(path)
    assert not Path(sprung).exists()


# ---- damaged and malicious files ----


def zipped(path, pickled, **members):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", pickled)
        for name, content in members.items():
            file.writestr(f"a/{name}", content)
    return path


class Written(pickle._Pickler):  # the one that is written in Python, whose storages can be replaced
    def persistent_id(self, value):
        return value.given if isinstance(value, Reference) else None


class Reference:
    def __init__(self, *given):
        self.given = given


class Call:
    def __init__(self, function, *arguments):
        self.made = function, arguments

    def __reduce__(self):
        return self.made


def pickled(value):
    file = io.BytesIO()
    Written(file, 2).dump(value)
    return file.getvalue()


REBUILD = torch._utils._rebuild_tensor_v2


def tensor(shape=(2,), strides=(1,), offset=0, count=2, key="0", kind=torch.FloatStorage):
    return Call(REBUILD, Reference("storage", kind, key, "cpu", count), offset, shape, strides, False, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (tensor(shape=(3,)), r"a tensor \(3,\) lies outside of storage 0"),
        (tensor(offset=1), r"a tensor \(2,\) lies outside of storage 0"),
        (tensor(strides=(2,)), r"a tensor \(2,\) lies outside of storage 0"),
        (tensor(strides=(-1,), offset=1), "whole numbers"),
        (tensor(shape=(-1,)), "whole numbers"),
        (tensor(shape=(True,)), "whole numbers"),
        (tensor(shape=(2, 1)), "whole numbers"),
        (tensor(shape=(1,) * 40, strides=(0,) * 40), "at most 32 whole numbers"),
        (tensor(shape=(2**30, 2**31), strides=(0, 0)), "bytes would become 9223372036854775808; at most"),
        (tensor(shape=(2**80,), strides=(0,)), "whole numbers"),
        (tensor(count=3), "storage 0 has 8 bytes; 12 are expected"),
        (tensor(key="1"), "storage 1 is missing"),
        (tensor(key="../data.pkl"), "storage .*is missing"),
        (Call(REBUILD, 1, 0, (2,), (1,)), "a tensor without storage"),
        (Call(REBUILD, Reference("file", "/etc/passwd"), 0, (2,), (1,)), "refers to something that is no storage"),
        ({"a": [1, 2], "b": None}, r"it holds no tensors, but a \(list\), b \(NoneType\)"),
        ({"a.b": tensor(), "a": {"b": tensor()}}, "two tensors have the name a.b"),
        ({"a" * 600: tensor()}, "a name of 600 characters"),
    ],
)
def test_tensors_that_do_not_fit(value, message, tmp_path):
    path = zipped(
        tmp_path / "model.pt", pickled(value if isinstance(value, dict) else {"a": value}), **{"data/0": bytes(8)}
    )
    with pytest.raises(FileFormatError, match=message) as error:
        read_arrays(path)
    assert str(error.value).isprintable()


def test_values_that_contain_themselves_end(tmp_path, monkeypatch):
    loop = {"weight": tensor()}
    loop["self"] = [loop]
    arrays, *_ = read_arrays(zipped(tmp_path / "loop.pt", pickled(loop), **{"data/0": bytes(8)}))
    assert list(arrays) == ["weight"]
    monkeypatch.setattr(tensor_tree, "MAX_VALUES", 10_000)
    wide = [1]
    for _ in range(60):
        wide = [wide, wide]
    with pytest.raises(FileFormatError, match="it holds more than 10000 values"):
        read_arrays(zipped(tmp_path / "wide.pt", pickled({"model": wide})))
    key = ()
    for _ in range(60):  # its hash would take 2**60 steps
        key = (key, key)
    with pytest.raises(FileFormatError, match="it holds no tensors, but nothing"):
        read_arrays(zipped(tmp_path / "key.pt", b"\x80\x02}(" + pickled(key)[2:-1] + b"K\x01u."))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"\x80\x02}", "cut short"),
        (b"\x80\x06.", "protocol 6; at most 5 is read"),
        (b"I1\n.", r"has the instruction b'I' at 0, not read here"),
        (b".", "damaged before byte 1"),
        (b"e.", "damaged before byte 1"),
        (b"h\x05.", "damaged before byte 2"),
        (b"X\xff\xff\xff\x7fa.", "cut short"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "cut short"),
        (b"X\x01\0\0\0\xff.", "damaged"),
        (b"cos" + b"x" * 600 + b"\nsystem\n.", "by something that is no name"),
        (b"K\x01K\x02\x93.", "by something that is no name"),
        (b"cos\nsystem\nX\x02\0\0\0ls\x85R.", "it holds os.system, and no tensors"),
    ],
)
def test_damaged_pickles(content, message, tmp_path):
    with pytest.raises(FileFormatError, match=message):
        read_arrays(zipped(tmp_path / "model.pt", content))


def test_caps(tmp_path, monkeypatch):
    path = zipped(tmp_path / "model.pt", pickled({"a": tensor()}), **{"data/0": bytes(8)})
    monkeypatch.setattr(pickles, "MAX_PICKLE", 50)
    with pytest.raises(FileFormatError, match="the pickle is cut short, or is longer than 50 bytes"):
        read_arrays(path)
    monkeypatch.undo()
    monkeypatch.setattr(archive, "FREE_BYTES", 0)
    monkeypatch.setattr(archive, "MAX_RATIO", 1)
    big = zipped(tmp_path / "big.pt", pickled({"a": tensor((1000,), (0,))}), **{"data/0": bytes(8)})
    with pytest.raises(FileFormatError, match=r"\d+ bytes would become 4000"):
        read_arrays(big)


def test_other_archives(tmp_path):
    path = zipped(tmp_path / "model.pt", pickled({"a": tensor()}), **{"data/0": bytes(8), "b/data.pkl": b""})
    with pytest.raises(FileFormatError, match=r"2 members are named data.pkl"):
        read_arrays(path)
    zipped(path, pickled({"a": tensor()}), byteorder="middle")
    with pytest.raises(FileFormatError, match="neither little nor big"):
        read_arrays(path)


def test_old_files_cut_anywhere(tmp_path):
    path = saved(tmp_path / "old.pt", torch.nn.RNN(1, 1).state_dict(), zipped=False)
    data = path.read_bytes()
    for length in range(1, len(data), 13):
        path.write_bytes(data[:length])
        with pytest.raises(FileFormatError):
            read_arrays(path)
