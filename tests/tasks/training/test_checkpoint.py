"""A checkpoint holds what it was given, and one that is damaged anywhere is refused in one line."""

import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RunError
from recurra.tasks.training.checkpoint import TrainingCheckpoint, grouped, read_checkpoint, write_checkpoint
from recurra.tasks.training.progress import Progress

TENSORS = {
    "weights/a": torch.randn(3, 2, generator=torch.Generator().manual_seed(0)),
    "weights/b": torch.zeros(0, 4),
    "best/a": torch.tensor(1.5, dtype=torch.float64),
    "carried/0": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "average/a": torch.tensor([1.0], dtype=torch.float16),
    "optimizer/a/step": torch.tensor(7.0),
    "generators/torch": torch.tensor([[1, 255], [0, 7]], dtype=torch.uint8),
    "generators/python": torch.tensor([[2**40, -1]]),
}
PROGRESS = Progress(step=7, epoch=2, window=3, losses=[3.0, 2.5], best=1, loss_sum=-1.5, items=10.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, TrainingCheckpoint(PROGRESS, TENSORS, b'{"step": 7}\n'), "abc")
    return path


def test_there_and_back(path: Path) -> None:
    found = read_checkpoint(path, "abc")
    assert found.progress == PROGRESS
    assert found.metrics == b'{"step": 7}\n'
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        stored = tensor.view(torch.int8) if tensor.dtype == torch.uint8 else tensor
        assert torch.equal(found.tensors[name], stored)
        assert found.tensors[name].dtype == stored.dtype
    assert found.group("generators").keys() == {"torch", "python"}
    assert grouped("weights", found.group("weights")).keys() == {"weights/a", "weights/b"}


def test_another_run(path: Path) -> None:
    with pytest.raises(RunError, match="it belongs to another run"):
        read_checkpoint(path, "xyz")
    with pytest.raises(RunError, match="is missing: the run cannot go on"):
        read_checkpoint(path.with_name("other"), "abc")
    with pytest.raises(RunError, match=r"cannot be read: Is a directory|not a plain file"):
        read_checkpoint(path.parent, "abc")


def refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_checkpoint(path, "abc")
    message = str(caught.value)
    assert message.startswith(f"{path} is damaged: ")
    assert "\n" not in message
    assert len(message) < 600


def test_a_cut_anywhere(path: Path) -> None:
    whole = path.read_bytes()
    header = struct.unpack("<Q", whole[:8])[0] + 8
    for length in {*range(0, header, 13), *range(header, len(whole))}:
        refused(path, whole[:length])
    refused(path, whole + b"\0")


def test_a_changed_byte_anywhere(path: Path) -> None:
    """In numbers the checksums notice it, in the header the checks of the fields, or it is a space at the end."""
    whole = path.read_bytes()
    header = struct.unpack("<Q", whole[:8])[0] + 8
    for place in {*range(16), *range(16, header, 3), *range(header, len(whole))}:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        if place >= header:
            refused(path, bytes(changed))
            continue
        path.write_bytes(changed)
        # A digit of a number may have become another one, which no other number contradicts.
        with contextlib.suppress(RunError):
            assert read_checkpoint(path, "abc").tensors.keys() == TENSORS.keys()


@given(st.binary(max_size=300))
def test_anything(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    refused(tmp_path_factory.mktemp("any") / "file", content)


def rewritten(path: Path, change: dict[str, object]) -> bytes:
    """The file with other metadata."""
    whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + length])
    header["__metadata__"].update(change)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + whole[8 + length :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1}, "its 'step' is not possible"),
        ({"step": True}, "its 'step' is not possible"),
        ({"step": 2**60}, "its 'step' is not possible"),
        ({"epoch": 0}, "contradict each other"),
        ({"loss_sum": "1"}, "its 'loss_sum' is not possible"),
        ({"items": None}, "its 'items' is not possible"),
        ({"is_last": 1}, "its 'is_last' is not possible"),
        ({"losses": [1.0, "2"]}, "its 'losses' is not possible"),
        ({"losses": 3}, "its 'losses' is not possible"),
        ({"losses": []}, "its best evaluation is number 1 of 0"),
        ({"best": None}, "contradict each other"),
        ({"best": 2}, "its best evaluation is number 2 of 2"),
        ({"best": 0.5}, "its 'best' is not possible"),
        ({"more": 0}, "not those of a training"),
    ],
)
def test_impossible_numbers(path: Path, change: dict[str, object], message: str) -> None:
    numbers = {**json.loads(PROGRESS.to_text()), **change}
    path.write_bytes(rewritten(path, {"progress": json.dumps(numbers)}))
    with pytest.raises(RunError, match=message):
        read_checkpoint(path, "abc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "2"}, "perhaps of a newer recurra"),
        ({"progress": "{"}, "its numbers cannot be read"),
        ({"progress": '{"step": NaN}'}, "its numbers cannot be read"),
        ({"sums": "[]"}, "its checksums are not those"),
        ({"sums": "x"}, "its checksums cannot be read"),
        ({"more": "x"}, "it is no checkpoint"),
    ],
)
def test_other_metadata(path: Path, change: dict[str, object], message: str) -> None:
    path.write_bytes(rewritten(path, change))
    with pytest.raises(RunError, match=message):
        read_checkpoint(path, "abc")


def test_numbers_lie_where_torch_aligns_them(path: Path) -> None:
    """Torch's results may depend on the alignment, which a resumed run has as any other."""
    assert all(tensor.data_ptr() % 64 == 0 for tensor in read_checkpoint(path, "abc").tensors.values())
    assert np.frombuffer(path.read_bytes()[:8], np.uint64)[0] % 8 == 0
