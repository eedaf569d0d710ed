"""The page of live shapes: its HTML, with the cells and the first settings as data, and its script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from recurra import cells as zoo
from recurra.equations import Cell
from recurra.look.layer_sizes import LayerSizes
from recurra.look.live_page.cell_table import GROUPS, cell_tables
from recurra.page.document import Document

_HERE = Path(__file__).parent
_SCRIPTS = ("layer.js", "text.js", "tables.js", "drawing.js", "controls.js")  # in the order in which they define names

# The number fields: name, colour of the dimension, least value.
_NUMBERS = (
    ("input_size", "input", 1),
    ("hidden_size", "hidden", 1),
    ("num_layers", "rows", 1),
    ("proj_size", "proj", 0),
    ("batch", "batch", 0),
    ("seq_len", "seq", 1),
)
_SWITCHES = ("bidirectional", "batch_first", "bias", "unbatched")
_BATCH, _SEQ_LEN = 3, 5  # where the sizes do not say them


def live_page(start: LayerSizes, cells: Sequence[Cell] | None = None) -> str:
    """A page that shows a layer's shapes, computed in the page from controls, as one HTML file of some 100 kB.

    Args:
        start: the layer that the page shows first; 3 sequences of 5 steps where it does not say batch and seq_len.
        cells: the cells to choose from; the one of `start` is always among them. Default: the zoo.

    Raises:
        EquationError: a cell has no state, or its equations contradict themselves.
    """
    chosen = list(dict.fromkeys((start.cell, *(zoo.all().values() if cells is None else cells))))
    page = Document(
        "Shapes of a recurrent layer",
        [_LiveShapes(start, tuple(chosen))],
        lead=["Change anything: the shapes, the drawing and the lines of Python follow at once."],
    )
    return page.html()


@dataclass(frozen=True)
class _LiveShapes:
    """The controls and what follows them, as a part of a page."""

    start: LayerSizes
    cells: tuple[Cell, ...]
    style: ClassVar[str] = (_HERE / "page.css").read_text(encoding="utf-8")
    script: ClassVar[str] = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)

    def html(self) -> str:
        """The part as HTML, with its data."""
        fields = {
            "numbers": "".join(_number(*field) for field in _NUMBERS),
            "switches": "".join(_switch(name) for name in _SWITCHES),
            "data": json.dumps(self._data(), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        }
        html = (_HERE / "content.html").read_text(encoding="utf-8")
        for name, text in fields.items():
            html = html.replace(f"<!--{name}-->", text)
        return html

    def _data(self) -> dict[str, Any]:
        tables = cell_tables(self.cells)
        start = self.start
        return {
            "start": {
                "cell": tables[self.cells.index(start.cell)]["key"],
                **{name: getattr(start, name) for name, *_ in _NUMBERS[:4]},
                "batch": _BATCH if start.batch is None else start.batch,
                "seq_len": _SEQ_LEN if start.seq_len is None else start.seq_len,
                **{name: getattr(start, name) for name in _SWITCHES[:3]},
                "unbatched": False,
            },
            "cells": sorted(tables, key=lambda table: GROUPS.index(table["group"])),
        }


def _number(name: str, kind: str, least: int) -> str:
    """A field for a whole number, with a minus and a plus for the pointer; the arrow keys do the same."""
    step = '<span class="step" aria-hidden="true" data-step="{}" data-for="{}">{}</span>'
    return (
        f'<div class="field"><label for="ls-{name}" class="d-{kind}">{name}</label><div class="number">'
        f"{step.format(-1, name, '−')}"
        f'<input id="ls-{name}" name="{name}" type="number" inputmode="numeric" step="1" min="{least}" '
        f'aria-describedby="ls-problem-{name}">'
        f"{step.format(1, name, '+')}</div>"
        f'<p class="problem" id="ls-problem-{name}" data-at="problem-{name}" aria-live="polite"></p></div>\n'
    )


def _switch(name: str) -> str:
    return f'<label class="switch">{name}<input type="checkbox" role="switch" name="{name}"></label>\n'
