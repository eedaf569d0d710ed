"""A language model from a text to a numpy script: it learns to count, is exported as int8, and counts without torch.

pip install "recurra[torch,cli]"; python examples/train_export_sample.py
"""

import contextlib
import io
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from recurra.cli import main as recurra

TEXT = "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve;\n" * 200
PROMPT, LENGTH = "one, two, ", 120
SETTINGS = "--cell gru --hidden 48 --seq-len 32 --batch-size 16 --epochs 8 --eval-every 100 --seed 1"

# Code for a machine without torch: it writes the likeliest character, again and again.
WRITE = """
import sys
from recurra import runtime

path, prompt, length = sys.argv[1:]
for piece in runtime.sample(runtime.load(path), prompt, length=int(length), temperature=0):
    print(piece, end="")
assert "torch" not in sys.modules
"""


def run(*command):
    """Run a command of recurra's, as `recurra …` in a shell does, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        code = recurra(command)
    if code != 0:
        raise SystemExit(code)
    return shown.getvalue()


def main():
    with tempfile.TemporaryDirectory() as folder:
        text, trained, file = (str(Path(folder, name)) for name in ("text.txt", "run", "model.safetensors"))
        Path(text).write_text(TEXT, encoding="utf-8")

        print(run("text", "train", text, "--out", trained, *SETTINGS.split()).splitlines()[-2])
        print(run("export", trained, "--out", file, "--weights", "int8").replace(folder, "…"), end="")

        command = [sys.executable, "-c", WRITE, file, PROMPT, str(LENGTH)]
        written = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout
        assert len(written) == LENGTH
        assert (PROMPT + written).startswith(TEXT[: len(PROMPT) + LENGTH // 2])
        print(f"without torch, {LENGTH} characters:")
        print(textwrap.indent(PROMPT + written, "| "))


if __name__ == "__main__":
    main()
