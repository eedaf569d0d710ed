"""The time to import the torch-free part of recurra, in cold processes, beside numpy alone.

    python benchmarks/import_time.py [--module recurra.runtime] [--rounds 25]

Every round starts one process for each case, so that other work on the machine affects all cases alike. The modules are
compiled beforehand, as an installed package's are. Importing recurra.runtime should take at most 40 ms over numpy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time


def process_time(code: str, compiled: str) -> float:
    """Seconds that a new process of this Python takes to run the code; compiled modules are in ``compiled``."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(codes: list[str], rounds: int) -> list[list[float]]:
    """The seconds of each code's process in every round; a first round, which does not count, compiles the modules."""
    with tempfile.TemporaryDirectory() as compiled:
        return [[process_time(code, compiled) for code in codes] for _ in range(rounds + 1)][1:]


def report(module: str, times: list[list[float]]) -> str:
    """A line for Python alone, for numpy over Python, and for the module over numpy: median and quartiles."""
    python, numpy, both = zip(*times, strict=True)
    rows = {
        "python": python,
        "numpy, over python": [second - first for first, second in zip(python, numpy, strict=True)],
        f"{module}, over numpy": [second - first for first, second in zip(numpy, both, strict=True)],
    }
    lines = []
    for name, seconds in rows.items():
        low, middle, high = (1e3 * value for value in statistics.quantiles(seconds, n=4))
        lines.append(f"{name:32} {middle:6.1f} ms   ({low:.1f} to {high:.1f})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="recurra.runtime", help="what to import after numpy")
    parser.add_argument("--rounds", type=int, default=25, help="how many processes of each kind; at least 2")
    arguments = parser.parse_args()
    times = measure(["pass", "import numpy", f"import numpy, {arguments.module}"], arguments.rounds)
    print(report(arguments.module, times))


if __name__ == "__main__":
    main()
