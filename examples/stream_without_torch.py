"""A stream, one step at a time, with numpy alone; its state becomes bytes, and another process continues from them.

python examples/stream_without_torch.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import recurra

INPUT, HIDDEN, STEPS, INTERRUPTED_AT = 4, 32, 200, 120

# The code of the other process, which knows the two files and nothing else.
GO_ON = """
import sys
import numpy as np
from recurra import runtime

stream = runtime.load("model.safetensors").stream()
with open("state.bin", "rb") as file:
    stream.restore(file.read())
np.save("rest.npy", stream.feed(np.load("rest_of_input.npy")))
assert "torch" not in sys.modules
"""


def make_model():
    """Make a GRU out of arrays by torch's names; a file that recurra.save wrote gives a model in the same way."""
    random = np.random.default_rng(0)
    shapes = {
        "weight_ih_l0": (3 * HIDDEN, INPUT),
        "weight_hh_l0": (3 * HIDDEN, HIDDEN),
        "bias_ih_l0": (3 * HIDDEN,),
        "bias_hh_l0": (3 * HIDDEN,),
    }
    bound = HIDDEN**-0.5
    return recurra.convert({name: random.uniform(-bound, bound, s).astype(np.float32) for name, s in shapes.items()})


def main():
    model = make_model()
    x = np.sin(np.arange(STEPS)[:, None] * [0.1, 0.2, 0.3, 0.4]).astype(np.float32)
    whole, _ = model(x[:, None])  # (seq_len, batch, features)

    stream = model.stream()
    steps = [stream.step(row) for row in x[:INTERRUPTED_AT]]
    assert np.array_equal(np.stack(steps), whole[:INTERRUPTED_AT, 0])
    print(f"{INTERRUPTED_AT} steps one by one: the bits of the whole sequence")

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model.safetensors"))
        snapshot = stream.snapshot()
        Path(folder, "state.bin").write_bytes(snapshot)
        np.save(Path(folder, "rest_of_input.npy"), x[INTERRUPTED_AT:])
        print(f"the state is {len(snapshot)} bytes; another process reads it and goes on")
        subprocess.run([sys.executable, "-c", GO_ON], cwd=folder, check=True)
        rest = np.load(Path(folder, "rest.npy"))
    assert np.array_equal(rest, whole[INTERRUPTED_AT:, 0])
    print(f"its {len(rest)} steps: the bits of the whole sequence")

    streams = model.streams()  # many sequences together; each may join and leave at any time
    first = streams.join(3)
    streams.step(first, x[:3])
    streams.leave(first[1])
    late = streams.join(1)
    ids = [first[0], first[2], late[0]]
    together = streams.step(ids, x[[1, 3, 0]])
    assert np.array_equal(together[0], whole[1, 0])  # x[0], then x[1]
    assert np.array_equal(together[2], whole[0, 0])  # x[0] alone
    print(f"{len(streams)} streams in one call: the bits of each alone")
    assert "torch" not in sys.modules


if __name__ == "__main__":
    main()
