"""Processes that keep processors busy beside a measurement."""

import subprocess
import sys
import time

# They end when the process that started them has ended, even if that was killed.
_PROGRAM = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter: sum(range(99999))"


class Busy:
    """Processes that keep processors busy inside of a ``with`` block."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, "-c", _PROGRAM]) for _ in range(self.count)]
        time.sleep(0.3)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
