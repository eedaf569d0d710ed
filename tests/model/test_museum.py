"""Every exhibit is refused at once, with little memory, by one line that names the file."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recurra import runtime
from recurra.errors import MAX_LINE, FileFormatError
from recurra.model import read
from recurra.model.file import read_weights
from recurra.model.safetensors import unpack
from tests.model import museum
from tests.model.museum.exhibits import bytes_of, changed, closed, entry, framed, opened
from tests.runtime.models import described, linear

# Calls and returns of functions, which are the same on slow machines; a million are some 0.1 s. What C code does in one
# call is not counted: it must end within the seconds of processor time.
EVENTS, SECONDS, MEGABYTES = 1_200_000, 0.5, 50


def loader(name):
    """The function that loads what an exhibit claims to be."""
    return runtime.load_forecaster if name.startswith("forecaster") else runtime.load


def refusal(path, load=runtime.load):
    """The error of reading a file, checked to be readable for people."""
    with pytest.raises(FileFormatError) as refused:
        load(path)
    text = str(refused.value)
    assert text.isprintable()
    assert len(text) <= MAX_LINE
    assert refused.value.__cause__ is None
    return text


def events_of_refusal(path, load):
    """The number of calls and returns of functions until a file is refused."""
    events = itertools.count()
    sys.setprofile(lambda frame, event, argument: next(events))
    try:
        with contextlib.suppress(FileFormatError):
            load(path)
    finally:
        sys.setprofile(None)
    return next(events)


def put(tmp_path, data):
    path = tmp_path / "exhibit.safetensors"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", museum.EXHIBITS)
def test_refused(name, tmp_path):
    path = put(tmp_path, museum.EXHIBITS[name]())
    took = []
    for _ in range(5):  # the quickest try counts, as the collector may run in one
        start = time.process_time()
        text = refusal(path, loader(name))
        took.append(time.process_time() - start)
        if took[-1] < SECONDS:
            break
    assert min(took) < SECONDS
    assert text.startswith(str(path)) or len(str(path)) > 120
    assert events_of_refusal(path, loader(name)) < EVENTS


_WATCHER = """
import sys
from pathlib import Path
from recurra import runtime
from recurra.errors import FileFormatError
from tests.model import museum

def high(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) / 1024

def refused(path):
    try:
        runtime.load(path)
    except FileFormatError:
        return
    raise SystemExit(f"{path} is accepted")

paths = sorted(Path(sys.argv[1]).iterdir())
refused(paths[0])
for path in paths:
    Path("/proc/self/clear_refs").write_text("5")
    before = high("VmRSS")
    refused(path)
    print(path.name, high("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells how much memory was in use")
def test_memory(tmp_path):
    """One process reads all exhibits, and a file that claims to hold 8 GB, in little memory."""
    for number, build in enumerate(museum.EXHIBITS.values()):
        (tmp_path / f"{number:03}").write_bytes(build())
    with (tmp_path / "large").open("wb") as file:
        file.write(framed({"a": entry("I8", (2**33,), (0, 2**33))}))
        file.truncate(file.tell() + 2**33)
    found = subprocess.run(
        [sys.executable, "-c", _WATCHER, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = [line.split() for line in found.stdout.splitlines()]
    assert len(lines) == len(museum.EXHIBITS) + 1
    assert max(float(used) for _, used in lines) < MEGABYTES, lines


def test_a_file_cut_at_every_byte(tmp_path):
    data = bytes_of(described(linear(2, 1)))
    for length in range(len(data)):
        refusal(put(tmp_path, data[:length]))
    assert read(put(tmp_path, data)).weights.keys() == {"weight", "bias"}


def test_a_file_with_every_byte_changed(tmp_path):
    """Most of these files are refused; the others have other numbers, or another name that nobody reads."""
    data = bytes_of(described(linear(2, 1)))
    refused = 0
    for place in range(len(data)):
        for bits in (1, 0x80, 0xFF):
            path = put(tmp_path, data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :])
            with contextlib.suppress(FileFormatError):
                read(path)
                continue
            refused += 1
    assert refused > 2 * len(data)


@pytest.mark.parametrize("load", [runtime.load, read, read_weights])
def test_what_is_no_file(load, tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (
        tmp_path,
        tmp_path / "nothing",
        tmp_path / "pipe",
        tmp_path / "loop",
        tmp_path / "nothing\n\x1b[2J",
        tmp_path / os.fsdecode(b"\xff\xfe"),
        tmp_path / ("x" * 4000),
        "zero\0byte",
        "/dev/zero",
    ):
        refusal(path, load)


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = put(tmp_path, bytes_of(described(linear(500, 500))))

    def cut(tensors, metadata):
        os.truncate(path, path.stat().st_size - 1)

    with pytest.raises(FileFormatError, match="cut short"):
        unpack(path, cut)


def test_a_name_that_torch_uses_is_refused_where_torch_is(tmp_path):
    nn = pytest.importorskip("recurra.nn")
    for name in ("forward", "training", "_parameters", "0"):
        path = put(tmp_path, changed(("model", "parts", 0, 0), name))
        if name == "0":
            nn.load(path)
        else:
            header, description, body = opened(path.read_bytes())
            header = {key.replace("0.", f"{name}.", 1): each for key, each in header.items() if key != "__metadata__"}
            assert name in refusal(put(tmp_path, closed(header, description, body)), nn.load)
