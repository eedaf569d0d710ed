"""A reader of a page, who follows it: all blocks in one folder and in one Python session."""

import contextlib
import io
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from recurra.cli import main

WITHOUT_TORCH = "import sys\nfor name in ('torch', 'onnx', 'typer'): sys.modules[name] = None\n"
# Options that make a command quick; of an option that is given twice the second holds.
SHORT = {("text", "train"): shlex.split("--hidden 12 --seq-len 16 --batch-size 4 --epochs 1 --eval-every 20")}


class Reader:
    """Runs the blocks of a page.

    Args:
        folder: where blocks are kept as files, so that messages show their lines; not the working folder.
        names: what the page supposes that its reader has.
    """

    def __init__(self, folder, names):
        self.folder = folder
        self.names = names

    def follow(self, blocks):
        """Run the blocks, compare what they print or raise with what the page shows, and return all that they print."""
        for block in blocks:
            if "file" in block.marks:
                source = WITHOUT_TORCH * ("without torch" in block.marks) + block.source
                Path(block.marks["file"]).write_text(source, encoding="utf-8")
        printed, everything = "", ""
        for number, block in enumerate(blocks):
            if "prints" in block.marks:
                assert words(printed) == words(block.source), f"{block} shows something else"
            elif "raises" in block.marks:
                shown = blocks[number + 1].source
                self.refused(block, shown)
            elif block.language in ("python", "sh") and not {"not run", "file"} & block.marks.keys():
                printed = self.run(block)
                everything += printed
        return everything

    def run(self, block):
        """Run a block and return what it prints."""
        if "without torch" in block.marks:
            return python("-c", WITHOUT_TORCH + block.source)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.language == "python":
                self.execute(block)
            else:
                for line in block.source.replace("\\\n", " ").splitlines():
                    printed.write(command(shlex.split(line, comments=True), block))
        return printed.getvalue()

    def execute(self, block):
        """Run Python code in the session."""
        file = self.folder / f"{block.page.replace('/', '_')}_{block.line}.py"
        file.write_text(block.source, encoding="utf-8")
        exec(compile(block.source, str(file), "exec"), self.names)

    def refused(self, block, shown):
        """Run a block that must raise an error with the message that is shown."""
        with pytest.raises(Exception) as raised:  # noqa: PT011  (its type and message are compared)
            self.execute(block)
        assert raised.typename == block.marks["raises"], f"{block} raises {raised.value!r}"
        message, shown = words(str(raised.value)), words(shown)
        assert shown in message or message in shown, f"{block} shows another message: {message}"


def command(words, block):
    """Run one command of a shell, and return what a process of its own printed."""
    if not words:
        return ""
    if words[0] == "python":
        return python(*words[1:])
    assert words[0] == "recurra", f"{block}: no test runs {words[0]}; a mark must say why"
    resumes = "--resume" in words
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        code = main([*words[1:], *([] if resumes else SHORT.get(tuple(words[1:3]), []))])
    assert code == 0, f"{block}: {shlex.join(words)}: {error.getvalue()}"
    return ""


def python(*arguments):
    """Run Python in a process of its own, and return what it prints."""
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def words(text):
    """A text without the breaks of its lines, which a page may have elsewhere."""
    return " ".join(text.split())
