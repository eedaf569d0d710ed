"""Blocks of code of a mistake's page, and what they answer: on recurra's layers, and on torch.nn's."""

import contextlib
import io
import re
from dataclasses import dataclass

FENCED = re.compile(r"(?:^<!-- (?P<mark>.+?) -->\n)?^```(?P<language>\w+)\n(?P<source>.*?)^```\n", re.M | re.S)
_OF_TORCH = {"torch.nn.utils.rnn": {"pack_padded_sequence", "pad_packed_sequence", "pack_sequence", "pad_sequence"}}


@dataclass(frozen=True)
class Block:
    """A block of a page: language, text, and the mark of the comment before it."""

    language: str
    source: str
    mark: str


def blocks(text):
    """The blocks of a text in Markdown."""
    return [Block(found["language"], found["source"], found["mark"] or "") for found in FENCED.finditer(text)]


def answer(source, names):
    """What a block prints, then what it raises; a warning is an error in tests."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, "page", "exec"), names)
        except Exception as error:
            return printed.getvalue() + f"{type(error).__name__}: {error}"
    return printed.getvalue()


def on_torch(source):
    """A block with torch.nn's layers in the place of recurra's."""

    def imports(found):
        names = set(found[1].split(", "))
        packing = sorted(names & _OF_TORCH["torch.nn.utils.rnn"])
        layers = sorted(names.difference(packing))
        lines = [f"from torch.nn.utils.rnn import {', '.join(packing)}"] if packing else []
        return "; ".join([*lines, *([f"from torch.nn import {', '.join(layers)}"] if layers else [])])

    return re.sub(r"^from recurra\.nn import (.+)$", imports, source, flags=re.M)


def words(text):
    """A text without its line breaks."""
    return " ".join(text.split())
