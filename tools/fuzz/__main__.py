"""``python -m fuzz SHARE [options of libFuzzer] FOLDER``: mutate a folder's inputs for as long as the options say."""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["recurra.model", "recurra.program", "recurra.conversion"]):
    from fuzz.mutate import mutated
    from fuzz.seeds import write
    from fuzz.targets import one_input


def main() -> None:
    """Write the seeds into the folder, and fuzz."""
    logging.getLogger("recurra").setLevel(logging.ERROR)  # a conversion says which arrays it used
    share, folder = int(sys.argv[1]), Path(sys.argv[-1])
    write(folder)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        mutant = mutated(bytes(data), random.Random(seed), lambda given: atheris.Mutate(given, max_size))
        return mutant if len(mutant) <= max_size else bytes(data)[:max_size]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: one_input(data, share), custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
