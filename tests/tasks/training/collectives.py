"""What each process of `test_torchrun.py` does: ``python -m tests.tasks.training.collectives FOLDER ACTION``."""

import os
import signal
import sys
import time
from pathlib import Path

import torch

from recurra.errors import RunError
from recurra.tasks.training.launch import launched
from recurra.tasks.training.torchrun import LostProcessError, TorchrunProcesses


def exchange(processes, rank):
    """Every call once; the results of this process."""
    gradients = [torch.full((2, 3), 1.0 + rank), torch.arange(4.0) * rank, torch.tensor(0.5)]
    sums = processes.reduce(gradients, [2.0**53 * (rank == 0), 0.1 * (rank == 1), 1.0])
    columns = torch.arange(2 * (rank + 1), dtype=torch.int64).reshape(2, rank + 1) + 10 * rank
    flags = torch.full((1, 0 if rank == 0 else 2), rank == 1)
    half = torch.tensor([[0.5 + rank]], dtype=torch.bfloat16)
    shared = [torch.full((2, 2), float(rank)).t(), torch.tensor(rank), torch.empty(0)]
    processes.share(shared)
    same = processes.same(b"text"), processes.same(b"text %d" % rank)
    told = []
    processes.tell_once(lambda: told.append(rank))
    return {
        "gradients": gradients,
        "sums": sums,
        "sum": processes.sum([rank + 0.25, 1.0]),
        "gathered": processes.gather([columns, flags, half], 1),
        "nothing": processes.gather([], 0),
        "shared": shared,
        "same": same,
        "told": told,
    }


def miss(processes, rank):
    """Process 1 ends by a signal; the others say how long they waited for it, and what they were told."""
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    begin = time.monotonic()
    try:
        processes.reduce([torch.zeros(1000)], [1.0])
    except LostProcessError as error:
        return {"message": str(error), "seconds": time.monotonic() - begin}
    return {}


def main():
    folder, action = Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    launch = launched()
    processes = TorchrunProcesses(launch)
    try:
        results = {"exchange": exchange, "miss": miss}[action](processes, launch.rank)
        torch.save(results, folder / f"{launch.rank}")
    except RunError as error:
        sys.exit(str(error))
    finally:
        processes.close()


if __name__ == "__main__":
    main()
