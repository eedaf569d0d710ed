"""The command line of recurra, in which process 1 ends by a signal: ``python -m tests.cli.dying FILE arguments…``.

The process dies as soon as the file exists.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from recurra.cli import main


def die(when):
    while not when.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if os.environ["RANK"] == "1":
        threading.Thread(target=die, args=[Path(sys.argv[1])], daemon=True).start()
    sys.exit(main(sys.argv[2:]))
