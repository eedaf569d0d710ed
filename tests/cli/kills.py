"""Trainings that are killed at random moments and resumed: ``python -m tests.cli.kills --count 200 --processes 1``.

Each run of the real command is a fork of this process, which has torch loaded, so that a run takes no seconds to start.
Prints the number of kills by what the killed run was doing, as one line of JSON; the exit code is 1 if a resumed run
ended with another model than the run that was never killed, or with a line of metrics twice or missing.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from recurra.cli import main

TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 25
SIZES = ("--hidden", "12", "--layers", "2", "--seq-len", "16", "--batch-size", "4")
OPTIONS = (*SIZES, "--epochs", "6", "--eval-every", "7", "--lr", "0.02", "--dropout", "0.1")
TIMES = ("seconds", "tokens_per_second")


def started(arguments, processes):
    """Fork processes that run the command, as torchrun would, and return their numbers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            if processes > 1:
                place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
                os.environ.update({name: str(value) for name, value in place.items()}, MASTER_ADDR="127.0.0.1")
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os._exit(main(list(map(str, arguments))))
        children.append(child)
    return children


def ended(children):
    """Wait for processes, and return their exit codes."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def rows(run):
    """The rows of metrics without the times."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def killed(children, seconds):
    """Kill processes after some seconds; tell whether one was still running.

    Raises:
        RuntimeError: a process has failed by itself.
    """
    time.sleep(seconds)
    for child in children:
        os.kill(child, signal.SIGKILL)
    codes = ended(children)
    if -signal.SIGKILL not in codes and any(codes):
        raise RuntimeError(f"exit codes {codes}")
    return -signal.SIGKILL in codes


class Kills:
    """A text in a folder, a run of it that was never killed, and the runs that are killed.

    Args:
        folder: an empty folder.
        processes: the number of processes that train together.
        seed: the seed of the moments.
    """

    def __init__(self, folder, processes, seed):
        self.folder, self.processes, self.chance = folder, processes, random.Random(seed)
        self.counts = Counter()
        (folder / "text.txt").write_text(TEXT)
        self.begin = ["text", "train", folder / "text.txt", *OPTIONS, "--out"]
        self.whole = folder / "whole"
        start = time.monotonic()
        ended(self.started([*self.begin, self.whole]))
        self.longest = (time.monotonic() - start) / 3

    def started(self, arguments):
        return started(arguments, self.processes)

    def next_run(self, count):
        """Train a run, kill it again and again until it is finished, and compare it with the whole run."""
        run = self.folder / f"run{self.counts['runs']}"
        self.counts["runs"] += 1
        while True:
            is_new = not (run / "config.json").exists()
            if is_new:
                shutil.rmtree(run, ignore_errors=True)
            children = self.started([*self.begin, run] if is_new else ["text", "train", "--resume", run])
            if self.counts["kills"] == count:
                assert not any(ended(children))
                break
            if not killed(children, self.chance.uniform(0, self.longest)):
                break
            self.counts["kills"] += 1
            self.counts["kills inside of a write"] += bool(list(run.glob(".*.tmp")))
        return self.difference(run)

    def difference(self, run):
        if (run / "model.safetensors").read_bytes() != (self.whole / "model.safetensors").read_bytes():
            return f"{run.name} has another model"
        if rows(run) != rows(self.whole):
            return f"{run.name} has other rows of metrics"
        if sorted(path.name for path in run.iterdir()) != sorted(path.name for path in self.whole.iterdir()):
            return f"{run.name} has other files"
        return None


def check(folder, count, processes, seed):
    """Kill runs until there were `count` kills; return what was counted, and the first difference if there is one."""
    kills = Kills(folder, processes, seed)
    while kills.counts["kills"] < count:
        if difference := kills.next_run(count):
            return kills.counts, difference
    return kills.counts, None


def warm_up(folder):
    """Train in this process, so that forks find all modules loaded."""
    (folder / "warm.txt").write_text(TEXT)
    with contextlib.redirect_stdout(None):
        main(["text", "train", str(folder / "warm.txt"), "--out", str(folder / "warm"), *SIZES, "--epochs", "1"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        warm_up(Path(place))
        counted, difference = check(Path(place), options.count, options.processes, options.seed)
    print(json.dumps(counted))
    sys.exit(difference)
