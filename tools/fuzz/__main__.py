"""``python -m fuzz SHARE [options of libFuzzer] FOLDER``: mutate a folder's inputs for as long as the options say."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["recurra.model", "recurra.program"]):
    from fuzz.mutate import mutated
    from fuzz.seeds import files, programs
    from fuzz.targets import one_input


def main() -> None:
    """Write the seeds into the folder, and fuzz."""
    share, folder = int(sys.argv[1]), Path(sys.argv[-1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*files(), *(text.encode() for text in programs())]):
        (folder / f"seed{number}").write_bytes(seed)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        mutant = mutated(bytes(data), random.Random(seed), lambda given: atheris.Mutate(given, max_size))
        return mutant if len(mutant) <= max_size else bytes(data)[:max_size]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: one_input(data, share), custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
