"""``python -m fuzz.sweep SHARE SECONDS SEED FOLDER``: mutate a folder's inputs without guidance, three times as fast.

Input number n depends on the seed, n and the folder's files alone. The file ``last-SEED`` beside the folder holds the
number of the last input, in case it kills the process.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from pathlib import Path

from fuzz.mutate import mutated
from fuzz.targets import one_input


def main() -> None:
    """Try inputs until the time is over or one of them breaks something."""
    logging.getLogger("recurra").setLevel(logging.ERROR)  # a conversion says which arrays it used
    share, seconds, seed, folder = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    corpus = [path.read_bytes() for path in sorted(folder.iterdir())]
    last = os.open(folder.parent / f"last-{seed}", os.O_WRONLY | os.O_CREAT)
    start, number = time.monotonic(), 0
    while number % 1000 or time.monotonic() - start < seconds:
        os.pwrite(last, b"%20d" % number, 0)
        data = input_of(corpus, f"{seed} {number}")
        try:
            one_input(data, share)
        except BaseException:
            (folder.parent / f"crash-{seed}-{number}").write_bytes(data)
            raise
        number += 1
        if number % 100_000 == 0:
            print(f"{number} inputs in {time.monotonic() - start:.0f} s", flush=True)
    print(f"{number} inputs in {time.monotonic() - start:.0f} s: nothing found", flush=True)


def input_of(corpus: list[bytes], seed: str) -> bytes:
    """The input of a seed."""
    draw = random.Random(seed)
    return mutated(draw.choice(corpus), draw, lambda data: _bytes_changed(data, draw))


def _bytes_changed(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(changed) + 1)
        kind = draw.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and at < len(changed):
            changed[at] = draw.randrange(256)
        elif kind == 2:
            changed[at:at] = draw.randbytes(draw.randrange(1, 9))
        elif kind == 3:
            del changed[at : at + draw.randrange(1, 17)]
        else:
            start = draw.randrange(len(changed) + 1)
            changed[at:at] = changed[start : start + draw.randrange(1, 65)]
    return bytes(changed)


if __name__ == "__main__":
    main()
