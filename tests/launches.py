"""Several processes of Python that find each other as those of torchrun do, by environment variables."""

import os
import socket
import subprocess
import sys

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def environment(**variables):
    """The environment of this process, with the variables in place of torchrun's."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**inherited, **variables}


def started(count, *arguments):
    """Start `python arguments…` in so many processes, without torchrun, and return them in order of rank."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **common),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def torchrun(count, *arguments, **options):
    """Start `torchrun --nproc-per-node count arguments…` and return its agent.

    Args:
        count: the number of processes.
        arguments: the script, or ``-m`` and the module, and its arguments; before them, options of torchrun.
        options: those of ``subprocess.Popen``.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(), **{**pipes, **options})
