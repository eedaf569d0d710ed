"""A process that is killed while it saves leaves the old file or the new one, whole.

RECURRA_KILLS=200 kills 200 times; the default is a few times, as each kill takes a process of its own.
"""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from recurra.model import Description, Part, Weight, read, write

ROWS = 1000  # times as many columns, and 4 bytes: 4 MB
_SAVES = """
import sys
from tests.model.test_kill import model
from recurra.model import write

print("ready", flush=True)
number = int(sys.argv[2])
while True:
    write(model(number), sys.argv[1])
    number += 1
"""


def model(number):
    """A model of some megabytes, in which all weights are the same number."""
    part = Part("Linear", {"in_features": ROWS, "out_features": ROWS, "bias": False})
    return Description(part, {"weight": Weight.of(np.full((ROWS, ROWS), number, np.float32))})


def number_of(path):
    """The number that all weights of a file's model are, checked."""
    [values] = np.unique(read(path).weights["weight"].data)
    return int(values)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no signal of Windows is as sudden")
def test_killed_while_saving(tmp_path):
    path = tmp_path / "model.safetensors"
    draw = random.Random(0)
    write(model(0), path)
    held, while_writing, kills = 0, 0, 0
    least = int(os.environ.get("RECURRA_KILLS", "8"))
    while kills < least or (while_writing == 0 and kills < 100):  # half of them meet a file that is being written
        kills += 1
        command = [sys.executable, "-c", _SAVES, str(path), str(held + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as saving:
            assert saving.stdout.readline() == "ready\n"
            time.sleep(draw.uniform(0, 0.1))
            saving.send_signal(signal.SIGKILL)
        found = number_of(path)
        assert found >= held, "an older file is back"
        held = found
        unfinished = [each for each in tmp_path.iterdir() if each != path]
        while_writing += bool(unfinished)
        for each in unfinished:
            each.unlink()
    print(f"killed while a file was being written: {while_writing} times; {held} files were saved")
    assert while_writing > 0
